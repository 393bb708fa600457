//! The proxy for a host: from the environment, else from the system's settings on Windows and macOS.
//!
//! As in reqwest, which uv uses, the system's settings count if no variable names a proxy for https. NO_PROXY applies to them
//! too, together with the exceptions of the system.
//!
//! - `macos`, `windows`: the settings of each system, read by functions that are tested on every platform

#[cfg(any(target_os = "macos", test))]
mod macos;
#[cfg(any(windows, test))]
mod windows;

use std::net::Ipv4Addr;

use url::Url;

use super::Environment;
use crate::service::host_is_within;

/// The variables that name a proxy, highest priority first: lower case before upper case, as in curl and Python. Windows
/// compares names without case, and error messages name the usual spelling.
const PROXY_VARIABLES: &[&str] = if cfg!(windows) {
    &["HTTPS_PROXY", "ALL_PROXY"]
} else {
    &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
};

/// The variables that list hosts without a proxy.
const EXCEPTION_VARIABLES: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// How a request reaches its host.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ProxyChoice {
    /// Without a proxy.
    Direct,
    /// Without a proxy, although the system has a script (PAC) that may choose one: scripts are not evaluated.
    DirectDespiteScript,
    /// Through the proxy of this URL, which a variable holds.
    Variable(&'static str, String),
    /// Through the proxy of this URL, from the system's settings.
    System(String),
}

impl ProxyChoice {
    /// The choice for https requests to `host`. The system's settings are read if they are needed.
    pub(super) fn for_host<'system>(
        host: &str,
        environment: &Environment,
        system: impl FnOnce() -> &'system SystemProxy,
    ) -> Self {
        let exceptions = EXCEPTION_VARIABLES.iter().find_map(|&name| environment.text(name)).unwrap_or_default();
        if is_exception(exceptions, host) {
            return Self::Direct;
        }
        let variable = PROXY_VARIABLES.iter().find_map(|&name| {
            let value = environment.text(name)?.trim();
            (!value.is_empty()).then(|| Self::Variable(name, value.to_owned()))
        });
        variable.unwrap_or_else(|| system().choose(host))
    }

    /// The URL of the proxy.
    pub(super) fn proxy(&self) -> Option<&str> {
        match self {
            Self::Variable(_, url) | Self::System(url) => Some(url),
            Self::Direct | Self::DirectDespiteScript => None,
        }
    }
}

/// The proxy settings of the system.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SystemProxy {
    /// The proxy for https.
    url: Option<String>,
    /// Whether host names without a dot need no proxy.
    excepts_simple_names: bool,
    /// The hosts without a proxy.
    exceptions: Vec<Exception>,
    /// Whether a script (PAC) chooses the proxy.
    has_script: bool,
}

/// Hosts without a proxy.
#[cfg_attr(
    not(any(target_os = "macos", test)),
    expect(dead_code, reason = "Windows has patterns alone, other platforms no settings")
)]
#[derive(Debug, PartialEq, Eq)]
enum Exception {
    /// Names, in lower case; `*` stands for any characters.
    Pattern(String),
    /// IPv4 addresses whose first bits are those of an address.
    Network(Ipv4Addr, u32),
}

impl SystemProxy {
    /// The settings as they are now; none on platforms without such settings.
    pub(super) fn read() -> Self {
        #[cfg(windows)]
        return windows::read();
        #[cfg(target_os = "macos")]
        return macos::read();
        #[cfg(not(any(windows, target_os = "macos")))]
        Self::default()
    }

    /// Settings with this proxy. A value that is not the URL of a proxy is ignored, as by reqwest and Python.
    #[cfg(any(windows, target_os = "macos", test))]
    fn with_url(url: Option<String>) -> Self {
        if url.as_ref().is_some_and(|url| !is_url(url)) {
            log::debug!("the system's proxy settings do not name a proxy");
        }
        Self { url: url.filter(|url| is_url(url)), ..Self::default() }
    }

