//! The clock, and the deadline of a lookup.

use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use log::debug;

use super::{Environment, OsSystem};
use crate::{
    error::{Error, Kind, Result},
    system::{CancellationToken, Clock},
};

/// The limit of a lookup unless RINGBEARER_TIMEOUT sets another.
pub(crate) const LOOKUP_LIMIT: Duration = Duration::from_secs(120);

/// The environment variable with the limit of a lookup, in seconds.
const LOOKUP_LIMIT_VARIABLE: &str = "RINGBEARER_TIMEOUT";

/// How often a wait checks for cancellation.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The limit of a lookup: RINGBEARER_TIMEOUT, or `default`.
#[must_use]
pub(crate) fn lookup_limit(environment: &Environment, default: Duration) -> Duration {
    let Some(value) = environment.text(LOOKUP_LIMIT_VARIABLE).filter(|value| !value.trim().is_empty()) else {
        return default;
    };
    let seconds = value.trim().parse::<f64>().ok().filter(|seconds| *seconds > 0.0 && *seconds <= 86_400.0);
    if seconds.is_none() {
        debug!("{LOOKUP_LIMIT_VARIABLE} is not a number of seconds up to 86400: using {default:?}");
    }
    seconds.map_or(default, Duration::from_secs_f64)
}

/// Wraps a callback so that it runs at most once per poll interval and returns false in between: Python's takes the
/// interpreter's lock.
pub(crate) fn throttled(callback: impl Fn() -> bool + Send + Sync) -> impl Fn() -> bool + Send + Sync {
    let next = Mutex::new(Instant::now() + POLL_INTERVAL);
    move || {
        let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = Instant::now() >= *next;
        if is_due {
            *next = Instant::now() + POLL_INTERVAL;
        }
        is_due && callback()
    }
}

fn deadline_passed() -> Error {
    Error::new(Kind::Timeout, "the lookup took too long")
        .with_hint(format!("{LOOKUP_LIMIT_VARIABLE}=SECONDS gives it more time"))
}

/// Fails if the lookup is cancelled or its deadline has passed.
pub(super) fn check(cancellation: &CancellationToken, deadline: Instant) -> Result<()> {
    if cancellation.is_cancelled() {
        return Err(Error::new(Kind::Cancelled, "the lookup was cancelled"));
    }
    if Instant::now() >= deadline {
        return Err(deadline_passed());
    }
    Ok(())
}

impl OsSystem {
    /// The lookup's deadline, or the end of `limit` if that comes first.
    pub(super) fn deadline_within(&self, limit: Duration) -> Instant {
        Instant::now().checked_add(limit).map_or(self.deadline, |end| self.deadline.min(end))
    }
}

impl Clock for OsSystem {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn check(&self) -> Result<()> {
        check(&self.cancellation, self.deadline)
    }

    fn cancellation(&self) -> CancellationToken {
        self.cancellation.clone()
    }

    fn pause(&self, length: Duration) -> Result<()> {
        self.check()?;
        if length >= self.remaining() {
            return Err(deadline_passed());
        }
        let end = self.deadline_within(length);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(POLL_INTERVAL));
            self.check()?;
        }
    }
}
