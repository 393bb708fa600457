//! Several processes that ask the same at the same moment: one does the work, the others get its outcome.
//!
//! uv starts a `keyring` for each index, all at once, and each would sign in again. A lock for an organisation or
//! audience lets one go first. It leaves the outcome, for some seconds and where no disk is touched, to those that wait
//! for the lock; whoever comes later asks anew. Where there is no such place, all do as they would alone.

use std::{
    borrow::Cow,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use log::debug;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    backend::{Backend, Credential},
    error::{Error, Kind, Result},
    keyring::fingerprint,
    secret::Secret,
    service::Service,
    sys::{System, files::Lock, session::LONGEST_SHARED},
};

/// How long an outcome is there for those who waited.
const LIFE: Duration = Duration::from_secs(10);

/// How long the lock is waited for: somebody may have to approve the sign-in of the one that has it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often the lock is tried.
const PACE: Duration = Duration::from_millis(10);

/// The credential of a backend for a service that it claims, as [`Backend::get`] has it.
pub fn get(
    system: &dyn System,
    backend: &dyn Backend,
    service: &Service,
    username: Option<&str>,
) -> Result<Option<Credential>> {
    let alone = || backend.get(system, service, username);
    let Some((realm, identity)) = backend.identity(system, service).filter(|_| system.can_share()) else {
        return alone();
    };
    let start = system.now();
    let realm = hashed(&[backend.name(), &realm]);
    let Some((_lock, had_to_wait)) = take_turn(system, &realm)? else { return alone() };
    let question = Question {
        // One for each organisation, so that what is left there stays little.
        name: format!("ringbearer:{realm}"),
        identity: hashed(&[backend.name(), &identity]),
        host: service.host().unwrap_or_default(),
    };
    if had_to_wait && let Some(outcome) = question.look(system, start) {
        debug!("another process has just asked the same");
        return outcome.map(Some);
    }
    let outcome = alone();
    question.leave(system, &outcome);
    outcome
}

/// Waits for the turn to ask; answers the lock, and whether another had it. `None` if there is no place for a lock, or
/// no turn comes.
fn take_turn(system: &dyn System, realm: &str) -> Result<Option<(Lock, bool)>> {
    let Some(folder) = folder(system) else { return Ok(None) };
    let path = folder.join(format!("{realm}.lock"));
    let remaining = system.remaining();
    let last = remaining.saturating_sub(PATIENCE.min(remaining / 2));
    let (mut had_to_wait, mut is_made) = (false, false);
    loop {
        match system.try_lock(&path) {
            Ok(Some(lock)) => return Ok(Some((lock, had_to_wait))),
            Ok(None) if system.remaining() > last => {
                had_to_wait = true;
                system.pause(PACE)?;
            }
            // The folder is made by whoever comes first.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_made => {
                is_made = true;
                if system.make_directory(&folder, true).is_err() {
                    return Ok(None);
                }
            }
            Ok(None) | Err(_) => return Ok(None),
        }
    }
}

/// Where the locks are: a folder that is the user's alone, gone with the session where there is one of that sort.
fn folder(system: &dyn System) -> Option<PathBuf> {
    let named = |name: &str| system.setting(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = named("XDG_RUNTIME_DIR").or_else(|| named("XDG_CACHE_HOME"));
    folder.or_else(|| Some(system.home()?.join(".cache"))).map(|folder| folder.join("ringbearer"))
}

fn hashed(parts: &[&str]) -> String {
    // A zero character is in no part, so that no two lists read the same.
    fingerprint(parts.join("\0").as_bytes())
}

/// An outcome as it is left for others.
#[derive(Serialize, Deserialize)]
struct Left<'all> {
    /// For whom: others in the same organisation find it too.
    identity: Cow<'all, str>,
    /// Since 1970.
    made: Duration,
    username: Cow<'all, str>,
    password: Cow<'all, str>,
    expires: Option<Duration>,
    owner: Option<Cow<'all, str>>,
    /// In the place of a credential.
    failed: Option<Failed<'all>>,
}

/// A failure: for which host, what failed, and what to do.
#[derive(Serialize, Deserialize)]
struct Failed<'all> {
    host: Cow<'all, str>,
    message: Cow<'all, str>,
    hint: Option<Cow<'all, str>>,
}

/// What is asked, and where the outcome is left.
struct Question<'all> {
    name: String,
    identity: String,
    host: &'all str,
}

