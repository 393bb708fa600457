//! The OAuth 2.0 token endpoint (RFC 6749, sections 3.2 and 5).

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::{
    auth::{access_token::AccessToken, refusal::Refusal, timestamp},
    error::{Error, Kind, Result},
    secret::Secret,
    system::{
        System,
        http::{Request, Response},
        retry,
    },
};

/// The fields of a token request that hold secrets (RFC 6749, sections 2.3.1, 4.1.3 and 6; RFC 7523, sections 2.1 and 2.2;
/// RFC 7636, section 4.5; RFC 8628, section 3.4).
const SECRET_FIELDS: [&str; 8] =
    ["assertion", "client_secret", "client_assertion", "code", "code_verifier", "device_code", "rapt", "refresh_token"];

/// The values of a form that errors hide.
pub(crate) fn secrets<'fields>(fields: &[(&str, &'fields str)]) -> Vec<&'fields str> {
    fields.iter().filter(|(name, _)| SECRET_FIELDS.contains(name)).map(|(_, value)| *value).collect()
}

/// Asks a token endpoint for a token. `fields` may hold secrets; they travel in the body.
///
/// A transient failure is retried, up to `attempts` requests. A refusal quotes the endpoint's `error_description`; `explain`
/// adds to the error what the answer means to this endpoint.
pub(crate) fn request_token(
    system: &dyn System,
    endpoint: &Url,
    fields: &[(&str, &str)],
    attempts: u32,
    explain: impl FnOnce(&Response, Error) -> Error,
) -> Result<AccessToken> {
    request_answer(system, endpoint, fields, attempts, explain).map(|(token, _)| token)
}

/// As [`request_token`], with the whole answer, which may hold more than the token.
pub(crate) fn request_answer(
    system: &dyn System,
    endpoint: &Url,
    fields: &[(&str, &str)],
    attempts: u32,
    explain: impl FnOnce(&Response, Error) -> Error,
) -> Result<(AccessToken, Response)> {
    let request =
        Request::post_form(endpoint.clone(), fields).header("Accept", "application/json").with_attempts(attempts);
    let response = retry::send(system, &request)?;
    match read_token(system, &response, &secrets(fields)) {
        Ok(token) => Ok((token, response)),
        Err(error) => Err(explain(&response, error)),
    }
}

/// Reads the answer of a token endpoint, or of a metadata service that answers in the same form. `secrets` were part
/// of the request and are hidden in errors.
pub(crate) fn read_token(system: &dyn System, response: &Response, secrets: &[&str]) -> Result<AccessToken> {
    if !response.is_success() {
        let what = format!("{} answered with HTTP {}", response.host, response.status);
        return Err(Refusal::read(response, secrets).into_error(what, None));
    }
    let answer: Answer = response.json()?;
    let token = AccessToken::parse(answer.access_token.expose())
        .map_err(|malformed| Error::new(Kind::Protocol, format!("{} answered with {malformed}", response.host)))?;
    let expires = answer.expires_on.and_then(|seconds| seconds.number()).and_then(timestamp::unix).or_else(|| {
        let seconds = answer.expires_in.and_then(|seconds| seconds.number())?;
        system.now().checked_add(Duration::from_secs(seconds))
    });
    Ok(token.with_expiry(expires))
}

#[derive(Deserialize)]
struct Answer {
    access_token: Secret,
    expires_in: Option<Seconds>,
    /// Seconds since 1970. Not in the RFC; metadata services send it.
    expires_on: Option<Seconds>,
}

/// A number, which some services send as a string.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Seconds {
    /// A number.
    Number(u64),
    /// A number in a string, or another text.
    Text(String),
    /// Neither.
    Other(serde::de::IgnoredAny),
}

impl Seconds {
    /// The number, if it is one.
    pub(crate) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(seconds) => Some(*seconds),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Other(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::{Clock, Http, fake::FakeSystem, http::Method};

    const ENDPOINT: &str = "https://login.example/t/token";

    fn ask(fake: &FakeSystem) -> Result<AccessToken> {
        request_token(fake, &Url::parse(ENDPOINT).unwrap(), &[("client_secret", "a&b")], 3, |_, error| error)
    }

    #[test]
    fn a_token_comes_with_its_end() {
        let fake =
            FakeSystem::default().answer(Method::Post, ENDPOINT, 200, r#"{"access_token":"t","expires_in":"60"}"#);
        let token = ask(&fake).unwrap();
        assert_eq!(token.secret().expose(), "t");
        assert_eq!(token.expires(), Some(fake.now() + Duration::from_secs(60)));
        assert_eq!(&fake.requests()[0].body[..], b"client_secret=a%26b");
    }

    #[test]
    fn a_refusal_quotes_the_description_and_not_the_body() {
        let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid.\r\nTrace ID: 1","extra":"x-secret"}"#;
        let error = ask(&FakeSystem::default().answer(Method::Post, ENDPOINT, 401, body)).unwrap_err();
        assert_eq!(error.kind(), Kind::Rejected);
        assert_eq!(error.message(), "the fake answered with HTTP 401: AADSTS7000215: Invalid.");
    }

    #[test]
    fn a_refusal_does_not_repeat_the_secret() {
        let body = r#"{"error":"invalid_client","error_description":"a&b is wrong"}"#;
        let error = ask(&FakeSystem::default().answer(Method::Post, ENDPOINT, 401, body)).unwrap_err();
        assert!(error.message().ends_with("(hidden) is wrong"), "{error}");
    }

    #[test]
    fn a_web_page_is_named_as_such_and_not_shown() {
        let error =
            ask(&FakeSystem::default().answer(Method::Post, ENDPOINT, 200, "<html>x-secret</html>")).unwrap_err();
        assert_eq!(error.kind(), Kind::Protocol);
        assert!(error.message().contains("a web page") && !error.to_string().contains("x-secret"), "{error}");
    }

    #[test]
    fn passing_failures_are_tried_again() {
        let fake = FakeSystem::default()
            .failure(Method::Post, ENDPOINT, true)
            .answer_with_headers(Method::Post, ENDPOINT, 429, &[("Retry-After", "7")], "")
            .answer(Method::Post, ENDPOINT, 200, r#"{"access_token":"t"}"#);
        assert!(ask(&fake).is_ok());
        assert_eq!(fake.pauses()[1], Duration::from_secs(7));
        fake.assert_done();
    }

    proptest! {
        #[test]
        fn reading_an_answer_never_fails_otherwise_than_by_an_error(
            status in 200_u16..600,
            body in prop_oneof![
                "\\PC{0,80}",
                "\\{\"access_token\":\"[a-z ]{0,9}\",\"expires_(in|on)\":(\"?[0-9]{1,25}\"?|-1|null|\\[\\])\\}",
                "\\{\"error\":\"[a-z]{0,9}\",\"error_description\":\"[^\"\\\\]{0,80}x-secret\"\\}",
            ],
        ) {
            let fake = FakeSystem::default().answer(Method::Get, ENDPOINT, status, &body);
            let response = fake.send(&Request::get(Url::parse(ENDPOINT).unwrap())).unwrap();
            if let Err(error) = read_token(&fake, &response, &["x-secret"]) {
                prop_assert!(!error.to_string().contains("x-secret"), "{}", error);
            }
        }
    }
}
