//! The request for a token: GetAuthorizationToken.
//! <https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_GetAuthorizationToken.html>

use std::{borrow::Cow, time::Duration};

use log::debug;
use serde::Deserialize;
use url::Url;

use super::domain::Domain;
use crate::{
    auth::{access_token::AccessToken, clock_skew::ClockSkew},
    aws::{
        client::{Answer, Client},
        endpoint::Api,
        expiry,
        keys::Keys,
        refusal::Refusal,
    },
    error::{Error, Kind, Result},
    secret::Secret,
    system::{System, http::Request},
};

/// The service.
pub(super) static API: Api = Api {
    signing_name: "codeartifact",
    host: "codeartifact",
    endpoint_variable: "AWS_ENDPOINT_URL_CODEARTIFACT",
    services_key: "codeartifact",
};

/// The shortest lifetime that can be asked for, in seconds.
const SHORTEST: u32 = 900;

/// The answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issued {
    authorization_token: Secret,
    /// When the token ends, in seconds since 1970 by the clock of the service.
    expiration: Option<f64>,
}

/// The URL of the request, without its query.
pub(super) fn url(client: &Client, domain: &Domain) -> Result<Url> {
    const PATH: &str = "v1/authorization-token";
    if domain.is_dual_stack {
        client.dual_stack_url(&API, &domain.region, PATH)
    } else {
        client.url(&API, &domain.region, PATH)
    }
}

/// Asks for a token of a domain that lives for `duration` seconds; 0 for as long as the session of the access key lasts.
pub(super) fn request(
    system: &dyn System,
    client: &Client,
    keys: &Keys,
    domain: &Domain,
    duration: u32,
) -> Result<AccessToken> {
    let mut url = url(client, domain)?;
    url.query_pairs_mut()
        .append_pair("domain", &domain.name)
        .append_pair("domain-owner", &domain.owner)
        .append_pair("duration", &duration.to_string());
    let answer = client.send_signed(system, Request::post_empty(url), keys, &API, &domain.region)?;
    if !answer.response.is_success() {
        return Err(refused(system, &answer, keys, domain));
    }
    let Issued { authorization_token, expiration } = answer.response.json()?;
    let token = AccessToken::parse(authorization_token.expose()).map_err(|malformed| {
        Error::new(Kind::Protocol, format!("{} answered with {malformed}", answer.response.host))
    })?;
    debug!(step = "token", outcome = "done"; "of domain {}, for {duration} s", domain.name);
    let stated = expiration.and_then(expiry::from_seconds);
    let expires = match &answer.used_skew {
        Some(skew) => stated.map(|stated| skew.expiry(system.now(), stated)),
        None => stated,
    };
    let token = token.with_expiry(expires);
    // Without an expiry in the token or the answer: the lifetime that was asked for.
    let asked = Duration::from_secs(duration.max(SHORTEST).into());
    let expires = token.expires().or_else(|| system.now().checked_add(asked));
    Ok(token.with_expiry(expires))
}

/// The error of an answer that is not a success.
fn refused(system: &dyn System, answer: &Answer, keys: &Keys, domain: &Domain) -> Error {
    let mut refusal = Refusal::read(&answer.response, &keys.secrets());
    let advice = advice(&refusal, keys, domain, answer.skew(system).as_ref());
    if refusal.is_of_signature() {
        // It explains signatures to programmers.
        refusal.message.clear();
    }
    refusal.into_error("CodeArtifact refuses a token", advice.map(Cow::from))
}