    fn choose(&self, host: &str) -> ProxyChoice {
        match &self.url {
            Some(_) if self.is_exception(host) => ProxyChoice::Direct,
            Some(url) => ProxyChoice::System(url.clone()),
            None if self.has_script => ProxyChoice::DirectDespiteScript,
            None => ProxyChoice::Direct,
        }
    }

    fn is_exception(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let is_simple = !host.contains(['.', ':']);
        (self.excepts_simple_names && is_simple) || self.exceptions.iter().any(|exception| exception.covers(&host))
    }
}

impl Exception {
    fn covers(&self, host: &str) -> bool {
        match self {
            Self::Pattern(pattern) => matches(pattern, host),
            Self::Network(network, bits) => host.parse::<Ipv4Addr>().is_ok_and(|address| {
                let difference = address.to_bits() ^ network.to_bits();
                difference.leading_zeros() >= *bits
            }),
        }
    }
}

/// Whether a pattern, in which `*` stands for any characters, describes the whole text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts: Vec<&str> = pattern.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    let Some((first, middle)) = parts.split_first() else { return text == last };
    let Some(rest) = text.strip_prefix(first) else { return false };
    let rest = middle.iter().try_fold(rest, |rest, part| rest.find(part).map(|start| &rest[start + part.len()..]));
    rest.is_some_and(|rest| rest.ends_with(last))
}

/// The schemes of proxies. A URL without one means `http`.
const SCHEMES: [&str; 7] = ["http", "https", "socks", "socks4", "socks4a", "socks5", "socks5h"];

/// Whether a value is the URL of a proxy: a known scheme, a host and an optional port. It may hold a password.
pub(super) fn is_url(value: &str) -> bool {
    let value = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    Url::parse(&value).is_ok_and(|url| SCHEMES.contains(&url.scheme()) && url.has_host())
}

