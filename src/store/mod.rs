//! The store: secrets encrypted at rest and unlocked by a signature of the ssh-agent. It reads and writes the files of the
//! Python package ssh-agent-keyring (0.2.0 to 0.6.0, store version 1) byte for byte.
//!
//! - `settings`: the path of the store and its configured key
//! - `agent`, `wire`, `public_key`, `sshsig`: from a challenge to a verified signature
//! - `unlock`, `seal`: from the signature to the keys, and encryption with them
//! - `document`, `record`, `json`: the text of the file
//! - `change`: reading and replacing the file
//! - `maintenance`, [`export`], `status`: the commands for the store as a whole
//!
//! Version 1 of the format does not detect replay: anyone who can write the file can restore an old record under its own
//! identifier, drop a record, or restore an old file.

mod agent;
mod change;
mod document;
pub(crate) mod export;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod json;
mod maintenance;
mod public_key;
mod record;
mod seal;
mod settings;
mod sshsig;
mod status;
mod unlock;
mod wire;

#[cfg(test)]
mod tests;

use log::{debug, warn};

use self::{
    change::{Unlock, Verdict, change, parse, read},
    document::{Document, Header},
    seal::{Keys, Plain},
    settings::Settings,
    unlock::KeyCache,
};
use crate::{
    error::{Error, Kind, Result},
    secret::SecretText,
    system::System,
};

pub(crate) use self::{
    json::{escape as write_json_string, longest_escape as longest_json_string},
    maintenance::{Entry, Rekeyed},
    settings::{VARIABLES, is_in_use},
    status::{Status, lock_state, status},
};

/// The store of this process. It caches the keys if RINGBEARER_STORE_CACHE_SECONDS allows it, and nothing else.
#[derive(Default)]
pub(crate) struct Store {
    keys: KeyCache,
}

impl Store {
    /// Drops the cached keys. A forked child calls it: nothing else would wipe its copy.
    pub(crate) fn forget(&self) {
        self.keys.forget();
    }

    /// The password of a user of a service, if there is one.
    pub(crate) fn get(&self, system: &dyn System, service: &str, username: &str) -> Result<Option<SecretText>> {
        self.inspect(system, |document, keys, path| {
            let id = keys.record_id(service, username);
            let plain = open(document, keys, &id, path)?;
            Ok(plain.filter(|plain| is_of(plain, service, username)).map(|plain| plain.password))
        })
        .map(Option::flatten)
    }

    /// The first user of a service, in the order of the file, with the password.
    pub(crate) fn find(&self, system: &dyn System, service: &str) -> Result<Option<(String, SecretText)>> {
        self.inspect(system, |document, keys, path| {
            for (done, id) in document.ids().enumerate() {
                if done % 256 == 0 {
                    system.check()?;
                }
                match open(document, keys, id, path) {
                    Ok(Some(plain)) if *plain.service == service.as_bytes() => {
                        let username = std::str::from_utf8(&plain.username).map(ToOwned::to_owned);
                        return Ok(username.ok().map(|username| (username, plain.password)));
                    }
                    Ok(_) => {}
                    // A corrupted record does not hide the others.
                    Err(error) => warn!("{error}"),
                }
            }
            Ok(None)
        })
        .map(Option::flatten)
    }

    /// Stores a password, replacing an older one. Creates the store if there is none.
    pub(crate) fn set(&self, system: &dyn System, service: &str, username: &str, password: &SecretText) -> Result<()> {
        let settings = Settings::read(system)?;
        change(system, &settings, &mut self.with_agent(system, &settings, true), |opened| {
            let Some((document, keys)) = opened else { return Err(cannot_encrypt()) };
            put(system, document, keys, service, username, password)?;
            Ok(Verdict::Write(()))
        })
    }

