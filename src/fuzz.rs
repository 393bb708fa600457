//! Properties of services, tokens, configuration files and quotations. The targets in `fuzz/` search for counterexamples;
//! the tests here run the seeds.

use std::time::SystemTime;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::{
    auth::{
        access_token::AccessToken,
        jwt::{Claims, token_of},
    },
    error::{quote, single_line},
    ini::Ini,
    keyring::{Candidate, Keyring},
    secret::Secret,
    service::{MAX_SERVICE, Service, host_is_within},
    system::{
        fake::FakeSystem,
        fuzz::{leaks, split_at_marker},
    },
};

pub use crate::{
    aws::fuzz::*,
    cli::fuzz::{arguments, launcher},
    registry::fuzz::*,
    store::fuzz::{agent_answer, exported, store_file},
    system::os::loopback::fuzz::browser_request,
};

/// A marker for user information, queries and fragments.
const MARK: &str = "Mq7madeupMq9";

/// A service: user information, query and fragment change nothing and appear nowhere; a claimed service is https on the
/// default port of a host at or below a domain of its registry.
///
/// # Panics
///
/// If that does not hold.
pub fn service(raw: &[u8]) {
    let raw = String::from_utf8_lossy(raw);
    let raw = raw.trim();
    let service = Service::parse(raw);
    let shown = format!("{service:?}");
    assert!(shown == single_line(&shown), "{shown:?}");
    check_decoration(raw, &service);
    let (keyring, environment) = (Keyring::default(), FakeSystem::default());
    let claims = |service: &Service| keyring.candidates(&environment, service).count();
    let (Some(url), Some(host)) = (service.url(), service.host()) else {
        assert!(claims(&service) == 0 && service.url().is_none() && service.host().is_none());
        return;
    };
    let text = url.as_str();
    assert!(text.len() > MAX_SERVICE || Service::parse(text) == service, "{text}");
    assert!(url.username().is_empty() && url.password().is_none() && !text.contains(['?', '#', ' ', '\\']), "{text}");
    assert!(!host.is_empty() && !host.ends_with('.') && !host.contains(char::is_uppercase), "{host}");
    for Candidate { registry, .. } in keyring.candidates(&environment, &service) {
        let is_within = |domain: &&str| host_is_within(host, domain);
        assert!(registry.domains.iter().any(is_within), "{} claims {text}", registry.id);
    }
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    for other in [
        format!("http://{rest}"),
        format!("https://{host}:8443/{path}"),
        format!("https://{host}.example/{path}"),
        format!("https://{host}@other.example/{path}"),
        format!("https://other.example/{rest}"),
    ] {
        assert_eq!(claims(&Service::parse(&other)), 0, "{other}");
    }
    check_service(&service, text);
}

/// The same service with user information, a query or a fragment.
fn check_decoration(raw: &str, service: &Service) {
    let begin = raw.split_once("://").map_or(0, |(scheme, _)| scheme.len() + 3);
    let (scheme, rest) = raw.split_at(begin);
    for decorated in [format!("{scheme}{MARK}:{MARK}@{rest}"), format!("{raw}?{MARK}"), format!("{raw}#{MARK}@{MARK}")]
    {
        if decorated.len() <= MAX_SERVICE {
            let again = Service::parse(&decorated);
            assert_eq!(&again, service, "{decorated}");
            assert!(raw.contains(MARK) || !format!("{again:?}").contains(MARK));
        }
    }
}

/// A JSON Web Token, or the claims of one (which begin with a brace): it is read as a whole or not at all.
///
/// # Panics
///
/// If that does not hold.
pub fn web_token(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let token = match serde_json::from_str::<Value>(&text) {
        Ok(claims) if text.starts_with('{') => {
            let token = token_of(&claims);
            assert!(Claims::read(&Secret::new(token.clone())).is_some());
            token
        }
        _ => text.into_owned(),
    };
    let Some(claims) = Claims::read(&Secret::new(token.clone())) else { return };
    assert!((token.len() > 60_000 || AccessToken::parse(&token).is_ok()) && token.matches('.').count() == 2);
    for other in
        [format!("\"{token}"), format!("{token}\""), format!(" {token}"), format!("{token}\n"), format!("{token}.x")]
    {
        assert!(Claims::read(&Secret::new(other)).is_none());
    }
    let payload = token.split('.').nth(1).unwrap_or_default().trim_end_matches('=');
    let decoded = URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
    let Ok(Value::Object(members)) = serde_json::from_slice(&decoded) else { panic!("the claims are no object") };
    for (name, value) in &members {
        assert!(claims.has(name) && claims.text(name) == value.as_str().filter(|text| !text.is_empty()));
    }
    let seconds = claims.expires().map(|end| end.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs());
    let said = members.get("exp").and_then(Value::as_f64);
    #[expect(clippy::cast_precision_loss, reason = "the comparison has a tolerance")]
    let is_near = |seconds: u64| said.is_some_and(|said| (said - seconds as f64).abs() <= said.abs() / 1e12 + 1.0);
    assert!(seconds.is_none_or(is_near), "{seconds:?} {said:?}");
    check_claims(&claims);
    assert_eq!(claims.audiences().is_some(), members.get("aud").is_some_and(|aud| aud.is_string() || aud.is_array()));
}

