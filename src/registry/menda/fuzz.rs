//! Properties that hold for any files of the Menda CLI and any answer of Menda's API. The targets in `fuzz/` search
//! for counterexamples; the tests here run the seeds.

use super::{
    MendaCodeArtifact, USERNAME,
    cached_login::CachedLogin,
    profile::{Profile, Way},
};
use crate::{
    auth::access_token::AccessToken,
    error::ExceptionClass,
    ini::Ini,
    registry::CredentialSource,
    service::Service,
    system::{
        Clock,
        fake::FakeSystem,
        fuzz::{check_error, leaks, responses},
        http::{Request, is_loopback},
    },
};

/// A registry of Menda.
const SERVICE: &str = "https://menda-012345678901.d.codeartifact.eu-west-1.amazonaws.com/pypi/a/simple/";

/// The Menda CLI's configuration and tokens.
const PROFILES: &str = "/home/user/.menda/mendacfg";
const TOKENS: &str = "/home/user/.menda/tokens/cache/.token";

/// Long enough that no other text contains a part of it by chance.
const CLIENT_SECRET: &str = "Zq7~made+up & 100%/of Zq9";
const LOGIN: &str = "Lq7madeup.login_of-the_cliLq9";

/// A marker inside a password, which occurs nowhere else.
const MARK: &str = "Mq7madeupMq9";

/// Only domains of CodeArtifact are claimed.
pub(crate) fn check_service(service: &Service, text: &str) {
    let is_claimed = MendaCodeArtifact::default().claims(&FakeSystem::default(), service);
    assert!(!is_claimed || service.host().is_some_and(|host| host.contains(".d.codeartifact.")), "{text}");
}

/// The files of the Menda CLI: the host is safe for secrets, the token is one word, and no output contains the
/// password.
///
/// # Panics
///
/// If that does not hold.
pub fn files(content: &[u8]) {
    let home = FakeSystem::default().home("/home/user");
    home.write(PROFILES, content);
    home.write(TOKENS, content);
    let text = String::from_utf8_lossy(content);
    let hidden = if is_hidden(&text) { MARK } else { CLIENT_SECRET };
    match Profile::read(&home) {
        Ok(Some(profile)) => {
            let host = &profile.host;
            assert!(host.scheme() == "https" || host.scheme() == "http" && is_loopback(host), "{host}");
            assert!(host.username().is_empty() && host.password().is_none() && host.host().is_some(), "{host}");
            assert!(host.query().is_none() && host.fragment().is_none() && host.path().ends_with('/'), "{host}");
            let shown = format!("{profile:?} {}", profile.shown());
            assert!(!shown.contains(hidden) && !profile.shown().contains(char::is_control), "{shown}");
            if let Way::Machine { client_id, client_secret, .. } = &profile.way {
                assert!(!client_id.is_empty() && !client_secret.expose().is_empty());
            }
        }
        Ok(None) => {}
        Err(error) => check_error(&error, &[hidden]),
    }
    match CachedLogin::read(&home).access_token(home.now(), "default") {
        Ok(Some(token)) => assert!(text.contains(token.secret().expose())),
        Ok(None) => {}
        Err(error) => check_error(&error, &[hidden]),
    }
}

/// Whether only passwords contain the marker, and no other value refers to one.
fn is_hidden(text: &str) -> bool {
    let ini = Ini::parse(text);
    let outside = ini.entries().filter(|(_, key, _)| *key != "client_secret");
    let told = outside
        .map(|(section, key, value)| format!("[{section}] {key} = {value}"))
        .chain(ini.sections().map(str::to_owned));
    told.into_iter().all(|line| !line.contains(MARK)) && !text.contains("%(")
}

/// A client's sign-in, by its secret or a cached login: both are sent to the configured host only, and the outcome is
/// a token of one word or an error without them.
///
/// # Panics
///
/// If that does not hold.
pub fn api(said: &[u8]) {
    let fake = |host: &str| {
        FakeSystem::default()
            .home("/home/user")
            .variable("MENDA_CLIENT_ID", "robot")
            .variable("MENDA_CLIENT_SECRET", CLIENT_SECRET)
            .variable("MENDA_HOST", host)
            .answers(responses(said))
    };
    check_api(&fake("https://menda.example/base"), said);
    check_api(&fake("https://menda.example").file(TOKENS, &format!("[robot]\nid_token = {LOGIN}\n")), said);
}

fn check_api(fake: &FakeSystem, said: &[u8]) {
    let outcome = MendaCodeArtifact::default().get(fake, &Service::parse(SERVICE));
    for request in fake.requests() {
        assert!(request.display_url().starts_with("https://menda.example/"), "{request:?}");
        let is_sign_in = request.url.path().ends_with("/api/v1/auth/oauth2/token");
        assert!(is_sign_in || request.url.path().ends_with("/api/v1/auth/registry/token"), "{request:?}");
        // The sign-in sends the secret, not the login; the exchange sends the result of the sign-in.
        let other = if is_sign_in { LOGIN } else { CLIENT_SECRET };
        assert!(!holds(&request, other) || leaks(&String::from_utf8_lossy(said), other), "{request:?}");
        assert!(!leaks(&format!("{request:?} {}", request.display_url()), CLIENT_SECRET));
    }
    match outcome {
        Ok(Some(found)) => assert!(AccessToken::parse(found.password.expose()).is_ok() && found.username == USERNAME),
        Ok(None) => panic!("Menda is set up, and there is no answer"),
        Err(error) => {
            // A service that was not sent a secret has it from elsewhere.
            let has_login = fake.requests().last().is_some_and(|request| holds(request, LOGIN));
            check_error(&error, if has_login { &[CLIENT_SECRET, LOGIN] } else { &[CLIENT_SECRET] });
            assert!(
                matches!(
                    error.class(),
                    Some(
                        ExceptionClass::MendaCloudApi
                            | ExceptionClass::MendaKeyRing
                            | ExceptionClass::MendaNetwork
                            | ExceptionClass::MendaTimeout
                    )
                ),
                "{error}"
            );
        }
    }
}

/// Whether a request contains a secret.
fn holds(request: &Request, secret: &str) -> bool {
    let headers = request.headers.iter().map(|(_, value)| value.expose());
    headers.chain([request.url.as_str()]).any(|text| leaks(text, secret))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::fuzz::seeds;

    #[test]
    fn the_seeds_hold_and_some_of_them_are_profiles_and_tokens() {
        for seed in seeds("menda_files") {
            files(&seed);
        }
        for seed in seeds("menda_api") {
            api(&seed);
        }
        let hidden = seeds("menda_files").into_iter().filter(|seed| {
            let text = String::from_utf8_lossy(seed);
            text.contains(MARK) && is_hidden(&text)
        });
        assert!(hidden.count() > 0);
    }

    proptest! {
        #[test]
        fn a_password_in_the_file_is_shown_nowhere(
            before in "(\\[default\\]\n|\\[DEFAULT\\]\n)?(host *[=:] *https?://[a-z0-9.:@/ ]{0,12}\n?)?( ?[a-z=:\\[\\]%;#]{0,9}\n)?",
            kind in "(auth_type=[mu]2m\n)?(client_id=[a-z]{1,5}\n)?",
            after in "[ \n]?[\\PC\n]{0,30}",
        ) {
            files(format!("{before}{kind}client_secret={MARK}{after}").as_bytes());
        }
    }
}
