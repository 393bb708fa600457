//! What its owner does with a store as a whole: make it, list it, lock it with new keys, carry it over.

use super::{
    Store,
    change::{Unlock, Verdict, change, destination, parse, read, refuse_of_others},
    document::{Document, Header},
    is_of, open,
    public_key::PublicKey,
    put,
    seal::{Keys, Plain},
    settings::{self, Settings},
    unlock,
};
use crate::{
    error::{Error, Kind, Result},
    secret::SecretText,
    system::System,
};

/// Is told how far long work has come: how many of how many records.
pub(crate) type Progress<'all> = &'all mut dyn FnMut(usize, usize);

/// A record in the clear.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The service, as text.
    pub(crate) service: String,
    /// The user name, as text.
    pub(crate) username: String,
    /// The password.
    pub(crate) password: SecretText,
}

/// What a look into every record found.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The records that open, by service and user name.
    pub(crate) entries: Vec<Entry>,
    /// How many do not open.
    pub(crate) broken: usize,
}

/// What a new lock on the store was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relocked {
    /// Where the store is.
    pub(crate) path: String,
    /// The fingerprint of the key that locks it now.
    pub(crate) fingerprint: String,
    /// How many records it has.
    pub(crate) records: usize,
    /// How many records were left out because they do not open.
    pub(crate) dropped: usize,
    /// Where a setting still names another key, what it says, and what it has to say.
    pub(crate) stale_setting: Option<(String, String)>,
}

/// What became of records that were carried over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Imported {
    /// They were not there, and are now.
    pub(crate) added: usize,
    /// They were there with another password, and have the new one.
    pub(crate) replaced: usize,
    /// They were there, as they are.
    pub(crate) same: usize,
    /// They were there with another password, and keep it.
    pub(crate) kept: usize,
}

impl Store {
    /// Makes a store without records. Fails if there is one. `key` names its key: a public key file, a
    /// fingerprint, or the comment of a key of the agent.
    pub(crate) fn init(system: &dyn System, key: Option<&str>) -> Result<Relocked> {
        let mut settings = Settings::read(system)?;
        let path = destination(system, &settings.store)?;
        if system.details(&path).is_ok() {
            return Err(Error::new(Kind::Storage, format!("there is something at {} already", path.display()))
                .with_hint("`ringbearer store status` tells what; nothing was changed"));
        }
        let key = named_key(system, &settings, key)?;
        let stale_setting = stale_setting(&settings, &key);
        settings.key = None;
        let mut by = New { system, key: &key };
        change(system, &settings, &mut by, |opened| match opened {
            Some(_) => Ok(Verdict::Write(())),
            None => Err(made_meanwhile()),
        })?;
        Ok(Relocked {
            path: settings.store.display().to_string(),
            fingerprint: key.fingerprint(),
            records: 0,
            dropped: 0,
            stale_setting,
        })
    }

    /// Every record in the clear. Fails with [`Kind::NotFound`] if there is no store.
    pub(crate) fn contents(&self, system: &dyn System, progress: Progress<'_>) -> Result<Contents> {
        let contents = self.look(system, |document, keys, path| Ok(all(document, keys, path, progress)))?;
        contents.ok_or_else(|| Settings::read(system).map_or_else(|error| error, |settings| no_store(&settings)))
    }

    /// Locks the store anew: another store_id, salt and data encryption key, every record encrypted again.
    /// With `key`, it is locked with that key from then on. Whoever once saw a signature or a key of the
    /// store as it was cannot open it as it is.
    ///
    /// Records that do not open are an error, unless they may be dropped.
    pub(crate) fn relock(
        &self,
        system: &dyn System,
        key: Option<&str>,
        may_drop: bool,
        progress: Progress<'_>,
    ) -> Result<Relocked> {
        let settings = Settings::read(system)?;
        let snapshot = read(system, &settings.store)?.ok_or_else(|| no_store(&settings))?;
        // Before the agent is asked for signatures that would serve nobody.
        refuse_of_others(system, &destination(system, &settings.store)?)?;
        let old = parse(&settings.store, &snapshot)?.header().clone();
        let key = match key {
            Some(_) => named_key(system, &settings, key)?,
            None => PublicKey::parse(&old.public_key)
                .map_err(|unusable| Error::new(Kind::Corrupted, format!("the key of the store: {unusable}")))?,
        };
        drop(snapshot);
        let (header, new) = unlock::create(system, &key)?;
        let path = settings.store.display().to_string();
        // The settings may name the new key already; what opens the store is the key that it has.
        let any_key = Settings { key: None, ..settings.clone() };
        let mut by = self.with(system, &any_key, false);
        let (records, dropped) = change(system, &settings, &mut by, |opened| {
            let (document, keys) = opened.ok_or_else(|| no_store(&settings))?;
            // Each record is decrypted, and then encrypted.
            let count = document.len();
            let contents = all(document, keys, &path, &mut |done, _| progress(done / 2, count));
            if contents.broken > 0 && !may_drop {
                return Err(Error::new(
                    Kind::Corrupted,
                    format!(
                        "{} of {} records of {path} do not open, and would be lost",
                        contents.broken,
                        document.len()
                    ),
                )
                .with_hint("restore them from a backup, or let them go with --drop-broken; nothing was changed"));
            }
            document.set_header(header.clone());
            document.clear();
            for (done, entry) in contents.entries.iter().enumerate() {
                progress(usize::midpoint(count, done), count);
                put(system, document, &new, &entry.service, &entry.username, &entry.password)?;
            }
            Ok(Verdict::Write((contents.entries.len(), contents.broken)))
        })?;
        Ok(Relocked {
            path,
            fingerprint: key.fingerprint(),
            records,
            dropped,
            stale_setting: stale_setting(&settings, &key),
        })
    }

