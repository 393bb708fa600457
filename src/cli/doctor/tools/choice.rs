//! The backend that keyring's settings select, and whether keyring can read them.

use std::io;

use super::{Finding, State};
use crate::{
    cli::{
        World,
        backend_choice::{
            BackendChoice, CAP, CHAINER, MODULE, NO_STORE_CLASS, STORE_CLASS, VARIABLE, configuration_file,
        },
        shell::ShellSyntax,
        shown, shown_path,
    },
    ini::{DEFAULT_SECTION, Ini, key_lines},
    system::{System, io_message},
    tools::Index,
};

/// The name of the finding.
pub(super) const NAME: &str = "keyring's choice";

/// The line that selects keyring's chainer, its default.
const CHAINER_LINE: &str = "default-keyring = keyring.backends.chainer.ChainerBackend";

/// What keyring's settings select.
#[derive(Default)]
pub(super) struct KeyringChoice {
    /// The finding; `None` if they select nothing, or the chainer.
    pub(super) finding: Option<Finding>,
    /// Whether they select a backend by name. Then priorities do not count.
    pub(super) is_by_name: bool,
    /// Whether the native `keyring`, which skips what keyring cannot read, asks something else too.
    native_asks_other: bool,
}

/// What keyring finds, in the order in which it looks.
enum Setting {
    /// A class, what names it, and how to select the chainer there.
    Class { class: String, source: String, fix: String },
    /// Something that makes every program fail that imports keyring: what, and how to correct it.
    Broken { what: String, fix: String },
    /// Something that keyring complains about or skips: what, and how to correct it.
    Ignored { what: String, fix: String },
    /// Nothing.
    Nothing,
}

impl KeyringChoice {
    /// Reads variable and file as keyring 25.7 does.
    /// <https://github.com/jaraco/keyring/blob/v25.7.0/keyring/core.py>
    pub(super) fn read(world: &World<'_>, shell: ShellSyntax, indexes: &[Index]) -> Self {
        let other = |choice: &BackendChoice| asks_other(world, indexes, choice);
        let native_asks_other = other(&BackendChoice::without_option(world.system));
        let bad = |what: String, fix: String| Finding::new(State::Bad, NAME, what).with_fix(fix);
        let (finding, is_by_name) = match read(world.system, shell) {
            Setting::Nothing => (None, false),
            Setting::Broken { what, fix } => {
                (Some(bad(format!("{what}: every program that imports keyring fails"), fix)), false)
            }
            Setting::Ignored { what, fix } => (Some(Finding::new(State::Doubtful, NAME, what).with_fix(fix)), false),
            Setting::Class { class, source, fix } => {
                let choice = BackendChoice::of(&class, &source);
                let finding = match &choice {
                    BackendChoice::None => None,
                    choice if other(choice) => {
                        let backend = name(choice);
                        let but = if indexes.is_empty() { "" } else { ", which has no credentials for the index" };
                        Some(bad(format!("{source} makes keyring ask only {backend}{but}"), fix))
                    }
                    choice => Some(Finding::new(State::Note, NAME, format!("keyring asks only {}", name(choice)))),
                };
                (finding, true)
            }
        };
        Self { finding, is_by_name, native_asks_other }
    }

    /// The finding of a tool that works, or its failure if the keyring that it asks would ask something else.
    pub(super) fn applied_to(&self, tool: Finding, is_native: bool) -> Finding {
        let is_bad = self.finding.as_ref().is_some_and(|finding| finding.state == State::Bad);
        if !is_bad || is_native && !self.native_asks_other {
            return tool;
        }
        // The line to change stands there once.
        Finding { state: State::Bad, detail: format!("{}, but see {NAME} above", tool.detail), ..tool }
    }
}

