use super::*;
use crate::{
    aws::fuzz::wanted,
    system::{
        fake::{FakeSystem, absolute},
        fuzz::check_error,
        http::Method,
    },
};

const FILE: &str = "/home/ada/.aws/login/cache/e63813972c0cada4180aec504d216467d454174b766921aa910ba766bda073c9.json";
const CONFIG: &str = "[profile corp]\nlogin_session = arn:aws:iam::111122223333:user/reader\n";
const ENDPOINT: &str = "https://us-east-1.signin.aws.amazon.com/v1/token";
const RENEWED: &str = r#"{"accessToken":{"accessKeyId":"ASIA2","secretAccessKey":"key-secret-2","sessionToken":"session-secret-2"},"tokenType":"aws_sigv4","expiresIn":900,"refreshToken":"refresh-secret-2","idToken":"id-secret-2"}"#;
const SECRETS: [&str; 6] =
    ["key-secret-1", "session-secret-1", "refresh-secret-1", "id-secret-1", "key-secret-2", "refresh-secret-2"];

/// The clock of the tests starts at 2026-11-22T00:00:00Z: a login whose keys have this much time left.
fn login(minutes: u32) -> Value {
    let vectors: Value = serde_json::from_str(include_str!("../../../../tests/vectors/aws-sigv4.json")).unwrap();
    json!({
        "accessToken": {
            "accessKeyId": "ASIA1", "secretAccessKey": "key-secret-1", "sessionToken": "session-secret-1",
            "accountId": "111122223333", "expiresAt": format!("2026-11-22T00:{minutes:02}:00Z"),
        },
        "tokenType": "aws_sigv4", "clientId": "arn:aws:signin:::devtools/same-device",
        "refreshToken": "refresh-secret-1", "idToken": "id-secret-1", "dpopKey": vectors["dpop"]["pem"],
        "later": {"kept": true},
    })
}

