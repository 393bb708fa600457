//! Tests of making credentials.

use serde_json::json;

use super::*;
use crate::{
    auth::jwt::token_of,
    registry::azure::login::{
        logins::{Account, Logins, Place},
        storage,
    },
    secret::Secret,
    service::Service,
    system::{
        Clock,
        fake::{FakeSystem, absolute},
        http::Method,
    },
};

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const FEEDS: [&str; 2] = [
    "https://pkgs.dev.azure.com/contoso/_packaging/feed/pypi/simple/",
    "https://pkgs.dev.azure.com/contoso/_packaging/feed/pypi/upload/",
];

/// A system where discovery succeeds.
fn machine(feed: &str) -> FakeSystem {
    let challenge = format!("Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}");
    let headers = [
        ("WWW-Authenticate", challenge.as_str()),
        ("X-VSS-AuthorizationEndpoint", "https://vssps.dev.azure.com/contoso/"),
    ];
    FakeSystem::default().answer_with_headers(Method::Get, feed, 401, &headers, "")
}

fn ask(fake: &FakeSystem, feed: &str) -> Result<Credential> {
    let feed = Feed::from_service(&Service::parse(feed)).unwrap();
    Minting::new(fake, &feed, &KnownOrganisations::default()).credential(&Choice::read(fake)?)
}

#[test]
fn a_wrong_client_secret_is_not_followed_by_az() {
    let endpoint = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
    let body = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret."}"#;
    for feed in FEEDS {
        // az is on PATH, and a run of it would fail the test.
        let fake = machine(feed).run("az", &[], 0, "", "").answer(Method::Post, &endpoint, 401, body);
        let fake = fake.variable("AZURE_CLIENT_ID", "robot").variable("AZURE_CLIENT_SECRET", "x-wrong");
        let error = ask(&fake, feed).unwrap_err();
        assert_eq!(error.kind(), Kind::Rejected);
        assert!(error.message().starts_with("client_secret failed ("), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("unset AZURE_CLIENT_SECRET")), "{error}");
    }
}

#[test]
fn explicit_sources_that_fail_are_not_followed_by_others() {
    let expired = token_of(&json!({"iss": "https://sts.windows.net/t/", "exp": 1}));
    let nowhere = absolute("/nowhere");
    for (name, value) in [
        ("ARTIFACTS_KEYRING_NOFUSS_TOKEN", expired.as_str()),
        ("ARTIFACTS_KEYRING_NOFUSS_TOKEN", "two words"),
        ("ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE", &nowhere),
        ("VSS_NUGET_EXTERNAL_FEED_ENDPOINTS", "no JSON"),
    ] {
        let fake = machine(FEEDS[0]).variable(name, value).variable("AZURE_DEVOPS_EXT_PAT", "other");
        let error = ask(&fake, FEEDS[0]).unwrap_err();
        assert!(error.hint().is_some_and(|hint| hint.contains("unset") && hint.contains(name)), "{error}");
    }
    for (name, value) in [
        ("AZURE_CLIENT_SECRET", "secret"),
        ("AZURE_CLIENT_CERTIFICATE_PATH", nowhere.as_str()),
        ("AZURE_FEDERATED_TOKEN_FILE", &nowhere),
    ] {
        let fake = machine(FEEDS[0]).run("az", &[], 0, "", "").variable(name, value);
        let fake = if name == "AZURE_CLIENT_SECRET" { fake } else { fake.variable("AZURE_CLIENT_ID", "robot") };
        let error = ask(&fake, FEEDS[0]).unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(error.hint().is_some_and(|hint| hint.contains("unset") && hint.contains(name)), "{error}");
    }
}

#[test]
fn a_found_login_that_fails_moves_on() {
    let arguments = ["account", "get-access-token", "--resource", entra::AZURE_DEVOPS, "--tenant", TENANT];
    let arguments = [&arguments[..], &["--query", "accessToken", "--output", "json"]].concat();
    let bearer = token_of(&json!({"idtyp": "app", "oid": "robot"}));
    let fake = machine(FEEDS[0])
        .run("az", &arguments, 1, "", "Please run 'az login'")
        .variable("MSI_ENDPOINT", "http://127.0.0.1:1/")
        .answer(Method::Post, "http://127.0.0.1:1/", 200, &json!({"access_token": bearer}).to_string());
    let found = ask(&fake, FEEDS[0]).unwrap();
    assert_eq!((found.username.as_str(), found.password.expose()), (BEARER_USERNAME, bearer.as_str()));
}

