//! The keyring of the desktop.

use zeroize::Zeroizing;

use super::OsSystem;
use crate::{error::Result, system::desktop_keyring::DesktopKeyring};

impl DesktopKeyring for OsSystem {
    fn desktop_keyring(&self) -> std::result::Result<&'static str, String> {
        Err("to do".to_owned())
    }

    fn desktop_secret(&self, _name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        Ok(None)
    }

    fn keep_desktop_secret(&self, _name: &str, _label: &str, _secret: &[u8]) -> Result<()> {
        Ok(())
    }

    fn remove_desktop_secret(&self, _name: &str) -> Result<bool> {
        Ok(false)
    }
}
