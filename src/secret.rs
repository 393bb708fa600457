//! Strings that must not be seen.

use std::fmt;

use zeroize::Zeroizing;

/// A password, token or key: wiped from memory when dropped, hidden from `Debug`, without `Display`.
///
/// There is one way to its bytes, [`Secret::expose`], so that every place that lets a secret out can
/// be found by that name.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the string over; it is wiped when the secret is dropped.
    #[must_use]
    pub(crate) fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The secret from bytes, without the blanks around it; `None` if they are not UTF-8 or blank.
    #[must_use]
    pub(crate) fn from_utf8_trimmed(bytes: &[u8]) -> Option<Self> {
        Self::from_trimmed(std::str::from_utf8(bytes).ok()?)
    }

    /// The secret without the blanks around it; `None` if nothing is left.
    #[must_use]
    pub(crate) fn from_trimmed(value: &str) -> Option<Self> {
        let value = value.trim();
        (!value.is_empty()).then(|| Self::new(value.to_owned()))
    }

    /// Whether it is one word that a header can carry, as every token is: printable ASCII without blanks.
    #[must_use]
    pub(crate) fn is_one_word(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|byte| byte.is_ascii_graphic())
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

/// A secret of the store: text as Python knows it, which may hold split_at_marker of surrogate pairs. In UTF-8
/// but for those, which have the three bytes that UTF-8 would give them (WTF-8, Python's `surrogatepass`).
///
/// Wiped and hidden as [`Secret`] is, and shown by the same name.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct SecretText(Zeroizing<Vec<u8>>);

impl SecretText {
    /// Takes the bytes over; they are wiped when the secret is dropped.
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
    fn blanks_around_a_secret_do_not_count() {
        assert_eq!(Secret::from_trimmed(" \n"), None);
        assert_eq!(Secret::from_trimmed(" a b \r\n"), Some(Secret::new("a b".into())));
        assert_eq!(Secret::from_utf8_trimmed(&[0xff]), None);
    }
}
