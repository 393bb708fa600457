//! The two requests to Menda's API.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{
    auth::{access_token::AccessToken, refusal::Refusal, timestamp},
    error::{Error, ExceptionClass, Kind, Result},
    secret::Secret,
    system::{
        System,
        http::{Request, Response},
        retry,
    },
};

/// Signs a client in. The secret is in the query, as the API requires, so the URL is never shown.
pub(super) fn access_token(
    system: &dyn System,
    host: &Url,
    client_id: &str,
    client_secret: &Secret,
) -> Result<AccessToken> {
    let what = "oauth2/token";
    let mut url = endpoint(host, what)?;
    url.query_pairs_mut()
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", client_id)
        .append_pair("client_secret", client_secret.expose());
    let request = Request::post_empty(url).header("Accept", "application/json");
    let response = retry::send(system, &request)?;
    if !response.is_success() {
        let hint = "check MENDA_HOST, MENDA_CLIENT_ID and MENDA_CLIENT_SECRET, or host, client_id and client_secret of the profile";
        return Err(refusal(&response, what, &[client_secret], hint));
    }
    let answer: AccessAnswer = response.json()?;
    answer
        .access_token
        .and_then(|token| AccessToken::parse(token.expose()).ok())
        .ok_or_else(|| without_token(&response, what))
}

#[derive(Deserialize)]
struct AccessAnswer {
    access_token: Option<Secret>,
}

/// Exchanges an access token for one of the registry. `known` holds secrets of earlier requests, which errors must not
/// repeat; `hint` says what to do after a refusal.
pub(super) fn registry_token(
    system: &dyn System,
    host: &Url,
    access: &AccessToken,
    known: &[&Secret],
    hint: &str,
) -> Result<AccessToken> {
    let what = "registry/token";
    let request = Request::post_empty(endpoint(host, what)?)
        .header("Accept", "application/json")
        .header("Content-Type", "application/json")
        .bearer_in_header("authorizationToken", access.secret());
    let response = retry::send(system, &request)?;
    if !response.is_success() {
        return Err(refusal(&response, what, &[&[access.secret()], known].concat(), hint));
    }
    let answer: RegistryAnswer = response.json()?;
    let token = answer.token.as_ref().and_then(|token| AccessToken::parse(token.expose()).ok());
    let token = token.ok_or_else(|| without_token(&response, what))?;
    // A token that has expired by this machine's clock is not cached, but served: the registry's clock decides.
    Ok(token.expiring(answer.expires(system)))
}

/// The answer. Only `token` is documented; an expiry is read in the usual forms, of which `expiration` is
/// CodeArtifact's.
/// <https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_GetAuthorizationToken.html>
#[derive(Deserialize)]
struct RegistryAnswer {
    token: Option<Secret>,
    expires_in: Option<Value>,
    expiration: Option<Value>,
    expires_at: Option<Value>,
    expiry: Option<Value>,
}

impl RegistryAnswer {
    fn expires(&self, system: &dyn System) -> Option<SystemTime> {
        let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        let seconds = |number: f64| Duration::try_from_secs_f64(number).ok();
        if let Some(life) = self.expires_in.as_ref().and_then(number).and_then(seconds) {
            return system.now().checked_add(life);
        }
        let end = self.expiration.as_ref().or(self.expires_at.as_ref()).or(self.expiry.as_ref())?;
        match number(end) {
            Some(end) => SystemTime::UNIX_EPOCH.checked_add(seconds(end)?),
            None => timestamp::rfc3339(end.as_str()?),
        }
    }
}

fn endpoint(host: &Url, what: &str) -> Result<Url> {
    host.join(&format!("api/v1/auth/{what}"))
        .map_err(|_| Error::new(Kind::Internal, "the host of Menda cannot be joined with a path"))
}

fn without_token(response: &Response, what: &str) -> Error {
    Error::new(Kind::Protocol, format!("{what} of {} answered without a token", response.host))
        .with_hint("is MENDA_HOST, or the host of the profile, the address of Menda's API?")
}