    /// Puts records in, all of them in one step. What is there with another password keeps it, unless
    /// it may be replaced.
    pub(crate) fn import(
        &self,
        system: &dyn System,
        entries: &[Entry],
        may_replace: bool,
        progress: Progress<'_>,
    ) -> Result<Imported> {
        let settings = Settings::read(system)?;
        let path = settings.store.display().to_string();
        change(system, &settings, &mut self.with(system, &settings, true), |opened| {
            let (document, keys) = opened.ok_or_else(|| no_store(&settings))?;
            let mut imported = Imported::default();
            for (done, entry) in entries.iter().enumerate() {
                progress(done, entries.len());
                let (service, username) = (entry.service.as_str(), entry.username.as_str());
                let id = keys.record_id(service, username);
                let is_there = document.contains(&id);
                let found = match open(document, keys, &id, &path) {
                    // What does not open is worth replacing.
                    Err(_) if may_replace => None,
                    found => found?,
                };
                match found {
                    Some(plain) if is_of(&plain, service, username) && plain.password == entry.password => {
                        imported.same += 1;
                        continue;
                    }
                    Some(_) if !may_replace => {
                        imported.kept += 1;
                        continue;
                    }
                    _ if is_there => imported.replaced += 1,
                    _ => imported.added += 1,
                }
                put(system, document, keys, service, username, &entry.password)?;
            }
            progress(entries.len(), entries.len());
            let is_change = imported.added + imported.replaced > 0;
            Ok(if is_change { Verdict::Write(imported) } else { Verdict::Leave(imported) })
        })
    }
}

/// Decrypts every record.
fn all(document: &Document<'_>, keys: &Keys, path: &str, progress: Progress<'_>) -> Contents {
    let mut contents = Contents::default();
    for (done, id) in document.ids().enumerate() {
        progress(done, document.len());
        match open(document, keys, id, path).ok().flatten().and_then(entry) {
            Some(entry) => contents.entries.push(entry),
            None => contents.broken += 1,
        }
    }
    progress(document.len(), document.len());
    contents.entries.sort_by(|left, right| (&left.service, &left.username).cmp(&(&right.service, &right.username)));
    contents
}

/// A record with names that are text. Others cannot be: nobody can ask for them.
fn entry(plain: Plain) -> Option<Entry> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(ToOwned::to_owned).ok();
    Some(Entry { service: text(&plain.service)?, username: text(&plain.username)?, password: plain.password })
}

/// The key that somebody names on the command line: by the fingerprint or comment of a key of the agent, or
/// by the path of a file. Without a name, that of the settings or the first that serves.
fn named_key(system: &dyn System, settings: &Settings, name: Option<&str>) -> Result<PublicKey> {
    let Some(name) = name else { return unlock::choose_key(system, settings) };
    match unlock::key_of_agent(system, name)? {
        Some(key) => Ok(key),
        None => settings::typed_key(system, name),
    }
}

/// Where the settings name another key than the store's, which would keep it from being opened.
fn stale_setting(settings: &Settings, key: &PublicKey) -> Option<(String, String)> {
    let configured = settings.key.as_ref().filter(|configured| configured.key.text() != key.text())?;
    Some((configured.source.clone(), key.text().to_owned()))
}

fn no_store(settings: &Settings) -> Error {
    Error::new(Kind::NotFound, format!("there is no keyring store at {}", settings.store.display()))
        .with_hint("`ringbearer store init` makes one, and so does the first password that is set")
}

/// Makes a store with a key of its owner's choice, and opens none.
struct New<'all> {
    system: &'all dyn System,
    key: &'all PublicKey,
}

impl Unlock for New<'_> {
    fn unlock(&mut self, _header: &Header) -> Result<Keys> {
        Err(made_meanwhile())
    }

    fn create(&mut self) -> Result<Option<(Header, Keys)>> {
        unlock::create(self.system, self.key).map(Some)
    }
}

fn made_meanwhile() -> Error {
    Error::new(Kind::Storage, "somebody else made the store at the same time").with_hint("that one is in use now")
}
