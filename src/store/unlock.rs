//! From a signature to the keys of a store: unlocking one, and making one.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use zeroize::Zeroizing;

use super::{
    agent::{self, Identity},
    document::Header,
    public_key::{PublicKey, Unusable, fingerprint},
    seal::{Key, Keys, challenge, key_encryption_key, unwrap, wrap},
    settings::{Settings, cache_length},
};
use crate::{
    error::{Error, Kind, Result},
    system::System,
};

/// What a failure to unlock begins with, as it did in the published package.
const UNABLE: &str = "Unable to unlock keyring store with the current ssh-agent key";

/// How often a new store is drawn again because agents would write its signature differently. One RSA
/// signature in 256 is such.
const DRAWS: u32 = 20;

/// The keys of the store that was unlocked last, if RINGBEARER_STORE_CACHE_SECONDS lets them be kept.
#[derive(Default)]
pub(super) struct KeyCache(Mutex<Option<Kept>>);

struct Kept {
    header: Header,
    keys: Keys,
    since: SystemTime,
}

impl KeyCache {
    /// Forgets the keys, unless another thread is about to use them.
    pub(super) fn forget(&self) {
        if let Ok(mut kept) = self.0.try_lock() {
            *kept = None;
        }
    }

    /// The keys of a store, kept or from the agent.
    pub(super) fn unlock(&self, system: &dyn System, settings: &Settings, header: &Header) -> Result<Keys> {
        let key = identity(settings, header)?;
        let length = cache_length(system);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = &*kept {
            // A clock that was set back counts as time that is over.
            let is_fresh = system.now().duration_since(found.since).is_ok_and(|age| age < length);
            if is_fresh && found.header == *header {
                return Ok(found.keys.clone());
            }
            *kept = None;
        }
        // The agent may take a minute: other threads ask it for themselves.
        drop(kept);
        let keys = unlock(system, settings, &key, header)?;
        if !length.is_zero() {
            let fresh = Kept { header: header.clone(), keys: keys.clone(), since: system.now() };
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
        }
        Ok(keys)
    }
}

/// The key of a store, held against the configured one.
fn identity(settings: &Settings, header: &Header) -> Result<PublicKey> {
    let key = PublicKey::parse(&header.public_key).map_err(|unusable| {
        Error::new(
            Kind::Corrupted,
            format!("the identity of the keyring store {} is unusable: {unusable}", settings.store.display()),
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

/// What a new store with this key begins with. The agent signs twice: a signature that is not the same
/// each time would lock its owner out.
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
            return Err(Error::new(Kind::Locked, "ssh-agent signing failed: it signed the same thing in two ways")
                .with_hint("a store would never open again: use another agent, or another key"));
        }
        let armored: Zeroizing<String> = signature.armored(key);
        let made = key_encryption_key(&armored, &header.salt).and_then(|kek| {
            header.wrapped_dek = wrap(&kek, &dek, &challenge, &header.nonce)?;
            Keys::new(&dek)
        });
        return made.map(|keys| (header, keys)).ok_or_else(|| Error::new(Kind::Internal, "the keys cannot be derived"));
    }
    Err(Error::new(Kind::Locked, "ssh-agent signing failed: all its signatures begin with zeros"))
}

/// The key for a new store: the configured one, or the first of the agent's that can lock a store.
pub(super) fn choose_key(system: &dyn System, settings: &Settings) -> Result<PublicKey> {
    if let Some(configured) = &settings.key {
        return Ok(configured.key.clone());
    }
    let mut unsupported = BTreeMap::new();
    for identity in agent::identities(system)? {
        match PublicKey::from_blob(&identity.blob) {
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
        .with_hint("load an ed25519 or RSA key with `ssh-add`; a locked agent shows none: `ssh-add -X` unlocks it"))
}

/// The key of the agent with this fingerprint or comment; `None` if it has none.
pub(super) fn key_of_agent(system: &dyn System, name: &str) -> Result<Option<PublicKey>> {
    let mut found: Vec<Identity> = agent::identities(system)?;
    found.retain(|identity| identity.comment == name || fingerprint(&identity.blob) == name);
    if found.len() > 1 {
        // A certificate has the comment of the key that it certifies.
        found.retain(|identity| PublicKey::from_blob(&identity.blob).is_ok());
    }
    let wrong = |message: String| Error::new(Kind::Configuration, message);
    match found.as_slice() {
        [] if name.starts_with("SHA256:") => Err(wrong(format!("ssh-agent has no key with this fingerprint: {name}"))
            .with_hint("`ssh-add -l` lists what it has")),
        [] => Ok(None),
        [identity] => {
            PublicKey::from_blob(&identity.blob).map(Some).map_err(|unusable| wrong(format!("{name}: {unusable}")))
        }
        _ => Err(wrong(format!("ssh-agent has more than one key with this comment: {name}"))
            .with_hint("name it by its fingerprint, which `ssh-add -l` shows")),
    }
}
