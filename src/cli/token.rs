//! `token` and `exec`: a token for programs that ask no keyring, such as a build in a container.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{DONE, Ending, World, indexes::served, print, shown_path};
use crate::{
    error::{Error, Kind, Result},
    keyring::{Candidate, Keyring},
    registry::{Credential, ExecVariables},
    service::Service,
    system::{io_message, process::Exec},
    tools::{pip::Pip, uv::Uv},
};

/// The exit codes of shells for a command that is missing or cannot be run (POSIX, section 2.8.2).
const NOT_FOUND: u8 = 127;
const CANNOT_RUN: u8 = 126;

/// Prints the token for a URL, or writes it to a file.
pub(super) fn token(world: &World<'_>, url: &str, output_file: Option<&OsStr>) -> Result<u8> {
    let (_, credential) = credential(world, &Service::parse(url))?;
    let Some(file) = output_file else {
        let line = Zeroizing::new(format!("{}\n", credential.password.expose()));
        return print(world.console, &line);
    };
    let path = Path::new(file);
    let unwritable = |why: &str| Error::new(Kind::Storage, format!("{} cannot be written: {why}", shown_path(path)));
    let system = world.system;
    let write = || {
        let target = system.write_destination(path)?;
        if system.details(&target).is_ok_and(|details| !details.is_file) {
            return Err(std::io::Error::other("not a regular file"));
        }
        let expected = system.stamp(&target)?;
        system.replace(&target, &|file| file.write_all(credential.password.expose().as_bytes()), expected.as_ref())
    };
    // Of concurrent writers the last one wins.
    loop {
        match write() {
            Ok(true) => return Ok(DONE),
            Ok(false) => system.check()?,
            Err(error) => return Err(unwritable(&io_message(&error))),
        }
    }
}

/// Runs a command with the token for a URL in its environment.
pub(super) fn exec(
    world: &World<'_>,
    url: Option<&str>,
    variable: Option<&str>,
    command: &[OsString],
) -> Result<Ending> {
    if let Some(name) = variable.filter(|name| !is_variable(name)) {
        return Err(Error::new(Kind::Usage, format!("{name:?} is not the name of a variable")));
    }
    let Some((name, arguments)) = command.split_first() else {
        return Err(Error::new(Kind::Usage, "which command?"));
    };
    // A command that cannot be run needs no token.
    let program = match find(world, name) {
        Ok(program) => program,
        Err((code, why)) => {
            world.console.eprint(&format!("ringbearer: {}: {why}\n", shown_path(name)));
            return Ok(Ending::Code(code));
        }
    };
    let service = url.map_or_else(|| only_one(world), |url| Ok(Service::parse(url)))?;
    let (candidate, credential) = credential(world, &service)?;
    let variables = match variable {
        Some(name) => vec![(name, credential.password.clone())],
        None => ExecVariables::of(candidate.registry, &service, &credential),
    };
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(Ending::Exec(Exec {
        program,
        arguments: arguments.to_vec(),
        variables,
        failure_code: CANNOT_RUN,
        filters_stderr: false,
    }))
}

/// The credential for a URL. Without one it is an error: that of the first registry that failed, if one did.
fn credential<'all>(world: &World<'all>, service: &Service) -> Result<(&'all Candidate, Credential)> {
    let host = service.host().unwrap_or("this");
    if !world.memory.keyring.serves(world.system, service) {
        return Err(Error::new(
            Kind::Configuration,
            format!("{host} is not an index that ringbearer serves over https"),
        )
        .with_hint("run `ringbearer doctor URL` for details"));
    }
    let is_strict = Keyring::is_strict(|name| world.system.variable(name));
    let mut failures = Vec::new();
    let found = world.memory.keyring.get(world.system, service, None, None, |error| {
        if is_strict {
            return Err(error);
        }
        failures.push(error);
        Ok(())
    })?;
    if found.is_some() {
        for error in &failures {
            world.console.eprint(&format!("ringbearer: {error}\n"));
        }
    }
    found.ok_or_else(|| {
        failures.into_iter().next().unwrap_or_else(|| {
            Error::new(Kind::NotConfigured, format!("no credential for {host}: nothing is configured for it"))
                .with_hint("`ringbearer doctor URL` shows what was looked for")
        })
    })
}

/// The only index that pip or uv is configured with for this user. The project in the working directory does not count.
fn only_one(world: &World<'_>) -> Result<Service> {
    let (pip, uv) = (Pip::read(world.system), Uv::read(world.system, false));
    let found = served(world, uv.indexes.iter().chain(&pip.indexes));
    match &found[..] {
        [only] => Ok(only.service()),
        [] => Err(Error::new(Kind::Usage, "which index? pip and uv are configured with none that ringbearer serves")
            .with_hint("ringbearer exec URL -- COMMAND")),
        _ => {
            let urls: Vec<_> =
                found.iter().filter_map(|index| index.service().url().map(ToString::to_string)).collect();
            Err(Error::new(Kind::Usage, format!("which index? pip and uv are configured with {}", urls.join(" and ")))
                .with_hint("ringbearer exec URL -- COMMAND"))
        }
    }
}

/// The program of a name or path; otherwise the exit code and reason of shells.
fn find(world: &World<'_>, name: &OsStr) -> std::result::Result<PathBuf, (u8, &'static str)> {
    let path = Path::new(name);
    if path.components().count() > 1 || path.has_root() {
        return match world.system.real_path(path) {
            Err(_) => Err((NOT_FOUND, "no such file")),
            Ok(real) if world.system.program_at(&real).is_some() => Ok(path.to_owned()),
            Ok(_) => Err((CANNOT_RUN, "not executable")),
        };
    }
    let found = name.to_str().and_then(|name| world.system.find_program(name));
    found.ok_or((NOT_FOUND, "not found on PATH"))
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}
