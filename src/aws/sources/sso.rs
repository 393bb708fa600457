//! Roles of IAM Identity Center: `sso_session`, or `sso_start_url` in the profile itself.

use std::path::PathBuf;

use super::Wanted;
use crate::{
    auth::chain::Attempt,
    aws::{
        config::{Config, Profile},
        keys::Keys,
    },
    error::Result,
    system::System,
};

/// The keys of the role of a profile; `NotConfigured` without an account and a role.
pub(crate) fn keys(system: &dyn System, wanted: &Wanted, profile: &Profile) -> Result<Attempt<Keys>> {
    let _ = (system, wanted, profile);
    Ok(Attempt::not_configured("to be written"))
}

/// The file of the token of a profile, which need not exist; `None` for a profile of another kind.
pub(super) fn token_file(system: &dyn System, config: &Config, profile: &Profile) -> Option<PathBuf> {
    let _ = (system, config, profile);
    None
}
