//! The command line as data. The parser, the help, the completions and `docs/reference/cli.md` derive from these tables.
//!
//! - `ringbearer`, `store`: the program `ringbearer`
//! - `keyring`: the native program `keyring`

mod keyring;
mod ringbearer;
mod store;

pub(super) use self::{
    keyring::{KEYRING, LIST_BACKENDS, NATIVE_KEYRING},
    ringbearer::RINGBEARER,
};

/// A program, or one of its commands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    /// The program and the names of its commands, down to this one: `ringbearer store init`.
    pub(super) path: &'static str,
    /// One clause, for the list of commands.
    pub(super) summary: &'static str,
    /// What it does. A line feed starts a paragraph.
    pub(super) about: &'static str,
    /// The commands below this one.
    pub(super) commands: &'static [Self],
    /// The operands, in their order.
    pub(super) operands: &'static [Operand],
    /// The options, without `--help`, which every command has.
    pub(super) options: &'static [OptionDefinition],
    /// What stands behind `--`: another command and its arguments. Empty if the command takes none.
    pub(super) command_line: &'static str,
    /// Whether the help lists the variables that it sets.
    pub(super) lists_variables: bool,
    /// The exit codes besides 2, which always means wrong arguments.
    pub(super) exit_codes: &'static [(&'static str, &'static str)],
    /// Shell commands.
    pub(super) examples: &'static [&'static str],
    /// What other programs call it. Somebody who types one of these is pointed here.
    pub(super) synonyms: &'static [&'static str],
}

/// An argument that is identified by its position.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Operand {
    /// What the help calls it, and the words it may be.
    pub(super) value: Value,
    /// Whether it may be left out.
    pub(super) presence: Presence,
}

/// Whether an operand may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It may not.
    Required,
    /// It may.
    Optional,
    /// It takes the place of this option, and one of the two is required.
    Or(&'static str),
}

/// An option.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OptionDefinition {
    /// The name behind `--`.
    pub(super) long: &'static str,
    /// The letter behind `-`.
    pub(super) short: Option<char>,
    /// The values that follow; none for a switch.
    pub(super) values: &'static [Value],
    /// How often it may be given.
    pub(super) count: Count,
    /// What it does, in a clause.
    pub(super) help: &'static str,
}

/// How often an option is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// Not at all, or once; the last one counts.
    Optional,
    /// Once.
    Required,
    /// Any number of times.
    Repeated,
}

/// A value of an option, or an operand.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Value {
    /// What messages call it.
    pub(super) name: &'static str,
    /// The words it may be; none if it is a file name or free text.
    pub(super) choices: &'static [&'static str],
}

/// Every command and option of which a table says nothing else.
const COMMAND: Definition = Definition {
    path: "",
    summary: "",
    about: "",
    commands: &[],
    operands: &[],
    options: &[],
    command_line: "",
    lists_variables: false,
    exit_codes: &[],
    examples: &[],
    synonyms: &[],
};
const OPTION: OptionDefinition =
    OptionDefinition { long: "", short: None, values: &[], count: Count::Optional, help: "" };

/// An index URL, as tools know it.
const URL: Value = free("URL");

pub(super) const HELP: OptionDefinition =
    OptionDefinition { long: "help", short: Some('h'), help: "print this help", ..OPTION };

const JSON: OptionDefinition = OptionDefinition { long: "json", help: "print JSON, for programs", ..OPTION };

const fn free(name: &'static str) -> Value {
    Value { name, choices: &[] }
}

const fn required(value: Value) -> Operand {
    Operand { value, presence: Presence::Required }
}

const fn optional(value: Value) -> Operand {
    Operand { value, presence: Presence::Optional }
}

