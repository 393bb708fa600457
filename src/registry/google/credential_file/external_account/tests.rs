//! Whole exchanges: subject token, STS, impersonation.

use serde_json::{Value, json};

use super::*;
use crate::{
    error::Kind,
    registry::google::location::NamedBy,
    system::{
        fake::{FakeSystem, absolute},
        http::Method,
    },
};

const STS: &str = "https://sts.googleapis.com/v1/token";
const ACCOUNT: &str = "publisher@contoso.iam.gserviceaccount.com";
const IMPERSONATION: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/publisher@contoso.iam.gserviceaccount.com:generateAccessToken";
const GITHUB: &str = "https://token.actions.example/x";
const FEDERATED: &str = r#"{"access_token":"ya29.federated","expires_in":3599,"token_type":"Bearer"}"#;
const IMPERSONATED: &str = r#"{"accessToken":"ya29.publisher","expireTime":"2026-11-22T01:00:00Z"}"#;

fn location() -> Location {
    Location { path: "/keys/ada.json".into(), named_by: NamedBy::Variable("VARIABLE") }
}

/// A document with a file as its source, and other members.
fn document(members: &Value) -> Value {
    let mut document = json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/contoso/providers/github",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": STS,
        "credential_source": {"file": absolute("/run/token")},
    });
    for (name, value) in members.as_object().unwrap() {
        document[name] = value.clone();
    }
    document
}

fn read(members: &Value) -> Result<ExternalAccount> {
    ExternalAccount::read(document(members).to_string().as_bytes(), &location())
}

fn grant(fake: &FakeSystem, members: &Value) -> Result<Grant> {
    read(members)?.grant(fake, &location())
}

fn with_token() -> FakeSystem {
    FakeSystem::default().file("/run/token", "subject-secret")
}

#[test]
fn the_identity_of_a_workload_is_exchanged_once() {
    let fake = with_token().answer(Method::Post, STS, 200, FEDERATED);
    let grant = grant(&fake, &json!({})).unwrap();
    assert_eq!(grant.token.secret().expose(), "ya29.federated");
    assert_eq!(grant.account.as_deref(), Some("provider github of workload identity pool contoso"));
    assert!(!grant.may_change_unnoticed && fake.opened_ahead().is_empty());
    fake.assert_done();
    assert_eq!(read(&json!({})).unwrap().subject_file(), Some(absolute("/run/token").into()));
}

#[test]
fn a_service_account_answers_over_a_connection_opened_ahead() {
    let fake =
        with_token().answer(Method::Post, STS, 200, FEDERATED).answer(Method::Post, IMPERSONATION, 200, IMPERSONATED);
    let members = json!({
        "service_account_impersonation_url": IMPERSONATION,
        "service_account_impersonation": {"token_lifetime_seconds": 1800},
    });
    let grant = grant(&fake, &members).unwrap();
    assert_eq!((grant.token.secret().expose(), grant.account.as_deref()), ("ya29.publisher", Some(ACCOUNT)));
    assert_eq!(fake.opened_ahead(), [IMPERSONATION]);
    let body: Value = serde_json::from_slice(&fake.requests()[1].body).unwrap();
    assert_eq!(body["lifetime"], "1800s");
}

#[test]
fn both_services_are_connected_to_while_a_third_is_asked() {
    let fake = FakeSystem::default()
        .answer(Method::Get, GITHUB, 200, "subject-secret")
        .answer(Method::Post, STS, 200, FEDERATED)
        .answer(Method::Post, IMPERSONATION, 200, IMPERSONATED);
    let members = json!({"credential_source": {"url": GITHUB}, "service_account_impersonation_url": IMPERSONATION});
    assert!(grant(&fake, &members).is_ok());
    assert_eq!(fake.opened_ahead(), [STS, IMPERSONATION]);
}

#[test]
fn a_program_may_change_its_account_unnoticed() {
    let printed = r#"{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:jwt","id_token":"a"}"#;
    let fake = FakeSystem::default()
        .variable("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
        .run("tool", &[], 0, printed, "")
        .answer(Method::Post, STS, 200, FEDERATED);
    let grant = grant(&fake, &json!({"credential_source": {"executable": {"command": "tool"}}})).unwrap();
    assert!(grant.may_change_unnoticed);
}

#[test]
fn a_denied_permission_names_the_role_of_a_workload() {
    let denied = r#"{"error":{"code":403,"message":"Permission denied","status":"PERMISSION_DENIED"}}"#;
    let fake = with_token().answer(Method::Post, STS, 200, FEDERATED).answer(Method::Post, IMPERSONATION, 403, denied);
    let error = grant(&fake, &json!({"service_account_impersonation_url": IMPERSONATION})).unwrap_err();
    let hint = format!("grant the caller roles/iam.workloadIdentityUser on {ACCOUNT}");
    assert_eq!((error.kind(), error.hint()), (Kind::Rejected, Some(hint.as_str())));
}

#[test]
fn documents_that_cannot_be_used_are_refused_before_any_request() {
    for (members, why) in [
        (json!({"audience": null}), "has no usable audience"),
        (json!({"audience": "a\nb"}), "has no usable audience"),
        (json!({"audience": "a".repeat(1025)}), "has no usable audience"),
        (json!({"subject_token_type": ""}), "has no usable subject_token_type"),
        (json!({"token_url": null}), "has no usable token_url"),
        (json!({"client_id": "a b"}), "has no usable client_id"),
        (json!({"workforce_pool_user_project": "a b"}), "has no usable workforce_pool_user_project"),
        (json!({"credential_source": null}), "has no credential_source"),
        (json!({"credential_source": []}), "is not an external_account of the form that Google documents"),
        (json!({"audience": 7}), "is not an external_account of the form that Google documents"),
        (
            json!({"service_account_impersonation_url": IMPERSONATION, "service_account_impersonation": {"token_lifetime_seconds": 1}}),
            "has a token_lifetime_seconds outside of 600 to 43200",
        ),
    ] {
        let error = read(&members).unwrap_err();
        assert_eq!(error.message(), format!("VARIABLE names /keys/ada.json, which {why}"), "{members}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let members = json!({
        "client_id": "ada", "client_secret": "x-secret",
        "credential_source": {"url": "https://token.example/?x-secret", "headers": {"A": "x-secret"}},
    });
    let shown = format!("{:?}", read(&members).unwrap());
    assert!(!shown.contains("x-secret"), "{shown}");
}
