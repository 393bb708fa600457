//! The JSON files in which Google's programs keep credentials, by their `type`.
//! <https://google.aip.dev/auth/4110>

mod authorized_user;
mod external_account;
mod impersonated;
mod impersonation;
mod service_account;

use std::path::PathBuf;

use super::{grant::Grant, location::Location};
use crate::{
    error::{Error, Kind, Result},
    system::System,
};

/// The scope of every access token that is asked for.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// The credentials in a file.
#[derive(Debug)]
pub(super) enum CredentialFile {
    /// A person's, `authorized_user`.
    AuthorizedUser(authorized_user::AuthorizedUser),
    /// The key of a service account, `service_account`.
    ServiceAccount(service_account::ServiceAccount),
    /// A workload's or a person's at another identity provider, `external_account`.
    ExternalAccount(Box<external_account::ExternalAccount>),
    /// A service account, by the credentials of another account, `impersonated_service_account`.
    Impersonated(Box<impersonated::Impersonated>),
}

impl CredentialFile {
    /// Reads a file. One that everybody may write is refused, and so are types that need more than a token request.
    pub(super) fn read(system: &dyn System, location: &Location) -> Result<Self> {
        let _ = (system, location);
        Err(Error::new(Kind::Internal, "not there yet"))
    }

    /// Reads the content of a file, or the credentials inside another document.
    pub(super) fn parse(document: &[u8], location: &Location) -> Result<Self> {
        let _ = (document, location);
        Err(Error::new(Kind::Internal, "not there yet"))
    }

    /// Exchanges the credentials for an access token.
    pub(super) fn grant(&self, system: &dyn System, location: &Location) -> Result<Grant> {
        let _ = (system, location);
        Err(Error::new(Kind::Internal, "not there yet"))
    }

    /// The file whose content says which workload this is, if the credentials name one.
    pub(super) fn subject_file(&self) -> Option<PathBuf> {
        None
    }
}
