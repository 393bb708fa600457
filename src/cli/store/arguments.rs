//! The words behind `ringbearer store`.

use lexopt::prelude::{Long, Short, Value};

use super::help;
use crate::{
    cli::{arguments::usage, complaint},
    error::{Error, Kind, Result},
};

/// What the words ask for.
pub(in crate::cli) enum Asked {
    /// A text.
    Help(&'static str),
    /// Something to do.
    Command(StoreCommand),
}

/// A command of the store.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StoreCommand {
    /// What to do.
    pub(in crate::cli) action: Action,
    /// Whether a program reads the answer.
    pub(in crate::cli) json: bool,
}

/// What to do with the store.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) enum Action {
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
pub(in crate::cli) enum Source {
    File(String),
    Keyring(Foreign),
}

/// Another keyring, and what to take from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Foreign {
    /// The class of the backend, with its module.
    pub(crate) backend: String,
    /// Services and user names; none means all that it can list.
    pub(crate) names: Vec<(String, String)>,
}

/// Reads them.
pub(in crate::cli) fn read(mut parser: lexopt::Parser) -> Result<Asked> {
    let name = match parser.next().map_err(|error| usage(&error, help::STORE))? {
        None | Some(Short('h') | Long("help")) => return Ok(Asked::Help(help::STORE)),
        Some(Value(word)) if word == "help" => return Ok(Asked::Help(help::STORE)),
        Some(Long("json")) => return Err(usage(&"--json stands behind the command", help::STORE)),
        Some(Value(word)) => word.to_string_lossy().into_owned(),
        Some(other) => return Err(usage(&other.unexpected(), help::STORE)),
    };
    let Some((_, text)) = help::COMMANDS.iter().find(|(known, _)| *known == name) else {
        let known: Vec<_> = help::COMMANDS.iter().map(|(name, _)| *name).collect();
        return Err(Error::new(Kind::Usage, complaint(&format!("`ringbearer store` has no command {name:?}")))
            .with_hint(format!("it has {}; `ringbearer store --help` tells more", known.join(", "))));
    };
    let read = |parser| read_options(&name, parser);
    let options = read(parser).map_err(|error| usage(&error, text))?;
    let Some(options) = options else { return Ok(Asked::Help(text)) };
    let json = options.json;
    let action = options.into_action(&name).map_err(|complaint| usage(&complaint, text))?;
    Ok(Asked::Command(StoreCommand { action, json }))
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
