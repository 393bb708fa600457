//! The native program `keyring`: what uv, pip, PDM, build, pipx and pixi call.
//!
//! It answers for the index backends. Whatever none of them knows goes to the next `keyring` on PATH, which has all
//! the stores of the machine behind it, ringbearer's among them; without one, to ringbearer's store, if there is one.
//! StdConsole output carries the answer and nothing else.
//!
//! - [`arguments`]: the words
//! - `choice`: which backend keyring was told to use
//! - `next`: the next `keyring` on PATH

pub(super) mod arguments;
pub(super) mod choice;
pub(super) mod next;

use std::{ffi::OsString, time::Duration};

use self::{
    arguments::{Line, Operation},
    choice::{Choice, MODULE, NO_STORE_CLASS, STORE_CLASS},
    next::Next,
};
use super::{DONE, Ending, FAILED, Memory, STORE_LIMIT, World, help, print, secret};
use crate::{
    auth::cache_key::fingerprint,
    error::{Error, Kind, Result},
    keyring::ASKED_VARIABLE,
    registry::ALL,
    secret::Secret,
    service::Service,
    system::os::LOOKUP_LIMIT,
};

/// A call of the program: its words, and what they mean.
pub(crate) struct Call {
    words: Vec<OsString>,
    line: std::result::Result<Line, Error>,
}

impl Call {
    /// How long it may take unless RINGBEARER_TIMEOUT says otherwise.
    #[must_use]
    pub(crate) fn limit(&self, memory: &Memory) -> Duration {
        self.line.as_ref().map_or(LOOKUP_LIMIT, |line| limit(line, memory))
    }
}

/// How long a command may take: as long as the same question to keyring's backends.
pub(super) fn limit(line: &Line, memory: &Memory) -> Duration {
    let is_for_an_index = line.operation == Operation::Get
        && line.service_text().is_some_and(|service| memory.keyring.serves(&Service::parse(service)));
    if is_for_an_index { LOOKUP_LIMIT } else { STORE_LIMIT }
}

/// Reads the words of a call, without the name of the program.
#[must_use]
pub(crate) fn read(words: Vec<OsString>) -> Call {
    Call { line: arguments::read(&words), words }
}

/// Runs a call, unless it is another keyring's to run.
pub(crate) fn run(world: &World<'_>, call: &Call) -> Result<Ending> {
    let line = match &call.line {
        Ok(line) => line,
        // It may know words that this program does not.
        Err(error) => return pass_on(world, call, Vec::new()).ok_or_else(|| error.clone()),
    };
    match line.operation {
        Operation::Help => return print(world.console, help::KEYRING).map(Ending::Code),
        Operation::ListBackends => return list(world).map(Ending::Code),
        Operation::OfPython => {
            return pass_on(world, call, Vec::new()).ok_or_else(|| {
                let what = "this is for Python's keyring to do, and there is none on PATH";
                Error::new(Kind::Configuration, what).with_hint("`uv tool install keyring` installs it")
            });
        }
        Operation::Get | Operation::Set | Operation::Del => {}
    }
    match Choice::read(world.system, line) {
        Choice::Foreign { class, source } => pass_on(world, call, Vec::new()).ok_or_else(|| {
            // As keyring has it for a backend that cannot be loaded.
            let kind = if line.backend.is_some() { Kind::Usage } else { Kind::Configuration };
            let class = super::shown(&class);
            let what = "which only a Python keyring can load, and there is none on PATH";
            Error::new(kind, format!("{source} chooses {class}, {what}"))
                .with_hint("install that keyring, or take the choice back")
        }),
        Choice::None => unchosen(world, call, line),
        choice => secret::by_choice(world, line, &choice).map(Ending::Code),
    }
}

/// Nobody chose a backend: the index backends are asked, then the next keyring or the store.
fn unchosen(world: &World<'_>, call: &Call, line: &Line) -> Result<Ending> {
    let asked = line.service_text().map(|service| fingerprint(service.as_bytes()));
    let is_ours = line.operation == Operation::Get
        && world.system.setting(ASKED_VARIABLE) != asked
        && secret::index(world, line).is_some();
    if is_ours && let Some(found) = secret::from_index(world, line, None)? {
        return secret::answer(world, line, &found).map(Ending::Code);
    }
    let asked = asked.filter(|_| is_ours).map(|asked| (ASKED_VARIABLE.to_owned(), Secret::new(asked)));
    if let Some(ending) = pass_on(world, call, asked.into_iter().collect()) {
        return Ok(ending);
    }
    if secret::has_store(world.system) {
        return secret::in_store(world, line).map(Ending::Code);
    }
    if line.operation == Operation::Get {
        return Ok(Ending::Code(FAILED));
    }
    Err(secret::no_store())
}

/// Lets the next keyring take over, with the same words; `None` if there is none.
fn pass_on(world: &World<'_>, call: &Call, variables: Vec<(String, Secret)>) -> Option<Ending> {
    let next = Next::find(world.system, &call.words)?;
    Some(Ending::Exec(next.exec(&call.words, variables)))
}

/// Lists ringbearer's backends, and then what the next keyring has besides.
fn list(world: &World<'_>) -> Result<u8> {
    let store = || (STORE_CLASS, if secret::has_store(world.system) { 2.2 } else { -1.0 });
    let backends = ALL.iter().map(|registry| (registry.python_class, registry.priority));
    let mut lines: Vec<_> = backends
        .chain(secret::has_agent(world.system).then(store))
        .chain([(NO_STORE_CLASS, 0.01)])
        .map(|(class, priority)| format!("{MODULE}{class} (priority: {priority})"))
        .collect();
    let code = match Next::backends(world.system) {
        Ok(theirs) => {
            lines.extend(theirs.into_iter().filter(|line| !line.starts_with(MODULE)));
            DONE
        }
        Err(error) if error.ends_the_lookup() => return Err(error),
        Err(error) => {
            world.console.eprint(&format!("ringbearer: {error}\n"));
            FAILED
        }
    };
    print(world.console, &(lines.join("\n") + "\n")).map(|printed| printed.max(code))
}
