//! `doctor`: what answers a URL and why, and how the tools on this machine would ask.
//!
//! - `url`: mistakes in a URL
//! - `look_up`: the steps of one lookup
//! - `probe`: presenting the credential to the registry
//! - `store`: what the store has for a URL
//! - `tools`: how pip, uv, pixi, twine, Poetry and tox are set up
//! - `report`: findings, printed or collected

mod look_up;
mod probe;
mod report;
mod store;
mod tools;
mod url;

use std::ffi::OsString;

use serde_json::json;

use self::{
    report::{Finding, Report, State},
    tools::ToolSettings,
};
use super::{DONE, FAILED, World, cache::in_words, indexes::served};
use crate::{
    error::{Error, Kind, Result},
    registry::Credential,
    service::Service,
    tools::{Index, is_same, pip::Pip, pixi::Pixi, uv::Uv},
};

/// Examines one URL or, without one, those that pip, uv and pixi are configured with. Returns the exit code.
pub(super) fn run(world: &World<'_>, url: Option<&OsString>, json: bool) -> Result<u8> {
    let mut report = Report::new(world, json);
    let url =
        url.map(|url| url.to_str().ok_or_else(|| Error::new(Kind::Usage, "the URL is not Unicode"))).transpose()?;
    let (pip, uv, pixi) = (Pip::read(world.system), Uv::read(world.system, true), Pixi::read(world.system));
    let indexes = match url {
        Some(url) => vec![Index::from_argument(url)],
        None => served(world, uv.indexes.iter().chain(&pip.indexes).chain(&pixi.indexes)),
    };
    // A URL that only the project in the working directory names may be an attacker's: it is looked up, as uv would, but
    // no token is sent to it unless the user names it.
    let trusted = if url.is_some() {
        indexes.clone()
    } else {
        let uv = Uv::read(world.system, false);
        served(world, uv.indexes.iter().chain(&pip.indexes))
    };
    let is_trusted = |index: &Index| trusted.iter().any(|known| is_same(&known.service(), &index.service()));
    let mut good = 0;
    for index in &indexes {
        report.section(&shown(&index.service()))?;
        for finding in url::examine(world, index) {
            report.add(&finding)?;
        }
        if look_up::examine(world, &mut report, index, is_trusted(index))? {
            good += 1;
        }
    }
    report.section("tools on this machine")?;
    let silent = tools::examine(world, &mut report, &indexes, &ToolSettings { pip, uv, pixi })?;
    let is_good = good > 0 && good == indexes.len();
    let but = match silent {
        0 => String::new(),
        1 => ", but a tool here would not ask for it".to_owned(),
        _ => format!(", but {silent} of the tools here would not ask for it"),
    };
    let summary = match (indexes.len(), good) {
        (0, _) => {
            "no URL given, and pip, uv and pixi are not configured with one that ringbearer serves: `ringbearer doctor URL`"
                .to_owned()
        }
        (1, 1) => format!("there is a credential{but}"),
        (1, _) => "there is no credential that works".to_owned(),
        (all, good) => format!("{good} of {all} indexes have a credential that works{but}"),
    };
    report.end(is_good, &summary)?;
    Ok(if is_good { DONE } else { FAILED })
}

/// The URL without user information, query and fragment.
fn shown(service: &Service) -> String {
    service.url().map_or_else(|| "(not a URL)".to_owned(), ToString::to_string)
}

/// Reports a credential without its password.
fn add_credential(report: &mut Report<'_>, credential: &Credential) -> Result<()> {
    let now = report.system().now();
    let (state, end) = match credential.expires {
        None => (State::Good, "states no expiry".to_owned()),
        Some(end) => match end.duration_since(now) {
            Ok(left) => (State::Good, format!("expires in {}", in_words(left))),
            Err(past) => (State::Doubtful, format!("expired {} ago", in_words(past.duration()))),
        },
    };
    let owner = credential.owner.as_deref().map_or_else(String::new, |owner| format!(", of {owner}"));
    let moment = credential.expires.and_then(|end| jiff::Timestamp::try_from(end).ok()).map(|end| end.to_string());
    report.fact("credential", json!({"username": credential.username, "owner": credential.owner, "expires": moment}));
    report.add(&Finding::new(
        state,
        "credential",
        format!("user name {}{owner}; it {end}", super::shown(&credential.username)),
    ))
}
