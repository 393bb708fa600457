//! The silent refresh: an access token by the refresh token of a login.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow#refresh-the-access-token>

use super::{
    client,
    logins::Account,
    token::{self, Code, Refusal, Tokens},
};
use crate::{
    error::{Error, Kind, LONGEST_NAME, without_middle},
    registry::azure::{
        entra::{ANY_ORGANISATION, Tenant},
        retries::attempts,
    },
    secret::Secret,
    system::{System, retry},
};

/// The home tenant of personal Microsoft accounts.
const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// The tenant in which personal accounts get tokens for organisations without a tenant: `organizations` refuses to refresh
/// them.
const OF_PERSONAL: &str = "f8cdef31-a31e-4b4a-93e4-5f571e91255a";

/// The refusals after which a refresh token serves nowhere any more, by `suberror`.
const ENDED_SUBERRORS: [&str; 2] = ["bad_token", "token_expired"];

/// The number of a policy's sign-in frequency. Its suberror is that of a refresh token to delete, and yet the login serves
/// tenants without the policy.
const SIGN_IN_FREQUENCY: &str = "70043";

/// The same by number: unused for 90 days, the password was changed, the account is disabled, the token's lifetime is over.
const ENDED_CODES: [&str; 5] = ["700082", "50173", "50057", "700081", "700084"];

/// What a refusal means for the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::registry::azure) enum Meaning {
    /// The login has ended everywhere.
    Ended,
    /// This tenant, or the network, wants the person to sign in. The login may serve elsewhere.
    SignIn,
    /// The refresh token is another client's.
    OtherClient,
    /// Nothing: the failure is not about the login.
    Unrelated,
}

/// Why there is no access token.
#[derive(Debug)]
pub(in crate::registry::azure) struct Failure {
    /// What it means for the login.
    pub(in crate::registry::azure) meaning: Meaning,
    /// The error, which names the account and what to do.
    pub(in crate::registry::azure) error: Error,
}

/// Refreshes a login in a tenant. A refresh token belongs to an account and a client, so that it serves in every tenant of
/// which the account is a member or guest.
pub(in crate::registry::azure) fn refresh(
    system: &dyn System,
    tenant: &Tenant,
    account: &Account,
    refresh_token: &Secret,
) -> Result<Tokens, Failure> {
    let failed = |refusal: Box<Refusal>| failure(account, *refusal);
    let tenant = tenant_of(account, tenant).map_err(|error| failed(error.into()))?;
    let scope = client::scope();
    let grant = [("grant_type", "refresh_token"), ("scope", scope.as_str()), ("refresh_token", refresh_token.expose())];
    let request = token::request(&tenant, &account.client_id, &grant).map_err(|error| failed(error.into()))?;
    let response =
        retry::send(system, &request.with_attempts(attempts(system))).map_err(|error| failed(error.into()))?;
    token::read(system, &tenant, &response, &grant).map_err(failed)
}

/// The tenant that is asked: at no other login host than the one that the refresh token is from.
fn tenant_of(account: &Account, of_feed: &Tenant) -> crate::error::Result<Tenant> {
    if account.login_host != of_feed.login_host {
        let what = format!("its refresh token is not from {}", of_feed.login_host);
        return Err(Error::new(Kind::Rejected, what).with_hint("run `ringbearer login URL`"));
    }
    let is_personal = account.home_id.split_once('.').is_some_and(|(_, home)| home == PERSONAL);
    if is_personal && of_feed.id == ANY_ORGANISATION { of_feed.named(OF_PERSONAL) } else { Ok(of_feed.clone()) }
}

