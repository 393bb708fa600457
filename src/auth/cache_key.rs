//! Cache keys: which account a lookup signs in as, as a digest of explicit fields.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{Context, SHA256};

use crate::system::{System, files::FileStamp};

/// What a cached credential belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CacheKey {
    /// The organisation or audience that one sign-in serves.
    pub(crate) realm: String,
    /// Digest of everything that decides the answer: equal identities have equal answers.
    pub(crate) identity: String,
    /// Digest of the files that a sign-in itself may write. A later process must find them unchanged.
    pub(crate) login: String,
}

/// A SHA-256 digest of named fields. Values, secrets among them, cannot be recovered from it.
pub(crate) struct Digest(Context);

impl Digest {
    /// An empty digest.
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Adds a field. Lengths precede name and value, so that no two lists of fields coincide.
    #[must_use]
    pub(crate) fn field(mut self, name: &str, value: &[u8]) -> Self {
        for part in [name.as_bytes(), value] {
            self.0.update(&part.len().to_le_bytes());
            self.0.update(part);
        }
        self
    }

    /// Adds environment variables by exact name. Unset and empty ones differ.
    #[must_use]
    pub(crate) fn variables(self, system: &dyn System, names: impl IntoIterator<Item = &'static str>) -> Self {
        names.into_iter().fold(self, |digest, name| match system.raw_variable(name) {
            Some(value) => digest.field(name, value.as_encoded_bytes()),
            None => digest,
        })
    }

    /// Adds the paths and metadata of files, without reading them. Absence counts, and of a symbolic link both the link
    /// and its target.
    #[must_use]
    pub(crate) fn files(self, system: &dyn System, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        paths.into_iter().fold(self, |digest, path| {
            let target = system.destination(&path).ok();
            let digest = digest.field("file", path.as_os_str().as_encoded_bytes()).stamp(system, &path);
            target.iter().fold(digest, |digest, target| digest.stamp(system, target))
        })
    }

    /// Adds paths, not what is there.
    #[must_use]
    pub(crate) fn paths(self, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        paths.into_iter().fold(self, |digest, path| digest.field("path", path.as_os_str().as_encoded_bytes()))
    }

    /// Adds where programs are found. This stands for PATH, which changes with every virtual environment.
    #[must_use]
    pub(crate) fn programs(self, system: &dyn System, names: &[&str]) -> Self {
        names.iter().fold(self, |digest, name| {
            let path = system.find_program(name).unwrap_or_default();
            digest.field(name, path.as_os_str().as_encoded_bytes())
        })
    }

    fn stamp(self, system: &dyn System, path: &Path) -> Self {
        let Some(FileStamp { number, length, modified, changed }) = system.stamp(path).ok().flatten() else {
            return self.field("absent", b"");
        };
        let modified = modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok()).unwrap_or_default();
        let numbers = [
            u128::from(number.0),
            u128::from(number.1),
            u128::from(length),
            modified.as_nanos(),
            u128::from(changed.0.cast_unsigned()),
            u128::from(changed.1.cast_unsigned()),
        ];
        self.field("stamp", numbers.map(u128::to_le_bytes).as_flattened())
    }

    /// The digest in base64url.
    pub(crate) fn finish(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.finish())
    }
}

/// Whether a path exists, so that [`Digest::files`] tells its states apart.
#[must_use]
pub(crate) fn is_there(system: &dyn System, path: &Path) -> bool {
    system.stamp(path).is_ok_and(|stamp| stamp.is_some())
}

/// Truncated SHA-256, base64url.
#[must_use]
pub(crate) fn fingerprint(text: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&ring::digest::digest(&SHA256, text).as_ref()[..18])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    #[test]
    fn fields_do_not_run_into_each_other() {
        let digest = |fields: &[(&str, &str)]| {
            fields.iter().fold(Digest::new(), |digest, (name, value)| digest.field(name, value.as_bytes())).finish()
        };
        let all = [
            digest(&[]),
            digest(&[("a", "")]),
            digest(&[("", "a")]),
            digest(&[("ab", "c")]),
            digest(&[("a", "bc")]),
            digest(&[("a", "b"), ("c", "")]),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(all[index + 1..].iter().all(|other| one != other), "{index}");
        }
    }

    #[test]
    fn only_the_named_variables_count() {
        let of = |system: &FakeSystem| Digest::new().variables(system, ["A_LOGIN"]).finish();
        let plain = FakeSystem::default();
        let set = FakeSystem::default().variable("A_LOGIN", "x");
        let other = FakeSystem::default().variable("A_LOGIN_TOO", "x");
        assert_ne!(of(&plain), of(&set));
        assert_eq!(of(&plain), of(&other));
        assert_ne!(of(&plain), of(&FakeSystem::default().variable("A_LOGIN", "")));
    }

    #[test]
    fn the_path_of_a_file_counts_even_if_it_is_absent() {
        let of = |path: &str| Digest::new().files(&FakeSystem::default(), [PathBuf::from(path)]).finish();
        assert_ne!(of("/home/ada/login"), of("/home/eve/login"));
    }
}
