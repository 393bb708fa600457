//! Tests of the sign-in with a browser.

use proptest::prelude::*;

use super::*;
use crate::{
    auth::jwt::token_of,
    registry::azure::entra::Tenant,
    system::{
        fake::{FakeSystem, loopback::PORT},
        http::Method,
    },
};

const TOKEN: &str = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token";

/// The fake's host of the redirect.
const HOST: &str = "localhost:40001";

/// State, nonce and verifier.
fn secrets() -> [String; 3] {
    [1, 2, 3].map(|byte| URL_SAFE_NO_PAD.encode([byte; RANDOM]))
}

fn system() -> FakeSystem {
    FakeSystem::default().random_bytes([1, 2, 3].map(|byte| vec![byte; RANDOM]))
}

fn tokens(nonce: &str) -> String {
    let id_token =
        token_of(&json!({"preferred_username": "ada@contoso.example", "oid": "ada", "tid": "home", "nonce": nonce}));
    json!({"access_token": "t", "refresh_token": "refresh-secret-1", "id_token": id_token}).to_string()
}

fn run(fake: &FakeSystem, is_fresh: bool, account: Option<&str>) -> (Result<(Tokens, Owner)>, Vec<String>) {
    let tenant = Tenant::new("contoso.example").unwrap();
    let flow = Flow {
        system: fake,
        client_id: "client",
        tenant: &tenant,
        organisation: "pkgs.dev.azure.com/contoso",
        account,
        hint: account,
        is_fresh,
        limit: Duration::from_secs(60),
    };
    let mut steps = Vec::new();
    let finish = |tokens, owner| Ok((tokens, owner));
    let outcome = sign_in(&flow, &mut |step| steps.push(format!("{step:?}")), finish);
    let [_, _, verifier] = secrets();
    let shown = format!("{steps:?} {:?} {outcome:?}", fake.pages());
    for secret in ["code-secret-1", "refresh-secret-1", verifier.as_str()] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    (outcome, steps)
}

fn post(fake: FakeSystem, body: &str) -> FakeSystem {
    fake.browser_request(&format!("POST / {HOST}"), body)
}

fn code() -> String {
    format!("code=code-secret-1&state={}&session_state=x&client_info=y", secrets()[0])
}

fn statuses(fake: &FakeSystem) -> Vec<u16> {
    fake.pages().iter().map(|page| page.status).collect()
}

#[test]
fn the_code_is_redeemed_and_the_page_names_the_account() {
    let [state, nonce, verifier] = secrets();
    let fake = post(system(), &code()).answer(Method::Post, TOKEN, 200, &tokens(&nonce));
    let (outcome, steps) = run(&fake, false, Some("ada@contoso.example"));
    let (tokens, owner) = outcome.unwrap();
    assert_eq!((owner.username.as_str(), owner.home_id.as_str()), ("ada@contoso.example", "ada.home"));
    assert_eq!(tokens.refresh_token.unwrap().expose(), "refresh-secret-1");
    let form = fake.requests()[0].body.to_vec();
    let form: Vec<_> = form_urlencoded::parse(&form).into_owned().collect();
    for (name, value) in [
        ("grant_type", "authorization_code"),
        ("client_id", "client"),
        ("code", "code-secret-1"),
        ("redirect_uri", "http://localhost:40001"),
        ("code_verifier", &verifier),
        ("scope", &client::scope()),
        ("client_info", "1"),
    ] {
        assert!(form.contains(&(name.to_owned(), value.to_owned())), "{name}");
    }
    let page = &fake.pages()[0];
    assert!(page.status == 200 && page.html.contains("ada@contoso.example"), "{}", page.html);
    assert!(page.html.contains("pkgs.dev.azure.com/contoso"), "{}", page.html);
    assert!(steps[0].contains(&state) && steps[0].contains("port: 40001") && steps[0].contains("is_opened: false"));
}

