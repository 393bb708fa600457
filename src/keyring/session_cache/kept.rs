//! A token as it is kept, and by which name.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use log::debug;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    auth::{
        cache::usable_until,
        cache_key::{CacheKey, fingerprint},
        cache_policy::CachePolicy,
        jwt::Claims,
    },
    error::{Error, Kind, Result},
    keyring::Candidate,
    registry::Credential,
    secret::Secret,
    system::{System, shared_memory::LONGEST_SHARED},
};

/// What the names of all tokens begin with.
const BEGIN: &str = "ringbearer:token:";

/// What the names of those begin with that are for whoever waits, and for how long they are there.
const BEGIN_FOR_WAITING: &str = "ringbearer:turn:";
const LIFE_FOR_WAITING: Duration = Duration::from_secs(10);

/// How long a token is kept that does not say when it ends.
const UNKNOWN_LIFE: Duration = Duration::from_secs(10 * 60);

/// A token that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The name of the backend.
    pub(crate) backend: String,
    /// The organisation or audience.
    pub(crate) realm: String,
    /// When it was got.
    pub(crate) made: SystemTime,
    /// Until when it is kept.
    pub(crate) until: SystemTime,
    /// The token, with the user name that goes with it.
    pub(crate) credential: Credential,
}

/// The same as it is written. Times are since 1970.
#[derive(Serialize, Deserialize)]
struct Written<'all> {
    backend: Cow<'all, str>,
    realm: Cow<'all, str>,
    made: Duration,
    until: Duration,
    username: Cow<'all, str>,
    password: Cow<'all, str>,
    expires: Option<Duration>,
    owner: Option<Cow<'all, str>>,
    /// The files of the login as the sign-in left them. It is no part of the name, so that the next token takes the place
    /// of the last one.
    login: Cow<'all, str>,
}

/// Letters that tell an identity of a backend from all others and nothing of it.
pub(super) fn hashed(candidate: &Candidate, parts: &[&str]) -> String {
    // A zero character is in no part but the last, so that no two lists read the same.
    fingerprint(format!("{}\0{}", candidate.registry.id, parts.join("\0")).as_bytes())
}

fn name(begin: &str, candidate: &Candidate, key: &CacheKey) -> String {
    format!("{begin}{}", hashed(candidate, &[&key.realm, &key.identity]))
}

/// Keeps a token until shortly before its end, or for those who wait for it. Where that cannot be, nobody misses it.
pub(super) fn leave(system: &dyn System, candidate: &Candidate, key: &CacheKey, credential: &Credential) {
    let now = system.now();
    // Somebody else may have kept it for long already: its own word for its beginning counts.
    let born =
        Claims::read(&credential.password).and_then(|claims| claims.issued()).map_or(now, |issued| issued.min(now));
    let until = credential.expires.map_or_else(|| now + UNKNOWN_LIFE, |expires| usable_until(born, expires));
    let (begin, until) = match credential.cache_policy {
        CachePolicy::Never => return,
        CachePolicy::Waiters => (BEGIN_FOR_WAITING, until.min(now + LIFE_FOR_WAITING)),
        CachePolicy::Session => (BEGIN, until),
    };
    let Some(life) = until.duration_since(now).ok().filter(|life| !life.is_zero()) else { return };
    let (Some(got), Some(until_written)) = (since_1970(now), since_1970(until)) else { return };
    let written = Written {
        backend: candidate.registry.id.into(),
        realm: key.realm.as_str().into(),
        made: got,
        until: until_written,
        username: credential.username.as_str().into(),
        password: credential.password.expose().into(),
        expires: credential.expires.and_then(since_1970),
        owner: credential.owner.as_deref().map(Cow::from),
        login: hashed(candidate, &[&key.login]).into(),
    };
    if !share(system, &name(begin, candidate, key), &written, life) {
        debug!("the kernel did not take the token: it is not kept");
    }
}

/// The token for an identity, if one is kept that still serves.
#[must_use]
pub(crate) fn look(system: &dyn System, candidate: &Candidate, key: &CacheKey) -> Option<Kept> {
    let (kept, login) = read(system, &name(BEGIN, candidate, key))?;
    (login == hashed(candidate, &[&key.login])).then_some(kept)
}

/// The token that was left for those who waited while it was made. The caller sees to it that it did.
pub(super) fn look_at_the_turn(system: &dyn System, candidate: &Candidate, key: &CacheKey) -> Option<Kept> {
    Some(read(system, &name(BEGIN_FOR_WAITING, candidate, key))?.0)
}

/// Every token that is kept, whosever it is.
pub(crate) fn all(system: &dyn System) -> Result<Vec<Kept>> {
    let mut all: Vec<_> = names(system, BEGIN)?.iter().filter_map(|name| Some(read(system, name)?.0)).collect();
    all.sort_by(|one, other| (&one.backend, &one.realm, one.until).cmp(&(&other.backend, &other.realm, other.until)));
    Ok(all)
}

/// Forgets every token, and all else that was left in the session. Answers how many tokens there were.
pub(crate) fn clear(system: &dyn System) -> Result<usize> {
    let names = names(system, "ringbearer:")?;
    Ok(names.iter().filter(|name| system.unshare(name) && name.starts_with(BEGIN)).count())
}

fn names(system: &dyn System, begin: &str) -> Result<Vec<String>> {
    if !system.can_share() {
        return Ok(Vec::new());
    }
    system.shared_names(begin).ok_or_else(|| {
        Error::new(Kind::Storage, "the kernel's list of keys, /proc/keys, cannot be read: what is kept is not known")
            .with_hint("RINGBEARER_CACHE=off does without what is kept; that ends by itself, mostly within the hour")
    })
}

/// A token that still serves, and for which state of the login it was got. One of the future means that the clock was set
/// back: then nobody knows for how long.
fn read(system: &dyn System, name: &str) -> Option<(Kept, String)> {
    let text = system.shared(name)?;
    let written: Written<'_> = serde_json::from_slice(&text).ok()?;
    let moment = |length| SystemTime::UNIX_EPOCH.checked_add(length);
    let (made, until) = (moment(written.made)?, moment(written.until)?);
    let credential = Credential {
        username: written.username.into_owned(),
        password: Secret::new(written.password.into_owned()),
        expires: written.expires.and_then(moment),
        owner: written.owner.map(Cow::into_owned),
        cache_policy: CachePolicy::Session,
    };
    let kept =
        Kept { backend: written.backend.into_owned(), realm: written.realm.into_owned(), made, until, credential };
    let now = system.now();
    (made <= now && now < until).then_some((kept, written.login.into_owned()))
}

/// Leaves something in the session, in writing.
pub(super) fn share(system: &dyn System, name: &str, what: &impl Serialize, life: Duration) -> bool {
    // All that it needs, from the beginning: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST_SHARED));
    serde_json::to_writer(&mut *text, what).is_ok() && text.len() <= LONGEST_SHARED && system.share(name, &text, life)
}

/// How a moment is written; one before 1970 is not.
pub(super) fn since_1970(moment: SystemTime) -> Option<Duration> {
    moment.duration_since(SystemTime::UNIX_EPOCH).ok()
}
