//! The store: secrets encrypted at rest, which a signature of the ssh-agent unlocks. It reads and writes
//! the files of the Python package ssh-agent-keyring (0.2.0 to 0.6.0, store version 1), byte for byte.
//!
//! - `settings`: where the store is, and which key it should have
//! - `agent`, `wire`, `public_key`, `sshsig`: from a challenge to a verified signature
//! - `unlock`, `seal`: from the signature to the keys, and what is encrypted with them
//! - `document`, `members`, `record`, `printed`, `large`, `json_text`: the file's text
//! - `change`: reading and replacing the file
//! - `upkeep`, [`exchange`], `status`: what its owner does with a store as a whole, and wants to know of it
//!
//! Known and not mended in version 1 of the format: whoever can write the file can bring back an old
//! record under its own name, leave one out, or bring back the whole file as it was.

mod agent;
mod change;
mod document;
pub(crate) mod exchange;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod json_text;
mod large;
mod members;
mod printed;
mod public_key;
mod record;
mod seal;
mod settings;
mod sshsig;
mod status;
mod unlock;
mod upkeep;
mod wire;

#[cfg(test)]
mod tests;

use log::{debug, warn};

use self::{
    change::{Unlock, Verdict, change, parse, read},
    document::{Document, Header},
    large::Large,
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
    json_text::{escape as write_json_string, longest_escape as longest_json_string},
    settings::{VARIABLES, is_in_use},
    status::{Status, lock_state, status},
    upkeep::{Entry, Relocked},
};

/// The store of this process. It remembers nothing but the keys, and those only if it is told to.
#[derive(Default)]
pub(crate) struct Store {
    keys: KeyCache,
}

impl Store {
    /// Forgets the keys that are kept. For a fork, which has a copy that nobody else wipes.
    pub(crate) fn forget(&self) {
        self.keys.forget();
    }

    /// The password of a user of a service; `None` if there is none.
    pub(crate) fn get(&self, system: &dyn System, service: &str, username: &str) -> Result<Option<SecretText>> {
        let settings = Settings::read(system)?;
        let mut unlocked = None;
        if let Some(large) = Large::open(system, &settings.store) {
            let keys = self.keys.unlock(system, &settings, large.header())?;
            let id = keys.record_id(service, username);
            let found = large.record(system, &id).and_then(|record| keys.open(&id, record));
            if let Some(plain) = found.filter(|plain| is_of(plain, service, username)) {
                debug!("found the record without reading the whole store");
                return Ok(Some(plain.password));
            }
            unlocked = Some((large.header().clone(), keys));
        }
        self.look_into(system, &settings, unlocked, |document, keys, path| {
            let id = keys.record_id(service, username);
            let Some(plain) = open(document, keys, &id, path)? else { return Ok(None) };
            Ok(is_of(&plain, service, username).then_some(plain.password))
        })
        .map(Option::flatten)
    }

