//! What a process keeps between lookups, and what each lookup works with.

use std::{sync::Arc, time::Duration};

use crate::{
    keyring::Keyring,
    store::Store,
    system::{System, console::Console, os::Network},
};

/// The time limit of the store and its commands, unless RINGBEARER_TIMEOUT is set: the owner may have to confirm several
/// signatures, each with a limit of its own.
pub(crate) const STORE_LIMIT: Duration = Duration::from_secs(600);

/// What a process keeps between lookups.
#[derive(Default)]
pub(crate) struct Memory {
    /// The registries and their caches.
    pub(crate) keyring: Keyring,
    /// The store and its unlocked keys.
    pub(crate) store: Store,
    /// Open connections.
    pub(crate) network: Arc<Network>,
}

/// What a command works with.
#[derive(Clone, Copy)]
pub(crate) struct World<'all> {
    /// The operating system.
    pub(crate) system: &'all dyn System,
    /// Standard input, output and error.
    pub(crate) console: &'all dyn Console,
    /// What the process keeps between lookups.
    pub(crate) memory: &'all Memory,
}
