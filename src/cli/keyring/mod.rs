//! The native program `keyring`, which uv, pip, PDM, build, pipx and pixi run.
//!
//! Answers for the index backends. Other requests go to the next `keyring` on PATH, which asks every store of the machine
//! (ringbearer's included); if there is none, to ringbearer's store. Standard output is the answer and nothing else.
//!
//! - `next`: the next `keyring` on PATH; `traceback`: what is removed from its messages

mod next;
mod traceback;

use std::{ffi::OsString, time::Duration};

use self::next::Next;
#[cfg(feature = "executables")]
pub(crate) use self::traceback::TracebackFilter;
use super::{
    DONE, Ending, FAILED, Memory, STORE_LIMIT, World,
    backend_choice::{BackendChoice, MODULE, NO_STORE_CLASS, STORE_CLASS},
    definitions::KEYRING,
    help,
    keyring_arguments::{self, KeyringArguments, Operation},
    print, secret,
};
use crate::{
    auth::cache_key::fingerprint,
    error::{Error, Kind, Result},
    keyring::ASKED_VARIABLE,
    registry::ALL,
    secret::Secret,
    service::Service,
    system::{Env, os::LOOKUP_LIMIT},
};

/// A run of the program: its arguments, as given and as read.
pub(crate) struct Call {
    words: Vec<OsString>,
    line: Result<KeyringArguments>,
}

impl Call {
    /// The time limit, unless RINGBEARER_TIMEOUT sets another.
    #[must_use]
    pub(crate) fn limit(&self, environment: &dyn Env, memory: &Memory) -> Duration {
        self.line.as_ref().map_or(LOOKUP_LIMIT, |line| limit(environment, line, memory))
    }
}

/// The time limit: the same as for this request to the Python backends.
pub(super) fn limit(environment: &dyn Env, line: &KeyringArguments, memory: &Memory) -> Duration {
    let is_for_an_index = line.operation == Operation::Get
        && line.service_text().is_some_and(|service| memory.keyring.serves(environment, &Service::parse(service)));
    if is_for_an_index { LOOKUP_LIMIT } else { STORE_LIMIT }
}

/// Reads the arguments, without the name of the program.
#[must_use]
pub(crate) fn read(words: Vec<OsString>) -> Call {
    Call { line: keyring_arguments::read(&words, &KEYRING), words }
}

/// Runs the program, or passes the request on to the next keyring.
pub(crate) fn run(world: &World<'_>, call: &Call) -> Result<Ending> {
    let line = match &call.line {
        Ok(line) => line,
        // The next keyring may be newer and have more options.
        Err(error) => return pass_on(world, call, Vec::new(), false).ok_or_else(|| error.clone()),
    };
    match line.operation {
        Operation::Help => return print(world.console, &help::text(&KEYRING)).map(Ending::Code),
        Operation::ListBackends => return list(world).map(Ending::Code),
        Operation::PythonOnly => {
            return pass_on(world, call, Vec::new(), false).ok_or_else(|| {
                let what = "only the Python keyring does this, and there is none on PATH";
                Error::new(Kind::Configuration, what).with_hint("`uv tool install keyring` installs it")
            });
        }
        Operation::Get | Operation::Set | Operation::Del => {}
    }
    match BackendChoice::read(world.system, line) {
        BackendChoice::Foreign { class, source } => pass_on(world, call, Vec::new(), false).ok_or_else(|| {
            // The exit codes of keyring for a backend that cannot be loaded.
            let kind = if line.backend.is_some() { Kind::Usage } else { Kind::Configuration };
            let class = super::shown(&class);
            let what = "which only the Python keyring can load, and there is none on PATH";
            Error::new(kind, format!("{source} selects {class}, {what}"))
                .with_hint("install that keyring, or select no backend")
        }),
        BackendChoice::None => ask_all(world, call, line),
        choice => secret::with_backend(world, line, &choice).map(Ending::Code),
    }
}

/// Asks the index backends, then the next keyring or the store.
fn ask_all(world: &World<'_>, call: &Call, line: &KeyringArguments) -> Result<Ending> {
    let asked = line.service_text().map(|service| fingerprint(service.as_bytes()));
    let is_ours = line.operation == Operation::Get
        && world.system.setting(ASKED_VARIABLE) != asked
        && secret::index(world, line).is_some();
    let mut has_failed = false;
    if is_ours {
        let found = secret::from_index(world, line, None)?;
        if let Some(answer) = found.answer {
            return secret::answer(world, line, &answer).map(Ending::Code);
        }
        has_failed = found.has_failed;
    }
    let asked = asked.filter(|_| is_ours).map(|asked| (ASKED_VARIABLE.to_owned(), Secret::new(asked)));
    if let Some(ending) = pass_on(world, call, asked.into_iter().collect(), has_failed) {
        return Ok(ending);
    }
    if secret::has_store(world.system) {
        return secret::in_store(world, line).map(Ending::Code);
    }
    if line.operation == Operation::Get {
        return Ok(Ending::Code(FAILED));
    }
    Err(secret::no_store(world.system))
}

/// Replaces this process by the next keyring, with the same arguments; `None` if there is none. `has_failed`: a message
/// says why there is no credential, and a traceback would bury it.
fn pass_on(world: &World<'_>, call: &Call, variables: Vec<(String, Secret)>, has_failed: bool) -> Option<Ending> {
    let next = Next::find(world.system, &call.words)?;
    Some(Ending::Exec(next.exec(&call.words, variables, has_failed)))
}

/// Lists the backends of ringbearer, then the others of the next keyring.
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
