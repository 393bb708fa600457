//! Exchanges a user's bearer for a session token: valid in one organisation, for reading packages (and writing them,
//! for uploads) and nothing else.

use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{NO_SIGN_IN_PAGE, feed::Feed, retries::attempts};
use crate::{
    auth::{access_token::AccessToken, refusal::Refusal, timestamp},
    error::{Error, Kind, LONGEST_NAME, Result, without_middle},
    secret::Secret,
    system::{
        System,
        http::{Request, Response},
        retry,
    },
};

/// The name in the user's list of tokens.
const DISPLAY_NAME: &str = "ringbearer";

/// Exchanges a bearer at the feed's verified authority.
///
/// Without a `tokenType` the service issues a self-contained session token. The compact type would be a personal
/// access token, which causes an email to the owner.
pub(crate) fn exchange(
    system: &dyn System,
    authority: &Url,
    feed: &Feed,
    bearer: &Secret,
    account: Option<&str>,
) -> Result<AccessToken> {
    let mut url = authority
        .join("_apis/Token/SessionTokens")
        .map_err(|_| Error::new(Kind::Internal, "the token authority cannot be joined with a path"))?;
    url.set_query(Some("api-version=5.0-preview.1"));
    let document = json!({ "displayName": DISPLAY_NAME, "scope": feed.scope() });
    let request = Request::post_json(url, &document)
        .header("Accept", "application/json")
        // Without it the service redirects to a sign-in page.
        .header(NO_SIGN_IN_PAGE.0, NO_SIGN_IN_PAGE.1)
        .bearer(bearer)
        .with_attempts(attempts(system));
    let response = retry::send(system, &request)?;
    if response.status != 200 {
        return Err(refusal(&response, feed, bearer, account));
    }
    let answer: Answer = response.json()?;
    let token = AccessToken::parse(answer.token.expose())
        .map_err(|_| Error::new(Kind::Protocol, format!("{} answered without a token", response.host)))?;
    Ok(token.with_expiry(answer.valid_to.as_deref().and_then(timestamp::rfc3339)))
}

#[derive(Deserialize)]
struct Answer {
    token: Secret,
    #[serde(rename = "validTo")]
    valid_to: Option<String>,
}

