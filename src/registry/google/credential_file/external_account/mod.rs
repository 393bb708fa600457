//! Workload and workforce identity federation: `external_account`. <https://google.aip.dev/auth/4117>

/// The credentials.
#[derive(Debug)]
pub(super) struct ExternalAccount;
