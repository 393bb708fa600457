//! What a service means by refusing a request: one table for every sign-in.

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    error::{Error, Kind, quote, truncate},
    system::http::Response,
};

/// The longest quotation of a service's own message, in characters.
const QUOTED: usize = 160;

/// The meaning of an HTTP status that is not a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// [`Kind::Rejected`] if the service refused this request; [`Kind::Protocol`] if it could not answer it.
    pub(crate) kind: Kind,
    /// What to do if the trouble is not with the credential.
    pub(crate) hint: Option<&'static str>,
}

/// The request was understood and refused.
const REJECTED: Meaning = Meaning { kind: Kind::Rejected, hint: None };

/// The same request may succeed later.
const TEMPORARY: Meaning = Meaning { kind: Kind::Protocol, hint: Some("try again later") };

/// Something else answered: a page to sign in, a captive portal.
const DIVERTED: Meaning = Meaning { kind: Kind::Protocol, hint: Some("check the network and the VPN") };

/// The meaning of a status, and of the OAuth error code that came with it (RFC 6749, sections 4.1.2.1 and 5.2; RFC 8628,
/// section 3.5).
#[must_use]
pub(crate) fn meaning(status: u16, code: Option<&str>) -> Meaning {
    let is_temporary = matches!(code, Some("temporarily_unavailable" | "server_error" | "slow_down"));
    match status {
        _ if is_temporary || matches!(status, 408 | 425 | 429 | 500..) => TEMPORARY,
        400.. => REJECTED,
        _ => DIVERTED,
    }
}

/// A refusal as the service explains it.
pub(crate) struct Refusal {
    meaning: Meaning,
    message: Option<String>,
}

impl Refusal {
    /// Reads the answer. The message comes from the JSON field that the service has for it, without `secrets`, which went
    /// into the request; the rest of the body is never shown.
    #[must_use]
    pub(crate) fn read(response: &Response, secrets: &[&str]) -> Self {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let code = body.get("error").and_then(Value::as_str);
        Self {
            meaning: meaning(response.status, code),
            message: message(&body).map(|text| without_trace(text, secrets)),
        }
    }

    /// Whether the service's message contains a code.
    #[must_use]
    pub(crate) fn mentions(&self, code: &str) -> bool {
        self.message.as_ref().is_some_and(|message| message.contains(code))
    }

    /// The refusal as an error: `what`, followed by the service's message. `hint` is what to do if the request was
    /// rejected.
    #[must_use]
    pub(crate) fn into_error(self, what: impl Into<String>, hint: Option<Cow<'_, str>>) -> Error {
        let mut text = what.into();
        if let Some(message) = &self.message {
            text = format!("{text}: {message}");
        }
        let error = Error::new(self.meaning.kind, text);
        match self.meaning.hint.map(Cow::from).or(hint) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// The message of an error document: OAuth's description, the field of that name that most services have, or the code.
fn message(body: &Value) -> Option<&str> {
    let nested = body.get("error").filter(|error| error.is_object());
    let fields = [
        body.get("error_description"),
        body.get("message"),
        body.get("detail"),
        nested.and_then(|error| error.get("message")),
        body.get("error"),
    ];
    fields.into_iter().flatten().filter_map(Value::as_str).find(|text| !text.trim().is_empty())
}

/// The message without what changes with each request: Entra ID appends "Trace ID:" and the like.
fn without_trace(message: &str, secrets: &[&str]) -> String {
    truncate(&quote(message.split("Trace ID:").next().unwrap_or_default(), secrets), QUOTED)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use zeroize::Zeroizing;

    use super::*;

    fn refused(status: u16, body: &str) -> Error {
        let body = Zeroizing::new(body.as_bytes().to_vec());
        let response = Response { status, headers: Vec::new(), body, host: "a.example".to_owned() };
        Refusal::read(&response, &["x-secret"]).into_error("refused", Some("sign in".into()))
    }

    #[test]
    fn the_status_decides_kind_and_hint() {
        for (status, kind, hint) in [
            (203, Kind::Protocol, "check the network and the VPN"),
            (302, Kind::Protocol, "check the network and the VPN"),
            (400, Kind::Rejected, "sign in"),
            (401, Kind::Rejected, "sign in"),
            (403, Kind::Rejected, "sign in"),
            (404, Kind::Rejected, "sign in"),
            (429, Kind::Protocol, "try again later"),
            (500, Kind::Protocol, "try again later"),
            (503, Kind::Protocol, "try again later"),
        ] {
            let error = refused(status, "");
            assert_eq!((error.kind(), error.hint()), (kind, Some(hint)), "{status}");
        }
    }

    #[test]
    fn an_oauth_code_for_a_temporary_failure_overrides_the_status() {
        for code in ["temporarily_unavailable", "server_error", "slow_down"] {
            assert_eq!(refused(400, &json!({"error": code}).to_string()).hint(), Some("try again later"), "{code}");
        }
        assert_eq!(refused(400, r#"{"error":"invalid_grant"}"#).hint(), Some("sign in"));
    }

    #[test]
    fn the_message_is_quoted_from_its_field() {
        for (body, message) in [
            (r#"{"error":"invalid_client","error_description":"wrong"}"#, "refused: wrong"),
            (r#"{"error":"invalid_client","error_description":" "}"#, "refused: invalid_client"),
            (r#"{"message":"wrong","trace":"x-trace"}"#, "refused: wrong"),
            (r#"{"detail":"wrong"}"#, "refused: wrong"),
            (r#"{"error":{"code":403,"message":"wrong"}}"#, "refused: wrong"),
            (r#"{"message":"x-secret is wrong"}"#, "refused: (hidden) is wrong"),
            (r#"{"error_description":"AADSTS70021: No match. Trace ID: 1"}"#, "refused: AADSTS70021: No match."),
            ("{\"error_description\":\"AADSTS70021: No match.\\r\\nTrace ID: 1\"}", "refused: AADSTS70021: No match."),
            ("<html>x-page", "refused"),
            ("[]", "refused"),
        ] {
            assert_eq!(refused(401, body).message(), message, "{body}");
        }
        let long = refused(401, &json!({"message": "x".repeat(400)}).to_string());
        assert!(long.message().chars().count() < 180, "{long}");
    }

    proptest! {
        #[test]
        fn no_refusal_repeats_a_secret(status in 200_u16..600, text in "[^\"\\\\]{0,80}", field in "message|detail|error|error_description") {
            let error = refused(status, &json!({field: format!("{text}x-secret")}).to_string());
            prop_assert!(!error.to_string().contains("x-secret"), "{}", error);
        }
    }
}