#[test]
fn the_sign_in_page_gets_a_challenge_and_no_verifier() {
    let fake = system();
    let attempt = Attempt::new(&fake, PORT).unwrap();
    let tenant = Tenant::new("contoso.example").unwrap();
    let url = |is_fresh, hint| {
        let (limit, account) = (Duration::from_secs(60), None);
        let flow = Flow {
            system: &fake,
            client_id: "client",
            tenant: &tenant,
            organisation: "p",
            account,
            hint,
            is_fresh,
            limit,
        };
        attempt.url(&flow).unwrap()
    };
    let [state, nonce, verifier] = secrets();
    assert_eq!(verifier.len(), 43);
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let first = url(false, None);
    let given: Vec<_> = first.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
    let expected = [
        "client_id=client".to_owned(),
        "response_type=code".to_owned(),
        "redirect_uri=http://localhost:40001".to_owned(),
        "response_mode=form_post".to_owned(),
        format!("scope={}", client::scope()),
        format!("state={state}"),
        format!("nonce={nonce}"),
        format!("code_challenge={challenge}"),
        "code_challenge_method=S256".to_owned(),
        "prompt=select_account".to_owned(),
        "client_info=1".to_owned(),
    ];
    assert_eq!(given, expected);
    assert!(first.as_str().starts_with("https://login.microsoftonline.com/contoso.example/oauth2/v2.0/authorize?"));
    let fresh = url(true, Some("ada@contoso.example"));
    let given: Vec<_> = fresh.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
    assert!(given.contains(&"prompt=login".to_owned()) && given.contains(&"login_hint=ada@contoso.example".to_owned()));
}

