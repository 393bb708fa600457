//! A person: `authorized_user`. <https://google.aip.dev/auth/4113>

use serde::Deserialize;
use url::Url;

use super::{object, required};
use crate::{
    auth::{jwt::Claims, oauth},
    error::{Error, Kind, Result},
    registry::google::{endpoint::TOKEN_URL, grant::Grant, location::Location, refusal},
    secret::Secret,
    system::{
        System,
        http::{ATTEMPTS, Response},
    },
};

/// The credentials.
#[derive(Debug)]
pub(in crate::registry::google) struct AuthorizedUser {
    client_id: String,
    client_secret: Secret,
    refresh_token: Secret,
    /// The proof of a newer sign-in, for organisations that limit the length of a session.
    proof: Option<Secret>,
    /// The account; gcloud writes it into its own files alone.
    account: Option<String>,
}

/// The fields that are read. `token_uri` is not one of them: Google's libraries ignore it too.
#[derive(Deserialize)]
struct File {
    client_id: Option<Secret>,
    client_secret: Option<Secret>,
    refresh_token: Option<Secret>,
    rapt_token: Option<Secret>,
    account: Option<String>,
}

impl AuthorizedUser {
    /// Reads the content of a file.
    pub(super) fn read(document: &[u8], location: &Location) -> Result<Self> {
        let file: File = object(document).ok_or_else(|| location.broken("has a field that is not a string"))?;
        Ok(Self {
            client_id: required(file.client_id, "client_id", location)?.expose().to_owned(),
            client_secret: required(file.client_secret, "client_secret", location)?,
            refresh_token: required(file.refresh_token, "refresh_token", location)?,
            proof: file.rapt_token.filter(|proof| !proof.expose().trim().is_empty()),
            account: file.account.filter(|account| !account.trim().is_empty()),
        })
    }

    /// Exchanges the refresh token for an access token with the scopes that were granted at the sign-in. The refresh token
    /// stays valid.
    pub(super) fn grant(&self, system: &dyn System, location: &Location) -> Result<Grant> {
        let endpoint =
            Url::parse(TOKEN_URL).map_err(|_| Error::new(Kind::Internal, "the token endpoint is not a URL"))?;
        let mut fields = vec![
            ("grant_type", "refresh_token"),
            ("client_id", &self.client_id),
            ("client_secret", self.client_secret.expose()),
            ("refresh_token", self.refresh_token.expose()),
        ];
        fields.extend(self.proof.as_ref().map(|proof| ("rapt", proof.expose())));
        let explain = |response: &Response, error| refusal::explain(location, response, error);
        let (token, answer) = oauth::request_answer(system, &endpoint, &fields, ATTEMPTS, explain)?;
        let account = self.account.clone().or_else(|| account(&answer));
        Ok(Grant { token, account, may_change_unnoticed: false })
    }
}

/// The address of the person in the identity token of an answer, if there is one.
fn account(answer: &Response) -> Option<String> {
    #[derive(Deserialize)]
    struct Identity {
        id_token: Secret,
    }
    let identity: Identity = answer.json().ok()?;
    Claims::read(&identity.id_token)?.text("email").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        auth::jwt::token_of,
        registry::google::location::NamedBy,
        system::{Clock, fake::FakeSystem, http::Method},
    };

    fn location() -> Location {
        Location { path: "/x".into(), named_by: NamedBy::ApplicationDefault }
    }

    fn file(account: &str) -> Value {
        json!({
            "type": "authorized_user",
            "client_id": "1.apps.example",
            "client_secret": "d-secret",
            "refresh_token": "1//r-secret",
            "token_uri": "https://evil.example/token",
            "account": account,
        })
    }

    fn credentials(account: &str) -> AuthorizedUser {
        AuthorizedUser::read(file(account).to_string().as_bytes(), &location()).unwrap()
    }

    #[test]
    fn one_request_exchanges_the_refresh_token() {
        let answer = r#"{"access_token":"ya29.t","expires_in":3599,"scope":"x","token_type":"Bearer"}"#;
        let fake = FakeSystem::default().answer(Method::Post, TOKEN_URL, 200, answer);
        let grant = credentials("ada@contoso.example").grant(&fake, &location()).unwrap();
        assert_eq!(grant.token.secret().expose(), "ya29.t");
        assert_eq!(grant.token.expires(), Some(fake.now() + Duration::from_secs(3599)));
        assert_eq!(grant.account.as_deref(), Some("ada@contoso.example"));
        assert!(!grant.may_change_unnoticed);
        let body =
            "grant_type=refresh_token&client_id=1.apps.example&client_secret=d-secret&refresh_token=1%2F%2Fr-secret";
        assert_eq!(std::str::from_utf8(&fake.requests()[0].body), Ok(body));
        fake.assert_done();
    }

    #[test]
    fn the_proof_of_a_newer_sign_in_is_sent_and_not_repeated() {
        let mut document = file("");
        document["rapt_token"] = json!("rapt-secret");
        let credentials = AuthorizedUser::read(document.to_string().as_bytes(), &location()).unwrap();
        let body = r#"{"error":"invalid_grant","error_description":"Bad rapt-secret"}"#;
        let fake = FakeSystem::default().answer(Method::Post, TOKEN_URL, 400, body);
        let error = credentials.grant(&fake, &location()).unwrap_err();
        assert!(std::str::from_utf8(&fake.requests()[0].body).unwrap().ends_with("&rapt=rapt-secret"));
        assert!(!error.to_string().contains("rapt-secret") && error.message().contains("(hidden)"), "{error}");
    }

    #[test]
    fn the_account_is_that_of_the_file_or_of_the_identity_token() {
        let identity = token_of(&json!({"email": "ada@contoso.example"}));
        for (account, id_token, expected) in [
            ("alice", json!(identity), Some("alice")),
            ("", json!(identity), Some("ada@contoso.example")),
            (" ", json!(token_of(&json!({"sub": "1"}))), None),
            ("", json!("x"), None),
            ("", json!(7), None),
            ("", json!(null), None),
        ] {
            let answer = json!({"access_token": "t", "id_token": id_token}).to_string();
            let fake = FakeSystem::default().answer(Method::Post, TOKEN_URL, 200, &answer);
            let grant = credentials(account).grant(&fake, &location()).unwrap();
            assert_eq!(grant.account.as_deref(), expected, "{answer}");
        }
    }

    #[test]
    fn a_missing_field_is_named() {
        for name in ["client_id", "client_secret", "refresh_token"] {
            for value in [json!(null), json!(""), json!("\n")] {
                let mut document = file("");
                document[name] = value;
                let error = AuthorizedUser::read(document.to_string().as_bytes(), &location()).unwrap_err();
                let expected = format!("/x lacks {name}; run `gcloud auth application-default login`");
                assert_eq!(error.to_string(), expected);
            }
        }
        let mut document = file("");
        document["client_id"] = json!({"x-secret": 1});
        let error = AuthorizedUser::read(document.to_string().as_bytes(), &location()).unwrap_err();
        assert_eq!(error.message(), "/x has a field that is not a string");
    }

    #[test]
    fn a_refusal_does_not_repeat_the_secrets() {
        let body = r#"{"error":"invalid_grant","error_description":"Bad d-secret and 1%2F%2Fr-secret"}"#;
        let fake = FakeSystem::default().answer(Method::Post, TOKEN_URL, 400, body);
        let error = credentials("").grant(&fake, &location()).unwrap_err();
        assert!(!error.to_string().contains("-secret") && error.message().contains("(hidden)"), "{error}");
        assert!(!format!("{:?}", credentials("")).contains("-secret"));
    }
}
