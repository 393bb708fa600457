//! Windows Credential Manager: generic credentials that end with the logon session.
//! <https://learn.microsoft.com/windows/win32/api/wincred/ns-wincred-credentialw>

use std::collections::HashMap;

use keyring_core::{Entry, Error, api::CredentialStoreApi};
use windows_native_keyring_store::Store;
use zeroize::Zeroizing;

use super::slots::{Place, Slots};
use crate::system::shared_memory::Unavailable;

/// The user name of the credentials. Their target names are `ringbearer.cache.SLOT.PIECE`.
const USER: &str = "ringbearer";

/// The credentials of this logon session. An elevated process has a logon session of its own.
pub(super) struct CredentialManager;

impl Slots for CredentialManager {
    fn read(&self, place: Place) -> Result<Option<Zeroizing<Vec<u8>>>, Unavailable> {
        match entry(place)?.get_secret() {
            Ok(content) => Ok(Some(Zeroizing::new(content))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(why(&error)),
        }
    }

    fn write(&self, place: Place, content: &[u8]) -> Result<(), Unavailable> {
        entry(place)?.set_secret(content).map_err(|error| why(&error))
    }

    fn remove(&self, place: Place) -> bool {
        entry(place).is_ok_and(|entry| entry.delete_credential().is_ok())
    }
}

fn entry(place: Place) -> Result<Entry, Unavailable> {
    let service = format!("cache.{}.{}", place.slot, place.piece);
    // The default, `Enterprise`, is kept in a file that follows the user to other machines.
    let modifiers = HashMap::from([("persistence", "Session")]);
    let store = Store::new().map_err(|error| why(&error))?;
    store.build(&service, USER, Some(&modifiers)).map_err(|error| why(&error))
}

/// Network logons, as over SSH, and some services have no credentials (`ERROR_NO_SUCH_LOGON_SESSION`).
fn why(error: &Error) -> Unavailable {
    match error {
        Error::NoStorageAccess(_) => Unavailable::Unsupported,
        _ => Unavailable::Refused,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Mutex, MutexGuard, PoisonError},
        thread,
        time::{Duration, SystemTime},
    };

    use super::{super::slots, *};

    const LIFE: Duration = Duration::from_secs(60);

    /// One test at a time: Wine crashes a program that reads a credential while another thread writes it.
    fn alone() -> MutexGuard<'static, ()> {
        static TURN: Mutex<()> = Mutex::new(());
        TURN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(of: &str) -> String {
        format!("ringbearer:test:{}:{of}", std::process::id())
    }

    #[test]
    fn a_long_secret_is_kept_listed_and_removed() {
        let _turn = alone();
        let (name, now) = (name("long"), SystemTime::now());
        let secret: Vec<u8> = (0..16_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        assert_eq!(slots::sharing(&CredentialManager), Ok(()));
        slots::put(&CredentialManager, &name, &secret, LIFE, now, &slots::Key::new([7; 32])).unwrap();
        assert_eq!(slots::get(&CredentialManager, &name, now).as_deref(), Some(&secret));
        assert_eq!(slots::names(&CredentialManager, &name, now), Some(vec![name.clone()]));
        assert_eq!(slots::get(&CredentialManager, &name, now + LIFE), None);
        assert!(slots::remove(&CredentialManager, &name));
        assert_eq!(slots::get(&CredentialManager, &name, now), None);
        assert!(!slots::remove(&CredentialManager, &name));
    }

    #[test]
    fn credentials_end_with_the_logon_session() {
        let _turn = alone();
        let name = name("session");
        slots::put(&CredentialManager, &name, b"x", LIFE, SystemTime::now(), &slots::Key::new([7; 32])).unwrap();
        let (slot, _) = slots::find(&CredentialManager, &name).unwrap();
        let attributes = entry(Place { slot, piece: 0 }).unwrap().get_attributes().unwrap();
        slots::remove(&CredentialManager, &name);
        assert_eq!(attributes["persistence"], "Session");
        assert_eq!(attributes["target_name"], format!("ringbearer.cache.{slot}.0"));
    }

    /// Not run under Wine (`.ci/cross.py`), for the reason above.
    #[test]
    fn writers_at_once_leave_a_whole_secret_or_none() {
        let _turn = alone();
        let (name, now) = (name("race"), SystemTime::now());
        let secrets: Vec<Vec<u8>> = (1..=8_u8).map(|number| vec![number; 5_000]).collect();
        thread::scope(|scope| {
            for (number, secret) in (1..=8_u8).zip(&secrets) {
                let name = &name;
                scope.spawn(move || {
                    for round in 0..5 {
                        let key = slots::Key::new([number * 8 + round; 32]);
                        // Another writer may get in between.
                        let _ = slots::put(&CredentialManager, name, secret, LIFE, now, &key);
                        let found = slots::get(&CredentialManager, name, now);
                        assert!(
                            found
                                .is_none_or(|found| found.len() == 5_000 && found.iter().all(|byte| *byte == found[0]))
                        );
                    }
                });
            }
        });
        slots::put(&CredentialManager, &name, &secrets[0], LIFE, now, &slots::Key::new([99; 32])).unwrap();
        assert_eq!(slots::get(&CredentialManager, &name, now).as_deref(), Some(&secrets[0]));
        slots::remove(&CredentialManager, &name);
    }
}
