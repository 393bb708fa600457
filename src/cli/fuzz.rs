//! Properties of the command line for arbitrary arguments. The target in `fuzz/` searches for a counterexample; the tests
//! here run the seeds.

use std::ffi::{OsStr, OsString};

use memchr::memmem;

use super::{
    cache,
    command::{Command, parse},
    definitions::KEYRING,
    help,
    keyring_arguments::{KeyringArguments, OPERATIONS, Operation, read},
    login::command::{LoginCommand, SignInOptions},
    setup::Tool,
    store::command::{Action, Foreign, Source, StoreCommand},
    tools,
};
use crate::{
    error::{Error, Kind},
    registry::sign_in::Method,
    system::fuzz::check_error,
};

/// A password in a URL, as people paste them.
const MARK: &str = "Mq7madeupMq9";
const URL_WITH_PASSWORD: &str = "https://ada:Mq7madeupMq9@packages.example.com/simple/";

/// Arguments of `ringbearer` and of `keyring`, one a line. What is accepted reads the same when it is written in full; the
/// error otherwise is one line without the password of a URL.
///
/// # Panics
///
/// If that does not hold.
pub fn arguments(lines: &[u8]) {
    let words: Vec<OsString> = lines.split(|byte| *byte == b'\n').map(word).collect();
    of_keyring(&words);
    of_ringbearer(words);
}

/// A program that may be a Windows launcher: the interpreter read from it is a part of it, and one printable line.
///
/// # Panics
///
/// If that does not hold.
pub fn launcher(program: &[u8]) {
    let Some(named) = tools::launcher::interpreter(program) else { return };
    assert!(program.starts_with(b"MZ") && memmem::find(program, named.as_bytes()).is_some(), "{named:?}");
    assert!(named == named.trim() && !named.is_empty() && !named.contains(char::is_control), "{named:?}");
}

/// An argument. `URL` in it stands for one with a password.
fn word(line: &[u8]) -> OsString {
    let Some((before, after)) = memmem::find(line, b"URL").map(|place| (&line[..place], &line[place + 3..])) else {
        return os_string(line);
    };
    os_string(&[before, URL_WITH_PASSWORD.as_bytes(), after].concat())
}

#[cfg(unix)]
fn os_string(bytes: &[u8]) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec())
}

#[cfg(not(unix))]
fn os_string(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}

fn of_keyring(words: &[OsString]) {
    match read(words, &KEYRING) {
        Ok(line) => check_line(&line),
        Err(error) => check_complaint(&error),
    }
}

fn check_line(line: &KeyringArguments) {
    if let Some(words) = words_of_line(line) {
        assert!(read(&words, &KEYRING).as_ref() == Ok(line), "{line:?} is not {words:?}");
    }
}

fn of_ringbearer(words: Vec<OsString>) {
    let command = match parse(words) {
        Ok(command) => command,
        Err(error) => return check_complaint(&error),
    };
    let written = match &command {
        Command::Help(command) => return assert!(help::text(command).contains("\nUsage: "), "{}", command.path),
        Command::Keyring(line) => words_of_line(line),
        command => Some(words_of(command)),
    };
    if let Some(words) = written {
        assert!(parse(words.clone()).as_ref() == Ok(&command), "{command:?} is not {words:?}");
    }
}

/// An error is about the arguments, refers to the help, and is short enough to read.
fn check_complaint(error: &Error) {
    assert_eq!(error.kind(), Kind::Usage, "{error}");
    check_error(error, &[MARK]);
    assert!(error.hint().is_some_and(|hint| hint.contains("--help")), "{error}");
    assert!(error.message().chars().count() < 500, "{error}");
}

/// The arguments in full; `None` if one operation stands for several options.
fn words_of_line(line: &KeyringArguments) -> Option<Vec<OsString>> {
    let (name, _) = OPERATIONS.iter().find(|(_, operation)| *operation == line.operation)?;
    if !matches!(line.operation, Operation::Get | Operation::Set | Operation::Del) {
        return None;
    }
    let mut words: Vec<OsString> = Vec::new();
    words.push(if line.with_username { "--mode=creds" } else { "--mode=password" }.into());
    words.push(if line.json { "--output=json" } else { "--output=plain" }.into());
    if let Some(backend) = &line.backend {
        // In an argument of its own it could not start with a hyphen; after `=` it must be Unicode.
        match backend.to_str() {
            Some(backend) => words.push(format!("--keyring-backend={backend}").into()),
            None => words.extend(["-b".into(), backend.clone()]),
        }
    }
    words.extend([OsString::from(name), "--".into(), line.service.clone()]);
    words.extend(line.username.clone());
    Some(words)
}

