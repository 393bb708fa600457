//! Memory that processes share: the session keyring on Linux, Credential Manager on Windows, nothing elsewhere.
//!
//! - Windows: credentials that end with the logon session (`CRED_PERSIST_SESSION`) are in the memory of the Local Security
//!   Authority and in no file. A file that DPAPI encrypts would outlive the session, and the crate for it leaves copies of the
//!   secret in memory.
//! - macOS: the login keychain asks the user when another program than the creator reads an item. pip's Python and the
//!   native programs are different programs, and so is each release. Nothing prompts on its own, so there is no sharing.
//!
//! - `kernel`: Linux
//! - `credential_manager`: Windows, over `slots`, which is tested on every platform

#[cfg(windows)]
mod credential_manager;
#[cfg(target_os = "linux")]
mod kernel;
#[cfg(any(windows, test))]
mod slots;

use std::time::Duration;

use zeroize::Zeroizing;

#[cfg(windows)]
use self::credential_manager::CredentialManager;
use super::OsSystem;
use crate::system::shared_memory::{KeyQuota, SharedMemory, Unavailable};
#[cfg(windows)]
use crate::system::{Clock, Random};

#[cfg(target_os = "linux")]
impl SharedMemory for OsSystem {
    fn sharing(&self) -> Result<(), Unavailable> {
        kernel::keyring().map(drop)
    }

    fn share(&self, name: &str, secret: &[u8], life: Duration) -> Result<(), Unavailable> {
        kernel::put(name, secret, life)
    }

    fn shared(&self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        kernel::get(name)
    }

    fn shared_names(&self, prefix: &str) -> Option<Vec<String>> {
        kernel::names(prefix)
    }

    fn unshare(&self, name: &str) -> bool {
        kernel::remove(name).is_some()
    }

    fn key_quota(&self) -> Option<KeyQuota> {
        kernel::quota()
    }
}

#[cfg(windows)]
impl SharedMemory for OsSystem {
    fn sharing(&self) -> Result<(), Unavailable> {
        slots::sharing(&CredentialManager)
    }

    fn share(&self, name: &str, secret: &[u8], life: Duration) -> Result<(), Unavailable> {
        let mut key = slots::Key::default();
        self.random(&mut *key).map_err(|_| Unavailable::Refused)?;
        slots::put(&CredentialManager, name, secret, life, self.now(), &key)
    }

    fn shared(&self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        slots::get(&CredentialManager, name, self.now())
    }

    fn shared_names(&self, prefix: &str) -> Option<Vec<String>> {
        slots::names(&CredentialManager, prefix, self.now())
    }

    fn unshare(&self, name: &str) -> bool {
        slots::remove(&CredentialManager, name)
    }

    fn key_quota(&self) -> Option<KeyQuota> {
        None
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
impl SharedMemory for OsSystem {
    fn sharing(&self) -> Result<(), Unavailable> {
        Err(Unavailable::Unsupported)
    }

    fn share(&self, _name: &str, _secret: &[u8], _life: Duration) -> Result<(), Unavailable> {
        Err(Unavailable::Unsupported)
    }

    fn shared(&self, _name: &str) -> Option<Zeroizing<Vec<u8>>> {
        None
    }

    fn shared_names(&self, _prefix: &str) -> Option<Vec<String>> {
        None
    }

    fn unshare(&self, _name: &str) -> bool {
        false
    }

    fn key_quota(&self) -> Option<KeyQuota> {
        None
    }
}
