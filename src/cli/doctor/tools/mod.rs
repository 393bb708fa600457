//! How pip, uv, twine, Poetry and tox on this machine would ask, and the exact line to change where they would not.
//!
//! - `on_path`: the `keyring` programs on PATH
//! - `uv`, `pip`: the two that run a `keyring`
//! - `beside`: the tools that ask keyring in their own process

mod beside;
mod on_path;
mod pip;
mod uv;

use std::{collections::BTreeSet, path::PathBuf};

use self::on_path::Keyrings;
use super::report::{Finding, Report, State};
use crate::{
    cli::{
        World,
        keyring::choice::{Choice, MODULE, NO_STORE_CLASS, STORE_CLASS, VARIABLE, configuration_file},
        tools::{
            Index,
            beside::{Beside, look},
            netrc,
            pip::Pip,
            uv::Uv,
        },
    },
    error::{Kind, Result},
    keyring::Candidate,
    service::Service,
    store::{self, Status, is_in_use},
    system::System,
};

/// What puts a keyring that knows ringbearer on PATH.
const INSTALL: &str = "uv tool install ringbearer-cli";

/// A look at one thing.
type Look<'all> = &'all dyn Fn() -> Result<Vec<Finding>>;

/// What all tools have in common.
struct Machine<'all> {
    system: &'all dyn System,
    keyrings: Keyrings<'all>,
    /// The indexes in question, with the registry that is asked first.
    served: Vec<(Index, Service, &'all Candidate)>,
}

/// Shows how each tool would ask. Answers how many things keep tools from asking.
pub(super) fn examine(
    world: &World<'_>,
    report: &mut Report<'_>,
    indexes: &[Index],
    pip: &Pip,
    uv: &Uv,
) -> Result<usize> {
    let served = indexes.iter().filter_map(|index| {
        let service = index.service();
        let candidate = world.memory.keyring.candidates(&service).next()?;
        Some((index.clone(), service, candidate))
    });
    let machine = Machine { system: world.system, keyrings: Keyrings::new(world.system), served: served.collect() };
    // Each is told as soon as it is known: to ask a Python what it has takes a moment.
    let looks: [(&str, Look<'_>); 9] = [
        ("keyring's choice", &|| Ok(machine.choice(world).into_iter().collect())),
        ("keyring", &|| Ok(vec![machine.keyring()?])),
        ("netrc", &|| Ok(machine.netrc())),
        ("uv", &|| machine.uv(uv)),
        ("pip", &|| Ok(vec![machine.pip(pip)?])),
        ("twine", &|| Ok(vec![machine.twine()?])),
        ("Poetry", &|| Ok(vec![machine.poetry()?])),
        ("tox", &|| Ok(vec![machine.beside("tox")?])),
        ("store", &|| Ok(store_finding(world.system).into_iter().collect())),
    ];
    let mut mute = BTreeSet::new();
    for (name, look) in looks {
        let findings = match world.system.check() {
            Ok(()) => look()?,
            Err(error) if error.kind() == Kind::Cancelled => return Err(error),
            Err(_) => vec![Finding::new(State::Doubtful, name, "was not looked at: the time was over")],
        };
        for finding in findings {
            report.add(&finding)?;
            if finding.state == State::Bad && finding.name != "store" {
                mute.insert(finding.name);
            }
        }
    }
    // Whoever gave up meanwhile does not want to read a verdict.
    world.system.check().or_else(|error| if error.kind() == Kind::Cancelled { Err(error) } else { Ok(()) })?;
    Ok(mute.len())
}

impl Machine<'_> {
    /// Whether somebody told keyring to ask one backend and no other.
    fn choice(&self, world: &World<'_>) -> Option<Finding> {
        let name = "keyring's choice";
        let class = match Choice::without_option(world.system) {
            Choice::None => return None,
            Choice::Foreign { class, .. } => crate::cli::shown(&class),
            Choice::Index(class)
                if self.served.iter().all(|(_, _, candidate)| candidate.registry.python_class == class) =>
            {
                let detail = format!("keyring is told to ask {MODULE}{class} and no other");
                return Some(Finding::new(State::Note, name, detail));
            }
            Choice::Index(class) => format!("{MODULE}{class}"),
            Choice::Store => format!("{MODULE}{STORE_CLASS}"),
            Choice::NoStore => format!("{MODULE}{NO_STORE_CLASS}"),
        };
        let (source, fix) = if world.system.setting(VARIABLE).is_some() {
            (VARIABLE.to_owned(), format!("unset {VARIABLE}"))
        } else {
            let file = configuration_file(world.system).map_or_else(String::new, |path| path.display().to_string());
            (file, "take the line `default-keyring` out of it".to_owned())
        };
        let detail =
            format!("{source} makes keyring ask {class} and no other: tools get no index's credential from it");
        Some(Finding::new(State::Bad, name, detail).with_fix(fix))
    }

    /// What `.netrc` has for the hosts in question. uv may take it in the place of a keyring's answer, which is told
    /// there; pip tries it first, and asks when it is refused.
    fn netrc(&self) -> Vec<Finding> {
        let hosts: BTreeSet<_> = self.served.iter().filter_map(|(_, service, _)| service.host()).collect();
        let found = hosts.into_iter().filter_map(|host| Some((host, netrc::entry(self.system, host)?)));
        found
            .map(|(host, entry)| {
                let detail = format!("{} has an entry for {host}, which pip and uv try first", entry.path.display());
                Finding::new(State::Note, "netrc", detail)
            })
            .collect()
    }

    /// The first of some programs on PATH, and what is beside it.
    fn installed(&self, names: &[&str]) -> Result<Option<(PathBuf, Option<Beside>)>> {
        let Some(program) = names.iter().find_map(|name| self.system.find_program(name)) else { return Ok(None) };
        let beside = look(self.system, &program)?;
        Ok(Some((program, beside)))
    }
}

/// The store, without unlocking it.
fn store_finding(system: &dyn System) -> Option<Finding> {
    if !is_in_use(system) {
        return None;
    }
    let status = match store::status(system) {
        Ok(status) => status,
        Err(error) => return Some(Finding::of_error("store", &error)),
    };
    let path = crate::cli::shown(&status.path);
    Some(match &status {
        Status { exists: false, .. } => {
            Finding::new(State::Off, "store", format!("{path} is not there yet")).with_fix("ringbearer store init")
        }
        Status { key: None, .. } => {
            Finding::new(State::Bad, "store", format!("{path} is damaged")).with_fix("ringbearer store status")
        }
        Status { agent, .. } if agent.socket.is_none() || agent.keys.is_none() => {
            Finding::new(State::Bad, "store", format!("{path} is locked: no ssh-agent answers"))
                .with_fix("start an agent, or log in with agent forwarding")
        }
        Status { agent, key, .. } if !agent.has_key => {
            let key = key.as_deref().unwrap_or_default();
            Finding::new(State::Bad, "store", format!("{path} is locked: the ssh-agent does not have its key, {key}"))
                .with_fix("ssh-add the key; `ringbearer store status` tells more")
        }
        _ => Finding::new(State::Good, "store", format!("{path}; the ssh-agent has its key")),
    })
}
