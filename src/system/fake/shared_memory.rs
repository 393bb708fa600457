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
}

impl FakeSystem {
    /// Sets the user's key quota.
    pub(crate) fn with_key_quota(mut self, quota: KeyQuota) -> Self {
        self.shared_memory.quota = Some(quota);
        self
    }
}

impl SharedMemory for FakeSystem {
    fn sharing(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    fn share(&self, name: &str, secret: &[u8], _life: Duration) -> Result<(), Unavailable> {
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
