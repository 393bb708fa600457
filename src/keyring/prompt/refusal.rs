//! The time of the last sign-in that was refused, cancelled or not finished: in a file of the user's, with nothing else in
//! it.

use std::{path::PathBuf, time::Duration};

use log::debug;

use crate::{auth::shared_record::since_1970, keyring::single_flight::directory, system::System};

/// How long no lookup asks again.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// The length limit of the file, in bytes.
const CAP: usize = 32;

fn file(system: &dyn System) -> Option<PathBuf> {
    Some(directory(system)?.join("login-refused"))
}

/// Whether a sign-in was refused less than ten minutes ago. A time in the future does not count: the clock was set back.
pub(super) fn is_recent(system: &dyn System) -> bool {
    let read = || {
        let content = system.read_file(&file(system)?, CAP).ok()?;
        let refused = Duration::from_secs(std::str::from_utf8(&content).ok()?.trim().parse().ok()?);
        since_1970(system.now())?.checked_sub(refused)
    };
    read().is_some_and(|age| age < LIFETIME)
}

/// Records a refusal now, under the lock of the sign-in. Best effort.
pub(super) fn record(system: &dyn System) {
    let (Some(file), Some(now)) = (file(system), since_1970(system.now())) else { return };
    let stamp = system.stamp(&file).unwrap_or_default();
    if !system.replace(&file, &|to| writeln!(to, "{}", now.as_secs()), stamp.as_ref()).unwrap_or_default() {
        debug!("the time of the sign-in cannot be recorded");
    }
}

/// Forgets the refusal. Best effort.
pub(super) fn forget(system: &dyn System) {
    if let Some(file) = file(system) {
        let _ = system.remove(&file);
    }
}