fn with(file: &Value) -> FakeSystem {
    FakeSystem::default().home("/home/ada").file("/home/ada/.aws/config", CONFIG).file(FILE, &file.to_string())
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

fn granted(system: &FakeSystem) -> String {
    match asked(system).unwrap() {
        Attempt::Token(keys) => {
            assert!(!SECRETS.iter().any(|secret| format!("{keys:?}").contains(secret)));
            keys.access_key_id
        }
        Attempt::NotConfigured(why) => panic!("{why}"),
    }
}

fn refused(system: &FakeSystem) -> String {
    asked(system).unwrap_err().to_string()
}

const ENDED: &str = "the login of profile corp has ended; run `aws login --profile corp`";

#[test]
fn keys_that_live_need_no_request() {
    assert_eq!(granted(&with(&login(6))), "ASIA1");
    let other = FakeSystem::default().home("/home/ada").file("/home/ada/.aws/config", "[profile corp]\nregion=x\n");
    assert!(matches!(asked(&other), Ok(Attempt::NotConfigured(_))));
}

#[test]
fn keys_that_end_soon_are_renewed_and_kept() {
    for minutes in [0, 1, 4] {
        let system = with(&login(minutes)).answer(Method::Post, ENDPOINT, 200, RENEWED);
        assert_eq!(granted(&system), "ASIA2");
        let request = &system.requests()[0];
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let expected = json!({
            "clientId": "arn:aws:signin:::devtools/same-device", "grantType": "refresh_token",
            "refreshToken": "refresh-secret-1",
        });
        assert_eq!(body, expected);
        let proof = request.headers.iter().find(|(name, _)| *name == "DPoP").unwrap().1.expose();
        assert_eq!(proof.split('.').count(), 3);
        let mut expected = login(15);
        expected["accessToken"]["accessKeyId"] = "ASIA2".into();
        expected["accessToken"]["secretAccessKey"] = "key-secret-2".into();
        expected["accessToken"]["sessionToken"] = "session-secret-2".into();
        expected["refreshToken"] = "refresh-secret-2".into();
        expected["idToken"] = "id-secret-2".into();
        let written: Value = serde_json::from_slice(&system.content(FILE).unwrap()).unwrap();
        assert_eq!(written, expected);
    }
}

#[test]
fn a_failed_renewal_does_not_matter_while_the_keys_live() {
    for (status, body) in [(400, r#"{"error":"TOKEN_EXPIRED"}"#), (200, "{}"), (200, "<html>")] {
        let system = with(&login(4)).answer(Method::Post, ENDPOINT, status, body);
        assert_eq!(granted(&system), "ASIA1", "{status}");
        assert_eq!(system.content(FILE).unwrap(), login(4).to_string().as_bytes());
    }
}

#[test]
fn the_code_of_a_refusal_decides_what_to_do() {
    let denied = "the login of profile corp may not be renewed; allow it the action signin:CreateOAuth2Token";
    for (code, expected) in [
        ("TOKEN_EXPIRED", ENDED),
        ("USER_CREDENTIALS_CHANGED", ENDED),
        ("INSUFFICIENT_PERMISSIONS", denied),
        ("NEW_CODE", ENDED),
    ] {
        let body = json!({"error": code, "message": "refresh-secret-1 is refused"}).to_string();
        assert_eq!(refused(&with(&login(0)).answer(Method::Post, ENDPOINT, 400, &body)), expected, "{code}");
    }
    let mut down = with(&login(0));
    for _ in 0..3 {
        down = down.answer(Method::Post, ENDPOINT, 503, "");
    }
    assert_eq!(refused(&down), "the fake answered with HTTP 503; try again later");
}

#[test]
fn a_file_without_what_a_renewal_needs_has_ended() {
    for name in ["clientId", "refreshToken", "dpopKey"] {
        let mut file = login(0);
        file[name] = "".into();
        assert_eq!(refused(&with(&file)), ENDED, "{name}");
    }
    let absent = "profile corp has no login; run `aws login --profile corp`";
    assert_eq!(refused(&with(&json!([]))), absent);
    assert_eq!(refused(&with(&login(6)).mode(FILE, 0o602)), absent);
}

#[test]
fn a_login_that_another_process_renews_is_used() {
    let mut newer = login(15);
    newer["accessToken"]["accessKeyId"] = "ASIA3".into();
    let system = with(&login(0)).locked(1).written_in_pause(FILE, &newer.to_string());
    assert_eq!(granted(&system), "ASIA3");
    assert_eq!(system.content(FILE).unwrap(), newer.to_string().as_bytes());
}

#[test]
fn a_login_that_cannot_be_kept_is_used() {
    let system = with(&login(0)).read_only("/home/ada/.aws").answer(Method::Post, ENDPOINT, 200, RENEWED);
    assert_eq!(granted(&system), "ASIA2");
    assert_eq!(system.content(FILE).unwrap(), login(0).to_string().as_bytes());
}

#[test]
fn the_region_of_the_file_comes_first() {
    let mut file = login(0);
    let region = |system: FakeSystem, region: &str| {
        let endpoint = format!("https://{region}.signin.aws.amazon.com/v1/token");
        assert_eq!(granted(&system.answer(Method::Post, &endpoint, 200, RENEWED)), "ASIA2");
    };
    region(with(&file).variable("AWS_DEFAULT_REGION", "eu-west-1"), "eu-west-1");
    let both =
        |file: &Value| with(file).variable("AWS_DEFAULT_REGION", "eu-west-1").variable("AWS_REGION", "eu-west-2");
    region(both(&file), "eu-west-2");
    let profile = format!("{CONFIG}region = eu-west-3\n");
    region(both(&file).file("/home/ada/.aws/config", &profile), "eu-west-3");
    file["signInRegion"] = "eu-north-1".into();
    region(both(&file).file("/home/ada/.aws/config", &profile), "eu-north-1");
    file["signInRegion"] = "evil.example/".into();
    let error = refused(&with(&file));
    assert!(error.contains("signInRegion of its file is not a region"), "{error}");
}

#[test]
fn the_directory_of_the_files_can_be_named() {
    let system = with(&login(6));
    let config = wanted(&system).unwrap().config;
    let profile = config.profile("corp").unwrap();
    let name = FILE.rsplit('/').next().unwrap();
    for (directory, expected) in [
        ("/logins", "/logins"),
        ("~/logins", "/home/ada/logins"),
        ("~", "/home/ada"),
        ("logins", "/home/ada/.aws/login/cache"),
    ] {
        let system = FakeSystem::default().home("/home/ada").variable(DIRECTORY, &absolute(directory));
        let expected = PathBuf::from(absolute(expected)).join(name);
        assert_eq!(login_file(&system, profile), Some(expected), "{directory}");
    }
}
