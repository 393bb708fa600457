//! Shared memory, kept with the files.

use std::{path::Path, time::Duration};

use zeroize::Zeroizing;

use super::FakeSystem;
use crate::system::{
    Files, SharedMemory,
    shared_memory::{KeyQuota, Unavailable},
};

#[derive(Default)]
pub(super) struct State {
    quota: Option<KeyQuota>,
    is_missing: bool,
    /// How many secrets have room.
    room: Option<usize>,
}

impl FakeSystem {
    /// Sets the user's key quota.
    pub(crate) fn with_key_quota(mut self, quota: KeyQuota) -> Self {
        self.shared_memory.quota = Some(quota);
        self
    }

    /// Takes the shared memory away.
    pub(crate) fn without_shared_memory(mut self) -> Self {
        self.shared_memory.is_missing = true;
        self
    }

    /// Leaves room for this many secrets.
    pub(crate) fn with_shared_room(mut self, secrets: usize) -> Self {
        self.shared_memory.room = Some(secrets);
        self
    }
}

impl SharedMemory for FakeSystem {
    fn sharing(&self) -> Result<(), Unavailable> {
        if self.shared_memory.is_missing { Err(Unavailable::Unsupported) } else { Ok(()) }
    }

    fn share(&self, name: &str, secret: &[u8], _life: Duration) -> Result<(), Unavailable> {
        let others = self.paths("ringbearer").into_iter().filter(|other| other != name);
        if self.shared_memory.room.is_some_and(|room| others.count() >= room) {
            return Err(Unavailable::QuotaExceeded);
        }
        self.write(name, secret);
        Ok(())
    }

    fn shared(&self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.content(name).map(Zeroizing::new)
    }

    fn shared_names(&self, prefix: &str) -> Option<Vec<String>> {
        Some(self.paths(prefix))
    }

    fn unshare(&self, name: &str) -> bool {
        self.remove(Path::new(name)).is_ok()
    }

    fn key_quota(&self) -> Option<KeyQuota> {
        self.shared_memory.quota
    }
}
