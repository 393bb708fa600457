//! `get`, `set` and `del`, of `ringbearer` and of the native `keyring`: in keyring's words, with keyring's output and
//! exit codes.

use log::debug;
use zeroize::Zeroizing;

use super::{
    FAILED, World,
    keyring::{
        arguments::{Line, Operation},
        choice::Choice,
    },
    print,
};
use crate::{
    error::{Error, Kind, Result},
    keyring::Keyring,
    secret::SecretText,
    service::{MAX_SERVICE, Service},
    store::{is_in_use, longest_json_string, write_json_string},
    system::{System, agent::SOCKET_VARIABLE},
};

/// The longest password that is taken from standard input, in bytes.
const LONGEST_PASSWORD: usize = 64 * 1024 * 1024;

/// What a question is answered with.
pub(super) struct Answer {
    username: String,
    password: SecretText,
}

/// A command of `ringbearer`: it asks ringbearer's own backends and no others.
pub(super) fn run(world: &World<'_>, line: &Line) -> Result<u8> {
    match line.backend.as_ref().map(|_| Choice::read(world.system, line)) {
        Some(Choice::Foreign { class, .. }) => {
            return Err(Error::new(Kind::Usage, format!("{class} is no backend of ringbearer's"))
                .with_hint("`keyring -b BACKEND` asks others"));
        }
        None | Some(Choice::None) => {}
        Some(choice) => return by_choice(world, line, &choice),
    }
    match line.operation {
        Operation::Get => match from_index(world, line, None)? {
            Some(found) => answer(world, line, &found),
            None if has_store(world.system) => in_store(world, line),
            None => Ok(miss(world, line)),
        },
        _ => in_store(world, line),
    }
}

/// The operation by the backend of ringbearer's that was chosen, and no other.
pub(super) fn by_choice(world: &World<'_>, line: &Line, choice: &Choice) -> Result<u8> {
    match (choice, line.operation) {
        (Choice::Store, _) => in_store(world, line),
        (Choice::Index(class), Operation::Get) => match from_index(world, line, Some(class))? {
            Some(found) => answer(world, line, &found),
            None => Ok(miss(world, line)),
        },
        (_, Operation::Get) => Ok(miss(world, line)),
        (Choice::Index(class), _) => {
            Err(Error::new(Kind::Storage, format!("{class} gets its credentials from a service and stores none"))
                .with_hint("choose a backend that stores"))
        }
        _ => Err(no_store()),
    }
}

/// The service of a question that a registry claims.
pub(super) fn index(world: &World<'_>, line: &Line) -> Option<Service> {
    let service = line.service_text().filter(|service| service.len() <= MAX_SERVICE)?;
    let username = line.username.as_ref().map(|name| name.to_string_lossy());
    if !line.with_username && username.is_some_and(|name| name.starts_with("pypi_token:")) {
        // flit looks for a token of PyPI's under this name, and would send whatever it got as the user `__token__`.
        return None;
    }
    let service = Service::parse(service);
    world.memory.keyring.serves(&service).then_some(service)
}

/// The answer of the index backends, or of one of them. A failure is told, and no answer, unless RINGBEARER_STRICT
/// asks for more.
pub(super) fn from_index(world: &World<'_>, line: &Line, only: Option<&str>) -> Result<Option<Answer>> {
    let Some(service) = index(world, line) else { return Ok(None) };
    let username = line.username.as_ref().and_then(|name| name.to_str());
    let is_strict = Keyring::is_strict(|name| world.system.variable(name));
    let found = world.memory.keyring.get(world.system, &service, username, only, |error| {
        if is_strict {
            return Err(error);
        }
        // A cancelled command says nothing more.
        world.system.check().or_else(|over| if over.kind() == Kind::Cancelled { Err(over) } else { Ok(()) })?;
        world.console.eprint(&format!("ringbearer: {error}\n"));
        Ok(())
    })?;
    Ok(found.map(|(_, found)| Answer {
        username: found.username,
        password: SecretText::new(Zeroizing::new(found.password.expose().as_bytes().to_vec())),
    }))
}