fn meaning(refusal: &Refusal) -> Meaning {
    let has_ended = || {
        !refusal.numbers.iter().any(|number| number == SIGN_IN_FREQUENCY)
            && ENDED_SUBERRORS.contains(&refusal.suberror.as_str())
            || refusal.numbers.iter().any(|number| ENDED_CODES.contains(&number.as_str()))
    };
    match refusal.code {
        Code::InvalidGrant if refusal.suberror == "client_mismatch" => Meaning::OtherClient,
        Code::InvalidGrant if has_ended() => Meaning::Ended,
        Code::InvalidGrant | Code::InteractionRequired => Meaning::SignIn,
        _ => Meaning::Unrelated,
    }
}

fn failure(account: &Account, refusal: Refusal) -> Failure {
    let meaning = meaning(&refusal);
    let error = refusal.error;
    let hint = match meaning {
        Meaning::Unrelated => None,
        Meaning::OtherClient => {
            Some("run `ringbearer login URL`, or correct RINGBEARER_AZURE_LOGIN_CLIENT_ID: it is another application's")
        }
        Meaning::Ended | Meaning::SignIn if error.hint().is_some() => None,
        Meaning::Ended => Some("it has ended: run `ringbearer login URL`"),
        Meaning::SignIn => Some("run `ringbearer login URL`"),
    };
    let error = match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    };
    let error =
        if error.ends_the_lookup() { error } else { error.within(format_args!("the login of {}", shown(account))) };
    Failure { meaning, error }
}

