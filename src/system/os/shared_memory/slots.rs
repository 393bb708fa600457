//! A table of named secrets over a store whose items are small and cannot be replaced together.
//!
//! A secret is encrypted with a key of its own. The first item of a slot, the header, holds name, expiry and key; further
//! items hold the ciphertext. Items of two writes do not decrypt: a read during a write, or after an interrupted one, finds
//! nothing. Removing the header removes the key.
//!
//! The slots of a name follow from its digest: nothing lists the items of the store, which would read the secrets of every
//! other program. A name whose slots are all in use replaces the secret that expires first.

use std::time::{Duration, SystemTime};

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit, Nonce};
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use crate::system::shared_memory::{LONGEST_SHARED, Unavailable};

/// The number of slots. Listing reads the header of each.
const SLOTS: usize = 64;

/// In how many slots a name may be.
const SLOTS_PER_NAME: usize = 4;

/// The length limit of an item (`CRED_MAX_CREDENTIAL_BLOB_SIZE`), in bytes.
const ITEM_LENGTH: usize = 5 * 512;

/// The length of the authentication tag of ChaCha20-Poly1305, in bytes.
const TAG_LENGTH: usize = 16;

/// The first byte of a header, which changes with the format.
const VERSION: u8 = 1;

/// The key of a secret, for one encryption.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// The place of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// The slot.
    pub(super) slot: usize,
    /// 0 is the header; the ciphertext follows from 1.
    pub(super) piece: usize,
}

/// A store of small items.
pub(super) trait Slots {
    /// The content of an item; `None` if there is none.
    fn read(&self, place: Place) -> Result<Option<Zeroizing<Vec<u8>>>, Unavailable>;

    /// Writes an item whole, replacing an existing one.
    fn write(&self, place: Place, content: &[u8]) -> Result<(), Unavailable>;

    /// Removes an item. Returns whether it was there.
    fn remove(&self, place: Place) -> bool;
}

/// The first item of a slot.
pub(super) struct Header {
    /// When it was written, in milliseconds since 1970.
    written: u64,
    /// When it expires.
    expires: u64,
    /// The length of the ciphertext.
    length: usize,
    key: Key,
    name: String,
}

impl Header {
    fn read(slots: &impl Slots, slot: usize) -> Option<Self> {
        Self::parse(&slots.read(Place { slot, piece: 0 }).ok()??)
    }

    fn parse(content: &[u8]) -> Option<Self> {
        let (version, rest) = content.split_first()?;
        let (written, rest) = rest.split_first_chunk()?;
        let (expires, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (key, name) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let is_known = *version == VERSION && length <= LONGEST_SHARED + TAG_LENGTH;
        is_known.then_some(Self {
            written: u64::from_le_bytes(*written),
            expires: u64::from_le_bytes(*expires),
            length,
            key: Zeroizing::new(*key),
            name: String::from_utf8(name.to_owned()).ok()?,
        })
    }

    fn to_bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        // The whole capacity at once: a buffer that grows leaves copies of the key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(ITEM_LENGTH));
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.written.to_le_bytes());
        bytes.extend_from_slice(&self.expires.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(self.length).ok()?.to_le_bytes());
        bytes.extend_from_slice(&*self.key);
        let has_room = self.name.len() <= ITEM_LENGTH - bytes.len();
        has_room.then(|| bytes.extend_from_slice(self.name.as_bytes()))?;
        Some(bytes)
    }

    /// Whether it has not expired. One from the future means that the clock was set back, and its age is unknown.
    fn is_valid(&self, now: u64) -> bool {
        (self.written..self.expires).contains(&now)
    }

    /// The places of the ciphertext.
    fn pieces(&self, slot: usize) -> impl Iterator<Item = Place> + use<> {
        (1..=self.length.div_ceil(ITEM_LENGTH)).map(move |piece| Place { slot, piece })
    }

    /// Removes it and its ciphertext.
    fn remove(&self, slots: &impl Slots, slot: usize) -> bool {
        let was_there = slots.remove(Place { slot, piece: 0 });
        for place in self.pieces(slot) {
            slots.remove(place);
        }
        was_there
    }
}

/// Whether the store can be used.
pub(super) fn sharing(slots: &impl Slots) -> Result<(), Unavailable> {
    slots.read(Place { slot: 0, piece: 0 }).map(drop)
}

