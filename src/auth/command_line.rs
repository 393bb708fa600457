//! Commands that a configuration file holds in one line: split into words, found and run without a shell.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    auth::program::without_secrets,
    error::{Error, Kind, Result, shorten, truncate},
    system::{
        Platform, System,
        process::{Command, Output},
    },
};

/// The longest name of a program in a message, in characters.
const LONGEST_PROGRAM: usize = 60;

/// The longest quotation of what a program says, in characters.
const QUOTED: usize = 120;

/// The command in a line that `setting` holds. The program is on PATH, or at an absolute path.
pub(crate) fn command(system: &dyn System, setting: &str, line: &str, limit: Duration) -> Result<Command> {
    let wrong = |what: &str| Error::new(Kind::Configuration, format!("{setting} {what}"));
    let words = split(line, system.platform()).ok_or_else(|| wrong("lacks a closing quotation mark"))?;
    let Some((program, arguments)) = words.split_first().filter(|(program, _)| !program.is_empty()) else {
        return Err(wrong("names no program"));
    };
    let path = find(system, program).ok_or_else(|| {
        // Without a shell `NAME=VALUE` is no assignment, and the value may be a secret.
        let shown = shorten(program.split('=').next().unwrap_or_default(), LONGEST_PROGRAM);
        wrong(&format!("names {shown}, which is not a program"))
            .with_hint("put it on PATH, or name it by its absolute path")
    })?;
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    Ok(Command::new(path, &arguments, limit))
}

/// The name of the program for messages.
#[must_use]
pub(crate) fn shown(command: &Command) -> String {
    shorten(&command.name(), LONGEST_PROGRAM)
}

/// The program of a name on PATH, or of an absolute path: never one below the working directory.
fn find(system: &dyn System, program: &str) -> Option<PathBuf> {
    let path = Path::new(program);
    if path.is_absolute() {
        return system.program_at(path);
    }
    let is_name = path.file_name().is_some_and(|name| name == program);
    is_name.then(|| system.find_program(program)).flatten()
}

/// How a program failed, with the first line that it says about it.
#[must_use]
pub(crate) fn failure(output: &Output) -> String {
    let status = match output.status {
        Some(status) => format!("ended with status {status}"),
        None => "was ended by a signal".to_owned(),
    };
    let said = output.stderr_text();
    match said.lines().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("{status}: {}", truncate(&without_secrets(line), QUOTED)),
        None => status,
    }
}

/// Splits a command into words as a shell does, without expanding anything; `None` if a quotation has no end. On Windows, a
/// backslash separates the parts of a path, single quotation marks mean nothing, and `\"` is a quotation mark.
#[must_use]
pub(crate) fn split(line: &str, platform: Platform) -> Option<Vec<String>> {
    let is_windows = platform == Platform::Windows;
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quotation = None;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let is_escape = character == '\\'
            && match (characters.peek(), quotation) {
                (_, Some('\'')) => false,
                (Some('"'), _) => true,
                (_, _) if is_windows => false,
                (Some('\\'), Some(_)) => true,
                (next, None) => next.is_some(),
                _ => false,
            };
        if is_escape {
            word.get_or_insert_default().extend(characters.next());
        } else if quotation == Some(character) {
            quotation = None;
        } else if quotation.is_none() && (character == '"' || character == '\'' && !is_windows) {
            quotation = Some(character);
            word.get_or_insert_default();
        } else if quotation.is_none() && character.is_whitespace() {
            words.extend(word.take());
        } else {
            word.get_or_insert_default().push(character);
        }
    }
    words.extend(word);
    quotation.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_command_is_split_as_by_a_shell() {
        let unix = Platform::Linux;
        let windows = Platform::Windows;
        for (platform, line, words) in [
            (unix, "aws-vault exec  ada\t--json", Some(&["aws-vault", "exec", "ada", "--json"][..])),
            (unix, "a\n  b", Some(&["a", "b"])),
            (unix, r#"a "b c" 'd e' f"g"'h'"#, Some(&["a", "b c", "d e", "fgh"])),
            (unix, r#"a "" ''"#, Some(&["a", "", ""])),
            (unix, r#"a\ b "c\"d\\e\f" 'g\h' \\"#, Some(&["a b", r#"c"d\e\f"#, r"g\h", r"\"])),
            (unix, "a $HOME ~ * | b", Some(&["a", "$HOME", "~", "*", "|", "b"])),
            (unix, " ", Some(&[])),
            (unix, "a 'b", None),
            (unix, r#"a "b\""#, None),
            (unix, r"a \", Some(&["a", r"\"])),
            (windows, r#""C:\Program Files\a.exe" C:\b\ c"#, Some(&[r"C:\Program Files\a.exe", r"C:\b\", "c"])),
            (windows, r#"a "b \"c\"" it's"#, Some(&["a", r#"b "c""#, "it's"])),
            (windows, r#"a "b"#, None),
        ] {
            let words = words.map(|words| words.iter().map(|&word| word.to_owned()).collect());
            assert_eq!(split(line, platform), words, "{line}");
        }
    }

    proptest! {
        #[test]
        fn quoted_words_are_split_as_they_were(words in proptest::collection::vec("\\PC{0,9}", 0..5)) {
            let line: Vec<_> = words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
            prop_assert_eq!(split(&line.join(" "), Platform::Linux), Some(words));
        }
    }
}
