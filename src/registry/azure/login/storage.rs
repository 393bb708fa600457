//! Where the refresh token of a login is kept: ringbearer's store, the desktop's keyring, or the memory of the login session.
//! Never in a file that is not encrypted.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use log::debug;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::logins::{self, Account, Place};
use crate::{
    auth::shared_record::{self, since_1970},
    error::{Error, Kind, Result, single_line, truncate},
    registry::azure::{credprovider, entra::PUBLIC_LOGIN_HOST},
    secret::{Secret, SecretText},
    store::{self, Store},
    system::{
        System,
        shared_memory::{LONGEST_SHARED, Unavailable},
    },
};

/// Where logins are kept.
pub(in crate::registry::azure) const VARIABLE: &str = "RINGBEARER_LOGIN_STORE";

/// The value that keeps no login and uses none.
pub(in crate::registry::azure) const OFF: &str = "off";

/// The other values of the variable, in the order in which they are tried.
const PLACES: [(&str, Place); 3] = [("store", Place::Store), ("keyring", Place::Keyring), ("session", Place::Session)];

/// The service of the records in ringbearer's store.
const SERVICE: &str = "ringbearer:azure-login";

/// The prefix of the names in a desktop's keyring.
const DESKTOP_PREFIX: &str = "azure-login:";

/// The prefix of the names in shared memory. It is not that of cached records, which `ringbearer cache clear` removes.
const SESSION_PREFIX: &str = "ringbearer-login:azure:";

/// How long a refresh token in shared memory lives: 90 days, the life of one that is not used.
/// <https://learn.microsoft.com/entra/identity-platform/refresh-tokens>
const SESSION_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The attempts to write after a removal, and the pause between them: the kernel frees removed keys in the background.
const ATTEMPTS_PER_REMOVAL: u32 = 5;
const REMOVAL_PAUSE: Duration = Duration::from_millis(10);

/// The most cached records that are removed to make room.
const MOST_REMOVALS: usize = 200;

/// The longest reason of a place in a list of them, in characters.
const LONGEST_REASON: usize = 55;

/// A kept refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::registry::azure) struct Kept {
    /// The refresh token.
    pub(in crate::registry::azure) refresh_token: Secret,
    /// When it was kept.
    pub(in crate::registry::azure) saved: SystemTime,
    /// When the person signed in for it, in seconds since 1970. An entry of the logins may be of a later sign-in: in another
    /// login session, or on another machine with the same home directory.
    signed_in: u64,
}

/// A refresh token as it is written.
#[derive(Serialize)]
struct Written<'all> {
    refresh_token: &'all str,
    /// Seconds since 1970, as is the next.
    saved_at: u64,
    signed_in: u64,
}

impl Kept {
    /// Reads a record. It is foreign data: other programs may change it.
    pub(in crate::registry::azure) fn parse(text: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Record {
            refresh_token: Secret,
            saved_at: u64,
            #[serde(default)]
            signed_in: u64,
        }
        let record: Record = serde_json::from_slice(text).ok()?;
        let is_word = |byte: u8| byte.is_ascii_graphic();
        let token = record.refresh_token.expose();
        let is_sound = !token.is_empty() && token.bytes().all(is_word);
        let saved = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(record.saved_at))?;
        is_sound.then_some(Self { refresh_token: record.refresh_token, saved, signed_in: record.signed_in })
    }
}

/// The place for a new login: RINGBEARER_LOGIN_STORE, or the first that works; `None` if none is to be kept. Fails if the
/// chosen place does not work, or if a login must be kept and no place works.
///
/// A locked store or keyring may ask its user for the password.
pub(in crate::registry::azure) fn place(system: &dyn System, must_keep: bool) -> Result<Option<Place>> {
    let Some(value) = system.setting(VARIABLE) else {
        return match credprovider::may_keep_logins(system).then(|| first_that_works(system)).transpose()? {
            Some(Err(error)) if must_keep => Err(error),
            found => Ok(found.and_then(Result::ok)),
        };
    };
    if value.eq_ignore_ascii_case(OFF) {
        return Ok(None);
    }
    let Some((name, place)) = PLACES.iter().find(|(name, _)| value.eq_ignore_ascii_case(name)) else {
        return Err(Error::new(Kind::Configuration, format!("unknown {VARIABLE} {value:?}"))
            .with_hint("choose one of store, keyring, session, off, or unset it"));
    };
    try_place(system, *place)?.map(|()| Some(*place)).map_err(|reason| {
        let what = format!("{VARIABLE} is {name}, which does not work: {}", reason.message());
        let hint = reason.hint().unwrap_or("create a store with `ringbearer store init`, or choose another place");
        Error::new(Kind::Configuration, what).with_hint(hint)
    })
}

