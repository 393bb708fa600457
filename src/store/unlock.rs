//! Unlocking and creating stores: from a signature to the keys.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use zeroize::Zeroizing;

use super::{
    agent::{self, AgentKey},
    document::Header,
    public_key::{PublicKey, Unusable, fingerprint},
    seal::{Key, Keys, challenge, key_encryption_key, unwrap, wrap},
    settings::{Settings, cache_lifetime},
};
use crate::{
    error::{Error, Kind, Result},
    system::System,
};

/// The beginning of errors, as in ssh-agent-keyring.
const UNABLE: &str = "Unable to unlock keyring store with the current ssh-agent key";

/// How often a new store is drawn until agents encode its signature alike. One RSA signature in 256 is ambiguous.
const DRAWS: u32 = 20;

/// The keys of the last unlocked store, cached for RINGBEARER_STORE_CACHE_SECONDS.
#[derive(Default)]
pub(super) struct KeyCache(Mutex<Option<Cached>>);

struct Cached {
    header: Header,
    keys: Keys,
    since: SystemTime,
}

impl KeyCache {
    /// Drops the keys, unless another thread is using them.
    pub(super) fn forget(&self) {
        if let Ok(mut cached) = self.0.try_lock() {
            *cached = None;
        }
    }

    /// The keys of a store, from the cache or the agent.
    pub(super) fn unlock(&self, system: &dyn System, settings: &Settings, header: &Header) -> Result<Keys> {
        let key = key_of_store(settings, header)?;
        let lifetime = cache_lifetime(system);
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = &*cached {
            // A clock that was set back expires the keys.
            let is_fresh = system.now().duration_since(found.since).is_ok_and(|age| age < lifetime);
            if is_fresh && found.header == *header {
                return Ok(found.keys.clone());
            }
            *cached = None;
        }
        // The agent may take a minute: other threads do not wait for this one.
        drop(cached);
        let keys = unlock(system, settings, &key, header)?;
        if !lifetime.is_zero() {
            let fresh = Cached { header: header.clone(), keys: keys.clone(), since: system.now() };
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
        }
        Ok(keys)
    }
}

/// The public key of a store. Fails if another key is configured.
fn key_of_store(settings: &Settings, header: &Header) -> Result<PublicKey> {
    let key = PublicKey::parse(&header.public_key).map_err(|unusable| {
        Error::new(
            Kind::Corrupted,
            format!("the identity of the keyring store {} cannot be used: {unusable}", settings.store.display()),
        )
    })?;
    match &settings.key {
        Some(configured) if configured.key.text() != key.text() => Err(Error::new(
            Kind::Configuration,
            format!(
                "Configured public key does not match the keyring store identity: {} names {}, and {} is locked with {}",
                configured.source,
                configured.key.fingerprint(),
                settings.store.display(),
                key.fingerprint()
            ),
        )
        .with_hint("change the setting, or lock the store with the other key: `ringbearer store rekey --key NEW`")),
        _ => Ok(key),
    }
}

fn unlock(system: &dyn System, settings: &Settings, key: &PublicKey, header: &Header) -> Result<Keys> {
    let challenge = challenge(&header.store_id, key);
    let signature = agent::sign(system, key, &challenge)
        .map_err(|error| if error.kind() == Kind::Locked { error.within(UNABLE) } else { error })?;
    let open = |armored: &str| {
        let kek = key_encryption_key(armored, &header.salt)?;
        Keys::new(&unwrap(&kek, &header.wrapped_dek, &challenge, &header.nonce)?)
    };
    let mut keys = open(&signature.armored(key));
    if keys.is_none() && signature.has_two_forms() {
        keys = open(&signature.armored_without_zeros(key));
    }
    keys.ok_or_else(|| {
        Error::new(
            Kind::Corrupted,
            format!(
                "{UNABLE}: the wrapped key of {} does not open, though the agent signs with {}",
                settings.store.display(),
                key.fingerprint()
            ),
        )
        .with_hint("the store is corrupted or was tampered with: restore it from a backup")
    })
}

