//! What `ringbearer` is asked to do.

use std::ffi::OsString;

use super::{
    arguments::{Arguments, Parsed, parse as parse_arguments, usage_error},
    cache,
    completions::Shell,
    definitions::{Definition, RINGBEARER},
    keyring_arguments::{self, KeyringArguments, Operation},
    login::command::LoginCommand,
    setup::Tool,
    store::command::{Action, Foreign, Source, StoreCommand},
};
use crate::error::Result;

/// A command with its arguments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print the help of a command.
    Help(&'static Definition),
    /// Print the version.
    Version,
    /// `get`, `set` or `del`, as of `keyring`.
    Keyring(KeyringArguments),
    /// Sign in, list the logins, or forget them.
    Login(LoginCommand),
    /// Show what answers for a URL, and how tools would ask.
    Doctor {
        /// The URL.
        url: Option<OsString>,
        /// Whether JSON is printed.
        json: bool,
    },
    /// Print a token, or write it to a file.
    Token {
        /// The index's URL.
        url: String,
        /// The file to write, instead of standard output.
        output_file: Option<OsString>,
    },
    /// Run a command with a token in its environment.
    Exec {
        /// The index's URL.
        url: Option<String>,
        /// The variable to set, instead of those of the registry.
        variable: Option<String>,
        /// The command and its arguments.
        command: Vec<OsString>,
    },
    /// Print or write the settings of a tool for an index.
    Setup {
        /// The tool.
        tool: Tool,
        /// The index's URL.
        url: String,
        /// The name of the index.
        name: Option<String>,
        /// The settings file, instead of the default one.
        file: Option<OsString>,
        /// Whether to write the file.
        write: bool,
    },
    /// List or clear the tokens cached in this login session.
    Cache(cache::Action),
    /// Print the completions for a shell.
    Completions(Shell),
    /// A command of the store.
    Store(StoreCommand),
}

impl Command {
    /// The keyring that must be read before this command runs.
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
    if keyring_arguments::is_keyring(&words) {
        return read_keyring(&words);
    }
    match parse_arguments(words)? {
        Parsed::Help(command) => Ok(Command::Help(command)),
        Parsed::Version => Ok(Command::Version),
        Parsed::Command(arguments) => read(&arguments),
    }
}

fn read_keyring(words: &[OsString]) -> Result<Command> {
    let named = words.iter().find_map(|word| RINGBEARER.command(word.to_str()?));
    let command = named.unwrap_or(&RINGBEARER);
    let arguments = keyring_arguments::read(words, command)?;
    match arguments.operation {
        Operation::Help => Ok(Command::Help(command)),
        Operation::Get | Operation::Set | Operation::Del => Ok(Command::Keyring(arguments)),
        Operation::ListBackends | Operation::PythonOnly => {
            Err(usage_error(&RINGBEARER, &"of the operations of keyring, ringbearer has get, set and del"))
        }
    }
}

fn read(arguments: &Arguments) -> Result<Command> {
    let unknown = |name: &str| arguments.usage_error(&format!("unknown {name}"));
    let command = arguments.command;
    Ok(match command.path {
        "ringbearer login" => Command::Login(LoginCommand::read_login(arguments)?),
        "ringbearer logout" => Command::Login(LoginCommand::read_logout(arguments)?),
        "ringbearer doctor" => Command::Doctor { url: arguments.operand("URL"), json: arguments.has("json") },
        "ringbearer cache list" => Command::Cache(cache::Action::List { json: arguments.has("json") }),
        "ringbearer cache clear" => Command::Cache(cache::Action::Clear),
        "ringbearer token" => {
            Command::Token { url: arguments.operand_text("URL")?, output_file: arguments.value("output-file") }
        }
        "ringbearer exec" => Command::Exec {
            url: arguments.operand("URL").map(|url| arguments.as_text(&url)).transpose()?,
            variable: arguments.text("variable")?,
            command: arguments.command_line.clone(),
        },
        "ringbearer setup" => Command::Setup {
            tool: Tool::named(&arguments.operand_text("TOOL")?).ok_or_else(|| unknown("TOOL"))?,
            url: arguments.operand_text("URL")?,
            name: arguments.text("name")?,
            file: arguments.value("file"),
            write: arguments.has("write"),
        },
        "ringbearer completions" => {
            Command::Completions(Shell::named(&arguments.operand_text("SHELL")?).ok_or_else(|| unknown("SHELL"))?)
        }
        _ => Command::Store(StoreCommand::read(arguments)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

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
    fn errors_show_the_usage() {
        for (line, complaint) in [
            ("stor", "no command \"stor\""),
            ("store lst", "no command \"lst\""),
            ("store list --key x", "--key"),
            ("store rekey", "missing option --key"),
            ("store export", "missing argument FILE"),
            ("store export a b", "unexpected argument \"b\""),
            ("store export -", "FILE cannot be"),
            ("store import", "missing argument FILE, or --from-keyring"),
            ("store import a --from-keyring b", "cannot be used with FILE"),
            ("store import a --name s u", "--name requires --from-keyring"),
            ("store import --name s", "missing argument"),
            ("exec -- ", "missing command"),
            ("login --browser --device-code", "--browser cannot be used with --device-code"),
            ("login --list URL", "--list cannot be used with URL"),
            ("login --list --fresh", "--list cannot be used with --fresh"),
            ("login --account", "missing argument"),
            ("logout ada@contoso.example", "unexpected argument"),
            ("signin URL", "did you mean `login`"),
            ("sign-in URL", "did you mean `login`"),
            ("signout", "did you mean `logout`"),
            ("completions csh", "SHELL \"csh\" is not one of bash, zsh, fish, powershell"),
            ("token --jsno URL", "--jsno"),
        ] {
            let error = read(line).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.to_string().contains(complaint), "{line}: {error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("--help")), "{line}: {error}");
        }
    }

    #[test]
    fn each_command_reads_its_examples_and_its_help() {
        for command in RINGBEARER.tree() {
            for example in command.examples {
                let Some(words) = example.strip_prefix("ringbearer ") else { continue };
                let words = words.split(['|', '>']).next().unwrap_or_default();
                assert!(!matches!(read(words), Ok(Command::Help(_)) | Err(_)), "{example}");
            }
            let words = command.path.strip_prefix("ringbearer").unwrap_or_default();
            for line in [format!("{words} --help"), format!("{words} -h"), format!("help {words}")] {
                assert_eq!(read(&line), Ok(Command::Help(command)), "{line}");
            }
            if !command.commands.is_empty() {
                assert_eq!(read(words), Ok(Command::Help(command)), "{words}");
            }
        }
    }

    #[test]
    fn each_choice_of_the_table_is_known() {
        let choices = |name: &str| RINGBEARER.command(name).unwrap().operands[0].value.choices;
        assert!(choices("setup").iter().all(|tool| Tool::named(tool).is_some()));
        assert_eq!(choices("setup").len(), Tool::NAMES.len());
        assert!(choices("completions").iter().all(|shell| Shell::named(shell).is_some()));
    }
}
