//! A program that prints keys: `credential_process`.

use super::Wanted;
use crate::{
    auth::chain::Attempt,
    aws::{config::Profile, keys::Keys},
    error::Result,
    system::System,
};

/// The keys that the program of a profile prints; `NotConfigured` without one.
pub(crate) fn keys(system: &dyn System, wanted: &Wanted, profile: &Profile) -> Result<Attempt<Keys>> {
    let _ = (system, wanted, profile);
    Ok(Attempt::not_configured("to be written"))
}
