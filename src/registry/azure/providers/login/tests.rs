//! Tests of the silent provider.

use serde_json::json;

use super::*;
use crate::system::{fake::FakeSystem, http::Method};

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const OTHER_TENANT: &str = "99999999-2222-3333-4444-555555555555";
const HINT: &str = "ARTIFACTS_CREDENTIALPROVIDER_MSAL_LOGIN_HINT";

fn system() -> FakeSystem {
    FakeSystem::default().home("/home/user")
}

/// Keeps a login, as `ringbearer login` does.
fn sign_in(fake: &FakeSystem, name: &str, signed_in: u64, tenant: &str) -> Account {
    let account = Account {
        signed_in,
        tenants: vec![tenant.to_owned()],
        organisations: vec!["contoso".to_owned()],
        ..Account::example(name)
    };
    storage::write(fake, &account, &Secret::new(format!("refresh-of-{name}"))).unwrap();
    Logins::change(fake, |accounts| accounts.insert(0, account.clone())).unwrap();
    account
}

fn ask(fake: &FakeSystem) -> Result<Attempt<Grant>> {
    Login.token(fake, &Tenant::new(TENANT).unwrap())
}

fn skipped(fake: &FakeSystem) -> String {
    match ask(fake).unwrap() {
        Attempt::NotConfigured(why) => why,
        Attempt::Token(_) => panic!("a token"),
    }
}

fn endpoint() -> String {
    format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token")
}

/// A system that grants one token.
fn granting() -> FakeSystem {
    let body = r#"{"access_token":"t","expires_in":3600,"refresh_token":"refresh-secret-2"}"#;
    system().answer(Method::Post, &endpoint(), 200, body)
}

fn refusing(error: &str, number: u64) -> FakeSystem {
    let text = format!("AADSTS{number}: Refused.");
    let body = json!({"error": error, "error_description": text, "error_codes": [number]}).to_string();
    system().answer(Method::Post, &endpoint(), 400, &body)
}

fn kept(fake: &FakeSystem, account: &Account) -> Option<String> {
    storage::read(fake, account).unwrap().map(|kept| kept.refresh_token.expose().to_owned())
}

#[test]
fn without_a_login_nothing_is_asked() {
    assert_eq!(skipped(&system()), "nobody has signed in with `ringbearer login`");
    assert!(!is_configured(&system()));
    let fake = system();
    sign_in(&fake, "ada", 1, TENANT);
    assert!(is_configured(&fake));
    let other = fake.variable("RINGBEARER_AZURE_LOGIN_CLIENT_ID", OTHER_TENANT);
    assert_eq!(skipped(&other), "nobody has signed in to this client and cloud with `ringbearer login`");
}

#[test]
fn a_refresh_token_is_not_for_another_cloud() {
    let fake = system();
    let account = sign_in(&fake, "ada", 1, TENANT);
    let tenant = Tenant::from_authorization_uri(&format!("https://login.microsoftonline.us/{TENANT}")).unwrap();
    assert!(matches!(Login.token(&fake, &tenant), Ok(Attempt::NotConfigured(_))));
    assert_eq!(fake.requests().len(), 0);
    assert_eq!(kept(&fake, &account).as_deref(), Some("refresh-of-ada"));
}

#[test]
fn a_variable_that_keeps_no_login_uses_none() {
    let cache = "NUGET_CREDENTIALPROVIDER_MSAL_FILECACHE_ENABLED";
    for variables in [&[(storage::VARIABLE, "off")][..], &[(storage::VARIABLE, "OFF")], &[(cache, "false")]] {
        let fake = variables.iter().fold(system(), |fake, (name, value)| fake.variable(name, value));
        sign_in(&fake, "ada", 1, TENANT);
        assert_eq!(skipped(&fake), "a variable says that no login is kept", "{variables:?}");
        assert!(!is_configured(&fake) && fingerprint(&fake).is_empty(), "{variables:?}");
    }
    let fake = granting().variable(cache, "false").variable(storage::VARIABLE, "session");
    sign_in(&fake, "ada", 1, TENANT);
    assert!(matches!(ask(&fake), Ok(Attempt::Token(_))));
}

#[test]
fn a_refresh_keeps_the_newer_token_and_notes_the_tenant() {
    let fake = granting();
    let account = sign_in(&fake, "ada", 1, OTHER_TENANT);
    let before = fingerprint(&fake);
    let Attempt::Token(Grant::Bearer(token)) = ask(&fake).unwrap() else { panic!("no bearer") };
    assert_eq!(token.secret().expose(), "t");
    assert_eq!(kept(&fake, &account).as_deref(), Some("refresh-secret-2"));
    assert_eq!(Logins::read(&fake).unwrap().accounts()[0].tenants, [OTHER_TENANT, TENANT]);
    assert_eq!(fingerprint(&fake), before, "cached credentials remain");
}

#[test]
fn an_ended_login_is_forgotten_and_reported_until_the_next() {
    let fake = refusing("invalid_grant", 700_082);
    let account = sign_in(&fake, "ada", 1, TENANT);
    let error = ask(&fake).unwrap_err();
    assert!(error.message().starts_with("the login of ada@contoso.example: "), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("`ringbearer login URL`")), "{error}");
    assert_eq!(kept(&fake, &account), None);
    let error = ask(&fake).unwrap_err();
    assert_eq!(error.to_string(), "the login of ada@contoso.example has ended; run `ringbearer login URL`");
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn a_tenant_that_wants_the_person_ends_no_login() {
    for (error, number) in [("interaction_required", 50_076), ("invalid_grant", 53_003), ("invalid_grant", 70_043)] {
        let fake = refusing(error, number);
        let account = sign_in(&fake, "ada", 1, TENANT);
        assert_eq!(ask(&fake).unwrap_err().kind(), Kind::Rejected);
        assert_eq!(kept(&fake, &account).as_deref(), Some("refresh-of-ada"), "{number}");
        assert!(!Logins::read(&fake).unwrap().accounts()[0].ended, "{number}");
    }
}

