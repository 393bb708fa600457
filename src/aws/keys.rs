//! Access keys: what requests are signed with.

use std::{fmt, time::SystemTime};

use crate::secret::Secret;

/// An access key, of a user or of a session.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    /// Its id, which is no secret.
    pub(crate) access_key_id: String,
    /// What signs.
    pub(crate) secret_access_key: Secret,
    /// The token of a session; `None` for the key of a user.
    pub(crate) session_token: Option<Secret>,
    /// When a session ends, if known.
    pub(crate) expires: Option<SystemTime>,
}

/// The longest id that messages show, in characters. Those of AWS have 20, and secrets 40: a longer one may be the secret in
/// the wrong place.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>
const LONGEST_SHOWN: usize = 24;

impl Keys {
    /// The id for messages.
    #[must_use]
    pub(crate) fn shown_id(&self) -> &str {
        if self.access_key_id.len() <= LONGEST_SHOWN { &self.access_key_id } else { "(too long to be one)" }
    }

    /// What a service that was sent a request with them must not repeat.
    #[must_use]
    pub(crate) fn secrets(&self) -> Vec<&str> {
        [Some(&self.secret_access_key), self.session_token.as_ref()].into_iter().flatten().map(Secret::expose).collect()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Keys({})", self.shown_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_id_alone() {
        let secret = || Secret::new("x-secret".to_owned());
        let (access_key_id, session_token) = ("AKIDADA".to_owned(), Some(secret()));
        let keys = Keys { access_key_id, secret_access_key: secret(), session_token, expires: None };
        assert_eq!(format!("{keys:?}"), "Keys(AKIDADA)");
        let swapped = Keys { access_key_id: "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYAB".to_owned(), ..keys };
        assert_eq!(format!("{swapped:?}"), "Keys((too long to be one))");
    }
}