/// Draws the header and keys of a new store. The agent signs twice: an agent whose signatures differ could never unlock
/// the store.
pub(super) fn create(system: &dyn System, key: &PublicKey) -> Result<(Header, Keys)> {
    for _ in 0..DRAWS {
        let mut header = Header {
            public_key: key.text().to_owned(),
            store_id: vec![0; 16],
            salt: vec![0; 32],
            nonce: [0; 12],
            wrapped_dek: Vec::new(),
        };
        let mut dek = Key::default();
        system.random(&mut header.store_id)?;
        system.random(&mut header.salt)?;
        system.random(dek.as_mut_slice())?;
        system.random(&mut header.nonce)?;
        let challenge = challenge(&header.store_id, key);
        let signature = agent::sign(system, key, &challenge)?;
        if signature.has_two_forms() {
            continue;
        }
        if agent::sign(system, key, &challenge)? != signature {
            return Err(Error::new(Kind::Locked, "ssh-agent signing failed: it signed the same challenge in two ways")
                .with_hint("the store would never open again: use another agent or key"));
        }
        let armored: Zeroizing<String> = signature.armored(key);
        let created = key_encryption_key(&armored, &header.salt).and_then(|kek| {
            header.wrapped_dek = wrap(&kek, &dek, &challenge, &header.nonce)?;
            Keys::new(&dek)
        });
        return created
            .map(|keys| (header, keys))
            .ok_or_else(|| Error::new(Kind::Internal, "the keys cannot be derived"));
    }
    Err(Error::new(Kind::Locked, "ssh-agent signing failed: all its signatures begin with a zero byte"))
}

/// The key for a new store: the configured key, else the agent's first supported key.
pub(super) fn choose_key(system: &dyn System, settings: &Settings) -> Result<PublicKey> {
    if let Some(configured) = &settings.key {
        return Ok(configured.key.clone());
    }
    let mut unsupported = BTreeMap::new();
    for held in agent::keys(system)? {
        match PublicKey::from_blob(&held.blob) {
            Ok(key) => return Ok(key),
            Err(Unusable::Type(kind)) => *unsupported.entry(kind).or_insert(0) += 1,
            Err(Unusable::NotAKey | Unusable::Size(_)) => {}
        }
    }
    let mut message = "ssh-agent has no keys available for keyring unlock".to_owned();
    if !unsupported.is_empty() {
        let kinds: Vec<_> = unsupported.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        message = format!("{message}; it holds {}, whose signatures differ each time", kinds.join(", "));
    }
    Err(Error::new(Kind::Locked, message)
        .with_hint("load an ed25519 or RSA key with `ssh-add`; a locked agent lists none: `ssh-add -X` unlocks it"))
}

/// The agent's key with this fingerprint or comment, if it has one.
pub(super) fn key_of_agent(system: &dyn System, name: &str) -> Result<Option<PublicKey>> {
    let mut found: Vec<AgentKey> = agent::keys(system)?;
    found.retain(|held| held.comment == name || fingerprint(&held.blob) == name);
    if found.len() > 1 {
        // A certificate has the same comment as its key.
        found.retain(|held| PublicKey::from_blob(&held.blob).is_ok());
    }
    let wrong = |message: String| Error::new(Kind::Configuration, message);
    match found.as_slice() {
        [] if name.starts_with("SHA256:") => Err(wrong(format!("ssh-agent has no key with this fingerprint: {name}"))
            .with_hint("`ssh-add -l` lists the loaded keys")),
        [] => Ok(None),
        [held] => PublicKey::from_blob(&held.blob).map(Some).map_err(|unusable| wrong(format!("{name}: {unusable}"))),
        _ => Err(wrong(format!("ssh-agent has more than one key with this comment: {name}"))
            .with_hint("name it by its fingerprint, which `ssh-add -l` shows")),
    }
}
