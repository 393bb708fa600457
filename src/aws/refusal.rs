//! What an error of an AWS service says: the name that programs match, and the message for people.

use std::borrow::Cow;

use serde_json::Value;

use super::xml;
use crate::{
    auth::refusal,
    error::{Error, quote, without_middle},
    system::http::Response,
};

/// The longest quotation of a service's own message, in characters.
const QUOTED: usize = 160;

/// The longest name of an error, in bytes.
const LONGEST_NAME: usize = 80;

/// The errors after which the same request may succeed, whatever their status: those that AWS's own clients try again,
/// and that of STS if it cannot reach the issuer of an identity token.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
const TRANSIENT: &[&str] = &[
    "BandwidthLimitExceeded",
    "IDPCommunicationError",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// The errors of a signature that is wrong, or made at a wrong time.
/// <https://github.com/smithy-lang/smithy-typescript/blob/7f6a90f/packages/service-error-classification/src/constants.ts>
const SIGNATURE: &[&str] = &[
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
];

/// An error of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The name of the error, such as `AccessDeniedException` or, from a token service, `invalid_grant`; empty if the
    /// answer has none.
    pub(crate) name: String,
    /// The message of the service, on one line, without the secrets of the request; empty if there is none.
    pub(crate) message: String,
}

impl Refusal {
    /// Reads the error of an answer that is not a success: the header `x-amzn-ErrorType`, a JSON body, or the XML of
    /// STS. `secrets` were part of the request. The error code of OAuth, which tells more, has precedence over the
    /// header.
    #[must_use]
    pub(crate) fn read(response: &Response, secrets: &[&str]) -> Self {
        let text = std::str::from_utf8(&response.body).unwrap_or_default();
        let json: Value = serde_json::from_str(text).unwrap_or_default();
        let member = |names: &[&str]| {
            let texts = names.iter().filter_map(|name| json.get(name)?.as_str());
            texts.map(str::trim).find(|text| !text.is_empty()).map(str::to_owned)
        };
        let element = |name: &str| text.trim_start().starts_with('<').then(|| xml::text(text, name)).flatten();
        let header = || response.header_values("x-amzn-ErrorType").find(|name| !name.is_empty()).map(str::to_owned);
        let name = member(&["error"])
            .or_else(header)
            .or_else(|| member(&["code", "Code", "__type"]))
            .or_else(|| element("Code"));
        let message = member(&["error_description", "message", "Message"]).or_else(|| element("Message"));
        Self {
            status: response.status,
            name: name.and_then(|name| without_namespace(&name, secrets)).unwrap_or_default(),
            message: quote(&message.unwrap_or_default(), secrets),
        }
    }