#[test]
fn an_entra_token_is_the_password_where_that_is_asked_for() {
    for claims in [json!({"upn": "ada@contoso.example"}), json!({"idtyp": "app", "oid": "robot"})] {
        let bearer = token_of(&claims);
        let fake = FakeSystem::default()
            .variable("ARTIFACTS_CREDENTIALPROVIDER_RETURN_ENTRA_TOKENS", "True")
            .variable("ARTIFACTS_CREDENTIALPROVIDER_ACCESSTOKEN", &bearer);
        let found = ask(&fake, FEEDS[0]).unwrap();
        assert_eq!((found.username.as_str(), found.password.expose()), ("EntraToken", bearer.as_str()));
        assert_eq!((found.cache_policy, fake.requests().len()), (CachePolicy::Never, 0));
    }
}

const EXCHANGE: &str = "https://vssps.dev.azure.com/contoso/_apis/Token/SessionTokens";

const AZ: [&str; 10] = [
    "account",
    "get-access-token",
    "--resource",
    entra::AZURE_DEVOPS,
    "--tenant",
    TENANT,
    "--query",
    "accessToken",
    "--output",
    "json",
];

/// A user's token that expires this many seconds after the fake clock's start.
fn token_for(seconds: i64) -> String {
    token_of(&json!({"upn": "ada@contoso.example", "scp": "x", "exp": 1_795_305_600 + seconds}))
}

/// A system where discovery succeeds and az alone is asked.
fn machine_with_az() -> FakeSystem {
    machine(FEEDS[0]).variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "azure_cli")
}

/// The files of az with a token of Ada.
fn with_cached_token(fake: FakeSystem, token: &str) -> FakeSystem {
    let user = json!({"name": "ada@contoso.example", "type": "user"});
    let person = json!({
        "home_account_id": "ada.home", "environment": "login.microsoftonline.com", "username": "ada@contoso.example",
    });
    let entry = json!({
        "secret": token, "home_account_id": "ada.home", "environment": "login.microsoftonline.com",
        "client_id": "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "realm": TENANT,
        "target": format!("{}/.default", entra::AZURE_DEVOPS), "expires_on": "1795309200",
    });
    let profile = json!({"subscriptions": [{"isDefault": true, "user": user}]}).to_string();
    let tokens = json!({"AccessToken": {"ada": entry}, "Account": {"ada": person}}).to_string();
    fake.variable("AZURE_CONFIG_DIR", &absolute("/azure"))
        .file("/azure/azureProfile.json", &profile)
        .file("/azure/msal_token_cache.json", &tokens)
}

fn printed(token: &str) -> String {
    json!(token).to_string()
}

const POLICY: &str = r#"{"message":"VS403463: The conditional access policy failed"}"#;

