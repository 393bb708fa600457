//! One sign-in at a time per organisation or audience, across processes: the others wait for the lock and use its token.

use std::time::Duration;

use crate::{
    auth::cache_key::fingerprint,
    error::Result,
    system::{System, files::Lock, places},
};

/// How long to wait for the lock: the sign-in of its holder may need a person's approval.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// How often the lock is tried.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Locks the sign-in to a realm of a registry. `None` if there is no directory for the lock file, or it stays locked for
/// [`LOCK_TIMEOUT`] or half of the remaining time: then the caller signs in without it.
pub(crate) fn lock(system: &dyn System, registry: &str, realm: &str) -> Result<Option<Lock>> {
    let Some(directory) = places::runtime(system).map(|parent| parent.join("ringbearer")) else { return Ok(None) };
    let path = directory.join(format!("{}.lock", fingerprint(format!("{registry} {realm}").as_bytes())));
    let remaining = system.remaining();
    let end = remaining.saturating_sub(LOCK_TIMEOUT.min(remaining / 2));
    let mut is_created = false;
    loop {
        match system.try_lock(&path) {
            Ok(Some(lock)) => return Ok(Some(lock)),
            Ok(None) if system.remaining() > end => system.pause(POLL_INTERVAL)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_created => {
                is_created = true;
                if system.create_directory(&directory, true).is_err() {
                    return Ok(None);
                }
            }
            Ok(None) | Err(_) => return Ok(None),
        }
    }
}