/// What to do about an error, by its name.
fn advice(refusal: &Refusal, keys: &Keys, domain: &Domain, skew: Option<&ClockSkew>) -> Option<String> {
    let Domain { name, owner, region, .. } = domain;
    let key = keys.shown_id();
    Some(match refusal.name.as_str() {
        "AccessDeniedException" | "AccessDenied" if refusal.message.contains(":root") => {
            "the root user of an account gets no token: sign in as another user or with a role".to_owned()
        }
        "AccessDeniedException" | "AccessDenied" if refusal.message.contains("GetServiceBearerToken") => {
            "allow this identity sts:GetServiceBearerToken".to_owned()
        }
        "AccessDeniedException" | "AccessDenied" => {
            format!("allow this identity codeartifact:GetAuthorizationToken on domain {name}")
        }
        "ResourceNotFoundException" => {
            format!("check the URL: account {owner} has no domain {name} in {region}")
        }
        "ValidationException" => "check domain and account in the URL, and the lifetime of the token".to_owned(),
        "ExpiredTokenException" | "ExpiredToken" => {
            format!("renew the session of access key {key}, or sign in again: it has ended")
        }
        "UnrecognizedClientException" | "InvalidClientTokenId" => {
            format!(
                "check access key {key}: it is unknown, disabled or of another partition, or its session token is wrong"
            )
        }
        _ if refusal.is_of_signature() => match skew {
            Some(skew) => format!("{skew}: correct it, and check the secret of access key {key}"),
            None => format!("check the secret of access key {key}"),
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::{
        service::Service,
        system::{fake::FakeSystem, http::Method},
    };

    const INDEX: &str = "https://contoso-012345678901.d.codeartifact.eu-west-1.amazonaws.com/pypi/plugins/simple/";
    const ENDPOINT: &str = "https://codeartifact.eu-west-1.amazonaws.com/v1/authorization-token";

    fn keys() -> Keys {
        let secret_access_key = Secret::new("x-secret-key".to_owned());
        Keys { access_key_id: "AKIDEXAMPLE".to_owned(), secret_access_key, session_token: None, expires: None }
    }

    fn ask(system: &FakeSystem, index: &str, duration: u32) -> Result<AccessToken> {
        let domain = Domain::of(&Service::parse(index)).unwrap();
        request(system, &Client::new(system, None, None).unwrap(), &keys(), &domain, duration)
    }

    #[test]
    fn a_token_is_of_domain_owner_and_duration() {
        for (index, duration, endpoint) in [
            (INDEX.to_owned(), 0, ENDPOINT.to_owned()),
            (INDEX.replace("/pypi", "/npm"), 3600, ENDPOINT.to_owned()),
            (
                INDEX.replace(".d.", ".").replace("amazonaws.com", "on.aws"),
                900,
                ENDPOINT.replace("amazonaws.com", "api.aws"),
            ),
        ] {
            let system = FakeSystem::default().answer(
                Method::Post,
                &endpoint,
                200,
                r#"{"authorizationToken":"eyJ.x.y","expiration":1796045696.5}"#,
            );
            let token = ask(&system, &index, duration).unwrap();
            assert_eq!(token.secret().expose(), "eyJ.x.y");
            let expires = token.expires().and_then(|end| end.duration_since(SystemTime::UNIX_EPOCH).ok());
            assert_eq!(expires.map(|end| end.as_millis()), Some(1_796_045_696_500));
            let query = system.requests()[0].url.query().map(str::to_owned);
            let expected = format!("domain=contoso&domain-owner=012345678901&duration={duration}");
            assert_eq!(query.as_deref(), Some(expected.as_str()));
        }
    }

    #[test]
    fn an_expiry_is_a_number_of_seconds() {
        for (expiration, seconds) in [
            ("1796045696", 1_796_045_696),
            ("1796045696.9", 1_796_045_696),
            // An hour from now, as was asked for.
            ("-1", 1_795_309_200),
            ("1e300", 1_795_309_200),
            ("null", 1_795_309_200),
        ] {
            let body = format!(r#"{{"authorizationToken":"eyJ","expiration":{expiration}}}"#);
            let system = FakeSystem::default().answer(Method::Post, ENDPOINT, 200, &body);
            let expires = ask(&system, INDEX, 3600).unwrap().expires();
            let found = expires.and_then(|end| end.duration_since(SystemTime::UNIX_EPOCH).ok());
            assert_eq!(found.map(|end| end.as_secs()), Some(seconds), "{expiration}");
        }
    }

    #[test]
    fn an_answer_without_a_token_is_an_error() {
        for body in ["", "{}", "[]", r#"{"authorizationToken":""}"#, r#"{"authorizationToken":"a b"}"#, "<html>"] {
            let system = FakeSystem::default().answer(Method::Post, ENDPOINT, 200, body);
            assert_eq!(ask(&system, INDEX, 3600).unwrap_err().kind(), Kind::Protocol, "{body}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let domain = Domain::of(&Service::parse(INDEX)).unwrap();
        for (status, name, message, hint) in [
            (400, "ValidationException", "no", "check domain and account"),
            (
                403,
                "AccessDeniedException",
                "not authorized to perform: sts:GetServiceBearerToken",
                "sts:GetServiceBearerToken",
            ),
            (403, "AccessDeniedException", "no", "codeartifact:GetAuthorizationToken on domain contoso"),
            (403, "AccessDeniedException", "arn:aws:iam::012345678901:root", "the root user"),
            (403, "ExpiredTokenException", "no", "renew the session of access key AKIDEXAMPLE"),
            (403, "UnrecognizedClientException", "no", "check access key AKIDEXAMPLE"),
            (403, "InvalidClientTokenId", "no", "check access key AKIDEXAMPLE"),
            (403, "InvalidSignatureException", "no", "check the secret of access key AKIDEXAMPLE"),
            (404, "ResourceNotFoundException", "no", "account 012345678901 has no domain contoso in eu-west-1"),
        ] {
            let refusal = Refusal { status, name: name.to_owned(), message: message.to_owned() };
            let advice = advice(&refusal, &keys(), &domain, None).unwrap_or_default();
            assert!(advice.contains(hint) && advice.chars().count() < 120, "{name}: {advice}");
        }
        let other = Refusal { status: 429, name: "ThrottlingException".to_owned(), message: String::new() };
        assert_eq!(advice(&other, &keys(), &domain, None), None, "its status says it");
    }
}
