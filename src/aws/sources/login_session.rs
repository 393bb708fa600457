//! Logins of `aws login`: `login_session`.

use std::path::PathBuf;

use super::Wanted;
use crate::{
    auth::chain::Attempt,
    aws::{config::Profile, keys::Keys},
    error::Result,
    system::System,
};

/// The keys of the login of a profile; `NotConfigured` without one.
pub(crate) fn keys(system: &dyn System, wanted: &Wanted, profile: &Profile) -> Result<Attempt<Keys>> {
    let _ = (system, wanted, profile);
    Ok(Attempt::not_configured("to be written"))
}

/// The file of the login of a profile, which need not exist; `None` for a profile of another kind.
pub(super) fn login_file(system: &dyn System, profile: &Profile) -> Option<PathBuf> {
    let _ = (system, profile);
    None
}
