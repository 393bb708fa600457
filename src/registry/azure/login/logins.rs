//! The file of logins: who has signed in and where the refresh token is kept. It holds no secret, so that a lookup knows without
//! asking a keyring whether there is a login.
//!
//! It decides which account answers: a file that others may write is refused.

use std::{
    cmp::Reverse,
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Kind, LONGEST_NAME, Result, without_middle},
    registry::azure::entra::Tenant,
    system::{
        Platform, System,
        files::{Details, Lock, Snapshot, remove_stale, wait_for_lock},
        io_message, places,
    },
};

/// The version of the format.
const VERSION: u32 = 1;

/// The largest file that is read or written, in bytes.
const LARGEST: usize = 64 * 1024;

/// The longest field, in characters: longer than the user names and GUIDs of Entra ID.
const LONGEST_FIELD: usize = 256;

/// How long to wait for the lock.
const LOCK_LIMIT: Duration = Duration::from_secs(10);

/// The permission bits that let others write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

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
    /// Where the refresh token is kept.
    pub(in crate::registry::azure) place: Place,
    /// Whether Entra ID has ended it, so that its refresh token is gone. It stays listed until the next login or logout, so
    /// that lookups say so.
    #[serde(default)]
    pub(in crate::registry::azure) ended: bool,
}

impl Account {
    /// Whether every field can be a part of a name or of a line of text.
    fn is_sound(&self) -> bool {
        let is_word = |text: &String| {
            let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            !text.is_empty() && text.len() <= LONGEST_FIELD && text.bytes().all(is_part)
        };
        let is_line = |text: &String| text.chars().count() <= LONGEST_FIELD && !text.contains(char::is_control);
        [&self.client_id, &self.home_id, &self.login_host].into_iter().chain(&self.tenants).all(is_word)
            && [&self.username].into_iter().chain(&self.organisations).all(is_line)
    }

    /// Whether another entry is of the same account, client and cloud, so that it replaces this one.
    pub(in crate::registry::azure) fn is_same_login(&self, other: &Self) -> bool {
        self.client_id == other.client_id && self.home_id == other.home_id && self.login_host == other.login_host
    }

    /// Whether a person means this account: by its user name, or by `uid` of its home tenant.
    pub(in crate::registry::azure) fn is_named(&self, hint: &str) -> bool {
        let uid = self.home_id.split('.').next().unwrap_or_default();
        self.username.eq_ignore_ascii_case(hint) || uid.eq_ignore_ascii_case(hint)
    }

    /// The user name, for messages: a long one loses its middle.
    pub(in crate::registry::azure) fn shown(&self) -> String {
        without_middle(&self.username, LONGEST_NAME)
    }

    /// A login of `NAME@contoso.example` with the client of artifacts-credprovider, in the session.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(in crate::registry::azure) fn example(name: &str) -> Self {
        Self {
            client_id: "d5a56ea4-7369-46b8-a538-c370805301bf".to_owned(),
            home_id: format!("{name}.home"),
            username: format!("{name}@contoso.example"),
            login_host: "login.microsoftonline.com".to_owned(),
            signed_in: 1,
            tenants: Vec::new(),
            organisations: Vec::new(),
            place: Place::Session,
            ended: false,
        }
    }
}

/// Where a refresh token is kept.
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

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Store => "ringbearer's store",
            Self::Keyring if cfg!(target_os = "macos") => "Keychain",
            Self::Keyring if cfg!(windows) => "Credential Manager",
            Self::Keyring => "the desktop's keyring",
            Self::Session => "the memory of the login session",
        })
    }
}

/// Every login, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::registry::azure) struct Logins {
    accounts: Vec<Account>,
}

/// The file as it is written.
#[derive(Serialize)]
struct Written<'all> {
    version: u32,
    logins: &'all [Account],
}

impl Logins {
    /// The path of the file, which need not exist.
    pub(in crate::registry::azure) fn file(system: &dyn System) -> Option<PathBuf> {
        Some(places::native_data(system)?.join("ringbearer").join("logins.json"))
    }

