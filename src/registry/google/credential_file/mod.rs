//! The JSON files in which Google's programs keep credentials, by their `type`.
//! <https://google.aip.dev/auth/4110>

mod authorized_user;
mod external_account;
mod impersonated;
mod impersonation;
mod service_account;

use std::path::PathBuf;

use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use zeroize::Zeroizing;

use self::{
    authorized_user::AuthorizedUser, external_account::ExternalAccount, impersonated::Impersonated,
    service_account::ServiceAccount,
};
use super::{grant::Grant, location::Location};
use crate::{
    auth::private_file,
    error::{Error, Result, quote, truncate},
    secret::Secret,
    system::{System, io_message},
};

/// The scope of every token request, which uploads need.
/// <https://developers.google.com/identity/protocols/oauth2/scopes>
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The only universe that is served; others have other registries.
const UNIVERSE: &str = "googleapis.com";

/// The largest file that is read, in bytes. A key has about 2400.
const CAP: usize = 64 * 1024;

/// The longest foreign text that an error quotes whole, in characters.
const QUOTED: usize = 50;

/// Written by some editors on Windows at the start of a UTF-8 file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The credentials in a file.
#[derive(Debug)]
pub(super) enum CredentialFile {
    /// A person's, `authorized_user`.
    AuthorizedUser(AuthorizedUser),
    /// The key of a service account, `service_account`.
    ServiceAccount(Box<ServiceAccount>),
    /// A workload's or a person's at another identity provider, `external_account`.
    ExternalAccount(Box<ExternalAccount>),
    /// A service account, by the credentials of another account, `impersonated_service_account`.
    Impersonated(Box<Impersonated>),
}

impl CredentialFile {
    /// Reads a file. One that everybody may write is refused, and so are types that need more than a token request.
    pub(super) fn read(system: &dyn System, location: &Location) -> Result<Self> {
        private_file::refuse_writable_by_all(system, &location.path)?;
        let content = system.read_file(&location.path, CAP).map(Zeroizing::new);
        let content = content.map_err(|error| location.broken(&format!("cannot be read: {}", io_message(&error))))?;
        Self::parse(&content, location)
    }

    /// Reads the content of a file, or the credentials inside another document.
    pub(super) fn parse(document: &[u8], location: &Location) -> Result<Self> {
        let document = document.strip_prefix(BYTE_ORDER_MARK).unwrap_or(document);
        if serde_json::from_slice::<IgnoredAny>(document).is_err() {
            return Err(location.broken("is not valid JSON"));
        }
        let header: Header = object(document).ok_or_else(|| location.broken("holds no credentials"))?;
        if let Some(universe) = header.universe_domain.filter(|name| !name.is_empty() && name != UNIVERSE) {
            return Err(location.broken(&format!("is for the domain {}, not {UNIVERSE}", quoted(&universe))));
        }
        match header.kind.as_deref().unwrap_or_default() {
            "authorized_user" => AuthorizedUser::read(document, location).map(Self::AuthorizedUser),
            "service_account" => {
                ServiceAccount::read(document, location).map(|account| Self::ServiceAccount(Box::new(account)))
            }
            "external_account" => {
                ExternalAccount::read(document, location).map(|account| Self::ExternalAccount(Box::new(account)))
            }
            "impersonated_service_account" => {
                Impersonated::read(document, location).map(|account| Self::Impersonated(Box::new(account)))
            }
            other => Err(unsupported(other, location)),
        }
    }

    /// Exchanges the credentials for an access token.
    pub(super) fn grant(&self, system: &dyn System, location: &Location) -> Result<Grant> {
        match self {
            Self::AuthorizedUser(credentials) => credentials.grant(system, location),
            Self::ServiceAccount(credentials) => credentials.grant(system, location),
            Self::ExternalAccount(credentials) => credentials.grant(system, location),
            Self::Impersonated(credentials) => credentials.grant(system, location),
        }
    }

    /// The file whose content says which workload this is, if the credentials name one.
    pub(super) fn subject_file(&self) -> Option<PathBuf> {
        match self {
            Self::ExternalAccount(credentials) => credentials.subject_file(),
            Self::AuthorizedUser(_) | Self::ServiceAccount(_) | Self::Impersonated(_) => None,
        }
    }
}

/// The fields of every type.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "type")]
    kind: Option<String>,
    universe_domain: Option<String>,
}

/// The error for a type that needs more than a token request, or is not known.
fn unsupported(kind: &str, location: &Location) -> Error {
    match kind {
        "" => location.broken("holds no credentials: it has no type"),
        "external_account_authorized_user" => {
            let why = "holds a login that only gcloud can renew, since its refresh token is replaced at each use";
            location.broken(&format!("{why} ({kind})")).with_hint(location.gcloud_login())
        }
        "gdch_service_account" => {
            location.broken("is for Google Distributed Cloud, which has other registries (gdch_service_account)")
        }
        other => location.broken(&format!("holds credentials of a type that is not known: {}", quoted(other))),
    }
}

/// A foreign text, quoted and cut.
fn quoted(text: &str) -> String {
    format!("\"{}\"", truncate(&quote(text, &[]), QUOTED))
}

/// A JSON object. Serde would read an array as a struct too, its elements in the order of the fields.
fn object<T: DeserializeOwned>(document: &[u8]) -> Option<T> {
    document.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(document).ok()).flatten()
}

