//! Shared memory, kept with the files.

use std::{path::Path, time::Duration};

use zeroize::Zeroizing;

use super::FakeSystem;
use crate::system::{Env, Files, SharedMemory};

impl SharedMemory for FakeSystem {
    fn can_share(&self) -> bool {
        true
    }

    fn share(&self, name: &str, secret: &[u8], _life: Duration) -> bool {
        self.write(name, secret);
        true
    }

    fn shared(&self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.content(name).map(Zeroizing::new)
    }

    fn shared_names(&self, begin: &str) -> Option<Vec<String>> {
        Some(self.paths(begin))
    }

    fn unshare(&self, name: &str) -> bool {
        self.remove(Path::new(name)).is_ok()
    }

    fn caller(&self) -> Option<String> {
        Env::variable(self, "the caller")
    }
}
