//! How long a token is kept, and where.

use crate::{
    error::{Error, Kind, Result},
    system::System,
};

/// Chooses.
pub(crate) const CACHE_VARIABLE: &str = "RINGBEARER_CACHE";

/// Where a token is kept until shortly before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caching {
    /// Nowhere.
    Off,
    /// In the memory of the process.
    Memory,
    /// In the memory of the login session, where its other processes find it. What may not be kept there is kept by the
    /// process alone, if it did not ask for this one by name.
    Session,
}

impl Caching {
    /// What the environment asks for; `usual` if it asks for nothing.
    pub(crate) fn read(system: &dyn System, usual: Self) -> Result<Self> {
        let Some(value) = system.setting(CACHE_VARIABLE) else { return Ok(usual) };
        match value.as_str() {
            "off" => Ok(Self::Off),
            "memory" => Ok(Self::Memory),
            "session" => Ok(Self::Session),
            _ => Err(Error::new(Kind::Configuration, format!("RINGBEARER_CACHE is {value:?}, and no token is kept"))
                .with_hint("choose one of off, memory, session, or unset it")),
        }
    }

    /// Whether tokens are kept in the memory of the process. They are not for somebody who asked for a cache that is not
    /// known, nor where the session's cache was asked for and is there: what somebody else took out of that must not come
    /// back.
    #[must_use]
    pub(crate) fn uses_memory(system: &dyn System) -> bool {
        match Self::read(system, Self::Memory) {
            Ok(Self::Memory) => true,
            Ok(Self::Session) => !system.can_share(),
            Ok(Self::Off) | Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    #[test]
    fn what_is_not_known_is_an_error_and_allows_nothing() {
        for (value, expected, uses_memory) in [
            ("off", Some(Caching::Off), false),
            ("memory", Some(Caching::Memory), true),
            (" session ", Some(Caching::Session), false),
            ("", Some(Caching::Session), true),
            ("none", None, false),
        ] {
            let fake = FakeSystem::default().variable(CACHE_VARIABLE, value);
            assert_eq!(Caching::read(&fake, Caching::Session).ok(), expected, "{value}");
            assert_eq!(Caching::uses_memory(&fake), uses_memory, "{value}");
        }
    }
}