/// Keeps a secret under a name for `life`, replacing an existing one. The key is random and used once.
pub(super) fn put(
    slots: &impl Slots,
    name: &str,
    secret: &[u8],
    life: Duration,
    now: SystemTime,
    key: &Key,
) -> Result<(), Unavailable> {
    if secret.len() > LONGEST_SHARED {
        return Err(Unavailable::TooLong);
    }
    let now = milliseconds(now);
    let mut text = Zeroizing::new(Vec::with_capacity(secret.len() + TAG_LENGTH));
    text.extend_from_slice(secret);
    cipher(key).encrypt_in_place(&Nonce::default(), b"", &mut *text).map_err(|_| Unavailable::Refused)?;
    let header = Header {
        written: now,
        expires: now.saturating_add(u64::try_from(life.as_millis()).unwrap_or(u64::MAX)),
        length: text.len(),
        key: key.clone(),
        name: name.to_owned(),
    };
    let header_bytes = header.to_bytes().ok_or(Unavailable::TooLong)?;
    let slot = make_room(slots, name, now);
    // The header last: until then nothing holds the key.
    let items = header.pieces(slot).zip(text.chunks(ITEM_LENGTH));
    let written = items
        .chain([(Place { slot, piece: 0 }, header_bytes.as_slice())])
        .try_for_each(|(place, content)| slots.write(place, content));
    if written.is_err() {
        header.remove(slots, slot);
    }
    written
}

/// The slot for a name: its own, else a free one, else the one that expires first. Other slots of the name are freed.
fn make_room(slots: &impl Slots, name: &str, now: u64) -> usize {
    let mut found: Vec<(usize, Option<Header>)> =
        slots_of(name).map(|slot| (slot, Header::read(slots, slot))).collect();
    let rank = |header: &Option<Header>| match header {
        Some(header) if header.name == name => (0, 0),
        Some(header) if header.is_valid(now) => (2, header.expires),
        _ => (1, 0),
    };
    found.sort_by_key(|(_, header)| rank(header));
    for (index, (slot, header)) in found.iter().enumerate() {
        if let Some(header) = header.as_ref().filter(|header| index == 0 || header.name == name) {
            header.remove(slots, *slot);
        }
    }
    found.first().map_or(0, |(slot, _)| *slot)
}

/// The secret under a name, unless it has expired.
pub(super) fn get(slots: &impl Slots, name: &str, now: SystemTime) -> Option<Zeroizing<Vec<u8>>> {
    let now = milliseconds(now);
    slots_of(name).find_map(|slot| {
        let header = Header::read(slots, slot).filter(|header| header.name == name && header.is_valid(now))?;
        let mut text = Zeroizing::new(Vec::with_capacity(header.length));
        for place in header.pieces(slot) {
            let piece = slots.read(place).ok()??;
            if text.len() + piece.len() > header.length {
                return None;
            }
            text.extend_from_slice(&piece);
        }
        cipher(&header.key).decrypt_in_place(&Nonce::default(), b"", &mut *text).ok()?;
        Some(text)
    })
}

/// The names with a prefix, sorted; `None` if the store cannot be used. Removes expired secrets.
pub(super) fn names(slots: &impl Slots, prefix: &str, now: SystemTime) -> Option<Vec<String>> {
    sharing(slots).ok()?;
    let now = milliseconds(now);
    let mut names = Vec::new();
    for slot in 0..SLOTS {
        match Header::read(slots, slot) {
            Some(header) if !header.is_valid(now) => {
                header.remove(slots, slot);
            }
            Some(header) if header.name.starts_with(prefix) => names.push(header.name),
            Some(_) | None => {}
        }
    }
    names.sort();
    names.dedup();
    Some(names)
}

/// Removes a secret. Returns whether it was there.
pub(super) fn remove(slots: &impl Slots, name: &str) -> bool {
    let mut was_there = false;
    // Ends early if another process has removed it meanwhile.
    while let Some((slot, header)) = find(slots, name)
        && header.remove(slots, slot)
    {
        was_there = true;
    }
    was_there
}

/// The first slot of a name, with its header.
pub(super) fn find(slots: &impl Slots, name: &str) -> Option<(usize, Header)> {
    let mut headers = slots_of(name).filter_map(|slot| Some((slot, Header::read(slots, slot)?)));
    headers.find(|(_, header)| header.name == name)
}

