//! A secret in several credentials, since Windows limits the length of one.
//!
//! A header names one of two sets of pieces, the length of the secret and the random number that each piece begins with. A new secret
//! goes to the other set, and the header is written last: a reader finds the old secret or the new one, also after a
//! killed writer.

use zeroize::Zeroizing;

use crate::error::{Error, Kind, Result};

/// The length limit of a credential, in bytes (`CRED_MAX_CREDENTIAL_BLOB_SIZE`).
/// <https://learn.microsoft.com/windows/win32/api/wincred/ns-wincred-credentialw>
const ITEM_LENGTH: usize = 2560;

/// The first byte of a header.
const VERSION: u8 = 1;

/// The most pieces of a secret, which then has some 20,000 bytes.
const MOST_PIECES: usize = 8;

/// The length of the part of a secret in a piece.
const PART_LENGTH: usize = ITEM_LENGTH - size_of::<SetId>();

/// The random number of a set.
pub(super) type SetId = [u8; 16];

/// One credential of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Item {
    Header,
    Piece { set: u8, number: usize },
}

/// The credentials of one secret.
pub(super) trait Items {
    fn read(&self, item: Item) -> Result<Option<Zeroizing<Vec<u8>>>>;
    fn write(&self, item: Item, content: &[u8]) -> Result<()>;
    fn remove(&self, item: Item) -> Result<bool>;
}

struct Header {
    set: u8,
    /// The length of the secret.
    length: usize,
    id: SetId,
}

impl Header {
    /// The header, if it is there and sound.
    fn read(items: &impl Items) -> Result<Option<Self>> {
        let Some(content) = items.read(Item::Header)? else { return Ok(None) };
        let Some((&[VERSION, set @ 0..=1, low, high], id)) = content.split_first_chunk() else { return Ok(None) };
        let length = usize::from(u16::from_le_bytes([low, high]));
        let is_sound = length <= MOST_PIECES * PART_LENGTH;
        Ok(id.try_into().ok().filter(|_| is_sound).map(|id| Self { set, length, id }))
    }

    fn to_bytes(&self) -> Option<Vec<u8>> {
        let [low, high] = u16::try_from(self.length).ok()?.to_le_bytes();
        Some([&[VERSION, self.set, low, high][..], &self.id].concat())
    }
}

/// The secret; `None` if there is none, or another program has changed it.
pub(super) fn get(items: &impl Items) -> Result<Option<Zeroizing<Vec<u8>>>> {
    // Two writes in between may have replaced the set that the header named.
    for _ in 0..3 {
        let Some(header) = Header::read(items)? else { return Ok(None) };
        if let Some(secret) = join(items, &header)? {
            return Ok(Some(secret));
        }
    }
    Ok(None)
}

fn join(items: &impl Items, header: &Header) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let mut secret = Zeroizing::new(Vec::with_capacity(header.length));
    for number in 0..header.length.div_ceil(PART_LENGTH) {
        let piece = items.read(Item::Piece { set: header.set, number })?;
        let Some(part) = piece.as_ref().and_then(|piece| piece.strip_prefix(&header.id)) else { return Ok(None) };
        if part.len() > header.length - secret.len() {
            return Ok(None);
        }
        secret.extend_from_slice(part);
    }
    Ok((secret.len() == header.length).then_some(secret))
}

/// Keeps a secret, replacing an older one. `id` is random.
pub(super) fn put(items: &impl Items, secret: &[u8], id: SetId) -> Result<()> {
    if secret.len() > MOST_PIECES * PART_LENGTH {
        return Err(Error::new(
            Kind::Storage,
            format!("the secret is longer than {} bytes", MOST_PIECES * PART_LENGTH),
        ));
    }
    let older = Header::read(items)?;
    let set = older.as_ref().map_or(0, |older| 1 - older.set);
    let header = Header { set, length: secret.len(), id };
    for (number, part) in secret.chunks(PART_LENGTH).enumerate() {
        // The whole capacity at once: a buffer that grows leaves copies behind.
        let mut piece = Zeroizing::new(Vec::with_capacity(ITEM_LENGTH));
        piece.extend_from_slice(&id);
        piece.extend_from_slice(part);
        items.write(Item::Piece { set, number }, &piece)?;
    }
    let bytes = header.to_bytes().ok_or_else(|| Error::new(Kind::Internal, "the length of a secret"))?;
    items.write(Item::Header, &bytes)?;
    if let Some(older) = older {
        remove_set(items, older.set)?;
    }
    Ok(())
}