    /// Some user of a service, with the password: the first in the order of the file.
    pub(crate) fn find(&self, system: &dyn System, service: &str) -> Result<Option<(String, SecretText)>> {
        self.look(system, |document, keys, path| {
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
                    // One record that is broken does not hide the others.
                    Err(error) => warn!("{error}"),
                }
            }
            Ok(None)
        })
        .map(Option::flatten)
    }

    /// Stores a password, in the place of the one that was there, and makes the store if there is none.
    pub(crate) fn set(&self, system: &dyn System, service: &str, username: &str, password: &SecretText) -> Result<()> {
        let settings = Settings::read(system)?;
        change(system, &settings, &mut self.with(system, &settings, true), |opened| {
            let Some((document, keys)) = opened else { return Err(fault()) };
            put(system, document, keys, service, username, password)?;
            Ok(Verdict::Write(()))
        })
    }

    /// Removes a password. Fails with [`Kind::NotFound`] if there is none.
    pub(crate) fn delete(&self, system: &dyn System, service: &str, username: &str) -> Result<()> {
        let settings = Settings::read(system)?;
        let not_found = || Error::new(Kind::NotFound, "Password not found");
        change(system, &settings, &mut self.with(system, &settings, false), |opened| {
            let Some((document, keys)) = opened else { return Err(not_found()) };
            let id = keys.record_id(service, username);
            if !document.contains(&id) || is_owned_by_other(document, keys, &id, service, username) {
                return Err(not_found());
            }
            document.remove(&id);
            Ok(Verdict::Write(()))
        })
    }

    /// Looks into the store; `None` if there is none, in which case the agent is not asked.
    fn look<Outcome>(
        &self,
        system: &dyn System,
        see: impl FnOnce(&Document<'_>, &Keys, &str) -> Result<Outcome>,
    ) -> Result<Option<Outcome>> {
        self.look_into(system, &Settings::read(system)?, None, see)
    }

    /// The same with the keys of a store that was unlocked just now: its owner is not asked twice.
    fn look_into<Outcome>(
        &self,
        system: &dyn System,
        settings: &Settings,
        unlocked: Option<(Header, Keys)>,
        see: impl FnOnce(&Document<'_>, &Keys, &str) -> Result<Outcome>,
    ) -> Result<Option<Outcome>> {
        let Some(snapshot) = read(system, &settings.store)? else { return Ok(None) };
        let document = parse(&settings.store, &snapshot)?;
        debug!("read {} records", document.len());
        let keys = match unlocked {
            Some((header, keys)) if header == *document.header() => keys,
            _ => self.keys.unlock(system, settings, document.header())?,
        };
        see(&document, &keys, &settings.store.display().to_string()).map(Some)
    }

    fn with<'all>(&'all self, system: &'all dyn System, settings: &'all Settings, creates: bool) -> WithAgent<'all> {
        WithAgent { system, settings, cache: &self.keys, creates }
    }
}

/// Unlocks by the agent.
struct WithAgent<'all> {
    system: &'all dyn System,
    settings: &'all Settings,
    cache: &'all KeyCache,
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

/// Puts a record into a document.
fn put(
    system: &dyn System,
    document: &mut Document<'_>,
    keys: &Keys,
    service: &str,
    username: &str,
    password: &SecretText,
) -> Result<()> {
    let id = keys.record_id(service, username);
    if is_owned_by_other(document, keys, &id, service, username) {
        return Err(Error::new(
            Kind::Storage,
            "another record has the same place in the store: its service and user name run together to the same text",
        )
        .with_hint("leave zero characters out of the names"));
    }
    let mut nonce = [0; 12];
    system.random(&mut nonce)?;
    let record = keys.seal(&id, nonce, service.as_bytes(), username.as_bytes(), password).ok_or_else(fault)?;
    document.put(&id, record);
    Ok(())
}

/// The record of an identifier, decrypted; `None` if there is none.
fn open(document: &Document<'_>, keys: &Keys, id: &str, path: &str) -> Result<Option<Plain>> {
    let Some(record) = document.record(id) else { return Ok(None) };
    let plain = record.ok().and_then(|record| keys.open(id, record));
    plain.map(Some).ok_or_else(|| {
        let short: String = id.chars().filter(char::is_ascii_hexdigit).take(12).collect();
        Error::new(
            Kind::Corrupted,
            format!("Stored keyring data is corrupted or was tampered with: record {short}… of {path}"),
        )
        .with_hint("the other records are not concerned; set this one anew, or restore the file from a backup")
    })
}

fn is_of(plain: &Plain, service: &str, username: &str) -> bool {
    *plain.service == service.as_bytes() && *plain.username == username.as_bytes()
}

/// Whether a record belongs to other names: the format runs service and user name together with a zero
/// character in between, so that names with zero characters can meet.
fn is_owned_by_other(document: &Document<'_>, keys: &Keys, id: &str, service: &str, username: &str) -> bool {
    (service.contains('\0') || username.contains('\0'))
        && open(document, keys, id, "").is_ok_and(|plain| plain.is_some_and(|plain| !is_of(&plain, service, username)))
}

fn fault() -> Error {
    Error::new(Kind::Internal, "the record cannot be encrypted")
}
