//! `docs/reference/cli.md`, written from the tables of commands. RINGBEARER_UPDATE_SNAPSHOTS=1 updates the file.

use std::{env, fs, path::Path};

use super::{
    definitions::{Definition, KEYRING, RINGBEARER},
    help,
};

/// The reference of both programs.
fn reference() -> String {
    let head = "# Command line\n\n<!-- Generated from src/cli/definitions: \
                    `RINGBEARER_UPDATE_SNAPSHOTS=1 cargo test reference` updates this file. -->\n";
    let commands = RINGBEARER.tree().into_iter().chain(KEYRING.tree());
    format!("{head}{}", commands.map(section).collect::<String>())
}

fn section(command: &Definition) -> String {
    let level = "#".repeat(command.path.split(' ').count() + 1);
    let commands = command.commands.iter().map(|below| {
        let anchor = below.path.replace(' ', "-");
        (format!("[{}](#{anchor})", below.name()), below.summary)
    });
    let options = command.all_options().map(|option| (format!("`{}`", option.signature()), option.help));
    let variables = help::variables(command);
    let variables = variables.iter().map(|(title, names)| (title.clone(), names.as_str()));
    let exit_codes = help::exit_codes(command).map(|(code, meaning)| (code.to_owned(), meaning));
    [
        format!("\n{level} {}\n\n{}\n", command.path, command.about.replace('\n', "\n\n")),
        format!("\n```\n{}\n```\n", command.usage()),
        table("command", commands.collect()),
        table("option", options.collect()),
        table("registry", variables.collect()),
        table("exit code", exit_codes.collect()),
        format!("\n```sh\n{}\n```\n", command.examples.join("\n")),
    ]
    .concat()
}

fn table(title: &str, rows: Vec<(String, &str)>) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let row = |(first, second): (String, &str)| format!("| {} | {second} |\n", first.replace('|', "\\|"));
    format!("\n| {title} | |\n|---|---|\n{}", rows.into_iter().map(row).collect::<String>())
}

#[test]
#[expect(clippy::disallowed_methods, reason = "compares a file of the repository")]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/cli.md");
    let text = reference();
    if env::var_os("RINGBEARER_UPDATE_SNAPSHOTS").is_some_and(|value| value != "0") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert!(found == text, "docs/reference/cli.md is stale: RINGBEARER_UPDATE_SNAPSHOTS=1 cargo test reference");
}
