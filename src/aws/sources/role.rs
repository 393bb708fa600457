//! Roles of a profile: `role_arn` with `source_profile`, `credential_source` or `web_identity_token_file`.

use std::path::PathBuf;

use super::Wanted;
use crate::{
    auth::chain::Attempt,
    aws::{config::Profile, keys::Keys},
    error::Result,
    system::System,
};

/// The keys of the role of a profile; `NotConfigured` without `role_arn`.
pub(crate) fn keys(system: &dyn System, wanted: &Wanted, profile: &Profile) -> Result<Attempt<Keys>> {
    let _ = (system, wanted, profile);
    Ok(Attempt::not_configured("to be written"))
}

/// The file in which the AWS CLI keeps the session of a profile's role, which need not exist; `None` without a role.
pub(super) fn session_file(system: &dyn System, profile: &Profile) -> Option<PathBuf> {
    let _ = (system, profile);
    None
}
