//! The data types of the SSH protocols (RFC 4251, section 5): what the agent, keys and signatures are made
//! of.

/// Reads the fields of a message one after the other. Whatever a length claims, nothing beyond the
/// message is read.
pub(super) struct Reader<'bytes>(&'bytes [u8]);

impl<'bytes> Reader<'bytes> {
    pub(super) fn new(bytes: &'bytes [u8]) -> Self {
        Self(bytes)
    }

    /// One byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// A number of four bytes.
    pub(super) fn number(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    /// A string: its length, and as many bytes.
    pub(super) fn string(&mut self) -> Option<&'bytes [u8]> {
        let mut ahead = Self(self.0);
        let length = usize::try_from(ahead.number()?).ok()?;
        let (bytes, rest) = ahead.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Fails if something is left over.
    pub(super) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// Appends a string: its length, and its bytes. Nothing here is near the four gigabytes where that
/// length ends.
pub(super) fn put_string(bytes: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_length_beyond_the_message_is_no_string() {
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 1]).string(), None);
        assert_eq!(Reader::new(&[0, 0, 0, 2, 1]).string(), None);
        assert_eq!(Reader::new(&[0, 0]).string(), None);
    }

    proptest! {
        #[test]
        fn strings_come_back(first in proptest::collection::vec(any::<u8>(), 0..50), second in proptest::collection::vec(any::<u8>(), 0..50)) {
            let mut message = Vec::new();
            put_string(&first, &mut message);
            put_string(&second, &mut message);
            let mut reader = Reader::new(&message);
            prop_assert_eq!(reader.string(), Some(first.as_slice()));
            prop_assert_eq!(reader.string(), Some(second.as_slice()));
            prop_assert!(reader.end().is_some());
        }
    }
}
