//! A service account by the credentials of another account: `impersonated_service_account`.

/// The credentials.
#[derive(Debug)]
pub(super) struct Impersonated;
