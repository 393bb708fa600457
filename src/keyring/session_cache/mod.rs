//! Tokens that outlive the process that got them, in the memory of the login session, which touches no disk: a key of the
//! Linux kernel, which expires by itself, or credentials of Windows, whose expiry their readers check.
//!
//! uv starts a `keyring` for each index and run, and each would sign in again. With the cache one signs in and the others
//! use its token: those that ask at the same moment wait for it ([`single_flight`](crate::keyring::single_flight)), later
//! ones find it until shortly before it expires. Without shared memory each process signs in for itself.
//!
//! - [`token`]: cached tokens and their names
//! - `failure`: a failed sign-in, shared with the processes that waited for it, and misses

mod failure;
pub(crate) mod token;

use log::debug;

use crate::{
    auth::{cache_mode::CacheMode, cache_policy::CachePolicy, warning},
    error::{Error, Result},
    keyring::{Candidate, single_flight::lock},
    registry::Credential,
    service::Service,
    system::System,
};

/// The cached credential of a registry for a service that it claims, or what its source returns. `default` is the cache
/// mode if RINGBEARER_CACHE is unset.
pub(crate) fn get(
    system: &dyn System,
    candidate: &Candidate,
    service: &Service,
    default: CacheMode,
) -> Result<Option<Credential>> {
    let sign_in = || candidate.source.get(system, service);
    with_misses(system, candidate, service, default, |is_session| {
        if is_session { in_session(system, candidate, service, sign_in) } else { sign_in() }
    })
}

/// The outcome of a lookup that is refused before any source is asked.
pub(super) fn refuse(
    system: &dyn System,
    candidate: &Candidate,
    service: &Service,
    default: CacheMode,
    error: Error,
) -> Result<Option<Credential>> {
    with_misses(system, candidate, service, default, |_| Err(error))
}

/// The outcome of `look_up`, which gets whether tokens are those of the session, unless it is a failure that a miss of the
/// whole URL has just reported. Misses are shared.
fn with_misses(
    system: &dyn System,
    candidate: &Candidate,
    service: &Service,
    default: CacheMode,
    look_up: impl FnOnce(bool) -> Result<Option<Credential>>,
) -> Result<Option<Credential>> {
    let mode = CacheMode::read(system, default).unwrap_or_else(|error| {
        warning::once(&error.warning());
        CacheMode::Off
    });
    let registry = candidate.registry.id;
    // Misses are not secret: a process whose default is to keep its tokens to itself shares them too.
    if !matches!(CacheMode::read(system, CacheMode::Session), Ok(CacheMode::Session)) {
        return look_up(false);
    }
    let is_session = mode == CacheMode::Session;
    if let Err(reason) = system.sharing() {
        if is_session {
            debug!("{reason}: tokens are kept in the memory of this process alone");
        }
        return look_up(false);
    }
    let outcome = look_up(is_session);
    match &outcome {
        // Tools ask for the host in a new process after a miss of the whole URL, which was reported.
        Err(error)
            if !error.ends_the_lookup()
                && (is_session || error.concerns_one_url())
                && failure::has_just_missed(system, registry, service) =>
        {
            debug!("{error}");
            Ok(None)
        }
        Ok(None) | Err(_) => {
            failure::put_miss(system, registry, service);
            outcome
        }
        Ok(Some(_)) => outcome,
    }
}

/// Caches the credential of a sign-in as that of a lookup with this default.
pub(super) fn put(
    system: &dyn System,
    candidate: &Candidate,
    service: &Service,
    credential: &Credential,
    default: CacheMode,
) {
    if matches!(CacheMode::read(system, default), Ok(CacheMode::Session))
        && let Some(key) = candidate.source.cache_key(system, service)
    {
        token::put(system, candidate.registry.id, &key, credential);
    }
}

/// The cached credential of this session, or what `sign_in` returns, which is then cached.
fn in_session(
    system: &dyn System,
    candidate: &Candidate,
    service: &Service,
    sign_in: impl Fn() -> Result<Option<Credential>>,
) -> Result<Option<Credential>> {
    let (registry, start) = (candidate.registry.id, system.now());
    let cache_key = || candidate.source.cache_key(system, service);
    let Some(key) = cache_key() else { return sign_in() };
    if let Some(found) = token::get(system, registry, &key) {
        debug!(step = "cache", outcome = "found"; "a token of this session");
        return Ok(Some(found.credential));
    }
    let _lock = lock(system, registry, &key.realm)?;
    // The previous holder of the lock may have signed in, which may have changed the files of the login.
    let Some(key) = cache_key() else { return sign_in() };
    let for_waiters = || token::get_for_waiters(system, registry, &key).filter(|token| token.created >= start);
    if let Some(found) = token::get(system, registry, &key).or_else(for_waiters) {
        debug!(step = "cache", outcome = "found"; "a token that another process has just got");
        return Ok(Some(found.credential));
    }
    if let Some(error) = failure::get(system, registry, &key, service, start) {
        debug!("another process has just failed to sign in");
        return Err(error);
    }
    let outcome = sign_in();
    match &outcome {
        Ok(Some(credential)) if credential.cache_policy != CachePolicy::Never => {
            // If the account changed during the sign-in, the token may belong to either.
            if let Some(after) = cache_key().filter(|after| after.identity == key.identity) {
                token::put(system, registry, &after, credential);
            }
        }
        Ok(_) => {}
        Err(error) => failure::put(system, registry, &key, service, error),
    }
    outcome
}

#[cfg(test)]
mod tests;
