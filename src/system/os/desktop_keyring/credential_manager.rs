//! Windows Credential Manager: generic credentials that stay on this machine (`CRED_PERSIST_LOCAL_MACHINE`).
//! <https://learn.microsoft.com/windows/win32/api/wincred/ns-wincred-credentialw>

use std::collections::HashMap;

use keyring_core::{Entry, Error as Refused, api::CredentialStoreApi};
use windows_native_keyring_store::Store;
use zeroize::Zeroizing;

use super::{
    SERVICE,
    pieces::{self, Item, Items, SetId},
};
use crate::{
    error::{Error, Kind, Result},
    system::System,
};

/// What the keyring is called; otherwise why there is none.
pub(super) fn find(system: &dyn System) -> Result<&'static str> {
    get(system, "probe").map(|_| "Credential Manager")
}

/// The secret of a name.
pub(super) fn get(_system: &dyn System, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
    pieces::get(&Credentials { name })
}

/// Keeps a secret. Credential Manager shows names only.
pub(super) fn put(system: &dyn System, name: &str, _label: &str, secret: &[u8]) -> Result<()> {
    let mut id = SetId::default();
    system.random(&mut id)?;
    pieces::put(&Credentials { name }, secret, id)
}

/// Removes a secret. Returns whether it was there.
pub(super) fn remove(_system: &dyn System, name: &str) -> Result<bool> {
    pieces::remove(&Credentials { name })
}

/// The credentials of one secret. Their target names are `ringbearer.NAME` and `ringbearer.NAME.SET.NUMBER`.
struct Credentials<'all> {
    name: &'all str,
}

impl Credentials<'_> {
    fn entry(&self, item: Item) -> Result<Entry> {
        let target = match item {
            Item::Header => self.name.to_owned(),
            Item::Piece { set, number } => format!("{}.{set}.{number}", self.name),
        };
        // The default, `Enterprise`, is kept in a file that follows the user to other machines.
        let modifiers = HashMap::from([("persistence", "Local")]);
        let store = Store::new().map_err(|error| why(&error))?;
        store.build(&target, SERVICE, Some(&modifiers)).map_err(|error| why(&error))
    }
}

impl Items for Credentials<'_> {
    fn read(&self, item: Item) -> Result<Option<Zeroizing<Vec<u8>>>> {
        match self.entry(item)?.get_secret() {
            Ok(content) => Ok(Some(Zeroizing::new(content))),
            Err(Refused::NoEntry) => Ok(None),
            Err(error) => Err(why(&error)),
        }
    }

    fn write(&self, item: Item, content: &[u8]) -> Result<()> {
        self.entry(item)?.set_secret(content).map_err(|error| why(&error))
    }

    fn remove(&self, item: Item) -> Result<bool> {
        match self.entry(item)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(Refused::NoEntry) => Ok(false),
            Err(error) => Err(why(&error)),
        }
    }
}

/// Network logons, as over SSH, and some services have no credentials (`ERROR_NO_SUCH_LOGON_SESSION`).
fn why(error: &Refused) -> Error {
    Error::new(
        Kind::Storage,
        match error {
            Refused::NoStorageAccess(_) => "Credential Manager is not available in this logon session (as over SSH)",
            _ => "Credential Manager refused it",
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    #[test]
    fn a_login_is_kept_on_this_machine_and_removed_whole() {
        let fake = FakeSystem::default();
        let name = format!("test-{}", std::process::id());
        assert_eq!(find(&fake), Ok("Credential Manager"));
        assert_eq!(get(&fake, &name).unwrap(), None);
        for secret in [vec![1; 6000], vec![2; 100], vec![]] {
            put(&fake, &name, "", &secret).unwrap();
            assert_eq!(get(&fake, &name).unwrap().as_deref(), Some(&secret));
        }
        let attributes = Credentials { name: &name }.entry(Item::Header).unwrap().get_attributes().unwrap();
        assert!(remove(&fake, &name).unwrap() && !remove(&fake, &name).unwrap());
        assert_eq!(attributes["persistence"], "Local");
        assert_eq!(attributes["target_name"], format!("ringbearer.{name}"));
    }
}
