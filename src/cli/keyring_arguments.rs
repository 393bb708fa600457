//! Reads the arguments of `keyring`, and of `get`, `set` and `del` of `ringbearer`, as the argparse of keyring 25.7 does:
//! options anywhere, abbreviated where that is unambiguous.
//!
//! Python before 3.12.8 and 3.13.1 accepts no operand behind an option that follows the operation (`get --mode creds
//! SERVICE`); later versions do, and so does this module.
//! <https://github.com/jaraco/keyring/blob/v25.7.0/keyring/cli.py>,
//! <https://docs.python.org/3/library/argparse.html#argument-abbreviations-prefix-matching>

use std::ffi::{OsStr, OsString};

use super::{
    arguments::usage_error,
    definitions::{Definition, HELP, KEYRING, LIST_BACKENDS, OptionDefinition},
};
use crate::error::Result;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// Print a password, or a user name and a password.
    Get,
    /// Store a password.
    Set,
    /// Delete a password.
    Del,
    /// `diagnose`, `--disable` or `--print-completion`, which only the Python keyring has.
    PythonOnly,
    /// List the backends.
    ListBackends,
    /// Print the help.
    Help,
}

/// A command line of keyring's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyringArguments {
    /// What to do.
    pub(super) operation: Operation,
    /// The service; empty only if the operation takes none.
    pub(super) service: OsString,
    /// The user name; optional only for `get --mode creds`.
    pub(super) username: Option<OsString>,
    /// Whether the user name is printed too.
    pub(super) with_username: bool,
    /// Whether JSON is printed.
    pub(super) json: bool,
    /// The class name of the only backend to ask.
    pub(super) backend: Option<OsString>,
}

impl KeyringArguments {
    /// The service as text, which every index backend requires.
    pub(super) fn service_text(&self) -> Option<&str> {
        self.service.to_str()
    }
}

/// The operations by their names.
pub(super) const OPERATIONS: [(&str, Operation); 4] =
    [("get", Operation::Get), ("set", Operation::Set), ("del", Operation::Del), ("diagnose", Operation::PythonOnly)];

/// An argument, as argparse classifies it.
enum Argument {
    Operand,
    /// An option, and the value in the same argument.
    Option(&'static OptionDefinition, Option<OsString>),
    UnknownOption,
}

/// Whether the first argument of `ringbearer` starts a command line of keyring's: an operation, or an option of keyring's.
pub(super) fn is_keyring(words: &[OsString]) -> bool {
    let Some(first) = words.iter().find(|word| *word != "--") else { return false };
    let is_operation = OPERATIONS.iter().take(3).any(|(name, _)| first == name);
    is_operation
        || match classify(first) {
            Ok(Argument::Option(option, _)) => option.long != HELP.long,
            Ok(_) => false,
            Err(_) => true,
        }
}

/// Reads a command line, without the name of the program. `command` is the one whose usage an error shows.
pub(super) fn read(words: &[OsString], command: &'static Definition) -> Result<KeyringArguments> {
    read_words(words).map_err(|message| usage_error(command, &message))
}

fn read_words(words: &[OsString]) -> Outcome<KeyringArguments> {
    let mut given = Given::default();
    let mut words = words.iter().peekable();
    let mut only_operands = false;
    while let Some(word) = words.next() {
        if !only_operands && word == "--" {
            only_operands = true;
            continue;
        }
        let argument = if only_operands { Argument::Operand } else { classify(word)? };
        match argument {
            Argument::Operand => given.operand(word)?,
            Argument::UnknownOption => given.surplus(word),
            Argument::Option(option, None) if option.long == HELP.long => return Ok(given.arguments(Operation::Help)),
            Argument::Option(option, value) if option.values.is_empty() => match value {
                None => given.option(option, OsStr::new(""))?,
                Some(value) => {
                    let value = value.to_string_lossy();
                    return Err(format!("argument --{}: ignored explicit argument {value:?}", option.long));
                }
            },
            Argument::Option(option, Some(value)) => given.option(option, &value)?,
            Argument::Option(option, None) => {
                let value = match words.peek() {
                    Some(value) if *value != "--" && matches!(classify(value)?, Argument::Operand) => words.next(),
                    _ => None,
                };
                let missing = || format!("argument --{}: expected one argument", option.long);
                given.option(option, value.ok_or_else(missing)?)?;
            }
        }
    }
    given.finish()
}

/// A result, or what is wrong with the arguments.
type Outcome<T> = std::result::Result<T, String>;

/// What has been read so far.
#[derive(Default)]
struct Given {
    backend: Option<OsString>,
    with_username: bool,
    json: bool,
    /// The operation that an option stands for.
    from_option: Option<Operation>,
    operation: Option<(&'static str, Operation)>,
    operands: Vec<OsString>,
    unknown: Vec<String>,
}

impl Given {
    fn operand(&mut self, word: &OsStr) -> Outcome<()> {
        if self.operation.is_some() {
            if self.operands.len() < 2 {
                self.operands.push(word.to_owned());
            } else {
                self.surplus(word);
            }
            return Ok(());
        }
        self.operation = OPERATIONS.iter().find(|(known, _)| word == *known).copied();
        if self.operation.is_none() {
            let known: Vec<_> = OPERATIONS.iter().map(|(name, _)| *name).collect();
            let word = word.to_string_lossy();
            return Err(format!("argument operation: invalid choice {word:?}, choose from {}", known.join(", ")));
        }
        Ok(())
    }

