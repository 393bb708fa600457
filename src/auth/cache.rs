//! An in-process cache of tokens: one sign-in at a time per key.

use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use crate::{
    auth::cache_mode::CacheMode,
    error::{Error, Result},
    system::{CancellationToken, System},
};

/// How long a token without a known expiry is cached, as artifacts-keyring-nofuss 0.4 caches every token.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(50 * 60);

/// How long before its expiry a token is renewed, so that an install with it can finish.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// When a token that was issued at `now` is to be renewed: at once, if its whole lifetime is shorter than the margin.
#[must_use]
pub(crate) fn usable_until(now: SystemTime, expires: SystemTime) -> SystemTime {
    let life = expires.duration_since(now).unwrap_or_default();
    now + life.saturating_sub(MARGIN)
}

/// How long a failure is cached: long enough for concurrent threads and immediate retries, short enough that the process
/// notices a repaired login.
const FAILURE_LIFETIME: Duration = Duration::from_secs(3);

/// How often a thread that waits for another's token checks its own cancellation.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A cache of values by key. While one thread makes the value of a key, others that request it wait and share the outcome.
pub(crate) struct TokenCache<Value> {
    slots: Mutex<HashMap<String, Arc<Slot<Value>>>>,
    /// The lifetime of a value without a known expiry.
    default_lifetime: Duration,
}

struct Slot<Value> {
    state: Mutex<State<Value>>,
    changed: Condvar,
}

enum State<Value> {
    Empty,
    /// In progress, by the lookup with this token. If that is cancelled, another takes over.
    InProgress(CancellationToken),
    Ready {
        value: Value,
        until: SystemTime,
    },
    Failed {
        error: Error,
        url: String,
        until: SystemTime,
    },
}

impl<Value> State<Value> {
    fn is_alive(&self, now: SystemTime) -> bool {
        match self {
            Self::Empty => false,
            Self::InProgress(_) => true,
            Self::Ready { until, .. } | Self::Failed { until, .. } => now < *until,
        }
    }
}

impl<Value> Default for TokenCache<Value> {
    fn default() -> Self {
        Self::with_default_lifetime(UNKNOWN_LIFETIME)
    }
}

impl<Value> TokenCache<Value> {
    /// An empty cache with this lifetime for values without a known expiry.
    #[must_use]
    pub(crate) fn with_default_lifetime(default_lifetime: Duration) -> Self {
        Self { slots: Mutex::default(), default_lifetime }
    }
}

impl<Value: Clone> TokenCache<Value> {
    /// The cached value of `key`, or what `make` returns: a value and its expiry.
    ///
    /// URLs with the same key share a value. They also share a failure, unless it concerns one URL.
    pub(crate) fn get_or_make(
        &self,
        system: &dyn System,
        key: &str,
        url: &str,
        make: impl FnOnce() -> Result<(Value, Option<SystemTime>)>,
    ) -> Result<Value> {
        if !CacheMode::uses_memory(system) {
            return make().map(|(value, _)| value);
        }
        let slot = self.slot(system, key);
        let mut state = lock(&slot.state);
        let mut has_waited = false;
        loop {
            match &*state {
                // A value too short-lived for later lookups still serves those that waited for it.
                State::Ready { value, until } if has_waited || system.now() < *until => return Ok(value.clone()),
                State::Failed { error, url: failed, until }
                    if is_recent(system.now(), *until) && (failed == url || !error.concerns_one_url()) =>
                {
                    return Err(error.clone());
                }
                State::InProgress(by) if !by.is_cancelled() => {
                    system.check()?;
                    has_waited = true;
                    state = slot.changed.wait_timeout(state, POLL_INTERVAL).unwrap_or_else(PoisonError::into_inner).0;
                }
                _ => break,
            }
        }
        *state = State::InProgress(system.cancellation());
        drop(state);

        let mut making = Making { slot: &slot, by: system.cancellation(), next: State::Empty };
        let outcome = make();
        let now = system.now();
        making.next = match &outcome {
            Ok((value, expires)) => State::Ready { value: value.clone(), until: self.usable_until(now, *expires) },
            // Only this caller cancelled.
            Err(error) if error.ends_the_lookup() => State::Empty,
            Err(error) => State::Failed { error: error.clone(), url: url.to_owned(), until: now + FAILURE_LIFETIME },
        };
        outcome.map(|(value, _)| value)
    }