/// The first place that works; otherwise why none does. Fails at the end of the lookup.
fn first_that_works(system: &dyn System) -> Result<Result<Place>> {
    let mut reasons = Vec::new();
    for (name, place) in PLACES {
        match try_place(system, place)? {
            Ok(()) => return Ok(Ok(place)),
            Err(reason) => {
                debug!("no login can be kept in {place}: {reason}");
                reasons.push(format!("{name}: {}", truncate(reason.message(), LONGEST_REASON)));
            }
        }
    }
    let error = Error::new(Kind::Configuration, format!("no place can keep a login ({})", reasons.join("; ")));
    Ok(Err(
        error.with_hint("create a store with `ringbearer store init`, or sign in each time: RINGBEARER_LOGIN=prompt")
    ))
}

/// Whether a place works; otherwise why not. Fails at the end of the lookup.
fn try_place(system: &dyn System, place: Place) -> Result<Result<()>> {
    let tried = match place {
        Place::Store => try_store(system),
        Place::Keyring => try_keyring(system),
        Place::Session => system.sharing().map_err(|reason| Error::new(Kind::Storage, reason.to_string())),
    };
    system.check()?;
    Ok(tried)
}

fn try_store(system: &dyn System) -> Result<()> {
    if !store::is_in_use(system) || !store::status(system)?.exists {
        return Err(Error::new(Kind::Storage, "there is no store").with_hint("create it with `ringbearer store init`"));
    }
    // Unlocks it.
    Store::default().get(system, SERVICE, "probe").map(drop)
}

/// Writes to the keyring: one that is locked accepts reads.
fn try_keyring(system: &dyn System) -> Result<()> {
    system.desktop_keyring()?;
    let probe = format!("{DESKTOP_PREFIX}probe");
    system.keep_desktop_secret(&probe, "ringbearer", b"probe")?;
    system.remove_desktop_secret(&probe).map(drop)
}

/// The refresh token of a login; `None` if it is gone.
pub(in crate::registry::azure) fn read(system: &dyn System, account: &Account) -> Result<Option<Kept>> {
    let place = account.place;
    let name = Name(account);
    let text = match place {
        Place::Store => {
            let found = Store::default().get(system, SERVICE, &name.to_string());
            found.map(|found| found.map(|text| Zeroizing::new(text.expose().to_vec())))
        }
        Place::Keyring => system.desktop_secret(&format!("{DESKTOP_PREFIX}{name}")),
        Place::Session => Ok(system.shared(&format!("{SESSION_PREFIX}{name}"))),
    };
    let Some(text) = text.map_err(|error| within(error, place))? else { return Ok(None) };
    Kept::parse(&text).map(Some).ok_or_else(|| {
        let what = format!("another program has changed the record in {place}");
        Error::new(Kind::Corrupted, what).with_hint("run `ringbearer logout`, then `ringbearer login URL`")
    })
}

/// Keeps the refresh token of a login, replacing an older one. Takes the lock of the logins.
pub(in crate::registry::azure) fn write(system: &dyn System, account: &Account, refresh_token: &Secret) -> Result<()> {
    let _lock = logins::lock(system)?;
    put(system, account, refresh_token, account.signed_in).map_err(|error| of_login(error, account))
}

/// Replaces the refresh token `used` by a newer one, under the lock of the logins and after reading it again. Nothing changes
/// if another process has replaced it, or holds the lock: the older one stays valid, so a lookup does not wait.
pub(in crate::registry::azure) fn replace(
    system: &dyn System,
    account: &Account,
    used: &Secret,
    newer: &Secret,
) -> Result<()> {
    let Some(_lock) = logins::try_lock(system)? else {
        debug!("another process holds the lock of the logins: the newer refresh token is not kept");
        return Ok(());
    };
    let Some(older) = read(system, account)?.filter(|kept| kept.refresh_token == *used) else { return Ok(()) };
    put(system, account, newer, older.signed_in).map_err(|error| of_login(error, account))
}

