//! Access tokens: what every sign-in ends with.

use std::{fmt, time::SystemTime};

use crate::{
    auth::jwt::Claims,
    error::{self, Error, Kind},
    secret::Secret,
    system::System,
};

/// The maximum length of a token in bytes. Callers put it into a header; servers accept a few times 8 KiB at most.
const CAP: usize = 64 * 1024;

/// A token that a header can carry: one word of printable ASCII, of limited length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessToken {
    secret: Secret,
    expires: Option<SystemTime>,
}

impl AccessToken {
    /// Reads a token, ignoring white space around it. The expiry is that of a JSON Web Token, unknown for any other.
    pub(crate) fn parse(text: impl AsRef<[u8]>) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(text.as_ref()).map_err(|_| Malformed::NotAToken)?.trim();
        if text.is_empty() {
            return Err(Malformed::Empty);
        }
        if text.contains(char::is_whitespace) {
            return Err(Malformed::SeveralWords);
        }
        if text.len() > CAP || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Malformed::NotAToken);
        }
        let secret = Secret::new(text.to_owned());
        let expires = Claims::read(&secret).and_then(|claims| claims.expires());
        Ok(Self { secret, expires })
    }

    /// The token in an environment variable; `None` if that is unset or blank.
    pub(crate) fn from_variable(system: &dyn System, name: &str) -> error::Result<Option<Self>> {
        let Some(value) = system.secret_setting(name) else { return Ok(None) };
        Self::parse(value.expose()).map(Some).map_err(|malformed| {
            Error::new(Kind::Configuration, format!("{name} holds {malformed}"))
                .with_hint(format!("correct or unset {name}"))
        })
    }

    /// Sets the expiry that the issuer's answer states, which overrides the token's: a lifetime counts from now, whatever the
    /// clock of this machine shows.
    #[must_use]
    pub(crate) fn with_expiry(self, stated: Option<SystemTime>) -> Self {
        Self { expires: stated.or(self.expires), ..self }
    }

    /// Adds the expiry that the issuer's answer states. The earlier one counts if the token states another.
    #[must_use]
    pub(crate) fn expiring(mut self, stated: Option<SystemTime>) -> Self {
        self.expires = self.expires.into_iter().chain(stated).min();
        self
    }

    /// The token itself.
    #[must_use]
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The token itself, by value.
    #[must_use]
    pub(crate) fn into_secret(self) -> Secret {
        self.secret
    }

    /// When the service stops accepting it, where that is known.
    #[must_use]
    pub(crate) fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    /// The claims of a JSON Web Token; `None` for any other token.
    #[must_use]
    pub(crate) fn claims(&self) -> Option<Claims> {
        Claims::read(&self.secret)
    }
}

/// Why a text is not a token. Displayed as a noun, for `HOST answered with ...` or `PROGRAM printed ...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// Nothing but white space.
    Empty,
    /// White space inside.
    SeveralWords,
    /// Characters that no token has, or too many of them.
    NotAToken,
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Empty => "nothing",
            Self::SeveralWords => "more than a token",
            Self::NotAToken => "something that is not a token",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::auth::jwt::token_of;

    #[test]
    fn white_space_around_a_token_is_ignored() {
        assert_eq!(AccessToken::parse(" token\r\n").unwrap().secret().expose(), "token");
    }

    #[test]
    fn only_one_word_of_printable_ascii_is_a_token() {
        for (text, expected) in [
            ("", Malformed::Empty),
            (" \n", Malformed::Empty),
            ("two words", Malformed::SeveralWords),
            ("two\nlines", Malformed::SeveralWords),
            ("t\u{f6}ken", Malformed::NotAToken),
            ("bell\u{7}", Malformed::NotAToken),
            (&"x".repeat(CAP + 1), Malformed::NotAToken),
        ] {
            assert_eq!(AccessToken::parse(text), Err(expected), "{text:.20}");
        }
        assert_eq!(AccessToken::parse([0xff]), Err(Malformed::NotAToken));
        assert!(AccessToken::parse("x".repeat(CAP)).is_ok());
    }

    #[test]
    fn the_earlier_expiry_counts_unless_the_issuer_overrides_it() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let token = AccessToken::parse(token_of(&json!({"exp": 200}))).unwrap();
        assert_eq!(token.expires(), Some(at(200)));
        assert_eq!(token.clone().expiring(Some(at(100))).expires(), Some(at(100)));
        assert_eq!(token.clone().expiring(Some(at(300))).expires(), Some(at(200)));
        assert_eq!(token.clone().expiring(None).expires(), Some(at(200)));
        assert_eq!(token.clone().with_expiry(Some(at(300))).expires(), Some(at(300)));
        assert_eq!(token.with_expiry(None).expires(), Some(at(200)));
        assert_eq!(AccessToken::parse("opaque").unwrap().expiring(Some(at(1))).expires(), Some(at(1)));
    }

    proptest! {
        #[test]
        fn any_text_is_one_word_or_malformed(text in "\\PC{0,80}") {
            if let Ok(token) = AccessToken::parse(&text) {
                let word = token.secret().expose();
                prop_assert!(text.trim() == word && word.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
