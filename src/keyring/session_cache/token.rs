//! Cached tokens and their names.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use log::debug;
use serde::{Deserialize, Serialize};

use crate::{
    auth::{
        cache::usable_until,
        cache_key::CacheKey,
        cache_policy::CachePolicy,
        jwt::Claims,
        shared_record::{self, opaque_name, quota_bytes, share, since_1970},
    },
    error::{Error, Kind, Result},
    registry::Credential,
    secret::Secret,
    system::{System, shared_memory::Unavailable},
};

/// The prefix of the names of cached tokens.
const PREFIX: &str = "ringbearer:token:";

/// The prefix of tokens for the processes that wait for a sign-in, and how long these are shared.
const WAITERS_PREFIX: &str = "ringbearer:turn:";
const WAITERS_LIFETIME: Duration = Duration::from_secs(10);

/// How long a token without a known expiry is cached.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// With less room in bytes, [`room`] reports that the quota is in use: most tokens with their record are smaller.
const USUAL_SIZE: u64 = 4096;

/// A cached token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CachedToken {
    /// The id of the registry.
    pub(crate) registry: String,
    /// The organisation or audience.
    pub(crate) realm: String,
    /// When it was got.
    pub(crate) created: SystemTime,
    /// Until when it is cached.
    pub(crate) until: SystemTime,
    /// The token and its user name.
    pub(crate) credential: Credential,
}

impl CachedToken {
    /// Whether a token of this user for this realm replaces it.
    fn is_superseded_by(&self, registry: &str, realm: &str, credential: &Credential) -> bool {
        self.registry == registry
            && self.realm == realm
            && self.credential.username == credential.username
            && self.credential.owner == credential.owner
    }
}

/// A token as it is written. Times are since 1970.
#[derive(Serialize, Deserialize)]
struct Record<'all> {
    registry: Cow<'all, str>,
    realm: Cow<'all, str>,
    created: Duration,
    until: Duration,
    username: Cow<'all, str>,
    password: Cow<'all, str>,
    expires: Option<Duration>,
    owner: Option<Cow<'all, str>>,
    /// The fingerprint of the login's files after the sign-in. It is not part of the name, so that the token of the next
    /// login replaces this one.
    login: Cow<'all, str>,
}

/// A token as it is read.
struct Stored {
    token: CachedToken,
    /// The fingerprint of the login's files after the sign-in.
    login: String,
    /// What it counts against the key quota.
    quota_bytes: u64,
}

fn name(prefix: &str, registry: &str, key: &CacheKey) -> String {
    format!("{prefix}{}", opaque_name(registry, &[&key.realm, &key.identity]))
}

/// Caches a token until shortly before it expires, or shares it with those who wait for it, also if it expires too soon to
/// be cached. It replaces older tokens of the
/// same user for the same realm. Best effort: a failed write is logged.
pub(super) fn put(system: &dyn System, registry: &str, key: &CacheKey, credential: &Credential) {
    let now = system.now();
    // A provider may have cached the token itself: its own `iat` counts.
    let issued =
        Claims::read(&credential.password).and_then(|claims| claims.issued()).map_or(now, |issued| issued.min(now));
    let until = credential.expires.map_or_else(|| now + UNKNOWN_LIFETIME, |expires| usable_until(issued, expires));
    let (prefix, until) = match credential.cache_policy {
        CachePolicy::Never => return,
        CachePolicy::Session if now < until => (PREFIX, until),
        CachePolicy::Session | CachePolicy::Waiters => {
            let for_waiters = now + WAITERS_LIFETIME;
            (WAITERS_PREFIX, credential.expires.map_or(for_waiters, |expires| expires.min(for_waiters)))
        }
    };
    let Some(life) = until.duration_since(now).ok().filter(|life| !life.is_zero()) else { return };
    let (Some(created), Some(until)) = (since_1970(now), since_1970(until)) else { return };
    let record = Record {
        registry: registry.into(),
        realm: key.realm.as_str().into(),
        created,
        until,
        username: credential.username.as_str().into(),
        password: credential.password.expose().into(),
        expires: credential.expires.and_then(since_1970),
        owner: credential.owner.as_deref().map(Cow::from),
        login: opaque_name(registry, &[&key.login]).into(),
    };
    let name = name(prefix, registry, key);
    let mut superseded = Vec::new();
    let mut freed = 0;
    for older in system.shared_names(prefix).unwrap_or_default() {
        let stored = read(system, &older);
        if let Some(stored) = stored.filter(|stored| stored.token.is_superseded_by(registry, &key.realm, credential)) {
            freed += stored.quota_bytes;
            superseded.push(older);
        }
    }
    if let Err(reason) = share(system, &name, &record, life, freed) {
        debug!("the token is not kept: {reason}");
        return;
    }
    for older in superseded.iter().filter(|older| **older != name) {
        system.unshare(older);
    }
}