#[test]
fn a_cached_token_that_is_refused_is_replaced_once() {
    let (cached, newer) = (token_for(3600), token_for(7200));
    for (status, body) in [(401, ""), (403, POLICY)] {
        let fake = with_cached_token(machine_with_az(), &cached)
            .run("az", &AZ, 0, &printed(&newer), "")
            .answer(Method::Post, EXCHANGE, status, body)
            .answer(Method::Post, EXCHANGE, 200, r#"{"token":"session"}"#);
        assert_eq!(ask(&fake, FEEDS[0]).unwrap().password.expose(), "session");
        let sent: Vec<_> = fake.requests()[1..]
            .iter()
            .map(|request| request.headers.iter().any(|(_, value)| value.expose() == format!("Bearer {newer}")))
            .collect();
        assert_eq!(sent, [false, true]);
        fake.assert_done();
    }
}

#[test]
fn the_managed_identity_of_a_feed_signs_in_for_that_feed() {
    let endpoint = json!({"endpoint": FEEDS[0], "clientId": "system"});
    let endpoints = json!({ "endpointCredentials": [endpoint] }).to_string();
    let bearer = token_of(&json!({"idtyp": "app", "oid": "robot"}));
    let fake = || {
        machine(FEEDS[0])
            .variable("ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS", &endpoints)
            .variable("AZURE_DEVOPS_EXT_PAT", "personal")
            .variable("MSI_ENDPOINT", "http://127.0.0.1:1/")
    };
    let answered =
        fake().answer(Method::Post, "http://127.0.0.1:1/", 200, &json!({"access_token": bearer}).to_string());
    let found = ask(&answered, FEEDS[0]).unwrap();
    assert_eq!((found.username.as_str(), found.password.expose()), (BEARER_USERNAME, bearer.as_str()));
    assert_eq!(found.cache_policy, CachePolicy::Session);
    let other = ask(&fake(), "https://pkgs.dev.azure.com/contoso/_packaging/other/pypi/simple/").unwrap();
    assert_eq!(other.password.expose(), "personal");
    let refused = fake().answer(Method::Post, "http://127.0.0.1:1/", 401, "");
    let error = ask(&refused, FEEDS[0]).unwrap_err();
    assert!(error.message().starts_with("feed_identity failed ("), "{error}");
    assert!(
        error.hint().is_some_and(|hint| hint.ends_with("unset ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS")),
        "{error}"
    );
}

#[test]
fn a_newer_token_that_is_refused_too_ends_with_the_policy() {
    let (cached, newer) = (token_for(3600), token_for(7200));
    let fake = with_cached_token(machine_with_az(), &cached)
        .run("az", &AZ, 0, &printed(&newer), "")
        .answer(Method::Post, EXCHANGE, 403, POLICY)
        .answer(Method::Post, EXCHANGE, 403, POLICY);
    let error = ask(&fake, FEEDS[0]).unwrap_err();
    assert!(error.message().contains("a Conditional Access or IP policy refuses ada@contoso.example"), "{error}");
    fake.assert_done();
}

#[test]
fn no_token_is_exchanged_twice() {
    let cached = token_for(3600);
    let refused = |fake: FakeSystem| fake.answer(Method::Post, EXCHANGE, 403, POLICY);
    let with_file = || with_cached_token(machine_with_az(), &cached);
    for fake in [
        refused(with_file().run("az", &AZ, 0, &printed(&cached), "")),
        refused(with_file().run("az", &AZ, 1, "", "ERROR: AADSTS53003: blocked")),
        refused(with_file()),
        // This token came from az itself.
        refused(machine_with_az().run("az", &AZ, 0, &printed(&cached), "")),
    ] {
        let error = ask(&fake, FEEDS[0]).unwrap_err();
        assert!(error.message().contains("VS403463"), "{error}");
        fake.assert_done();
    }
}

#[test]
fn a_refusal_of_the_account_asks_for_no_newer_token() {
    for (status, body) in [(401, r#"{"message":"TF401444: sign in once"}"#), (402, "")] {
        let fake = with_cached_token(machine_with_az(), &token_for(3600)).answer(Method::Post, EXCHANGE, status, body);
        assert_eq!(ask(&fake, FEEDS[0]).unwrap_err().kind(), Kind::Exhausted);
        fake.assert_done();
    }
}

/// A system where discovery succeeds, at three hours before this machine's time.
fn machine_with_clock_ahead() -> FakeSystem {
    let challenge = format!("Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}");
    let headers = [
        ("Date", "Sat, 21 Nov 2026 21:00:00 GMT"),
        ("WWW-Authenticate", challenge.as_str()),
        ("X-VSS-AuthorizationEndpoint", "https://vssps.dev.azure.com/contoso/"),
    ];
    FakeSystem::default().variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "azure_cli").answer_with_headers(
        Method::Get,
        FEEDS[0],
        401,
        &headers,
        "",
    )
}

#[test]
fn a_token_that_az_has_just_printed_serves_with_a_clock_ahead() {
    let fake = machine_with_clock_ahead().run("az", &AZ, 0, &printed(&token_for(-7200)), "").answer(
        Method::Post,
        EXCHANGE,
        200,
        r#"{"token":"session"}"#,
    );
    assert_eq!(ask(&fake, FEEDS[0]).unwrap().password.expose(), "session");
    let application = |seconds: i64| token_of(&json!({"idtyp": "app", "exp": 1_795_305_600 + seconds}));
    let ask_application = |fake: FakeSystem, seconds| {
        let fake = fake.run("az", &AZ, 0, &printed(&application(seconds)), "");
        ask(&fake, FEEDS[0]).map(|found| found.expires.unwrap().duration_since(fake.now()).unwrap().as_secs())
    };
    assert_eq!(ask_application(machine_with_clock_ahead(), -7200), Ok(3600));
    assert!(ask_application(machine_with_clock_ahead(), -4 * 3600).is_err(), "it has expired by both clocks");
    assert!(ask_application(machine_with_az(), -7200).is_err(), "it has expired by the only clock that is known");
}

#[test]
fn a_token_at_rest_has_expired_by_both_clocks() {
    let with_token = |fake: FakeSystem| fake.variable("ARTIFACTS_KEYRING_NOFUSS_TOKEN", &token_for(-7200));
    let fake = with_token(machine_with_clock_ahead()).answer(Method::Post, EXCHANGE, 200, r#"{"token":"session"}"#);
    let fake = fake.variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "env_var");
    assert_eq!(ask(&fake, FEEDS[0]).unwrap().password.expose(), "session");
    let error = ask(&with_token(machine(FEEDS[0])), FEEDS[0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "env_var failed (its token has expired); renew or unset ARTIFACTS_KEYRING_NOFUSS_TOKEN"
    );
    let fake = with_token(FakeSystem::default()).failure(Method::Get, FEEDS[0], false);
    assert!(ask(&fake, FEEDS[0]).unwrap_err().message().contains("its token has expired"));
}

#[test]
fn a_wrong_clock_is_named_when_a_token_is_refused() {
    let date = [("Date", "Sun, 22 Nov 2026 03:00:00 GMT")];
    let cached = token_for(3600);
    let fake = with_cached_token(machine_with_az(), &cached)
        .run("az", &AZ, 0, &printed(&cached), "")
        .answer_with_headers(Method::Post, EXCHANGE, 401, &date, "");
    assert_eq!(ask(&fake, FEEDS[0]).unwrap_err().hint(), Some("this machine's clock is 3 h behind: correct it"));
}

const AUTHORITY: &str = "https://vssps.dev.azure.com/contoso/";
const OTHER_TENANT: &str = "11111111-86f1-41af-91ab-2d7cd011db47";

/// A feed's answer to an anonymous request.
fn says(fake: FakeSystem, tenant: &str, authority: &str) -> FakeSystem {
    let challenge = format!("Bearer authorization_uri=https://login.microsoftonline.com/{tenant}");
    let headers = [("WWW-Authenticate", challenge.as_str()), ("X-VSS-AuthorizationEndpoint", authority)];
    fake.answer_with_headers(Method::Get, FEEDS[0], 401, &headers, "")
}

fn exchange(fake: FakeSystem, authority: &str, status: u16) -> FakeSystem {
    let body = r#"{"token":"session"}"#;
    fake.answer(Method::Post, &format!("{authority}_apis/Token/SessionTokens"), status, body)
}

/// A user with a bearer in a variable.
fn user() -> FakeSystem {
    FakeSystem::default().variable("ARTIFACTS_KEYRING_NOFUSS_TOKEN", &token_of(&json!({"upn": "ada"})))
}

/// The same user, whose organisation is known.
fn known() -> FakeSystem {
    let fake = exchange(says(user(), TENANT, AUTHORITY), AUTHORITY, 200);
    assert_eq!(ask(&fake, FEEDS[0]).unwrap().password.expose(), "session");
    fake
}

#[test]
fn a_known_organisation_is_not_asked_again() {
    let fake = exchange(known(), AUTHORITY, 200);
    assert_eq!(ask(&fake, FEEDS[1]).unwrap().password.expose(), "session");
    fake.assert_done();
}

#[test]
fn a_moved_authority_is_asked_for_after_a_refusal() {
    let moved = "https://app.vssps.visualstudio.com/";
    for status in [302, 401, 403, 404] {
        let fake = exchange(says(exchange(known(), AUTHORITY, status), TENANT, moved), moved, 200);
        assert_eq!(ask(&fake, FEEDS[0]).unwrap().password.expose(), "session", "{status}");
        fake.assert_done();
        let fake = exchange(fake, moved, 200);
        assert!(ask(&fake, FEEDS[0]).is_ok(), "the new authority is known");
        fake.assert_done();
    }
}

#[test]
fn a_refusal_stands_if_the_feed_says_the_same() {
    let fake = says(exchange(known(), AUTHORITY, 401), TENANT, AUTHORITY);
    assert_eq!(ask(&fake, FEEDS[0]).unwrap_err().kind(), Kind::Rejected);
    fake.assert_done();
    // A feed that does not answer, and one that names an untrusted host, change nothing either.
    let fake = says(exchange(known(), AUTHORITY, 401), TENANT, "https://vssps.evil.example/contoso/");
    assert_eq!(ask(&fake, FEEDS[0]).unwrap_err().kind(), Kind::Rejected);
    fake.assert_done();
}

/// A run of az for a tenant.
fn az(fake: FakeSystem, tenant: &str, code: i32, token: &serde_json::Value) -> FakeSystem {
    let arguments = ["account", "get-access-token", "--resource", entra::AZURE_DEVOPS, "--tenant", tenant];
    let arguments = [&arguments[..], &["--query", "accessToken", "--output", "json"]].concat();
    let output = json!(token_of(token)).to_string();
    fake.run("az", &arguments, code, if code == 0 { &output } else { "" }, "AADSTS90002: no such tenant")
}

#[test]
fn a_tenant_that_is_gone_is_asked_for_again() {
    let fake = az(says(known_to_az(), OTHER_TENANT, AUTHORITY), TENANT, 1, &json!({}));
    let fake = exchange(az(fake, OTHER_TENANT, 0, &json!({"upn": "ada"})), AUTHORITY, 200);
    assert_eq!(ask(&fake, FEEDS[0]).unwrap().password.expose(), "session");
    fake.assert_done();
}

/// A user of az, whose organisation is known.
fn known_to_az() -> FakeSystem {
    let fake = FakeSystem::default().variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "azure_cli");
    let fake = exchange(az(says(fake, TENANT, AUTHORITY), TENANT, 0, &json!({"upn": "ada"})), AUTHORITY, 200);
    assert!(ask(&fake, FEEDS[0]).is_ok());
    assert_eq!(fake.opened_ahead(), ["https://vssps.dev.azure.com/"]);
    fake
}

#[test]
fn a_known_authority_is_connected_to_while_az_runs() {
    let fake = exchange(az(known_to_az(), TENANT, 0, &json!({"upn": "ada"})), AUTHORITY, 200);
    assert!(ask(&fake, FEEDS[0]).is_ok());
    assert_eq!(fake.opened_ahead(), ["https://vssps.dev.azure.com/", AUTHORITY]);
}

#[test]
fn the_feed_confirms_the_tenant_of_an_application() {
    let application = json!({"idtyp": "app", "oid": "robot"});
    let fake = says(az(known_to_az(), TENANT, 0, &application), TENANT, AUTHORITY);
    assert_eq!(ask(&fake, FEEDS[0]).unwrap().username, BEARER_USERNAME);
    fake.assert_done();
    let fake = says(az(fake, TENANT, 0, &application), OTHER_TENANT, AUTHORITY);
    let other = json!({"idtyp": "app", "oid": "another"});
    let found = ask(&az(fake, OTHER_TENANT, 0, &other), FEEDS[0]).unwrap();
    assert_eq!(found.password.expose(), token_of(&other));
    let fake = FakeSystem::default().variable("AZURE_CLIENT_ID", "robot").variable("AZURE_CLIENT_SECRET", "s");
    let endpoint = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
    let body = json!({"access_token": token_of(&application)}).to_string();
    let fake = (0..2).fold(fake, |fake, _| says(fake, TENANT, AUTHORITY).answer(Method::Post, &endpoint, 200, &body));
    assert!((0..2).all(|_| ask(&fake, FEEDS[0]).is_ok()), "it is asked each time");
    fake.assert_done();
}

#[test]
fn the_next_host_is_connected_to_while_the_feed_is_asked() {
    let fake = exchange(says(user(), TENANT, AUTHORITY), AUTHORITY, 200);
    assert!(ask(&fake, FEEDS[0]).is_ok());
    assert_eq!(fake.opened_ahead(), ["https://vssps.dev.azure.com/"]);
    let fake = exchange(fake, AUTHORITY, 200);
    assert!(ask(&fake, FEEDS[0]).is_ok());
    assert_eq!(fake.opened_ahead().len(), 1, "of a known organisation, the exchange connects at once");
    let application = || {
        let fake = FakeSystem::default().variable("AZURE_CLIENT_ID", "robot").variable("AZURE_CLIENT_SECRET", "s");
        says(fake, TENANT, AUTHORITY)
    };
    for (fake, host) in [
        (application(), "login.microsoftonline.com"),
        (application().variable("AZURE_AUTHORITY_HOST", "login.microsoftonline.us"), "login.microsoftonline.us"),
    ] {
        let endpoint = format!("https://{host}/{TENANT}/oauth2/v2.0/token");
        let fake = fake.answer(Method::Post, &endpoint, 400, "{}");
        assert!(ask(&fake, FEEDS[0]).is_err());
        assert_eq!(fake.opened_ahead(), [format!("https://{host}/organizations/oauth2/v2.0/token")]);
    }
}

#[test]
fn nothing_is_connected_to_for_a_password_or_without_a_login() {
    let fake = FakeSystem::default().variable("AZURE_DEVOPS_EXT_PAT", "x".repeat(52).as_str());
    assert!(ask(&fake, FEEDS[0]).is_ok());
    assert_eq!(fake.opened_ahead(), [""; 0]);
    let fake = FakeSystem::default().variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "azd");
    let fake = says(fake, TENANT, AUTHORITY);
    assert!(ask(&fake, FEEDS[0]).is_err());
    assert_eq!(fake.opened_ahead(), [""; 0]);
}

