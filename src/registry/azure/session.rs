//! Exchanges a user's bearer for a session token: valid in one organisation, for reading packages (and writing them,
//! for uploads) and nothing else.

use log::debug;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{NO_SIGN_IN_PAGE, credprovider, feed::Feed, retries::attempts};
use crate::{
    auth::{access_token::AccessToken, clock_skew::ClockSkew, refusal::Refusal, timestamp},
    error::{Error, Kind, LONGEST_NAME, without_middle},
    secret::Secret,
    system::{
        System,
        http::{Request, Response},
        retry,
    },
};

/// The name in the user's list of tokens.
const DISPLAY_NAME: &str = "ringbearer";

/// Why the exchange gave no token.
#[derive(Debug)]
pub(crate) struct ExchangeFailure {
    /// The failure.
    pub(super) error: Error,
    /// Whether a newer bearer of the same account may serve.
    pub(super) newer_may_serve: bool,
}

impl From<Error> for ExchangeFailure {
    fn from(error: Error) -> Self {
        Self { error, newer_may_serve: false }
    }
}

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
) -> Result<AccessToken, ExchangeFailure> {
    let mut url = authority
        .join("_apis/Token/SessionTokens")
        .map_err(|_| Error::new(Kind::Internal, "the token authority cannot be joined with a path"))?;
    url.set_query(Some("api-version=5.0-preview.1"));
    let send = |document: &Value| {
        let request = Request::post_json(url.clone(), document)
            .header("Accept", "application/json")
            // Without it the service redirects to a sign-in page.
            .header(NO_SIGN_IN_PAGE.0, NO_SIGN_IN_PAGE.1)
            .bearer(bearer)
            .with_attempts(attempts(system));
        retry::send(system, &request)
    };
    credprovider::note_token_type(system);
    let document = json!({ "displayName": DISPLAY_NAME, "scope": feed.scope() });
    let end = credprovider::session_end(system).and_then(timestamp::to_rfc3339);
    let response = match end {
        None => send(&document)?,
        Some(end) => {
            let mut with_end = document.clone();
            with_end["validTo"] = json!(end);
            match send(&with_end)? {
                response if response.status == 400 => {
                    debug!("exchange: the service refuses validTo, asking without");
                    send(&document)?
                }
                response => response,
            }
        }
    };
    if response.status != 200 {
        return Err(refused(system, &response, feed, bearer, account));
    }
    let answer: Answer = response.json()?;
    let token = AccessToken::parse(answer.token.expose())
        .map_err(|_| Error::new(Kind::Protocol, format!("{} answered without a token", response.host)))?;
    let token = token.with_expiry(answer.valid_to.as_deref().and_then(timestamp::rfc3339));
    let skew = ClockSkew::of(system, &response);
    let expires = token.expires().zip(skew).map(|(stated, skew)| skew.expiry(system.now(), stated));
    Ok(token.with_expiry(expires))
}

#[derive(Deserialize)]
struct Answer {
    token: Secret,
    #[serde(rename = "validTo")]
    valid_to: Option<String>,
}

/// The refusals that Azure DevOps explains by a code, or by what it says: what is wrong, and what to do. `{who}` stands for the
/// account and `{portal}` for the organisation. The others quote the service.
fn known(refusal: &Refusal, status: u16) -> Option<(&'static str, &'static str)> {
    let mentions = |words: &[&str]| words.iter().any(|word| refusal.mentions(word));
    if mentions(&["TF401444"]) {
        return Some((
            "Azure DevOps wants {who} to sign in once in a browser (TF401444)",
            "open {portal} and sign in as {who}, then try again",
        ));
    }
    if mentions(&[POLICY]) {
        return Some((
            "a Conditional Access or IP policy refuses {who} (VS403463)",
            "sign in again on an allowed network and device, or ask the administrator of {portal}",
        ));
    }
    if status == 402 || mentions(&["license", "licence", "stakeholder", "Stakeholder"]) {
        return Some((
            "{who} has no licence for Artifacts (HTTP {status})",
            "the owner of {portal} must set its access level to Basic",
        ));
    }
    // For an invalid bearer, the message of the same code is about "anonymous access".
    if mentions(&["TF400813"]) && !mentions(&["anonymous"]) {
        return Some((
            "{who} is not authorised in the organisation (TF400813)",
            "have it added to {portal}, or sign in with an account that is a member",
        ));
    }
    None
}

