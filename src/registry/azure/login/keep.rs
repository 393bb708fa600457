//! Where the refresh token of a login lies: ringbearer's store, the desktop's keyring, or the memory of the login session.
//! Never in a file that is not encrypted.

use std::time::SystemTime;

use super::logins::{Account, Place};
use crate::{error::Result, secret::Secret, system::System};

/// Where logins are kept.
pub(in crate::registry::azure) const VARIABLE: &str = "RINGBEARER_LOGIN_STORE";

/// Keeps none, and uses none.
pub(in crate::registry::azure) const OFF: &str = "off";

/// A refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::registry::azure) struct Kept {
    /// The refresh token.
    pub(in crate::registry::azure) refresh_token: Secret,
    /// When it was kept.
    pub(in crate::registry::azure) saved: SystemTime,
}

/// The place for a new login: RINGBEARER_LOGIN_STORE, or the first that works; `None` if none is to be kept. Fails if the
/// chosen place, or every place, does not work.
pub(in crate::registry::azure) fn place(_system: &dyn System) -> Result<Option<Place>> {
    Ok(None)
}

/// The refresh token of a login; `None` if it is gone.
pub(in crate::registry::azure) fn read(_system: &dyn System, _account: &Account) -> Result<Option<Kept>> {
    Ok(None)
}

/// Keeps the refresh token of a login, replacing an older one.
pub(in crate::registry::azure) fn write(
    _system: &dyn System,
    _account: &Account,
    _refresh_token: &Secret,
) -> Result<()> {
    Ok(())
}

/// Replaces the refresh token `used` by a newer one, under the lock of the logins and after reading it again: if another
/// process has replaced it, nothing changes.
pub(in crate::registry::azure) fn replace(
    _system: &dyn System,
    _account: &Account,
    _used: &Secret,
    _newer: &Secret,
) -> Result<()> {
    Ok(())
}

/// Forgets the refresh token of a login. One that is gone is no error.
pub(in crate::registry::azure) fn remove(_system: &dyn System, _account: &Account) -> Result<()> {
    Ok(())
}
