//! Whether pip, uv, pixi, twine, Poetry and tox on this machine would ask ringbearer, and the setting to change if not.
//!
//! - `choice`: the backend that keyring's settings select; `priority`: the one that it may choose by priority
//! - `uploads`: URLs for uploads
//! - `on_path`: the `keyring` programs on PATH
//! - `uv`, `pixi`, `pip`: the tools that run `keyring`
//! - `shared_host`: the organisations on one host, for uv and pixi
//! - `twine`, `poetry`: their passwords
//! - `beside`: the environments of the tools that import keyring

mod beside;
mod choice;
mod on_path;
mod pip;
mod pixi;
mod poetry;
mod priority;
mod shared_host;
mod twine;
mod uploads;
mod uv;

use std::{collections::BTreeSet, path::PathBuf};

use self::{choice::KeyringChoice, on_path::Keyrings};
use super::report::{Finding, Report, State};
use crate::{
    cli::{
        World,
        programs::{
            beside::{Beside, look},
            shim::{self, Target},
        },
        shell::ShellSyntax,
        shown_path,
    },
    error::{Kind, Result},
    keyring::Candidate,
    service::Service,
    store::{self, Status, is_in_use},
    system::{Platform, System, agent::START_SERVICE},
    tools::{Index, netrc, pip::Pip, pixi::Pixi, uv::Uv},
};

/// Installs a `keyring` with ringbearer on PATH.
const INSTALL: &str = "uv tool install ringbearer-cli";

/// An examination of one tool.
type Look<'all> = &'all dyn Fn() -> Result<Vec<Finding>>;

/// The settings of the tools that name indexes.
pub(super) struct ToolSettings {
    pub(super) pip: Pip,
    pub(super) uv: Uv,
    pub(super) pixi: Pixi,
}

/// What the tools share.
struct Machine<'all> {
    system: &'all dyn System,
    /// The shell in which fixes are typed.
    shell: ShellSyntax,
    keyrings: Keyrings<'all>,
    choice: KeyringChoice,
    /// The examined indexes, with the registry that is asked first.
    served: Vec<(Index, Service, &'all Candidate)>,
}

/// Shows how each tool would ask, and returns the number of findings that keep tools from asking.
pub(super) fn examine(
    world: &World<'_>,
    report: &mut Report<'_>,
    indexes: &[Index],
    settings: &ToolSettings,
) -> Result<usize> {
    let served = indexes.iter().filter_map(|index| {
        let service = index.service();
        let candidate = world.memory.keyring.candidates(world.system, &service).next()?;
        Some((index.clone(), service, candidate))
    });
    let system = world.system;
    let (shell, keyrings) = (ShellSyntax::of(system), Keyrings::new(system));
    let choice = KeyringChoice::read(world, shell, indexes);
    let machine = Machine { system, shell, keyrings, choice, served: served.collect() };
    // Each finding is shown at once, since running Python takes a moment.
    let looks: [(&str, Look<'_>); 11] = [
        (choice::NAME, &|| Ok(machine.choice.finding.iter().cloned().collect())),
        ("keyring", &|| Ok(vec![machine.keyring()?])),
        ("netrc", &|| Ok(machine.netrc())),
        ("uv", &|| machine.uv(&settings.uv)),
        ("pixi", &|| machine.pixi(&settings.pixi)),
        ("pip", &|| Ok(vec![machine.pip(&settings.pip)?])),
        ("twine", &|| Ok(vec![machine.twine()?])),
        ("Poetry", &|| machine.poetry()),
        ("tox", &|| Ok(vec![machine.beside("tox")?])),
        (uploads::NAME, &|| Ok(machine.uploads(world, &settings.uv))),
        ("store", &|| Ok(store_finding(world.system).into_iter().collect())),
    ];
    let mut mute = BTreeSet::new();
    for (name, look) in looks {
        let findings = match world.system.check() {
            Ok(()) => look()?,
            Err(error) if error.kind() == Kind::Cancelled => return Err(error),
            Err(_) => vec![Finding::new(State::Doubtful, name, "not examined: out of time")],
        };
        for finding in findings {
            report.add(&finding)?;
            if finding.state == State::Bad && !matches!(finding.name.as_str(), "store" | uploads::NAME) {
                mute.insert(finding.name);
            }
        }
    }
    // It is not a tool, and the tools that it affects are counted themselves.
    if mute.len() > 1 {
        mute.remove(choice::NAME);
    }
    // After Ctrl-C, there is no summary.
    world.system.check().or_else(|error| if error.kind() == Kind::Cancelled { Err(error) } else { Ok(()) })?;
    Ok(mute.len())
}

impl Machine<'_> {
    /// The entries of `.netrc` for the examined hosts. uv may use one instead of a keyring (see `uv`); pip tries it first, and
    /// asks a keyring if it is rejected.
    fn netrc(&self) -> Vec<Finding> {
        let hosts: BTreeSet<_> = self.served.iter().filter_map(|(_, service, _)| service.host()).collect();
        let found = hosts.into_iter().filter_map(|host| Some((host, netrc::entry(self.system, host)?)));
        found
            .map(|(host, entry)| {
                let detail = format!("{} has an entry for {host}, which pip and uv try first", shown_path(&entry.path));
                Finding::new(State::Note, "netrc", detail)
            })
            .collect()
    }

    /// The first of these programs on PATH, and its environment.
    fn installed(&self, names: &[&str]) -> Result<Option<(PathBuf, Option<Beside>)>> {
        let Some(program) = names.iter().find_map(|name| self.system.find_program(name)) else { return Ok(None) };
        let Target::Program(program) = shim::target(self.system, &program)? else { return Ok(Some((program, None))) };
        let beside = look(self.system, &program)?;
        Ok(Some((program, beside)))
    }
}

/// The organisation of a service that a registry claims, for comparison.
fn organisation(candidate: &Candidate, service: &Service) -> String {
    candidate.source.place(service).to_ascii_lowercase()
}

/// The state of the store, which stays locked.
fn store_finding(system: &dyn System) -> Option<Finding> {
    if !is_in_use(system) {
        return None;
    }
    let status = match store::status(system) {
        Ok(status) => status,
        Err(error) => return Some(Finding::of_error("store", &error)),
    };
    let path = shown_path(&status.path);
    Some(match &status {
        Status { exists: false, .. } => {
            Finding::new(State::Off, "store", format!("{path} does not exist")).with_fix("ringbearer store init")
        }
        Status { key: None, .. } => {
            Finding::new(State::Bad, "store", format!("{path} is damaged")).with_fix("ringbearer store status")
        }
        Status { agent, .. } if agent.socket.is_none() || agent.keys.is_none() => {
            Finding::new(State::Bad, "store", format!("{path} is locked: no ssh-agent answers")).with_fix(
                if system.platform() == Platform::Windows {
                    START_SERVICE
                } else {
                    "start an agent, or log in with agent forwarding"
                },
            )
        }
        Status { agent, key, .. } if !agent.has_key => {
            let key = key.as_deref().unwrap_or_default();
            Finding::new(State::Bad, "store", format!("{path} is locked: the ssh-agent does not have its key, {key}"))
                .with_fix("ssh-add the key; see `ringbearer store status`")
        }
        _ => Finding::new(State::Good, "store", format!("{path}; the ssh-agent has its key")),
    })
}