/// Whether a NO_PROXY list covers `host`. Entries are separated by commas or spaces. Each is `*`, or a domain with its
/// subdomains, with or without a leading dot or `*.`. Port 443, that of every request here, may follow.
fn is_exception(list: &str, host: &str) -> bool {
    list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.strip_suffix(":443").unwrap_or(entry);
        let domain = entry.strip_prefix('*').unwrap_or(entry);
        let domain = domain.strip_prefix('.').unwrap_or(domain);
        entry == "*" || (!domain.is_empty() && host_is_within(host, domain))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn choose(pairs: &[(&str, &str)], system: &SystemProxy, host: &str) -> ProxyChoice {
        let environment = pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        ProxyChoice::for_host(host, &environment, || system)
    }

    fn proxy(pairs: &[(&str, &str)], host: &str) -> Option<String> {
        choose(pairs, &SystemProxy::default(), host).proxy().map(str::to_owned)
    }

    fn system() -> SystemProxy {
        SystemProxy::with_url(Some("http://system:3128".to_owned()))
    }

    #[test]
    fn the_variable_of_highest_priority_wins() {
        let variables = [("ALL_PROXY", "http://all"), ("HTTPS_PROXY", "http://upper"), ("https_proxy", "http://lower")];
        // Windows compares names without case.
        #[cfg(not(windows))]
        assert_eq!(proxy(&variables, "a.example").as_deref(), Some("http://lower"));
        assert_eq!(proxy(&variables[..2], "a.example").as_deref(), Some("http://upper"));
        assert_eq!(proxy(&variables[..1], "a.example").as_deref(), Some("http://all"));
        assert_eq!(proxy(&[("HTTP_PROXY", "http://plain")], "a.example"), None);
        assert_eq!(proxy(&[("HTTPS_PROXY", "  ")], "a.example"), None);
    }

    #[test]
    fn proxy_urls_need_a_known_scheme_and_a_host() {
        for value in
            ["http://proxy:3128", "proxy:3128", "proxy", "https://user:pass%40word@proxy", "socks5h://127.0.0.1:1080"]
        {
            assert!(is_url(value), "{value}");
        }
        for value in ["http://proxy:99999", "http://user:pass@word@:x", "ftp://proxy", "http://", "proxy:port"] {
            assert!(!is_url(value), "{value}");
        }
    }

    #[test]
    fn exceptions_match_on_label_boundaries() {
        for (list, excepted) in [
            ("*", true),
            ("dev.example.com", true),
            (".dev.example.com", true),
            ("*.dev.example.com", true),
            ("localhost, PKGS.dev.example.com:443", true),
            ("example.com", true),
            ("xample.com", false),
            ("pkgs.dev.example.com:8080", false),
            ("", false),
            (",", false),
        ] {
            let variables = [("https_proxy", "http://proxy"), ("no_proxy", list)];
            assert_eq!(proxy(&variables, "pkgs.dev.example.com").is_none(), excepted, "{list}");
        }
    }

    #[test]
    fn system_settings_count_if_no_variable_names_a_proxy() {
        let found = ProxyChoice::System("http://system:3128".to_owned());
        for variables in
            [&[][..], &[("HTTPS_PROXY", "")], &[("HTTP_PROXY", "http://plain")], &[("NO_PROXY", "b.example")]]
        {
            assert_eq!(choose(variables, &system(), "a.example"), found, "{variables:?}");
        }
        for name in ["HTTPS_PROXY", "ALL_PROXY"] {
            let variables = [(name, "http://variable")];
            assert_eq!(
                choose(&variables, &system(), "a.example"),
                ProxyChoice::Variable(name, "http://variable".to_owned())
            );
        }
    }

    #[test]
    fn no_proxy_applies_to_the_system_proxy_too() {
        for list in ["*", "example", "a.example"] {
            assert_eq!(choose(&[("NO_PROXY", list)], &system(), "a.example"), ProxyChoice::Direct, "{list}");
        }
        let settings = SystemProxy { exceptions: vec![Exception::Pattern("a.example".to_owned())], ..system() };
        assert_eq!(choose(&[("NO_PROXY", "b.example")], &settings, "a.example"), ProxyChoice::Direct);
        assert_eq!(
            choose(&[("HTTPS_PROXY", "http://variable")], &settings, "a.example").proxy(),
            Some("http://variable")
        );
    }

    #[test]
    fn a_proxy_script_is_not_evaluated() {
        let script = SystemProxy { has_script: true, ..SystemProxy::default() };
        assert_eq!(choose(&[], &script, "a.example"), ProxyChoice::DirectDespiteScript);
        assert_eq!(choose(&[("NO_PROXY", "*")], &script, "a.example"), ProxyChoice::Direct);
        let both = SystemProxy { has_script: true, ..system() };
        assert_eq!(choose(&[], &both, "a.example"), ProxyChoice::System("http://system:3128".to_owned()));
    }

    #[test]
    fn system_settings_without_a_proxy_url_are_ignored() {
        for url in ["", "http://", "proxy:port", "ftp://proxy:21"] {
            assert_eq!(SystemProxy::with_url(Some(url.to_owned())), SystemProxy::default(), "{url}");
        }
    }

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, text) in [
            ("*", ""),
            ("a.example", "a.example"),
            ("*.example", "a.b.example"),
            ("a*e", "a.example"),
            ("*a*b*", "xaxbx"),
            ("10.*", "10.1.2.3"),
            ("**", "a"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("", "a"), ("a", "a.example"), ("*.example", "example"), ("a*a", "a"), ("*a*b*", "ba"), ("a.*.b", "a.b")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_with_stars_for_its_parts(
            parts in prop::collection::vec("[a-z.\u{e4}]{0,4}", 1..5), gap in "[a-z.\u{e4}]{0,3}",
        ) {
            prop_assert!(matches(&parts.join("*"), &parts.join(&gap)));
            prop_assert!(matches(&parts.concat(), &parts.concat()));
        }
    }
}
