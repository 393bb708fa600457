//! One sign-in at a time per organisation or audience, across processes: the others wait for the lock and use its token.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

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
    let Some(directory) = directory(system) else { return Ok(None) };
    let path = directory.join(format!("{}.lock", fingerprint(format!("{registry} {realm}").as_bytes())));
    let remaining = system.remaining();
    let end = remaining.saturating_sub(LOCK_TIMEOUT.min(remaining / 2));
    loop {
        match try_lock(system, &path) {
            Ok(Some(lock)) => return Ok(Some(lock)),
            Ok(None) if system.remaining() > end => system.pause(POLL_INTERVAL)?,
            Ok(None) | Err(_) => return Ok(None),
        }
    }
}

/// The directory of lock files, which may not exist yet; `None` if there is no place for it.
pub(super) fn directory(system: &dyn System) -> Option<PathBuf> {
    places::runtime(system).map(|parent| parent.join("ringbearer"))
}

/// Locks a file in the [`directory`], which is created if missing; `None` if another process or thread holds the lock.
pub(super) fn try_lock(system: &dyn System, path: &Path) -> io::Result<Option<Lock>> {
    match system.try_lock(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            system.create_directory(path.parent().unwrap_or(path), true)?;
            system.try_lock(path)
        }
        outcome => outcome,
    }
}
