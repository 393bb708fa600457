//! `get`, `set` and `del` of `ringbearer` and of the native `keyring`, with the output and exit codes of keyring.

use log::debug;
use zeroize::Zeroizing;

use super::{
    FAILED, World,
    backend_choice::BackendChoice,
    keyring_arguments::{KeyringArguments, Operation},
    print,
};
use crate::{
    error::{Error, Kind, Result},
    keyring::Keyring,
    secret::SecretText,
    service::{MAX_SERVICE, Service},
    store::{is_in_use, longest_json_string, write_json_string},
    system::{Platform, System, agent::SOCKET_VARIABLE},
};

/// The maximum length of a password on standard input, in bytes.
const PASSWORD_CAP: usize = 64 * 1024 * 1024;

/// A user name and a password to print.
pub(super) struct Answer {
    username: String,
    password: SecretText,
}

/// The outcome of asking the index backends.
pub(super) struct FromIndex {
    /// Their answer.
    pub(super) answer: Option<Answer>,
    /// Whether a failure was printed.
    pub(super) has_failed: bool,
}

/// Runs a command of `ringbearer`, which asks only the backends of ringbearer.
pub(super) fn run(world: &World<'_>, line: &KeyringArguments) -> Result<u8> {
    match line.backend.as_ref().map(|_| BackendChoice::read(world.system, line)) {
        Some(BackendChoice::Foreign { class, .. }) => {
            return Err(Error::new(Kind::Usage, format!("{class} is not a backend of ringbearer"))
                .with_hint("`keyring -b BACKEND` asks others"));
        }
        None | Some(BackendChoice::None) => {}
        Some(choice) => return with_backend(world, line, &choice),
    }
    match line.operation {
        Operation::Get => match from_index(world, line, None)?.answer {
            Some(found) => answer(world, line, &found),
            None if has_store(world.system) => in_store(world, line),
            None => Ok(miss(world, line)),
        },
        _ => in_store(world, line),
    }
}

/// Runs the operation with the selected backend of ringbearer.
pub(super) fn with_backend(world: &World<'_>, line: &KeyringArguments, choice: &BackendChoice) -> Result<u8> {
    match (choice, line.operation) {
        (BackendChoice::Store, _) => in_store(world, line),
        (BackendChoice::Index(class), Operation::Get) => match from_index(world, line, Some(class))?.answer {
            Some(found) => answer(world, line, &found),
            None => Ok(miss(world, line)),
        },
        (_, Operation::Get) => Ok(miss(world, line)),
        (BackendChoice::Index(class), _) => {
            Err(Error::new(Kind::Storage, format!("{class} gets credentials from a service and stores none"))
                .with_hint("select a backend that stores passwords"))
        }
        _ => Err(no_store(world.system)),
    }
}

/// The service of a request that a registry claims.
pub(super) fn index(world: &World<'_>, line: &KeyringArguments) -> Option<Service> {
    let service = line.service_text().filter(|service| service.len() <= MAX_SERVICE)?;
    let username = line.username.as_ref().map(|name| name.to_string_lossy());
    if !line.with_username && username.is_some_and(|name| name.starts_with("pypi_token:")) {
        // flit looks up a PyPI token under this user name, and would send any answer as the user `__token__`.
        return None;
    }
    let service = Service::parse(service);
    world.memory.keyring.serves(world.system, &service).then_some(service)
}

/// The answer of the index backends, or of one of them. A failure is printed and counts as no answer, unless
/// RINGBEARER_STRICT is set.
pub(super) fn from_index(world: &World<'_>, line: &KeyringArguments, only: Option<&str>) -> Result<FromIndex> {
    let mut has_failed = false;
    let Some(service) = index(world, line) else { return Ok(FromIndex { answer: None, has_failed }) };
    let username = line.username.as_ref().filter(|_| !line.with_username).map(|name| name.to_string_lossy());
    let is_strict = Keyring::is_strict(|name| world.system.variable(name));
    let found = world.memory.keyring.get(world.system, &service, username.as_deref(), only, |error| {
        if is_strict {
            return Err(error);
        }
        // A cancelled command says nothing more.
        world.system.check().or_else(|over| if over.kind() == Kind::Cancelled { Err(over) } else { Ok(()) })?;
        world.console.eprint(&format!("ringbearer: {}\n", error.warning()));
        has_failed = true;
        Ok(())
    })?;
    let answer = found.map(|(_, found)| Answer {
        username: found.username,
        password: SecretText::new(Zeroizing::new(found.password.expose().as_bytes().to_vec())),
    });
    Ok(FromIndex { answer, has_failed })
}