/// Keeps a login of Ada.
fn with_login(fake: FakeSystem) -> FakeSystem {
    let fake = fake.home("/home/user");
    let account = Account {
        client_id: "d5a56ea4-7369-46b8-a538-c370805301bf".to_owned(),
        home_id: "ada.home".to_owned(),
        username: "ada@contoso.example".to_owned(),
        login_host: "login.microsoftonline.com".to_owned(),
        signed_in: 1,
        tenants: vec![TENANT.to_owned()],
        organisations: vec!["contoso".to_owned()],
        place: Place::Session,
        ended: false,
    };
    storage::write(&fake, &account, &Secret::new("refresh-secret".to_owned())).unwrap();
    Logins::change(&fake, |accounts| accounts.push(account)).unwrap();
    fake
}

/// A refresh that gives a token.
fn refreshes(fake: FakeSystem) -> FakeSystem {
    let endpoint = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
    let bearer = json!({"access_token": token_for(3600)}).to_string();
    fake.answer(Method::Post, &endpoint, 200, &bearer)
}

#[test]
fn a_login_is_refreshed_and_exchanged_before_az_is_asked() {
    let fake = with_login(machine(FEEDS[0])).run("az", &[], 0, "", "");
    let fake = exchange(refreshes(fake), AUTHORITY, 200);
    let found = ask(&fake, FEEDS[0]).unwrap();
    assert_eq!((found.password.expose(), found.cache_policy), ("session", CachePolicy::Session));
    assert_eq!(found.owner.as_deref(), Some("ada@contoso.example"));
    let hosts = ["https://login.microsoftonline.com/organizations/oauth2/v2.0/token", "https://vssps.dev.azure.com/"];
    assert_eq!(fake.opened_ahead(), hosts);
    // Of the known organisation, the authority is the host that is not yet connected.
    let fake = exchange(refreshes(fake), AUTHORITY, 200);
    assert_eq!(ask(&fake, FEEDS[0]).unwrap().password.expose(), "session");
    assert_eq!(fake.opened_ahead()[2..], [AUTHORITY]);
}

