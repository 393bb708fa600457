//! Tests of the sign-in.

use serde_json::json;

use super::*;
use crate::{
    auth::jwt::token_of,
    registry::{CredentialSource, azure::login::storage::VARIABLE},
    system::{Clock, fake::FakeSystem, http},
};

const FEED: &str = "https://pkgs.dev.azure.com/Contoso/_packaging/feed/pypi/simple/";
const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const OTHER_TENANT: &str = "99999999-2222-3333-4444-555555555555";
const EXCHANGE: &str = "https://vssps.dev.azure.com/Contoso/_apis/Token/SessionTokens";

fn user() -> FakeSystem {
    FakeSystem::default().home("/home/user").variable(VARIABLE, "session")
}

/// Adds the answer of discovery.
fn discovered(fake: FakeSystem) -> FakeSystem {
    let challenge = format!("Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}");
    let authority = ("X-VSS-AuthorizationEndpoint", "https://vssps.dev.azure.com/Contoso/");
    fake.answer_with_headers(http::Method::Get, FEED, 401, &[("WWW-Authenticate", &challenge), authority], "")
}

/// Adds the answers of a sign-in by device code to a tenant.
fn signs_in(fake: FakeSystem, tenant: &str, name: &str) -> FakeSystem {
    let code = json!({
        "user_code": "ABCD", "device_code": "device-secret-1", "verification_uri": "https://microsoft.com/devicelogin",
    });
    let user = format!("{name}@contoso.example");
    let id_token = token_of(&json!({"preferred_username": user, "oid": name, "tid": "home"}));
    let bearer = token_of(&json!({"upn": user, "scp": "user_impersonation"}));
    let tokens = json!({"access_token": bearer, "refresh_token": format!("refresh-of-{name}"), "id_token": id_token});
    let endpoint = |name: &str| format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/{name}");
    fake.answer(http::Method::Post, &endpoint("devicecode"), 200, &code.to_string()).answer(
        http::Method::Post,
        &endpoint("token"),
        200,
        &tokens.to_string(),
    )
}

fn exchanges(fake: FakeSystem) -> FakeSystem {
    fake.answer(http::Method::Post, EXCHANGE, 200, r#"{"token":"session-token"}"#)
}

/// How a test signs in.
struct Options<'all> {
    service: &'all str,
    tenant: Option<&'all str>,
    account: Option<&'all str>,
    must_be_kept: bool,
}

const PLAIN: Options<'_> = Options { service: FEED, tenant: None, account: None, must_be_kept: true };

fn run(source: &AzureArtifacts, fake: &FakeSystem, options: &Options<'_>) -> (Result<SignedIn>, Vec<String>) {
    let Options { service, tenant, account, must_be_kept } = *options;
    let service = Service::parse(service);
    let wanted = Wanted { service: &service, method: None, tenant, account, is_fresh: false, must_be_kept };
    let mut steps = Vec::new();
    let outcome = SignIn::sign_in(source, fake, &wanted, &mut |step| steps.push(format!("{step:?}")));
    (outcome, steps)
}

fn error(fake: &FakeSystem, options: &Options<'_>) -> Error {
    run(&AzureArtifacts::default(), fake, options).0.unwrap_err()
}

fn accounts(fake: &FakeSystem) -> Vec<Account> {
    Logins::read(fake).unwrap().accounts().to_vec()
}

fn kept(fake: &FakeSystem, account: &Account) -> Option<String> {
    storage::read(fake, account).unwrap().map(|kept| kept.refresh_token.expose().to_owned())
}

#[test]
fn a_sign_in_gives_a_credential_and_keeps_the_login() {
    let fake = exchanges(signs_in(discovered(user()), TENANT, "ada"));
    let source = AzureArtifacts::default();
    let (outcome, steps) = run(&source, &fake, &PLAIN);
    let SignedIn { login, credential } = outcome.unwrap();
    assert_eq!((credential.username.as_str(), credential.password.expose()), ("VssSessionToken", "session-token"));
    assert_eq!(credential.owner.as_deref(), Some("ada@contoso.example"));
    assert_eq!(
        (login.account.as_str(), login.organisations.as_slice()),
        ("ada@contoso.example", &["contoso".to_owned()][..])
    );
    assert_eq!(login.life, "it ends with this session, after 90 days at most");
    assert!(login.kept_in.is_some() && fake.now().duration_since(login.signed_in).unwrap().as_secs() < 10);
    assert_eq!(
        steps[0],
        format!("Begins {{ index: \"pkgs.dev.azure.com/Contoso\", organisation: \"contoso\", tenant: \"{TENANT}\" }}")
    );
    let all = accounts(&fake);
    assert_eq!(
        (all.len(), all[0].tenants.as_slice(), all[0].home_id.as_str()),
        (1, &[TENANT.to_owned()][..], "ada.home")
    );
    assert_eq!(kept(&fake, &all[0]).as_deref(), Some("refresh-of-ada"));
    assert_eq!(SignIn::logins(&source, &fake).unwrap(), [login]);
    fake.assert_done();
}

