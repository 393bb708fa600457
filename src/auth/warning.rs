//! Warnings that are given once.

use std::{
    collections::HashSet,
    sync::{LazyLock, Mutex, PoisonError},
};

use log::warn;

/// The warnings that this process has given.
static GIVEN: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// Logs a warning the first time in this process. It holds no secret.
pub(crate) fn once(message: &str) {
    if GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(message.to_owned()) {
        // The logger of failures that end a lookup: one place to silence both.
        warn!(target: env!("CARGO_PKG_NAME"), "{message}");
    }
}