    /// Caches a value that was made elsewhere.
    pub(crate) fn put(&self, system: &dyn System, key: &str, value: Value, expires: Option<SystemTime>) {
        if CacheMode::uses_memory(system) {
            let slot = self.slot(system, key);
            let until = self.usable_until(system.now(), expires);
            *lock(&slot.state) = State::Ready { value, until };
            slot.changed.notify_all();
        }
    }

    /// The number of keys.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        lock(&self.slots).len()
    }

    /// When a value is to be renewed.
    fn usable_until(&self, now: SystemTime, expires: Option<SystemTime>) -> SystemTime {
        expires.map_or_else(|| now + self.default_lifetime, |expires| usable_until(now, expires))
    }

    /// The slot of a key. Adding one removes those that have expired, with their secrets.
    fn slot(&self, system: &dyn System, key: &str) -> Arc<Slot<Value>> {
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.get(key) {
            return Arc::clone(slot);
        }
        let now = system.now();
        slots.retain(|_, slot| Arc::strong_count(slot) > 1 || lock(&slot.state).is_alive(now));
        Arc::clone(slots.entry(key.to_owned()).or_default())
    }
}

impl<Value> Default for Slot<Value> {
    fn default() -> Self {
        Self { state: Mutex::new(State::Empty), changed: Condvar::new() }
    }
}

/// Sets the next state of a slot and wakes the others when dropped, also after a panic, unless another lookup has taken the
/// slot over.
struct Making<'slot, Value> {
    slot: &'slot Slot<Value>,
    by: CancellationToken,
    next: State<Value>,
}

impl<Value> Drop for Making<'_, Value> {
    fn drop(&mut self) {
        let mut state = lock(&self.slot.state);
        if matches!(&*state, State::InProgress(by) if by.is_same(&self.by)) {
            *state = std::mem::replace(&mut self.next, State::Empty);
        }
        drop(state);
        self.slot.changed.notify_all();
    }
}

/// Whether a failure is still cached. A clock that is set back does not prolong it.
fn is_recent(now: SystemTime, until: SystemTime) -> bool {
    until.duration_since(now).is_ok_and(|left| !left.is_zero() && left <= FAILURE_LIFETIME)
}

