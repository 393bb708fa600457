//! Reads the arguments of `ringbearer` by the table of its commands.

use std::{ffi::OsString, fmt::Display};

use lexopt::{
    Arg::{Long, Short, Value},
    Parser,
};

use super::{
    complaint,
    definitions::{Count, Definition, Presence, RINGBEARER},
};
use crate::error::{Error, Kind, Result};

/// What the arguments ask for.
#[derive(Debug)]
pub(super) enum Parsed {
    /// The help of a command.
    Help(&'static Definition),
    /// The version.
    Version,
    /// A command.
    Command(Arguments),
}

/// The operands and options of a command. What the table requires is there, and choices are valid.
#[derive(Debug)]
pub(super) struct Arguments {
    /// The command.
    pub(super) command: &'static Definition,
    operands: Vec<OsString>,
    /// Each option with its values, in the order of the command line.
    options: Vec<(&'static str, Vec<OsString>)>,
    /// What stands behind `--`, for a command that takes another one.
    pub(super) command_line: Vec<OsString>,
}

/// Reads arguments, without the name of the program.
pub(super) fn parse(words: Vec<OsString>) -> Result<Parsed> {
    let mut parser = Parser::from_args(words);
    let mut command = &RINGBEARER;
    while !command.commands.is_empty() {
        match parser.next().map_err(|error| usage_error(command, &error))? {
            None | Some(Short('h') | Long("help")) => return Ok(Parsed::Help(command)),
            Some(Short('V') | Long("version")) if command.option("version").is_some() => return Ok(Parsed::Version),
            Some(Value(word)) if word == "help" => return help(command, parser),
            Some(Value(word)) => command = find(command, &word.to_string_lossy())?,
            Some(other) => return Err(usage_error(command, &other.unexpected())),
        }
    }
    match read(command, parser).map_err(|error| usage_error(command, &error))? {
        Some(arguments) => Ok(Parsed::Command(arguments)),
        None => Ok(Parsed::Help(command)),
    }
}

/// The help of the command that the remaining words name.
fn help(mut command: &'static Definition, mut parser: Parser) -> Result<Parsed> {
    while !command.commands.is_empty()
        && let Ok(Some(Value(word))) = parser.next()
    {
        command = find(command, &word.to_string_lossy())?;
    }
    Ok(Parsed::Help(command))
}

/// The operands and options; `None` if the help is asked for.
fn read(command: &'static Definition, mut parser: Parser) -> std::result::Result<Option<Arguments>, lexopt::Error> {
    let mut found = Arguments { command, operands: Vec::new(), options: Vec::new(), command_line: Vec::new() };
    loop {
        if !command.command_line.is_empty()
            && let Some(rest) = parser.try_raw_args()
            && rest.peek().is_some_and(|word| word == "--")
        {
            found.command_line = rest.skip(1).collect();
            break;
        }
        let Some(word) = parser.next()? else { break };
        let option = match &word {
            Short('h') | Long("help") => return Ok(None),
            Long(name) => command.option(name),
            _ => None,
        };
        match (option, word) {
            (Some(option), _) => {
                let values = option.values.iter().map(|_| parser.value()).collect::<std::result::Result<_, _>>()?;
                found.options.push((option.long, values));
            }
            (None, Value(word)) if found.operands.len() < command.operands.len() => found.operands.push(word),
            (None, other) => return Err(other.unexpected()),
        }
    }
    found.check()?;
    Ok(Some(found))
}

impl Arguments {
    fn check(&self) -> std::result::Result<(), lexopt::Error> {
        for (index, operand) in self.command.operands.iter().enumerate() {
            let (name, choices) = (operand.value.name, operand.value.choices);
            match (self.operands.get(index), operand.presence) {
                (Some(word), _) if !choices.is_empty() && !choices.iter().any(|choice| word == choice) => {
                    let word = word.to_string_lossy();
                    return Err(format!("{name} {word:?} is not one of {}", choices.join(", ")).into());
                }
                (None, Presence::Required) => return Err(format!("missing argument {}", operand.value.shown()).into()),
                (Some(_), Presence::Or(long)) if self.has(long) => {
                    return Err(format!("--{long} cannot be used with {name}").into());
                }
                (None, Presence::Or(long)) if !self.has(long) => {
                    return Err(format!("missing argument {name}, or --{long}").into());
                }
                _ => {}
            }
        }
        for option in self.command.options {
            if option.count == Count::Required && !self.has(option.long) {
                return Err(format!("missing option --{}", option.long).into());
            }
        }
        if !self.command.command_line.is_empty() && self.command_line.is_empty() {
            return Err("missing command behind `--`".into());
        }
        Ok(())
    }

