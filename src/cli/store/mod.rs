//! The commands of `ringbearer store`.

pub(super) mod command;

use std::{io, path::Path};

use serde_json::{Value, json};

use self::command::{Action, Source, StoreCommand};
use super::{
    BUSY, CORRUPTED, DONE, FAILED, LOCKED, NOT_FOUND, World, in_ascii, print, progress::Bar, shown, shown_path,
};
use crate::{
    error::{Error, Kind, Result},
    store::{Entry, Rekeyed, Status, Store, export, lock_state, status},
    system::{System, console::Console, io_message},
};

/// The maximum size of an imported file, in bytes.
const IMPORT_CAP: usize = 1 << 30;

pub(super) fn run(world: &World<'_>, command: &StoreCommand, foreign: Option<Vec<Entry>>) -> Result<u8> {
    let World { system, console, memory } = *world;
    let store = &memory.store;
    let with = With { system, console, store, json: command.json };
    match &command.action {
        Action::Init { key } => {
            let made = Store::init(system, key.as_deref())?;
            with.relocked("created", &made)
        }
        Action::Status => with.status(),
        Action::List => with.list(),
        Action::Lock => with.lock(),
        Action::Relock { key, drop_broken } => {
            let mut bar = Bar::new(system, console, "encrypting");
            let made = store.rekey(system, key.as_deref(), *drop_broken, &mut |done, all| bar.show(done, all))?;
            drop(bar);
            with.relocked(if key.is_some() { "rekeyed" } else { "rotated" }, &made)
        }
        Action::Export { file } => with.export(file),
        Action::Import { from: Source::File(file), replace } => {
            let content = system
                .read_file(Path::new(file), IMPORT_CAP)
                .map_err(|error| Error::new(Kind::Storage, format!("{file} cannot be read: {}", io_message(&error))))?;
            let entries = export::read(&zeroize::Zeroizing::new(content), file)?;
            let code = with.import(&entries, *replace)?;
            console.eprint(&format!("{file} contains unencrypted passwords: delete it after use\n"));
            Ok(code)
        }
        Action::Import { from: Source::Keyring(_), replace } => {
            let entries = foreign.ok_or_else(|| {
                Error::new(Kind::Usage, "other keyrings are Python packages, which the native program cannot load")
                    .with_hint("`pip install ringbearer`, then `python -m ringbearer store import --from-keyring ...`")
            })?;
            with.import(&entries, *replace)
        }
    }
}

/// What every command uses.
struct With<'all> {
    system: &'all dyn System,
    console: &'all dyn Console,
    store: &'all Store,
    json: bool,
}

