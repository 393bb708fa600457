//! Who a lookup is made for: what decides it, as a digest for the key of a cache.

use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{Context, SHA256};

use crate::system::System;

/// Who a lookup is made for, and of whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The organisation or audience: what one sign-in is good for.
    pub(crate) realm: String,
    /// All that decides the answer: two lookups that agree in it have the same answer.
    pub(crate) key: String,
    /// The [`marks`] of files that a sign-in may write itself, with all that belongs to the login: a process that
    /// comes later must find them as this one left them.
    pub(crate) login: String,
}

/// What tells the present content of files from any other, without reading them. What is not there counts too.
#[must_use]
pub(crate) fn marks(system: &dyn System, files: impl IntoIterator<Item = PathBuf>) -> String {
    let stamp = |path: &Path| system.stamp(path).ok().flatten();
    // Of a link both count: the link, and the file that programs write through it.
    let both = |path: PathBuf| (stamp(&path), system.destination(&path).ok().and_then(|target| stamp(&target)));
    let marks: Vec<_> = files.into_iter().map(both).collect();
    format!("{marks:?}")
}

/// Whether there is a file, which [`marks`] then tell from others.
#[must_use]
pub(crate) fn is_there(system: &dyn System, path: &Path) -> bool {
    system.stamp(path).is_ok_and(|stamp| stamp.is_some())
}

/// The programs that a lookup would run, by their places. That stands for PATH, which changes with every virtual
/// environment.
#[must_use]
pub(crate) fn programs(system: &dyn System, names: &[&str]) -> String {
    let programs: Vec<_> = names.iter().map(|name| system.find_program(name)).collect();
    format!("{programs:?}")
}

/// A few letters that stand for a text and tell nothing of it.
#[must_use]
pub(crate) fn fingerprint(text: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&ring::digest::digest(&SHA256, text).as_ref()[..18])
}

/// A digest of every variable whose name begins with one of `prefixes`, and of `more`. A change of any of them
/// is another identity, and another identity must not get the first one's token. The values, secrets among
/// them, do not come out of it.
#[must_use]
pub(crate) fn digest(system: &dyn System, prefixes: &[&str], more: &[&[u8]]) -> String {
    let mut context = Context::new(&SHA256);
    for (name, value) in system.variables() {
        let name = name.as_encoded_bytes();
        if prefixes.iter().any(|prefix| name.starts_with(prefix.as_bytes())) {
            for part in [name, b"=", value.as_encoded_bytes(), b"\0"] {
                context.update(part);
            }
        }
    }
    for part in more {
        // With its length in front, no two lists read the same.
        context.update(&part.len().to_le_bytes());
        context.update(part);
    }
    URL_SAFE_NO_PAD.encode(context.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    #[test]
    fn another_value_of_a_variable_that_matters_is_another_identity() {
        let of = |name: &str, value: &str| digest(&FakeSystem::default().variable(name, value), &["A_"], &[]);
        assert_ne!(of("A_TOKEN", "1"), of("A_TOKEN", "2"));
        assert_eq!(of("B_TOKEN", "1"), of("B_TOKEN", "2"));
    }

    #[test]
    fn where_one_part_ends_and_the_next_begins_matters() {
        let of = |more: &[&[u8]]| digest(&FakeSystem::default(), &[], more);
        assert_ne!(of(&[b"ab", b"c"]), of(&[b"a", b"bc"]));
    }
}