fn refusal(response: &Response, what: &str, sent: &[&Secret], hint: &str) -> Error {
    let sent: Vec<_> = sent.iter().map(|secret| secret.expose()).collect();
    let what = format!("{what} of {} returned HTTP {}", response.host, response.status);
    Refusal::read(response, &sent)
        .into_error(what, Some(hint.into()))
        .with_class(ExceptionClass::MendaCloudApi)
        .with_status(response.status)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        auth::jwt::token_of,
        system::{Clock, fake::FakeSystem, http::Method},
    };

    const OAUTH: &str = "https://a.example/base/api/v1/auth/oauth2/token";
    const REGISTRY: &str = "https://a.example/base/api/v1/auth/registry/token";

    fn host() -> Url {
        Url::parse("https://a.example/base/").unwrap()
    }

    fn sign_in(fake: &FakeSystem) -> Result<AccessToken> {
        access_token(fake, &host(), "robot", &Secret::new("x-se&cret %".into()))
    }

    fn exchange(fake: &FakeSystem) -> Result<AccessToken> {
        registry_token(
            fake,
            &host(),
            &AccessToken::parse("access-secret").unwrap(),
            &[&Secret::new("client-secret".into())],
            "hint",
        )
    }

    #[test]
    fn credentials_are_escaped_in_the_query_and_hidden() {
        let fake = FakeSystem::default().answer(Method::Post, OAUTH, 200, r#"{"access_token":"t"}"#);
        assert_eq!(sign_in(&fake).unwrap().secret().expose(), "t");
        let request = &fake.requests()[0];
        let query = "grant_type=client_credentials&client_id=robot&client_secret=x-se%26cret+%25";
        assert_eq!((request.url.query(), request.body.len()), (Some(query), 0));
        assert!(!format!("{request:?} {}", request.display_url()).contains("x-se"));
    }

    #[test]
    fn the_exchange_has_a_header_of_its_own() {
        let fake = FakeSystem::default().answer(Method::Post, REGISTRY, 200, r#"{"token":"r"}"#);
        assert_eq!(exchange(&fake).unwrap(), AccessToken::parse("r").unwrap());
        let headers = &fake.requests()[0].headers;
        let value = |wanted: &str| headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.expose());
        assert_eq!(value("authorizationToken"), Some("Bearer access-secret"));
        assert_eq!(value("Content-Type"), Some("application/json"));
    }

    #[test]
    fn the_expiry_is_read_in_every_form() {
        for given in [
            r#""expires_in":3600"#,
            r#""expires_in":"3600""#,
            r#""expiration":1795309200.0"#,
            r#""expires_at":"2026-11-22T01:00:00Z""#,
            r#""expiry":"1795309200""#,
            r#""expiration":1795309200,"expires_at":"2026-11-22T01:00:00Z""#,
        ] {
            let fake =
                FakeSystem::default().answer(Method::Post, REGISTRY, 200, &format!(r#"{{"token":"r",{given}}}"#));
            let life = exchange(&fake).unwrap().expires().unwrap().duration_since(fake.now()).unwrap();
            assert_eq!(life.as_secs(), 3600, "{given}");
        }
    }

    #[test]
    fn the_earlier_of_two_expiries_counts() {
        let end = |end: u64, life: u64| {
            let token = token_of(&json!({"exp": 1_795_305_600 + end}));
            let body = json!({"token": token, "expires_in": life}).to_string();
            exchange(&FakeSystem::default().answer(Method::Post, REGISTRY, 200, &body)).unwrap().expires()
        };
        assert_eq!(end(60, 3600), end(3600, 60));
        assert_eq!(end(60, 3600), Some(FakeSystem::default().now() + Duration::from_secs(60)));
    }

    #[test]
    fn both_requests_have_thirty_seconds() {
        let fake = FakeSystem::default().answer(Method::Post, OAUTH, 200, r#"{"access_token":"t"}"#).answer(
            Method::Post,
            REGISTRY,
            200,
            r#"{"token":"r"}"#,
        );
        sign_in(&fake).unwrap();
        exchange(&fake).unwrap();
        assert!(fake.requests().iter().all(|request| request.limit == Duration::from_secs(30)));
    }

    #[test]
    fn a_refusal_has_name_status_and_message_without_secrets() {
        let body = r#"{"detail":"bad secret x-se%26cret%20%25","trace":"x-trace"}"#;
        let error = sign_in(&FakeSystem::default().answer(Method::Post, OAUTH, 401, body)).unwrap_err();
        assert_eq!((error.class(), error.status()), (Some(ExceptionClass::MendaCloudApi), Some(401)));
        assert_eq!(error.message(), "oauth2/token of the fake returned HTTP 401: (hidden)");
        let body = r#"{"message":"client-secret, access-secret"}"#;
        let error = exchange(&FakeSystem::default().answer(Method::Post, REGISTRY, 403, body)).unwrap_err();
        assert!(error.message().ends_with("HTTP 403: (hidden), (hidden)"), "{error}");
        let error = exchange(&FakeSystem::default().answer(Method::Post, REGISTRY, 404, "<html>x-page")).unwrap_err();
        assert_eq!(error.message(), "registry/token of the fake returned HTTP 404");
    }

    #[test]
    fn an_answer_without_a_usable_token_is_none() {
        for body in [
            "{}",
            r#"{"token":null}"#,
            r#"{"token":" "}"#,
            r#"{"token":"a b"}"#,
            r#"{"token":"t\u00f6k"}"#,
            r#"{"token":7}"#,
            "[]",
            "x-secret",
        ] {
            let error = exchange(&FakeSystem::default().answer(Method::Post, REGISTRY, 200, body)).unwrap_err();
            assert_eq!(error.kind(), Kind::Protocol, "{body}");
            assert!(!error.to_string().contains("x-secret"));
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_a_token_or_an_error_without_the_secret(
            status in prop_oneof![Just(200_u16), 201_u16..600],
            body in prop_oneof![
                "\\PC{0,80}",
                "\\{\"token\":(\"[a-z. ]{0,9}\"|null),\"expires_in\":(-?[0-9]{1,25}(\\.[0-9]e9)?|\"[0-9a-z.-]{0,9}\"|null|\\[\\])\\}",
                "\\{\"token\":\"a\",\"expiration\":(-?[0-9]{1,25}e?[0-9]{0,2}|\"[0-9TZ:. -]{0,30}\"|null|\\{\\})\\}",
                "\\{\"message\":\"[^\"\\\\]{0,80}access-secret\"\\}",
            ],
        ) {
            if matches!(status, 429 | 500 | 502..=504) {
                return Ok(());
            }
            if let Err(error) = exchange(&FakeSystem::default().answer(Method::Post, REGISTRY, status, &body)) {
                prop_assert!(!error.to_string().contains("access-secret"), "{}", error);
            }
        }
    }
}