impl Definition {
    /// The last word of the path.
    pub(super) fn name(&self) -> &'static str {
        self.path.rsplit(' ').next().unwrap_or_default()
    }

    /// The command of this name below this one.
    pub(super) fn command(&self, name: &str) -> Option<&'static Self> {
        self.commands.iter().find(|command| command.name() == name)
    }

    /// The option of this long name.
    pub(super) fn option(&self, long: &str) -> Option<&'static OptionDefinition> {
        self.options.iter().find(|option| option.long == long)
    }

    /// The options, `--help` last.
    pub(super) fn all_options(&self) -> impl Iterator<Item = &'static OptionDefinition> {
        self.options.iter().chain([&HELP])
    }

    /// This command and all below it, in the order of the help.
    pub(super) fn tree(&'static self) -> Vec<&'static Self> {
        [self].into_iter().chain(self.commands.iter().flat_map(Self::tree)).collect()
    }

    /// How it is called, in a line.
    pub(super) fn usage(&self) -> String {
        if !self.commands.is_empty() {
            return format!("{} COMMAND ...", self.path);
        }
        let mut words = vec![self.path.to_owned()];
        let mut shown_with_operand = None;
        for Operand { value, presence } in self.operands {
            words.push(match presence {
                Presence::Required => value.shown(),
                Presence::Optional => format!("[{}]", value.shown()),
                Presence::Or(long) => {
                    shown_with_operand = Some(*long);
                    let option = self.option(long).map(OptionDefinition::shown).unwrap_or_default();
                    format!("{} | {option}", value.shown())
                }
            });
        }
        for option in self.options.iter().filter(|option| Some(option.long) != shown_with_operand) {
            words.push(match option.count {
                Count::Required => option.shown(),
                Count::Optional => format!("[{}]", option.shown()),
                Count::Repeated => format!("[{}]...", option.shown()),
            });
        }
        if !self.command_line.is_empty() {
            words.push(format!("-- {}", self.command_line));
        }
        words.join(" ")
    }
}

impl OptionDefinition {
    /// The long name and the values: `--mode password|creds`.
    fn shown(&self) -> String {
        let values = self.values.iter().map(|value| format!(" {}", value.shown()));
        format!("--{}{}", self.long, values.collect::<String>())
    }

    /// Both names and the values: `-h, --help`.
    pub(super) fn signature(&self) -> String {
        self.short.map_or_else(|| self.shown(), |short| format!("-{short}, {}", self.shown()))
    }
}

impl Value {
    /// The words it may be, or what it is called.
    pub(super) fn shown(&self) -> String {
        if self.choices.is_empty() { self.name.to_owned() } else { self.choices.join("|") }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn all() -> Vec<&'static Definition> {
        [RINGBEARER.tree(), KEYRING.tree()].concat()
    }

    #[test]
    fn each_command_is_described_completely() {
        for command in all() {
            let path = command.path;
            assert!(!command.about.is_empty() && !command.examples.is_empty(), "{path}");
            assert_eq!(command.about.starts_with(NATIVE_KEYRING), path == KEYRING.path, "{path}");
            assert!(command.about.ends_with('.') && !command.summary.ends_with('.'), "{path}");
            assert_eq!(command.summary.is_empty(), !path.contains(' '), "{path}");
            for below in command.commands {
                assert_eq!(below.path, format!("{path} {}", below.name()));
            }
            for option in command.options {
                assert!(!option.help.is_empty() && !option.help.ends_with('.'), "{path} --{}", option.long);
            }
            for Operand { presence, .. } in command.operands {
                assert!(!matches!(presence, Presence::Or(long) if command.option(long).is_none()), "{path}");
            }
        }
    }

    #[test]
    fn names_are_unique_and_options_take_the_same_choices() {
        let mut choices = HashMap::new();
        for command in all() {
            for option in command.all_options() {
                let same = command.all_options().filter(|other| {
                    other.long == option.long || (other.short.is_some() && other.short == option.short)
                });
                assert_eq!(same.count(), 1, "{} --{}", command.path, option.long);
                let found = option.values.first().map(|value| value.choices);
                assert_eq!(*choices.entry(option.long).or_insert(found), found, "--{}", option.long);
            }
        }
        let mut paths: Vec<_> = all().iter().map(|command| command.path).collect();
        paths.dedup();
        assert_eq!(paths.len(), all().len());
    }
}
