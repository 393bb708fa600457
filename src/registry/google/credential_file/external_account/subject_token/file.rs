//! A subject token in a file, which the platform or the job renews: Kubernetes, GitLab.

use std::path::{Component, Path, PathBuf, Prefix};

use zeroize::Zeroizing;

use super::format::Format;
use crate::{
    auth::access_token::AccessToken,
    error::{Error, Kind, Result},
    registry::google::location::Location,
    system::{System, io_message},
};

/// The maximum size of a file in bytes.
const CAP: usize = 256 * 1024;

/// The longest path that messages show, in bytes. A longer one may be the token itself.
const LONGEST_PATH: usize = 256;

/// A file with a subject token.
#[derive(Debug)]
pub(in crate::registry::google) struct File {
    pub(super) path: PathBuf,
    format: Format,
}

impl File {
    /// The file at a path.
    pub(super) fn read(path: &str, format: Format, location: &Location) -> Result<Self> {
        let path =
            named(path).ok_or_else(|| location.broken("has a credential_source whose file is not an absolute path"))?;
        Ok(Self { path, format })
    }

    /// The token that is in the file now.
    pub(super) fn token(&self, system: &dyn System, location: &Location) -> Result<AccessToken> {
        let broken = |why: &str| {
            let (path, named_by) = (self.path.display(), location.path.display());
            Error::new(Kind::Configuration, format!("{path}, which holds the identity token, {why}"))
                .with_hint(format!("let the job write it, or correct credential_source in {named_by}"))
        };
        let content = system.read_file(&self.path, CAP).map(Zeroizing::new);
        let content = content.map_err(|error| broken(&format!("cannot be read: {}", io_message(&error))))?;
        self.format.token(&content).map_err(|found| broken(&format!("has {found} in it")))
    }
}

/// The absolute path in a text, if it is on this machine and messages may show it. Somebody else may have written the text,
/// and Windows signs in to the machine that a path names (`\\HOST\SHARE`).
pub(super) fn named(path: &str) -> Option<PathBuf> {
    let is_shown = path.len() <= LONGEST_PATH && !path.contains(char::is_control);
    let path = Path::new(path);
    let is_local = match path.components().next() {
        Some(Component::Prefix(prefix)) => matches!(prefix.kind(), Prefix::Disk(_) | Prefix::VerbatimDisk(_)),
        _ => true,
    };
    (is_shown && is_local && path.is_absolute()).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{
        Source,
        tests::{location, source},
    };
    use crate::{
        error::Kind,
        system::fake::{FakeSystem, absolute},
    };

    fn file(format: &serde_json::Value) -> super::File {
        match source(&json!({"file": absolute("/run/token"), "format": format})) {
            Ok(Source::File(file)) => file,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_file_is_read_each_time() {
        let (text, json) = (file(&json!(null)), file(&json!({"type": "json", "subject_token_field_name": "t"})));
        let system = FakeSystem::default().file("/run/token", "one\n");
        assert_eq!(text.token(&system, &location()).unwrap().secret().expose(), "one");
        system.write("/run/token", b"two");
        assert_eq!(text.token(&system, &location()).unwrap().secret().expose(), "two");
        system.write("/run/token", br#"{"t":"three"}"#);
        assert_eq!(json.token(&system, &location()).unwrap().secret().expose(), "three");
    }

    #[test]
    fn a_file_without_a_token_is_named_and_not_quoted() {
        let path = absolute("/run/token");
        for (system, why) in [
            (FakeSystem::default(), "cannot be read: entity not found"),
            (FakeSystem::default().unreadable("/run/token"), "cannot be read: permission denied"),
            (FakeSystem::default().file("/run/token", "\n"), "has nothing in it"),
            (FakeSystem::default().file("/run/token", "x-secret x-secret"), "has more than a token in it"),
            (FakeSystem::default().file("/run/token", &"x".repeat(300_000)), "cannot be read: file too large"),
        ] {
            let error = file(&json!(null)).token(&system, &location()).unwrap_err();
            let message = format!("{path}, which holds the identity token, {why}");
            assert_eq!((error.kind(), error.message()), (Kind::Configuration, message.as_str()));
        }
    }

    #[test]
    fn a_path_of_another_machine_is_refused() {
        for path in [r"\\evil.example\share\token", "//evil.example/share/token", r"\\?\UNC\evil.example\share\token"] {
            assert!(super::named(path).is_none() || !cfg!(windows), "{path}");
        }
        assert!(super::named(&absolute("/run/token")).is_some());
    }

    #[test]
    fn a_relative_path_or_a_token_is_no_path() {
        for path in ["token", "", "eyJ.x-secret.c2ln", &absolute(&format!("/{}x-secret", "a".repeat(300)))] {
            let error = source(&json!({"file": path})).unwrap_err();
            assert!(error.kind() == Kind::Configuration && !error.to_string().contains("x-secret"), "{error}");
        }
    }
}
