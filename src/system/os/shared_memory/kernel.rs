//! The Linux kernel's key retention service: keys touch no disk and expire by themselves.
//! <https://man7.org/linux/man-pages/man7/keyrings.7.html>

use std::{
    cell::Cell,
    panic::{UnwindSafe, catch_unwind, set_hook, take_hook},
    path::Path,
    sync::Once,
    time::Duration,
};

use linux_keyutils::{Key, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};
use zeroize::Zeroizing;

use crate::system::{
    os::files,
    shared_memory::{KeyQuota, LONGEST_SHARED, Unavailable},
};

/// The size limit of `/proc/keys` and `/proc/key-users`, in bytes.
const LONGEST_LIST: usize = 4 * 1024 * 1024;

/// The session keyring, or the user-session keyring if the session has none.
///
/// It must be the user's own: `sudo` may leave the caller's in place, and every process that possesses a keyring
/// reads its keys.
pub(super) fn keyring() -> Result<KeyRing, Unavailable> {
    let keyring = KeyRing::from_special_id(KeyRingIdentifier::Session, false).map_err(why)?;
    // `metadata` panics for a keyring whose name exceeds its buffer, which no login's does (`_ses`).
    let metadata = silently(|| keyring.metadata()).ok_or(Unavailable::Refused)?.map_err(why)?;
    if metadata.get_uid() == user() { Ok(keyring) } else { Err(Unavailable::ForeignKeyring) }
}

fn why(error: KeyError) -> Unavailable {
    match error {
        KeyError::QuotaExceeded => Unavailable::QuotaExceeded,
        KeyError::KeyExpired
        | KeyError::KeyRevoked
        | KeyError::KeyDoesNotExist
        | KeyError::KeyringDoesNotExist
        | KeyError::MissingFileOrDirectory => Unavailable::NoKeyring,
        KeyError::PermissionDenied
        | KeyError::AccessDenied
        | KeyError::OperationNotSupported
        // ENOSYS
        | KeyError::Unknown(_) => Unavailable::Unsupported,
        _ => Unavailable::Refused,
    }
}

/// Runs code that may panic, without a message; `None` if it does.
fn silently<Outcome>(work: impl FnOnce() -> Outcome + UnwindSafe) -> Option<Outcome> {
    thread_local! { static IS_SILENT: Cell<bool> = const { Cell::new(false) } }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The hook of this library, not of the program that loads it.
        let previous = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_SILENT.get() {
                previous(panic);
            }
        }));
    });
    IS_SILENT.set(true);
    let outcome = catch_unwind(work);
    IS_SILENT.set(false);
    outcome.ok()
}

fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

pub(super) fn put(name: &str, secret: &[u8], life: Duration) -> Result<(), Unavailable> {
    let seconds = usize::try_from(life.as_secs()).ok().filter(|seconds| *seconds > 0);
    let seconds = seconds.ok_or(Unavailable::Refused)?;
    let key = keyring()?.add_key(name, secret).map_err(why)?;
    let owner = KeyPermissionsBuilder::builder().posessor(Permission::ALL).build();
    key.set_timeout(seconds).and_then(|()| key.set_perms(owner)).map_err(|error| {
        // Without both it would outlive the token, or be readable by others.
        let _ = key.invalidate();
        why(error)
    })
}

/// The key of a name, if it is the user's own.
fn find(name: &str) -> Option<Key> {
    let key = keyring().ok()?.search(name).ok()?;
    (key.metadata().ok()?.get_uid() == user()).then_some(key)
}

pub(super) fn remove(name: &str) -> Option<()> {
    find(name)?.invalidate().ok()
}

/// From the list of all keys that this process may see, those that `search` finds in the keyring. (The keyring's own
/// list has no names.)
///
/// Container runtimes may mask `/proc/keys`: then it is empty, and lacks the keyring itself.
pub(super) fn names(prefix: &str) -> Option<Vec<String>> {
    let list = list("/proc/keys")?;
    if list.trim().is_empty() {
        return None;
    }
    // ID, flags, usage, timeout, permissions, user, group, type, then `name: size`.
    let names = list.lines().filter_map(|line| line.split_whitespace().nth(8)?.strip_suffix(':'));
    let mut names: Vec<_> =
        names.filter(|name| name.starts_with(prefix) && find(name).is_some()).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    Some(names)
}

pub(super) fn quota() -> Option<KeyQuota> {
    KeyQuota::parse(&list("/proc/key-users")?, user())
}

fn list(path: &str) -> Option<String> {
    let text = files::read(Path::new(path), LONGEST_LIST).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

pub(super) fn get(name: &str) -> Option<Zeroizing<Vec<u8>>> {
    let key = find(name)?;
    let mut buffer = Zeroizing::new(vec![0; LONGEST_SHARED]);
    // The kernel returns the length of the key, even if the buffer is shorter.
    let length = key.read(&mut *buffer).ok().filter(|length| *length <= LONGEST_SHARED)?;
    buffer.truncate(length);
    Some(buffer)
}
