//! The file of logins: who has signed in and where the refresh token lies. It holds no secret, so that a lookup knows without
//! asking a keyring whether there is a login.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{error::Result, system::System};

/// A login of an account with a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::registry::azure) struct Account {
    /// The application that the person signed in to.
    pub(in crate::registry::azure) client_id: String,
    /// The account in its home tenant: `uid.utid` of `client_info`.
    pub(in crate::registry::azure) home_id: String,
    /// The user name: `preferred_username` of the ID token.
    pub(in crate::registry::azure) username: String,
    /// The login host.
    pub(in crate::registry::azure) login_host: String,
    /// When the person signed in, in seconds since 1970.
    pub(in crate::registry::azure) signed_in: u64,
    /// The tenants that have accepted it, by GUID.
    pub(in crate::registry::azure) tenants: Vec<String>,
    /// The organisations that the person signed in for.
    pub(in crate::registry::azure) organisations: Vec<String>,
    /// Where the refresh token lies.
    pub(in crate::registry::azure) place: Place,
    /// Whether Entra ID has ended it, so that its refresh token is gone. It stays listed until the next login or logout, so
    /// that lookups say so.
    #[serde(default)]
    pub(in crate::registry::azure) ended: bool,
}

/// Where a refresh token lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::registry::azure) enum Place {
    /// ringbearer's store.
    Store,
    /// The desktop's keyring.
    Keyring,
    /// The memory of the login session.
    Session,
}

/// Every login, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::registry::azure) struct Logins {
    accounts: Vec<Account>,
}

impl Logins {
    /// The file, which need not exist.
    pub(in crate::registry::azure) fn file(_system: &dyn System) -> Option<PathBuf> {
        None
    }

    /// Reads the file; empty if there is none.
    pub(in crate::registry::azure) fn read(_system: &dyn System) -> Result<Self> {
        Ok(Self::default())
    }

    /// The logins, newest first.
    pub(in crate::registry::azure) fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// The login for a tenant: that of the account `hint` names, else one that the tenant has accepted, else the newest.
    pub(in crate::registry::azure) fn choose(
        &self,
        _client_id: &str,
        _tenant: &str,
        _hint: Option<&str>,
    ) -> Option<&Account> {
        None
    }

    /// Changes the file under its lock, after reading it again.
    pub(in crate::registry::azure) fn change(
        _system: &dyn System,
        _change: impl FnOnce(&mut Vec<Account>),
    ) -> Result<()> {
        Ok(())
    }
}