    /// Reads the file; empty if there is none.
    pub(in crate::registry::azure) fn read(system: &dyn System) -> Result<Self> {
        let Some(path) = Self::file(system) else { return Ok(Self::default()) };
        let snapshot = snapshot(system, &path)?;
        snapshot.map_or_else(|| Ok(Self::default()), |snapshot| Self::parse(&snapshot.content, &path))
    }

    /// Reads the content of the file. It is foreign data: people and other programs may change it.
    pub(in crate::registry::azure) fn parse(content: &[u8], path: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Header {
            version: u32,
        }
        #[derive(Deserialize)]
        struct Document {
            logins: Vec<Account>,
        }
        let broken = || unusable(path, "is damaged", "remove it, and run `ringbearer login URL`");
        let header: Header = serde_json::from_slice(content).map_err(|_| broken())?;
        if header.version != VERSION {
            let what = format!("has version {}, which this ringbearer does not know", header.version);
            return Err(unusable(path, &what, "update ringbearer, or remove the file"));
        }
        let document: Document = serde_json::from_slice(content).map_err(|_| broken())?;
        let mut accounts = document.logins;
        if !accounts.iter().all(Account::is_sound) {
            return Err(broken());
        }
        accounts.sort_by_key(|account| Reverse(account.signed_in));
        Ok(Self { accounts })
    }

    /// The logins, newest first.
    pub(in crate::registry::azure) fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// The login for a tenant: that of the account `hint` names, else one that the tenant has accepted, else the newest. Also
    /// one that has ended: another account must not answer in silence. Those of another cloud do not count.
    pub(in crate::registry::azure) fn choose(
        &self,
        client_id: &str,
        tenant: &Tenant,
        hint: Option<&str>,
    ) -> Option<&Account> {
        let serves = |account: &&Account| account.client_id == client_id && account.login_host == tenant.login_host;
        let rank = |account: &&Account| {
            let is_named = hint.is_some_and(|hint| account.is_named(hint));
            let is_accepted = account.tenants.iter().any(|accepted| accepted.eq_ignore_ascii_case(&tenant.id));
            (!is_named, !is_accepted)
        };
        self.accounts.iter().filter(serves).min_by_key(rank)
    }

    /// Changes the file under its lock, after reading it again. Without logins, removes it. Fails also without a change if
    /// the file cannot be used.
    pub(in crate::registry::azure) fn change(
        system: &dyn System,
        change: impl FnOnce(&mut Vec<Account>),
    ) -> Result<()> {
        let (path, _lock) = lock(system)?;
        let path = target(system, &path)?;
        let snapshot = snapshot(system, &path)?;
        let before = snapshot.as_ref().map(|snapshot| Self::parse(&snapshot.content, &path)).transpose()?;
        let before = before.unwrap_or_default();
        let mut accounts = before.accounts.clone();
        change(&mut accounts);
        accounts.sort_by_key(|account| Reverse(account.signed_in));
        if accounts == before.accounts {
            return Ok(());
        }
        if !accounts.iter().all(Account::is_sound) {
            return Err(Error::new(Kind::Protocol, "the answer of the login host names no valid account"));
        }
        remove_stale(system, &path);
        let stamp = snapshot.as_ref().map(|snapshot| &snapshot.stamp);
        let is_written = if accounts.is_empty() {
            system.remove(&path).map(|()| true)
        } else {
            let text = serde_json::to_vec_pretty(&Written { version: VERSION, logins: &accounts })
                .map_err(|_| Error::new(Kind::Internal, "the logins cannot be written as JSON"))?;
            if text.len() >= LARGEST {
                return Err(unusable(&path, "is full", "`ringbearer logout --account ACCOUNT` makes room"));
            }
            system.replace(&path, &|to| to.write_all(&text).and_then(|()| to.write_all(b"\n")), stamp)
        };
        match is_written {
            Ok(true) => Ok(()),
            // Every ringbearer takes the lock.
            Ok(false) => Err(unusable(&path, "was changed by another program", "try again")),
            Err(error) => {
                system.check()?;
                let what = format!("cannot be written: {}", io_message(&error));
                Err(unusable(&path, &what, "its directory must be writable for you"))
            }
        }
    }
}

