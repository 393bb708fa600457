//! The command line of keyring 25.7, read as its argparse reads it: options anywhere, abbreviated where they are
//! unambiguous, and operands in between.
//!
//! Python before 3.12.8 and 3.13.1 takes no operand behind an option that stands behind the operation (`get --mode creds
//! SERVICE`); later ones do, and so does this.
//! <https://github.com/jaraco/keyring/blob/v25.7.0/keyring/cli.py>,
//! <https://docs.python.org/3/library/argparse.html#argument-abbreviations-prefix-matching>

use std::ffi::{OsStr, OsString};

use crate::{
    cli,
    error::{Error, Kind, Result},
};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Operation {
    /// Print a password, or a user name and a password.
    Get,
    /// Store a password.
    Set,
    /// Remove a password.
    Del,
    /// What only the Python keyring does: `diagnose`, `--disable`, `--print-completion`.
    OfPython,
    /// List the backends.
    ListBackends,
    /// Print the help.
    Help,
}

/// One command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// What is to be done.
    pub(in crate::cli) operation: Operation,
    /// The service; empty only where the operation needs none.
    pub(in crate::cli) service: OsString,
    /// The user name. Only `get` by `--mode creds` may go without.
    pub(in crate::cli) username: Option<OsString>,
    /// Whether the user name is printed too.
    pub(in crate::cli) with_username: bool,
    /// Whether a program reads the answer.
    pub(in crate::cli) json: bool,
    /// The backend that must do it, by the name of its class.
    pub(in crate::cli) backend: Option<OsString>,
}

impl Line {
    /// The service as text, which the index backends want.
    pub(in crate::cli) fn service_text(&self) -> Option<&str> {
        self.service.to_str()
    }
}

/// The operations by their names.
pub(in crate::cli) const OPERATIONS: [(&str, Operation); 4] =
    [("get", Operation::Get), ("set", Operation::Set), ("del", Operation::Del), ("diagnose", Operation::OfPython)];

/// An option of keyring's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opt {
    Backend,
    Path,
    Mode,
    Output,
    ListBackends,
    Disable,
    PrintCompletion,
    Help,
}

const OPTIONS: [(&str, Opt); 11] = [
    ("-h", Opt::Help),
    ("--help", Opt::Help),
    ("-p", Opt::Path),
    ("--keyring-path", Opt::Path),
    ("-b", Opt::Backend),
    ("--keyring-backend", Opt::Backend),
    ("--list-backends", Opt::ListBackends),
    ("--disable", Opt::Disable),
    ("--mode", Opt::Mode),
    ("--output", Opt::Output),
    ("--print-completion", Opt::PrintCompletion),
];

impl Opt {
    fn wants_value(self) -> bool {
        matches!(self, Self::Backend | Self::Path | Self::Mode | Self::Output | Self::PrintCompletion)
    }
}

/// What a word of the command line is.
enum Word {
    Operand,
    /// An option, and the value that the same word brings.
    Option(Opt, Option<OsString>),
    UnknownOption,
}

/// Reads a command line, without the name of the program.
pub(in crate::cli) fn read(words: &[OsString]) -> Result<Line> {
    let mut given = Given::default();
    let mut words = words.iter().peekable();
    let mut only_operands = false;
    while let Some(word) = words.next() {
        if !only_operands && word == "--" {
            only_operands = true;
            continue;
        }
        let class = if only_operands { Word::Operand } else { classify(word)? };
        match class {
            Word::Operand => given.operand(word)?,
            Word::UnknownOption => given.unknown(word),
            Word::Option(Opt::Help, None) => return Ok(given.line(Operation::Help)),
            Word::Option(option, None) if option.wants_value() => {
                let value = match words.peek() {
                    Some(value) if *value != "--" && matches!(classify(value)?, Word::Operand) => words.next(),
                    _ => None,
                };
                let value = value.ok_or_else(|| wrong(&format!("argument {}: expected one argument", name(option))))?;
                given.option(option, value)?;
            }
            Word::Option(option, Some(value)) if option.wants_value() => given.option(option, &value)?,
            Word::Option(option, Some(value)) => {
                let value = value.to_string_lossy();
                return Err(wrong(&format!("argument {}: ignored explicit argument {value:?}", name(option))));
            }
            Word::Option(option, None) => given.option(option, OsStr::new(""))?,
        }
    }
    given.finish()
}

/// What has been read so far.
#[derive(Default)]
struct Given {
    backend: Option<OsString>,
    with_username: bool,
    json: bool,
    /// What an option asks for in the place of an operation.
    instead: Option<Operation>,
    operation: Option<Operation>,
    operation_name: String,
    operands: Vec<OsString>,
    surplus: Vec<String>,
}

impl Given {
    fn operand(&mut self, word: &OsStr) -> Result<()> {
        if self.operation.is_some() {
            if self.operands.len() < 2 {
                self.operands.push(word.to_owned());
            } else {
                self.unknown(word);
            }
            return Ok(());
        }
        let found = OPERATIONS.iter().find(|(known, _)| word == *known);
        let Some((name, operation)) = found else {
            let known: Vec<_> = OPERATIONS.iter().map(|(name, _)| *name).collect();
            let word = word.to_string_lossy();
            return Err(wrong(&format!("there is no operation {word:?}: choose from {}", known.join(", "))));
        };
        self.operation = Some(*operation);
        (*name).clone_into(&mut self.operation_name);
        Ok(())
    }

