//! The account of an access token, as Google reports it.

use serde::Deserialize;
use url::Url;

use crate::{
    auth::refusal::Refusal,
    error::{Error, Kind, LONGEST_NAME, Result, quote, without_middle},
    secret::Secret,
    system::{System, http::Request, retry},
};

/// Describes an access token.
/// <https://developers.google.com/identity/sign-in/web/backend-auth#calling-the-tokeninfo-endpoint>
const URL: &str = "https://oauth2.googleapis.com/tokeninfo";

/// The account of an access token; `None` if its scopes do not show it. The token is sent in the body of a POST. A token that
/// Google does not know is an error.
pub(super) fn of_token(system: &dyn System, token: &Secret) -> Result<Option<String>> {
    #[derive(Deserialize)]
    struct Answer {
        email: Option<String>,
    }
    let url = Url::parse(URL).map_err(|_| Error::new(Kind::Internal, "the tokeninfo address is not a URL"))?;
    let request = Request::post_form(url, &[("access_token", token.expose())]).header("Accept", "application/json");
    let response = retry::send(system, &request)?;
    if !response.is_success() {
        let what = format!("{} does not say whose the token is (HTTP {})", response.host, response.status);
        return Err(Refusal::read(&response, &[token.expose()]).into_error(what, None));
    }
    let email = response.json::<Answer>()?.email.map(|email| quote(&email, &[token.expose()]));
    Ok(email.filter(|email| !email.is_empty()).map(|email| without_middle(&email, LONGEST_NAME)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{fake::FakeSystem, http::Method};

    fn account(status: u16, body: &str) -> std::result::Result<Option<String>, String> {
        let fake = FakeSystem::default().answer(Method::Post, URL, status, body);
        let outcome = of_token(&fake, &Secret::new("ya29.x-secret".into()));
        assert_eq!(&fake.requests()[0].body[..], b"access_token=ya29.x-secret");
        outcome.map_err(|error| error.to_string())
    }

    #[test]
    fn the_account_of_a_token_is_its_address() {
        assert_eq!(account(200, r#"{"email":"ada@contoso.example"}"#), Ok(Some("ada@contoso.example".into())));
        assert_eq!(account(200, r#"{"scope":"x"}"#), Ok(None));
        assert_eq!(account(200, r#"{"email":" "}"#), Ok(None));
        assert_eq!(account(200, r#"{"email":"ya29.x-secret"}"#), Ok(Some("(hidden)".into())));
    }

    #[test]
    fn a_token_that_is_not_known_is_an_error() {
        let error = account(400, r#"{"error":"invalid_token","error_description":"Invalid Value: ya29.x-secret"}"#);
        let expected = "the fake does not say whose the token is (HTTP 400): Invalid Value: (hidden)";
        assert_eq!(error, Err(expected.into()));
    }
}
