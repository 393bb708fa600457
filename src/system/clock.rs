//! Time, the deadline of a lookup and its cancellation.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use crate::error::Result;

/// Tells the time and waits, until the lookup's deadline or its cancellation.
pub(crate) trait Clock {
    /// The time of day.
    fn now(&self) -> SystemTime;

    /// The time left before the lookup's deadline.
    fn remaining(&self) -> Duration;

    /// Fails if the lookup is cancelled or its deadline has passed.
    fn check(&self) -> Result<()>;

    /// The lookup's cancellation token, for tasks that it waits on.
    fn cancellation(&self) -> CancellationToken;

    /// Waits. Fails on cancellation, and at once if the deadline is nearer than `length`.
    fn pause(&self, length: Duration) -> Result<()>;
}

/// Cancellation token; clones share state.
#[derive(Clone, Default)]
pub(crate) struct CancellationToken(Arc<State>);

#[derive(Default)]
struct State {
    is_cancelled: AtomicBool,
    /// Polled when the lookup runs on the caller's own thread.
    callback: Option<Box<dyn Fn() -> bool + Send + Sync>>,
}

impl CancellationToken {
    /// Token backed by a callback that returns true once the caller has cancelled.
    pub(crate) fn from_callback(callback: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(State { is_cancelled: AtomicBool::new(false), callback: Some(Box::new(callback)) }))
    }

    /// Cancels the lookup.
    pub(crate) fn cancel(&self) {
        self.0.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether the lookup is cancelled.
    #[must_use]
    pub(crate) fn is_cancelled(&self) -> bool {
        if !self.0.is_cancelled.load(Ordering::Relaxed) && self.0.callback.as_ref().is_some_and(|callback| callback()) {
            self.cancel();
        }
        self.0.is_cancelled.load(Ordering::Relaxed)
    }

    /// Whether both tokens share state.
    #[must_use]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