/// Removes the secret. Returns whether it was there.
pub(super) fn remove(items: &impl Items) -> Result<bool> {
    let was_there = items.remove(Item::Header)?;
    for set in 0..=1 {
        remove_set(items, set)?;
    }
    Ok(was_there)
}

/// Removes every piece of a set, also those of a longer secret that was not removed whole.
fn remove_set(items: &impl Items, set: u8) -> Result<()> {
    (0..MOST_PIECES).try_for_each(|number| items.remove(Item::Piece { set, number }).map(drop))
}

#[cfg(test)]
mod tests {
    use std::{
        cell::{Cell, RefCell},
        collections::BTreeMap,
    };

    use proptest::prelude::*;

    use super::*;

    /// Credentials in memory, whose writer may be killed after some changes.
    #[derive(Default)]
    struct Memory {
        items: RefCell<BTreeMap<Item, Vec<u8>>>,
        changes_left: Cell<Option<usize>>,
    }

    impl Memory {
        fn changes(&self) -> Result<()> {
            match self.changes_left.get() {
                Some(0) => return Err(Error::new(Kind::Internal, "killed")),
                Some(left) => self.changes_left.set(Some(left - 1)),
                None => {}
            }
            Ok(())
        }
    }

    impl Items for Memory {
        fn read(&self, item: Item) -> Result<Option<Zeroizing<Vec<u8>>>> {
            Ok(self.items.borrow().get(&item).cloned().map(Zeroizing::new))
        }

        fn write(&self, item: Item, content: &[u8]) -> Result<()> {
            assert!(content.len() <= ITEM_LENGTH);
            self.changes()?;
            self.items.borrow_mut().insert(item, content.to_owned());
            Ok(())
        }

        fn remove(&self, item: Item) -> Result<bool> {
            self.changes()?;
            Ok(self.items.borrow_mut().remove(&item).is_some())
        }
    }

    fn found(items: &Memory) -> Option<Vec<u8>> {
        get(items).unwrap().map(|secret| secret.to_vec())
    }

    #[test]
    fn a_longer_secret_than_all_pieces_is_refused() {
        let items = Memory::default();
        let most = MOST_PIECES * PART_LENGTH;
        put(&items, &vec![1; most], [1; 16]).unwrap();
        assert_eq!(put(&items, &vec![2; most + 1], [2; 16]).unwrap_err().kind(), Kind::Storage);
        assert_eq!(found(&items), Some(vec![1; most]));
    }

    #[test]
    fn a_secret_that_is_removed_leaves_no_item() {
        let items = Memory::default();
        put(&items, &[1; 9000], [1; 16]).unwrap();
        put(&items, &[2; 3000], [2; 16]).unwrap();
        assert_eq!(items.items.borrow().len(), 1 + 2);
        assert!(remove(&items).unwrap() && !remove(&items).unwrap());
        assert!(items.items.borrow().is_empty());
    }

    proptest! {
        #[test]
        fn a_killed_writer_leaves_the_old_secret_or_the_new(
            lengths in prop::array::uniform3(0_usize..9000), killed in 0_usize..16, killed_again in 0_usize..16,
        ) {
            let items = Memory::default();
            let secrets = [1, 2, 3].map(|seed: u8| vec![seed; lengths[usize::from(seed) - 1]]);
            put(&items, &secrets[0], [1; 16]).unwrap();
            prop_assert_eq!(found(&items), Some(secrets[0].clone()));
            let mut before = secrets[0].clone();
            for (secret, id, killed) in [(&secrets[1], [2; 16], killed), (&secrets[2], [3; 16], killed_again)] {
                items.changes_left.set(Some(killed));
                let outcome = put(&items, secret, id);
                items.changes_left.set(None);
                let after = found(&items).unwrap();
                prop_assert!(after == before || after == *secret);
                prop_assert!(outcome.is_err() || after == *secret);
                before = after;
            }
        }

        #[test]
        fn an_item_that_was_cut_is_not_believed(
            length in 0_usize..6000, piece in 0_usize..4, cut in 0_usize..2600,
        ) {
            let items = Memory::default();
            put(&items, &vec![7; length], [9; 16]).unwrap();
            let item = if piece == 3 { Item::Header } else { Item::Piece { set: 0, number: piece } };
            if let Some(content) = items.items.borrow_mut().get_mut(&item) {
                content.truncate(cut);
            }
            prop_assert!(found(&items).is_none_or(|secret| secret == vec![7; length]));
        }
    }
}
