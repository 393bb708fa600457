//! What `ringbearer store` is asked to do.

use std::ffi::OsString;

use crate::{cli::arguments::Arguments, error::Result};

/// A command of the store.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StoreCommand {
    /// What to do.
    pub(in crate::cli) action: Action,
    /// Whether JSON is printed.
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

/// The source of imported records.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) enum Source {
    File(String),
    Keyring(Foreign),
}

/// Another keyring, and the records to import from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Foreign {
    /// The class of the backend, with its module.
    pub(crate) backend: String,
    /// Services and user names; if empty, all records that it can list.
    pub(crate) names: Vec<(String, String)>,
}

impl StoreCommand {
    /// Reads the command.
    pub(in crate::cli) fn read(arguments: &Arguments) -> Result<Self> {
        let drop_broken = arguments.has("drop-broken");
        let action = match arguments.command.name() {
            "init" => Action::Init { key: arguments.text("key")? },
            "status" => Action::Status,
            "list" => Action::List,
            "lock" => Action::Lock,
            "rotate" => Action::Relock { key: None, drop_broken },
            "rekey" => Action::Relock { key: arguments.text("key")?, drop_broken },
            "export" => Action::Export { file: file(arguments)? },
            _ => Action::Import { from: source(arguments)?, replace: arguments.has("replace") },
        };
        Ok(Self { action, json: arguments.has("json") })
    }
}

fn file(arguments: &Arguments) -> Result<String> {
    let file = arguments.operand_text("FILE")?;
    if file == "-" {
        return Err(arguments.usage_error(&"passwords are not read from a pipe or written to one: FILE cannot be `-`"));
    }
    Ok(file)
}

fn source(arguments: &Arguments) -> Result<Source> {
    let text = |value: &OsString| arguments.as_text(value);
    let mut names = Vec::new();
    for values in arguments.values("name") {
        if let [service, username] = values {
            names.push((text(service)?, text(username)?));
        }
    }
    match arguments.text("from-keyring")? {
        Some(backend) => Ok(Source::Keyring(Foreign { backend, names })),
        None if !names.is_empty() => Err(arguments.usage_error(&"--name requires --from-keyring")),
        None => file(arguments).map(Source::File),
    }
}
