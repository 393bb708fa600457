//! The keyring of the desktop: Keychain on macOS, Credential Manager on Windows, a Secret Service on Linux.

use zeroize::Zeroizing;

use crate::error::Result;

/// The desktop's keyring, which encrypts secrets on disk and is unlocked with the user's login.
pub(crate) trait DesktopKeyring {
    /// What it is called, such as `Keychain`; otherwise why there is none. No prompt.
    fn desktop_keyring(&self) -> Result<&'static str>;

    /// The secret of a name.
    fn desktop_secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>>;

    /// Keeps a secret, replacing an existing one. `label` is what the desktop shows.
    fn keep_desktop_secret(&self, name: &str, label: &str, secret: &[u8]) -> Result<()>;

    /// Removes a secret. Returns whether it was there.
    fn remove_desktop_secret(&self, name: &str) -> Result<bool>;
}
