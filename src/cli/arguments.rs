//! From the words of a command line to a command.

use std::ffi::OsString;

use lexopt::prelude::{Long, Short, Value};

use super::help;
use crate::error::{Error, Kind, Result};

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Print this text.
    Help(&'static str),
    /// Print the version.
    Version,
    /// Do something with the store.
    Store(StoreCommand),
}

/// A command of the store.
#[derive(Debug, PartialEq, Eq)]
pub struct StoreCommand {
    /// What to do.
    pub(super) action: Action,
    /// Whether a program reads the answer.
    pub(super) json: bool,
}

/// What to do with the store.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Init { key: Option<String> },
    Status,
    List,
    Lock,
    Relock { key: Option<String>, drop_broken: bool },
    Export { file: String },
    Import { from: Source, replace: bool },
}

/// Where records come from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    File(String),
    Keyring(Foreign),
}

/// Another keyring, and what to take from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// The class of the backend, with its module.
    pub backend: String,
    /// Services and user names; none means all that it can list.
    pub names: Vec<(String, String)>,
}

impl Command {
    /// The keyring that has to be read before this command can run.
    #[must_use]
    pub fn foreign(&self) -> Option<&Foreign> {
        match self {
            Self::Store(StoreCommand { action: Action::Import { from: Source::Keyring(foreign), .. }, .. }) => {
                Some(foreign)
            }
            _ => None,
        }
    }
}

/// Reads a command line, without the name of the program.
pub fn parse(words: Vec<OsString>) -> Result<Command> {
    read(lexopt::Parser::from_args(words))
}

fn read(mut parser: lexopt::Parser) -> Result<Command> {
    match parser.next().map_err(|error| usage(&error, help::PROGRAM))? {
        None | Some(Short('h') | Long("help")) => Ok(Command::Help(help::PROGRAM)),
        Some(Short('V') | Long("version")) => Ok(Command::Version),
        Some(Value(word)) if word == "store" => read_store(parser),
        Some(Value(word)) if word == "help" => {
            let of_store = parser.next().map_err(|error| usage(&error, help::PROGRAM))? == Some(Value("store".into()));
            Ok(Command::Help(if of_store { help::STORE } else { help::PROGRAM }))
        }
        Some(Value(word)) => Err(Error::new(Kind::Usage, format!("there is no command {:?}", word.to_string_lossy()))
            .with_hint("there is `store`; `ringbearer --help` tells more")),
        Some(other) => Err(usage(&other.unexpected(), help::PROGRAM)),
    }
}

fn read_store(mut parser: lexopt::Parser) -> Result<Command> {
    let name = match parser.next().map_err(|error| usage(&error, help::STORE))? {
        None | Some(Short('h') | Long("help")) => return Ok(Command::Help(help::STORE)),
        Some(Value(word)) if word == "help" => return Ok(Command::Help(help::STORE)),
        Some(Long("json")) => return Err(usage(&"--json stands behind the command", help::STORE)),
        Some(Value(word)) => word.to_string_lossy().into_owned(),
        Some(other) => return Err(usage(&other.unexpected(), help::STORE)),
    };
    let Some((_, text)) = help::STORE_COMMANDS.iter().find(|(known, _)| *known == name) else {
        let known: Vec<_> = help::STORE_COMMANDS.iter().map(|(name, _)| *name).collect();
        return Err(Error::new(Kind::Usage, format!("`ringbearer store` has no command {name:?}"))
            .with_hint(format!("it has {}; `ringbearer store --help` tells more", known.join(", "))));
    };
    let read = |parser| read_options(&name, parser);
    let options = read(parser).map_err(|error| usage(&error, text))?;
    let Some(options) = options else { return Ok(Command::Help(text)) };
    let json = options.json;
    let action = options.into_action(&name).map_err(|complaint| usage(&complaint, text))?;
    Ok(Command::Store(StoreCommand { action, json }))
}

/// Everything that a command of the store can be told.
#[derive(Default)]
struct Options {
    json: bool,
    key: Option<String>,
    drop_broken: bool,
    replace: bool,
    backend: Option<String>,
    names: Vec<(String, String)>,
    file: Option<String>,
}