/// A policy of the organisation or its tenant, such as one for IP addresses.
/// <https://learn.microsoft.com/azure/devops/organizations/accounts/change-application-access-policies>
const POLICY: &str = "VS403463";

fn refused(
    system: &dyn System,
    response: &Response,
    feed: &Feed,
    bearer: &Secret,
    account: Option<&str>,
) -> ExchangeFailure {
    let (host, status) = (&response.host, response.status);
    let refusal = Refusal::read(response, &[bearer.expose()]);
    let who = account.unwrap_or("this account");
    let portal = without_middle(&feed.portal(), LONGEST_NAME);
    if let Some((what, hint)) = known(&refusal, status).filter(|_| (400..500).contains(&status)) {
        let fill = |text: &str| {
            let text = text.replace("{status}", &status.to_string()).replace("{portal}", &portal);
            text.replace("{who}", who)
        };
        let error = Error::new(Kind::Rejected, fill(what)).with_hint(fill(hint));
        return ExchangeFailure { error, newer_may_serve: refusal.mentions(POLICY) };
    }
    let what = match status {
        401 => format!("{host} rejected the token of {who}"),
        203 | 300..=399 => format!("{host} sent a sign-in page instead of a token"),
        _ => format!("{host} gave no session token for {who} (HTTP {status})"),
    };
    let hint = format!("is this account a member of {portal}? If not, sign in as one that is");
    let error = refusal.into_error(what, Some(hint.into()));
    let error = match ClockSkew::of(system, response).filter(|_| error.kind() == Kind::Rejected) {
        Some(skew) => skew.explain(error),
        None => error,
    };
    ExchangeFailure { error, newer_may_serve: matches!(status, 401 | 403) }
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

    const FEED: &str = "https://pkgs.dev.azure.com/contoso/";

    const URL: &str = "https://vssps.dev.azure.com/contoso/_apis/Token/SessionTokens";

    fn ask(fake: &FakeSystem, service: &str) -> Result<AccessToken, Error> {
        try_to_ask(fake, service).map_err(|refused| refused.error)
    }

    fn try_to_ask(fake: &FakeSystem, service: &str) -> Result<AccessToken, ExchangeFailure> {
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
        let document: Value = serde_json::from_slice(&request.body).unwrap();
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
    fn a_refused_lifetime_is_left_out_once() {
        let service = "https://pkgs.dev.azure.com/contoso/";
        for (refusals, expected) in [(0, true), (1, true), (2, false)] {
            let mut fake = FakeSystem::default().variable("ARTIFACTS_CREDENTIALPROVIDER_VSTS_SESSIONTIMEMINUTES", "90");
            for _ in 0..refusals {
                fake = fake.answer(Method::Post, URL, 400, r#"{"message":"VS403457: too long"}"#);
            }
            let outcome = ask(&fake.answer(Method::Post, URL, 200, r#"{"token":"t"}"#), service);
            assert_eq!(outcome.is_ok(), expected, "{refusals}");
        }
    }

    #[test]
    fn the_lifetime_is_sent_as_a_point_in_time() {
        let fake = FakeSystem::default()
            .variable("NUGET_CREDENTIALPROVIDER_VSTS_SESSIONTIMEMINUTES", "90")
            .answer(Method::Post, URL, 400, "")
            .answer(Method::Post, URL, 200, r#"{"token":"t"}"#);
        ask(&fake, "https://pkgs.dev.azure.com/contoso/").unwrap();
        let sent: Vec<_> = fake
            .requests()
            .iter()
            .map(|request| serde_json::from_slice::<Value>(&request.body).unwrap()["validTo"].clone())
            .collect();
        assert_eq!(sent, [json!("2026-11-22T01:30:00Z"), Value::Null]);
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
    fn known_refusals_are_explained_without_a_quotation() {
        for (status, message, what, hint, newer_may_serve) in [
            (
                401,
                "TF401444: Please sign-in",
                "wants ada@contoso.example to sign in once",
                "open https://dev.azure.com/contoso",
                false,
            ),
            (
                401,
                "TF400813: The user is not authorized",
                "is not authorised in the organisation (TF400813)",
                "have it added to https://dev.azure.com/contoso",
                false,
            ),
            (
                403,
                "VS403463: The conditional access policy failed",
                "a Conditional Access or IP policy refuses ada@contoso.example",
                "allowed network and device",
                true,
            ),
            (
                401,
                "VS403463: The conditional access policy failed",
                "policy refuses",
                "allowed network and device",
                true,
            ),
            (402, "", "ada@contoso.example has no licence for Artifacts (HTTP 402)", "access level to Basic", false),
            (
                403,
                "The user does not have a license for Package Management",
                "no licence for Artifacts (HTTP 403)",
                "access level to Basic",
                false,
            ),
            (403, "Stakeholder access", "no licence for Artifacts", "access level to Basic", false),
        ] {
            let body = json!({ "message": format!("{message} x-detail") }).to_string();
            let refused =
                try_to_ask(&FakeSystem::default().answer(Method::Post, URL, status, &body), FEED).unwrap_err();
            let error = refused.error;
            assert_eq!((error.kind(), refused.newer_may_serve), (Kind::Rejected, newer_may_serve), "{message}");
            assert!(
                error.message().contains(what) && error.hint().is_some_and(|given| given.contains(hint)),
                "{error}"
            );
            assert!(!error.to_string().contains("x-detail") && error.message().len() < 100, "{error}");
        }
    }

    #[test]
    fn other_refusals_quote_the_message_field_alone() {
        let anonymous = "TF400813: Resource not available for anonymous access";
        for (status, message, newer_may_serve) in [(401, anonymous, true), (403, "no", true), (400, "no", false)] {
            let body = json!({ "message": message, "secret": "x-secret" }).to_string();
            let refused =
                try_to_ask(&FakeSystem::default().answer(Method::Post, URL, status, &body), FEED).unwrap_err();
            assert_eq!((refused.error.kind(), refused.newer_may_serve), (Kind::Rejected, newer_may_serve));
            assert!(refused.error.message().ends_with(message), "{}", refused.error);
            assert!(!refused.error.to_string().contains("x-secret"));
        }
        let error = ask(&FakeSystem::default().answer(Method::Post, URL, 302, "<html>"), FEED).unwrap_err();
        assert!(error.message().contains("sign-in page"), "{error}");
    }

    #[test]
    fn a_refusal_by_a_service_with_another_time_names_the_clock() {
        let date = [("Date", "Sun, 22 Nov 2026 03:00:00 GMT")];
        let fake = || FakeSystem::default().answer_with_headers(Method::Post, URL, 401, &date, "");
        assert_eq!(ask(&fake(), FEED).unwrap_err().hint(), Some("this machine's clock is 3 h behind: correct it"));
    }

    #[test]
    fn the_expiry_is_by_this_machines_clock() {
        // The service's time is 21:00, and its token lives for an hour or for four.
        let date = [("Date", "Sat, 21 Nov 2026 21:00:00 GMT")];
        for (valid_to, left) in [("2026-11-21T22:00:00Z", 3600), ("2026-11-22T01:00:00Z", 3600)] {
            let body = json!({ "token": "t", "validTo": valid_to }).to_string();
            let fake = FakeSystem::default().answer_with_headers(Method::Post, URL, 200, &date, &body);
            let end = ask(&fake, FEED).unwrap().expires().unwrap();
            assert_eq!(end.duration_since(fake.now()).unwrap().as_secs(), left, "{valid_to}");
        }
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
