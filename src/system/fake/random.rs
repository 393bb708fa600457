//! Random bytes that a test chooses.

use std::collections::VecDeque;

use super::{FakeSystem, lock};
use crate::{error::Result, system::Random};

pub(super) type State = VecDeque<Vec<u8>>;

impl FakeSystem {
    /// Adds random bytes, in the order in which they are drawn. A draw of another length, as for a pause before a
    /// retry, does not use them: every byte of it is 0x80.
    pub(crate) fn random_bytes(self, draws: impl IntoIterator<Item = Vec<u8>>) -> Self {
        lock(&self.random).extend(draws);
        self
    }
}

impl Random for FakeSystem {
    fn random(&self, buffer: &mut [u8]) -> Result<()> {
        let mut draws = lock(&self.random);
        if draws.front().is_some_and(|draw| draw.len() == buffer.len()) {
            buffer.copy_from_slice(&draws.pop_front().unwrap_or_default());
        } else {
            buffer.fill(0x80);
        }
        Ok(())
    }
}
