//! Warnings that are given once.

use std::{
    collections::BTreeSet,
    sync::{Mutex, TryLockError},
};

use log::warn;

use crate::error::{WARNING_LIMIT, shorten};

/// The warnings that this process has given.
static GIVEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Logs a warning the first time in this process, cut to [`WARNING_LIMIT`]. It holds no secret.
pub(crate) fn once(message: &str) {
    let is_first = match GIVEN.try_lock() {
        Ok(mut given) => given.insert(message.to_owned()),
        Err(TryLockError::Poisoned(given)) => given.into_inner().insert(message.to_owned()),
        // A fork may inherit the lock of a thread that it does not have: a second warning is better than a wait for ever.
        Err(TryLockError::WouldBlock) => true,
    };
    if is_first {
        // The logger of failures that end a lookup: one place to silence both.
        warn!(target: env!("CARGO_PKG_NAME"), "{}", shorten(message, WARNING_LIMIT));
    }
}
