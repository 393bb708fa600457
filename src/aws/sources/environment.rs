//! An access key in the environment.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-static-credentials.html>

use log::debug;

use super::Wanted;
use crate::{
    auth::{
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
    },
    aws::{
        expiry,
        key_document::KeyDocument,
        keys::Keys,
        variables::{ACCESS_KEY_ID, DEFAULT_PROFILE, PROFILE, SECRET_ACCESS_KEY, SECURITY_TOKEN, SESSION_TOKEN},
    },
    error::{Error, Kind, Result, quote},
    system::System,
};

/// When the key ends, as `aws configure export-credentials --format env` prints it.
const EXPIRATION: &str = "AWS_CREDENTIAL_EXPIRATION";

/// The source.
pub(crate) struct EnvironmentKeys;

impl TokenProvider<Wanted, Keys> for EnvironmentKeys {
    fn name(&self) -> &'static str {
        "environment"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Explicit(ACCESS_KEY_ID.into())
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, _wanted: &Wanted) -> Result<Attempt<Keys>> {
        let Some(keys) = read(system)? else { return Ok(Attempt::not_configured(format!("no {ACCESS_KEY_ID}"))) };
        let mut named = [PROFILE, DEFAULT_PROFILE].into_iter();
        if let Some((variable, name)) = named.find_map(|variable| Some((variable, system.setting(variable)?))) {
            debug!(
                step = "environment", outcome = "noted";
                "the access key in the environment comes before {variable}={}", quote(&name, &[])
            );
        }
        Ok(Attempt::Token(keys))
    }
}

/// The key; `None` without one. Half of one is an error: the other half may be that of another account.
pub(crate) fn read(system: &dyn System) -> Result<Option<Keys>> {
    let wrong = |message: String| Error::new(Kind::Configuration, message);
    let (access_key_id, secret) = (system.setting(ACCESS_KEY_ID), system.secret_setting(SECRET_ACCESS_KEY));
    let half = match (&access_key_id, &secret) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => None,
        (Some(_), None) => Some((ACCESS_KEY_ID, SECRET_ACCESS_KEY)),
        (None, Some(_)) => Some((SECRET_ACCESS_KEY, ACCESS_KEY_ID)),
    };
    if let Some((set, missing)) = half {
        return Err(
            wrong(format!("{set} is set without {missing}")).with_hint(format!("set {missing} too, or unset {set}"))
        );
    }
    let session_token = [SESSION_TOKEN, SECURITY_TOKEN].into_iter().find_map(|name| system.secret_setting(name));
    let document = KeyDocument { access_key_id, secret_access_key: secret, session_token, expiration: None };
    let malformed = || wrong(format!("{ACCESS_KEY_ID} and {SECRET_ACCESS_KEY} do not hold an access key"));
    let mut keys = document.keys().ok_or_else(malformed)?;
    // A time in another form is unknown, not a reason to refuse the key.
    keys.expires = system.setting(EXPIRATION).and_then(|time| expiry::parse(&time));
    if keys.expires.is_some_and(|expires| expires <= system.now()) {
        let message = format!("the access key in {ACCESS_KEY_ID} has ended, by {EXPIRATION}");
        return Err(Error::new(Kind::Rejected, message));
    }
    Ok(Some(keys))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Clock, fake::FakeSystem};

    fn system(variables: &[(&str, &str)]) -> FakeSystem {
        variables.iter().fold(FakeSystem::default(), |system, (name, value)| system.variable(name, value))
    }

    #[test]
    fn a_key_may_have_a_session_and_an_end() {
        let pair = [("AWS_ACCESS_KEY_ID", " AKIDADA "), ("AWS_SECRET_ACCESS_KEY", "x-secret\n")];
        let keys = |more: &[(&str, &str)]| read(&system(&[&pair, more].concat())).unwrap().unwrap();
        let token = |keys: &Keys| keys.session_token.as_ref().map(|token| token.expose().to_owned());
        let plain = keys(&[]);
        assert_eq!((plain.access_key_id.as_str(), plain.secret_access_key.expose()), ("AKIDADA", "x-secret"));
        assert_eq!((token(&plain), plain.expires), (None, None));
        let old = ("AWS_SECURITY_TOKEN", "old");
        assert_eq!(token(&keys(&[old])).as_deref(), Some("old"));
        assert_eq!(token(&keys(&[old, ("AWS_SESSION_TOKEN", "new")])).as_deref(), Some("new"));
        assert!(
            keys(&[("AWS_CREDENTIAL_EXPIRATION", "2999-01-01T00:00:00UTC")]).expires
                > Some(FakeSystem::default().now())
        );
        assert_eq!(keys(&[("AWS_CREDENTIAL_EXPIRATION", "soon")]).expires, None);
    }

    #[test]
    fn half_a_key_names_the_missing_variable() {
        for (variable, message) in [
            (
                "AWS_ACCESS_KEY_ID",
                "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY; set AWS_SECRET_ACCESS_KEY too, or unset AWS_ACCESS_KEY_ID",
            ),
            (
                "AWS_SECRET_ACCESS_KEY",
                "AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID; set AWS_ACCESS_KEY_ID too, or unset AWS_SECRET_ACCESS_KEY",
            ),
        ] {
            let error = read(&system(&[(variable, "a"), ("AWS_SESSION_TOKEN", "b")])).unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Configuration, message));
        }
    }

    #[test]
    fn a_session_alone_is_no_key() {
        assert_eq!(read(&system(&[("AWS_SESSION_TOKEN", "a"), ("AWS_ACCESS_KEY_ID", " ")])), Ok(None));
    }

    #[test]
    fn an_ended_or_malformed_key_is_an_error_without_it() {
        for (id, end, kind, message) in [
            (
                "AKIDADA",
                "2001-01-01T00:00:00Z",
                Kind::Rejected,
                "the access key in AWS_ACCESS_KEY_ID has ended, by AWS_CREDENTIAL_EXPIRATION",
            ),
            (
                "AKID ADA",
                "",
                Kind::Configuration,
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY do not hold an access key",
            ),
        ] {
            let variables =
                [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", "x-secret"), ("AWS_CREDENTIAL_EXPIRATION", end)];
            let error = read(&system(&variables)).unwrap_err();
            assert_eq!((error.kind(), error.message()), (kind, message));
        }
    }
}
