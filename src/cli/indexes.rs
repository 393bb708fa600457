//! The indexes of commands without a URL: those in the settings of tools that a backend claims.

use super::World;
use crate::tools::{Index, is_same};

/// The maximum number of indexes taken from settings.
const INDEX_LIMIT: usize = 10;

/// The indexes that a backend claims, without duplicates.
pub(crate) fn served<'all>(world: &World<'_>, indexes: impl IntoIterator<Item = &'all Index>) -> Vec<Index> {
    let mut found: Vec<Index> = Vec::new();
    for index in indexes {
        let service = index.service();
        let is_served = world.memory.keyring.serves(world.system, &service);
        if is_served && found.len() < INDEX_LIMIT && !found.iter().any(|known| is_same(&known.service(), &service)) {
            found.push(index.clone());
        }
    }
    found
}