#[test]
fn a_sign_in_meanwhile_is_not_marked_as_ended() {
    let fake = system();
    let before = sign_in(&fake, "ada", 1, TENANT);
    Logins::change(&fake, Vec::clear).unwrap();
    let after = sign_in(&fake, "ada", 2, TENANT);
    end(&fake, &before, &Secret::new("refused".to_owned()));
    assert_eq!(Logins::read(&fake).unwrap().accounts(), std::slice::from_ref(&after));
    assert!(kept(&fake, &after).is_some());
}

#[test]
fn a_sign_in_that_is_not_listed_yet_keeps_its_refresh_token() {
    let fake = system();
    let listed = sign_in(&fake, "ada", 1, TENANT);
    let next = Account { signed_in: 2, ..listed.clone() };
    storage::write(&fake, &next, &Secret::new("refresh-of-next".to_owned())).unwrap();
    end(&fake, &listed, &Secret::new("refresh-of-ada".to_owned()));
    assert_eq!(kept(&fake, &next).as_deref(), Some("refresh-of-next"));
}

#[test]
fn an_end_is_another_identity_than_a_logout() {
    let fake = refusing("invalid_grant", 700_082);
    sign_in(&fake, "alice", 1, OTHER_TENANT);
    let alone = fingerprint(&fake);
    sign_in(&fake, "ada", 2, TENANT);
    ask(&fake).unwrap_err();
    assert!(Logins::read(&fake).unwrap().accounts()[0].ended);
    assert_ne!(fingerprint(&fake), alone, "alice answers for ada from the cache");
    assert!(ask(&fake).unwrap_err().message().contains("ada@contoso.example has ended"));
}

#[test]
fn a_login_that_is_gone_with_its_session_is_a_failure() {
    let fake = system();
    let account = sign_in(&fake, "ada", 1, TENANT);
    storage::remove(&fake, &account).unwrap();
    let error = ask(&fake).unwrap_err();
    let what = "the login of ada@contoso.example is not kept in this login session; run `ringbearer login URL`";
    assert_eq!(error.to_string(), what);
}

#[test]
fn the_account_is_that_of_the_hint_the_tenant_or_the_newest() {
    for (hint, tenants, expected) in [
        ("", [OTHER_TENANT, OTHER_TENANT], "alice"),
        ("", [TENANT, OTHER_TENANT], "ada"),
        ("Ada@contoso.example", [OTHER_TENANT, TENANT], "ada"),
    ] {
        let fake = granting().variable(HINT, hint);
        sign_in(&fake, "ada", 1, tenants[0]);
        sign_in(&fake, "alice", 2, tenants[1]);
        assert!(matches!(ask(&fake), Ok(Attempt::Token(_))));
        let body = String::from_utf8(fake.requests()[0].body.to_vec()).unwrap();
        assert!(body.contains(&format!("refresh_token=refresh-of-{expected}")), "{hint} {tenants:?}");
    }
    let fake = system().variable(HINT, "eve@contoso.example");
    sign_in(&fake, "ada", 1, TENANT);
    let error = ask(&fake).unwrap_err();
    assert_eq!(error.message(), "eve@contoso.example has not signed in with `ringbearer login`");
}

#[test]
fn an_authority_replaces_the_tenant_of_the_feed() {
    let authority = format!("https://login.microsoftonline.com/{OTHER_TENANT}");
    let asked = format!("{authority}/oauth2/v2.0/token");
    let fake = system().variable("ARTIFACTS_CREDENTIALPROVIDER_MSAL_AUTHORITY", &authority).answer(
        Method::Post,
        &asked,
        200,
        r#"{"access_token":"t"}"#,
    );
    let account = sign_in(&fake, "ada", 1, TENANT);
    assert!(matches!(ask(&fake), Ok(Attempt::Token(_))));
    assert_eq!(kept(&fake, &account).as_deref(), Some("refresh-of-ada"), "the answer brought none");
}

#[test]
fn a_login_is_refreshed_in_its_own_cloud_only() {
    let authority = format!("https://login.microsoftonline.us/{TENANT}");
    let fake = system().variable("ARTIFACTS_CREDENTIALPROVIDER_MSAL_AUTHORITY", &authority);
    sign_in(&fake, "ada", 1, TENANT);
    assert!(skipped(&fake).contains("this client and cloud"));
}

#[test]
fn another_sign_in_changes_the_fingerprint() {
    let fake = system();
    let mut seen = vec![fingerprint(&fake)];
    sign_in(&fake, "ada", 1, TENANT);
    seen.push(fingerprint(&fake));
    sign_in(&fake, "alice", 2, TENANT);
    seen.push(fingerprint(&fake));
    let ended = Logins::change(&fake, |accounts| accounts.iter_mut().for_each(|account| account.ended = true));
    ended.unwrap();
    seen.push(fingerprint(&fake));
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 4);
}