/// The cached token of a cache key.
#[must_use]
pub(crate) fn get(system: &dyn System, registry: &str, key: &CacheKey) -> Option<CachedToken> {
    let stored = read(system, &name(PREFIX, registry, key))?;
    (stored.login == opaque_name(registry, &[&key.login])).then_some(stored.token)
}

/// The token that another process shared with those who wait for it. The caller checks that it is new enough.
pub(super) fn get_for_waiters(system: &dyn System, registry: &str, key: &CacheKey) -> Option<CachedToken> {
    Some(read(system, &name(WAITERS_PREFIX, registry, key))?.token)
}

/// Every cached token of every user of this session.
pub(crate) fn all(system: &dyn System) -> Result<Vec<CachedToken>> {
    let mut all: Vec<_> = names(system, PREFIX)?.iter().filter_map(|name| Some(read(system, name)?.token)).collect();
    all.sort_by(|one, other| (&one.registry, &one.realm, one.until).cmp(&(&other.registry, &other.realm, other.until)));
    Ok(all)
}

/// Removes every token and every other record from the session. Returns the number of tokens.
pub(crate) fn clear(system: &dyn System) -> Result<usize> {
    let names = names(system, shared_record::PREFIX)?;
    Ok(names.iter().filter(|name| system.unshare(name) && name.starts_with(PREFIX)).count())
}

/// Removes the tokens of a registry from the session. Returns their number.
pub(crate) fn clear_registry(system: &dyn System, registry: &str) -> Result<usize> {
    let is_of_registry = |name: &&String| read(system, name).is_some_and(|stored| stored.token.registry == registry);
    let names = [names(system, PREFIX)?, names(system, WAITERS_PREFIX)?].concat();
    Ok(names.iter().filter(is_of_registry).filter(|name| system.unshare(name) && name.starts_with(PREFIX)).count())
}

/// Whether a token of the usual size would be kept now; otherwise why not.
pub(crate) fn room(system: &dyn System) -> std::result::Result<(), Unavailable> {
    system.sharing()?;
    match system.key_quota() {
        Some(quota) if !quota.has_room(USUAL_SIZE, 0) => Err(Unavailable::HalfOfQuota(quota)),
        _ => Ok(()),
    }
}

fn names(system: &dyn System, prefix: &str) -> Result<Vec<String>> {
    if system.sharing().is_err() {
        return Ok(Vec::new());
    }
    system.shared_names(prefix).ok_or_else(|| {
        Error::new(Kind::Storage, "the kernel's list of keys, /proc/keys, cannot be read, so cached tokens are unknown")
            .with_hint("RINGBEARER_CACHE=off ignores them; they expire by themselves, most within an hour")
    })
}

/// A stored token that has not expired. One from the future means that the clock was set back, and its age is unknown.
fn read(system: &dyn System, name: &str) -> Option<Stored> {
    let text = system.shared(name)?;
    let record: Record<'_> = serde_json::from_slice(&text).ok()?;
    let time = |since_1970| SystemTime::UNIX_EPOCH.checked_add(since_1970);
    let (created, until, now) = (time(record.created)?, time(record.until)?, system.now());
    if !(created <= now && now < until) {
        return None;
    }
    let credential = Credential {
        username: record.username.into_owned(),
        password: Secret::new(record.password.into_owned()),
        expires: record.expires.and_then(time),
        owner: record.owner.map(Cow::into_owned),
        cache_policy: CachePolicy::Session,
    };
    let (registry, realm) = (record.registry.into_owned(), record.realm.into_owned());
    Some(Stored {
        token: CachedToken { registry, realm, created, until, credential },
        login: record.login.into_owned(),
        quota_bytes: quota_bytes(name, &text),
    })
}
