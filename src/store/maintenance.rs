//! The commands for a store as a whole: create, list, rekey, import.

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

/// Callback for progress: records done, records in total.
pub(crate) type Progress<'all> = &'all mut dyn FnMut(usize, usize);

/// A decrypted record with names that are valid text.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The service.
    pub(crate) service: String,
    /// The user name.
    pub(crate) username: String,
    /// The password.
    pub(crate) password: SecretText,
}

/// All records of a store.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The records that open, sorted by service and user name.
    pub(crate) entries: Vec<Entry>,
    /// The number of records that do not open.
    pub(crate) broken: usize,
}

/// The result of creating or rekeying a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rekeyed {
    /// The path of the store.
    pub(crate) path: String,
    /// The fingerprint of the store's key.
    pub(crate) fingerprint: String,
    /// The number of records.
    pub(crate) records: usize,
    /// The number of records that were dropped because they do not open.
    pub(crate) dropped: usize,
    /// A setting that still names another key, and the public key that it should name.
    pub(crate) stale_setting: Option<(String, String)>,
}

/// The number of imported records, by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Imported {
    /// New records.
    pub(crate) added: usize,
    /// Existing records whose password was replaced.
    pub(crate) replaced: usize,
    /// Existing records with the same password.
    pub(crate) same: usize,
    /// Existing records that keep a different password.
    pub(crate) kept: usize,
}

impl Store {
    /// Creates an empty store. Fails if it exists. `key` is a public key file, or the fingerprint or comment of a key of
    /// the agent.
    pub(crate) fn init(system: &dyn System, key: Option<&str>) -> Result<Rekeyed> {
        let mut settings = Settings::read(system)?;
        let path = destination(system, &settings.store)?;
        if system.details(&path).is_ok() {
            return Err(Error::new(Kind::Storage, format!("{} already exists", path.display()))
                .with_hint("`ringbearer store status` shows what it is; nothing was changed"));
        }
        let key = named_key(system, &settings, key)?;
        let stale_setting = stale_setting(&settings, &key);
        settings.key = None;
        let mut unlocker = Create { system, key: &key };
        change(system, &settings, &mut unlocker, |opened| match opened {
            Some(_) => Ok(Verdict::Write(())),
            None => Err(created_meanwhile()),
        })?;
        Ok(Rekeyed {
            path: settings.store.display().to_string(),
            fingerprint: key.fingerprint(),
            records: 0,
            dropped: 0,
            stale_setting,
        })
    }

    /// Decrypts every record. Fails with [`Kind::NotFound`] if there is no store.
    pub(crate) fn contents(&self, system: &dyn System, progress: Progress<'_>) -> Result<Contents> {
        let contents = self.inspect(system, |document, keys, path| Ok(all(document, keys, path, progress)))?;
        contents.ok_or_else(|| Settings::read(system).map_or_else(|error| error, |settings| no_store(&settings)))
    }

    /// Replaces `store_id`, salt and data encryption key and re-encrypts every record, for another public key if `key` is
    /// given. Signatures and keys of the old store do not open the new one.
    ///
    /// Records that do not open are an error, unless they may be dropped.
    pub(crate) fn rekey(
        &self,
        system: &dyn System,
        key: Option<&str>,
        may_drop: bool,
        progress: Progress<'_>,
    ) -> Result<Rekeyed> {
        let settings = Settings::read(system)?;
        let snapshot = read(system, &settings.store)?.ok_or_else(|| no_store(&settings))?;
        // Fails before the agent is asked to sign.
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
        // The settings may already name the new key, but the old one opens the store.
        let any_key = Settings { key: None, ..settings.clone() };
        let mut unlocker = self.with_agent(system, &any_key, false);
        let (records, dropped) = change(system, &settings, &mut unlocker, |opened| {
            let (document, keys) = opened.ok_or_else(|| no_store(&settings))?;
            // The first half of the progress is decryption, the second encryption.
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
                .with_hint("restore them from a backup, or drop them with --drop-broken; nothing was changed"));
            }
            document.set_header(header.clone());
            document.clear();
            for (done, entry) in contents.entries.iter().enumerate() {
                progress(usize::midpoint(count, done), count);
                put(system, document, &new, &entry.service, &entry.username, &entry.password)?;
            }
            Ok(Verdict::Write((contents.entries.len(), contents.broken)))
        })?;
        Ok(Rekeyed {
            path,
            fingerprint: key.fingerprint(),
            records,
            dropped,
            stale_setting: stale_setting(&settings, &key),
        })
    }

    /// Imports records in one change. Existing records keep a different password, unless it may be replaced.
    pub(crate) fn import(
        &self,
        system: &dyn System,
        entries: &[Entry],
        may_replace: bool,
        progress: Progress<'_>,
    ) -> Result<Imported> {
        let settings = Settings::read(system)?;
        let path = settings.store.display().to_string();
        change(system, &settings, &mut self.with_agent(system, &settings, true), |opened| {
            let (document, keys) = opened.ok_or_else(|| no_store(&settings))?;
            let mut imported = Imported::default();
            for (done, entry) in entries.iter().enumerate() {
                progress(done, entries.len());
                let (service, username) = (entry.service.as_str(), entry.username.as_str());
                let id = keys.record_id(service, username);
                let exists = document.contains(&id);
                let found = match open(document, keys, &id, &path) {
                    // A corrupted record may be replaced too.
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
                    _ if exists => imported.replaced += 1,
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

/// A record whose names are UTF-8. No lookup can ask for another.
fn entry(plain: Plain) -> Option<Entry> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(ToOwned::to_owned).ok();
    Some(Entry { service: text(&plain.service)?, username: text(&plain.username)?, password: plain.password })
}

/// The key named on the command line: the fingerprint or comment of a key of the agent, or the path of a file. Without a
/// name, the configured key or the agent's first supported key.
fn named_key(system: &dyn System, settings: &Settings, name: Option<&str>) -> Result<PublicKey> {
    let Some(name) = name else { return unlock::choose_key(system, settings) };
    match unlock::key_of_agent(system, name)? {
        Some(key) => Ok(key),
        None => settings::typed_key(system, name),
    }
}

/// The setting that names a key other than the store's, which keeps the store from opening.
fn stale_setting(settings: &Settings, key: &PublicKey) -> Option<(String, String)> {
    let configured = settings.key.as_ref().filter(|configured| configured.key.text() != key.text())?;
    Some((configured.source.clone(), key.text().to_owned()))
}

fn no_store(settings: &Settings) -> Error {
    Error::new(Kind::NotFound, format!("there is no keyring store at {}", settings.store.display()))
        .with_hint("`ringbearer store init` creates one, and so does the first password that is set")
}

/// Creates a store with a given key, and unlocks none.
struct Create<'all> {
    system: &'all dyn System,
    key: &'all PublicKey,
}

impl Unlock for Create<'_> {
    fn unlock(&mut self, _header: &Header) -> Result<Keys> {
        Err(created_meanwhile())
    }

    fn create(&mut self) -> Result<Option<(Header, Keys)>> {
        unlock::create(self.system, self.key).map(Some)
    }
}

fn created_meanwhile() -> Error {
    Error::new(Kind::Storage, "another process created the store at the same time").with_hint("that store is in use")
}
