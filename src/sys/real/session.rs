//! The kernel's key retention service: keys never touch a disk, and end by themselves.
//! <https://man7.org/linux/man-pages/man7/keyrings.7.html>

use std::time::Duration;

use zeroize::Zeroizing;

use super::Real;
use crate::sys::session::Session;

#[cfg(target_os = "linux")]
impl Session for Real {
    fn can_share(&self) -> bool {
        kernel::ring().is_some()
    }

    fn share(&self, name: &str, secret: &[u8], life: Duration) -> bool {
        kernel::put(name, secret, life).is_some()
    }

    fn shared(&self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        kernel::get(name)
    }
}

#[cfg(not(target_os = "linux"))]
impl Session for Real {
    fn can_share(&self) -> bool {
        false
    }

    fn share(&self, _name: &str, _secret: &[u8], _life: Duration) -> bool {
        false
    }

    fn shared(&self, _name: &str) -> Option<Zeroizing<Vec<u8>>> {
        None
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::time::Duration;

    use linux_keyutils::{KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};
    use zeroize::Zeroizing;

    use crate::sys::session::LONGEST_SHARED;

    /// The session's keyring, or that of the user's sessions where this one has none. Where the system call is not
    /// allowed, as in many containers, there is none.
    ///
    /// It must be this user's own: `sudo` may leave the caller's in place, and whoever possesses a keyring reads what
    /// lies in it.
    pub(super) fn ring() -> Option<KeyRing> {
        let ring = KeyRing::from_special_id(KeyRingIdentifier::Session, false).ok()?;
        (ring.metadata().ok()?.get_uid() == own()).then_some(ring)
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

    pub(super) fn get(name: &str) -> Option<Zeroizing<Vec<u8>>> {
        let key = ring()?.search(name).ok()?;
        if key.metadata().ok()?.get_uid() != own() {
            return None;
        }
        let mut buffer = Zeroizing::new(vec![0; LONGEST_SHARED]);
        // The kernel answers how long the key is, also if that is more than fits.
        let length = key.read(&mut *buffer).ok().filter(|length| *length <= LONGEST_SHARED)?;
        buffer.truncate(length);
        Some(buffer)
    }
}