    fn option(&mut self, option: Opt, value: &OsStr) -> Result<()> {
        let one_of = |choices: [&str; 2]| {
            choices.iter().position(|choice| value == *choice).ok_or_else(|| {
                let value = value.to_string_lossy();
                wrong(&format!("argument {}: {value:?} is neither {} nor {}", name(option), choices[0], choices[1]))
            })
        };
        match option {
            Opt::Backend => self.backend = Some(value.to_owned()),
            Opt::Mode => self.with_username = one_of(["password", "creds"])? == 1,
            Opt::Output => self.json = one_of(["plain", "json"])? == 1,
            Opt::ListBackends => self.instead = Some(Operation::ListBackends),
            Opt::Disable => self.instead = self.instead.or(Some(Operation::OfPython)),
            // It is done as soon as it is read.
            Opt::PrintCompletion => self.instead = Some(Operation::OfPython),
            Opt::Path | Opt::Help => {}
        }
        Ok(())
    }

    fn unknown(&mut self, word: &OsStr) {
        self.surplus.push(word.to_string_lossy().into_owned());
    }

    fn line(self, operation: Operation) -> Line {
        let mut operands = self.operands.into_iter();
        Line {
            operation,
            service: operands.next().unwrap_or_default(),
            username: operands.next(),
            with_username: self.with_username,
            json: self.json,
            backend: self.backend,
        }
    }

    fn finish(self) -> Result<Line> {
        if !self.surplus.is_empty() {
            return Err(wrong(&format!("unrecognized arguments: {}", self.surplus.join(" "))));
        }
        let Some(operation) = self.instead.or(self.operation) else {
            return Err(wrong("which operation? get, set, del or diagnose"));
        };
        let wanted = match operation {
            Operation::Get if self.with_username => 1,
            Operation::Get | Operation::Set | Operation::Del => 2,
            _ => 0,
        };
        if self.operands.len() < wanted {
            let wanted = if wanted == 1 { "a service" } else { "a service and a user name" };
            return Err(wrong(&format!("{} requires {wanted}", self.operation_name)));
        }
        Ok(self.line(operation))
    }
}

/// As argparse does it: by the beginning of a word, by what options there are, by blanks and numbers.
fn classify(word: &OsStr) -> Result<Word> {
    let bytes = word.as_encoded_bytes();
    if bytes.first() != Some(&b'-') || bytes.len() == 1 {
        return Ok(Word::Operand);
    }
    let Some(text) = word.to_str() else { return Ok(Word::UnknownOption) };
    if let Some((_, option)) = OPTIONS.iter().find(|(known, _)| *known == text) {
        return Ok(Word::Option(*option, None));
    }
    let (begin, value) = match text.split_once('=') {
        Some((begin, value)) => (begin, Some(OsString::from(value))),
        None => (text, None),
    };
    if let Some((_, option)) = OPTIONS.iter().find(|(known, _)| *known == begin) {
        return Ok(Word::Option(*option, value));
    }
    if text.starts_with("--") {
        let candidates: Vec<_> = OPTIONS.iter().filter(|(known, _)| known.starts_with(begin)).collect();
        match candidates[..] {
            [(_, option)] => return Ok(Word::Option(*option, value)),
            [] => {}
            _ => {
                let names: Vec<_> = candidates.iter().map(|(known, _)| *known).collect();
                return Err(wrong(&format!("ambiguous option: {begin} could be {}", names.join(", "))));
            }
        }
    } else if let Some((_, option)) = OPTIONS.iter().find(|(known, _)| known.len() == 2 && text.starts_with(known)) {
        return Ok(Word::Option(*option, Some(OsString::from(&text[2..]))));
    }
    let is_operand = is_negative_number(text) || text.contains(' ');
    Ok(if is_operand { Word::Operand } else { Word::UnknownOption })
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

fn name(option: Opt) -> &'static str {
    OPTIONS.iter().rev().find(|(_, known)| *known == option).map_or("", |(name, _)| name)
}

fn wrong(complaint: &str) -> Error {
    // It may hold whatever was typed, however long.
    Error::new(Kind::Usage, cli::complaint(complaint)).with_hint(
        "usage: [--mode password|creds] [--output plain|json] [-b BACKEND] get|set|del SERVICE [USER] (--help tells more)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<Line> {
        let words: Vec<_> = text.split_whitespace().map(OsString::from).collect();
        read(&words)
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
        assert_eq!(read(&words).unwrap().username, Some(OsString::new()));
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
        let line = read(&words).unwrap();
        assert_eq!((line.service_text(), line.username.as_deref()), (Some("-x"), Some(OsStr::new("--mode"))));
        let words = ["get", "-1.5", "-a b"].map(OsString::from);
        assert_eq!(read(&words).unwrap().service_text(), Some("-1.5"));
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
