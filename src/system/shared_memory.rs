//! A place in memory that the processes of one login session share.

use std::time::Duration;

use zeroize::Zeroizing;

/// The longest secret that is left there, in bytes.
pub(crate) const LONGEST_SHARED: usize = 16 * 1024;

/// The place, where the operating system has one.
pub(crate) trait SharedMemory {
    /// Whether there is such a place.
    fn can_share(&self) -> bool;

    /// Leaves a secret there under a name, for `life`. Answers whether it is there now.
    fn share(&self, name: &str, secret: &[u8], life: Duration) -> bool;

    /// The secret under a name.
    fn shared(&self, name: &str) -> Option<Zeroizing<Vec<u8>>>;

    /// The names there that begin in this way; `None` if that cannot be found out.
    fn shared_names(&self, begin: &str) -> Option<Vec<String>>;

    /// Takes a secret away, so that nobody finds it any more. Answers whether it was there.
    fn unshare(&self, name: &str) -> bool;

    /// What tells the process that started this one from all others of this machine, where that can be found out.
    fn caller(&self) -> Option<String>;
}
