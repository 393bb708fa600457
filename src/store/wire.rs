//! The data types of the SSH protocols (RFC 4251, section 5).

/// Reads the fields of a message in order. Lengths are not trusted.
pub(super) struct Reader<'bytes>(&'bytes [u8]);

impl<'bytes> Reader<'bytes> {
    pub(super) fn new(bytes: &'bytes [u8]) -> Self {
        Self(bytes)
    }

    /// Reads a byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// Reads a `uint32`.
    pub(super) fn number(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    /// Reads a string: a `uint32` length and as many bytes.
    pub(super) fn string(&mut self) -> Option<&'bytes [u8]> {
        let mut ahead = Self(self.0);
        let length = usize::try_from(ahead.number()?).ok()?;
        let (bytes, rest) = ahead.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// `None` if bytes are left.
    pub(super) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// Appends a string: a `uint32` length and the bytes. Nothing here is near the limit of 4 GiB.
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
    fn a_length_beyond_the_message_is_refused() {
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 1]).string(), None);
        assert_eq!(Reader::new(&[0, 0, 0, 2, 1]).string(), None);
        assert_eq!(Reader::new(&[0, 0]).string(), None);
    }

    proptest! {
        #[test]
        fn strings_round_trip(first in proptest::collection::vec(any::<u8>(), 0..50), second in proptest::collection::vec(any::<u8>(), 0..50)) {
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