/// Whether a selected backend leaves one of the indexes without an answer. Without indexes, another package's does.
fn asks_other(world: &World<'_>, indexes: &[Index], choice: &BackendChoice) -> bool {
    let keyring = &world.memory.keyring;
    match choice {
        BackendChoice::None => false,
        BackendChoice::Foreign { .. } | BackendChoice::NoStore => true,
        BackendChoice::Store => indexes.iter().any(|index| keyring.serves(world.system, &index.service())),
        BackendChoice::Index(class) => indexes.iter().any(|index| {
            let service = index.service();
            !keyring.candidates(world.system, &service).any(|candidate| candidate.registry.python_class == *class)
        }),
    }
}

/// A selected backend, for a terminal.
fn name(choice: &BackendChoice) -> String {
    match choice {
        BackendChoice::None => CHAINER.to_owned(),
        BackendChoice::Foreign { class, .. } => shown(class),
        BackendChoice::Index(class) => format!("{MODULE}{class}"),
        BackendChoice::Store => format!("{MODULE}{STORE_CLASS}"),
        BackendChoice::NoStore => format!("{MODULE}{NO_STORE_CLASS}"),
    }
}

fn read(system: &dyn System, shell: ShellSyntax) -> Setting {
    let Some(value) = system.raw_variable(VARIABLE) else { return read_file(system) };
    let (class, fix) = (value.to_string_lossy(), shell.unset(VARIABLE));
    // keyring imports the value as it is.
    match class.trim() {
        "" => Setting::Broken { what: format!("{VARIABLE} is set and empty"), fix },
        trimmed if trimmed != class => Setting::Broken { what: format!("{VARIABLE} has blanks around the class"), fix },
        _ => Setting::Class { class: class.into_owned(), source: VARIABLE.to_owned(), fix },
    }
}

