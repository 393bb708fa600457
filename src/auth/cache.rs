//! A cache in which each token is made once.

use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use crate::{
    auth::cache_mode::Caching,
    error::{Error, Result},
    system::{CancellationToken, System},
};

/// How long a token of unknown expiry is kept, unless the registry says otherwise (artifacts-keyring-nofuss 0.4 kept every
/// token for this long).
const UNKNOWN_LIFE: Duration = Duration::from_secs(50 * 60);

/// How long before its end a token is made anew, since an install must be able to end; a tenth of its
/// life, if it lives less than ten times as long.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// When a token is to be made anew that is got now.
#[must_use]
pub(crate) fn usable_until(now: SystemTime, expires: SystemTime) -> SystemTime {
    let life = expires.duration_since(now).unwrap_or_default();
    now + life.saturating_sub(MARGIN.min(life / 10))
}

/// How long a failure is remembered: long enough for the threads and repeated questions of one
/// moment, short enough that a login mended in the same process works.
const FAILURE_LIFE: Duration = Duration::from_secs(3);

/// How often a thread that waits for another's token looks whether its own caller gave up.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Values that are expensive to make, by key. While one thread makes the value of a key, the others
/// that ask for it wait and share the outcome.
pub(crate) struct TokenCache<Value> {
    slots: Mutex<HashMap<String, Arc<Slot<Value>>>>,
    /// How long a value of unknown end is kept.
    unknown_life: Duration,
}

struct Slot<Value> {
    state: Mutex<State<Value>>,
    changed: Condvar,
}

enum State<Value> {
    Empty,
    /// By the lookup that this is the word of. If it is given up, another one takes over.
    Making(CancellationToken),
    Made {
        value: Value,
        until: SystemTime,
    },
    Failed {
        error: Error,
        question: String,
        until: SystemTime,
    },
}

impl<Value> State<Value> {
    fn is_alive(&self, now: SystemTime) -> bool {
        match self {
            Self::Empty => false,
            Self::Making(_) => true,
            Self::Made { until, .. } | Self::Failed { until, .. } => now < *until,
        }
    }
}

impl<Value> Default for TokenCache<Value> {
    fn default() -> Self {
        Self::keeping_unknown_for(UNKNOWN_LIFE)
    }
}

impl<Value> TokenCache<Value> {
    /// An empty cache in which a value of unknown end stays this long.
    #[must_use]
    pub(crate) fn keeping_unknown_for(unknown_life: Duration) -> Self {
        Self { slots: Mutex::default(), unknown_life }
    }
}

impl<Value: Clone> TokenCache<Value> {
    /// The value of `key`, made by `make` if there is none that still serves. `make` gives the value
    /// and when it ends.
    ///
    /// Several questions (URLs) may share a value. They share a failure too, unless it concerns one URL:
    /// then another `question` tries for itself.
    pub(crate) fn get_or_make(
        &self,
        system: &dyn System,
        key: &str,
        question: &str,
        make: impl FnOnce() -> Result<(Value, Option<SystemTime>)>,
    ) -> Result<Value> {
        if !Caching::uses_memory(system) {
            return make().map(|(value, _)| value);
        }
        let slot = self.slot(system, key);
        let mut state = lock(&slot.state);
        loop {
            match &*state {
                State::Made { value, until } if system.now() < *until => return Ok(value.clone()),
                State::Failed { error, question: asked, until }
                    if is_soon(system.now(), *until) && (asked == question || !error.concerns_one_url()) =>
                {
                    return Err(error.clone());
                }
                State::Making(by) if !by.is_cancelled() => {
                    system.check()?;
                    state = slot.changed.wait_timeout(state, POLL_INTERVAL).unwrap_or_else(PoisonError::into_inner).0;
                }
                _ => break,
            }
        }
        *state = State::Making(system.cancellation());
        drop(state);

        let mut making = Making { slot: &slot, by: system.cancellation(), next: State::Empty };
        let outcome = make();
        let now = system.now();
        making.next = match &outcome {
            Ok((value, expires)) => State::Made { value: value.clone(), until: self.usable_until(now, *expires) },
            // The next caller may have more patience than this one had.
            Err(error) if error.ends_the_lookup() => State::Empty,
            Err(error) => {
                State::Failed { error: error.clone(), question: question.to_owned(), until: now + FAILURE_LIFE }
            }
        };
        outcome.map(|(value, _)| value)
    }

    /// How many keys are in it.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        lock(&self.slots).len()
    }

    /// When a value is to be made anew.
    fn usable_until(&self, now: SystemTime, expires: Option<SystemTime>) -> SystemTime {
        expires.map_or_else(|| now + self.unknown_life, |expires| usable_until(now, expires))
    }

    /// The slot of a key. A new one is the occasion to forget those that are over: no secret stays longer
    /// than it serves.
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

/// The duty to leave the slot in order and to wake the others, also when making panics. A slot that
/// another lookup took over is that one's.
struct Making<'slot, Value> {
    slot: &'slot Slot<Value>,
    by: CancellationToken,
    next: State<Value>,
}

impl<Value> Drop for Making<'_, Value> {
    fn drop(&mut self) {
        let mut state = lock(&self.slot.state);
        if matches!(&*state, State::Making(by) if by.is_same(&self.by)) {
            *state = std::mem::replace(&mut self.next, State::Empty);
        }
        drop(state);
        self.slot.changed.notify_all();
    }
}