#[test]
fn other_requests_are_answered_and_the_wait_goes_on() {
    let [state, nonce, _] = secrets();
    let mut fake = system();
    for head in [
        format!("GET / {HOST}"),
        format!("GET /favicon.ico {HOST}"),
        format!("GET /?code=stolen&state={state} {HOST}"),
        format!("GET /?error=access_denied&state={state} {HOST}"),
        format!("HEAD / {HOST}"),
        "GET / evil.example:40001".to_owned(),
        "GET / 127.0.0.1:40001".to_owned(),
        "GET / localhost".to_owned(),
    ] {
        fake = fake.browser_request(&head, "");
    }
    for (head, body) in [
        (format!("POST / {HOST}"), "code=stolen&state=wrong".to_owned()),
        (format!("POST / {HOST}"), "code=stolen".to_owned()),
        (format!("POST / {HOST}"), format!("state={state}")),
        (format!("POST / {HOST}"), format!("code=&state={state}")),
        (format!("POST / {HOST}"), format!("code=a&code=b&state={state}")),
        (format!("POST / {HOST}"), format!("code=a&state={state}&state=x")),
        (format!("POST / {HOST}"), "error=access_denied&state=wrong".to_owned()),
        (format!("POST /other {HOST}"), code()),
        (format!("POST /?x=y {HOST}"), code()),
        ("POST / evil.example".to_owned(), code()),
        (format!("PUT / {HOST}"), code()),
    ] {
        fake = fake.browser_request(&head, &body);
    }
    let fake = post(fake, &code()).answer(Method::Post, TOKEN, 200, &tokens(&nonce));
    assert!(run(&fake, false, None).0.is_ok());
    let statuses = statuses(&fake);
    let expected = [&[200][..], &[400; 18], &[200]].concat();
    assert_eq!(statuses, expected);
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn a_body_that_is_not_a_form_is_refused() {
    let attempt = Attempt::new(&system(), PORT).unwrap();
    let request = |content_type: &str, host: Option<&str>| BrowserRequest {
        method: "POST".to_owned(),
        target: Zeroizing::new("/".to_owned()),
        host: host.map(str::to_owned),
        content_type: content_type.to_owned(),
        body: Zeroizing::new(code().into_bytes()),
    };
    let is_code = |request| matches!(attempt.read(&request), Received::Code(_));
    assert!(is_code(request("application/x-www-form-urlencoded", Some(HOST))));
    for content_type in ["", "text/plain", "multipart/form-data", "application/json"] {
        assert!(!is_code(request(content_type, Some(HOST))), "{content_type}");
    }
    assert!(!is_code(request("application/x-www-form-urlencoded", None)));
}

#[test]
fn a_second_answer_is_refused_and_the_code_sent_once() {
    let [_, nonce, _] = secrets();
    let fake = post(post(system(), &code()), &code()).answer(Method::Post, TOKEN, 200, &tokens(&nonce));
    assert!(run(&fake, false, None).0.is_ok());
    assert_eq!((statuses(&fake), fake.requests().len()), (vec![200, 409], 1));
}

#[test]
fn a_declined_sign_in_ends_with_a_page() {
    let state = &secrets()[0];
    for (error, description, message) in [
        ("access_denied", "", "the sign-in was declined"),
        ("access_denied", "AADSTS65004: User declined to consent.", "the sign-in was declined; the application lacks"),
        ("access_denied", "AADSTS1: no.", "the sign-in was declined (AADSTS1)"),
        ("server_error", "AADSTS90020: <b>broken</b>", "the sign-in page answered: AADSTS90020: <b>"),
        ("server_error", "", "the sign-in page answered: server_error"),
    ] {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("error", error).append_pair("error_description", description).append_pair("state", state);
        let fake = post(system(), &form.finish());
        let failure = run(&fake, false, None).0.unwrap_err();
        let warning = failure.warning();
        assert!(warning.starts_with(message), "{warning}");
        assert!(warning.contains(description.split(':').next().unwrap()), "{warning}");
        let page = &fake.pages()[0];
        assert!(page.status == 400 && !page.html.contains("<b>"), "{}", page.html);
    }
}

#[test]
fn the_page_says_why_a_code_was_not_redeemed() {
    let [_, nonce, _] = secrets();
    let refused = r#"{"error":"invalid_grant","error_description":"AADSTS501481: code-secret-1 does not match."}"#;
    for (status, body, account, message) in [
        (400, refused.to_owned(), None, "the fake answered with HTTP 400"),
        (503, "<html>".to_owned(), None, "the fake answered with HTTP 503"),
        (200, tokens("another"), None, "the ID token belongs to another sign-in"),
        (200, r#"{"access_token":"t"}"#.to_owned(), None, "the ID token belongs to another sign-in"),
        (200, r#"{"refresh_token":"t"}"#.to_owned(), None, "the fake sent JSON of an unexpected form"),
        (200, tokens(&nonce), Some("alice@contoso.example"), "ada@contoso.example signed in, and not alice"),
    ] {
        let fake = post(system(), &code()).answer(Method::Post, TOKEN, status, &body);
        let error = run(&fake, false, account).0.unwrap_err();
        assert!(error.message().starts_with(message), "{error}");
        let page = &fake.pages()[0];
        assert!(page.status == 400 && page.html.contains(message), "{}", page.html);
        assert_eq!(fake.requests().len(), 1, "a code serves once");
    }
    let fake = post(system(), &code()).failure(Method::Post, TOKEN, true);
    assert_eq!(run(&fake, false, None).0.unwrap_err().kind(), Kind::Network);
}

#[test]
fn the_page_shows_the_outcome_of_the_last_step() {
    let [_, nonce, _] = secrets();
    let fake = post(system(), &code()).answer(Method::Post, TOKEN, 200, &tokens(&nonce));
    let tenant = Tenant::new("contoso.example").unwrap();
    let (limit, organisation) = (Duration::from_secs(60), "contoso");
    let flow = Flow {
        system: &fake,
        client_id: "client",
        tenant: &tenant,
        organisation,
        account: None,
        hint: None,
        is_fresh: false,
        limit,
    };
    let finish = |_, _| Err::<(), _>(Error::new(Kind::Rejected, "no access").with_note("the login is kept"));
    assert_eq!(sign_in(&flow, &mut |_| {}, finish).unwrap_err().message(), "no access");
    let page = &fake.pages()[0];
    assert!(page.status == 400 && page.html.contains("no access") && page.html.contains("The login is kept"));
}

#[test]
fn nobody_who_comes_is_a_timeout() {
    let (outcome, steps) = run(&system(), false, None);
    assert_eq!(outcome.unwrap_err().kind(), Kind::Timeout);
    assert!(steps.iter().any(|step| step.starts_with("Waits")), "{steps:?}");
}

#[test]
fn equal_texts_are_equal() {
    assert!(is_equal(b"", b"") && is_equal(b"abc", b"abc"));
    assert!(!is_equal(b"abc", b"abd") && !is_equal(b"abc", b"ab") && !is_equal(b"", b"a"));
}

proptest! {
    #[test]
    fn only_a_form_with_our_state_is_an_answer(body in "(code|state|error|x)=[ -~]{0,12}(&(code|state|error)=[ -~]{0,12}){0,3}", with_state in any::<bool>()) {
        let attempt = Attempt::new(&system(), PORT).unwrap();
        let state = &secrets()[0];
        let body = if with_state { format!("{body}&state={state}") } else { body };
        let request = BrowserRequest {
            method: "POST".to_owned(),
            target: Zeroizing::new("/".to_owned()),
            host: Some(HOST.to_owned()),
            content_type: "application/x-www-form-urlencoded".to_owned(),
            body: Zeroizing::new(body.clone().into_bytes()),
        };
        let is_answer = matches!(attempt.read(&request), Received::Code(_) | Received::Error { .. });
        prop_assert!(!is_answer || (with_state && body.matches("state=").count() == 1), "{}", body);
    }
}
