//! The completion of `ringbearer` for shells: each script is written from one table.

use std::collections::BTreeSet;

use super::{help, setup::Tool, store};

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    /// GNU bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

impl Shell {
    /// The shell of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bash" => Self::Bash,
            "zsh" => Self::Zsh,
            "fish" => Self::Fish,
            _ => return None,
        })
    }
}

/// The options of a command, each with the words that may follow it.
type Options = &'static [(&'static str, &'static [&'static str])];

/// In the place of such words: a file, or what nobody else can know.
const ANYTHING: &[&str] = &["*"];

const OF_KEYRING: Options = &[("--mode", &["password", "creds"]), ("--output", &["plain", "json"]), ("--help", &[])];

/// The commands with their options.
const OPTIONS: [(&str, Options); 10] = [
    ("get", OF_KEYRING),
    ("set", &[("--help", &[])]),
    ("del", &[("--help", &[])]),
    ("doctor", &[("--json", &[]), ("--help", &[])]),
    ("cache", &[("--json", &[]), ("--help", &[])]),
    ("token", &[("--output-file", ANYTHING), ("--help", &[])]),
    ("exec", &[("--variable", ANYTHING), ("--help", &[])]),
    ("setup", &[("--name", ANYTHING), ("--file", ANYTHING), ("--write", &[]), ("--help", &[])]),
    (
        "store",
        &[
            ("--json", &[]),
            ("--key", ANYTHING),
            ("--drop-broken", &[]),
            ("--replace", &[]),
            ("--from-keyring", ANYTHING),
            ("--name", ANYTHING),
            ("--help", &[]),
        ],
    ),
    ("completions", &[("--help", &[])]),
];

/// The words that may stand behind a command.
fn operands(command: &str) -> Vec<&'static str> {
    match command {
        "setup" => Tool::NAMES.iter().map(|(name, _)| *name).collect(),
        "store" => store::help::COMMANDS.iter().map(|(name, _)| *name).collect(),
        "cache" => vec!["list", "clear"],
        "completions" => vec!["bash", "zsh", "fish"],
        _ => Vec::new(),
    }
}

/// The first sentence of a command's help.
fn summary(command: &str) -> String {
    let text = help::COMMANDS.iter().find(|(name, _)| *name == command).map_or("", |(_, text)| text);
    text.split(['\n', '.', ':', ';']).next().unwrap_or_default().replace('\'', "")
}

/// The script for a shell.
pub(super) fn script(shell: Shell) -> String {
    match shell {
        Shell::Bash => bash(),
        Shell::Zsh => zsh(),
        Shell::Fish => fish(),
    }
}

/// The words of each command, for the shells that choose among words.
fn cases() -> String {
    let lines: Vec<_> = OPTIONS
        .iter()
        .map(|(command, options)| {
            let words: Vec<_> =
                operands(command).into_iter().chain(options.iter().map(|(option, _)| *option)).collect();
            format!("    {command}) words=\"{}\" ;;\n", words.join(" "))
        })
        .collect();
    lines.concat()
}

/// The words behind an option that knows them; behind the others what the shell itself has to offer.
fn value_cases(otherwise: &str) -> String {
    let known = OF_KEYRING.iter().filter(|(_, values)| !values.is_empty());
    let mut lines: Vec<_> =
        known.map(|(option, values)| format!("    {option}) words=\"{}\" ;;\n", values.join(" "))).collect();
    let all = OPTIONS.iter().flat_map(|(_, options)| options.iter());
    let others: BTreeSet<_> = all.filter(|(_, values)| *values == ANYTHING).map(|(option, _)| *option).collect();
    let others: Vec<_> = others.into_iter().collect();
    lines.push(format!("    {}) {otherwise} ;;\n", others.join("|")));
    lines.concat()
}

fn names() -> String {
    let names: Vec<_> = OPTIONS.iter().map(|(command, _)| *command).collect();
    names.join(" ")
}

fn bash() -> String {
    format!(
        "\
# bash completion for ringbearer
_ringbearer() {{
  local words=\"\" word
  COMPREPLY=()
  for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do
    if [ \"$word\" = -- ]; then return; fi
  done
  case \"${{COMP_WORDS[1]}}\" in
{}  esac
  case \"${{COMP_WORDS[COMP_CWORD-1]}}\" in
{}  esac
  if [ \"$COMP_CWORD\" -eq 1 ]; then
    words=\"{} --help --version\"
  fi
  COMPREPLY=($(compgen -W \"$words\" -- \"${{COMP_WORDS[COMP_CWORD]}}\"))
}}
complete -o default -F _ringbearer ringbearer
",
        cases(),
        value_cases("return"),
        names()
    )
}

fn zsh() -> String {
    format!(
        "\
#compdef ringbearer
# zsh completion for ringbearer
_ringbearer() {{
  local command=\"$words[2]\" before=\"$words[CURRENT-1]\"
  local -i place=$CURRENT end=${{words[(i)--]}}
  if (( end < place )); then
    _files
    return
  fi
  local words=\"\"
  case \"$command\" in
{}  esac
  case \"$before\" in
{}  esac
  if (( place == 2 )); then
    words=\"{} --help --version\"
  fi
  compadd -- ${{=words}}
  (( place > 2 )) && _files
}}
_ringbearer \"$@\"
",
        cases(),
        value_cases("_files; return"),
        names()
    )
}

fn fish() -> String {
    let mut lines = vec!["# fish completion for ringbearer".to_owned()];
    for option in ["help", "version"] {
        lines.push(format!("complete -c ringbearer -n __fish_use_subcommand -l {option}"));
    }
    for (command, options) in OPTIONS {
        let about = summary(command);
        lines.push(format!("complete -c ringbearer -f -n __fish_use_subcommand -a {command} -d '{about}'"));
        let behind = format!("complete -c ringbearer -n '__fish_seen_subcommand_from {command}'");
        let words = operands(command);
        if !words.is_empty() {
            lines.push(format!("{behind} -f -a '{}'", words.join(" ")));
        }
        for (option, values) in options {
            let name = option.trim_start_matches('-');
            let values = match *values {
                [] => String::new(),
                ["*"] => " -r".to_owned(),
                values => format!(" -x -a '{}'", values.join(" ")),
            };
            lines.push(format!("{behind} -l {name}{values}"));
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_there_with_the_options_of_its_help() {
        let listed: Vec<_> = OPTIONS.iter().map(|(command, _)| *command).collect();
        let known: Vec<_> = help::COMMANDS.iter().map(|(command, _)| *command).collect();
        assert_eq!(listed, known);
        for ((command, options), (_, text)) in OPTIONS.iter().zip(help::COMMANDS) {
            let of_store: String = store::help::COMMANDS.iter().map(|(_, text)| *text).collect();
            let text = if *command == "store" { of_store.as_str() } else { text };
            let usage: String = text.lines().filter(|line| line.starts_with("Usage: ")).collect();
            let words = usage.split(|character: char| !character.is_ascii_alphanumeric() && character != '-');
            let told: BTreeSet<_> = words.filter(|word| word.len() > 2 && word.starts_with("--")).collect();
            let offered: BTreeSet<_> =
                options.iter().map(|(option, _)| *option).filter(|option| *option != "--help").collect();
            assert_eq!(told, offered, "{command}");
        }
    }
}