/// Whether a failure is still remembered. A clock that is set back must not make that last.
fn is_soon(now: SystemTime, until: SystemTime) -> bool {
    until.duration_since(now).is_ok_and(|left| !left.is_zero() && left <= FAILURE_LIFE)
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
    fn eight_threads_cause_one_making() {
        let (cache, system, made) = (TokenCache::default(), FakeSystem::default(), AtomicU32::new(0));
        let numbers: Vec<u32> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| count(&cache, &system, &made, Some(3600)))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(numbers, [1; 8]);
    }

    #[test]
    fn a_value_is_made_anew_before_it_ends() {
        let (cache, system, made) = (TokenCache::default(), FakeSystem::default(), AtomicU32::new(0));
        assert_eq!(count(&cache, &system, &made, Some(3600)), 1);
        system.advance(Duration::from_secs(3600 - 301));
        assert_eq!(count(&cache, &system, &made, Some(3600)), 1);
        system.advance(Duration::from_secs(2));
        assert_eq!(count(&cache, &system, &made, Some(3600)), 2);
    }

    #[test]
    fn a_value_of_unknown_end_lives_fifty_minutes() {
        let (cache, system, made) = (TokenCache::default(), FakeSystem::default(), AtomicU32::new(0));
        assert_eq!(count(&cache, &system, &made, None), 1);
        system.advance(Duration::from_secs(50 * 60 - 1));
        assert_eq!(count(&cache, &system, &made, None), 1);
        system.advance(Duration::from_secs(1));
        assert_eq!(count(&cache, &system, &made, None), 2);
    }

    #[test]
    fn a_value_that_has_ended_already_is_not_kept() {
        let (cache, system, made) = (TokenCache::default(), FakeSystem::default(), AtomicU32::new(0));
        assert_eq!(count(&cache, &system, &made, Some(0)), 1);
        assert_eq!(count(&cache, &system, &made, Some(0)), 2);
    }

    #[test]
    fn a_failure_is_remembered_for_a_moment_only() {
        let (cache, system, made) = (TokenCache::default(), FakeSystem::default(), AtomicU32::new(0));
        let fail = || cache.get_or_make(&system, "key", "q", || Err(Error::new(Kind::Network, "no")));
        assert_eq!(fail().unwrap_err().kind(), Kind::Network);
        let again = cache.get_or_make(&system, "key", "q", || Ok((9, None)));
        assert_eq!(again.unwrap_err().kind(), Kind::Network);
        system.advance(FAILURE_LIFE);
        assert_eq!(count(&cache, &system, &made, None), 1);
    }

    #[test]
    fn only_a_failure_that_concerns_one_url_is_not_another_ones() {
        let general = Error::new(Kind::Protocol, "no");
        for (error, is_shared) in [(general.clone().of_one_url(), false), (general, true)] {
            let (cache, system) = (TokenCache::default(), FakeSystem::default());
            assert!(cache.get_or_make(&system, "key", "one", || Err(error)).is_err());
            assert_eq!(cache.get_or_make(&system, "key", "other", || Ok((7, None))).is_err(), is_shared);
        }
    }

    #[test]
    fn what_has_ended_is_forgotten() {
        let (cache, system) = (TokenCache::default(), FakeSystem::default());
        for key in ["one", "other"] {
            cache.get_or_make(&system, key, "q", || Ok((1, None))).unwrap();
            system.advance(UNKNOWN_LIFE / 60 * 59);
        }
        cache.get_or_make(&system, "third", "q", || Ok((1, None))).unwrap();
        let mut keys: Vec<_> = lock(&cache.slots).keys().cloned().collect();
        keys.sort();
        assert_eq!(keys, ["other", "third"]);
    }

    #[test]
    fn a_caller_who_gives_up_leaves_no_failure_behind() {
        let (cache, system, made) = (TokenCache::default(), FakeSystem::default(), AtomicU32::new(0));
        let outcome = cache.get_or_make(&system, "key", "q", || Err(Error::new(Kind::Cancelled, "gave up")));
        assert_eq!(outcome.unwrap_err().kind(), Kind::Cancelled);
        assert_eq!(count(&cache, &system, &made, None), 1);
    }

    #[test]
    fn a_lookup_that_is_given_up_holds_nobody() {
        let (cache, given_up, system) = (TokenCache::default(), FakeSystem::default(), FakeSystem::default());
        let outcome = cache.get_or_make(&given_up, "key", "q", || {
            given_up.cancellation().cancel();
            assert_eq!(cache.get_or_make(&system, "key", "q", || Ok((2, None))), Ok(2));
            Ok((1, None))
        });
        assert_eq!(outcome, Ok(1));
        let again = cache.get_or_make(&system, "key", "q", || panic!("made anew"));
        assert_eq!(again, Ok(2), "the late value of the abandoned lookup does not replace the other");
    }

    #[test]
    fn a_panic_leaves_the_slot_free() {
        let (cache, system, made) = (TokenCache::default(), FakeSystem::default(), AtomicU32::new(0));
        let panicked = thread::scope(|scope| {
            scope.spawn(|| cache.get_or_make(&system, "key", "q", || panic!("a fault"))).join().is_err()
        });
        assert!(panicked);
        assert_eq!(count(&cache, &system, &made, None), 1);
    }
}
