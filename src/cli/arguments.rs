//! From the words of `ringbearer` to a command.

use std::ffi::OsString;

use lexopt::prelude::{Long, Short, Value};

use super::{
    cache, complaint,
    completions::Shell,
    help,
    keyring::arguments::{Line, OPERATIONS, Operation},
    options,
    setup::Tool,
    store::{
        Foreign,
        arguments::{Action, Asked, Source, StoreCommand},
    },
};
use crate::error::{Error, Kind, Result};

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print this text.
    Help(&'static str),
    /// Print the version.
    Version,
    /// Do what `keyring` does.
    Keyring(Line),
    /// Show what answers a URL, and how tools would ask.
    Doctor {
        /// The URL.
        url: Option<OsString>,
        /// Whether a program reads the answer.
        json: bool,
    },
    /// Print a token, or write it to a file.
    Token {
        /// The index's URL.
        url: String,
        /// Where it goes instead of standard output.
        output_file: Option<OsString>,
    },
    /// Run a command with a token in its environment.
    Exec {
        /// The index's URL.
        url: Option<String>,
        /// The variable, in place of the usual ones.
        variable: Option<String>,
        /// The command and its arguments.
        command: Vec<OsString>,
    },
    /// Set a tool up for an index.
    Setup {
        /// The tool.
        tool: Tool,
        /// The index's URL.
        url: String,
        /// What the index is called.
        name: Option<String>,
        /// The file, in place of the usual one.
        file: Option<OsString>,
        /// Whether it is written.
        write: bool,
    },
    /// Show or forget the tokens that are kept in this login session.
    Cache(cache::Action),
    /// Print the completion for a shell.
    Completions(Shell),
    /// Do something with the store.
    Store(StoreCommand),
}

impl Command {
    /// The keyring that has to be read before this command can run.
    #[must_use]
    pub(crate) fn foreign(&self) -> Option<&Foreign> {
        match self {
            Self::Store(StoreCommand { action: Action::Import { from: Source::Keyring(foreign), .. }, .. }) => {
                Some(foreign)
            }
            _ => None,
        }
    }
}

/// Reads a command line, without the name of the program.
pub(crate) fn parse(words: Vec<OsString>) -> Result<Command> {
    if is_for_keyring(&words) {
        return read_keyring(&words);
    }
    let mut parser = lexopt::Parser::from_args(words);
    match parser.next().map_err(|error| usage(&error, help::PROGRAM))? {
        None | Some(Short('h') | Long("help")) => Ok(Command::Help(help::PROGRAM)),
        Some(Short('V') | Long("version")) => Ok(Command::Version),
        Some(Value(word)) if word == "help" => match parser.next() {
            Ok(Some(Value(word))) if word == "store" => Ok(Command::Help(match parser.next() {
                Ok(Some(Value(word))) => {
                    super::store::help::of(&word.to_string_lossy()).unwrap_or(super::store::help::STORE)
                }
                _ => super::store::help::STORE,
            })),
            Ok(Some(Value(word))) => help_of(&word.to_string_lossy()).map(Command::Help),
            _ => Ok(Command::Help(help::PROGRAM)),
        },
        Some(Value(word)) if word == "store" => Ok(match super::store::arguments::read(parser)? {
            Asked::Help(text) => Command::Help(text),
            Asked::Command(command) => Command::Store(command),
        }),
        Some(Value(word)) => {
            let name = word.to_string_lossy();
            let text = help_of(&name)?;
            let read = options::read(&name, parser).map_err(|error| usage(&error, text))?;
            Ok(read.unwrap_or(Command::Help(text)))
        }
        Some(other) => Err(usage(&other.unexpected(), help::PROGRAM)),
    }
}

/// Whether the words are those of `keyring`: its operations, or options of its in front of them.
fn is_for_keyring(words: &[OsString]) -> bool {
    words.iter().find(|word| *word != "--").and_then(|word| word.to_str()).is_some_and(|word| {
        matches!(word, "get" | "set" | "del")
            || ["-b", "-p", "--m", "--o", "--keyring-"].iter().any(|begin| word.starts_with(begin))
    })
}

fn read_keyring(words: &[OsString]) -> Result<Command> {
    let named = words.iter().find_map(|word| help::COMMANDS.iter().find(|(name, _)| word == name));
    let text = named.map_or(help::PROGRAM, |(_, text)| text);
    let line = super::keyring::arguments::read(words).map_err(|error| usage(&error.message(), text))?;
    match line.operation {
        Operation::Help => Ok(Command::Help(text)),
        Operation::Get | Operation::Set | Operation::Del => Ok(Command::Keyring(line)),
        Operation::ListBackends | Operation::OfPython => {
            let known: Vec<_> = OPERATIONS.iter().map(|(name, _)| *name).take(3).collect();
            Err(usage(&format!("of keyring's operations there are {}", known.join(", ")), help::PROGRAM))
        }
    }
}

fn help_of(name: &str) -> Result<&'static str> {
    help::COMMANDS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text).ok_or_else(|| unknown(name))
}

/// A command that is not there, and what may have been meant.
fn unknown(word: &str) -> Error {
    let error = Error::new(Kind::Usage, complaint(&format!("there is no command {word:?}")));
    let meant = help::COMMANDS.iter().map(|(name, _)| *name).filter(|name| is_like(word, name)).collect::<Vec<_>>();
    let meant = match word {
        "mint-token" => vec!["token"],
        "delete" | "remove" | "rm" => vec!["del"],
        "diagnose" | "check" | "status" => vec!["doctor"],
        _ => meant,
    };
    match meant[..] {
        [] => {
            let known: Vec<_> = help::COMMANDS.iter().map(|(name, _)| *name).collect();
            error.with_hint(format!("there are {}; `ringbearer --help` tells more", known.join(", ")))
        }
        _ => error.with_hint(format!("did you mean `{}`? `ringbearer --help` tells more", meant.join("` or `"))),
    }
}

/// Whether one word is another with a slip: a letter wrong, missing, added, or two exchanged; or its beginning.
fn is_like(word: &str, name: &str) -> bool {
    let (word, name): (Vec<_>, Vec<_>) = (word.chars().collect(), name.chars().collect());
    if word.len() >= 2 && name.starts_with(&word) {
        return true;
    }
    let same = |one: &[char], other: &[char]| one == other;
    let begin = word.iter().zip(&name).take_while(|(one, other)| one == other).count();
    let (word, name) = (&word[begin..], &name[begin..]);
    let rest = |letters: &'_ [char], from: usize| letters.get(from..).unwrap_or_default().to_vec();
    same(&rest(word, 1), &rest(name, 1))
        || same(&rest(word, 1), name)
        || same(word, &rest(name, 1))
        || (word.len() > 1 && name.len() > 1 && word[0] == name[1] && word[1] == name[0] && word[2..] == name[2..])
}

/// A complaint with the usage line of the help that it belongs to.
pub(super) fn usage(complaint: &dyn std::fmt::Display, help: &str) -> Error {
    let line = help.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap_or_default();
    // It may hold whatever was typed, however long.
    let complaint = super::complaint(&complaint.to_string());
    Error::new(Kind::Usage, complaint).with_hint(format!("usage: {line} (--help tells more)"))
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
        let all = help::COMMANDS.iter().map(|(_, text)| *text).chain([help::PROGRAM]);
        for text in all {
            assert!(text.contains("\nUsage: ringbearer ") && text.contains("\nExamples:\n  "), "{text}");
        }
        for line in ["", "help", "--help", "store", "store -h", "store rotate --help"] {
            assert!(matches!(read(line).unwrap(), Command::Help(_)), "{line}");
        }
    }
}
