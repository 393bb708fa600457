//! `login` and `logout`: signing in to a registry without another program.
//!
//! - [`command`]: what the command line asks for
//! - `index`: the index of a sign-in
//! - `progress`: the steps of a sign-in
//! - [`list`]: the kept logins

pub(super) mod command;
mod index;
pub(super) mod list;
mod progress;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::json;

use self::{
    command::{LoginCommand, SignInOptions},
    progress::{Progress, print_line},
};
use super::{DONE, World, print, shown};
use crate::{
    error::{Error, Kind, Result},
    keyring::session_cache::token,
    registry::sign_in::{Login, SignedIn, Wanted},
};

/// The time limit of a sign-in, unless RINGBEARER_TIMEOUT is set: 15 minutes for the person, as long as a device code usually
/// serves, and one for the requests before and after.
pub(super) const LOGIN_LIMIT: Duration = Duration::from_secs(960);

/// Runs the command.
pub(super) fn run(world: &World<'_>, command: &LoginCommand) -> Result<u8> {
    match command {
        LoginCommand::SignIn(options) => sign_in(world, options),
        LoginCommand::List { json } => list::run(world, *json),
        LoginCommand::SignOut { account } => sign_out(world, account.as_deref()),
    }
}

fn sign_in(world: &World<'_>, options: &SignInOptions) -> Result<u8> {
    let service = index::choose(world, options.url.as_deref())?;
    let (candidate, sign_in) = index::sign_in_of(world, &service)?;
    let wanted = Wanted {
        service: &service,
        method: options.method,
        tenant: options.tenant.as_deref(),
        account: options.account.as_deref(),
        is_fresh: options.is_fresh,
        must_be_kept: true,
    };
    let mut progress = Progress::new(world.console, candidate.registry.title, options.json);
    let SignedIn { login, .. } = sign_in.sign_in(world.system, &wanted, &mut |step| progress.show(step))?;
    let organisation = progress.end()?;
    if options.json {
        let event = json!({
            "event": "signed-in", "account": login.account, "organisations": login.organisations, "kept_in": login.kept_in,
            "life": login.life,
        });
        return print_line(world.console, &event).map(|()| DONE);
    }
    let organisation = organisation.as_deref().or(service.host()).unwrap_or_default();
    let kept = match &login.kept_in {
        Some(_) => format!("{}; {}", list::where_kept(&login), shown(&login.life)),
        None => "not kept: no lookup uses this login".to_owned(),
    };
    print(world.console, &format!("signed in to {} as {}\n{kept}\n", shown(organisation), shown(&login.account)))
}

/// Forgets logins, and the cached tokens of their registry, which would serve for hours. Without an account, the tokens go
/// even if no login is kept: one that was not kept may have left some.
fn sign_out(world: &World<'_>, account: Option<&str>) -> Result<u8> {
    let mut was_signed_in = false;
    for (candidate, sign_in) in world.memory.keyring.sign_ins() {
        let forgotten = sign_in.sign_out(world.system, account)?;
        if forgotten.is_empty() && account.is_some() {
            continue;
        }
        was_signed_in |= !forgotten.is_empty();
        let line =
            |login: &Login| format!("forgot the login of {}, {}\n", shown(&login.account), list::where_kept(login));
        print(world.console, &forgotten.iter().map(line).collect::<String>())?;
        let title = candidate.registry.title;
        match token::clear_registry(world.system, candidate.registry.id)? {
            0 => {}
            removed => {
                let tokens = if removed == 1 { "token" } else { "tokens" };
                print(world.console, &format!("removed {removed} cached {tokens} of {title}\n"))?;
            }
        }
    }
    match account {
        _ if was_signed_in => Ok(DONE),
        Some(account) => Err(Error::new(Kind::NotFound, format!("there is no login of {}", shown(account)))
            .with_hint("`ringbearer login --list` shows the logins")),
        None => {
            say_nobody(world);
            Ok(DONE)
        }
    }
}

fn say_nobody(world: &World<'_>) {
    world.console.eprint("ringbearer: nobody is signed in\n");
}