/// Forgets the refresh token of a login. One that is gone is no error. Takes the lock of the logins.
pub(in crate::registry::azure) fn remove(system: &dyn System, account: &Account) -> Result<()> {
    let _lock = logins::lock(system)?;
    delete(system, account).map_err(|error| of_login(error, account))
}

/// Forgets the refresh token of a login if it is still `used`, under the lock of the logins. Returns whether the login has
/// lost its own: not if the person has signed in again or another process has replaced it, nor if it was of an earlier
/// sign-in.
pub(in crate::registry::azure) fn remove_used(system: &dyn System, account: &Account, used: &Secret) -> Result<bool> {
    let _lock = logins::lock(system)?;
    let Some(kept) = read(system, account)?.filter(|kept| kept.refresh_token == *used) else { return Ok(false) };
    delete(system, account).map_err(|error| of_login(error, account))?;
    Ok(kept.signed_in == account.signed_in)
}

fn delete(system: &dyn System, account: &Account) -> Result<()> {
    let name = Name(account);
    match account.place {
        Place::Store => match Store::default().delete(system, SERVICE, &name.to_string()) {
            Err(error) if error.kind() != Kind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        },
        Place::Keyring => system.remove_desktop_secret(&format!("{DESKTOP_PREFIX}{name}")).map(drop),
        Place::Session => {
            system.unshare(&format!("{SESSION_PREFIX}{name}"));
            Ok(())
        }
    }
}

fn put(system: &dyn System, account: &Account, refresh_token: &Secret, signed_in: u64) -> Result<()> {
    let name = Name(account);
    let saved_at = since_1970(system.now()).unwrap_or_default().as_secs();
    // The whole capacity at once: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST_SHARED));
    let record = Written { refresh_token: refresh_token.expose(), saved_at, signed_in };
    if serde_json::to_writer(&mut *text, &record).is_err() || text.len() > LONGEST_SHARED {
        return Err(Error::new(Kind::Protocol, format!("the refresh token is longer than {LONGEST_SHARED} bytes")));
    }
    match account.place {
        Place::Store => Store::default().set(system, SERVICE, &name.to_string(), &SecretText::new(text)),
        Place::Keyring => {
            let label = format!("ringbearer login of {}", single_line(&account.username));
            system.keep_desktop_secret(&format!("{DESKTOP_PREFIX}{name}"), &label, &text)
        }
        Place::Session => share(system, &format!("{SESSION_PREFIX}{name}"), &text),
    }
}

/// Shares a record. A login matters more than cached tokens, which any lookup obtains again: where the quota is used up, the
/// oldest make room.
fn share(system: &dyn System, name: &str, text: &[u8]) -> Result<()> {
    let mut outcome = system.share(name, text, SESSION_LIFE);
    for _ in 0..MOST_REMOVALS {
        if outcome != Err(Unavailable::QuotaExceeded) {
            break;
        }
        let Some(oldest) = shared_record::oldest(system) else { break };
        system.unshare(&oldest);
        for _ in 0..ATTEMPTS_PER_REMOVAL {
            outcome = system.share(name, text, SESSION_LIFE);
            if outcome != Err(Unavailable::QuotaExceeded) {
                break;
            }
            system.pause(REMOVAL_PAUSE)?;
        }
    }
    outcome.map_err(|reason| {
        Error::new(Kind::Storage, reason.to_string())
            .with_hint("create a store with `ringbearer store init`, and sign in again")
    })
}

/// The name of a record: the account and the client, which stay the same when the user name changes, and the cloud if it is
/// not the public one.
struct Name<'all>(&'all Account);

impl fmt::Display for Name<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Account { home_id, client_id, login_host, .. } = self.0;
        write!(formatter, "{home_id}/{client_id}")?;
        if login_host == PUBLIC_LOGIN_HOST { Ok(()) } else { write!(formatter, "@{login_host}") }
    }
}

/// Names the login in an error.
fn of_login(error: Error, account: &Account) -> Error {
    within(error, format_args!("the login of {} in {}", account.shown(), account.place))
}

fn within(error: Error, context: impl fmt::Display) -> Error {
    if error.ends_the_lookup() { error } else { error.within(context) }
}

#[cfg(test)]
mod tests;
