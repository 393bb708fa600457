//! Random bytes that a test chooses.

use std::collections::VecDeque;

use super::{FakeSystem, lock};
use crate::{error::Result, system::Random};

pub(super) type State = VecDeque<Vec<u8>>;

impl FakeSystem {
    /// Adds random bytes, in the order in which they are drawn. Without any, every byte is 0x80.
    pub(crate) fn random_bytes(self, draws: impl IntoIterator<Item = Vec<u8>>) -> Self {
        lock(&self.random).extend(draws);
        self
    }
}

impl Random for FakeSystem {
    fn random(&self, buffer: &mut [u8]) -> Result<()> {
        match lock(&self.random).pop_front() {
            Some(draw) => buffer.copy_from_slice(&draw),
            None => buffer.fill(0x80),
        }
        Ok(())
    }
}
