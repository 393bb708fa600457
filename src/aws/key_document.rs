//! Access keys as AWS's services, programs and caches write them: the same fields in JSON and in XML.

use serde::Deserialize;

use super::{expiry, keys::Keys};
use crate::{
    auth::{access_token::AccessToken, clock_skew::ClockSkew},
    error::{Error, Kind, Result},
    secret::Secret,
    system::{System, http::Response},
};

/// The longest id of an access key.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_Credentials.html>
const LONGEST_ID: usize = 128;

/// The fields, of which any may be missing.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct KeyDocument {
    /// The id.
    pub(crate) access_key_id: Option<String>,
    /// What signs.
    pub(crate) secret_access_key: Option<Secret>,
    /// The token of the session, which metadata services call `Token`.
    #[serde(alias = "Token")]
    pub(crate) session_token: Option<Secret>,
    /// When the session ends.
    pub(crate) expiration: Option<String>,
}

impl KeyDocument {
    /// The keys; `None` unless id and secret are there, headers can carry them, and the expiry, if there is one, can
    /// be read.
    pub(crate) fn keys(self) -> Option<Keys> {
        let is_id =
            |id: &String| id.len() <= LONGEST_ID && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let word = |secret: &Secret| AccessToken::parse(secret.expose()).ok().map(AccessToken::into_secret);
        Some(Keys {
            access_key_id: self.access_key_id.filter(|id| !id.is_empty() && is_id(id))?,
            secret_access_key: word(&self.secret_access_key?)?,
            session_token: match self.session_token {
                Some(token) => Some(word(&token)?),
                None => None,
            },
            expires: match self.expiration {
                Some(time) => Some(expiry::parse(&time)?),
                None => None,
            },
        })
    }

    /// The keys of the session in an answer, with their expiry by this machine's clock. `skew` is known if the request
    /// was signed with the time of the service.
    pub(super) fn session(self, system: &dyn System, answer: &Response, skew: Option<ClockSkew>) -> Result<Keys> {
        let host = &answer.host;
        let keys = self.keys().filter(|keys| keys.session_token.is_some());
        let mut keys =
            keys.ok_or_else(|| Error::new(Kind::Protocol, format!("{host} answered without access keys")))?;
        let (now, skew) = (system.now(), skew.or_else(|| ClockSkew::of(system, answer)));
        keys.expires = keys.expires.map(|stated| skew.map_or(stated, |skew| skew.expiry(now, stated)));
        if keys.expires.is_some_and(|expires| expires <= now) {
            return Err(Error::new(Kind::Protocol, format!("{host} answered with access keys that have expired")));
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zeroize::Zeroizing;

    use super::*;
    use crate::system::{Clock, fake::FakeSystem};

    fn read(document: &str) -> Option<Keys> {
        serde_json::from_str::<KeyDocument>(document).unwrap().keys()
    }

    #[test]
    fn the_token_of_a_session_has_two_names() {
        for name in ["Token", "SessionToken"] {
            let document = format!(r#"{{"AccessKeyId":"ASIA1","SecretAccessKey":"s","{name}":" t\n","Code":"x"}}"#);
            let keys = read(&document).unwrap();
            assert_eq!(keys.session_token, Some(Secret::new("t".into())), "{name}");
            assert_eq!((keys.access_key_id.as_str(), keys.expires), ("ASIA1", None));
        }
    }

    #[test]
    fn what_no_header_can_carry_is_no_key() {
        for document in [
            "{}",
            r#"{"AccessKeyId":"A"}"#,
            r#"{"AccessKeyId":"","SecretAccessKey":"s"}"#,
            r#"{"AccessKeyId":"A/B","SecretAccessKey":"s"}"#,
            r#"{"AccessKeyId":"A","SecretAccessKey":" "}"#,
            r#"{"AccessKeyId":"A","SecretAccessKey":"a\nb"}"#,
            r#"{"AccessKeyId":"A","SecretAccessKey":"s","Token":"a b"}"#,
            r#"{"AccessKeyId":"A","SecretAccessKey":"s","Expiration":"soon"}"#,
        ] {
            assert_eq!(read(document), None, "{document}");
        }
    }

    #[test]
    fn an_expiry_is_measured_by_the_clock_of_the_service() {
        let session = |date: &str, expiration: &str| {
            let fake = FakeSystem::default();
            let headers = vec![("Date".to_owned(), date.to_owned())];
            let answer = Response { status: 200, headers, body: Zeroizing::default(), host: "a.example".to_owned() };
            let [secret, token] = ["s", "t"].map(|text| Some(Secret::new(text.to_owned())));
            let document = KeyDocument {
                access_key_id: Some("ASIA1".to_owned()),
                secret_access_key: secret,
                session_token: token,
                expiration: Some(expiration.to_owned()),
            };
            document.session(&fake, &answer, None).map(|keys| keys.expires.unwrap().duration_since(fake.now()).unwrap())
        };
        let hour = Duration::from_secs(3600);
        assert_eq!(session("", "2026-11-22T01:00:00Z"), Ok(hour));
        assert_eq!(session("Sat, 21 Nov 2026 21:00:00 GMT", "2026-11-21T22:00:00Z"), Ok(hour));
        let error = session("", "2026-11-22T00:00:00Z").unwrap_err();
        assert_eq!(error.to_string(), "a.example answered with access keys that have expired");
    }
}
