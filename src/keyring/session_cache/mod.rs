//! Tokens that outlive the process that made them, in the memory of the login session: a key of the kernel's, which
//! touches no disk and ends by itself.
//!
//! uv starts a `keyring` for each index and run, and each would sign in again. Here one signs in, and the others find
//! what it got: those that asked at the same moment wait for it ([`single_flight`](crate::keyring::single_flight)), and those that
//! come later, until shortly before the token's end. Where there is no such place, all do as they would alone.
//!
//! - [`kept`]: a token as it is kept, and by which name
//! - `asked`: who was given what: a tool that comes back was refused
//! - `failed`: a failure, for those who waited

mod asked;
mod failed;
pub(crate) mod kept;

use std::sync::atomic::{AtomicBool, Ordering};

use log::{debug, warn};

use self::kept::Kept;
use crate::{
    auth::{cache_mode::Caching, cache_policy::CachePolicy},
    error::Result,
    keyring::{Candidate, single_flight::take_turn},
    registry::Credential,
    service::Service,
    system::System,
};

/// Whether this process said already that the cache that was asked for is not known.
static TOLD: AtomicBool = AtomicBool::new(false);

/// The credential of a backend for a service that it claims, as [`CredentialSource::get`](crate::registry::CredentialSource::get) has it, or the one that is kept;
/// `usual` is where tokens are kept if nobody chose.
pub(crate) fn get(
    system: &dyn System,
    candidate: &Candidate,
    service: &Service,
    username: Option<&str>,
    usual: Caching,
) -> Result<Option<Credential>> {
    let alone = || candidate.source.get(system, service, username);
    let caching = Caching::read(system, usual).unwrap_or_else(|error| {
        if !TOLD.swap(true, Ordering::Relaxed) {
            warn!("{error}");
        }
        Caching::Off
    });
    if caching != Caching::Session {
        return alone();
    }
    if !system.can_share() {
        debug!(
            "the kernel's key service is not there, or not allowed: tokens are kept in the memory of this process alone"
        );
        return alone();
    }
    let start = system.now();
    let ask = || candidate.source.cache_key(system, service);
    let Some(key) = ask() else { return alone() };
    let question = asked::Question::new(system, candidate, &key.realm, service, username);
    let first = question.first_asked(system, start);
    let give = |kept: Kept| {
        question.note(system, first);
        Ok(Some(kept.credential))
    };
    if let Some(kept) = kept::look(system, candidate, &key) {
        if first == start || kept.made >= first {
            debug!(step = "cache", outcome = "found"; "a token of this session");
            return give(kept);
        }
        debug!("the one that asks was given the token of this session a moment ago, and comes back: signing in anew");
    }
    let _lock = take_turn(system, candidate.registry.id, &key.realm)?;
    // Whoever had the turn before may have signed in, and changed the files of the login by that.
    let Some(before) = ask() else { return alone() };
    let mut kept = [kept::look, kept::look_at_the_turn].into_iter().filter_map(|look| look(system, candidate, &before));
    if let Some(kept) = kept.find(|kept| kept.made >= start) {
        debug!(step = "cache", outcome = "found"; "a token that another process has just got");
        return give(kept);
    }
    if let Some(error) = failed::look(system, candidate, &before, service, start) {
        debug!("another process has just failed at the same");
        return Err(error);
    }
    let outcome = alone();
    match &outcome {
        Ok(Some(credential)) if credential.cache_policy != CachePolicy::Never => {
            // A login as somebody else meanwhile is another key.
            if let Some(after) = ask().filter(|after| after.identity == before.identity) {
                kept::leave(system, candidate, &after, credential);
                if credential.cache_policy == CachePolicy::Session {
                    question.note(system, first);
                }
            }
        }
        Ok(_) => {}
        Err(error) => failed::leave(system, candidate, &before, service, error),
    }
    outcome
}

#[cfg(test)]
mod tests;
