//! The silent refresh: an access token by the refresh token of a login.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow#refresh-the-access-token>

use super::{
    client,
    logins::Account,
    token::{self, Code, Refusal, Tokens},
};
use crate::{
    error::{Error, Kind, Result},
    registry::azure::{
        entra::{ANY_ORGANISATION, Tenant},
        retries::attempts,
    },
    secret::Secret,
    system::{System, retry},
};

/// The home tenant of personal Microsoft accounts.
const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// The tenant in which personal accounts get tokens for organisations without a tenant: Entra ID refuses to refresh them in
/// `organizations`.
const TRANSFER_TENANT: &str = "f8cdef31-a31e-4b4a-93e4-5f571e91255a";

/// The values of `suberror` after which a refresh token serves in no tenant.
const ENDED_SUBERRORS: [&str; 2] = ["bad_token", "token_expired"];

/// The AADSTS numbers after which it does not: it was not used for 90 days, or its lifetime is over.
const ENDED_CODES: [&str; 3] = ["700082", "700081", "700084"];

/// The AADSTS numbers for sessions that were revoked, such as by a new password, and for a disabled account. They concern the
/// tenant that was asked: for a guest, the login serves elsewhere.
const ENDED_IN_TENANT: [&str; 2] = ["50173", "50057"];

/// The AADSTS numbers that concern this tenant or network only, whatever `suberror` says: a second factor, a policy, consent,
/// the device, and the sign-in frequency, whose `suberror` may be that of an ended login.
const KEPT_CODES: [&str; 7] = ["50076", "50079", "53000", "53003", "65001", "50097", "70043"];

/// What a refusal means for the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::registry::azure) enum Meaning {
    /// The login has ended everywhere.
    Ended,
    /// This tenant, or a policy for this network, requires a new sign-in. The login may serve elsewhere.
    SignIn,
    /// The refresh token is another client's.
    OtherClient,
    /// The failure does not concern the login.
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
) -> std::result::Result<Tokens, Failure> {
    let failed = |refusal: Box<Refusal>| failure(account, tenant, *refusal);
    let tenant = asked_tenant(account, tenant).map_err(|error| failed(error.into()))?;
    let scope = client::scope();
    let grant = [("grant_type", "refresh_token"), ("scope", scope.as_str()), ("refresh_token", refresh_token.expose())];
    let request = token::request(&tenant, &account.client_id, &grant).map_err(|error| failed(error.into()))?;
    let response =
        retry::send(system, &request.with_attempts(attempts(system))).map_err(|error| failed(error.into()))?;
    token::read(system, &tenant, &response, &grant).map_err(failed)
}

/// The tenant to ask. Fails for another login host than that of the refresh token.
fn asked_tenant(account: &Account, of_feed: &Tenant) -> Result<Tenant> {
    if account.login_host != of_feed.login_host {
        let what = format!("its refresh token is not from {}", of_feed.login_host);
        return Err(Error::new(Kind::Rejected, what).with_hint("run `ringbearer login URL`"));
    }
    let is_personal = account.home_id.split_once('.').is_some_and(|(_, home)| home == CONSUMERS);
    if is_personal && of_feed.id == ANY_ORGANISATION { of_feed.named(TRANSFER_TENANT) } else { Ok(of_feed.clone()) }
}

/// Whether the account is, or may be, a guest of the tenant: not in its home tenant, nor where it names none.
fn is_guest(account: &Account, asked: &Tenant) -> bool {
    let home = account.home_id.split_once('.').map_or("", |(_, home)| home);
    asked.id != ANY_ORGANISATION && !asked.id.eq_ignore_ascii_case(home)
}

fn meaning(refusal: &Refusal, is_guest: bool) -> Meaning {
    let has_one_of = |codes: &[&str]| refusal.numbers.iter().any(|number| codes.contains(&number.as_str()));
    let has_ended = || {
        if has_one_of(&KEPT_CODES) {
            return false;
        }
        if has_one_of(&ENDED_CODES) {
            return true;
        }
        if has_one_of(&ENDED_IN_TENANT) {
            return !is_guest;
        }
        ENDED_SUBERRORS.contains(&refusal.suberror.as_str())
    };
    match refusal.code {
        Code::InvalidGrant if refusal.suberror == "client_mismatch" => Meaning::OtherClient,
        Code::InvalidGrant if has_ended() => Meaning::Ended,
        Code::InvalidGrant | Code::InteractionRequired => Meaning::SignIn,
        _ => Meaning::Unrelated,
    }
}

fn failure(account: &Account, asked: &Tenant, refusal: Refusal) -> Failure {
    let meaning = meaning(&refusal, is_guest(account, asked));
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
        if error.ends_the_lookup() { error } else { error.within(format_args!("the login of {}", account.shown())) };
    Failure { meaning, error }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        error::Kind,
        registry::azure::login::client,
        system::{fake::FakeSystem, http::Method},
    };

    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

    fn account(home: &str) -> Account {
        Account { home_id: format!("ada.{home}"), ..Account::example("ada") }
    }

    fn refreshed(fake: &FakeSystem, home: &str, tenant: &str) -> std::result::Result<Tokens, Failure> {
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
            (CONSUMERS, TENANT, TENANT),
            (CONSUMERS, ANY_ORGANISATION, TRANSFER_TENANT),
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
    const REFUSALS: [(&str, &str, u64, Meaning); 22] = [
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
        ("invalid_grant", "", 70_043, Meaning::SignIn),
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
    fn a_tenant_ends_no_login_of_its_guests() {
        let meaning = |home: &str, feed: &str, number: u64| {
            let body = json!({"error": "invalid_grant", "suberror": "bad_token", "error_codes": [number]}).to_string();
            let fake = FakeSystem::default().answer(Method::Post, &endpoint(feed), 400, &body);
            refreshed(&fake, home, feed).unwrap_err().meaning
        };
        for number in [50_057, 50_173] {
            assert_eq!(meaning("home", TENANT, number), Meaning::SignIn, "{number}");
            assert_eq!(meaning(TENANT, TENANT, number), Meaning::Ended, "{number}");
            assert_eq!(meaning("home", ANY_ORGANISATION, number), Meaning::Ended, "{number}");
        }
        assert_eq!(meaning("home", TENANT, 700_082), Meaning::Ended);
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
