use serde_json::Value;

use super::*;
use crate::{
    aws::fuzz::wanted,
    system::{
        fake::{FakeSystem, absolute},
        fuzz::check_error,
        http::Method,
    },
};

/// The files of the tokens for the session `corp` and for the start URL.
const FILE: &str = "/home/ada/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";
const LEGACY_FILE: &str = "/home/ada/.aws/sso/cache/aa477cedd4b2708a54ce60d7ae5a3b7f986013da.json";

const START_URL: &str = "https://d-0123456789.awsapps.com/start";
const PORTAL: &str = "https://portal.sso.eu-west-1.amazonaws.com/federation/credentials";
const TOKENS: &str = "https://oidc.eu-west-1.amazonaws.com/token";
const KEYS: &str = r#"{"roleCredentials":{"accessKeyId":"ASIA1","secretAccessKey":"key-secret-1","sessionToken":"session-secret-1","expiration":1795309200000}}"#;
const RENEWED: &str =
    r#"{"accessToken":"token-secret-2","expiresIn":3600,"refreshToken":"refresh-secret-2","tokenType":"Bearer"}"#;
const SECRETS: [&str; 6] =
    ["token-secret-1", "token-secret-2", "client-secret-1", "refresh-secret-1", "key-secret-1", "session-secret-1"];

/// The clock of the tests starts at 2026-11-22T00:00:00Z: a token with this much time left.
fn token(minutes: u32) -> String {
    let time = format!("2026-11-22T{:02}:{:02}:00Z", minutes / 60, minutes % 60);
    json!({
        "accessToken": "token-secret-1", "expiresAt": time, "startUrl": START_URL, "region": "eu-west-1",
        "clientId": "client", "clientSecret": "client-secret-1", "registrationExpiresAt": "2026-12-01T00:00:00UTC",
        "refreshToken": "refresh-secret-1", "later": {"kept": true},
    })
    .to_string()
}

fn with(config: &str) -> FakeSystem {
    FakeSystem::default().home("/home/ada").file("/home/ada/.aws/config", config)
}

/// The profile `corp` with a session and this token.
fn corp(token: &str) -> FakeSystem {
    let config = format!(
        "[profile corp]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Reader\n\
         [sso-session corp]\nsso_start_url = {START_URL}\nsso_region = eu-west-1\n"
    );
    with(&config).file(FILE, token)
}

fn asked(system: &FakeSystem) -> Result<Attempt<Keys>> {
    let wanted = wanted(system).unwrap();
    let outcome = keys(system, &wanted, wanted.config.profile("corp").unwrap());
    if let Err(error) = &outcome {
        check_error(error, &SECRETS);
    }
    system.assert_done();
    outcome
}

fn granted(system: &FakeSystem) -> Keys {
    match asked(system).unwrap() {
        Attempt::Token(keys) => keys,
        Attempt::NotConfigured(why) => panic!("{why}"),
    }
}

fn refused(system: &FakeSystem) -> String {
    asked(system).unwrap_err().to_string()
}

fn written(system: &FakeSystem) -> Value {
    serde_json::from_slice(&system.content(FILE).unwrap()).unwrap()
}

fn headers(system: &FakeSystem) -> Vec<String> {
    let requests = system.requests();
    let tokens = requests.iter().flat_map(|request| &request.headers).filter(|(name, _)| *name == TOKEN_HEADER);
    tokens.map(|(_, value)| value.expose().to_owned()).collect()
}

const ENDED: &str = "the SSO login of profile corp has ended; run `aws sso login --profile corp`";

#[test]
fn a_token_that_lives_asks_the_portal_alone() {
    let system = corp(&token(60)).answer(Method::Get, PORTAL, 200, KEYS);
    let keys = granted(&system);
    assert_eq!(keys.access_key_id, "ASIA1");
    assert_eq!(keys.expires, timestamp::unix(1_795_309_200));
    assert_eq!(headers(&system), ["token-secret-1"]);
    assert_eq!(system.requests()[0].url.query(), Some("role_name=Reader&account_id=111122223333"));
    assert_eq!(system.content(FILE).unwrap(), token(60).as_bytes());
}

