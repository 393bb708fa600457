//! A failure, for those who waited while another process failed: it is tried once and told by all.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use super::kept::{hashed, share, since_1970};
use crate::{
    auth::cache_key::CacheKey,
    error::{Error, Kind},
    keyring::Candidate,
    service::Service,
    system::System,
};

/// How long it is there for them.
const LIFE: Duration = Duration::from_secs(10);

/// A failure as it is written.
#[derive(Serialize, Deserialize)]
struct Written<'all> {
    /// For whom: others in the same organisation find it too.
    who: Cow<'all, str>,
    /// Since 1970.
    when: Duration,
    /// Its message names the host that was asked for.
    host: Cow<'all, str>,
    message: Cow<'all, str>,
    hint: Option<Cow<'all, str>>,
}

/// One name for each organisation or audience, so that what is left stays little.
fn name(candidate: &Candidate, key: &CacheKey) -> String {
    format!("ringbearer:failed:{}", hashed(candidate, &[&key.realm]))
}

fn who(candidate: &Candidate, key: &CacheKey) -> String {
    hashed(candidate, &[&key.identity])
}

/// Leaves a failure, unless it concerns one URL or one caller alone.
pub(super) fn leave(system: &dyn System, candidate: &Candidate, key: &CacheKey, service: &Service, error: &Error) {
    if error.ends_the_lookup() || error.concerns_one_url() || error.kind() == Kind::Timeout {
        return;
    }
    let Some(when) = since_1970(system.now()) else { return };
    let written = Written {
        who: who(candidate, key).into(),
        when,
        host: service.host().unwrap_or_default().into(),
        message: error.message().into(),
        hint: error.hint().map(Cow::from),
    };
    share(system, &name(candidate, key), &written, LIFE);
}

/// The failure that was left since a moment for the same identity and host.
pub(super) fn look(
    system: &dyn System,
    candidate: &Candidate,
    key: &CacheKey,
    service: &Service,
    since: SystemTime,
) -> Option<Error> {
    let text = system.shared(&name(candidate, key))?;
    let Written { who: whose, when, host, message, hint } = serde_json::from_slice(&text).ok()?;
    let is_meant = whose == who(candidate, key) && Some(&*host) == service.host() && since_1970(since)? <= when;
    let error = || Error::new(Kind::Exhausted, message);
    is_meant.then(|| match hint {
        Some(hint) => error().with_hint(hint),
        None => error(),
    })
}
