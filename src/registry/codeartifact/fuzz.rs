//! Properties that hold for any section of keyring's configuration file and any answer of CodeArtifact. The targets in `fuzz/`
//! search for counterexamples; the tests here run the seeds.

use super::{CodeArtifact, USERNAME, domain::Domain, duration, section, section::Section};
use crate::{
    auth::access_token::AccessToken,
    error::Kind,
    ini::Ini,
    registry::CredentialSource,
    service::Service,
    system::{
        fake::FakeSystem,
        fuzz::{check_error, leaks, responses},
    },
};

/// A repository of CodeArtifact.
const SERVICE: &str = "https://contoso-012345678901.d.codeartifact.eu-west-1.amazonaws.com/pypi/plugins/simple/";

/// Long enough that no other text contains a part of it by chance.
const SECRET: &str = "Zq7+madeup/secret+access/keyZq9";
const SESSION: &str = "Lq7invented.word/ofSessionLq9";

/// A marker inside a secret, which occurs nowhere else.
const MARK: &str = "Mq7madeupMq9";

/// The keys whose values are secrets.
const SECRETS: [&str; 2] = ["aws_secret_access_key", "aws_session_token"];

/// A claimed service has a domain of letters, digits and hyphens, and one of the known hosts.
pub(crate) fn check_service(service: &Service, text: &str) {
    let Some(domain) = Domain::of(service) else { return };
    let host = service.host().unwrap_or_default();
    assert!(host.contains(".codeartifact.") && service.is_https_on_default_port(), "{text}");
    let is_label = |label: &str| label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    assert!(is_label(&domain.name) && is_label(&domain.owner) && domain.owner.len() == 12, "{text}");
    assert!(text.contains(&format!("{}-{}", domain.name, domain.owner)), "{text}");
}

/// keyring's configuration file: what is read stands in it, one duration is asked for, and no output contains a secret.
///
/// # Panics
///
/// If that does not hold.
pub fn codeartifact_sections(content: &[u8]) {
    let system = machine(content);
    let text = String::from_utf8_lossy(content);
    let hidden: &[&str] = if is_hidden(&text) { &[MARK] } else { &[] };
    let Some(domain) = Domain::of(&Service::parse(SERVICE)) else { panic!("{SERVICE} is claimed") };
    match Section::read(&system, &domain) {
        Ok(section) => {
            let keys = section.keys.as_ref();
            let ids = keys.map(|keys| keys.access_key_id.as_str());
            let secrets = keys.map(|keys| keys.secret_access_key.expose());
            let role = section.role.as_ref().map(|role| role.arn.as_str());
            for value in [section.profile.as_deref(), ids, secrets, role].into_iter().flatten() {
                assert!(text.contains(value) && value.trim() == value && !value.is_empty(), "{value:?}");
                assert!(!value.contains('\n'), "{value:?}");
            }
            assert!(section.ca_bundle.as_ref().is_none_or(|bundle| bundle.path.is_absolute()));
            assert!(hidden.iter().all(|secret| !leaks(&format!("{section:?}"), secret)), "{section:?}");
            assert!(matches!(duration::read(&system, &section), 0 | 900..=43200));
            let again = Section::read(&system, &domain);
            assert!(again.is_ok_and(|again| again.fingerprint() == section.fingerprint() && again == section));
        }
        Err(error) => {
            assert_eq!(error.kind(), Kind::Configuration);
            check_error(&error, hidden);
        }
    }
}

/// Whether only values of secrets contain a part of the marker.
fn is_hidden(text: &str) -> bool {
    let ini = Ini::parse(text);
    let outside = ini.entries().filter(|(_, key, _)| !SECRETS.contains(key));
    let lines = outside.map(|(section, key, value)| format!("[{section}] {key} = {value}"));
    lines.chain(ini.sections().map(str::to_owned)).all(|line| !leaks(&line, MARK))
}

/// The answer to a request for a token: only CodeArtifact is asked, and the outcome is a token of one word or an error without
/// the access key.
///
/// # Panics
///
/// If that does not hold.
pub fn codeartifact_answer(said: &[u8]) {
    let section = format!(
        "[codeartifact]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {SECRET}\naws_session_token = {SESSION}\n"
    );
    let system = machine(section.as_bytes()).answers(responses(said));
    let outcome = CodeArtifact::default().get(&system, &Service::parse(SERVICE));
    for request in system.requests() {
        assert_eq!(request.display_url(), "https://codeartifact.eu-west-1.amazonaws.com/v1/authorization-token");
        assert!(request.headers.iter().all(|(_, value)| !leaks(value.expose(), SECRET)), "{request:?}");
        assert!(!leaks(request.url.as_str(), SECRET) && !leaks(request.url.as_str(), SESSION), "{request:?}");
    }
    match outcome {
        Ok(Some(found)) => assert!(AccessToken::parse(found.password.expose()).is_ok() && found.username == USERNAME),
        Ok(None) => panic!("CodeArtifact is set up, and there is no answer"),
        Err(error) => check_error(&error, &[SECRET, SESSION]),
    }
}

fn machine(sections: &[u8]) -> FakeSystem {
    let system = FakeSystem::default().home("/home/user");
    if let Some(path) = section::path(&system) {
        system.write(&path.to_string_lossy(), sections);
    }
    system
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::fuzz::seeds;

    #[test]
    fn the_seeds_hold_and_some_of_them_have_secrets() {
        for seed in seeds("codeartifact_sections") {
            codeartifact_sections(&seed);
        }
        for seed in seeds("codeartifact_answer") {
            codeartifact_answer(&seed);
        }
        let hidden = seeds("codeartifact_sections").into_iter().filter(|seed| {
            let text = String::from_utf8_lossy(seed);
            text.contains(MARK) && is_hidden(&text)
        });
        assert!(hidden.count() > 0);
    }

    proptest! {
        #[test]
        fn a_secret_in_a_section_is_shown_nowhere(
            heading in "\\[codeartifact( (domain|account|region|name)=[\"']?(contoso|plugins|eu-west-1)?[\"']?){0,2}\\]",
            before in "( {0,2}(profile_name|aws_access_key_id|role_arn|verify) *[=:] *[a-z#;~/]{0,4}\n){0,3}",
            key in " {0,2}aws_(secret_access_key|session_token)",
            after in "[ \n]?[\\PC\n]{0,30}",
        ) {
            codeartifact_sections(format!("{heading}\n{before}{key}={MARK}{after}").as_bytes());
        }
    }
}
