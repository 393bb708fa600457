//! The tokens that the Menda CLI has cached. Only read, never written.

use std::{path::PathBuf, time::SystemTime};

use log::debug;
use zeroize::Zeroizing;

use crate::{
    auth::access_token::AccessToken,
    error::{Error, ExceptionClass, Kind, Result},
    ini::Ini,
    system::{System, io_message, places},
};

/// The maximum size of the file in bytes.
const CAP: usize = 1024 * 1024;

/// The minimum remaining lifetime of a token in seconds, as in menda-keyring.
const MARGIN: f64 = 60.0;

/// The content of the file; empty if it is absent or cannot be read.
#[derive(Default)]
pub(super) struct CachedLogin(Zeroizing<Vec<u8>>);

/// The file with the tokens.
pub(super) fn path(system: &dyn System) -> Option<PathBuf> {
    Some(places::home(system)?.join(".menda").join("tokens").join("cache").join(".token"))
}

impl CachedLogin {
    pub(super) fn read(system: &dyn System) -> Self {
        let Some(path) = path(system) else { return Self::default() };
        match system.read_file(&path, CAP) {
            Ok(content) => Self(Zeroizing::new(content)),
            Err(error) => {
                debug!("{} cannot be read: {}", path.display(), io_message(&error));
                Self::default()
            }
        }
    }

    /// The content, for the cache key: a change means another login.
    pub(super) fn content(&self) -> &[u8] {
        &self.0
    }

    /// The access token of a section, if it has not expired. Without both `cached_at` and `expires_in` it never
    /// expires.
    pub(super) fn access_token(&self, now: SystemTime, section: &str) -> Result<Option<AccessToken>> {
        let text = String::from_utf8_lossy(&self.0);
        let ini = Ini::parse(&text);
        if let (Some(cached_at), Some(expires_in)) = (ini.value(section, "cached_at"), ini.value(section, "expires_in"))
        {
            let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
            let (Some(cached_at), Some(expires_in)) = (number(cached_at), number(expires_in)) else {
                let message = format!(
                    "Token cache key '{section}' in ~/.menda/tokens/cache/.token has invalid cached_at/expires_in"
                );
                return Err(Error::new(Kind::Configuration, message)
                    .with_hint("delete the file or run 'menda auth login' again")
                    .with_class(ExceptionClass::InvalidCachedToken));
            };
            let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
            if now - cached_at >= expires_in - MARGIN {
                return Ok(None);
            }
        }
        let token = ini.value(section, "id_token").or_else(|| ini.value(section, "access_token"));
        Ok(token.and_then(|token| AccessToken::parse(token).ok()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::{Clock, fake::FakeSystem};

    const NOW: f64 = 1_795_305_600.0;

    fn cached(content: &str) -> Result<Option<String>> {
        let fake = FakeSystem::default().home("/home/user").file("/home/user/.menda/tokens/cache/.token", content);
        CachedLogin::read(&fake)
            .access_token(fake.now(), "ci")
            .map(|token| token.map(|token| token.secret().expose().to_owned()))
    }

    #[test]
    fn the_id_token_is_preferred_and_neither_is_none() {
        assert_eq!(cached("[ci]\naccess_token=a\nid_token=i\n").unwrap().as_deref(), Some("i"));
        assert_eq!(cached("[ci]\naccess_token=a\nid_token=\n").unwrap().as_deref(), Some("a"));
        assert_eq!(cached("[ci]\nrefresh_token=r\n").unwrap(), None);
        assert_eq!(cached("[other]\naccess_token=a\n").unwrap(), None);
        assert_eq!(cached("[ci]\naccess_token=a b\n").unwrap(), None);
    }

    #[test]
    fn a_token_serves_until_a_minute_before_its_end() {
        let aged = |age: f64| cached(&format!("[ci]\nid_token=i\nexpires_in=3600\ncached_at={}\n", NOW - age)).unwrap();
        assert!(aged(3539.5).is_some() && aged(-100.0).is_some());
        assert!(aged(3540.0).is_none() && aged(9999.0).is_none());
        // One without the other has no effect, as in menda-keyring.
        assert!(cached("[ci]\nid_token=i\nexpires_in=1\n").unwrap().is_some());
    }

    #[test]
    fn a_moment_that_is_no_number_is_an_error() {
        for text in ["soon", "nan", "inf", "1,5"] {
            let error = cached(&format!("[ci]\nid_token=x-secret\nexpires_in={text}\ncached_at=1\n")).unwrap_err();
            assert_eq!(error.class(), Some(ExceptionClass::InvalidCachedToken));
            assert!(
                error.to_string().contains("'menda auth login'") && !error.to_string().contains("x-secret"),
                "{error}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_content_is_a_token_none_or_an_error(content in "\\[ci\\]\n[\\PC\n]{0,200}") {
            let _ = cached(&content);
        }
    }
}
