//! Random bytes.

use crate::error::Result;

/// The operating system's random number generator.
pub(crate) trait Random {
    /// Fills `buffer` with random bytes fit for keys.
    fn random(&self, buffer: &mut [u8]) -> Result<()>;
}
