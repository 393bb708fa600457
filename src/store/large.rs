//! One record of a large store, found by reading little of it: in the printed form the records are in order, so
//! that halving finds each in a few steps.
//!
//! Nothing here is trusted. What is found has to decrypt under its identifier, which no other text does; and
//! whatever is not found, or not as expected, is left to those who read the whole.

use std::{io, path::Path};

use super::{
    change::LARGEST_STORE,
    document::{Document, Header},
    printed,
    record::Record,
};
use crate::system::{System, files::ReadAt};

/// Smaller stores are read at once. In bytes.
const LARGE: u64 = 64 * 1024;

/// How much is read in one step. In bytes.
const STEP: usize = 4096;

/// How far the beginning of a record is looked for from somewhere inside another. In bytes.
const FARTHEST: usize = 1 << 20;

/// A large store of which the parts around the records were read.
pub(super) struct Large {
    pieces: Box<dyn ReadAt>,
    header: Header,
    /// Where the first record begins, and where the last one ends.
    records: (u64, u64),
}

impl Large {
    /// Opens a store; `None` if it is not large, or not in the printed form.
    pub(super) fn open(system: &dyn System, path: &Path) -> Option<Self> {
        let pieces = system.open(path).ok()?;
        let length = pieces.length();
        if !(LARGE..=LARGEST_STORE as u64).contains(&length) {
            return None;
        }
        let head = text(pieces.read(0, STEP))?;
        let begin = head.find(printed::BEGIN)? + printed::BEGIN.len();
        head.get(begin..)?.starts_with(printed::BEFORE_ID).then_some(())?;
        let tail_begin = length - STEP as u64;
        let tail = text(pieces.read(tail_begin, STEP))?;
        let end = tail.find(printed::LAST)? + printed::LAST.len();
        // What remains without the records is a store too, and is held to be one.
        let skeleton = [head.get(..begin)?, tail.get(end..)?].concat();
        let header = Document::parse(skeleton.as_bytes()).ok()?.header().clone();
        let records = (u64::try_from(begin).ok()?, tail_begin + u64::try_from(end).ok()?);
        Some(Self { pieces, header, records })
    }

    /// What unlocks the store.
    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// The record of this identifier, if it is found.
    pub(super) fn record(&self, system: &dyn System, id: &str) -> Option<Record> {
        // A record begins at `low`, and the one that is looked for begins in front of `high`.
        let (mut low, mut high) = self.records;
        while high - low > STEP as u64 {
            system.check().ok()?;
            let middle = low + (high - low) / 2;
            match self.first_record(middle, high)? {
                First::At(place, found) if found.as_str() <= id => low = place,
                _ => high = middle,
            }
        }
        let mut length = 2 * STEP;
        loop {
            let piece = text(self.pieces.read(low, length))?;
            let mut rest = piece.as_str();
            while let Some((found, value, after)) = printed::read_record(rest) {
                if found == id {
                    return Record::read(value);
                }
                rest = after.strip_prefix(',')?;
            }
            if piece.len() < length {
                return None;
            }
            // It does not end in this piece. One that is as large as that is worth reading the whole.
            length = (length <= FARTHEST).then_some(length * 2)?;
        }
    }

    /// The first record that begins at `from` or later, but in front of `end`. `None` if that cannot be told
    /// from what is read in reason.
    fn first_record(&self, from: u64, end: u64) -> Option<First> {
        let mut length = STEP;
        loop {
            let within = usize::try_from(end - from).unwrap_or(usize::MAX);
            let piece = text(self.pieces.read(from, length))?;
            let found = printed::first_record(&piece).filter(|(place, _)| *place < within);
            if let Some((place, id)) = found {
                return Some(First::At(from + u64::try_from(place).ok()?, id.to_owned()));
            }
            if length >= within {
                return Some(First::Nowhere);
            }
            length = (length <= FARTHEST).then_some(length * 2)?;
        }
    }
}

/// Where a record begins, and which.
enum First {
    At(u64, String),
    Nowhere,
}

fn text(bytes: io::Result<Vec<u8>>) -> Option<String> {
    String::from_utf8(bytes.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::fake::FakeSystem;

    const PATH: &str = "/store.json";

    /// A store with these records.
    fn store(records: &[(String, Vec<u8>)]) -> Vec<u8> {
        let header = Header {
            public_key: "ssh-ed25519 AAAA".into(),
            store_id: vec![1; 16],
            salt: vec![2; 32],
            nonce: [3; 12],
            wrapped_dek: vec![4; 48],
        };
        let mut document = Document::new(header);
        for (id, ciphertext) in records {
            document.put(id, Record { nonce: [5; 12], ciphertext: ciphertext.clone() });
        }
        document.print()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        #[test]
        fn what_is_found_is_what_is_there(
            ids in proptest::collection::btree_set("[0-9a-f]{64}", 1..200),
            lengths in proptest::collection::vec(prop_oneof![9 => 40_usize..400, 1 => 400_usize..20_000], 200),
            missing in "[0-9a-f]{64}",
        ) {
            let records: Vec<_> = ids.into_iter().zip(lengths).map(|(id, length)| (id, vec![7; length])).collect();
            let text = store(&records);
            let system = FakeSystem::default();
            system.write(PATH, &text);
            let Some(large) = Large::open(&system, Path::new(PATH)) else {
                prop_assert!(text.len() < 64 * 1024);
                return Ok(());
            };
            let whole = Document::parse(&text).unwrap();
            prop_assert_eq!(large.header(), whole.header());
            for (id, ciphertext) in &records {
                prop_assert_eq!(&large.record(&system, id).unwrap().ciphertext, ciphertext);
            }
            prop_assert!(large.record(&system, &missing).is_none());
        }

        #[test]
        fn a_large_file_that_is_damaged_is_read_without_harm(
            at in 0_usize..80_000, put in "[\\x00-\\x7f]{0,40}", cut in 0_usize..80_000,
        ) {
            let records: Vec<_> = (0..300).map(|number| (format!("{number:064x}"), vec![7; 150])).collect();
            let mut text = store(&records);
            text.splice(at..(at + put.len()).min(text.len()), put.bytes());
            text.truncate(text.len().max(cut));
            let system = FakeSystem::default();
            system.write(PATH, &text);
            if let Some(large) = Large::open(&system, Path::new(PATH)) {
                for (id, _) in &records {
                    let _ = large.record(&system, id);
                }
            }
        }
    }
}