#[test]
fn a_refused_token_of_a_refresh_asks_for_a_fresh_login() {
    for (status, body, hint) in [
        (401, "", "run `ringbearer login URL --fresh`"),
        (403, r#"{"message":"VS403463: Blocked"}"#, "run `ringbearer login URL --fresh`"),
        (401, r#"{"message":"TF401444: sign in"}"#, "open https://dev.azure.com/contoso and sign in as"),
    ] {
        let fake = with_login(machine(FEEDS[0])).variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "login");
        let fake = refreshes(fake).answer(Method::Post, EXCHANGE, status, body);
        let error = ask(&fake, FEEDS[0]).unwrap_err();
        assert!(error.hint().is_some_and(|said| said.starts_with(hint)), "{error}");
        fake.assert_done();
    }
}

#[test]
fn a_login_that_fails_is_followed_by_az() {
    let fake = with_login(machine(FEEDS[0])).variable("AZURE_CONFIG_DIR", &absolute("/azure"));
    let endpoint = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
    let body = r#"{"error":"invalid_grant","error_codes":[700082]}"#;
    let fake = fake.answer(Method::Post, &endpoint, 400, body).run("az", &AZ, 0, &printed(&token_for(3600)), "");
    let found = ask(&exchange(fake, AUTHORITY, 200), FEEDS[0]).unwrap();
    assert_eq!((found.password.expose(), found.cache_policy), ("session", CachePolicy::Waiters));
}