    /// Deletes a password. Fails with [`Kind::NotFound`] if there is none.
    pub(crate) fn delete(&self, system: &dyn System, service: &str, username: &str) -> Result<()> {
        let settings = Settings::read(system)?;
        let not_found = || Error::new(Kind::NotFound, "Password not found");
        change(system, &settings, &mut self.with_agent(system, &settings, false), |opened| {
            let Some((document, keys)) = opened else { return Err(not_found()) };
            let id = keys.record_id(service, username);
            if !document.contains(&id) || is_collision(document, keys, &id, service, username) {
                return Err(not_found());
            }
            document.remove(&id);
            Ok(Verdict::Write(()))
        })
    }

    /// Unlocks the store and calls `inspect` with its path; `None`, without asking the agent, if there is no store.
    fn inspect<Outcome>(
        &self,
        system: &dyn System,
        inspect: impl FnOnce(&Document<'_>, &Keys, &str) -> Result<Outcome>,
    ) -> Result<Option<Outcome>> {
        let settings = Settings::read(system)?;
        let Some(snapshot) = read(system, &settings.store)? else { return Ok(None) };
        let document = parse(&settings.store, &snapshot)?;
        debug!("read {} records", document.len());
        let keys = self.keys.unlock(system, &settings, document.header())?;
        inspect(&document, &keys, &settings.store.display().to_string()).map(Some)
    }

    fn with_agent<'all>(
        &'all self,
        system: &'all dyn System,
        settings: &'all Settings,
        creates: bool,
    ) -> WithAgent<'all> {
        WithAgent { system, settings, cache: &self.keys, creates }
    }
}

/// Unlocks stores through the ssh-agent.
struct WithAgent<'all> {
    system: &'all dyn System,
    settings: &'all Settings,
    cache: &'all KeyCache,
    /// Whether a missing store is created.
    creates: bool,
}

impl Unlock for WithAgent<'_> {
    fn unlock(&mut self, header: &Header) -> Result<Keys> {
        self.cache.unlock(self.system, self.settings, header)
    }

    fn create(&mut self) -> Result<Option<(Header, Keys)>> {
        if !self.creates {
            return Ok(None);
        }
        let key = unlock::choose_key(self.system, self.settings)?;
        unlock::create(self.system, &key).map(Some)
    }
}

/// Encrypts a record and inserts or replaces it.
fn put(
    system: &dyn System,
    document: &mut Document<'_>,
    keys: &Keys,
    service: &str,
    username: &str,
    password: &SecretText,
) -> Result<()> {
    let id = keys.record_id(service, username);
    if is_collision(document, keys, &id, service, username) {
        return Err(Error::new(
            Kind::Storage,
            "another record has the same identifier: its service and user name join to the same text",
        )
        .with_hint("remove the zero characters from the names"));
    }
    let mut nonce = [0; 12];
    system.random(&mut nonce)?;
    let record = keys.seal(&id, nonce, service.as_bytes(), username.as_bytes(), password).ok_or_else(cannot_encrypt)?;
    document.put(&id, &record);
    Ok(())
}

/// Decrypts the record of an identifier, if there is one.
fn open(document: &Document<'_>, keys: &Keys, id: &str, path: &str) -> Result<Option<Plain>> {
    let Some(record) = document.record(id) else { return Ok(None) };
    let plain = record.ok().and_then(|record| keys.open(id, record));
    plain.map(Some).ok_or_else(|| {
        let short: String = id.chars().filter(char::is_ascii_hexdigit).take(12).collect();
        Error::new(
            Kind::Corrupted,
            format!("Stored keyring data is corrupted or was tampered with: record {short}… of {path}"),
        )
        .with_hint("the other records still open; set this one again, or restore the file from a backup")
    })
}

fn is_of(plain: &Plain, service: &str, username: &str) -> bool {
    *plain.service == service.as_bytes() && *plain.username == username.as_bytes()
}

/// Whether a record belongs to other names. The format joins service and user name with a zero character, so names that
/// contain one can collide.
fn is_collision(document: &Document<'_>, keys: &Keys, id: &str, service: &str, username: &str) -> bool {
    (service.contains('\0') || username.contains('\0'))
        && open(document, keys, id, "").is_ok_and(|plain| plain.is_some_and(|plain| !is_of(&plain, service, username)))
}

fn cannot_encrypt() -> Error {
    Error::new(Kind::Internal, "the record cannot be encrypted")
}
