//! Settings of artifacts-credprovider, which artifacts-keyring runs. A newer name precedes an older one, and a blank value
//! counts as unset.
//! <https://github.com/microsoft/artifacts-credprovider#environment-variables>

use std::time::{Duration, SystemTime};

use log::debug;

use crate::{
    auth::{cache_mode::CACHE_VARIABLE, warning},
    system::System,
};

/// `true` answers with the Entra token itself.
const ENTRA_TOKENS: &str = "ARTIFACTS_CREDENTIALPROVIDER_RETURN_ENTRA_TOKENS";

/// The lifetime of session tokens in minutes. The program reads the first name, and its help shows the second.
const SESSION_MINUTES: [&str; 3] = [
    "ARTIFACTS_CREDENTIALPROVIDER_VSTS_SESSIONTIMEMINUTES",
    "ARTIFACTS_CREDENTIALPROVIDER_SESSIONTIMEMINUTES",
    "NUGET_CREDENTIALPROVIDER_VSTS_SESSIONTIMEMINUTES",
];

/// The type of session tokens.
const TOKEN_TYPE: [&str; 3] = [
    "ARTIFACTS_CREDENTIALPROVIDER_VSTS_TOKENTYPE",
    "ARTIFACTS_CREDENTIALPROVIDER_TOKENTYPE",
    "NUGET_CREDENTIALPROVIDER_VSTS_TOKENTYPE",
];

/// `false` caches no token.
const CACHE_ENABLED: [&str; 2] =
    ["ARTIFACTS_CREDENTIALPROVIDER_SESSIONTOKENCACHE_ENABLED", "NUGET_CREDENTIALPROVIDER_SESSIONTOKENCACHE_ENABLED"];

/// More hosts that artifacts-credprovider sends credentials to.
const HOSTS: [&str; 3] =
    ["ARTIFACTS_CREDENTIALPROVIDER_VSTS_HOSTS", "ARTIFACTS_CREDENTIALPROVIDER_HOSTS", "NUGET_CREDENTIALPROVIDER_HOSTS"];

/// Whether a person signs in with a browser.
const CAN_SHOW_DIALOG: [&str; 2] =
    ["ARTIFACTS_CREDENTIALPROVIDER_FORCE_CANSHOWDIALOG_TO", "NUGET_CREDENTIALPROVIDER_FORCE_CANSHOWDIALOG_TO"];

/// The limit of a sign-in in seconds.
const SIGN_IN_SECONDS: [&str; 2] =
    ["ARTIFACTS_CREDENTIALPROVIDER_DEVICEFLOWTIMEOUTSECONDS", "NUGET_CREDENTIALPROVIDER_VSTS_DEVICEFLOWTIMEOUTSECONDS"];

/// The account to sign in with.
const LOGIN_HINT: [&str; 2] =
    ["ARTIFACTS_CREDENTIALPROVIDER_MSAL_LOGIN_HINT", "NUGET_CREDENTIALPROVIDER_MSAL_LOGIN_HINT"];

/// Login host and tenant, as a URL.
const AUTHORITY: [&str; 2] = ["ARTIFACTS_CREDENTIALPROVIDER_MSAL_AUTHORITY", "NUGET_CREDENTIALPROVIDER_MSAL_AUTHORITY"];

/// `false` keeps no login.
const KEEPS_LOGINS: [&str; 2] =
    ["ARTIFACTS_CREDENTIALPROVIDER_MSAL_FILECACHE_ENABLED", "NUGET_CREDENTIALPROVIDER_MSAL_FILECACHE_ENABLED"];

/// `true` never asks a person.
pub(super) const NON_INTERACTIVE: &str = "ARTIFACTS_KEYRING_NONINTERACTIVE_MODE";

/// The longest lifetime that artifacts-credprovider requests for a session token.
const LONGEST_SESSION: Duration = Duration::from_secs(24 * 60 * 60);

