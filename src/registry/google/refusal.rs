//! Explains the refusals of Google's token endpoint, and what to do.
//! <https://developers.google.com/identity/protocols/oauth2/web-server#token-errors>

use serde_json::Value;

use super::location::Location;
use crate::{
    auth::clock_skew::ClockSkew,
    error::{Error, Kind},
    system::{System, http::Response},
};

/// The message if an organisation asks its people to sign in again.
pub(super) const SESSION_LIMIT: &str =
    "Google asks you to sign in again: your organisation limits the length of a session";

/// The subtypes of `invalid_grant` that ask a person to sign in again, since the organisation limits the length of a session.
/// <https://support.google.com/a/answer/9368756>
const REAUTHENTICATION_SUBTYPES: [&str; 2] = ["invalid_rapt", "rapt_required"];

/// The error document of a token endpoint.
struct Answer(Value);

impl Answer {
    fn read(response: &Response) -> Self {
        Self(serde_json::from_slice(&response.body).unwrap_or_default())
    }

    fn text(&self, field: &str) -> &str {
        self.0.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// The code of RFC 6749, section 5.2.
    fn code(&self) -> &str {
        self.text("error")
    }

    /// Whether the description contains a text.
    fn mentions(&self, text: &str) -> bool {
        self.text("error_description").to_ascii_lowercase().contains(text)
    }

    /// The subtype that asks for a new sign-in. Some answers state it in the description alone.
    fn reauthentication(&self) -> Option<&'static str> {
        let is_given = |subtype: &&str| self.text("error_subtype") == *subtype || self.mentions(subtype);
        REAUTHENTICATION_SUBTYPES.into_iter().find(is_given)
    }
}

/// Whether an error is a refusal by an organisation that limits the length of a session. The login is neither expired nor
/// revoked, and gcloud may hold the proof of a newer sign-in, which its credential files lack.
#[must_use]
pub(super) fn asks_for_reauthentication(error: &Error) -> bool {
    error.message().contains(SESSION_LIMIT)
}

/// Adds to the refusal of a person's login what it means, and which command signs in again.
pub(super) fn explain(location: &Location, response: &Response, error: Error) -> Error {
    if error.kind() != Kind::Rejected {
        return error;
    }
    let answer = Answer::read(response);
    if let Some(subtype) = answer.reauthentication() {
        let message = format!("{SESSION_LIMIT} ({subtype})");
        return Error::new(Kind::Rejected, message).with_hint(location.sign_in());
    }
    match answer.code() {
        "invalid_grant" => error.within("the login has expired or was revoked").with_hint(location.sign_in()),
        "invalid_scope" => error.within("the login lacks the scope cloud-platform").with_hint(location.sign_in()),
        _ => explain_client(&answer, location, error),
    }
}

/// Adds to the refusal of a service account's assertion what it means. The answer shows whether this machine's clock is wrong.
pub(super) fn explain_assertion(system: &dyn System, location: &Location, response: &Response, error: Error) -> Error {
    if error.kind() != Kind::Rejected {
        return error;
    }
    let answer = Answer::read(response);
    match answer.code() {
        "invalid_grant" if answer.mentions("reasonable timeframe") || answer.mentions("short-lived") => {
            match ClockSkew::of(system, response) {
                Some(skew) => skew.explain(error),
                None => error.with_hint("check the clock of this machine"),
            }
        }
        "invalid_grant" if answer.mentions("signature") => {
            error.within("the key was deleted or disabled").with_hint("create a new key for the service account")
        }
        "invalid_grant" if answer.mentions("account not found") => {
            error.within("the service account was deleted").with_hint("create a key for another one")
        }
        "invalid_scope" => error.within("the service account may not have the scope cloud-platform"),
        _ => explain_client(&answer, location, error),
    }
}

