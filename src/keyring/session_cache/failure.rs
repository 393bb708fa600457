//! Shares a failed sign-in with the processes that waited for its lock, and a miss of a whole URL with the process that
//! asks for the bare host next.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use log::debug;
use serde::{Deserialize, Serialize};

use crate::{
    auth::{
        cache_key::CacheKey,
        shared_record::{opaque_name, share, since_1970},
    },
    error::{Error, Kind},
    service::Service,
    system::System,
};

/// How long a failure is shared.
const LIFETIME: Duration = Duration::from_secs(10);

/// A failure as it is written.
#[derive(Serialize, Deserialize)]
struct Record<'all> {
    /// The fingerprint of the identity: all identities of a realm share one name.
    identity: Cow<'all, str>,
    /// Since 1970.
    failed: Duration,
    /// The host that the message names.
    host: Cow<'all, str>,
    message: Cow<'all, str>,
    hint: Option<Cow<'all, str>>,
    note: Option<Cow<'all, str>>,
    lacks_login: bool,
}

/// The prefix of the names of failures and misses.
const PREFIX: &str = "ringbearer:failed:";

/// One name per realm, which bounds the number of records.
fn name(registry: &str, key: &CacheKey) -> String {
    format!("{PREFIX}{}", opaque_name(registry, &[&key.realm]))
}

fn identity(registry: &str, key: &CacheKey) -> String {
    opaque_name(registry, &[&key.identity])
}

/// Shares a failure, unless another URL or a more patient caller may succeed. Best effort.
pub(super) fn put(system: &dyn System, registry: &str, key: &CacheKey, service: &Service, error: &Error) {
    if error.ends_the_lookup() || error.concerns_one_url() || error.kind() == Kind::Timeout {
        return;
    }
    let Some(failed) = since_1970(system.now()) else { return };
    let record = Record {
        identity: identity(registry, key).into(),
        failed,
        host: service.host().unwrap_or_default().into(),
        message: error.message().into(),
        hint: error.hint().map(Cow::from),
        note: error.note().map(Cow::from),
        lacks_login: error.lacks_login(),
    };
    if let Err(reason) = share(system, &name(registry, key), &record, LIFETIME, 0) {
        debug!("the failure is not shared: {reason}");
    }
}

/// The failure of the same identity and host at or after `since`.
pub(super) fn get(
    system: &dyn System,
    registry: &str,
    key: &CacheKey,
    service: &Service,
    since: SystemTime,
) -> Option<Error> {
    let text = system.shared(&name(registry, key))?;
    let record: Record<'_> = serde_json::from_slice(&text).ok()?;
    let is_same = record.identity == identity(registry, key) && Some(&*record.host) == service.host();
    if !is_same || record.failed < since_1970(since)? {
        return None;
    }
    let mut error = Error::new(Kind::Exhausted, record.message);
    if let Some(hint) = record.hint {
        error = error.with_hint(hint);
    }
    if let Some(note) = record.note {
        error = error.with_note(note);
    }
    Some(if record.lacks_login { error.of_missing_login() } else { error })
}

/// The name of the last miss of a whole URL on a host. Names of failures have a single field, so that none coincides.
fn name_of_miss(registry: &str, service: &Service) -> String {
    format!("{PREFIX}{}", opaque_name(registry, &["miss", service.host().unwrap_or_default()]))
}

/// Shares that a whole URL of a host has no credential. Best effort.
pub(super) fn put_miss(system: &dyn System, registry: &str, service: &Service) {
    let Some(missed) = since_1970(system.now()).filter(|_| !service.is_bare_host()) else { return };
    if let Err(reason) = share(system, &name_of_miss(registry, service), &missed, LIFETIME, 0) {
        debug!("the miss is not shared: {reason}");
    }
}

/// Whether a service is a bare host, and a whole URL on it has just had no credential.
pub(super) fn has_just_missed(system: &dyn System, registry: &str, service: &Service) -> bool {
    let read = || serde_json::from_slice::<Duration>(&system.shared(&name_of_miss(registry, service))?).ok();
    let age = |missed: Duration| since_1970(system.now())?.checked_sub(missed);
    service.is_bare_host() && read().and_then(age).is_some_and(|age| age < LIFETIME)
}