#[test]
fn the_address_of_a_service_may_have_a_path() {
    let system = corp(&token(60)).variable("AWS_ENDPOINT_URL_SSO", "https://portal.example/sso").answer(
        Method::Get,
        "https://portal.example/sso/federation/credentials",
        200,
        KEYS,
    );
    granted(&system);
}

#[test]
fn a_token_that_ends_soon_is_renewed_and_kept() {
    for minutes in [0, 1, 4] {
        let system =
            corp(&token(minutes)).answer(Method::Post, TOKENS, 200, RENEWED).answer(Method::Get, PORTAL, 200, KEYS);
        granted(&system);
        assert_eq!(headers(&system), ["token-secret-2"]);
        let body: Value = serde_json::from_slice(&system.requests()[0].body).unwrap();
        let expected = json!({
            "grantType": "refresh_token", "clientId": "client", "clientSecret": "client-secret-1",
            "refreshToken": "refresh-secret-1",
        });
        assert_eq!(body, expected);
        let mut expected: Value = serde_json::from_str(&token(60)).unwrap();
        expected["accessToken"] = "token-secret-2".into();
        expected["refreshToken"] = "refresh-secret-2".into();
        assert_eq!(written(&system), expected);
    }
}

#[test]
fn a_failed_renewal_does_not_matter_while_the_token_lives() {
    for (status, body) in [(400, r#"{"error":"invalid_grant"}"#), (401, "{}"), (200, "{}")] {
        let system = corp(&token(4)).answer(Method::Post, TOKENS, status, body).answer(Method::Get, PORTAL, 200, KEYS);
        granted(&system);
        assert_eq!(headers(&system), ["token-secret-1"], "{status}");
    }
    let unregistered = token(4).replace("2026-12-01", "2026-11-21");
    granted(&corp(&unregistered).answer(Method::Get, PORTAL, 200, KEYS));
    let locked = corp(&token(4)).locked(u32::MAX).answer(Method::Get, PORTAL, 200, KEYS);
    granted(&locked);
}

#[test]
fn a_login_that_has_ended_names_the_command() {
    let invalid = r#"{"error":"invalid_grant","error_description":"refresh-secret-1 is not valid"}"#;
    assert_eq!(refused(&corp(&token(0)).answer(Method::Post, TOKENS, 400, invalid)), ENDED);
    assert_eq!(refused(&corp(&token(0).replace("refreshToken", "other"))), ENDED);
    assert_eq!(refused(&corp(&token(0).replace("2026-12-01", "2026-11-21"))), ENDED);
    let absent = "profile corp has no SSO login; run `aws sso login --profile corp`";
    for system in [corp("{\"accessTo"), corp("[]"), corp(&token(60)).mode(FILE, 0o620)] {
        assert_eq!(refused(&system), absent);
    }
}

#[test]
fn a_token_service_that_is_down_ends_no_login() {
    let mut system = corp(&token(0));
    for _ in 0..3 {
        system = system.answer(Method::Post, TOKENS, 503, "");
    }
    let error = refused(&system);
    assert_eq!(error, "the fake answered with HTTP 503; try again later");
}

#[test]
fn a_token_that_the_portal_refuses_is_renewed_once() {
    let renewed = corp(&token(60))
        .answer(Method::Get, PORTAL, 401, "{}")
        .answer(Method::Post, TOKENS, 200, RENEWED)
        .answer(Method::Get, PORTAL, 200, KEYS);
    granted(&renewed);
    assert_eq!(headers(&renewed), ["token-secret-1", "token-secret-2"]);
    let twice = corp(&token(60))
        .answer(Method::Get, PORTAL, 401, "{}")
        .answer(Method::Post, TOKENS, 200, RENEWED)
        .answer(Method::Get, PORTAL, 401, "{}");
    assert_eq!(refused(&twice), ENDED);
    let new = corp(&token(4)).answer(Method::Post, TOKENS, 200, RENEWED).answer(Method::Get, PORTAL, 401, "{}");
    assert_eq!(refused(&new), ENDED);
    let fixed = corp(&token(60).replace("clientSecret", "other")).answer(Method::Get, PORTAL, 401, "{}");
    assert_eq!(refused(&fixed), ENDED);
}

#[test]
fn a_token_that_another_process_renews_is_used() {
    let newer = token(60).replace("token-secret-1", "token-secret-2");
    let system = corp(&token(4)).locked(1).written_in_pause(FILE, &newer).answer(Method::Get, PORTAL, 200, KEYS);
    granted(&system);
    assert_eq!(headers(&system), ["token-secret-2"]);
    assert_eq!(system.content(FILE).unwrap(), newer.as_bytes());
}

#[test]
fn a_token_that_cannot_be_kept_is_used() {
    let system = corp(&token(0)).read_only("/home/ada/.aws").answer(Method::Post, TOKENS, 200, RENEWED).answer(
        Method::Get,
        PORTAL,
        200,
        KEYS,
    );
    granted(&system);
    assert_eq!(headers(&system), ["token-secret-2"]);
    assert_eq!(system.content(FILE).unwrap(), token(0).as_bytes());
}

#[test]
fn the_portal_says_which_role_is_missing() {
    for status in [403, 404] {
        let system =
            corp(&token(60)).answer(Method::Get, PORTAL, status, r#"{"message":"No access by token-secret-1"}"#);
        assert_eq!(
            refused(&system),
            "account 111122223333 has no role Reader for the SSO login of profile corp: No access by (hidden); correct \
             sso_account_id and sso_role_name of profile corp"
        );
    }
    let (past, absurd) = (KEYS.replace("1795309200000", "1"), KEYS.replace("1795309200000", "18446744073709551615"));
    for body in ["{}", "", r#"{"roleCredentials":{"accessKeyId":"ASIA1"}}"#, &past, &absurd] {
        let system = corp(&token(60)).answer(Method::Get, PORTAL, 200, body);
        assert_eq!(asked(&system).unwrap_err().kind(), Kind::Protocol, "{body}");
    }
}

#[test]
fn the_older_form_is_never_renewed() {
    let config = format!(
        "[profile corp]\nsso_start_url = {START_URL}\nsso_region = eu-west-1\nsso_account_id = 111122223333\n\
         sso_role_name = Reader\n"
    );
    granted(&with(&config).file(LEGACY_FILE, &token(4)).answer(Method::Get, PORTAL, 200, KEYS));
    assert_eq!(refused(&with(&config).file(LEGACY_FILE, &token(1))), ENDED);
    let system = with(&config);
    let config = Config::read(&system).unwrap();
    let file = token_file(&system, &config, config.profile("corp").unwrap()).unwrap();
    assert_eq!(file, PathBuf::from(absolute(LEGACY_FILE)));
}

#[test]
fn half_a_profile_is_an_error_that_names_the_key() {
    let url = format!("sso_start_url={START_URL}");
    let session = format!("[sso-session corp]\n{url}\nsso_region=eu-west-1");
    let role = "sso_account_id=111122223333\nsso_role_name=Reader";
    for (profile, expected) in [
        ("sso_account_id=111122223333".to_owned(), "has no sso_role_name"),
        ("sso_role_name=Reader".to_owned(), "has no sso_account_id"),
        (role.to_owned(), "has no sso_region"),
        (format!("{role}\nsso_region=eu-west-1"), "has no sso_start_url"),
        (format!("{role}\n{url}\nsso_region=evil.example/"), "has an sso_region that is not a region"),
        (format!("{role}\nsso_session=main"), "names the section [sso-session main], which is missing"),
        (
            format!("{role}\nsso_session=corp\nsso_region=us-east-1\n{session}"),
            "has another sso_region than [sso-session corp]",
        ),
    ] {
        let system = with(&format!("[profile corp]\n{profile}\n"));
        let error = asked(&system).unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        assert_eq!(error.message(), format!("profile corp {expected}"));
    }
    let equal = format!("[profile corp]\n{role}\nsso_session=corp\n{url}\nsso_region=eu-west-1\n{session}\n");
    granted(&with(&equal).file(FILE, &token(60)).answer(Method::Get, PORTAL, 200, KEYS));
    let other = with("[profile corp]\nregion=eu-west-1\nsso_session=corp\n");
    assert!(matches!(asked(&other), Ok(Attempt::NotConfigured(_))));
}
