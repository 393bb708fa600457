//! The choice of the token cache.

use crate::{
    error::{Error, Kind, Result},
    system::System,
};

/// Selects the cache: `off`, `memory` or `session`.
pub(crate) const CACHE_VARIABLE: &str = "RINGBEARER_CACHE";

/// Where a token is cached until shortly before it expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caching {
    /// Nowhere.
    Off,
    /// In the memory of the process.
    Memory,
    /// In the memory of the login session, for its other processes. A credential that must not be cached there stays
    /// in the memory of the process, unless the session cache was requested by name.
    Session,
}

impl Caching {
    /// The choice in the environment; `usual` without one.
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

    /// Whether tokens are cached in the memory of the process. False for an unknown mode, and when the session cache
    /// is requested and available: else a token removed from that would be served from memory.
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
    fn an_unknown_mode_is_an_error_and_disables_caching() {
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