/// The operation in the store, which is made by the first `set`.
pub(super) fn in_store(world: &World<'_>, line: &Line) -> Result<u8> {
    let (system, store) = (world.system, &world.memory.store);
    let names = line.service.to_str().zip(line.username.as_ref().map_or(Some(""), |name| name.to_str()));
    let Some((service, username)) = names else {
        return match line.operation {
            // What is no Unicode has no record.
            Operation::Get => Ok(miss(world, line)),
            _ => Err(Error::new(Kind::Usage, "a service and a user name in the store are text, and Unicode")),
        };
    };
    let outcome = match line.operation {
        Operation::Get => {
            let found = match line.username {
                Some(_) => store.get(system, service, username)?.map(|password| (username.to_owned(), password)),
                None => store.find(system, service)?,
            };
            return match found {
                Some((username, password)) => answer(world, line, &Answer { username, password }),
                None => Ok(miss(world, line)),
            };
        }
        Operation::Set => {
            let password = password(world, service, username)?;
            store.set(system, service, username, &password)
        }
        _ => store.delete(system, service, username),
    };
    match outcome {
        Ok(()) => Ok(super::DONE),
        // keyring knows one exit code for whatever fails.
        Err(error) if error.ends_the_lookup() => Err(error),
        Err(error) => {
            world.console.eprint(&format!("ringbearer: {error}\n"));
            Ok(FAILED)
        }
    }
}

/// The password for `set`: what comes through a pipe, without one line end, else what is typed.
fn password(world: &World<'_>, service: &str, username: &str) -> Result<SecretText> {
    let (text, whence) = if let Some(mut text) = world.console.read_piped(LONGEST_PASSWORD)? {
        if text.ends_with(b"\n") {
            text.pop();
            // Python's standard input has one character for a line end, where the system has two.
            if cfg!(windows) && text.ends_with(b"\r") {
                text.pop();
            }
        }
        if text.is_empty() {
            let error = Error::new(Kind::Usage, "there is no password on standard input");
            return Err(error.with_hint("pipe it in, or type it at a terminal"));
        }
        (text, "on standard input")
    } else {
        let prompt = format!("Password for '{}' in '{}': ", super::shown(username), super::shown(service));
        (world.console.prompt_hidden(&prompt, &|| world.system.check())?, "that was typed")
    };
    if std::str::from_utf8(&text).is_err() {
        return Err(Error::new(Kind::Usage, format!("the password {whence} is not UTF-8")));
    }
    Ok(SecretText::new(text))
}

/// Prints an answer as keyring does.
pub(super) fn answer(world: &World<'_>, line: &Line, found: &Answer) -> Result<u8> {
    let mut values = vec![("username", found.username.as_bytes()), ("password", found.password.expose())];
    if !line.with_username {
        values.remove(0);
    }
    let length = values.iter().map(|(_, value)| longest_json_string(value.len()) + 16).sum();
    let mut text = Zeroizing::new(Vec::with_capacity(length));
    if line.json {
        let mut separator: &[u8] = b"{\"";
        for (name, value) in values {
            text.extend_from_slice(&[separator, name.as_bytes(), b"\": "].concat());
            write_json_string(value, &mut text);
            separator = b", \"";
        }
        text.extend_from_slice(b"}\n");
    } else {
        for (_, value) in values {
            text.extend_from_slice(value);
            text.push(b'\n');
        }
    }
    let unprintable = || Error::new(Kind::Storage, "the password is not Unicode, and cannot be printed as it is");
    let text = std::str::from_utf8(&text).map_err(|_| unprintable().with_hint("--output json prints it"))?;
    print(world.console, text)
}

/// No answer: exit code 1 and nothing on standard output. A person learns where to go on.
fn miss(world: &World<'_>, line: &Line) -> u8 {
    debug!("no answer");
    if world.console.stderr_is_terminal() && index(world, line).is_some() {
        world.console.eprint("ringbearer: no credential; `ringbearer doctor URL` tells why\n");
    }
    FAILED
}

/// Whether an ssh-agent may be there. Windows' own needs no variable.
pub(super) fn has_agent(system: &dyn System) -> bool {
    cfg!(windows) || system.setting(SOCKET_VARIABLE).is_some()
}

/// Whether somebody set the store up, and an agent may be there to open it.
pub(super) fn has_store(system: &dyn System) -> bool {
    has_agent(system) && is_in_use(system)
}

/// Nothing here stores passwords.
pub(super) fn no_store() -> Error {
    Error::new(Kind::Storage, "nothing here stores passwords, and nothing was stored or deleted").with_hint(
        "make ringbearer's own store with `ringbearer store init`, which needs an ssh-agent (SSH_AUTH_SOCK), or install \
         another keyring: `uv tool install keyring`",
    )
}
