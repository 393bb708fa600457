//! Memory that the processes of one login session share.

use std::{fmt, time::Duration};

use zeroize::Zeroizing;

/// The length limit of a shared secret, in bytes.
pub(crate) const LONGEST_SHARED: usize = 16 * 1024;

/// Shared memory, where the operating system has it.
pub(crate) trait SharedMemory {
    /// Whether there is shared memory; otherwise why not.
    fn sharing(&self) -> Result<(), Unavailable>;

    /// Shares a secret under a name for `life`, replacing an existing one.
    fn share(&self, name: &str, secret: &[u8], life: Duration) -> Result<(), Unavailable>;

    /// The secret under a name.
    fn shared(&self, name: &str) -> Option<Zeroizing<Vec<u8>>>;

    /// The names with a prefix; `None` if they cannot be listed.
    fn shared_names(&self, prefix: &str) -> Option<Vec<String>>;

    /// Removes a secret. Returns whether it was there.
    fn unshare(&self, name: &str) -> bool;

    /// The user's quota of kernel keys, if there is one.
    fn key_quota(&self) -> Option<KeyQuota>;
}

/// Why a secret is not shared.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "only the implementation for Linux fails in these ways")
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// The operating system has no shared memory, or forbids it.
    Unsupported,
    /// The session has no keyring, or its keyring was revoked or has expired.
    NoKeyring,
    /// The session's keyring belongs to another user.
    ForeignKeyring,
    /// With the secret, more than half of the key quota would be used.
    HalfOfQuota(KeyQuota),
    /// The key quota is used up (EDQUOT).
    QuotaExceeded,
    /// The secret is longer than [`LONGEST_SHARED`].
    TooLong,
    /// The operating system refused it for another reason.
    Refused,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unsupported if cfg!(target_os = "linux") => {
                "the kernel's key service is missing or not allowed (as in many containers)"
            }
            Self::Unsupported if cfg!(windows) => {
                "Credential Manager is not available in this logon session (as over SSH)"
            }
            Self::Unsupported => "this platform has no session cache",
            Self::NoKeyring => "the session's keyring is missing or no longer valid",
            Self::ForeignKeyring => "the session's keyring belongs to another user (as after sudo)",
            Self::HalfOfQuota(KeyQuota { keys, max_keys, bytes, max_bytes }) => {
                return write!(
                    formatter,
                    "the session cache leaves half of the kernel's key quota to others: {keys} of {max_keys} keys and \
                     {bytes} of {max_bytes} bytes are in use"
                );
            }
            Self::QuotaExceeded => "the kernel's key quota is used up",
            Self::TooLong => "it is too long for the session cache",
            Self::Refused => "the operating system refused it",
        })
    }
}

/// How much of a user's key quota is in use.
/// <https://man7.org/linux/man-pages/man7/keyrings.7.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyQuota {
    /// Keys in use.
    pub(crate) keys: u64,
    /// The limit of keys.
    pub(crate) max_keys: u64,
    /// Bytes of descriptions and payloads in use.
    pub(crate) bytes: u64,
    /// The limit of bytes.
    pub(crate) max_bytes: u64,
}

impl KeyQuota {
    /// Reads the line of a user in `/proc/key-users`: `UID: USAGE NKEYS/NIKEYS QNKEYS/MAXKEYS QNBYTES/MAXBYTES`.
    #[cfg(any(target_os = "linux", test))]
    #[must_use]
    pub(crate) fn parse(text: &str, uid: u32) -> Option<Self> {
        let fields = text.lines().find_map(|line| {
            let (id, fields) = line.split_once(':')?;
            (id.trim().parse() == Ok(uid)).then_some(fields)
        })?;
        let mut pairs = fields.split_whitespace().skip(2).map(|field| {
            let (in_use, limit) = field.split_once('/')?;
            Some((in_use.parse().ok()?, limit.parse().ok()?))
        });
        let ((keys, max_keys), (bytes, max_bytes)) = (pairs.next()??, pairs.next()??);
        Some(Self { keys, max_keys, bytes, max_bytes })
    }

    /// Whether another key of `bytes` leaves half of the quota free after `freed` bytes are released.
    #[must_use]
    pub(crate) fn has_room(self, bytes: u64, freed: u64) -> bool {
        let keys = self.keys.saturating_add(u64::from(freed == 0));
        let bytes = self.bytes.saturating_add(bytes).saturating_sub(freed);
        keys <= self.max_keys / 2 && bytes <= self.max_bytes / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY_USERS: &str = "    0:     9 8/8 3/1000000 40/25000000\n 1000:    12 11/11 9/200 9000/20000\n";
    const QUOTA: KeyQuota = KeyQuota { keys: 9, max_keys: 200, bytes: 9000, max_bytes: 20_000 };

    #[test]
    fn the_quota_is_read_from_the_line_of_the_user() {
        assert_eq!(KeyQuota::parse(KEY_USERS, 1000), Some(QUOTA));
        assert_eq!(KeyQuota::parse(KEY_USERS, 0).unwrap().max_bytes, 25_000_000);
        for text in ["", "1000:", "1000: 1 2/2 3/x 4/5", "1000: 1 2/2 3/4", "10000: 1 2/2 3/4 5/6"] {
            assert_eq!(KeyQuota::parse(text, 1000), None, "{text}");
        }
    }

    #[test]
    fn half_of_the_quota_stays_free() {
        assert!(QUOTA.has_room(1000, 0));
        assert!(!QUOTA.has_room(1001, 0));
        assert!(QUOTA.has_room(1001, 1));
        assert!(!KeyQuota { keys: 100, ..QUOTA }.has_room(1, 0));
        assert!(KeyQuota { keys: 100, ..QUOTA }.has_room(1, 1), "it replaces another key");
    }
}