impl Question<'_> {
    /// Leaves an outcome to those who wait. That nothing is known, or what concerns one URL alone, is nothing to the
    /// others, nor is the impatience of this caller.
    fn leave(&self, system: &dyn System, outcome: &Result<Option<Credential>>) {
        let since = |moment: SystemTime| moment.duration_since(SystemTime::UNIX_EPOCH).ok();
        let Some(made) = since(system.now()) else { return };
        let nothing = Left {
            identity: self.identity.as_str().into(),
            made,
            username: "".into(),
            password: "".into(),
            expires: None,
            owner: None,
            failed: None,
        };
        let left = match outcome {
            Ok(None) => return,
            Ok(Some(Credential { username, password, expires, owner })) => Left {
                username: username.into(),
                password: password.expose().into(),
                expires: expires.and_then(since),
                owner: owner.as_deref().map(Cow::from),
                ..nothing
            },
            Err(error) if error.ends_the_lookup() || error.concerns_one_url() || error.kind() == Kind::Timeout => {
                return;
            }
            Err(error) => {
                let (message, hint) = (error.message().into(), error.hint().map(Cow::from));
                Left { failed: Some(Failed { host: self.host.into(), message, hint }), ..nothing }
            }
        };
        let mut text = Zeroizing::new(Vec::with_capacity(LONGEST_SHARED));
        if serde_json::to_writer(&mut *text, &left).is_ok() && text.len() <= LONGEST_SHARED {
            system.share(&self.name, &text, LIFE);
        }
    }

    /// The outcome that was left since a moment, if it is for the same identity and, as failures name it, host.
    fn look(&self, system: &dyn System, since: SystemTime) -> Option<Result<Credential>> {
        let text = system.shared(&self.name)?;
        let left: Left<'_> = serde_json::from_slice(&text).ok()?;
        let moment = |length| SystemTime::UNIX_EPOCH.checked_add(length);
        if left.identity != self.identity || moment(left.made)? < since {
            return None;
        }
        if let Some(Failed { host, message, hint }) = left.failed {
            let error = Error::new(Kind::Exhausted, message.into_owned());
            let error = match hint {
                Some(hint) => error.with_hint(hint.into_owned()),
                None => error,
            };
            return (host == self.host).then_some(Err(error));
        }
        Some(Ok(Credential {
            username: left.username.into_owned(),
            password: Secret::new(left.password.into_owned()),
            expires: left.expires.and_then(moment),
            owner: left.owner.map(Cow::into_owned),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keyring::Keyring, sys::fake::Fake};

    const FEED: &str = "https://pkgs.dev.azure.com/contoso/_packaging/feed/pypi/simple/";

    fn question(identity: &str, host: &'static str) -> Question<'static> {
        Question { name: "name".into(), identity: identity.into(), host }
    }

    #[test]
    fn an_outcome_is_left_for_those_who_wait_and_ask_the_same() {
        let fake = Fake::default();
        let found = Credential {
            username: "u\"".into(),
            password: Secret::new("p\\\u{e9}".into()),
            expires: Some(fake.now()),
            owner: None,
        };
        let failed = Error::new(Kind::Rejected, "no").with_hint("do");
        for outcome in [Ok(found), Err(failed)] {
            let before = fake.now();
            question("ada", "a.example").leave(&fake, &outcome.clone().map(Some));
            let seen = question("ada", "a.example").look(&fake, before).unwrap();
            match (&outcome, &seen) {
                (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
                _ => assert_eq!(outcome, seen),
            }
            assert!(question("eve", "a.example").look(&fake, before).is_none());
            assert_eq!(question("ada", "b.example").look(&fake, before).is_some(), outcome.is_ok());
            fake.advance(Duration::from_secs(1));
            assert!(question("ada", "a.example").look(&fake, fake.now()).is_none());
        }
    }

    #[test]
    fn what_concerns_one_url_or_one_caller_is_left_to_nobody() {
        let fake = Fake::default();
        let of_one_url = Error::new(Kind::Protocol, "no").of_one_url();
        for outcome in [Ok(None), Err(of_one_url), Err(Error::new(Kind::Cancelled, "gave up"))] {
            question("ada", "a.example").leave(&fake, &outcome);
            assert!(question("ada", "a.example").look(&fake, fake.now()).is_none());
        }
    }

    #[test]
    fn the_first_one_asks_for_itself() {
        let fake = Fake::default().variable("AZURE_DEVOPS_EXT_PAT", "secret").variable("HOME", "/home/user");
        let keyring = Keyring::default();
        let service = Service::parse(FEED);
        let backend = keyring.claimant(&service).unwrap();
        let found = get(&fake, backend, &service, None).unwrap().unwrap();
        assert_eq!(found.password.expose(), "secret");
    }
}
