//! A service account by the credentials of another account: `impersonated_service_account`.

use crate::{
    error::{Error, Kind, Result},
    registry::google::{grant::Grant, location::Location},
    system::System,
};

/// The credentials.
#[derive(Debug)]
pub(in crate::registry::google) struct Impersonated;

impl Impersonated {
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
}
