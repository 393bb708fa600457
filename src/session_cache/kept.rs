//! A token as it is kept, and by which name.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use log::debug;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    backend::{Backend, Credential},
    identity::{Identity, fingerprint},
    secret::Secret,
    sys::{System, session::LONGEST_SHARED},
    token::usable_until,
};

/// What the names of all tokens begin with.
const BEGIN: &str = "ringbearer:token:";

/// How long a token is kept that does not say when it ends.
const UNKNOWN_LIFE: Duration = Duration::from_secs(10 * 60);

/// A token that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The name of the backend.
    pub backend: String,
    /// The organisation or audience.
    pub realm: String,
    /// When it was got.
    pub made: SystemTime,
    /// Until when it is kept.
    pub until: SystemTime,
    /// The token, with the user name that goes with it.
    pub credential: Credential,
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
}

/// Letters that tell an identity of a backend from all others and nothing of it.
pub(super) fn hashed(backend: &dyn Backend, parts: &[&str]) -> String {
    // A zero character is in no part but the last, so that no two lists read the same.
    fingerprint(format!("{}\0{}", backend.name(), parts.join("\0")).as_bytes())
}

fn name(backend: &dyn Backend, identity: &Identity) -> String {
    format!("{BEGIN}{}", hashed(backend, &[&identity.realm, &identity.key, &identity.login]))
}

/// Keeps a token until shortly before its end. Where that cannot be, nobody misses it.
pub(super) fn leave(system: &dyn System, backend: &dyn Backend, identity: &Identity, credential: &Credential) {
    let now = system.now();
    let until = credential.expires.map_or_else(|| now + UNKNOWN_LIFE, |expires| usable_until(now, expires));
    let (Some(made), Some(until_written)) = (since_1970(now), since_1970(until)) else { return };
    let written = Written {
        backend: backend.name().into(),
        realm: identity.realm.as_str().into(),
        made,
        until: until_written,
        username: credential.username.as_str().into(),
        password: credential.password.expose().into(),
        expires: credential.expires.and_then(since_1970),
        owner: credential.owner.as_deref().map(Cow::from),
    };
    let life = until.duration_since(now).unwrap_or_default();
    if !share(system, &name(backend, identity), &written, life) {
        debug!("the kernel did not take the token: it is not kept");
    }
}

/// The token for an identity, if one is kept that still serves.
#[must_use]
pub fn look(system: &dyn System, backend: &dyn Backend, identity: &Identity) -> Option<Kept> {
    read(system, &name(backend, identity))
}

/// Every token that is kept, whosever it is.
#[must_use]
pub fn all(system: &dyn System) -> Vec<Kept> {
    let mut all: Vec<_> = system.shared_names(BEGIN).iter().filter_map(|name| read(system, name)).collect();
    all.sort_by(|one, other| (&one.backend, &one.realm, one.until).cmp(&(&other.backend, &other.realm, other.until)));
    all
}

/// Forgets every token, and all else that was left in the session. Answers how many tokens there were.
pub fn clear(system: &dyn System) -> usize {
    let names = system.shared_names("ringbearer:");
    names.iter().filter(|name| system.unshare(name) && name.starts_with(BEGIN)).count()
}

fn read(system: &dyn System, name: &str) -> Option<Kept> {
    let text = system.shared(name)?;
    let written: Written<'_> = serde_json::from_slice(&text).ok()?;
    let moment = |length| SystemTime::UNIX_EPOCH.checked_add(length);
    let (made, until) = (moment(written.made)?, moment(written.until)?);
    let credential = Credential {
        username: written.username.into_owned(),
        password: Secret::new(written.password.into_owned()),
        expires: written.expires.and_then(moment),
        owner: written.owner.map(Cow::into_owned),
        is_made: true,
    };
    let kept =
        Kept { backend: written.backend.into_owned(), realm: written.realm.into_owned(), made, until, credential };
    (system.now() < until).then_some(kept)
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
