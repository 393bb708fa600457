//! The cache modes.

use crate::{
    error::{Error, Kind, Result},
    system::System,
};

/// Selects the cache: `off`, `memory` or `session`.
pub(crate) const CACHE_VARIABLE: &str = "RINGBEARER_CACHE";

/// Where a token is cached until shortly before it expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheMode {
    /// Not at all.
    Off,
    /// In the memory of the process.
    Memory,
    /// In the memory of the login session, shared with its other processes. Without it, in the memory of the process.
    Session,
}

impl CacheMode {
    /// The mode in the environment; `default` if the variable is unset.
    pub(crate) fn read(system: &dyn System, default: Self) -> Result<Self> {
        let Some(value) = system.setting(CACHE_VARIABLE) else { return Ok(default) };
        match value.as_str() {
            "off" => Ok(Self::Off),
            "memory" => Ok(Self::Memory),
            "session" => Ok(Self::Session),
            _ => Err(Error::new(Kind::Configuration, format!("unknown RINGBEARER_CACHE {value:?}; caching is off"))
                .with_hint("choose one of off, memory, session, or unset it")),
        }
    }

    /// Whether tokens are cached in the memory of the process. False for an unknown mode, and when the session cache is in use
    /// (else `cache clear` would not reach a token in memory).
    #[must_use]
    pub(crate) fn uses_memory(system: &dyn System) -> bool {
        match Self::read(system, Self::Memory) {
            Ok(Self::Memory) => true,
            Ok(Self::Session) => system.sharing().is_err(),
            Ok(Self::Off) | Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    #[test]
    fn an_unknown_mode_is_an_error_and_caches_nothing() {
        for (value, expected, uses_memory) in [
            ("off", Some(CacheMode::Off), false),
            ("memory", Some(CacheMode::Memory), true),
            (" session ", Some(CacheMode::Session), false),
            ("", Some(CacheMode::Session), true),
            ("none", None, false),
        ] {
            let fake = FakeSystem::default().variable(CACHE_VARIABLE, value);
            assert_eq!(CacheMode::read(&fake, CacheMode::Session).ok(), expected, "{value}");
            assert_eq!(CacheMode::uses_memory(&fake), uses_memory, "{value}");
        }
    }
}
