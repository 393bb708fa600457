//! `cache`: the tokens that are kept in this login session.

use std::time::Duration;

use serde_json::json;

use super::{DONE, World, in_ascii, print, shown};
use crate::{error::Result, keyring::session_cache::kept};

/// What is done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// They are shown, without the tokens themselves; for a program if it is `json`.
    List {
        /// Whether a program reads the answer.
        json: bool,
    },
    /// They are forgotten.
    Clear,
}

/// Why there are none.
pub(super) const NO_PLACE: &str = if cfg!(target_os = "linux") {
    "the kernel's key service is not there, or not allowed (as in many containers), or the session's keyring is no longer \
     valid or another user's (as after sudo): each process signs in for itself"
} else {
    "on this platform each process signs in for itself"
};

/// Runs the command.
pub(super) fn run(world: &World<'_>, action: Action) -> Result<u8> {
    let system = world.system;
    if !system.can_share() {
        world.console.eprint(&format!("ringbearer: no token is kept in this session: {NO_PLACE}\n"));
    }
    match action {
        Action::Clear => {
            let text = match kept::clear(system)? {
                0 => "no token was kept in this session\n".to_owned(),
                1 => "one token was forgotten\n".to_owned(),
                many => format!("{many} tokens were forgotten\n"),
            };
            print(world.console, &text)
        }
        Action::List { json } => list(world, json),
    }
}

fn list(world: &World<'_>, is_for_program: bool) -> Result<u8> {
    let (now, all) = (world.system.now(), kept::all(world.system)?);
    let title = |name: &str| world.memory.keyring.registry(name).map_or("", |candidate| candidate.registry.title);
    if is_for_program {
        let moment = |moment| jiff::Timestamp::try_from(moment).ok().map(|moment| moment.to_string());
        let tokens: Vec<_> = all
            .iter()
            .map(|kept| {
                json!({
                    "backend": title(&kept.backend), "for": kept.realm, "owner": kept.credential.owner,
                    "made": moment(kept.made), "kept_until": moment(kept.until),
                })
            })
            .collect();
        return print(world.console, &(in_ascii(&json!({ "tokens": tokens }).to_string()) + "\n"));
    }
    if all.is_empty() {
        if world.system.can_share() {
            world.console.eprint("ringbearer: no token is kept in this session\n");
        }
        return Ok(DONE);
    }
    let rows: Vec<[String; 4]> = all
        .iter()
        .map(|kept| {
            let owner = kept.credential.owner.as_deref().map_or_else(String::new, shown);
            let made = now.duration_since(kept.made).unwrap_or_default();
            let left = kept.until.duration_since(now).unwrap_or_default();
            let times = format!("got {} ago, kept for {}", for_people(made), for_people(left));
            [title(&kept.backend).to_owned(), shown(&kept.realm), owner, times]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths = [width(0), width(1), width(2)];
    let lines = rows.iter().map(|[backend, realm, owner, times]| {
        format!("{backend:0$}  {realm:1$}  {owner:2$}  {times}\n", widths[0], widths[1], widths[2])
    });
    print(world.console, &lines.collect::<Vec<_>>().concat())
}

/// A length of time, to the minute.
pub(super) fn for_people(length: Duration) -> String {
    let minutes = length.as_secs().div_ceil(60);
    match minutes {
        0..=1 => "a minute".to_owned(),
        2..120 => format!("{minutes} minutes"),
        120..2880 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}
