//! A service account by the credentials of another account: `impersonated_service_account`.
//! <https://cloud.google.com/docs/authentication/use-service-account-impersonation>

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    CredentialFile,
    impersonation::{self, Impersonation},
};
use crate::{
    error::{Error, Result},
    registry::google::{
        grant::Grant,
        location::{Location, NamedBy},
    },
    system::System,
};

/// The role that lets one account impersonate another.
const ROLE: &str = "roles/iam.serviceAccountTokenCreator";

/// The types of credentials that Google's own libraries accept as the source, and that need no program.
const SOURCES: [&str; 2] = ["authorized_user", "service_account"];

/// The credentials.
#[derive(Debug)]
pub(in crate::registry::google) struct Impersonated {
    source: CredentialFile,
    impersonation: Impersonation,
}

/// The document. The credentials in it stay where they are: they are secrets.
#[derive(Deserialize)]
struct Document<'text> {
    service_account_impersonation_url: Option<String>,
    #[serde(default)]
    delegates: Option<Vec<String>>,
    #[serde(borrow)]
    source_credentials: Option<&'text RawValue>,
}

/// What the credentials inside are.
#[derive(Deserialize)]
struct Source {
    r#type: Option<String>,
}

impl Impersonated {
    /// Reads the document.
    pub(super) fn read(document: &[u8], location: &Location) -> Result<Self> {
        let document: Document<'_> = serde_json::from_slice(document)
            .map_err(|_| location.broken("is not an impersonated_service_account of the form that Google documents"))?;
        let (Some(source), Some(address)) = (document.source_credentials, document.service_account_impersonation_url)
        else {
            return Err(location.broken(&format!("lacks source_credentials or {}", impersonation::FIELD)));
        };
        let kind = serde_json::from_str::<Source>(source.get()).ok().and_then(|source| source.r#type);
        if !kind.is_some_and(|kind| SOURCES.contains(&kind.as_str())) {
            return Err(location.broken("has source_credentials that are neither authorized_user nor service_account"));
        }
        let delegates = document.delegates.unwrap_or_default();
        let impersonation = Impersonation::read(&address, delegates, None, location)?;
        let source = CredentialFile::parse(source.get().as_bytes(), location)
            .map_err(|error| keep_impersonation(&impersonation, location, error))?;
        Ok(Self { source, impersonation })
    }

    /// Exchanges the credentials for an access token of the service account.
    pub(super) fn grant(&self, system: &dyn System, location: &Location) -> Result<Grant> {
        self.impersonation.open_ahead(system);
        let source = self.source.grant(system, location);
        let source = source.map_err(|error| keep_impersonation(&self.impersonation, location, error))?;
        let token = self.impersonation.exchange(system, &source.token, ROLE)?;
        let account = Some(self.impersonation.account().to_owned());
        Ok(Grant { token, account, may_change_unnoticed: source.may_change_unnoticed })
    }
}

/// Completes the hint to sign in again: without the option the command would put the login of the person alone into the file.
fn keep_impersonation(impersonation: &Impersonation, location: &Location, error: Error) -> Error {
    let command = format!("`{}`", location.login_command());
    match error.hint() {
        Some(hint) if location.named_by != NamedBy::Gcloud && hint.contains(&command) => {
            let complete =
                format!("`{} --impersonate-service-account={}`", location.login_command(), impersonation.chain());
            let hint = hint.replace(&command, &complete);
            error.with_hint(hint)
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        error::Kind,
        registry::google::{endpoint::TOKEN_URL, location::NamedBy},
        system::{fake::FakeSystem, http::Method},
    };

    const ACCOUNT: &str = "publisher@contoso.iam.gserviceaccount.com";
    const URL: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/publisher@contoso.iam.gserviceaccount.com:generateAccessToken";

    fn location() -> Location {
        Location { path: "/keys/ada.json".into(), named_by: NamedBy::ApplicationDefault }
    }

    fn document(source: &str) -> Vec<u8> {
        let user = json!({
            "type": source, "client_id": "ada", "client_secret": "client-secret", "refresh_token": "refresh-secret",
        });
        let document = json!({
            "type": "impersonated_service_account", "service_account_impersonation_url": URL, "delegates": [],
            "source_credentials": user, "quota_project_id": "contoso",
        });
        document.to_string().into_bytes()
    }

    fn grant(fake: &FakeSystem) -> Result<Grant> {
        Impersonated::read(&document("authorized_user"), &location()).unwrap().grant(fake, &location())
    }

    #[test]
    fn the_token_of_the_source_is_exchanged_over_an_open_connection() {
        let fake = FakeSystem::default()
            .answer(Method::Post, TOKEN_URL, 200, r#"{"access_token":"ya29.ada","expires_in":3599}"#)
            .answer(Method::Post, URL, 200, r#"{"accessToken":"ya29.publisher","expireTime":"2026-11-22T01:00:00Z"}"#);
        let grant = grant(&fake).unwrap();
        assert_eq!((grant.token.secret().expose(), grant.account.as_deref()), ("ya29.publisher", Some(ACCOUNT)));
        assert!(!grant.may_change_unnoticed);
        assert_eq!(fake.opened_ahead(), [URL]);
        fake.assert_done();
    }

    #[test]
    fn a_denied_permission_names_the_role_of_a_person() {
        let denied = r#"{"error":{"code":403,"message":"no, ya29.ada","status":"PERMISSION_DENIED"}}"#;
        let fake = FakeSystem::default()
            .answer(Method::Post, TOKEN_URL, 200, r#"{"access_token":"ya29.ada","expires_in":3599}"#)
            .answer(Method::Post, URL, 403, denied);
        let error = grant(&fake).unwrap_err();
        let expected = format!(
            "the fake refused to impersonate {ACCOUNT} (HTTP 403): no, (hidden); grant the caller \
             roles/iam.serviceAccountTokenCreator on {ACCOUNT}"
        );
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn the_command_that_signs_in_again_keeps_the_impersonation() {
        let delegates = json!(["projects/-/serviceAccounts/first@contoso.iam.gserviceaccount.com"]);
        let chain = format!("first@contoso.iam.gserviceaccount.com,{ACCOUNT}");
        for (delegates, chain) in [(json!([]), ACCOUNT), (delegates, chain.as_str())] {
            let mut document: serde_json::Value = serde_json::from_slice(&document("authorized_user")).unwrap();
            document["delegates"] = delegates;
            let command = format!("run `gcloud auth application-default login --impersonate-service-account={chain}`");
            let credentials = Impersonated::read(document.to_string().as_bytes(), &location()).unwrap();
            let refusal = r#"{"error":"invalid_grant","error_description":"Bad Request"}"#;
            let fake = FakeSystem::default().answer(Method::Post, TOKEN_URL, 400, refusal);
            assert_eq!(credentials.grant(&fake, &location()).unwrap_err().hint(), Some(command.as_str()));
            document["source_credentials"]["refresh_token"] = json!("");
            let error = Impersonated::read(document.to_string().as_bytes(), &location()).unwrap_err();
            assert_eq!(error.hint(), Some(command.as_str()));
        }
    }

    #[test]
    fn other_sources_and_broken_documents_are_refused() {
        let text = |document: Vec<u8>| String::from_utf8(document).unwrap();
        let user = text(document("authorized_user"));
        for (document, why) in [
            (text(document("external_account")), "neither authorized_user nor service_account"),
            (text(document("external_account_authorized_user")), "neither authorized_user nor service_account"),
            (text(document("impersonated_service_account")), "neither authorized_user nor service_account"),
            (user.replace("source_credentials", "source"), "lacks source_credentials or"),
            (user.replace("service_account_impersonation_url", "url"), "lacks source_credentials or"),
            (user.replace("iamcredentials.googleapis.com", "evil.example"), ""),
            (user.replace("[]", "7"), "is not an impersonated_service_account"),
            ("client-secret".to_owned(), "is not an impersonated_service_account"),
        ] {
            let Err(error) = Impersonated::read(document.as_bytes(), &location()) else { panic!("{document}") };
            assert_eq!(error.kind(), Kind::Configuration);
            assert!(error.message().contains(why) && !error.to_string().contains("client-secret"), "{error}");
        }
    }
}