#[test]
fn a_place_that_does_not_work_is_an_error_before_any_request() {
    let nowhere = || FakeSystem::default().home("/home/user").without_shared_memory();
    for (fake, must_be_kept) in [
        (nowhere(), true),
        (nowhere().variable(VARIABLE, "session"), false),
        (nowhere().variable(VARIABLE, "drawer"), false),
    ] {
        assert_eq!(error(&fake, &Options { must_be_kept, ..PLAIN }).kind(), Kind::Configuration);
        assert_eq!(fake.requests().len(), 0);
    }
}

#[test]
fn a_login_is_kept_although_the_feed_refuses_the_account() {
    let fake = signs_in(discovered(user()), TENANT, "ada").answer(http::Method::Post, EXCHANGE, 401, "");
    let error = error(&fake, &PLAIN);
    assert!(error.message().starts_with("the fake rejected the token of ada@contoso.example"), "{error}");
    assert_eq!(error.note(), Some("the login is kept"));
    assert_eq!(accounts(&fake).len(), 1);
}

#[test]
fn another_account_than_the_expected_one_is_not_kept() {
    let fake = signs_in(discovered(user()), TENANT, "ada");
    let error = error(&fake, &Options { account: Some("alice@contoso.example"), ..PLAIN });
    assert_eq!(error.message(), "ada@contoso.example signed in, and not alice@contoso.example");
    assert_eq!(accounts(&fake), []);
    assert_eq!(fake.requests().len(), 3, "nothing was exchanged");
}

#[test]
fn a_login_that_is_not_kept_serves_once() {
    let unkept = |fake: FakeSystem| exchanges(signs_in(discovered(fake), TENANT, "ada"));
    let nowhere = || FakeSystem::default().home("/home/user").without_shared_memory();
    for (fake, must_be_kept) in [
        (unkept(nowhere()), false),
        (unkept(user().variable(VARIABLE, "off")), false),
        (unkept(user().variable(VARIABLE, "off")), true),
    ] {
        let (outcome, _) = run(&AzureArtifacts::default(), &fake, &Options { must_be_kept, ..PLAIN });
        let login = outcome.unwrap().login;
        assert_eq!((login.kept_in, login.life.as_str()), (None, "it serves this command only"));
        assert_eq!(accounts(&fake), []);
    }
}

#[test]
fn a_login_that_is_not_kept_serves_its_process() {
    let fake = user().variable(VARIABLE, "off").variable("RINGBEARER_CACHE", "memory");
    let fake = exchanges(signs_in(discovered(fake), TENANT, "ada"));
    let source = AzureArtifacts::default();
    run(&source, &fake, &PLAIN).0.unwrap();
    let found = source.get(&fake, &Service::parse(FEED)).unwrap().unwrap();
    assert_eq!(found.password.expose(), "session-token");
    fake.assert_done();
}

#[test]
fn the_tenant_of_the_option_beats_that_of_the_feed() {
    let fake = exchanges(signs_in(discovered(user()), OTHER_TENANT, "ada"));
    assert!(run(&AzureArtifacts::default(), &fake, &Options { tenant: Some(OTHER_TENANT), ..PLAIN }).0.is_ok());
    assert_eq!(accounts(&fake)[0].tenants, [OTHER_TENANT]);
    let error = error(&discovered(user()), &Options { tenant: Some("--evil"), ..PLAIN });
    assert_eq!(error.kind(), Kind::Usage);
}

#[test]
fn an_organisation_of_personal_accounts_has_no_tenant() {
    let headers = [
        ("WWW-Authenticate", "Bearer"),
        ("X-VSS-ResourceTenant", "00000000-0000-0000-0000-000000000000"),
        ("X-VSS-AuthorizationEndpoint", "https://vssps.dev.azure.com/Contoso/"),
    ];
    let fake = user().answer_with_headers(http::Method::Get, FEED, 401, &headers, "");
    let fake = exchanges(signs_in(fake, "organizations", "ada"));
    assert!(run(&AzureArtifacts::default(), &fake, &PLAIN).0.is_ok());
    assert_eq!(accounts(&fake)[0].tenants, [""; 0]);
}

#[test]
fn nobody_signs_in_where_there_is_no_feed() {
    for (service, message) in [
        ("https://pkgs.dev.azure.com/", "no credential for pkgs.dev.azure.com: it names no organisation"),
        ("https://tfs.example/C/_packaging/f/pypi/simple/", "tfs.example is not a host of Azure Artifacts"),
        ("nothing", "nothing is not a host of Azure Artifacts"),
    ] {
        let error = error(&user(), &Options { service, ..PLAIN });
        assert!(error.message().starts_with(message), "{error}");
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(!error.to_string().contains("--index-url"), "{error}");
    }
}