/// A field of a file that must be there and not be empty.
fn required(field: Option<Secret>, name: &str, location: &Location) -> Result<Secret> {
    let given = field.filter(|text| !text.expose().trim().is_empty());
    given.ok_or_else(|| location.broken(&format!("lacks {name}")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        error::Kind,
        registry::{
            CredentialSource,
            google::{
                GoogleArtifactRegistry, endpoint::TOKEN_URL, location::NamedBy, variables::APPLICATION_CREDENTIALS,
            },
        },
        service::Service,
        system::{
            fake::{FakeSystem, absolute},
            http::Method,
        },
    };

    const PATH: &str = "/home/ada/key.json";

    fn location() -> Location {
        Location { path: absolute(PATH).into(), named_by: NamedBy::Variable("VARIABLE") }
    }

    fn login() -> Value {
        json!({"type": "authorized_user", "client_id": "c", "client_secret": "x-secret", "refresh_token": "x-secret"})
    }

    /// The clause about the file, without its frame, for a file of this content.
    fn broken(content: &[u8]) -> String {
        let error = CredentialFile::parse(content, &location()).unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(!error.to_string().contains("x-secret"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("unset VARIABLE")), "{error}");
        let why = error.message().strip_prefix(&format!("VARIABLE names {}, which ", absolute(PATH)));
        why.unwrap().to_owned()
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let path = absolute(PATH);
        let error = CredentialFile::read(&FakeSystem::default(), &location()).unwrap_err().to_string();
        let expected =
            format!("VARIABLE names {path}, which cannot be read: entity not found; correct or unset VARIABLE");
        assert_eq!(error, expected);
        let huge = FakeSystem::default().file(PATH, &" ".repeat(CAP + 1));
        let error = CredentialFile::read(&huge, &location()).unwrap_err();
        assert!(error.message().contains("which cannot be read: "), "{error}");
    }

    #[test]
    fn the_warning_of_a_refused_login_says_what_to_run_and_to_unset() {
        let refusal = r#"{"error":"invalid_grant","error_subtype":"invalid_rapt"}"#;
        let system = FakeSystem::default()
            .file(PATH, &login().to_string())
            .variable(APPLICATION_CREDENTIALS, &absolute(PATH))
            .answer(Method::Post, TOKEN_URL, 400, refusal);
        let service = Service::parse("https://europe-west1-python.pkg.dev/contoso/plugins/simple/");
        let error = GoogleArtifactRegistry::default().get(&system, &service).unwrap_err();
        let expected = "no credential for europe-west1-python.pkg.dev: application_credentials failed (Google asks you to \
             sign in again: your organisation limits the length of a session (invalid_rapt)); run `gcloud auth \
             application-default login`, and unset GOOGLE_APPLICATION_CREDENTIALS if it names another file";
        assert_eq!(error.warning(), expected);
    }

    #[test]
    fn a_file_that_everybody_may_write_is_refused() {
        let system = FakeSystem::default().file(PATH, &login().to_string());
        assert!(CredentialFile::read(&system, &location()).is_ok());
        let error = CredentialFile::read(&system.mode(PATH, 0o666), &location()).unwrap_err();
        assert!(error.message().starts_with("every user of this machine may write "), "{error}");
    }

    #[test]
    fn a_byte_order_mark_is_ignored() {
        let content = [BYTE_ORDER_MARK, login().to_string().as_bytes()].concat();
        assert!(CredentialFile::parse(&content, &location()).is_ok());
    }

    #[test]
    fn content_that_is_not_credentials_is_refused_in_one_clause() {
        for (content, why) in [
            ("", "is not valid JSON"),
            ("ya29.x-secret", "is not valid JSON"),
            (r#"{"type":"authorized_user","client_secret":"x-secret""#, "is not valid JSON"),
            (r#"["authorized_user","x-secret"]"#, "holds no credentials"),
            (r#""x-secret""#, "holds no credentials"),
            (r#"{"type":7,"client_secret":"x-secret"}"#, "holds no credentials"),
            (r#"{"installed":{"client_secret":"x-secret"}}"#, "holds no credentials: it has no type"),
        ] {
            assert_eq!(broken(content.as_bytes()), why);
        }
        assert_eq!(broken(&[0xff, 0xfe]), "is not valid JSON");
    }

    #[test]
    fn types_that_are_not_supported_say_so() {
        for (document, why) in [
            (json!({"type": "\u{1b}new\nkind"}), "holds credentials of a type that is not known: \"new kind\""),
            (
                json!({"type": "gdch_service_account"}),
                "is for Google Distributed Cloud, which has other registries (gdch_service_account)",
            ),
            (
                json!({"type": "external_account_authorized_user", "refresh_token": "x-secret"}),
                "holds a login that only gcloud can renew, since its refresh token is replaced at each use \
                 (external_account_authorized_user)",
            ),
        ] {
            assert_eq!(broken(document.to_string().as_bytes()), why);
        }
    }

    #[test]
    fn other_universes_are_refused() {
        for (universe, is_accepted) in
            [(json!("googleapis.com"), true), (json!(""), true), (json!(null), true), (json!("apis.example"), false)]
        {
            let mut document = login();
            document["universe_domain"] = universe;
            let content = document.to_string();
            if is_accepted {
                assert!(CredentialFile::parse(content.as_bytes(), &location()).is_ok(), "{content}");
            } else {
                assert_eq!(broken(content.as_bytes()), "is for the domain \"apis.example\", not googleapis.com");
            }
        }
    }
}
