//! The kernel's key retention service: keys never touch a disk, and end by themselves.
//! <https://man7.org/linux/man-pages/man7/keyrings.7.html>

use std::time::Duration;

use zeroize::Zeroizing;

use super::OsSystem;
use crate::system::shared_memory::SharedMemory;

#[cfg(target_os = "linux")]
impl SharedMemory for OsSystem {
    fn can_share(&self) -> bool {
        kernel::ring().is_some()
    }

    fn share(&self, name: &str, secret: &[u8], life: Duration) -> bool {
        kernel::put(name, secret, life).is_some()
    }

    fn shared(&self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        kernel::get(name)
    }

    fn shared_names(&self, begin: &str) -> Option<Vec<String>> {
        kernel::names(begin)
    }

    fn unshare(&self, name: &str) -> bool {
        kernel::remove(name).is_some()
    }

    fn caller(&self) -> Option<String> {
        kernel::parent()
    }
}

#[cfg(not(target_os = "linux"))]
impl SharedMemory for OsSystem {
    fn can_share(&self) -> bool {
        false
    }

    fn share(&self, _name: &str, _secret: &[u8], _life: Duration) -> bool {
        false
    }

    fn shared(&self, _name: &str) -> Option<Zeroizing<Vec<u8>>> {
        None
    }

    fn shared_names(&self, _begin: &str) -> Option<Vec<String>> {
        None
    }

    fn unshare(&self, _name: &str) -> bool {
        false
    }

    fn caller(&self) -> Option<String> {
        None
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::{
        cell::Cell,
        panic::{UnwindSafe, catch_unwind, set_hook, take_hook},
        path::Path,
        sync::Once,
        time::Duration,
    };

    use linux_keyutils::{Key, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};
    use zeroize::Zeroizing;

    use crate::system::shared_memory::LONGEST_SHARED;

    /// The most bytes of the kernel's list of keys that are read.
    const LONGEST_LIST: usize = 4 * 1024 * 1024;

    /// The most bytes of what the kernel tells of a process.
    const LONGEST_STATUS: usize = 4096;

    /// The session's keyring, or that of the user's sessions where this one has none. Where the system call is not
    /// allowed, as in many containers, there is none.
    ///
    /// It must be this user's own: `sudo` may leave the caller's in place, and whoever possesses a keyring reads what
    /// lies in it.
    pub(super) fn ring() -> Option<KeyRing> {
        let ring = KeyRing::from_special_id(KeyRingIdentifier::Session, false).ok()?;
        // The crate panics over a keyring whose name is longer than its buffer, which no login's is (`_ses`).
        let metadata = silently(|| ring.metadata())?;
        (metadata.ok()?.get_uid() == own()).then_some(ring)
    }

    /// Does something that may panic; `None` if it does, and nobody is told.
    fn silently<Outcome>(work: impl FnOnce() -> Outcome + UnwindSafe) -> Option<Outcome> {
        thread_local! { static IS_SILENT: Cell<bool> = const { Cell::new(false) } }
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // It is the hook of this library, not of the program that loads it.
            let usual = take_hook();
            set_hook(Box::new(move |panic| {
                if !IS_SILENT.get() {
                    usual(panic);
                }
            }));
        });
        IS_SILENT.set(true);
        let outcome = catch_unwind(work);
        IS_SILENT.set(false);
        outcome.ok()
    }

    fn own() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    pub(super) fn put(name: &str, secret: &[u8], life: Duration) -> Option<()> {
        let seconds = usize::try_from(life.as_secs()).ok().filter(|seconds| *seconds > 0)?;
        let key = ring()?.add_key(name, secret).ok()?;
        let owner = KeyPermissionsBuilder::builder().posessor(Permission::ALL).build();
        let kept = key.set_timeout(seconds).and_then(|()| key.set_perms(owner));
        if kept.is_err() {
            // What would stay too long, or be read by others, does not stay.
            let _ = key.invalidate();
        }
        kept.ok()
    }

    /// The key of a name, if it is this user's own.
    fn find(name: &str) -> Option<Key> {
        let key = ring()?.search(name).ok()?;
        (key.metadata().ok()?.get_uid() == own()).then_some(key)
    }

    pub(super) fn remove(name: &str) -> Option<()> {
        find(name)?.invalidate().ok()
    }

    /// By the list of all keys that this process may see: `search` tells then which of them are in the keyring. (The
    /// list of the keyring itself comes without the names.)
    ///
    /// Where somebody laid something empty over it, as container runtimes do, it lacks even the keyring that there is.
    pub(super) fn names(begin: &str) -> Option<Vec<String>> {
        let list = crate::system::os::files::read(Path::new("/proc/keys"), LONGEST_LIST).ok()?;
        let list = String::from_utf8_lossy(&list);
        if list.trim().is_empty() {
            return None;
        }
        // ID, flags, usage, timeout, permissions, user, group, type, then `name: size`.
        let names = list.lines().filter_map(|line| line.split_whitespace().nth(8)?.strip_suffix(':'));
        let mut names: Vec<_> =
            names.filter(|name| name.starts_with(begin) && find(name).is_some()).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        Some(names)
    }

    /// Its number, which is given again one day, and when it was started.
    pub(super) fn parent() -> Option<String> {
        let parent = rustix::process::getppid()?.as_raw_nonzero();
        let status = crate::system::os::files::read(Path::new(&format!("/proc/{parent}/stat")), LONGEST_STATUS).ok()?;
        let status = String::from_utf8_lossy(&status);
        // The name of the program, in parentheses, may hold anything. The start is the 22nd field, the 20th behind it.
        let started = status.rsplit_once(')')?.1.split_whitespace().nth(19)?.to_owned();
        Some(format!("{parent} {started}"))
    }

    pub(super) fn get(name: &str) -> Option<Zeroizing<Vec<u8>>> {
        let key = find(name)?;
        let mut buffer = Zeroizing::new(vec![0; LONGEST_SHARED]);
        // The kernel answers how long the key is, also if that is more than fits.
        let length = key.read(&mut *buffer).ok().filter(|length| *length <= LONGEST_SHARED)?;
        buffer.truncate(length);
        Some(buffer)
    }
}
