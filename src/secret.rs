//! Strings that must not be shown.

use std::fmt;

use zeroize::Zeroizing;

/// A password, token or key: wiped from memory when dropped, hidden from `Debug`, without `Display`.
///
/// Only [`Secret::expose`] returns its content, so that a search for that name finds every use.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of the string, which is wiped when the secret is dropped.
    #[must_use]
    pub(crate) fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// A secret from bytes, without surrounding white space; `None` if they are blank or not UTF-8.
    #[must_use]
    pub(crate) fn from_utf8_trimmed(bytes: &[u8]) -> Option<Self> {
        Self::from_trimmed(std::str::from_utf8(bytes).ok()?)
    }

    /// A secret without surrounding white space; `None` if it is blank.
    #[must_use]
    pub(crate) fn from_trimmed(value: &str) -> Option<Self> {
        let value = value.trim();
        (!value.is_empty()).then(|| Self::new(value.to_owned()))
    }

    /// The secret itself.
    #[must_use]
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(hidden)")
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// A secret of the store, in WTF-8: UTF-8 that may also encode unpaired surrogates, which Python strings may hold
/// (Python's `surrogatepass`). <https://simonsapin.github.io/wtf-8/>
///
/// Wiped and hidden like [`Secret`].
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct SecretText(Zeroizing<Vec<u8>>);

impl SecretText {
    /// Takes ownership of the bytes, which are wiped when the secret is dropped.
    #[must_use]
    pub(crate) fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The bytes of the secret.
    #[must_use]
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretText(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_value() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".into())), "Secret(hidden)");
        assert_eq!(format!("{:?}", SecretText::new(b"hunter2".to_vec().into())), "SecretText(hidden)");
    }

    #[test]
    fn white_space_around_a_secret_is_removed() {
        assert_eq!(Secret::from_trimmed(" \n"), None);
        assert_eq!(Secret::from_trimmed(" a b \r\n"), Some(Secret::new("a b".into())));
        assert_eq!(Secret::from_utf8_trimmed(&[0xff]), None);
    }
}
