//! Environment variables that are read here: each by its exact name, with what it decides and what it means.

/// An environment variable that is read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Its exact name.
    pub(crate) name: &'static str,
    /// What it decides.
    pub(crate) role: Role,
    /// What it means, in one line.
    pub(crate) meaning: &'static str,
}

/// What a variable decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Which account answers. Its value is a part of the cache key.
    Login,
    /// How ringbearer, or a program that it runs, behaves.
    Setting,
    /// Where a platform keeps files. It reaches the cache key through the paths of the files that are read.
    Location,
    /// Where the person sits: at a desktop, in a remote session, nowhere as in a CI job.
    Session,
    /// How requests travel.
    Network,
    /// Whether every step is printed on standard error: any value but 0 says so.
    Debug,
    /// The same, as a level of detail: `Debug` and `Verbose` say so, in any case.
    Verbosity,
}

impl Variable {
    pub(crate) const fn login(name: &'static str, meaning: &'static str) -> Self {
        Self { name, role: Role::Login, meaning }
    }

    pub(crate) const fn setting(name: &'static str, meaning: &'static str) -> Self {
        Self { name, role: Role::Setting, meaning }
    }

    pub(crate) const fn location(name: &'static str, meaning: &'static str) -> Self {
        Self { name, role: Role::Location, meaning }
    }

    pub(crate) const fn session(name: &'static str, meaning: &'static str) -> Self {
        Self { name, role: Role::Session, meaning }
    }

    pub(crate) const fn debug(name: &'static str, meaning: &'static str) -> Self {
        Self { name, role: Role::Debug, meaning }
    }

    pub(crate) const fn verbosity(name: &'static str, meaning: &'static str) -> Self {
        Self { name, role: Role::Verbosity, meaning }
    }

    pub(crate) const fn network(name: &'static str, meaning: &'static str) -> Self {
        Self { name, role: Role::Network, meaning }
    }

    /// Whether this value asks for every step on standard error.
    #[must_use]
    pub(crate) fn asks_for_debug_output(&self, value: &str) -> bool {
        let value = value.trim();
        match self.role {
            Role::Debug => !matches!(value, "" | "0"),
            Role::Verbosity => ["debug", "verbose"].iter().any(|level| value.eq_ignore_ascii_case(level)),
            Role::Login | Role::Setting | Role::Location | Role::Session | Role::Network => false,
        }
    }
}

/// Where the platforms keep files of the user.
pub(crate) static LOCATIONS: &[Variable] = &[
    Variable::location("APPDATA", "configuration directory on Windows"),
    Variable::location("HOME", "home directory"),
    Variable::location("LOCALAPPDATA", "cache and data directory on Windows"),
    Variable::location("PROGRAMDATA", "data directory of services on Windows"),
    Variable::location("USERPROFILE", "home directory on Windows"),
    Variable::location("XDG_CACHE_HOME", "cache directory"),
    Variable::location("XDG_CONFIG_DIRS", "configuration directories of the system"),
    Variable::location("XDG_CONFIG_HOME", "configuration directory"),
    Variable::location("XDG_DATA_HOME", "data directory"),
    Variable::location("XDG_RUNTIME_DIR", "directory of the login session"),
];

/// What every registry and the store have in common.
pub(crate) static COMMON: &[Variable] = &[
    Variable::network("ALL_PROXY", "proxy for every scheme"),
    Variable::network("all_proxy", "proxy for every scheme"),
    Variable::network("CURL_CA_BUNDLE", "CA bundle instead of the platform's trust store"),
    Variable::network("HTTPS_PROXY", "proxy for https"),
    Variable::network("https_proxy", "proxy for https"),
    Variable::network("NO_PROXY", "hosts that no proxy serves"),
    Variable::network("no_proxy", "hosts that no proxy serves"),
    Variable::network("PIP_CERT", "CA bundle instead of the platform's trust store"),
    Variable::network("REQUESTS_CA_BUNDLE", "CA bundle instead of the platform's trust store"),
    Variable::network("SSL_CERT_DIR", "directories with CA certificates instead of the platform's trust store"),
    Variable::network("SSL_CERT_FILE", "CA bundle instead of the platform's trust store"),
    Variable::setting("RINGBEARER_CACHE", "where tokens are cached: off, memory or session"),
    Variable::debug("RINGBEARER_DEBUG", "1 prints every step on standard error"),
    Variable::setting("RINGBEARER_LOGIN", "prompt lets a lookup at a terminal sign in with a browser or a device code"),
    Variable::setting(
        "RINGBEARER_LOGIN_STORE",
        "where `ringbearer login` keeps a login: store, keyring, session or off (the first that works)",
    ),
    Variable::setting("RINGBEARER_STRICT", "1 raises the error of a failed lookup instead of answering None"),
    Variable::setting(
        "RINGBEARER_TIMEOUT",
        "limit of a lookup in seconds (120; the store 600, `ringbearer login` 960)",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_is_asked_for_by_any_value_or_a_level() {
        let (debug, verbosity) = (Variable::debug("A", "a"), Variable::verbosity("B", "b"));
        for (variable, value, expected) in [
            (debug, "1", true),
            (debug, "yes", true),
            (debug, " 0 ", false),
            (debug, "", false),
            (verbosity, " debug ", true),
            (verbosity, "Verbose", true),
            (verbosity, "Information", false),
            (verbosity, "1", false),
            (verbosity, "", false),
            (Variable::setting("C", "c"), "1", false),
        ] {
            assert_eq!(variable.asks_for_debug_output(value), expected, "{variable:?} {value:?}");
        }
    }
}
