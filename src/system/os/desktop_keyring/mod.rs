//! The keyring of the desktop, through programs that every release of ringbearer and every Python shares: a keyring gives an
//! item to the program that created it, and may ask the user about others.
//!
//! - `secret_service`: Linux, through a `client`, which is `secret_tool` or `python_keyring`
//! - `keychain`: macOS, through `security`
//! - `credential_manager`: Windows, natively, over `pieces`
//!
//! `program` runs the programs. All of it but `credential_manager` is tested on every platform.

#[cfg(any(target_os = "linux", test))]
mod client;
#[cfg(windows)]
mod credential_manager;
#[cfg(any(target_os = "macos", test))]
mod keychain;
#[cfg(any(windows, test))]
mod pieces;
#[cfg(any(unix, test))]
mod program;
#[cfg(any(target_os = "linux", test))]
mod python_keyring;
#[cfg(any(target_os = "linux", test))]
mod secret_service;
#[cfg(any(target_os = "linux", test))]
mod secret_tool;

use zeroize::Zeroizing;

#[cfg(windows)]
use self::credential_manager as keyring;
#[cfg(target_os = "macos")]
use self::keychain as keyring;
#[cfg(target_os = "linux")]
use self::secret_service as keyring;
use super::OsSystem;
use crate::{error::Result, system::desktop_keyring::DesktopKeyring};

/// The service of every secret in it.
const SERVICE: &str = "ringbearer";

impl DesktopKeyring for OsSystem {
    fn desktop_keyring(&self) -> Result<&'static str> {
        keyring::find(self)
    }

    fn desktop_secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        keyring::get(self, name)
    }

    fn keep_desktop_secret(&self, name: &str, label: &str, secret: &[u8]) -> Result<()> {
        keyring::put(self, name, label, secret)
    }

    fn remove_desktop_secret(&self, name: &str) -> Result<bool> {
        keyring::remove(self, name)
    }
}