#[test]
fn a_second_login_of_an_account_replaces_the_first() {
    let fake = user();
    let first = Account { organisations: vec!["fabrikam".to_owned()], ..of("ada", 1, OTHER_TENANT) };
    for account in [first, of("alice", 2, TENANT)] {
        keep_login(&fake, &account, &Secret::new("older".to_owned())).unwrap();
    }
    keep_login(&fake, &of("ada", 3, TENANT), &Secret::new("newer".to_owned())).unwrap();
    let all = accounts(&fake);
    assert_eq!(all.iter().map(|account| account.home_id.as_str()).collect::<Vec<_>>(), ["ada.home", "alice.home"]);
    assert_eq!(all[0].tenants, [TENANT, OTHER_TENANT]);
    assert_eq!(all[0].organisations, ["contoso", "fabrikam"]);
    assert_eq!(kept(&fake, &all[0]).as_deref(), Some("newer"));
}

#[test]
fn a_login_that_cannot_be_listed_leaves_the_older_one() {
    for (older, is_left) in [(true, true), (false, false)] {
        let fake = user();
        if older {
            keep_login(&fake, &of("ada", 1, TENANT), &Secret::new("older".to_owned())).unwrap();
        }
        let odd = Account { username: "ada\u{1b}".to_owned(), ..of("ada", 2, TENANT) };
        assert!(keep_login(&fake, &odd, &Secret::new("newer".to_owned())).is_err());
        assert_eq!((accounts(&fake).len(), kept(&fake, &odd).is_some()), (usize::from(older), is_left));
    }
}

#[test]
fn logins_of_two_clouds_do_not_replace_each_other() {
    let fake = user();
    let other = Account { login_host: "login.microsoftonline.us".to_owned(), ..of("ada", 2, TENANT) };
    for (account, token) in [(of("ada", 1, TENANT), "public"), (other, "government")] {
        keep_login(&fake, &account, &Secret::new(token.to_owned())).unwrap();
    }
    let all = accounts(&fake);
    let tokens: Vec<_> = all.iter().filter_map(|account| kept(&fake, account)).collect();
    assert_eq!(tokens, ["government", "public"]);
}

fn of(name: &str, signed_in: u64, tenant: &str) -> Account {
    Account {
        signed_in,
        tenants: vec![tenant.to_owned()],
        organisations: vec!["contoso".to_owned()],
        ..Account::example(name)
    }
}

#[test]
fn a_logout_forgets_one_account_or_all() {
    let source = AzureArtifacts::default();
    let names = |logins: Vec<Login>| logins.into_iter().map(|login| login.account).collect::<Vec<_>>();
    for (account, gone) in [
        (Some("ADA@contoso.example"), &["ada@contoso.example"][..]),
        (Some("eve@contoso.example"), &[]),
        (None, &["alice@contoso.example", "ada@contoso.example"]),
    ] {
        let fake = user();
        let all = [of("ada", 1, TENANT), of("alice", 2, TENANT)];
        for account in &all {
            keep_login(&fake, account, &Secret::new("token".to_owned())).unwrap();
        }
        assert_eq!(names(source.sign_out(&fake, account).unwrap()), gone);
        for account in &all {
            let is_gone = gone.contains(&account.username.as_str());
            assert_eq!(kept(&fake, account).is_none(), is_gone);
            assert_eq!(accounts(&fake).contains(account), !is_gone);
        }
    }
}

#[test]
fn an_ended_login_is_listed_as_such() {
    let login = of_account(&Account { ended: true, ..of("ada", 1, TENANT) });
    assert_eq!((login.kept_in, login.life.as_str()), (None, "it has ended"));
}

#[test]
fn variables_say_where_no_lookup_may_sign_in() {
    let why = |variables: &[(&str, &str)]| {
        let fake = variables.iter().fold(user(), |fake, (name, value)| fake.variable(name, value));
        AzureArtifacts::default().never_prompts(&fake)
    };
    let mode = "ARTIFACTS_KEYRING_NONINTERACTIVE_MODE";
    let chosen = "ARTIFACTS_KEYRING_NOFUSS_PROVIDER";
    for variables in [&[][..], &[(mode, "false")], &[(mode, "1")], &[(chosen, "login")]] {
        assert_eq!(why(variables), None, "{variables:?}");
    }
    for (name, value, expected) in [
        (mode, "True", "ARTIFACTS_KEYRING_NONINTERACTIVE_MODE is true"),
        ("VSS_NUGET_ACCESSTOKEN", "t", "VSS_NUGET_ACCESSTOKEN is set"),
        (chosen, "azure_cli", "another source is chosen"),
    ] {
        assert_eq!(why(&[(name, value)]).as_deref(), Some(expected));
    }
}

#[test]
fn an_organisation_is_approved_by_a_login_for_it() {
    let fake = user();
    keep_login(&fake, &of("ada", 1, TENANT), &Secret::new("token".to_owned())).unwrap();
    let has_approved = |service: &str| AzureArtifacts::default().has_approved(&fake, &Service::parse(service));
    assert!(has_approved(FEED));
    assert!(has_approved("https://contoso.pkgs.visualstudio.com/_packaging/other/pypi/simple/"));
    for service in ["https://pkgs.dev.azure.com/fabrikam/_packaging/f/", "https://pkgs.codedev.ms/contoso/", "x"] {
        assert!(!has_approved(service), "{service}");
    }
}
