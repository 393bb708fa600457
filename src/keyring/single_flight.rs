//! One process after the other: a lock for an organisation or audience.
//!
//! Of several that would sign in at the same moment one goes first; the others wait, and find what it got.

use std::time::Duration;

use crate::{
    auth::cache_key::fingerprint,
    error::Result,
    system::{System, files::Lock, places},
};

/// How long the lock is waited for: somebody may have to approve the sign-in of the one that has it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often the lock is tried.
const PACE: Duration = Duration::from_millis(10);

/// Waits for the turn to ask the backend of a name for a token of an organisation or audience. `None` if there is no place
/// for a lock, or no turn comes.
pub(crate) fn take_turn(system: &dyn System, backend: &str, realm: &str) -> Result<Option<Lock>> {
    let Some(folder) = places::runtime(system).map(|folder| folder.join("ringbearer")) else { return Ok(None) };
    let path = folder.join(format!("{}.lock", fingerprint(format!("{backend} {realm}").as_bytes())));
    let remaining = system.remaining();
    let last = remaining.saturating_sub(PATIENCE.min(remaining / 2));
    let mut is_made = false;
    loop {
        match system.try_lock(&path) {
            Ok(Some(lock)) => return Ok(Some(lock)),
            Ok(None) if system.remaining() > last => system.pause(PACE)?,
            // The folder is made by whoever comes first.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_made => {
                is_made = true;
                if system.create_directory(&folder, true).is_err() {
                    return Ok(None);
                }
            }
            Ok(None) | Err(_) => return Ok(None),
        }
    }
}