    /// Whether an option is given.
    pub(super) fn has(&self, long: &str) -> bool {
        self.values(long).next().is_some()
    }

    /// The values of each occurrence of an option.
    pub(super) fn values(&self, long: &str) -> impl Iterator<Item = &[OsString]> {
        self.options.iter().filter(move |(name, _)| *name == long).map(|(_, values)| values.as_slice())
    }

    /// The value of an option; the last one counts.
    pub(super) fn value(&self, long: &str) -> Option<OsString> {
        self.values(long).last()?.first().cloned()
    }

    /// The value of an option, as text.
    pub(super) fn text(&self, long: &str) -> Result<Option<String>> {
        self.value(long).map(|value| self.as_text(&value)).transpose()
    }

    /// An operand, by its name in the table.
    pub(super) fn operand(&self, name: &str) -> Option<OsString> {
        let index = self.command.operands.iter().position(|operand| operand.value.name == name)?;
        self.operands.get(index).cloned()
    }

    /// An operand as text; empty if it is missing.
    pub(super) fn operand_text(&self, name: &str) -> Result<String> {
        self.as_text(&self.operand(name).unwrap_or_default())
    }

    /// Text, which must be Unicode.
    pub(super) fn as_text(&self, value: &OsString) -> Result<String> {
        let text = value.to_str().map(str::to_owned);
        text.ok_or_else(|| self.usage_error(&format!("{} is not Unicode", value.display())))
    }

    /// A complaint about these arguments.
    pub(super) fn usage_error(&self, complaint: &dyn Display) -> Error {
        usage_error(self.command, complaint)
    }
}

/// A complaint about arguments, with the usage of their command.
pub(super) fn usage_error(command: &Definition, message: &dyn Display) -> Error {
    let hint = format!("usage: {} (see --help)", command.usage());
    // The message may quote an argument of any length, and URLs with credentials.
    Error::new(Kind::Usage, complaint(&message.to_string())).with_hint(hint)
}

/// The command of this name.
fn find(command: &'static Definition, word: &str) -> Result<&'static Definition> {
    command.command(word).ok_or_else(|| {
        let is_meant = |below: &&Definition| below.synonyms.contains(&word) || is_similar(word, below.name());
        let meant: Vec<_> = command.commands.iter().filter(is_meant).map(Definition::name).collect();
        let path = command.path;
        let hint = if meant.is_empty() {
            let known: Vec<_> = command.commands.iter().map(Definition::name).collect();
            format!("{path} has the commands {} (see `{path} --help`)", known.join(", "))
        } else {
            format!("did you mean `{}`? (see `{path} --help`)", meant.join("` or `"))
        };
        Error::new(Kind::Usage, complaint(&format!("there is no command {word:?}"))).with_hint(hint)
    })
}

/// Whether the Damerau-Levenshtein distance of two words is at most 1, or the first is a prefix of the second.
fn is_similar(word: &str, name: &str) -> bool {
    let (word, name): (Vec<_>, Vec<_>) = (word.chars().collect(), name.chars().collect());
    if word.len() >= 2 && name.starts_with(&word) {
        return true;
    }
    let common = word.iter().zip(&name).take_while(|(one, other)| one == other).count();
    let (word, name) = (&word[common..], &name[common..]);
    let (word_rest, name_rest) = (word.get(1..).unwrap_or_default(), name.get(1..).unwrap_or_default());
    word_rest == name_rest
        || word_rest == name
        || word == name_rest
        || (word.len() > 1 && name.len() > 1 && word[0] == name[1] && word[1] == name[0] && word[2..] == name[2..])
}
