//! Waiting for other programs that have a file open, which blocks some operations on Windows.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use crate::system::os::OsSystem;

/// `ERROR_ACCESS_DENIED`: also what replacing an open file is refused with.
const ACCESS_DENIED: i32 = 5;

/// `ERROR_SHARING_VIOLATION`: another program has the file open, and does not share it.
const SHARING_VIOLATION: i32 = 32;

/// How long to wait before a file is replaced.
const REPLACE_LIMIT: Duration = Duration::from_secs(10);

/// How long to wait before a file is opened.
const OPEN_LIMIT: Duration = Duration::from_secs(1);

/// How often a blocked operation is tried.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Replaces a file by `replace`, while no reader blocks it: within [`REPLACE_LIMIT`], the lookup's deadline and its
/// cancellation.
pub(super) fn replace<Outcome>(system: &OsSystem, replace: impl FnMut() -> io::Result<Outcome>) -> io::Result<Outcome> {
    let end = system.deadline_within(REPLACE_LIMIT);
    let may_wait = || Instant::now() < end && !system.cancellation.is_cancelled();
    retry(&[ACCESS_DENIED, SHARING_VIOLATION], may_wait, replace)
}

/// Opens a file by `open`, while no program blocks it: within [`OPEN_LIMIT`].
pub(super) fn open<Outcome>(open: impl FnMut() -> io::Result<Outcome>) -> io::Result<Outcome> {
    let end = Instant::now() + OPEN_LIMIT;
    retry(&[SHARING_VIOLATION], || Instant::now() < end, open)
}

fn retry<Outcome>(
    errors: &[i32],
    may_wait: impl Fn() -> bool,
    mut operation: impl FnMut() -> io::Result<Outcome>,
) -> io::Result<Outcome> {
    // The same numbers mean something else on Unix.
    let is_blocked =
        |error: &io::Error| cfg!(windows) && error.raw_os_error().is_some_and(|code| errors.contains(&code));
    loop {
        match operation() {
            Err(error) if is_blocked(&error) && may_wait() => thread::sleep(POLL_INTERVAL),
            outcome => return outcome,
        }
    }
}