/// The account, for messages.
pub(in crate::registry::azure) fn shown(account: &Account) -> String {
    without_middle(&account.username, LONGEST_NAME)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        registry::azure::login::{client, logins::Place},
        system::{fake::FakeSystem, http::Method},
    };

    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

    fn account(home: &str) -> Account {
        Account {
            client_id: "d5a56ea4-7369-46b8-a538-c370805301bf".to_owned(),
            home_id: format!("ada.{home}"),
            username: "ada@contoso.example".to_owned(),
            login_host: "login.microsoftonline.com".to_owned(),
            signed_in: 0,
            tenants: Vec::new(),
            organisations: Vec::new(),
            place: Place::Session,
            ended: false,
        }
    }

    fn refreshed(fake: &FakeSystem, home: &str, tenant: &str) -> Result<Tokens, Failure> {
        let token = Secret::new("refresh-secret-1".to_owned());
        refresh(fake, &Tenant::new(tenant).unwrap(), &account(home), &token)
    }

    fn endpoint(tenant: &str) -> String {
        format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token")
    }

    #[test]
    fn a_refresh_asks_the_tenant_of_the_feed() {
        for (home, feed, asked) in [
            (TENANT, TENANT, TENANT),
            ("home", TENANT, TENANT),
            ("home", ANY_ORGANISATION, ANY_ORGANISATION),
            (PERSONAL, TENANT, TENANT),
            (PERSONAL, ANY_ORGANISATION, OF_PERSONAL),
        ] {
            let body = r#"{"access_token":"t","expires_in":3600,"refresh_token":"refresh-secret-2"}"#;
            let fake = FakeSystem::default().answer(Method::Post, &endpoint(asked), 200, body);
            let tokens = refreshed(&fake, home, feed).unwrap();
            assert_eq!(tokens.access_token.secret().expose(), "t");
            assert_eq!(tokens.refresh_token.unwrap().expose(), "refresh-secret-2");
            let form = fake.requests()[0].body.to_vec();
            let form: Vec<_> = url::form_urlencoded::parse(&form).into_owned().collect();
            for (name, value) in [
                ("grant_type", "refresh_token"),
                ("client_id", "d5a56ea4-7369-46b8-a538-c370805301bf"),
                ("refresh_token", "refresh-secret-1"),
                ("scope", &client::scope()),
                ("client_info", "1"),
            ] {
                assert!(form.contains(&(name.to_owned(), value.to_owned())), "{name}");
            }
        }
    }

    /// Code of OAuth, suberror, number, and what they mean.
    const REFUSALS: [(&str, &str, u64, Meaning); 21] = [
        ("invalid_grant", "bad_token", 0, Meaning::Ended),
        ("invalid_grant", "token_expired", 0, Meaning::Ended),
        ("invalid_grant", "", 700_082, Meaning::Ended),
        ("invalid_grant", "", 50_173, Meaning::Ended),
        ("invalid_grant", "", 50_057, Meaning::Ended),
        ("invalid_grant", "", 700_081, Meaning::Ended),
        ("invalid_grant", "", 700_084, Meaning::Ended),
        ("invalid_grant", "basic_action", 50_076, Meaning::SignIn),
        ("interaction_required", "basic_action", 50_076, Meaning::SignIn),
        ("invalid_grant", "", 50_079, Meaning::SignIn),
        ("invalid_grant", "message_only", 53_000, Meaning::SignIn),
        ("invalid_grant", "message_only", 53_003, Meaning::SignIn),
        ("invalid_grant", "consent_required", 65_001, Meaning::SignIn),
        ("interaction_required", "", 50_097, Meaning::SignIn),
        ("invalid_grant", "token_expired", 70_043, Meaning::SignIn),
        ("invalid_grant", "", 70_008, Meaning::SignIn),
        ("invalid_grant", "", 0, Meaning::SignIn),
        ("invalid_grant", "client_mismatch", 0, Meaning::OtherClient),
        ("invalid_client", "", 7_000_218, Meaning::Unrelated),
        ("unauthorized_client", "", 700_016, Meaning::Unrelated),
        ("invalid_request", "bad_token", 50_173, Meaning::Unrelated),
    ];

    #[test]
    fn the_error_decides_what_becomes_of_the_login() {
        for (code, suberror, number, expected) in REFUSALS {
            let body = json!({
                "error": code, "suberror": suberror, "error_codes": [number],
                "error_description": format!("AADSTS{number}: Refused for refresh-secret-1. Trace ID: 1"),
            });
            let fake = FakeSystem::default().answer(Method::Post, &endpoint(TENANT), 400, &body.to_string());
            let failure = refreshed(&fake, TENANT, TENANT).unwrap_err();
            assert_eq!(failure.meaning, expected, "{body}");
            let error = failure.error;
            assert!(error.message().starts_with("the login of ada@contoso.example: "), "{error}");
            assert!(!error.to_string().contains("refresh-secret"), "{error}");
            assert!(expected == Meaning::Unrelated || error.hint().is_some_and(|hint| !hint.is_empty()), "{error}");
        }
    }

    #[test]
    fn a_refresh_token_goes_to_no_other_login_host() {
        let fake = FakeSystem::default();
        let tenant = Tenant::from_authorization_uri("https://login.microsoftonline.us/contoso.example").unwrap();
        let token = Secret::new("refresh-secret-1".to_owned());
        let failure = refresh(&fake, &tenant, &account("home"), &token).unwrap_err();
        assert_eq!((failure.meaning, failure.error.kind()), (Meaning::Unrelated, Kind::Rejected));
        assert_eq!(fake.requests().len(), 0);
    }

    #[test]
    fn a_server_that_is_down_ends_no_login() {
        let mut fake = FakeSystem::default().failure(Method::Post, &endpoint(TENANT), true);
        for status in [503, 500] {
            fake = fake.answer(Method::Post, &endpoint(TENANT), status, "<html>");
        }
        let failure = refreshed(&fake, TENANT, TENANT).unwrap_err();
        assert_eq!((failure.meaning, failure.error.kind()), (Meaning::Unrelated, Kind::Protocol));
        fake.assert_done();
    }

    #[test]
    fn a_refresh_token_is_one_word_of_limited_length() {
        for token in [String::new(), "two words".to_owned(), "a\u{1}".to_owned(), "x".repeat(8 * 1024 + 1)] {
            let body = json!({"access_token": "t", "refresh_token": token}).to_string();
            let fake = FakeSystem::default().answer(Method::Post, &endpoint(TENANT), 200, &body);
            assert_eq!(refreshed(&fake, TENANT, TENANT).unwrap_err().error.kind(), Kind::Protocol);
        }
    }
}