fn lock<Inner>(mutex: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        thread,
    };

    use super::*;
    use crate::{
        error::Kind,
        system::{Clock, fake::FakeSystem},
    };

    fn count(cache: &TokenCache<u32>, system: &FakeSystem, made: &AtomicU32, life: Option<u64>) -> u32 {
        cache
            .get_or_make(system, "key", "q", || {
                let number = made.fetch_add(1, Ordering::SeqCst) + 1;
                Ok((number, life.map(|seconds| system.now() + Duration::from_secs(seconds))))
            })
            .unwrap()
    }

    #[test]
    fn eight_threads_make_one_value() {
        let (cache, system, made) = (TokenCache::default(), FakeSystem::default(), AtomicU32::new(0));
        let numbers: Vec<u32> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| count(&cache, &system, &made, Some(3600)))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(numbers, [1; 8]);
    }

    #[test]
    fn a_value_is_renewed_before_it_expires() {
        let (cache, system, made) = (TokenCache::default(), FakeSystem::default(), AtomicU32::new(0));
        assert_eq!(count(&cache, &system, &made, Some(3600)), 1);
        system.advance(Duration::from_secs(3600 - 301));
        assert_eq!(count(&cache, &system, &made, Some(3600)), 1);
        system.advance(Duration::from_secs(2));
        assert_eq!(count(&cache, &system, &made, Some(3600)), 2);
    }

    #[test]
    fn a_short_lived_value_serves_those_that_wait_for_it_alone() {
        let (cache, system, made) = (TokenCache::default(), FakeSystem::default(), AtomicU32::new(0));
        let begin = std::sync::Barrier::new(4);
        let life = Some(system.now() + Duration::from_secs(100));
        let slow = || {
            // Long enough for the other threads to begin to wait.
            thread::park_timeout(Duration::from_secs(1));
            Ok((made.fetch_add(1, Ordering::SeqCst) + 1, life))
        };
        let ask = || {
            begin.wait();
            cache.get_or_make(&system, "key", "q", slow).unwrap()
        };
        let numbers: Vec<u32> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(numbers, [1; 4]);
        assert_eq!(count(&cache, &system, &made, Some(100)), 2);
    }

    #[test]
    fn a_value_without_expiry_lives_fifty_minutes() {
        let (cache, system, made) = (TokenCache::default(), FakeSystem::default(), AtomicU32::new(0));
        assert_eq!(count(&cache, &system, &made, None), 1);
        system.advance(Duration::from_secs(50 * 60 - 1));
        assert_eq!(count(&cache, &system, &made, None), 1);
        system.advance(Duration::from_secs(1));
        assert_eq!(count(&cache, &system, &made, None), 2);
    }

    #[test]
    fn an_expired_value_is_not_cached() {
        let (cache, system, made) = (TokenCache::default(), FakeSystem::default(), AtomicU32::new(0));
        assert_eq!(count(&cache, &system, &made, Some(0)), 1);
        assert_eq!(count(&cache, &system, &made, Some(0)), 2);
    }

    #[test]
    fn a_failure_is_cached_for_a_moment() {
        let (cache, system, made) = (TokenCache::default(), FakeSystem::default(), AtomicU32::new(0));
        let fail = || cache.get_or_make(&system, "key", "q", || Err(Error::new(Kind::Network, "no")));
        assert_eq!(fail().unwrap_err().kind(), Kind::Network);
        let again = cache.get_or_make(&system, "key", "q", || Ok((9, None)));
        assert_eq!(again.unwrap_err().kind(), Kind::Network);
        system.advance(FAILURE_LIFETIME);
        assert_eq!(count(&cache, &system, &made, None), 1);
    }

    #[test]
    fn a_failure_of_one_url_is_not_shared_with_another() {
        let general = Error::new(Kind::Protocol, "no");
        for (error, is_shared) in [(general.clone().of_one_url(), false), (general, true)] {
            let (cache, system) = (TokenCache::default(), FakeSystem::default());
            assert!(cache.get_or_make(&system, "key", "one", || Err(error)).is_err());
            assert_eq!(cache.get_or_make(&system, "key", "other", || Ok((7, None))).is_err(), is_shared);
        }
    }

    #[test]
    fn expired_values_are_removed() {
        let (cache, system) = (TokenCache::default(), FakeSystem::default());
        for key in ["one", "other"] {
            cache.get_or_make(&system, key, "q", || Ok((1, None))).unwrap();
            system.advance(UNKNOWN_LIFETIME / 60 * 59);
        }
        cache.get_or_make(&system, "third", "q", || Ok((1, None))).unwrap();
        let mut keys: Vec<_> = lock(&cache.slots).keys().cloned().collect();
        keys.sort();
        assert_eq!(keys, ["other", "third"]);
    }

    #[test]
    fn a_cancelled_lookup_caches_no_failure() {
        let (cache, system, made) = (TokenCache::default(), FakeSystem::default(), AtomicU32::new(0));
        let outcome = cache.get_or_make(&system, "key", "q", || Err(Error::new(Kind::Cancelled, "cancelled")));
        assert_eq!(outcome.unwrap_err().kind(), Kind::Cancelled);
        assert_eq!(count(&cache, &system, &made, None), 1);
    }

    #[test]
    fn a_cancelled_lookup_blocks_no_other() {
        let (cache, cancelled, system) = (TokenCache::default(), FakeSystem::default(), FakeSystem::default());
        let outcome = cache.get_or_make(&cancelled, "key", "q", || {
            cancelled.cancellation().cancel();
            assert_eq!(cache.get_or_make(&system, "key", "q", || Ok((2, None))), Ok(2));
            Ok((1, None))
        });
        assert_eq!(outcome, Ok(1));
        let again = cache.get_or_make(&system, "key", "q", || panic!("made again"));
        assert_eq!(again, Ok(2), "the late value of the abandoned lookup does not replace the other");
    }

    #[test]
    fn a_value_made_elsewhere_replaces_a_failure() {
        let (cache, system) = (TokenCache::default(), FakeSystem::default());
        cache.get_or_make(&system, "key", "q", || Err(Error::new(Kind::Network, "no"))).unwrap_err();
        cache.put(&system, "key", 3, None);
        assert_eq!(cache.get_or_make(&system, "key", "q", || panic!("made again")), Ok(3));
        let off = FakeSystem::default().variable("RINGBEARER_CACHE", "off");
        cache.put(&off, "other", 4, None);
        assert_eq!(cache.get_or_make(&system, "other", "q", || Ok((5, None))), Ok(5));
    }

    #[test]
    fn a_panic_frees_the_slot() {
        let (cache, system, made) = (TokenCache::default(), FakeSystem::default(), AtomicU32::new(0));
        let panicked = thread::scope(|scope| {
            scope.spawn(|| cache.get_or_make(&system, "key", "q", || panic!("a fault"))).join().is_err()
        });
        assert!(panicked);
        assert_eq!(count(&cache, &system, &made, None), 1);
    }
}