impl With<'_> {
    /// Prints JSON or text, and returns the exit code.
    fn answer(&self, code: u8, value: &Value, text: &str) -> Result<u8> {
        // After Ctrl-C, nothing more is printed.
        if self.system.cancellation().is_cancelled() {
            return self.system.check().map(|()| code);
        }
        if self.json {
            let indented = serde_json::to_string_pretty(value)
                .map_err(|_| Error::new(Kind::Internal, "the answer cannot be written as JSON"))?;
            print(self.console, &format!("{}\n", in_ascii(&indented)))?;
        } else {
            print(self.console, text)?;
        }
        Ok(code)
    }

    fn relocked(&self, done: &str, made: &Rekeyed) -> Result<u8> {
        let Rekeyed { path, fingerprint, records, dropped, stale_setting } = made;
        if let Some((source, line)) = stale_setting {
            self.console.eprint(&format!(
                "{source} names another key, which does not unlock the store: replace it by this one, or remove it:\n  {line}\n"
            ));
        }
        let lost =
            if *dropped > 0 { format!(", {dropped} dropped that could not be decrypted") } else { String::new() };
        let text = format!("{done} {path}: {}{lost}, locked with {fingerprint}\n", counted(*records, "record"));
        let value = json!({
            "path": path, "key": fingerprint, "records": records, "dropped": dropped,
            "stale_setting": stale_setting.as_ref().map(|(source, line)| json!({"where": source, "key": line})),
        });
        self.answer(DONE, &value, &text)
    }

    fn status(&self) -> Result<u8> {
        let status = status(self.system)?;
        let code = match &status {
            Status { exists: false, .. } => NOT_FOUND,
            Status { key: None, .. } => CORRUPTED,
            Status { configured_key: Some(configured), key: Some(key), .. } if configured.key != *key => FAILED,
            Status { agent, .. } if !agent.has_key => LOCKED,
            _ => DONE,
        };
        let value = serde_json::to_value(&status)
            .map_err(|_| Error::new(Kind::Internal, "the answer cannot be written as JSON"))?;
        self.answer(code, &value, &status_text(&status))
    }

    fn list(&self) -> Result<u8> {
        let mut bar = Bar::new(self.system, self.console, "decrypting");
        let contents = self.store.contents(self.system, &mut |done, all| bar.show(done, all))?;
        drop(bar);
        let names = contents.entries.iter().map(|entry| (&entry.service, &entry.username));
        let width = names.clone().map(|(service, _)| shown(service).chars().count()).max().unwrap_or_default();
        let lines: Vec<_> = names
            .clone()
            .map(|(service, username)| format!("{:width$}  {}\n", shown(service), shown(username)))
            .collect();
        let records: Vec<_> =
            names.map(|(service, username)| json!({"service": service, "username": username})).collect();
        self.warn_of_broken(contents.broken);
        let code = if contents.broken > 0 { CORRUPTED } else { DONE };
        self.answer(code, &json!({"records": records, "broken": contents.broken}), &lines.concat())
    }

    fn lock(&self) -> Result<u8> {
        let (path, is_locked) = lock_state(self.system)?;
        let (code, text) = match is_locked {
            Some(true) => (BUSY, "locked: a process is writing to the store"),
            Some(false) => (DONE, "free"),
            None => (DONE, "free: no store has been written here"),
        };
        self.answer(code, &json!({"path": path, "locked": is_locked == Some(true)}), &format!("{path}: {text}\n"))
    }

    fn export(&self, file: &str) -> Result<u8> {
        let mut bar = Bar::new(self.system, self.console, "decrypting");
        let contents = self.store.contents(self.system, &mut |done, all| bar.show(done, all))?;
        drop(bar);
        let text = export::print(&contents.entries);
        self.system.check()?;
        self.system.create(Path::new(file), &text).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::new(Kind::Storage, format!("{file} exists, and is not overwritten")),
            _ => Error::new(Kind::Storage, format!("{file} cannot be written: {}", io_message(&error))),
        })?;
        self.warn_of_broken(contents.broken);
        let count = contents.entries.len();
        self.console.eprint(&format!(
            "WARNING: {file} contains {} (unencrypted, readable by its owner only): delete it after use\n",
            counted(count, "password")
        ));
        let code = if contents.broken > 0 { CORRUPTED } else { DONE };
        let value = json!({"file": file, "records": count, "broken": contents.broken});
        self.answer(code, &value, &format!("wrote {} to {file}\n", counted(count, "record")))
    }

    fn import(&self, entries: &[Entry], replace: bool) -> Result<u8> {
        let mut bar = Bar::new(self.system, self.console, "encrypting");
        let imported = self.store.import(self.system, entries, replace, &mut |done, all| bar.show(done, all))?;
        drop(bar);
        if imported.kept > 0 {
            let say = "records exist with another password and keep it; --replace replaces it";
            self.console.eprint(&format!("{} {say}\n", imported.kept));
        }
        let text = format!(
            "{} added, {} replaced, {} the same, {} kept\n",
            imported.added, imported.replaced, imported.same, imported.kept
        );
        let value = json!({
            "added": imported.added, "replaced": imported.replaced, "same": imported.same, "kept": imported.kept,
        });
        self.answer(DONE, &value, &text)
    }

    fn warn_of_broken(&self, broken: usize) {
        if broken > 0 {
            let records = counted(broken, "record");
            self.console.eprint(&format!("{records} cannot be decrypted: damaged, or tampered with\n"));
        }
    }
}

/// The status as text: facts, then problems.
fn status_text(status: &Status) -> String {
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let mut lines = vec![("store", shown_path(&status.path))];
    if let Some(target) = &status.target {
        lines.push(("", format!("links to {}", shown_path(target))));
    }
    if status.exists {
        let mode = status.mode.as_ref().map_or_else(String::new, |mode| format!(", mode {mode}"));
        let length = status.length.unwrap_or_default();
        let records = status.records.map_or_else(|| "unreadable".to_owned(), |records| counted(records, "record"));
        lines.push(("", format!("{records}, {length} bytes{mode}")));
        lines.push(("key", or_none(&status.key)));
    } else {
        lines.push(("", "does not exist yet".to_owned()));
    }
    if let Some(configured) = &status.configured_key {
        lines.push(("configured", format!("{} by {}", configured.key, shown_path(&configured.source))));
    }
    lines.push(("lock", if status.is_locked == Some(true) { "held by a process" } else { "free" }.to_owned()));
    lines.push(("agent", status.agent.socket.as_deref().map_or_else(|| "none".to_owned(), shown_path)));
    if let Some(keys) = status.agent.keys {
        let process = status.agent.process.as_ref().map_or_else(String::new, |process| format!("{}, ", shown(process)));
        let has = match (&status.agent.comment, status.agent.has_key) {
            (Some(comment), true) => format!(", including that of the store ({})", shown(comment)),
            _ if status.key.is_some() => ", not that of the store".to_owned(),
            _ => String::new(),
        };
        let forwarded = if status.agent.looks_forwarded { ", forwarded" } else { "" };
        lines.push(("", format!("{process}{}{has}{forwarded}", counted(keys, "key"))));
    }
    lines.extend(status.temporary_files.iter().map(|path| ("temporary", shown_path(path))));
    lines.extend(status.problems.iter().map(|problem| ("!", problem.clone())));
    lines.iter().map(|(name, value)| format!("{name:<12}{value}\n")).collect::<Vec<_>>().concat()
}

/// A number with its noun.
fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