fn read_options(command: &str, mut parser: lexopt::Parser) -> std::result::Result<Option<Options>, lexopt::Error> {
    use lexopt::ValueExt;
    let mut options = Options::default();
    while let Some(word) = parser.next()? {
        match word {
            Short('h') | Long("help") => return Ok(None),
            Long("json") => options.json = true,
            Long("key") if matches!(command, "init" | "rekey") => options.key = Some(parser.value()?.string()?),
            Long("drop-broken") if matches!(command, "rotate" | "rekey") => options.drop_broken = true,
            Long("replace") if command == "import" => options.replace = true,
            Long("from-keyring") if command == "import" => options.backend = Some(parser.value()?.string()?),
            Long("name") if command == "import" => {
                let service = parser.value()?.string()?;
                options.names.push((service, parser.value()?.string()?));
            }
            Value(file) if file == "-" => return Err("passwords go to files and come from files; name one".into()),
            Value(file) if matches!(command, "export" | "import") && options.file.is_none() => {
                options.file = Some(file.string()?);
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}

impl Options {
    fn into_action(self, command: &str) -> std::result::Result<Action, &'static str> {
        Ok(match command {
            "init" => Action::Init { key: self.key },
            "status" => Action::Status,
            "list" => Action::List,
            "lock" => Action::Lock,
            "rotate" => Action::Relock { key: None, drop_broken: self.drop_broken },
            "rekey" => Action::Relock {
                key: Some(self.key.ok_or("which key? name it with --key")?),
                drop_broken: self.drop_broken,
            },
            "export" => Action::Export { file: self.file.ok_or("to which file?")? },
            _ => {
                let from = match (self.backend, self.file) {
                    (Some(backend), None) => Source::Keyring(Foreign { backend, names: self.names }),
                    (None, Some(_)) if !self.names.is_empty() => return Err("--name goes with --from-keyring"),
                    (None, Some(file)) => Source::File(file),
                    _ => return Err("from where? name a file, or a backend with --from-keyring"),
                };
                Action::Import { from, replace: self.replace }
            }
        })
    }
}

/// A complaint with the usage line of the help that it belongs to.
fn usage(complaint: &dyn std::fmt::Display, help: &str) -> Error {
    let line = help.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap_or_default();
    Error::new(Kind::Usage, complaint.to_string()).with_hint(format!("usage: {line} (--help tells more)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command> {
        parse(line.split_whitespace().map(OsString::from).collect())
    }

    fn store(action: Action, json: bool) -> Command {
        Command::Store(StoreCommand { action, json })
    }

    #[test]
    fn options_stand_anywhere_after_their_command() {
        let key = Some("~/.ssh/id.pub".to_owned());
        assert_eq!(
            read("store rekey --json --key ~/.ssh/id.pub").unwrap(),
            store(Action::Relock { key: key.clone(), drop_broken: false }, true)
        );
        assert_eq!(
            read("store rekey --key=~/.ssh/id.pub --drop-broken").unwrap(),
            store(Action::Relock { key, drop_broken: true }, false)
        );
        let foreign =
            Foreign { backend: "a.B".into(), names: vec![("s".into(), "u".into()), ("t".into(), "v".into())] };
        let command = read("store import --name s u --from-keyring a.B --replace --name t v").unwrap();
        assert_eq!(command.foreign(), Some(&foreign));
        assert_eq!(command, store(Action::Import { from: Source::Keyring(foreign), replace: true }, false));
    }

    #[test]
    fn what_is_wrong_is_told_with_the_usage() {
        for (line, complaint) in [
            ("stor", "no command \"stor\""),
            ("store lst", "no command \"lst\""),
            ("store list --key x", "--key"),
            ("store rekey", "which key"),
            ("store export", "to which file"),
            ("store export a b", "unexpected argument \"b\""),
            ("store import", "from where"),
            ("store import a --from-keyring b", "from where"),
            ("store import a --name s u", "--from-keyring"),
            ("store import --name s", "missing argument"),
        ] {
            let error = read(line).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.to_string().contains(complaint), "{line}: {error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("--help")), "{line}: {error}");
        }
    }

    #[test]
    fn every_help_has_a_usage_line_and_an_example() {
        let all = help::STORE_COMMANDS.iter().map(|(_, text)| *text).chain([help::PROGRAM, help::STORE]);
        for text in all {
            assert!(text.contains("\nUsage: ringbearer ") && text.contains("\nExamples:\n  "), "{text}");
        }
        for line in ["", "help", "--help", "store", "store -h", "store rotate --help"] {
            assert!(matches!(read(line).unwrap(), Command::Help(_)), "{line}");
        }
    }
}
