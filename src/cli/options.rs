//! The words behind `doctor`, `cache`, `token`, `exec`, `setup` and `completions`.

use std::ffi::OsString;

use lexopt::{
    ValueExt,
    prelude::{Long, Short, Value},
};

use super::{arguments::Command, cache, completions::Shell, setup::Tool};

/// Everything that one of these commands can be told.
#[derive(Default)]
struct Given {
    operands: Vec<OsString>,
    json: bool,
    write: bool,
    output_file: Option<OsString>,
    variable: Option<String>,
    name: Option<String>,
    file: Option<OsString>,
    /// What stands behind `--`.
    command: Vec<OsString>,
}

/// Reads them; `None` if the help is asked for.
pub(super) fn read(name: &str, parser: lexopt::Parser) -> Result<Option<Command>, lexopt::Error> {
    let Some(given) = read_words(name, parser)? else { return Ok(None) };
    let Given { operands, json, write, output_file, variable, name: index, file, command } = given;
    let mut operands = operands.into_iter();
    let mut next = || operands.next();
    let text = |word: OsString| word.into_string().map_err(|word| format!("{} is not Unicode", word.display()));
    let read = match name {
        "cache" => {
            let action = text(next().ok_or("what? list or clear")?)?;
            match action.as_str() {
                "list" => Command::Cache(cache::Action::List { json }),
                "clear" if json => return Err("--json is for `cache list`".into()),
                "clear" => Command::Cache(cache::Action::Clear),
                _ => return Err(format!("there is no `cache {action}`: list or clear").into()),
            }
        }
        "doctor" => Command::Doctor { url: next(), json },
        "token" => Command::Token { url: text(next().ok_or("of which URL?")?)?, output_file },
        "exec" => {
            let url = next().map(text).transpose()?;
            if command.is_empty() {
                return Err("which command? it stands behind `--`".into());
            }
            Command::Exec { url, variable, command }
        }
        "setup" => {
            let tool = text(next().ok_or("for which tool? uv, pip, poetry, tox or github-actions")?)?;
            let tool = Tool::named(&tool).ok_or(format!("there is no setup for {tool:?}"))?;
            let url = text(next().ok_or("for which URL?")?)?;
            Command::Setup { tool, url, name: index, file, write }
        }
        _ => {
            let shell = text(next().ok_or("for which shell? bash, zsh or fish")?)?;
            Command::Completions(Shell::named(&shell).ok_or(format!("there is no completion for {shell:?}"))?)
        }
    };
    match operands.next() {
        Some(surplus) => Err(format!("unexpected argument {:?}", surplus.to_string_lossy()).into()),
        None => Ok(Some(read)),
    }
}

fn read_words(name: &str, mut parser: lexopt::Parser) -> Result<Option<Given>, lexopt::Error> {
    let mut given = Given::default();
    loop {
        if name == "exec"
            && let Some(rest) = parser.try_raw_args()
            && rest.peek().is_some_and(|word| word == "--")
        {
            given.command = rest.skip(1).collect();
            return Ok(Some(given));
        }
        let Some(word) = parser.next()? else { return Ok(Some(given)) };
        match word {
            Short('h') | Long("help") => return Ok(None),
            Long("json") if matches!(name, "doctor" | "cache") => given.json = true,
            Long("output-file") if name == "token" => given.output_file = Some(parser.value()?),
            Long("variable") if name == "exec" => given.variable = Some(parser.value()?.string()?),
            Long("write") if name == "setup" => given.write = true,
            Long("name") if name == "setup" => given.name = Some(parser.value()?.string()?),
            Long("file") if name == "setup" => given.file = Some(parser.value()?),
            Value(word) => given.operands.push(word),
            other => return Err(other.unexpected()),
        }
    }
}
