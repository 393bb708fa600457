//! A clock that only the test and the pauses of a lookup advance.

use std::time::{Duration, SystemTime};

use super::{FakeSystem, lock};
use crate::{
    error::{Error, Kind, Result},
    system::{CancellationToken, Clock},
};

/// When the clock starts: 2026-11-22T00:00:00Z.
const EPOCH: Duration = Duration::from_secs(1_795_305_600);

/// The limit of a lookup.
const LIMIT: Duration = Duration::from_secs(120);

#[derive(Default)]
pub(super) struct State {
    start: Duration,
    elapsed: Duration,
    pauses: Vec<Duration>,
    cancellation: CancellationToken,
}

impl State {
    pub(super) fn advance(&mut self, length: Duration) {
        self.elapsed += length;
    }

    fn remaining(&self) -> Duration {
        LIMIT.saturating_sub(self.elapsed)
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.cancellation.is_cancelled() {
            return Err(Error::new(Kind::Cancelled, "the lookup was cancelled"));
        }
        if self.remaining().is_zero() { Err(Error::new(Kind::Timeout, "the lookup took too long")) } else { Ok(()) }
    }
}

impl FakeSystem {
    /// Starts the lookup later.
    pub(crate) fn later(self, length: Duration) -> Self {
        lock(&self.clock).start = length;
        self
    }

    /// Advances the clock.
    pub(crate) fn advance(&self, length: Duration) {
        lock(&self.clock).advance(length);
    }

    /// The pauses so far.
    pub(crate) fn pauses(&self) -> Vec<Duration> {
        lock(&self.clock).pauses.clone()
    }
}

impl Clock for FakeSystem {
    fn now(&self) -> SystemTime {
        let state = lock(&self.clock);
        SystemTime::UNIX_EPOCH + EPOCH + state.start + state.elapsed
    }

    fn remaining(&self) -> Duration {
        lock(&self.clock).remaining()
    }

    fn check(&self) -> Result<()> {
        lock(&self.clock).check()
    }

    fn cancellation(&self) -> CancellationToken {
        lock(&self.clock).cancellation.clone()
    }

    fn pause(&self, length: Duration) -> Result<()> {
        self.check()?;
        self.advance(length);
        self.pass_pause();
        lock(&self.clock).pauses.push(length);
        self.check()
    }
}