fn read_file(system: &dyn System) -> Setting {
    let Some(path) = configuration_file(system) else { return Setting::Nothing };
    let shown = shown_path(&path);
    let broken = |line: usize, what: &str, fix: &str| Setting::Broken {
        what: format!("{shown}, line {line}, {what}"),
        fix: format!("{fix} {shown}"),
    };
    let content = match system.read_file(&path, CAP) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Setting::Nothing,
        Err(error) => {
            let what = format!("{shown} cannot be read: {}", io_message(&error));
            let is_denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
            // keyring skips a file that it cannot open, but not a directory that it may not search.
            return match system.details(&path) {
                Err(error) if is_denied(&error) => {
                    let folder = path.parent().map_or_else(String::new, shown_path);
                    Setting::Broken { what, fix: format!("give yourself access to {folder}") }
                }
                _ => Setting::Ignored { what: format!("{what}; keyring skips it"), fix: format!("correct {shown}") },
            };
        }
    };
    let text = match std::str::from_utf8(&content) {
        Ok(text) => text,
        Err(error) => {
            let before = content.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.split(|byte| *byte == b'\n').count();
            return broken(line, "is not UTF-8", "save it as UTF-8, without a byte order mark:");
        }
    };
    let keys = match key_lines(text) {
        Ok(keys) => keys,
        Err(rejection) => return broken(rejection.line, rejection.what, "correct that line of"),
    };
    let ini = Ini::parse(text);
    if !ini.has_section("backend") {
        return Setting::Nothing;
    }
    let place = ["backend", DEFAULT_SECTION].into_iter().find_map(|section| {
        let key = keys.iter().find(|(place, key, _)| place == section && key == "default-keyring")?;
        Some((section, key.2))
    });
    let Some((section, line)) = place else {
        let what = format!("{shown} has `[backend]` without `default-keyring`, which keyring warns about");
        return Setting::Ignored { what, fix: format!("add the line `{CHAINER_LINE}`") };
    };
    let fix = format!("in line {line}, write `{CHAINER_LINE}`");
    match ini.value(section, "default-keyring") {
        None => Setting::Broken { what: format!("{shown}, line {line}, names no class"), fix },
        Some(class) => Setting::Class { class: class.to_owned(), source: format!("{shown}, line {line},"), fix },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{
        Platform,
        fake::{FakeSystem, absolute},
    };

    const FILE: &str = "/home/ada/.config/python_keyring/keyringrc.cfg";

    /// What is found, in one word and the texts.
    fn found(system: &FakeSystem) -> (&'static str, String, String) {
        match read(system, ShellSyntax::Posix) {
            Setting::Class { class, source, fix } => ("class", format!("{source} {class}"), fix),
            Setting::Broken { what, fix } => ("broken", what, fix),
            Setting::Ignored { what, fix } => ("ignored", what, fix),
            Setting::Nothing => ("nothing", String::new(), String::new()),
        }
    }

    fn user() -> FakeSystem {
        FakeSystem::default().on(Platform::Linux).variable("HOME", &absolute("/home/ada"))
    }

    #[test]
    fn a_variable_that_keyring_cannot_import_is_broken() {
        for (value, expected, text) in [
            ("", "broken", "PYTHON_KEYRING_BACKEND is set and empty"),
            (" ", "broken", "PYTHON_KEYRING_BACKEND is set and empty"),
            ("a.B ", "broken", "PYTHON_KEYRING_BACKEND has blanks around the class"),
            ("a.B", "class", "PYTHON_KEYRING_BACKEND a.B"),
        ] {
            let (kind, what, fix) = found(&user().variable(VARIABLE, value).file(FILE, "junk"));
            assert_eq!(
                (kind, what.as_str(), fix.as_str()),
                (expected, text, "unset PYTHON_KEYRING_BACKEND"),
                "{value:?}"
            );
        }
    }

    #[test]
    fn the_file_is_found_on_each_platform() {
        for (platform, variable, folder) in [
            (Platform::Linux, "HOME", "/x/.config/python_keyring"),
            (Platform::Linux, "XDG_CONFIG_HOME", "/x/python_keyring"),
            (Platform::MacOs, "HOME", "/x/.config/python_keyring"),
            (Platform::Windows, "LOCALAPPDATA", "/x/Python Keyring"),
            (Platform::Windows, "PROGRAMDATA", "/x/Python Keyring"),
        ] {
            let system = FakeSystem::default().on(platform).variable(variable, &absolute("/x"));
            let file = std::path::Path::new(&absolute(folder)).join("keyringrc.cfg").to_string_lossy().into_owned();
            let (kind, what, _) = found(&system.file(&file, "[backend]\ndefault-keyring = a.B\n"));
            assert_eq!((kind, what.ends_with(", line 2, a.B")), ("class", true), "{platform:?} {what}");
        }
    }

    #[test]
    fn lines_of_the_file_are_named() {
        for (text, expected, line) in [
            ("", "nothing", ""),
            ("[other]\ndefault-keyring = a.B\n", "nothing", ""),
            ("[backend]\n\nDefault-Keyring:\n  a.B\n", "class", ", line 3, a.B"),
            ("[DEFAULT]\ndefault-keyring = a.B\n[backend]\n", "class", ", line 2, a.B"),
            ("[DEFAULT]\ndefault-keyring = a.B\n", "nothing", ""),
            ("[backend]\ndefault-keyring =\n", "broken", ", line 2, names no class"),
            ("[backend]\njunk\n", "broken", ", line 2, is neither a section nor a key with a value"),
            ("\u{feff}[backend]\n", "broken", ", line 1, begins with a byte order mark"),
            ("[backend]\nkeyring-path = /x\n", "ignored", " without `default-keyring`, which keyring warns about"),
        ] {
            let (kind, what, _) = found(&user().file(FILE, text));
            assert!(kind == expected && what.ends_with(line), "{text:?}: {kind} {what}");
        }
        let system = user();
        system.write(FILE, b"[backend]\n# caf\xe9\n");
        assert!(found(&system).1.ends_with(", line 2, is not UTF-8"));
    }

    #[test]
    fn keyring_skips_a_file_but_not_a_directory_without_access() {
        let (kind, what, _) = found(&user().file(FILE, "").unreadable(FILE));
        assert!(kind == "ignored" && what.ends_with("keyring skips it"), "{what}");
        let (kind, _, fix) = found(&user().unreadable(FILE));
        assert!(kind == "broken" && fix.ends_with("python_keyring"), "{fix}");
    }
}