/// The first of these variables that is set, and its value.
fn first_set(system: &dyn System, names: &[&'static str]) -> Option<(&'static str, String)> {
    names.iter().find_map(|name| Some((*name, system.setting(name)?)))
}

/// A switch: `true` or `false` in any case, as .NET reads them. Another value is ignored with a warning.
fn switch(system: &dyn System, names: &[&'static str]) -> Option<bool> {
    let (name, value) = first_set(system, names)?;
    match value.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => {
            warning::once(&format!("{name} is neither true nor false, and is ignored"));
            None
        }
    }
}

/// Whether the Entra token itself is the password, without an exchange.
#[must_use]
pub(super) fn returns_entra_tokens(system: &dyn System) -> bool {
    switch(system, &[ENTRA_TOKENS]) == Some(true)
}

/// Whether tokens may be cached. `RINGBEARER_CACHE` has precedence.
#[must_use]
pub(super) fn may_cache(system: &dyn System) -> bool {
    system.setting(CACHE_VARIABLE).is_some() || switch(system, &CACHE_ENABLED) != Some(false)
}

/// When a session token is to expire: in at most 24 hours. `None` leaves it to the service. A value that is not a positive
/// number is ignored with a warning.
#[must_use]
pub(super) fn session_end(system: &dyn System) -> Option<SystemTime> {
    let (name, value) = first_set(system, &SESSION_MINUTES)?;
    let Some(minutes) = value.parse::<u64>().ok().filter(|minutes| *minutes > 0) else {
        warning::once(&format!("{name} is not a number of minutes, and is ignored"));
        return None;
    };
    let life = Duration::from_secs(minutes.saturating_mul(60)).min(LONGEST_SESSION);
    system.now().checked_add(life)
}

/// Whether a person is to sign in with a browser, rather than with a device code; `None` leaves it open.
#[must_use]
pub(super) fn can_show_dialog(system: &dyn System) -> Option<bool> {
    switch(system, &CAN_SHOW_DIALOG)
}

/// The limit of a sign-in. A value that is not a positive number is ignored with a warning.
#[must_use]
pub(super) fn sign_in_limit(system: &dyn System) -> Option<Duration> {
    let (name, value) = first_set(system, &SIGN_IN_SECONDS)?;
    let seconds = value.parse().ok().filter(|seconds| *seconds > 0);
    if seconds.is_none() {
        warning::once(&format!("{name} is not a number of seconds, and is ignored"));
    }
    seconds.map(Duration::from_secs)
}

/// The account to sign in with, and to answer with.
#[must_use]
pub(super) fn login_hint(system: &dyn System) -> Option<String> {
    first_set(system, &LOGIN_HINT).map(|(_, value)| value)
}

/// The variable that names a login host and a tenant, and its value.
#[must_use]
pub(super) fn login_authority(system: &dyn System) -> Option<(&'static str, String)> {
    first_set(system, &AUTHORITY)
}

/// Whether logins may be kept.
#[must_use]
pub(super) fn may_keep_logins(system: &dyn System) -> bool {
    switch(system, &KEEPS_LOGINS) != Some(false)
}

/// Whether a lookup must not ask a person.
#[must_use]
pub(super) fn is_non_interactive(system: &dyn System) -> bool {
    switch(system, &[NON_INTERACTIVE]) == Some(true)
}

/// Logs that a compact token, which is a personal access token, is never requested. Not a warning: nothing fails, and
/// every process of a tool would repeat it.
pub(super) fn note_token_type(system: &dyn System) {
    if let Some((name, _)) = first_set(system, &TOKEN_TYPE).filter(|(_, value)| value.eq_ignore_ascii_case("Compact")) {
        debug!(step = "exchange", outcome = "noted"; "{name} is Compact, a personal access token: ignored");
    }
}

/// Warns that hosts named by a variable get no credentials: else anyone who can set one could collect tokens.
pub(super) fn warn_of_hosts(system: &dyn System) {
    if let Some((name, _)) = first_set(system, &HOSTS) {
        warning::once(&format!("{name} is ignored: tokens go to the hosts of Azure Artifacts only; unset it"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Clock, fake::FakeSystem};

    #[test]
    fn switches_are_true_or_false_in_any_case() {
        for (value, expected) in [
            ("true", true),
            ("TRUE", true),
            (" True ", true),
            ("false", false),
            ("1", false),
            ("yes", false),
            ("", false),
        ] {
            let fake = FakeSystem::default().variable(ENTRA_TOKENS, value);
            assert_eq!(returns_entra_tokens(&fake), expected, "{value}");
        }
    }

    #[test]
    fn the_newer_name_and_the_own_variable_decide_on_the_cache() {
        let [newer, older] = CACHE_ENABLED;
        for (variables, expected) in [
            (&[][..], true),
            (&[(newer, "False")], false),
            (&[(older, "false")], false),
            (&[(newer, " "), (older, "false")], false),
            (&[(newer, "true"), (older, "false")], true),
            (&[(newer, "0")], true),
            (&[(newer, "false"), (CACHE_VARIABLE, "session")], true),
        ] {
            let fake = variables.iter().fold(FakeSystem::default(), |fake, (name, value)| fake.variable(name, value));
            assert_eq!(may_cache(&fake), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_session_lasts_for_some_minutes_and_at_most_a_day() {
        let [read, in_help, older] = SESSION_MINUTES;
        for (variables, expected) in [
            (&[][..], None),
            (&[(read, "90")], Some(90 * 60)),
            (&[(in_help, "90")], Some(90 * 60)),
            (&[(older, " 90 ")], Some(90 * 60)),
            (&[(read, "60"), (in_help, "70"), (older, "80")], Some(60 * 60)),
            (&[(read, "129600")], Some(24 * 60 * 60)),
            (&[(read, "18446744073709551615")], Some(24 * 60 * 60)),
            (&[(read, "0")], None),
            (&[(read, "-5")], None),
            (&[(read, "4h")], None),
            (&[(read, "18446744073709551616")], None),
        ] {
            let fake = variables.iter().fold(FakeSystem::default(), |fake, (name, value)| fake.variable(name, value));
            let life = session_end(&fake).map(|end| end.duration_since(fake.now()).unwrap().as_secs());
            assert_eq!(life, expected, "{variables:?}");
        }
    }
}
