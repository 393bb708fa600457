//! The identity token of a CI job, exchanged for a token of a Chainguard identity.
//! <https://edu.chainguard.dev/chainguard/administration/assumable-ids/>

use serde::Deserialize;
use url::Url;

use super::{AUDIENCE, Known, credential};
use crate::{
    auth::{
        access_token::AccessToken,
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
        job_token::JobToken,
        refusal::Refusal,
        timestamp,
    },
    error::{Error, Kind, Result},
    registry::Credential,
    secret::Secret,
    system::{
        System,
        http::{ATTEMPTS, Request, Response},
        retry,
    },
};

/// The ID of the identity that the job assumes.
const IDENTITY_VARIABLE: &str = "RINGBEARER_CHAINGUARD_IDENTITY";

/// Names a file with the job's token, such as one that Kubernetes mounts.
const FILE_VARIABLE: &str = "RINGBEARER_CHAINGUARD_OIDC_TOKEN_FILE";

/// Holds the job's token.
const TOKEN_VARIABLE: &str = "RINGBEARER_CHAINGUARD_OIDC_TOKEN";

/// The token of the job.
const JOB_TOKEN: JobToken = JobToken { file_variable: FILE_VARIABLE, token_variable: TOKEN_VARIABLE };

/// The audience of the job's token: the issuer that exchanges it.
/// <https://github.com/chainguard-dev/actions/tree/main/setup-chainctl>
const ISSUER: &str = "https://issuer.enforce.dev";

/// The endpoint that exchanges tokens.
const ENDPOINT: &str = "https://issuer.enforce.dev/sts/exchange";

/// The source.
pub(crate) struct Oidc;

impl TokenProvider<Known, Credential> for Oidc {
    fn name(&self) -> &'static str {
        "oidc"
    }

    fn origin(&self, system: &dyn System) -> Origin {
        // The identity alone is not explicit: its id is no credential.
        JOB_TOKEN.origin(system)
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, _known: &Known) -> Result<Attempt<Credential>> {
        let Some(identity) = system.setting(IDENTITY_VARIABLE) else {
            return match self.origin(system) {
                Origin::Explicit(named) => {
                    Err(Error::new(Kind::Configuration, format!("{named} is set and {IDENTITY_VARIABLE} is not"))
                        .with_hint(format!("set {IDENTITY_VARIABLE} to the id of the identity")))
                }
                Origin::Configured | Origin::Found => Ok(Attempt::not_configured(format!("no {IDENTITY_VARIABLE}"))),
            };
        };
        match JOB_TOKEN.get(system, ISSUER, ATTEMPTS)? {
            Attempt::Token(proof) => exchange(system, &identity, &proof).map(Attempt::Token),
            Attempt::NotConfigured(why) => Ok(Attempt::NotConfigured(why)),
        }
    }
}

/// Exchanges the job's token. It is sent to one fixed host only; redirects are not followed.
fn exchange(system: &dyn System, identity: &str, proof: &AccessToken) -> Result<Credential> {
    let endpoint = Url::parse(ENDPOINT).map_err(|_| Error::new(Kind::Internal, "the endpoint is not a URL"))?;
    // The service reads forms only and ignores JSON.
    let request = Request::post_form(endpoint, &[("aud", AUDIENCE), ("identity", identity)])
        .header("Accept", "application/json")
        .bearer(proof.secret());
    let response = retry::send(system, &request)?;
    if !response.is_success() {
        return Err(refusal(&response, proof.secret()));
    }
    let answer: Answer = response.json()?;
    let unusable = || Error::new(Kind::Protocol, format!("{} answered without a token", response.host));
    let token = answer.token.as_ref().and_then(|token| AccessToken::parse(token.expose()).ok()).ok_or_else(unusable)?;
    let token = token.expiring(answer.expiry.as_deref().and_then(timestamp::rfc3339));
    Ok(credential(token))
}

/// The answer. Its refresh token is not read, so that it cannot leak.
#[derive(Deserialize)]
struct Answer {
    token: Option<Secret>,
    expiry: Option<String>,
}