    fn option(&mut self, option: &OptionDefinition, value: &OsStr) -> Outcome<()> {
        let choices = option.values.iter().flat_map(|value| value.choices);
        if choices.clone().count() > 0 && !choices.clone().any(|choice| value == *choice) {
            let (value, choices) = (value.to_string_lossy(), choices.copied().collect::<Vec<_>>().join(", "));
            return Err(format!("argument --{}: invalid choice {value:?}, choose from {choices}", option.long));
        }
        match option.long {
            "keyring-backend" => self.backend = Some(value.to_owned()),
            "mode" => self.with_username = value == "creds",
            "output" => self.json = value == "json",
            "disable" => self.from_option = self.from_option.or(Some(Operation::PythonOnly)),
            // argparse prints the completion as soon as it reads the option.
            "print-completion" => self.from_option = Some(Operation::PythonOnly),
            long if long == LIST_BACKENDS.long => self.from_option = Some(Operation::ListBackends),
            _ => {}
        }
        Ok(())
    }

    fn surplus(&mut self, word: &OsStr) {
        self.unknown.push(word.to_string_lossy().into_owned());
    }

    fn arguments(self, operation: Operation) -> KeyringArguments {
        let mut operands = self.operands.into_iter();
        KeyringArguments {
            operation,
            service: operands.next().unwrap_or_default(),
            username: operands.next(),
            with_username: self.with_username,
            json: self.json,
            backend: self.backend,
        }
    }

