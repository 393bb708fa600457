//! One sign-in of a user at a time, across processes: uv asks for several indexes at once.

use std::time::Duration;

use crate::{
    error::Result,
    keyring::single_flight::{directory, try_lock},
    system::{System, files::Lock},
};

/// How often the lock is tried.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Whose turn it is.
pub(super) enum Turn {
    /// This lookup signs in, and no other one while the lock lives.
    Ours(Lock),
    /// Another process has signed in, or has tried to.
    AfterAnother,
    /// This lookup does not sign in, for the reason in this clause.
    Never(&'static str),
}

/// Takes the turn, or waits until another process has ended its own. Fails if the lookup is cancelled.
pub(super) fn wait(system: &dyn System) -> Result<Turn> {
    let Some(path) = directory(system).map(|directory| directory.join("login.lock")) else {
        return Ok(Turn::Never("there is no directory for its lock"));
    };
    let mut has_waited = false;
    loop {
        match try_lock(system, &path) {
            Ok(Some(_)) if has_waited => return Ok(Turn::AfterAnother),
            Ok(Some(lock)) => return Ok(Turn::Ours(lock)),
            Ok(None) => has_waited = true,
            Err(_) => return Ok(Turn::Never("its lock file cannot be opened")),
        }
        match system.pause(POLL_INTERVAL) {
            Ok(()) => {}
            Err(error) if error.ends_the_lookup() => return Err(error),
            Err(_) => return Ok(Turn::Never("another sign-in of this user did not end in time")),
        }
    }
}
