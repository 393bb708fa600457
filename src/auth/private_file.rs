//! Files with secrets that environment variables name.

use std::path::Path;

use zeroize::Zeroizing;

use crate::{
    auth::access_token::AccessToken,
    error::{Error, Kind, Result},
    system::{System, io_message},
};

/// The most bytes that such a file may have.
const CAP: usize = 256 * 1024;

/// The longest path that is shown. What is longer, or has no place in a path, may well be the content
/// of the file, put into the variable by mistake.
const LONGEST_PATH: usize = 256;

/// Reads the file that `variable` names as `path`.
pub(crate) fn read(system: &dyn System, variable: &str, path: &str) -> Result<Zeroizing<Vec<u8>>> {
    let is_path = path.len() <= LONGEST_PATH && !path.contains(char::is_control) && Path::new(path).is_absolute();
    if !is_path {
        return Err(Error::new(Kind::Configuration, format!("{variable} does not hold the absolute path of a file"))
            .with_hint("name the file by its absolute path; a token or key itself belongs into such a file"));
    }
    system
        .read_file(Path::new(path), CAP)
        .map(Zeroizing::new)
        .map_err(|error| broken(variable, path, &format!("cannot be read: {error}")))
}

/// Reads a file with one token in it.
pub(crate) fn read_token(system: &dyn System, variable: &str, path: &str) -> Result<AccessToken> {
    AccessToken::parse(&*read(system, variable, path)?)
        .map_err(|malformed| broken(variable, path, &format!("holds {malformed}")))
}

/// Reads the token in a file that a container runtime mounts at a fixed path.
pub(crate) fn read_mounted_token(system: &dyn System, path: &str) -> Result<AccessToken> {
    let broken = |why: String| {
        Error::new(Kind::Configuration, format!("{path} {why}")).with_hint(format!("correct or remove {path}"))
    };
    let content = system.read_file(Path::new(path), CAP).map(Zeroizing::new);
    let content = content.map_err(|error| broken(format!("cannot be read: {}", io_message(&error))))?;
    AccessToken::parse(&*content).map_err(|malformed| broken(format!("holds {malformed}")))
}

/// What is wrong with a file that [`read`] has read, so that its path may be shown.
#[must_use]
pub(crate) fn broken(variable: &str, path: &str, why: &str) -> Error {
    Error::new(Kind::Configuration, format!("{variable} names {path}, which {why}"))
        .with_hint(format!("correct or unset {variable}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    #[test]
    fn what_cannot_be_a_path_is_not_shown() {
        for content in [
            "eyJ0eXAi.x-secret.c2ln",
            "-----BEGIN PRIVATE KEY-----\nx-secret\n",
            "x-secret",
            &format!("/{}x-secret", "a".repeat(300)),
        ] {
            let error = read(&FakeSystem::default(), "VARIABLE", content).unwrap_err();
            assert!(error.message().contains("VARIABLE") && !error.to_string().contains("x-secret"), "{error}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let error = read_token(&FakeSystem::default(), "VARIABLE", "/run/token").unwrap_err();
        assert_eq!(
            error.to_string(),
            "VARIABLE names /run/token, which cannot be read: entity not found; correct or unset VARIABLE"
        );
        let error = read_token(&FakeSystem::default().file("/run/token", " \n"), "VARIABLE", "/run/token").unwrap_err();
        assert!(error.message().ends_with("which holds nothing"));
    }
}
