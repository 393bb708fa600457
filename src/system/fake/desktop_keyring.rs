//! A desktop's keyring, kept with the files.

use std::path::Path;

use zeroize::Zeroizing;

use super::{FakeSystem, lock};
use crate::{
    error::{Error, Kind, Result},
    system::{DesktopKeyring, Files},
};

#[derive(Default)]
pub(super) struct State {
    is_there: bool,
}

impl FakeSystem {
    /// Adds a desktop's keyring.
    pub(crate) fn with_desktop_keyring(self) -> Self {
        lock(&self.desktop_keyring).is_there = true;
        self
    }
}

fn path(name: &str) -> String {
    format!("desktop:{name}")
}

impl DesktopKeyring for FakeSystem {
    fn desktop_keyring(&self) -> Result<&'static str> {
        if lock(&self.desktop_keyring).is_there {
            Ok("the desktop's keyring")
        } else {
            Err(Error::new(Kind::Storage, "there is none"))
        }
    }

    fn desktop_secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        Ok(self.content(&path(name)).map(Zeroizing::new))
    }

    fn keep_desktop_secret(&self, name: &str, _label: &str, secret: &[u8]) -> Result<()> {
        self.write(&path(name), secret);
        Ok(())
    }

    fn remove_desktop_secret(&self, name: &str) -> Result<bool> {
        Ok(self.remove(Path::new(&path(name))).is_ok())
    }
}