/// Locks the file, which need not exist, and waits for other processes. Returns its path.
pub(super) fn lock(system: &dyn System) -> Result<(PathBuf, Lock)> {
    let (path, lock_path) = lockable(system)?;
    let lock = wait_for_lock(system, &lock_path, LOCK_LIMIT)?.map_err(|error| cannot_be_locked(&lock_path, &error))?;
    let lock = lock.ok_or_else(|| {
        let what = format!("was locked by another process for {} s", LOCK_LIMIT.as_secs());
        unusable(&path, &what, "end the other `ringbearer`")
    })?;
    Ok((path, lock))
}

/// Locks the file, unless another process has locked it.
pub(super) fn try_lock(system: &dyn System) -> Result<Option<Lock>> {
    let (_, lock_path) = lockable(system)?;
    system.try_lock(&lock_path).map_err(|error| cannot_be_locked(&lock_path, &error))
}

/// The path of the file, which need not exist, and that of its lock file, in a directory that exists.
fn lockable(system: &dyn System) -> Result<(PathBuf, PathBuf)> {
    let path = Logins::file(system).ok_or_else(|| {
        let variable = if system.platform() == Platform::Windows { "LOCALAPPDATA" } else { "HOME" };
        Error::new(Kind::Configuration, "the directory of the user's data is not known")
            .with_hint(format!("set {variable} to its absolute path"))
    })?;
    let folder = path.parent().unwrap_or(&path);
    system.create_directory(folder, true).map_err(|error| {
        let what = format!("cannot be created: {}", io_message(&error));
        unusable(folder, &what, "the directory above it must be writable for you")
    })?;
    refuse_writable(system, folder, "chmod 700")?;
    let lock_path = path.with_file_name("logins.json.lock");
    Ok((path, lock_path))
}

fn cannot_be_locked(lock_path: &Path, error: &io::Error) -> Error {
    let what = format!("cannot be locked: {}", io_message(error));
    unusable(lock_path, &what, "its directory must be writable for you")
}

/// The file that a link leads to, else the path itself.
fn target(system: &dyn System, path: &Path) -> Result<PathBuf> {
    system.destination(path).map_err(|error| {
        let what = format!("is a link that leads nowhere: {}", io_message(&error));
        unusable(path, &what, "remove it, and run `ringbearer login URL`")
    })
}

/// Reads the file, if there is one. Without one, as for most users, no directory is checked.
fn snapshot(system: &dyn System, path: &Path) -> Result<Option<Snapshot>> {
    let read = system.snapshot(path, LARGEST);
    if read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    // Another user who can write to the target's directory can replace the target.
    let of_target = system.destination(path).ok();
    for folder in [Some(path), of_target.as_deref()].into_iter().flatten().filter_map(Path::parent) {
        refuse_writable(system, folder, "chmod 700")?;
    }
    refuse_writable(system, path, "chmod 600")?;
    read.map(Some).map_err(|error| {
        let what = format!("cannot be read: {}", io_message(&error));
        unusable(path, &what, "it must be a file that you may read")
    })
}

/// Fails if others may change what is at a path, which need not exist. `remedy` is the command that prevents it.
fn refuse_writable(system: &dyn System, path: &Path, remedy: &str) -> Result<()> {
    let follow = |path: &Path| system.destination(path).and_then(|target| system.details(&target));
    match follow(path) {
        Ok(Details { is_owned_by_other: true, .. }) => {
            Err(unusable(path, "belongs to another user", "remove it, or set HOME to your own directory"))
        }
        Ok(Details { mode: Some(mode), .. }) if mode & WRITABLE_BY_OTHERS != 0 => {
            Err(unusable(path, "can be written by others", &format!("run `{remedy} {}`", path.display())))
        }
        // If it cannot be read, reading it fails with the reason.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn unusable(path: &Path, what: &str, hint: &str) -> Error {
    Error::new(Kind::Configuration, format!("the file of logins {} {what}", path.display())).with_hint(hint)
}

#[cfg(test)]
mod tests;
