//! The login that `ringbearer login` has kept: a token by its refresh token, without asking a person.

use log::debug;

use super::{Grant, Tenant};
use crate::{
    auth::{
        access_token::AccessToken,
        cache_key::{Digest, is_there},
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
    },
    error::{Error, Kind, Result},
    registry::azure::{
        credprovider, is_guid,
        login::{
            client,
            logins::{Account, Logins, Place},
            refresh::{self, Failure, Meaning},
            storage,
            token::Tokens,
        },
    },
    secret::Secret,
    system::System,
};

/// Its name.
pub(crate) const NAME: &str = "login";

/// What to run if Azure DevOps refuses a token that a refresh has just given: a policy may want the password again.
pub(crate) const SIGN_IN_AGAIN: &str = "run `ringbearer login URL --fresh`";

/// The provider.
pub(crate) struct Login;

impl TokenProvider<Tenant, Grant> for Login {
    fn name(&self) -> &'static str {
        NAME
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Found
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, tenant: &Tenant) -> Result<Attempt<Grant>> {
        if !may_read(system) {
            return Ok(Attempt::not_configured("a variable says that no login is kept"));
        }
        let logins = Logins::read(system)?;
        if logins.accounts().is_empty() {
            return Ok(Attempt::not_configured("nobody has signed in with `ringbearer login`"));
        }
        let (client_id, hint) = (client::id(system)?, credprovider::login_hint(system));
        let tenant = client::tenant(system, tenant)?;
        let Some(account) = logins.choose(&client_id, &tenant, hint.as_deref()) else {
            let what = "nobody has signed in to this client and cloud with `ringbearer login`";
            return Ok(Attempt::not_configured(what));
        };
        if let Some(hint) = hint.filter(|hint| !account.is_named(hint)) {
            let error = Error::new(Kind::Rejected, format!("{hint} has not signed in with `ringbearer login`"));
            return Err(error.with_hint(format!("run `ringbearer login URL --account {hint}`")));
        }
        if account.ended {
            return Err(gone(account, "has ended"));
        }
        let token = token(system, &tenant, account)?;
        Ok(Attempt::Token(Grant::Bearer(token)))
    }
}

/// Whether there is a file of logins, without reading it.
pub(super) fn is_configured(system: &dyn System) -> bool {
    may_read(system) && Logins::file(system).is_some_and(|file| is_there(system, &file))
}

/// A digest of the logins: which account answers. What lookups add to them, such as tenants, does not count.
pub(crate) fn fingerprint(system: &dyn System) -> String {
    if !may_read(system) {
        return String::new();
    }
    let Ok(logins) = Logins::read(system) else { return "unreadable".to_owned() };
    let digest = logins.accounts().iter().fold(Digest::new(), |digest, account| {
        let digest = digest.field("client", account.client_id.as_bytes()).field("account", account.home_id.as_bytes());
        // Once a login has ended, a token that is cached for another account must not answer in silence.
        let digest = digest.field("ended", &[u8::from(account.ended)]);
        digest.field("signed in", &account.signed_in.to_le_bytes())
    });
    digest.finish()
}

/// Whether kept logins are used: not where none is to be kept.
fn may_read(system: &dyn System) -> bool {
    match system.setting(storage::VARIABLE) {
        Some(place) => !place.eq_ignore_ascii_case(storage::OFF),
        None => credprovider::may_keep_logins(system),
    }
}

/// An access token by the kept refresh token.
fn token(system: &dyn System, tenant: &Tenant, account: &Account) -> Result<AccessToken> {
    let kept = refresh_token(system, account)?.ok_or_else(|| {
        let is_of_session = account.place == Place::Session;
        gone(account, if is_of_session { "is not kept in this login session" } else { "is no longer kept" })
    })?;
    debug!(step = NAME, outcome = "noted"; "refreshes the login of {}, in {}", account.shown(), account.place);
    let (used, outcome) = match refresh::refresh(system, tenant, account, &kept) {
        Err(Failure { meaning: Meaning::Ended, error }) => match refresh_token(system, account)? {
            // Another process has replaced it meanwhile.
            Some(newer) if newer != kept => {
                let outcome = refresh::refresh(system, tenant, account, &newer);
                (newer, outcome)
            }
            _ => (kept, Err(Failure { meaning: Meaning::Ended, error })),
        },
        outcome => (kept, outcome),
    };
    match outcome {
        Ok(tokens) => {
            remember(system, tenant, account, &used, &tokens);
            Ok(tokens.access_token)
        }
        Err(failure) => {
            if failure.meaning == Meaning::Ended {
                end(system, account, &used);
            }
            Err(failure.error)
        }
    }
}

fn refresh_token(system: &dyn System, account: &Account) -> Result<Option<Secret>> {
    let kept = storage::read(system, account).map_err(|error| {
        if error.ends_the_lookup() { error } else { error.within(format_args!("the login of {}", account.shown())) }
    })?;
    Ok(kept.map(|kept| kept.refresh_token))
}

/// The failure of a login that is listed and cannot be used.
fn gone(account: &Account, what: &str) -> Error {
    let error = Error::new(Kind::Rejected, format!("the login of {} {what}", account.shown()));
    error.with_hint("run `ringbearer login URL`")
}

/// Keeps what a refresh has given. Best effort: the older refresh token serves for its time.
fn remember(system: &dyn System, tenant: &Tenant, account: &Account, used: &Secret, tokens: &Tokens) {
    let newer = tokens.refresh_token.as_ref().filter(|newer| *newer != used);
    let replaced = newer.map_or(Ok(()), |newer| storage::replace(system, account, used, newer));
    let id = tenant.id.to_ascii_lowercase();
    let is_new = is_guid(&id) && !account.tenants.contains(&id);
    let added = if is_new { change(system, account, |account| account.tenants.push(id)) } else { Ok(()) };
    for error in [replaced, added].into_iter().filter_map(Result::err) {
        debug!(step = NAME, outcome = "noted"; "the login of {} is not updated: {error}", account.shown());
    }
}

/// Forgets the refresh token that was refused, and marks the login as ended, unless the person has signed in again meanwhile or
/// in another session. Best effort: the next lookup finds out by itself.
fn end(system: &dyn System, account: &Account, refused: &Secret) {
    let outcome = match storage::remove_used(system, account, refused) {
        Ok(true) => change(system, account, |account| account.ended = true),
        Ok(false) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        debug!(step = NAME, outcome = "noted"; "the ended login of {} stays: {error}", account.shown());
    }
}

/// Changes the entry of the same sign-in.
fn change(system: &dyn System, account: &Account, change: impl FnOnce(&mut Account)) -> Result<()> {
    Logins::change(system, |accounts| {
        let is_same = |other: &&mut Account| other.is_same_login(account) && other.signed_in == account.signed_in;
        if let Some(entry) = accounts.iter_mut().find(is_same) {
            change(entry);
        }
    })
}

#[cfg(test)]
mod tests;
