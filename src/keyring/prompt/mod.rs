//! A sign-in that a lookup starts, with RINGBEARER_LOGIN=prompt: only for a person at the terminal, and only for an index
//! that this person's own settings name or that was approved before.
//!
//! - `conditions`: when a lookup may sign in
//! - `turn`: one sign-in of a user at a time, across processes
//! - `refusal`: the last sign-in that was refused
//! - `screen`: the steps, on the terminal

mod conditions;
mod refusal;
mod screen;
#[cfg(test)]
mod tests;
mod turn;

use log::debug;

use self::{screen::Screen, turn::Turn};
use super::{Candidate, session_cache};
use crate::{
    auth::{cache_mode::CacheMode, warning},
    error::{Error, Result},
    registry::{
        Credential,
        sign_in::{SignIn, Step, Wanted},
    },
    service::Service,
    system::{System, terminal::TerminalWriter},
};

/// Lets a lookup sign in with the value `prompt`; `never`, or unset, does not.
const LOGIN_VARIABLE: &str = "RINGBEARER_LOGIN";

/// How a registry signs in for a lookup that failed; `None` if none is wanted or it would not help.
pub(super) fn wanted<'all>(
    system: &dyn System,
    candidate: &'all Candidate,
    failure: &Error,
) -> Option<&'all dyn SignIn> {
    let sign_in = candidate.source.sign_in().filter(|_| failure.lacks_login())?;
    match system.setting(LOGIN_VARIABLE)?.as_str() {
        "prompt" => return Some(sign_in),
        "never" => {}
        other => warning::once(&format!(
            "unknown {LOGIN_VARIABLE} {other:?}; no lookup signs in; choose one of prompt, never, or unset it"
        )),
    }
    None
}

/// The credential of a sign-in after a lookup failed, or its `failure` if none may start. While another process signs in,
/// waits for it and looks up again. The mode is that of the lookup.
pub(super) fn sign_in(
    system: &dyn System,
    (candidate, sign_in): (&Candidate, &dyn SignIn),
    service: &Service,
    default: CacheMode,
    failure: Error,
    look_up: impl FnOnce() -> Result<Option<Credential>>,
) -> Result<Option<Credential>> {
    let skipped = |why: &str| {
        debug!(step = "login", outcome = "skipped"; "{why}");
        Err(failure)
    };
    let terminal = match conditions::terminal(system, candidate, sign_in, service) {
        Ok(terminal) => terminal,
        Err(why) => return skipped(&why),
    };
    let _lock = match turn::wait(system)? {
        Turn::Ours(lock) => lock,
        Turn::AfterAnother if refusal::is_recent(system) => return skipped("another lookup has just been refused"),
        Turn::AfterAnother => return look_up(),
        Turn::Never(why) => return skipped(why),
    };
    if refusal::is_recent(system) {
        return skipped(
            "the last sign-in of a lookup was refused, less than ten minutes ago: run `ringbearer login URL`",
        );
    }
    let credential = ask(system, sign_in, service, terminal)?;
    debug!(step = "login", outcome = "served"; "the sign-in of this lookup");
    session_cache::put(system, candidate, service, &credential, default);
    Ok(Some(credential))
}

/// Asks the person at the terminal to sign in, under the lock of the sign-in. Records a refusal.
fn ask(
    system: &dyn System,
    sign_in: &dyn SignIn,
    service: &Service,
    terminal: Box<dyn TerminalWriter>,
) -> Result<Credential> {
    let mut screen = Screen::new(terminal);
    let wanted = Wanted { service, method: None, tenant: None, account: None, is_fresh: false, must_be_kept: false };
    // The index, once the person is asked.
    let mut asked_for = None;
    let mut is_asked = false;
    let mut show = |step: &Step<'_>| {
        match step {
            Step::Begins { index, .. } => asked_for = Some((*index).to_owned()),
            Step::Browser { .. } | Step::Code { .. } => {
                is_asked = true;
                // A process that is killed during the sign-in leaves a refusal.
                refusal::record(system);
            }
            Step::Waits { .. } => {}
        }
        screen.show(step, system.remaining());
    };
    match sign_in.sign_in(system, &wanted, &mut show) {
        Ok(signed_in) => {
            refusal::forget(system);
            screen.succeeded(&signed_in.login.account);
            Ok(signed_in.credential)
        }
        Err(error) => {
            debug!(step = "login", outcome = "failed"; "{error}");
            if is_asked {
                refusal::record(system);
            }
            if error.ends_the_lookup() {
                return Err(error);
            }
            let error = error.no_credential_for(asked_for.as_deref().or(service.host()).unwrap_or_default());
            screen.failed(&error);
            Err(error)
        }
    }
}
