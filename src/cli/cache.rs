//! `cache`: the tokens that are cached in this login session.

use std::time::Duration;

use serde_json::json;

use super::{DONE, World, in_ascii, print, shown};
use crate::{error::Result, keyring::session_cache::token};

/// What to do with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// List them, without the tokens themselves.
    List {
        /// As JSON.
        json: bool,
    },
    /// Remove them.
    Clear,
}

/// Runs the command.
pub(super) fn run(world: &World<'_>, action: Action) -> Result<u8> {
    let system = world.system;
    if let Err(reason) = system.sharing() {
        world.console.eprint(&format!("ringbearer: no token is kept in this session: {reason}\n"));
    }
    match action {
        Action::Clear => {
            let text = match token::clear(system)? {
                0 => "no cached tokens\n".to_owned(),
                1 => "removed 1 token\n".to_owned(),
                many => format!("removed {many} tokens\n"),
            };
            print(world.console, &text)
        }
        Action::List { json } => list(world, json),
    }
}

fn list(world: &World<'_>, is_json: bool) -> Result<u8> {
    let system = world.system;
    let (now, all, room) = (system.now(), token::all(system)?, token::room(system));
    let title = |name: &str| world.memory.keyring.registry(name).map_or("", |candidate| candidate.registry.title);
    if is_json {
        let time = |time| jiff::Timestamp::try_from(time).ok().map(|time| time.to_string());
        let tokens: Vec<_> = all
            .iter()
            .map(|token| {
                json!({
                    "backend": title(&token.registry), "for": token.realm, "owner": token.credential.owner,
                    "made": time(token.created), "kept_until": time(token.until),
                })
            })
            .collect();
        let list = json!({ "tokens": tokens, "not_kept": room.err().map(|reason| reason.to_string()) });
        return print(world.console, &(in_ascii(&list.to_string()) + "\n"));
    }
    if system.sharing().is_ok() {
        if all.is_empty() {
            world.console.eprint("ringbearer: no token is kept in this session\n");
        }
        if let Err(reason) = room {
            world
                .console
                .eprint(&format!("ringbearer: new tokens are not kept: {reason}; `ringbearer cache clear` helps\n"));
        }
    }
    if all.is_empty() {
        return Ok(DONE);
    }
    let rows: Vec<[String; 4]> = all
        .iter()
        .map(|token| {
            let owner = token.credential.owner.as_deref().map_or_else(String::new, shown);
            let age = now.duration_since(token.created).unwrap_or_default();
            let left = token.until.duration_since(now).unwrap_or_default();
            let times = format!("got {} ago, kept for {}", in_words(age), in_words(left));
            [title(&token.registry).to_owned(), shown(&token.realm), owner, times]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths = [width(0), width(1), width(2)];
    let lines = rows.iter().map(|[backend, realm, owner, times]| {
        format!("{backend:0$}  {realm:1$}  {owner:2$}  {times}\n", widths[0], widths[1], widths[2])
    });
    print(world.console, &lines.collect::<Vec<_>>().concat())
}

/// A duration in words, to the minute.
pub(super) fn in_words(duration: Duration) -> String {
    let minutes = duration.as_secs().div_ceil(60);
    match minutes {
        0..=1 => "a minute".to_owned(),
        2..120 => format!("{minutes} minutes"),
        120..2880 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}