/// Runs the operation in the store; the first `set` creates it.
pub(super) fn in_store(world: &World<'_>, line: &KeyringArguments) -> Result<u8> {
    let (system, store) = (world.system, &world.memory.store);
    let names = line.service.to_str().zip(line.username.as_ref().map_or(Some(""), |name| name.to_str()));
    let Some((service, username)) = names else {
        return match line.operation {
            // The names of records are Unicode.
            Operation::Get => Ok(miss(world, line)),
            _ => Err(Error::new(Kind::Usage, "services and user names in the store must be Unicode")),
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
        // keyring has one exit code for all failures.
        Err(error) if error.ends_the_lookup() => Err(error),
        Err(error) => {
            world.console.eprint(&format!("ringbearer: {error}\n"));
            Ok(FAILED)
        }
    }
}

/// The password for `set`: standard input without one trailing line end or, at a terminal, what is typed.
fn password(world: &World<'_>, service: &str, username: &str) -> Result<SecretText> {
    let (text, source) = if let Some(mut text) = world.console.read_piped(PASSWORD_CAP)? {
        if text.ends_with(b"\n") {
            text.pop();
            // Python translates CR LF on standard input to LF.
            if cfg!(windows) && text.ends_with(b"\r") {
                text.pop();
            }
        }
        if text.is_empty() {
            let error = Error::new(Kind::Usage, "there is no password on standard input");
            return Err(error.with_hint("pipe the password in, or type it at a terminal"));
        }
        (text, "on standard input")
    } else {
        let prompt = format!("Password for '{}' in '{}': ", super::shown(username), super::shown(service));
        (world.console.prompt_hidden(&prompt, &|| world.system.check())?, "that was typed")
    };
    if std::str::from_utf8(&text).is_err() {
        return Err(Error::new(Kind::Usage, format!("the password {source} is not UTF-8")));
    }
    Ok(SecretText::new(text))
}

/// Prints an answer in the format of keyring.
pub(super) fn answer(world: &World<'_>, line: &KeyringArguments, found: &Answer) -> Result<u8> {
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
    let unprintable = || Error::new(Kind::Storage, "the password is not Unicode and cannot be printed as text");
    let text = std::str::from_utf8(&text).map_err(|_| unprintable().with_hint("--output json prints it"))?;
    print(world.console, text)
}

/// No answer: exit code 1 and no output, except for a hint at a terminal.
fn miss(world: &World<'_>, line: &KeyringArguments) -> u8 {
    debug!("no answer");
    if world.console.stderr_is_terminal() && index(world, line).is_some() {
        world.console.eprint("ringbearer: no credential; `ringbearer doctor URL` shows why\n");
    }
    FAILED
}

/// Whether there may be an ssh-agent. The agent of Windows needs no variable.
pub(super) fn has_agent(system: &dyn System) -> bool {
    system.platform() == Platform::Windows || system.setting(SOCKET_VARIABLE).is_some()
}

/// Whether the store is set up, and there may be an agent to unlock it.
pub(super) fn has_store(system: &dyn System) -> bool {
    has_agent(system) && is_in_use(system)
}

/// The error if nothing stores passwords.
pub(super) fn no_store(system: &dyn System) -> Error {
    let agent = match system.platform() {
        Platform::Windows => "the service ssh-agent (`Start-Service ssh-agent`)",
        Platform::Linux | Platform::MacOs => "an ssh-agent (SSH_AUTH_SOCK)",
    };
    Error::new(Kind::Storage, "no backend stores passwords: nothing was stored or deleted").with_hint(format!(
        "`ringbearer store init` creates a store, with {agent}; `uv tool install keyring` installs another keyring"
    ))
}