fn refusal(response: &Response, proof: &Secret) -> Error {
    let what = format!("{} exchanged no token (HTTP {})", response.host, response.status);
    let hint = format!("let {IDENTITY_VARIABLE} trust this job: issuer, subject, audience {ISSUER}");
    Refusal::read(response, &[proof.expose()]).into_error(what, Some(hint.into()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::system::{
        Clock,
        fake::{FakeSystem, absolute},
        http::Method,
    };

    fn job() -> FakeSystem {
        FakeSystem::default()
            .variable(IDENTITY_VARIABLE, "0a/1b")
            .variable(FILE_VARIABLE, &absolute("/run/token"))
            .file("/run/token", "proof-secret\n")
    }

    fn ask(fake: &FakeSystem) -> Result<Credential> {
        match Oidc.token(fake, &Known::default())? {
            Attempt::Token(found) => Ok(found),
            Attempt::NotConfigured(why) => panic!("{why}"),
        }
    }

    #[test]
    fn the_exchange_sends_the_proof_audience_and_identity() {
        let fake = job().answer(
            Method::Post,
            ENDPOINT,
            200,
            r#"{"token":"t","refreshToken":"r","expiry":"2026-11-22T01:00:00Z"}"#,
        );
        let found = ask(&fake).unwrap();
        assert_eq!((found.username.as_str(), found.password.expose()), ("_token", "t"));
        assert_eq!(found.expires.unwrap().duration_since(fake.now()).unwrap(), Duration::from_secs(3600));
        let request = &fake.requests()[0];
        assert_eq!(&request.body[..], b"aud=libraries.cgr.dev&identity=0a%2F1b");
        assert!(
            request
                .headers
                .iter()
                .any(|(name, value)| *name == "Authorization" && value.expose() == "Bearer proof-secret")
        );
    }

    #[test]
    fn passing_failures_are_tried_again_and_refusals_are_not() {
        let fake = job().answer(Method::Post, ENDPOINT, 503, "").answer(Method::Post, ENDPOINT, 502, "").answer(
            Method::Post,
            ENDPOINT,
            200,
            r#"{"token":"t"}"#,
        );
        assert!(ask(&fake).is_ok());
        fake.assert_done();
        let error =
            ask(&job().answer(Method::Post, ENDPOINT, 403, r#"{"message":"no match for proof-secret"}"#)).unwrap_err();
        assert_eq!(error.kind(), Kind::Rejected);
        assert!(error.message().ends_with("(HTTP 403): no match for (hidden)"), "{error}");
    }

    #[test]
    fn without_an_identity_or_a_proof_it_is_not_set_up() {
        let skip = |fake: FakeSystem| match Oidc.token(&fake, &Known::default()).unwrap() {
            Attempt::NotConfigured(why) => why,
            Attempt::Token(_) => panic!("a token"),
        };
        assert_eq!(skip(FakeSystem::default().variable("GITHUB_ACTIONS", "true")), format!("no {IDENTITY_VARIABLE}"));
        let why = skip(FakeSystem::default().variable(IDENTITY_VARIABLE, "0a/1b"));
        assert_eq!(why, format!("no {FILE_VARIABLE}, no ACTIONS_ID_TOKEN_REQUEST_URL"));
    }

    #[test]
    fn a_named_job_token_needs_the_identity() {
        for name in [FILE_VARIABLE, TOKEN_VARIABLE] {
            let error = ask(&FakeSystem::default().variable(name, "/x-secret")).unwrap_err();
            assert_eq!(error.kind(), Kind::Configuration);
            assert_eq!(error.message(), format!("{name} is set and {IDENTITY_VARIABLE} is not"));
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_a_token_or_an_error_without_the_proof(
            status in prop_oneof![Just(200_u16), 201_u16..600],
            body in prop_oneof![
                "\\PC{0,80}",
                "\\{\"token\":(\"[a-z. ]{0,9}\"|null|7),\"expiry\":(\"[0-9TZ:. -]{0,30}\"|null|7)\\}",
                "\\{\"message\":\"[^\"\\\\]{0,80}proof-secret\"\\}",
            ],
        ) {
            if matches!(status, 429 | 500 | 502..=504) {
                return Ok(());
            }
            if let Err(error) = ask(&job().answer(Method::Post, ENDPOINT, status, &body)) {
                prop_assert!(!error.to_string().contains("proof-secret"), "{}", error);
            }
        }
    }
}