/// Explains the refusals that people and service accounts have in common.
fn explain_client(answer: &Answer, location: &Location, error: Error) -> Error {
    match answer.code() {
        code @ ("invalid_client" | "unauthorized_client") => {
            location.broken(&format!("is damaged: Google does not know the client in it ({code})"))
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zeroize::Zeroizing;

    use super::*;
    use crate::{auth::refusal::Refusal, registry::google::location::NamedBy, system::fake::FakeSystem};

    const SIGN_IN: &str = "run `gcloud auth application-default login`";

    fn location(named_by: NamedBy) -> Location {
        Location { path: "/x".into(), named_by }
    }

    fn response(status: u16, body: &Value) -> Response {
        // The clock of the fake shows 00:00.
        let headers = vec![("Date".to_owned(), "Sun, 22 Nov 2026 03:00:00 GMT".to_owned())];
        let body = Zeroizing::new(body.to_string().into_bytes());
        Response { status, headers, body, host: "oauth2.googleapis.com".to_owned() }
    }

    fn refused(response: &Response) -> Error {
        let what = format!("{} answered with HTTP {}", response.host, response.status);
        Refusal::read(response, &[]).into_error(what, None)
    }

    #[test]
    fn a_refused_login_names_the_command_of_that_login() {
        let body = json!({"error": "invalid_grant", "error_subtype": "invalid_rapt",
            "error_description": "reauth related error (invalid_rapt)"});
        let response = response(400, &body);
        for (named_by, hint) in [
            (NamedBy::ApplicationDefault, SIGN_IN),
            (NamedBy::Gcloud, "run `gcloud auth login`"),
            (
                NamedBy::Variable("VARIABLE"),
                "run `gcloud auth application-default login`, and unset VARIABLE if it names another file",
            ),
        ] {
            let error = explain(&location(named_by), &response, refused(&response));
            assert!(asks_for_reauthentication(&error));
            assert_eq!((error.kind(), error.hint()), (Kind::Rejected, Some(hint)));
            let message =
                "Google asks you to sign in again: your organisation limits the length of a session (invalid_rapt)";
            assert_eq!(error.message(), message);
        }
    }

    #[test]
    fn refusals_of_a_person_say_what_they_mean() {
        let refused_with = "oauth2.googleapis.com answered with HTTP 400";
        let reauthentication = |subtype: &str| format!("{SESSION_LIMIT} ({subtype}); {SIGN_IN}");
        for (body, shown) in [
            (
                json!({"error": "invalid_grant", "error_description": "reauth related error (rapt_required)"}),
                reauthentication("rapt_required"),
            ),
            (json!({"error": "invalid_grant", "error_subtype": "invalid_rapt"}), reauthentication("invalid_rapt")),
            (
                json!({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}),
                format!(
                    "the login has expired or was revoked: {refused_with}: Token has been expired or revoked.; {SIGN_IN}"
                ),
            ),
            (
                json!({"error": "invalid_grant", "error_description": "Bad Request"}),
                format!("the login has expired or was revoked: {refused_with}: Bad Request; {SIGN_IN}"),
            ),
            (
                json!({"error": "invalid_client", "error_description": "The OAuth client was not found."}),
                format!("/x is damaged: Google does not know the client in it (invalid_client); {SIGN_IN}"),
            ),
            (
                json!({"error": "unauthorized_client", "error_description": "Unauthorized"}),
                format!("/x is damaged: Google does not know the client in it (unauthorized_client); {SIGN_IN}"),
            ),
            (
                json!({"error": "invalid_scope", "error_description": "Bad scope"}),
                format!("the login lacks the scope cloud-platform: {refused_with}: Bad scope; {SIGN_IN}"),
            ),
            (json!({"error": "access_denied"}), format!("{refused_with}: access_denied")),
            (json!([]), refused_with.to_owned()),
            (json!({"error": "server_error"}), format!("{refused_with}: server_error; try again later")),
        ] {
            let response = response(400, &body);
            let error = explain(&location(NamedBy::ApplicationDefault), &response, refused(&response));
            assert_eq!(error.to_string(), shown, "{body}");
            assert_eq!(asks_for_reauthentication(&error), shown.starts_with(SESSION_LIMIT), "{body}");
        }
    }

    #[test]
    fn refusals_of_a_service_account_say_what_they_mean() {
        let short_lived = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.";
        let refused_with = "oauth2.googleapis.com answered with HTTP 400";
        for (code, description, shown) in [
            (
                "invalid_grant",
                "Invalid JWT Signature.",
                format!(
                    "the key was deleted or disabled: {refused_with}: Invalid JWT Signature.; \
                     create a new key for the service account"
                ),
            ),
            (
                "invalid_grant",
                "Invalid grant: account not found",
                format!(
                    "the service account was deleted: {refused_with}: Invalid grant: account not found; \
                     create a key for another one"
                ),
            ),
            (
                "invalid_grant",
                short_lived,
                format!("{refused_with}: {short_lived}; this machine's clock is 3 h behind: correct it"),
            ),
            (
                "invalid_client",
                "x",
                "VARIABLE names /x, which is damaged: Google does not know the client in it (invalid_client); \
                 correct or unset VARIABLE"
                    .to_owned(),
            ),
            (
                "invalid_scope",
                "x",
                format!("the service account may not have the scope cloud-platform: {refused_with}: x"),
            ),
            ("invalid_grant", "x", format!("{refused_with}: x")),
        ] {
            let response = response(400, &json!({"error": code, "error_description": description}));
            let location = location(NamedBy::Variable("VARIABLE"));
            let explained = explain_assertion(&FakeSystem::default(), &location, &response, refused(&response));
            assert_eq!(explained.to_string(), shown);
            let right = Response { headers: Vec::new(), ..response };
            let explained = explain_assertion(&FakeSystem::default(), &location, &right, refused(&right));
            assert!(!explained.to_string().contains("3 h"), "{explained}");
        }
    }
}
