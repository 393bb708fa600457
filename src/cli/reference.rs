//! The page of the command line, written from the tables of commands.

use super::{
    definitions::{Definition, KEYRING, RINGBEARER},
    help,
};

/// The reference of both programs.
pub(crate) fn page() -> String {
    let commands = RINGBEARER.tree().into_iter().chain(KEYRING.tree());
    commands.map(section).collect()
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