    fn finish(self) -> Outcome<KeyringArguments> {
        if !self.unknown.is_empty() {
            return Err(format!("unrecognized arguments: {}", self.unknown.join(" ")));
        }
        let Some(operation) = self.from_option.or(self.operation.map(|(_, operation)| operation)) else {
            return Err("missing operation: get, set, del or diagnose".to_owned());
        };
        let required: &[&str] = match operation {
            Operation::Get if self.with_username => &["SERVICE"],
            Operation::Get | Operation::Set | Operation::Del => &["SERVICE", "USER"],
            _ => &[],
        };
        if self.operands.len() < required.len() {
            let name = self.operation.map_or("", |(name, _)| name);
            return Err(format!("{name} requires {}", required.join(" and ")));
        }
        Ok(self.arguments(operation))
    }
}

/// Classifies an argument as argparse does: by its first character, the known options, spaces and numbers.
fn classify(word: &OsStr) -> Outcome<Argument> {
    let bytes = word.as_encoded_bytes();
    if bytes.first() != Some(&b'-') || bytes.len() == 1 {
        return Ok(Argument::Operand);
    }
    let Some(text) = word.to_str() else { return Ok(Argument::UnknownOption) };
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(OsString::from(value))),
        None => (text, None),
    };
    if let Some(long) = name.strip_prefix("--") {
        if let Some(option) = KEYRING.all_options().find(|option| option.long == long) {
            return Ok(Argument::Option(option, value));
        }
        let candidates: Vec<_> = KEYRING.all_options().filter(|option| option.long.starts_with(long)).collect();
        match candidates[..] {
            [option] => return Ok(Argument::Option(option, value)),
            [] => {}
            _ => {
                let names: Vec<_> = candidates.iter().map(|option| format!("--{}", option.long)).collect();
                return Err(format!("ambiguous option: {name} could be {}", names.join(", ")));
            }
        }
    } else if let Some(letter) = text[1..].chars().next()
        && let Some(option) = KEYRING.all_options().find(|option| option.short == Some(letter))
    {
        let rest = &text[2..];
        // `-b=X` is `-b X`; `-bX` is too.
        let value = value.filter(|_| rest.starts_with('=')).or_else(|| (!rest.is_empty()).then(|| rest.into()));
        return Ok(Argument::Option(option, value));
    }
    let is_operand = is_negative_number(text) || text.contains(' ');
    Ok(if is_operand { Argument::Operand } else { Argument::UnknownOption })
}

/// `-5`, `-.5` and `-1.5`.
fn is_negative_number(text: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let Some(number) = text.strip_prefix('-') else { return false };
    match number.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction) && !fraction.is_empty(),
        None => digits(number) && !number.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn line(text: &str) -> Result<KeyringArguments> {
        let words: Vec<_> = text.split_whitespace().map(OsString::from).collect();
        read(&words, &KEYRING)
    }

    #[test]
    fn the_words_of_each_caller_are_understood() {
        for text in [
            "get URL USER",
            "get URL --mode creds",
            "--mode=creds --output=json get URL",
            "--mode=creds --output=json get URL USER",
            "get URL USER --mode creds",
            "get --mode creds URL",
            "--m creds get URL",
        ] {
            let line = line(text).unwrap();
            assert_eq!((line.operation, line.service_text()), (Operation::Get, Some("URL")), "{text}");
            assert_eq!(line.with_username, text.contains("creds"), "{text}");
            assert_eq!(line.json, text.contains("json"), "{text}");
        }
        let words = ["get", "URL", "", "--mode", "creds"].map(OsString::from);
        assert_eq!(read(&words, &KEYRING).unwrap().username, Some(OsString::new()));
    }

    #[test]
    fn what_argparse_refuses_is_refused() {
        for text in [
            "",
            "get",
            "get URL",
            "--mode creds get",
            "--mode crads get URL",
            "--mode get URL USER",
            "get URL USER more",
            "get URL USER --unknown",
            "gets URL USER",
            "--keyring x get URL USER",
            "--disable=1",
            "get URL USER --mode",
        ] {
            assert_eq!(line(text).unwrap_err().kind(), Kind::Usage, "{text}");
        }
    }

    #[test]
    fn words_that_look_like_options_may_be_operands() {
        let words = ["get", "--", "-x", "--mode"].map(OsString::from);
        let line = read(&words, &KEYRING).unwrap();
        assert_eq!((line.service_text(), line.username.as_deref()), (Some("-x"), Some(OsStr::new("--mode"))));
        let words = ["get", "-1.5", "-a b"].map(OsString::from);
        assert_eq!(read(&words, &KEYRING).unwrap().service_text(), Some("-1.5"));
    }

    #[test]
    fn the_backend_is_read_in_every_spelling() {
        for text in
            ["-b X get S U", "-bX get S U", "-b=X get S U", "get S U --keyring-b=X", "get S U --keyring-backend X"]
        {
            assert_eq!(line(text).unwrap().backend, Some("X".into()), "{text}");
        }
    }
}
