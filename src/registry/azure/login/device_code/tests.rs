//! Tests of the device authorization flow.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    auth::jwt::token_of,
    registry::azure::entra::Tenant,
    system::{fake::FakeSystem, http::Method},
};

const DEVICE_CODE: &str = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/devicecode";
const TOKEN: &str = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token";

/// A system where the device authorization endpoint answers.
fn system(expires_in: &str, interval: &str) -> FakeSystem {
    let body = format!(
        r#"{{"user_code":"ABCD-1234","device_code":"device-secret-1","verification_uri":"https://microsoft.com/devicelogin",
            "expires_in":{expires_in},"interval":{interval},"message":"x"}}"#
    );
    FakeSystem::default().answer(Method::Post, DEVICE_CODE, 200, &body)
}

fn tokens() -> String {
    let id_token = token_of(&json!({"preferred_username": "ada@contoso.example", "oid": "ada", "tid": "home"}));
    let client_info = URL_SAFE_NO_PAD.encode(r#"{"uid":"ada","utid":"home"}"#);
    json!({"access_token": "t", "refresh_token": "refresh-secret-1", "id_token": id_token, "client_info": client_info})
        .to_string()
}

fn refusal(code: &str) -> String {
    json!({"error": code, "error_description": "AADSTS1: device-secret-1 is refused"}).to_string()
}

fn run(fake: &FakeSystem, account: Option<&str>) -> (Result<(Tokens, Owner)>, Vec<String>) {
    let tenant = Tenant::new("contoso.example").unwrap();
    let limit = Duration::from_secs(60);
    let flow = Flow {
        system: fake,
        client_id: "client",
        tenant: &tenant,
        organisation: "contoso",
        account,
        hint: None,
        is_fresh: false,
        limit,
    };
    let mut steps = Vec::new();
    let outcome = sign_in(&flow, &mut |step| steps.push(format!("{step:?}")));
    if let Err(error) = &outcome {
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    assert!(!steps.join("").contains("secret"));
    (outcome, steps)
}

/// The time between the requests for tokens, in seconds, as far as the pauses of one second tell.
fn waited(fake: &FakeSystem) -> u64 {
    fake.pauses().iter().map(Duration::as_secs).sum()
}

#[test]
fn the_person_sees_page_and_code_and_the_time_left() {
    let fake = system("900", "\"5\"").answer(Method::Post, TOKEN, 400, &refusal("authorization_pending")).answer(
        Method::Post,
        TOKEN,
        200,
        &tokens(),
    );
    let (outcome, steps) = run(&fake, Some("Ada@contoso.example"));
    let (tokens, owner) = outcome.unwrap();
    assert_eq!((owner.username.as_str(), owner.home_id.as_str()), ("ada@contoso.example", "ada.home"));
    assert_eq!(tokens.refresh_token.unwrap().expose(), "refresh-secret-1");
    assert!(steps[0].contains("https://microsoft.com/devicelogin") && steps[0].contains("ABCD-1234"), "{}", steps[0]);
    assert_eq!(steps.len(), 11, "one step each second");
    assert_eq!(steps[10], "Waits { remaining: 51s }");
    let form = fake.requests()[1].body.to_vec();
    let form: Vec<_> = url::form_urlencoded::parse(&form).into_owned().collect();
    for (name, value) in
        [("grant_type", GRANT), ("device_code", "device-secret-1"), ("client_id", "client"), ("client_info", "1")]
    {
        assert!(form.contains(&(name.to_owned(), value.to_owned())), "{name}");
    }
    assert_eq!(form.len(), 4);
}

#[test]
fn slow_down_lengthens_the_interval_for_good() {
    let fake = system("900", "2")
        .answer(Method::Post, TOKEN, 400, &refusal("slow_down"))
        .answer(Method::Post, TOKEN, 400, &refusal("authorization_pending"))
        .answer(Method::Post, TOKEN, 200, &tokens());
    assert!(run(&fake, None).0.is_ok());
    assert_eq!(waited(&fake), 2 + 7 + 7);
}

#[test]
fn a_lost_connection_or_a_broken_server_doubles_the_pause() {
    let fake = system("900", "1")
        .failure(Method::Post, TOKEN, true)
        .answer(Method::Post, TOKEN, 503, "<html>")
        .answer_with_headers(Method::Post, TOKEN, 429, &[("Retry-After", "9")], "")
        .answer(Method::Post, TOKEN, 400, &refusal("authorization_pending"))
        .answer(Method::Post, TOKEN, 200, &tokens());
    assert!(run(&fake, None).0.is_ok());
    assert_eq!(waited(&fake), 1 + 2 + 4 + 9 + 1);
    let fake = system("900", "1").failure(Method::Post, TOKEN, false);
    assert_eq!(run(&fake, None).0.unwrap_err().kind(), Kind::Network);
}

#[test]
fn the_flow_ends_with_the_code_or_with_the_limit() {
    for (expires_in, seconds) in [("7", 7), ("\"7\"", 7), ("900", 60), ("null", 60)] {
        let mut fake = system(expires_in, "5");
        for _ in 0..(seconds - 1) / 5 {
            fake = fake.answer(Method::Post, TOKEN, 400, &refusal("authorization_pending"));
        }
        let error = run(&fake, None).0.unwrap_err();
        assert_eq!((error.kind(), waited(&fake)), (Kind::Timeout, seconds), "{expires_in}");
        assert_eq!(error.message(), format!("nobody signed in within {seconds} s"));
        fake.assert_done();
    }
}

#[test]
fn the_interval_stays_within_bounds() {
    for (interval, waits) in [("0", 1), ("null", 5), ("\"3\"", 3), ("-4", 5), ("\"x\"", 5)] {
        let fake = system("900", interval).answer(Method::Post, TOKEN, 200, &tokens());
        assert!(run(&fake, None).0.is_ok());
        assert_eq!(waited(&fake), waits, "{interval}");
    }
    let fake = system("900", "86400");
    assert_eq!(run(&fake, None).0.unwrap_err().kind(), Kind::Timeout, "60 s, the limit");
}

#[test]
fn a_refusal_ends_the_flow() {
    let policy = r#"{"error":"access_denied","error_description":"AADSTS53003: Blocked.","error_codes":[53003]}"#;
    for (body, message) in [
        (refusal("authorization_declined"), "the sign-in was declined"),
        (refusal("access_denied"), "the sign-in was declined"),
        (refusal("expired_token"), "nobody signed in within 60 s"),
        (
            refusal("bad_verification_code"),
            "the device code was not recognized: the fake answered with HTTP 400: (hidden)",
        ),
        (refusal("invalid_client"), "the fake answered with HTTP 400"),
        (policy.to_owned(), "the sign-in was declined"),
        ("<html>".to_owned(), "the fake answered with HTTP 400"),
    ] {
        let error = run(&system("900", "5").answer(Method::Post, TOKEN, 400, &body), None).0.unwrap_err();
        assert!(error.message().starts_with(message.trim_end_matches(": (hidden)")), "{body}: {error}");
        assert!(!body.contains("53003") || error.hint().is_some_and(|hint| hint.contains("53003")), "{error}");
    }
}

#[test]
fn another_account_than_the_expected_one_is_refused() {
    let fake = system("900", "5").answer(Method::Post, TOKEN, 200, &tokens());
    let error = run(&fake, Some("alice@contoso.example")).0.unwrap_err();
    assert_eq!(error.message(), "ada@contoso.example signed in, and not alice@contoso.example");
}

#[test]
fn a_cancelled_flow_stops_waiting() {
    let fake = system("900", "5");
    let tenant = Tenant::new("contoso.example").unwrap();
    let flow = Flow {
        system: &fake,
        client_id: "client",
        tenant: &tenant,
        organisation: "contoso",
        account: None,
        hint: None,
        is_fresh: false,
        limit: Duration::from_secs(60),
    };
    let cancellation = crate::system::Clock::cancellation(&fake);
    let outcome = sign_in(&flow, &mut |step| {
        if matches!(step, Step::Waits { .. }) {
            cancellation.cancel();
        }
    });
    assert_eq!(outcome.unwrap_err().kind(), Kind::Cancelled);
    assert_eq!(fake.pauses(), []);
}

fn read(user_code: &str, device_code: &str, page: &str) -> Result<(String, Url)> {
    let body = json!({"user_code": user_code, "device_code": device_code, "verification_uri": page}).to_string();
    let body = zeroize::Zeroizing::new(body.into_bytes());
    code_and_page(&Response { status: 200, headers: Vec::new(), body, host: "login.example".to_owned() })
}

#[test]
fn the_page_is_microsofts() {
    for page in [
        "https://microsoft.com/devicelogin",
        "https://www.microsoft.com/link",
        "https://login.microsoft.com/device",
        "https://login.microsoftonline.com/common/oauth2/deviceauth",
        "https://microsoft.com/deviceloginus",
        "https://login.microsoftonline.us/device",
        "https://login.partner.microsoftonline.cn/device",
    ] {
        assert!(read("ABC", "d", page).is_ok(), "{page}");
    }
    for page in [
        "http://microsoft.com/devicelogin",
        "https://microsoft.com:8443/devicelogin",
        "https://microsoft.com@evil.example/devicelogin",
        "https://microsoft.com.evil.example/devicelogin",
        "https://evil.microsoft.com/devicelogin",
        "https://evil.example/devicelogin",
        "javascript:alert(1)",
        "",
    ] {
        let error = read("ABC", "d", page).unwrap_err();
        assert!(error.hint().is_some_and(|hint| hint.contains("do not type")), "{page}: {error}");
    }
}

#[test]
fn a_code_is_one_short_line() {
    let page = "https://microsoft.com/devicelogin";
    assert_eq!(read("A\u{1b}[31mB\u{202e}C", "d", page).unwrap().0, "A [31mB C");
    for code in [String::new(), "\u{7}".to_owned(), "x".repeat(LONGEST_CODE + 1)] {
        assert!(read(&code, "d", page).is_err(), "{code:?}");
    }
    for code in ["", "two words", "d\u{e9}"] {
        assert!(read("ABC", code, page).is_err(), "{code}");
    }
}

proptest! {
    #[test]
    fn what_is_shown_is_one_line_at_a_host_of_microsoft(code in "\\PC{0,60}|[\\x00-\\x7f]{0,12}", host in "([a-z.@]{0,9})?microsoft(online)?\\.com(:[0-9]{1,4})?(/[ -~]{0,9})?") {
        if let Ok((code, page)) = read(&code, "d", &format!("https://{host}")) {
            prop_assert!(code == single_line(&code) && !code.is_empty());
            let host = page.host_str().unwrap();
            prop_assert!(host.ends_with("microsoft.com") || host.ends_with("microsoftonline.com"), "{}", page);
        }
    }
}