/// The arguments of a command, in full.
fn words_of(command: &Command) -> Vec<OsString> {
    let text = |texts: &[&str]| texts.iter().map(OsString::from).collect::<Vec<_>>();
    let mut words = Vec::new();
    match command {
        Command::Help(_) | Command::Keyring(_) => {}
        Command::Version => words = text(&["--version"]),
        Command::Completions(shell) => words = text(&["completions", &format!("{shell:?}").to_lowercase()]),
        Command::Cache(cache::Action::List { json }) => {
            words = text(&["cache", "list"]);
            words.extend(json.then(|| "--json".into()));
        }
        Command::Cache(cache::Action::Clear) => words = text(&["cache", "clear"]),
        Command::Login(command) => words_of_login(command, &mut words),
        Command::Doctor { url, json } => {
            words = text(&["doctor"]);
            words.extend(json.then(|| "--json".into()));
            words.push("--".into());
            words.extend(url.clone());
        }
        Command::Token { url, output_file } => {
            words = text(&["token"]);
            option(&mut words, "--output-file", output_file.as_deref());
            words.extend(text(&["--", url]));
        }
        Command::Exec { url, variable, command } => {
            words = text(&["exec"]);
            option(&mut words, "--variable", variable.as_deref().map(OsStr::new));
            words.extend(url.as_ref().map(OsString::from));
            words.push("--".into());
            words.extend(command.clone());
        }
        Command::Setup { tool, url, name, file, write } => {
            let named = Tool::NAMES.iter().find(|(_, known)| known == tool).map_or("", |(name, _)| name);
            words = text(&["setup"]);
            option(&mut words, "--name", name.as_deref().map(OsStr::new));
            option(&mut words, "--file", file.as_deref());
            words.extend(write.then(|| "--write".into()));
            words.extend(text(&["--", named, url]));
        }
        Command::Store(command) => words_of_store(command, &mut words),
    }
    words
}

fn words_of_login(command: &LoginCommand, words: &mut Vec<OsString>) {
    match command {
        LoginCommand::SignIn(SignInOptions { url, method, tenant, account, is_fresh, json }) => {
            words.push("login".into());
            words.extend(method.map(|method| match method {
                Method::Browser => "--browser".into(),
                Method::DeviceCode => "--device-code".into(),
            }));
            option(words, "--tenant", tenant.as_deref().map(OsStr::new));
            option(words, "--account", account.as_deref().map(OsStr::new));
            words.extend(is_fresh.then(|| "--fresh".into()));
            words.extend(json.then(|| "--json".into()));
            words.push("--".into());
            words.extend(url.as_ref().map(OsString::from));
        }
        LoginCommand::List { json } => {
            words.extend(["login".into(), "--list".into()]);
            words.extend(json.then(|| "--json".into()));
        }
        LoginCommand::SignOut { account } => {
            words.push("logout".into());
            option(words, "--account", account.as_deref().map(OsStr::new));
        }
    }
}

fn words_of_store(command: &StoreCommand, words: &mut Vec<OsString>) {
    let (name, operand) = match &command.action {
        Action::Init { .. } => ("init", None),
        Action::Status => ("status", None),
        Action::List => ("list", None),
        Action::Lock => ("lock", None),
        Action::Relock { key: None, .. } => ("rotate", None),
        Action::Relock { .. } => ("rekey", None),
        Action::Export { file } => ("export", Some(file)),
        Action::Import { from: Source::File(file), .. } => ("import", Some(file)),
        Action::Import { .. } => ("import", None),
    };
    words.extend(["store".into(), name.into()]);
    words.extend(command.json.then(|| "--json".into()));
    match &command.action {
        Action::Init { key } => option(words, "--key", key.as_deref().map(OsStr::new)),
        Action::Relock { key, drop_broken } => {
            option(words, "--key", key.as_deref().map(OsStr::new));
            words.extend(drop_broken.then(|| "--drop-broken".into()));
        }
        Action::Import { from, replace } => {
            words.extend(replace.then(|| "--replace".into()));
            if let Source::Keyring(Foreign { backend, names }) = from {
                option(words, "--from-keyring", Some(OsStr::new(backend)));
                for (service, username) in names {
                    words.extend(["--name".into(), service.into(), username.into()]);
                }
            }
        }
        Action::Status | Action::List | Action::Lock | Action::Export { .. } => {}
    }
    words.extend(operand.map(|_| "--".into()));
    words.extend(operand.map(OsString::from));
}

/// An option with its value in an argument of its own, which may start with a hyphen.
fn option(words: &mut Vec<OsString>, name: &str, value: Option<&OsStr>) {
    words.extend(value.into_iter().flat_map(|value| [name.into(), value.to_owned()]));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::fuzz::seeds;

    #[test]
    fn the_seeds_hold() {
        for seed in seeds("arguments") {
            arguments(&seed);
        }
    }

    proptest! {
        #[test]
        fn accepted_arguments_read_the_same_in_full(words in proptest::collection::vec(prop::sample::select(vec![
            "get", "set", "del", "-b", "--mode", "creds", "--mode=creds", "--output=json", "--", "-x", "--json", "-h", "store",
            "init", "rekey", "rotate", "import", "export", "--key", "k", "--key=k", "--name", "--from-keyring", "a.B", "token",
            "--output-file", "login", "logout", "--browser", "--device-code", "--account", "--list", "exec", "--variable", "setup", "pip", "--write", "doctor", "completions", "zsh", "URL", "", "-",
        ]), 0..9)) {
            arguments(words.join("\n").as_bytes());
        }
    }
}