/// A configuration file: writing out what was read and reading it again yields the same.
///
/// # Panics
///
/// If that does not hold.
pub fn ini(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let first = Ini::parse(&text);
    let mut written: String = first.sections().flat_map(|section| ["[", section, "]\n"]).collect();
    for (section, key, value) in first.entries() {
        assert!(first.has_section(section) && key.to_lowercase() == key);
        let value = value.replace('\n', "\n  ");
        written.extend(["[", section, "]\n", key, " = ", &value, "\n"]);
    }
    let second = Ini::parse(&written);
    assert!(first.entries().eq(second.entries()), "{text:?} is written as {written:?}");
    assert!(
        first.sections().all(|section| second.has_section(section))
            && second.sections().all(|section| first.has_section(section))
    );
    for (section, key, _) in first.entries() {
        let value = first.value(section, key);
        let last = first.entries().filter(|entry| entry.0 == section && entry.1.eq_ignore_ascii_case(key)).last();
        assert_eq!(value, last.map(|(_, _, value)| value.trim()).filter(|value| !value.is_empty()));
    }
}

/// The message of a service that was sent a secret (the first line): the quotation is one line without the secret and
/// without any revealing part of it.
///
/// # Panics
///
/// If that does not hold.
pub fn quotation(text: &[u8]) {
    let (secret, words) = split_at_marker(text, b"\n");
    let (secret, words) = (String::from_utf8_lossy(secret), String::from_utf8_lossy(words.unwrap_or_default()));
    let quoted = quote(&words, &[&secret]);
    assert!(quoted == single_line(&quoted) && quoted.chars().count() <= 301, "{quoted:?}");
    // Short secrets occur in any text, and the placeholder is not a secret.
    let is_told = secret.len() >= 8 && leaks(&quoted.replace("(hidden)", "\n"), &secret);
    assert!(!is_told, "{secret:?} in {quoted:?}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        registry::{ALL, Registry},
        system::fuzz::seeds,
    };

    #[test]
    fn the_seeds_hold() {
        for (name, target) in
            [("service", service as fn(&[u8])), ("web_token", web_token), ("ini", ini), ("quotation", quotation)]
        {
            for seed in seeds(name) {
                target(&seed);
            }
        }
    }

    /// URLs at, below and beside the hosts of every registry.
    fn near_known_hosts() -> impl Strategy<Value = String> {
        let example = |registry: &Registry| {
            let url = registry.example.replace("ACCOUNT", "012345678901").replace("REGION", "eu-west-1");
            Service::parse(&url)
        };
        let examples = ALL.iter().filter_map(|registry| example(registry).host().map(str::to_owned));
        let domains = ALL.iter().flat_map(|registry| registry.domains).map(|&domain| domain.to_owned());
        let hosts: Vec<_> = examples.chain(domains).map(|host| host.replace('.', r"\.")).collect();
        let user = "([a-z]{0,3}(:[a-z%]{0,3})?@)?";
        let rest = r"(\.[a-z]{0,3})?(:[0-9]{0,4})?([/\\?#][a-z%/._-]{0,12})?";
        let pattern = format!(r"(https?:/?/?)?{user}[a-z0-9.%-]{{0,6}}\.?({}){rest}", hosts.join("|"));
        proptest::string::string_regex(&pattern).unwrap()
    }

    proptest! {
        #[test]
        fn only_hosts_below_known_domains_are_claimed(raw in near_known_hosts()) {
            service(raw.as_bytes());
        }

        #[test]
        fn any_claims_are_read_as_they_stand(name in "exp|aud|upn|idtyp|roles", value in "-?[0-9]{1,20}(\\.[0-9])?(e[0-9]{1,3})?|\"\\PC{0,9}\"|null|\\[[0-9]?\\]") {
            web_token(format!("{{\"{name}\":{value}}}").as_bytes());
        }

        #[test]
        fn a_rewritten_file_reads_the_same(text in "[\\[\\]=:;# \ta-zA-ZÅ\n\r\u{feff}\u{85}]{0,80}") {
            ini(text.as_bytes());
        }

        #[test]
        fn no_part_of_a_secret_is_quoted(secret in "[a-z%&+/ ]{8,20}", words in "[a-z%&+/ \n]{0,30}", from in 0_usize..9) {
            quotation(format!("{secret}\n{words}{}{words}", &secret[from.min(secret.len())..]).as_bytes());
        }
    }
}