/// The slots where a name may be.
fn slots_of(name: &str) -> impl Iterator<Item = usize> + use<> {
    let digest = digest(&SHA256, name.as_bytes());
    let first = digest.as_ref().first().copied().map_or(0, usize::from);
    (first..first + SLOTS_PER_NAME).map(|slot| slot % SLOTS)
}

fn cipher(key: &Key) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new((&**key).into())
}

fn milliseconds(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::HashMap};

    use proptest::prelude::*;

    use super::*;

    const LIFE: Duration = Duration::from_secs(60);

    /// Slots in memory, whose owner may be killed after some writes.
    #[derive(Default)]
    struct Memory {
        items: RefCell<HashMap<Place, Vec<u8>>>,
        writes_left: RefCell<Option<usize>>,
    }

    impl Slots for Memory {
        fn read(&self, place: Place) -> Result<Option<Zeroizing<Vec<u8>>>, Unavailable> {
            Ok(self.items.borrow().get(&place).cloned().map(Zeroizing::new))
        }

        fn write(&self, place: Place, content: &[u8]) -> Result<(), Unavailable> {
            assert!(content.len() <= ITEM_LENGTH);
            if self.is_alive() {
                self.items.borrow_mut().insert(place, content.to_owned());
            }
            Ok(())
        }

        fn remove(&self, place: Place) -> bool {
            self.is_alive() && self.items.borrow_mut().remove(&place).is_some()
        }
    }

    impl Memory {
        /// Whether this change is still made.
        fn is_alive(&self) -> bool {
            match &mut *self.writes_left.borrow_mut() {
                Some(0) => false,
                Some(left) => {
                    *left -= 1;
                    true
                }
                None => true,
            }
        }

        fn killed_after(&self, writes: usize, work: impl FnOnce()) {
            *self.writes_left.borrow_mut() = Some(writes);
            work();
            *self.writes_left.borrow_mut() = None;
        }

        fn put(&self, name: &str, secret: &[u8], seed: u8) {
            put(self, name, secret, LIFE, now(), &Key::new([seed; 32])).unwrap();
        }

        fn get(&self, name: &str) -> Option<Vec<u8>> {
            get(self, name, now()).map(|secret| secret.to_vec())
        }
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn secret(length: usize, seed: u8) -> Vec<u8> {
        (0..length).map(|index| index.to_le_bytes()[0] ^ seed).collect()
    }

    #[test]
    fn secrets_of_every_length_are_read_back() {
        let slots = Memory::default();
        for length in [0, 1, 2543, 2544, 2545, 2560, 2561, 5104, 5105, LONGEST_SHARED, 3] {
            slots.put("name", &secret(length, 1), 1);
            assert_eq!(slots.get("name"), Some(secret(length, 1)), "{length}");
            assert_eq!(slots.items.borrow().len(), 1 + (length + TAG_LENGTH).div_ceil(ITEM_LENGTH), "{length}");
        }
        let too_long = put(&slots, "name", &secret(LONGEST_SHARED + 1, 1), LIFE, now(), &Key::default());
        assert_eq!(too_long, Err(Unavailable::TooLong));
        let long_name = put(&slots, &"n".repeat(ITEM_LENGTH), b"", LIFE, now(), &Key::default());
        assert_eq!(long_name, Err(Unavailable::TooLong));
    }

    #[test]
    fn an_item_holds_no_part_of_a_secret() {
        let slots = Memory::default();
        let secret = b"a token that is long enough to be found".repeat(100);
        slots.put("name", &secret, 1);
        let items = slots.items.borrow();
        assert!(items.values().all(|item| !item.windows(8).any(|part| secret.windows(8).any(|one| one == part))));
    }

    #[test]
    fn expired_secrets_and_those_from_the_future_are_not_found() {
        let slots = Memory::default();
        slots.put("name", b"secret", 1);
        for (moment, is_found) in [
            (now(), true),
            (now() + LIFE - Duration::from_millis(1), true),
            (now() + LIFE, false),
            (now() - Duration::from_millis(1), false),
        ] {
            assert_eq!(get(&slots, "name", moment).is_some(), is_found);
        }
        assert_eq!(names(&slots, "", now() + LIFE), Some(vec![]));
        assert!(slots.items.borrow().is_empty(), "listing removes expired secrets");
    }

    #[test]
    fn a_removed_secret_leaves_no_item() {
        let slots = Memory::default();
        slots.put("name", &secret(6000, 1), 1);
        slots.put("other", b"", 2);
        assert!(remove(&slots, "name") && !remove(&slots, "name"));
        assert_eq!((slots.get("name"), slots.get("other")), (None, Some(vec![])));
        assert!(remove(&slots, "other") && slots.items.borrow().is_empty());
    }

    #[test]
    fn names_are_listed_by_prefix() {
        let slots = Memory::default();
        for name in ["ringbearer:token:b", "ringbearer:token:a", "ringbearer:failed:a"] {
            slots.put(name, b"", 1);
        }
        let tokens = ["ringbearer:token:a", "ringbearer:token:b"].map(str::to_owned).to_vec();
        assert_eq!(names(&slots, "ringbearer:token:", now()), Some(tokens));
        assert_eq!(names(&slots, "ringbearer:", now()).unwrap().len(), 3);
    }

    #[test]
    fn a_name_that_is_there_twice_is_replaced_and_removed_whole() {
        let slots = Memory::default();
        slots.put("name", b"old", 1);
        let (first, _) = find(&slots, "name").unwrap();
        let second = slots_of("name").nth(1).unwrap();
        for piece in 0..2 {
            let item = slots.items.borrow()[&Place { slot: first, piece }].clone();
            slots.items.borrow_mut().insert(Place { slot: second, piece }, item);
        }
        slots.put("name", b"new", 2);
        assert_eq!(slots.items.borrow().len(), 2);
        assert!(remove(&slots, "name"));
        assert_eq!(slots.get("name"), None);
    }

    #[test]
    fn a_full_table_replaces_the_secret_that_expires_first() {
        let slots = Memory::default();
        let all: Vec<String> = (0..1000).map(|number| format!("name {number}")).collect();
        for (name, life) in all.iter().zip(1..) {
            put(&slots, name, name.as_bytes(), LIFE * life, now(), &Key::new([1; 32])).unwrap();
            assert_eq!(slots.get(name).as_deref(), Some(name.as_bytes()));
        }
        let left = names(&slots, "", now()).unwrap();
        assert_eq!(left.len(), SLOTS);
        assert!(left.iter().all(|name| slots.get(name).as_deref() == Some(name.as_bytes())));
    }

    proptest! {
        #[test]
        fn an_interrupted_write_leaves_a_whole_secret_or_none(
            lengths in prop::array::uniform3(0_usize..8000), killed in 0_usize..14, killed_again in 0_usize..14,
        ) {
            let slots = Memory::default();
            let secrets = [secret(lengths[0], 1), secret(lengths[1], 2), secret(lengths[2], 3)];
            slots.put("name", &secrets[0], 1);
            for (index, killed) in [(1, killed), (2, killed_again)] {
                slots.killed_after(killed, || slots.put("name", &secrets[index], u8::try_from(index).unwrap() + 1));
                prop_assert!(slots.get("name").is_none_or(|found| secrets[..=index].contains(&found)));
            }
            slots.killed_after(killed, || { remove(&slots, "name"); });
            prop_assert!(slots.get("name").is_none_or(|found| secrets.contains(&found)));
            slots.put("name", &secrets[0], 4);
            prop_assert_eq!(slots.get("name"), Some(secrets[0].clone()));
        }

        #[test]
        fn a_changed_item_is_not_believed(
            length in 0_usize..6000, piece in 0_usize..4, index in 0_usize..2600, flip in 1_u8..,
        ) {
            let slots = Memory::default();
            slots.put("name", &secret(length, 1), 1);
            let place = Place { slot: find(&slots, "name").unwrap().0, piece };
            if let Some(item) = slots.items.borrow_mut().get_mut(&place) {
                let index = index % item.len();
                item[index] ^= flip;
            }
            prop_assert!(slots.get("name").is_none_or(|found| found == secret(length, 1)));
        }

        #[test]
        fn any_header_can_be_read(content in prop::collection::vec(any::<u8>(), 0..80), version in 0_u8..3) {
            let slots = Memory::default();
            let content = [&[version], &content[..]].concat();
            slots.write(Place { slot: 0, piece: 0 }, &content).unwrap();
            if let Some(header) = Header::parse(&content) {
                prop_assert_eq!(&**header.to_bytes().unwrap(), &content[..]);
                prop_assert_eq!(slots.get(&header.name), None);
            }
            names(&slots, "", now());
        }
    }
}
