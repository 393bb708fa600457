//! The subject token: another identity provider's token for this workload or person, from the `credential_source` of the
//! document.

mod aws;
mod executable;
mod file;
mod format;
mod url;

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, de::IgnoredAny};

use crate::{
    auth::access_token::AccessToken, error::Result, registry::google::location::Location, secret::Secret,
    system::System,
};

/// What a subject token is for.
pub(super) struct Wanted<'all> {
    /// The provider that accepts it.
    pub(super) audience: &'all str,
    /// Its type, a URN.
    pub(super) subject_token_type: &'all str,
    /// The service account that is then impersonated.
    pub(super) account: Option<&'all str>,
}

/// A subject token.
#[derive(Debug)]
pub(super) struct SubjectToken {
    /// The token.
    pub(super) token: AccessToken,
    /// The texts that errors hide: the token, or its secret parts if it is a signed request.
    pub(super) secrets: Vec<Secret>,
}

impl From<AccessToken> for SubjectToken {
    fn from(token: AccessToken) -> Self {
        Self { secrets: vec![token.secret().clone()], token }
    }
}

/// Where a subject token comes from.
#[derive(Debug)]
pub(in crate::registry::google) enum Source {
    /// A file.
    File(file::File),
    /// A service.
    Url(url::Service),
    /// A program.
    Executable(executable::Executable),
    /// A request to AWS, signed and not sent.
    Aws(aws::Aws),
}

/// `credential_source`. Exactly one kind may be present; `url` is a kind, and also a field of the AWS kind.
#[derive(Deserialize)]
pub(super) struct Document {
    file: Option<String>,
    url: Option<Secret>,
    headers: Option<BTreeMap<String, Secret>>,
    format: Option<format::Document>,
    executable: Option<executable::Document>,
    environment_id: Option<String>,
    region_url: Option<String>,
    regional_cred_verification_url: Option<String>,
    imdsv2_session_token_url: Option<String>,
    certificate: Option<IgnoredAny>,
}

impl Source {
    /// Reads the document.
    pub(super) fn read(document: Document, location: &Location) -> Result<Self> {
        let broken = |why: &str| location.broken(&format!("has a credential_source {why}"));
        let is_url = document.url.is_some() && document.environment_id.is_none();
        let kinds = [
            document.file.is_some(),
            is_url,
            document.executable.is_some(),
            document.environment_id.is_some(),
            document.certificate.is_some(),
        ];
        match kinds.iter().filter(|is_present| **is_present).count() {
            0 => return Err(broken("of a kind that is not known")),
            1 => {}
            _ => return Err(broken("of several kinds")),
        }
        if document.certificate.is_some() {
            return Err(broken("with a client certificate (X.509), which is not supported"));
        }
        if let Some(document) = document.executable {
            return executable::Executable::read(document, location).map(Self::Executable);
        }
        if let Some(environment) = document.environment_id {
            let addresses = [
                ("url", document.url.map(|url| url.expose().to_owned())),
                ("region_url", document.region_url),
                ("imdsv2_session_token_url", document.imdsv2_session_token_url),
            ];
            let verification_url = document.regional_cred_verification_url;
            return aws::Aws::read(&environment, addresses, verification_url, location).map(Self::Aws);
        }
        let format = format::Format::read(document.format).map_err(broken)?;
        match (document.file, document.url) {
            (Some(path), _) => file::File::read(&path, format, location).map(Self::File),
            (None, Some(url)) => {
                url::Service::read(&url, document.headers.unwrap_or_default(), format, location).map(Self::Url)
            }
            (None, None) => Err(broken("of a kind that is not known")),
        }
    }

    /// The file, if it is one.
    pub(super) fn file(&self) -> Option<PathBuf> {
        match self {
            Self::File(file) => Some(file.path.clone()),
            _ => None,
        }
    }

    /// Whether the token takes a request, during which other connections can be opened.
    pub(super) fn is_service(&self) -> bool {
        matches!(self, Self::Url(_))
    }

    /// Whether a program chooses the account.
    pub(super) fn is_program(&self) -> bool {
        matches!(self, Self::Executable(_))
    }

    /// Obtains a token; nothing is cached.
    pub(super) fn token(&self, system: &dyn System, wanted: &Wanted<'_>, location: &Location) -> Result<SubjectToken> {
        match self {
            Self::File(file) => file.token(system, location).map(SubjectToken::from),
            Self::Url(service) => service.token(system, location).map(SubjectToken::from),
            Self::Executable(executable) => executable.token(system, wanted, location).map(SubjectToken::from),
            Self::Aws(aws) => aws.token(system, wanted.audience, location),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::Kind, registry::google::location::NamedBy, system::fake::absolute};

    /// A file for tests.
    pub(super) fn location() -> Location {
        Location { path: "/keys/ada.json".into(), named_by: NamedBy::Variable("VARIABLE") }
    }

    /// The source in a document.
    pub(super) fn source(document: &serde_json::Value) -> Result<Source> {
        Source::read(serde_json::from_value(document.clone()).unwrap(), &location())
    }

    #[test]
    fn a_document_has_one_kind_of_source() {
        use serde_json::json;
        let file = absolute("/run/token");
        let url = "https://token.example/x";
        let aws =
            json!({"environment_id": "aws1", "regional_cred_verification_url": "https://sts.{region}.amazonaws.com"});
        assert!(matches!(source(&json!({"file": file})), Ok(Source::File(_))));
        assert!(matches!(source(&json!({"url": url, "file": null})), Ok(Source::Url(_))));
        assert!(matches!(source(&json!({"executable": {"command": "tool"}})), Ok(Source::Executable(_))));
        assert!(matches!(source(&aws), Ok(Source::Aws(_))));
        for (document, why) in [
            (json!({}), "of a kind that is not known"),
            (json!({"pipe": "x"}), "of a kind that is not known"),
            (json!({"file": file, "url": url}), "of several kinds"),
            (json!({"file": file, "executable": {"command": "tool"}}), "of several kinds"),
            (json!({"environment_id": "aws1", "file": file}), "of several kinds"),
            (json!({"certificate": {}, "url": url}), "of several kinds"),
            (json!({"certificate": {}}), "with a client certificate (X.509), which is not supported"),
            (json!({"file": file, "format": {"type": "xml"}}), "with a format that is neither text nor json"),
            (json!({"file": file, "format": {"type": "json"}}), "without subject_token_field_name"),
        ] {
            let error = source(&document).unwrap_err();
            let message = format!("VARIABLE names /keys/ada.json, which has a credential_source {why}");
            assert_eq!((error.kind(), error.message()), (Kind::Configuration, message.as_str()), "{document}");
        }
    }
}