    /// Whether it is one of these errors.
    #[must_use]
    pub(crate) fn is(&self, names: &[&str]) -> bool {
        names.contains(&self.name.as_str())
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.status, 429 | 500 | 502..=504) || self.is(TRANSIENT)
    }

    /// Whether the signature was refused, which this machine's clock may be the cause of.
    #[must_use]
    pub(crate) fn is_of_signature(&self) -> bool {
        self.is(SIGNATURE)
    }

    /// The refusal as an error: `what`, followed by the error's name and the service's message. `hint` is what to do if
    /// the request was rejected.
    #[must_use]
    pub(crate) fn into_error(self, what: impl Into<String>, hint: Option<Cow<'_, str>>) -> Error {
        let is_transient = self.is_transient();
        let meaning = refusal::meaning(if is_transient { 503 } else { self.status }, Some(&self.name));
        let name = if self.name.is_empty() { format!("HTTP {}", self.status) } else { self.name };
        let mut text = format!("{} ({name})", what.into());
        if !self.message.is_empty() {
            // Its end names the action that is denied.
            text = format!("{text}: {}", without_middle(&self.message, QUOTED));
        }
        let error = Error::new(meaning.kind, text);
        match meaning.hint.map(Cow::from).or(hint) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// The name of an error without its namespace and the address that may follow: `ns#Name:http://...`. `None` if it is no
/// name.
fn without_namespace(name: &str, secrets: &[&str]) -> Option<String> {
    let name = name.split(':').next().unwrap_or_default();
    let name = quote(name.rsplit('#').next().unwrap_or_default(), secrets);
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    (is_name && name.len() <= LONGEST_NAME).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use zeroize::Zeroizing;

    use super::*;
    use crate::error::Kind;

    fn response(status: u16, error_type: Option<&str>, body: &str) -> Response {
        let headers = error_type.map(|name| ("X-Amzn-Errortype".to_owned(), name.to_owned())).into_iter().collect();
        Response { status, headers, body: Zeroizing::new(body.as_bytes().to_vec()), host: "a.example".to_owned() }
    }

    fn refusal(status: u16, error_type: Option<&str>, body: &str) -> Refusal {
        Refusal::read(&response(status, error_type, body), &["x-secret"])
    }

    #[test]
    fn name_and_message_are_read_in_every_form() {
        let xml = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n<Error><Type>Sender</Type>\
                   <Code>AccessDenied</Code><Message>No &amp; no</Message></Error></ErrorResponse>";
        for (error_type, body, name, message) in [
            (Some("Denied"), r#"{"message":"no"}"#, "Denied", "no"),
            (Some("Denied:http://internal.example/x#y/"), r#"{"Message":"no"}"#, "Denied", "no"),
            (Some("com.example#Denied"), "{}", "Denied", ""),
            (Some("com.example#Denied:http://internal.example/"), "", "Denied", ""),
            (Some("Denied"), r#"{"__type":"Other"}"#, "Denied", ""),
            (None, r#"{"__type":"com.example#Denied","message":"no"}"#, "Denied", "no"),
            (None, r#"{"code":"Denied","message":null}"#, "Denied", ""),
            (None, r#"{"Code":"Denied","message":" "}"#, "Denied", ""),
            (None, r#"{"error":"invalid_grant","error_description":"no"}"#, "invalid_grant", "no"),
            (Some("InvalidGrantException"), r#"{"error":"invalid_grant"}"#, "invalid_grant", ""),
            (Some("AccessDeniedException"), r#"{"error":"TOKEN_EXPIRED","message":"no"}"#, "TOKEN_EXPIRED", "no"),
            (None, xml, "AccessDenied", "No & no"),
            (None, "<html><h1>x-page</h1></html>", "", ""),
            (None, "no", "", ""),
            (None, "[]", "", ""),
            (Some(""), r#"{"__type":"Denied"}"#, "Denied", ""),
            (Some(""), "\u{feff}", "", ""),
            (Some("two words"), r#"{"message":"x-secret\nis wrong"}"#, "", "(hidden) is wrong"),
            (Some("x-secret"), "", "", ""),
        ] {
            let expected = Refusal { status: 400, name: name.to_owned(), message: message.to_owned() };
            assert_eq!(refusal(400, error_type, body), expected, "{error_type:?} {body}");
        }
        let long = refusal(400, None, &json!({"message": "x".repeat(400)}).to_string());
        assert_eq!(long.message.chars().count(), 301);
    }

    #[test]
    fn the_error_says_what_to_do() {
        for (status, name, kind, text) in [
            (403, "AccessDeniedException", Kind::Rejected, "no token (AccessDeniedException): no; sign in"),
            (404, "", Kind::Rejected, "no token (HTTP 404): no; sign in"),
            (400, "ThrottlingException", Kind::Protocol, "no token (ThrottlingException): no; try again later"),
            (400, "IDPCommunicationError", Kind::Protocol, "no token (IDPCommunicationError): no; try again later"),
            (400, "slow_down", Kind::Protocol, "no token (slow_down): no; try again later"),
            (429, "", Kind::Protocol, "no token (HTTP 429): no; try again later"),
            (500, "InternalServerException", Kind::Protocol, "no token (InternalServerException): no; try again later"),
            (302, "", Kind::Protocol, "no token (HTTP 302): no; check the network and the VPN"),
        ] {
            let error =
                refusal(status, Some(name), r#"{"message":"no"}"#).into_error("no token", Some("sign in".into()));
            assert_eq!((error.kind(), error.to_string()), (kind, text.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn no_refusal_repeats_a_secret(
            text in "[^\"\\\\]{0,80}",
            field in "message|Message|error|error_description|code|Code|__type",
        ) {
            let secret = format!("{text}x-secret");
            for (error_type, body) in [
                (None, json!({field: &secret}).to_string()),
                (Some(&*secret), String::new()),
                (None, format!("<E><Code>{secret}</Code><Message>{secret}</Message></E>")),
            ] {
                let refusal = refusal(403, error_type, &body);
                prop_assert!(!format!("{refusal:?}").contains("x-secret"), "{refusal:?}");
            }
        }
    }
}