fn refusal(response: &Response, feed: &Feed, bearer: &Secret, account: Option<&str>) -> Error {
    let (host, status) = (&response.host, response.status);
    let refusal = Refusal::read(response, &[bearer.expose()]);
    let who = account.unwrap_or("this account");
    let portal = without_middle(&feed.portal(), LONGEST_NAME);
    if refusal.mentions("TF401444") {
        return Error::new(Kind::Rejected, format!("Azure DevOps wants {who} to sign in once in a browser (TF401444)"))
            .with_hint(format!("open {portal} and sign in as {who}, then try again"));
    }
    let what = match status {
        401 => format!("{host} rejected the token of {who}"),
        203 | 300..=399 => format!("{host} sent a sign-in page instead of a token"),
        _ => format!("{host} gave no session token for {who} (HTTP {status})"),
    };
    let hint = format!("is this account a member of {portal}? If not, sign in as one that is");
    refusal.into_error(what, Some(hint.into()))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        auth::jwt::token_of,
        service::Service,
        system::{Clock, fake::FakeSystem, http::Method},
    };

    const URL: &str = "https://vssps.dev.azure.com/contoso/_apis/Token/SessionTokens";

    fn ask(fake: &FakeSystem, service: &str) -> Result<AccessToken> {
        let feed = Feed::from_service(&Service::parse(service)).unwrap();
        let authority = Url::parse("https://vssps.dev.azure.com/contoso/").unwrap();
        exchange(fake, &authority, &feed, &Secret::new("bearer-secret".into()), Some("ada@contoso.example"))
    }

    #[test]
    fn the_exchange_asks_for_reading_only_and_learns_the_end() {
        let fake = FakeSystem::default().answer(
            Method::Post,
            URL,
            200,
            r#"{"token":"t","validTo":"2026-11-22T01:00:00.1234567Z"}"#,
        );
        let token = ask(&fake, "https://pkgs.dev.azure.com/contoso/_packaging/f/pypi/simple/").unwrap();
        let life = token.expires().unwrap().duration_since(fake.now()).unwrap();
        assert_eq!(life.as_secs(), 3600);
        let request = &fake.requests()[0];
        let document: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(document, json!({ "displayName": "ringbearer", "scope": "vso.packaging" }));
        assert_eq!(request.url.query(), Some("api-version=5.0-preview.1"));
        assert!(
            request
                .headers
                .iter()
                .any(|(name, value)| *name == "X-TFS-FedAuthRedirect" && value.expose() == "Suppress")
        );
    }

    #[test]
    fn an_upload_asks_for_writing() {
        let fake = FakeSystem::default().answer(Method::Post, URL, 200, r#"{"token":"t"}"#);
        ask(&fake, "https://pkgs.dev.azure.com/contoso/_packaging/f/pypi/upload").unwrap();
        assert!(String::from_utf8_lossy(&fake.requests()[0].body).contains("vso.packaging_write"));
    }

    #[test]
    fn without_valid_to_the_token_itself_says_when_it_ends() {
        let session = token_of(&json!({"exp": 1_800_000_000_u64}));
        let fake = FakeSystem::default().answer(Method::Post, URL, 200, &json!({ "token": session }).to_string());
        let token = ask(&fake, "https://pkgs.dev.azure.com/contoso/").unwrap();
        let end = token.expires().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(end.as_secs(), 1_800_000_000);
    }

    #[test]
    fn a_first_sign_in_is_explained_with_portal_and_account() {
        let body = r#"{"message":"TF401444: Please sign-in at least once as t\\ada in a web browser"}"#;
        let error =
            ask(&FakeSystem::default().answer(Method::Post, URL, 401, body), "https://pkgs.dev.azure.com/contoso/")
                .unwrap_err();
        assert_eq!(error.kind(), Kind::Rejected);
        let shown = error.to_string();
        assert!(shown.contains("https://dev.azure.com/contoso") && shown.contains("ada@contoso.example"), "{shown}");
    }

    #[test]
    fn other_refusals_quote_the_message_field_alone() {
        let body = r#"{"message":"TF400813: not authorized","secret":"x-secret"}"#;
        let error =
            ask(&FakeSystem::default().answer(Method::Post, URL, 403, body), "https://pkgs.dev.azure.com/contoso/")
                .unwrap_err();
        assert_eq!(error.kind(), Kind::Rejected);
        assert!(error.message().contains("TF400813") && !error.to_string().contains("x-secret"));
        let error =
            ask(&FakeSystem::default().answer(Method::Post, URL, 302, "<html>"), "https://pkgs.dev.azure.com/contoso/")
                .unwrap_err();
        assert!(error.message().contains("sign-in page"), "{error}");
    }

    proptest! {
        #[test]
        fn any_answer_is_a_token_or_an_error_without_the_bearer(
            status in prop_oneof![Just(200_u16), 201_u16..500],
            body in prop_oneof![
                "\\PC{0,80}",
                "\\{\"token\":\"[a-z. ]{0,9}\",\"validTo\":(\"[0-9TZ:. -]{0,30}\"|null|7)\\}",
                "\\{\"message\":\"[^\"\\\\]{0,80}bearer-secret\"\\}",
            ],
        ) {
            let fake = FakeSystem::default().answer(Method::Post, URL, status, &body);
            if status == 429 {
                return Ok(());
            }
            if let Err(error) = ask(&fake, "https://pkgs.dev.azure.com/contoso/") {
                prop_assert!(!error.to_string().contains("bearer-secret"), "{}", error);
            }
        }
    }
}
