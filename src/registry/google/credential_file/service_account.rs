//! The key of a service account: `service_account`. <https://google.aip.dev/auth/4112>

/// The credentials.
#[derive(Debug)]
pub(super) struct ServiceAccount;
