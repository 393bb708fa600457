//! Workload and workforce identity federation: `external_account`. <https://google.aip.dev/auth/4117>

use std::path::PathBuf;

use crate::{
    error::{Error, Kind, Result},
    registry::google::{grant::Grant, location::Location},
    system::System,
};

/// The credentials.
#[derive(Debug)]
pub(in crate::registry::google) struct ExternalAccount;

impl ExternalAccount {
    /// Reads the content of a file.
    pub(super) fn read(document: &[u8], location: &Location) -> Result<Self> {
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
