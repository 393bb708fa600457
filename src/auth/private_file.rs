//! Files that hold secrets: named by an environment variable, mounted, or written by another program.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::{
    auth::access_token::AccessToken,
    error::{Error, Kind, Result},
    system::{System, io_message},
};

/// The maximum size of such a file in bytes.
const CAP: usize = 256 * 1024;

/// The longest path that messages show. Anything longer may be the content of the file, put into the variable by
/// mistake.
const LONGEST_PATH: usize = 256;

/// The permission bit of a file that every user may write.
const WRITABLE_BY_ALL: u32 = 0o002;

/// Refuses a file that every user of this machine may write: any of them could choose what it configures. A file that is
/// missing is not refused.
pub(crate) fn refuse_writable_by_all(system: &dyn System, path: &Path) -> Result<()> {
    // The permissions of a symbolic link are not those of the file.
    let file = system.real_path(path).unwrap_or_else(|_| path.to_owned());
    let mode = system.details(&file).ok().and_then(|details| details.mode);
    if mode.is_none_or(|mode| mode & WRITABLE_BY_ALL == 0) {
        return Ok(());
    }
    let shown = file.display();
    Err(Error::new(Kind::Configuration, format!("every user of this machine may write {shown}"))
        .with_hint(format!("run `chmod o-w {shown}`")))
}

/// The path that `variable` holds, if messages may show it.
pub(crate) fn named(variable: &str, path: &str) -> Result<PathBuf> {
    let is_path = path.len() <= LONGEST_PATH && !path.contains(char::is_control) && Path::new(path).is_absolute();
    if is_path {
        return Ok(PathBuf::from(path));
    }
    Err(Error::new(Kind::Configuration, format!("{variable} does not hold the absolute path of a file"))
        .with_hint("name the file by its absolute path; put the token or key itself in a file"))
}

/// Reads the file that `variable` names as `path`.
pub(crate) fn read(system: &dyn System, variable: &str, path: &str) -> Result<Zeroizing<Vec<u8>>> {
    system
        .read_file(&named(variable, path)?, CAP)
        .map(Zeroizing::new)
        .map_err(|error| broken(variable, path, &format!("cannot be read: {}", io_message(&error))))
}

/// Reads a file with one token in it.
pub(crate) fn read_token(system: &dyn System, variable: &str, path: &str) -> Result<AccessToken> {
    AccessToken::parse(&*read(system, variable, path)?)
        .map_err(|malformed| broken(variable, path, &format!("holds {malformed}")))
}

/// Reads a file that another program keeps for the user: it must be the user's own, and `forbidden` permission bits must be
/// clear. The error is a clause that does not name the file. On Windows, where the user's profile is closed to other users,
/// neither is checked.
pub(crate) fn read_own(
    system: &dyn System,
    path: &Path,
    cap: usize,
    forbidden: u32,
) -> std::result::Result<Zeroizing<Vec<u8>>, &'static str> {
    let details = system.details(path).map_err(|_| "it has no login here")?;
    if !details.is_file || details.is_owned_by_other || details.mode.is_some_and(|mode| mode & forbidden != 0) {
        return Err("other users have access to its files");
    }
    system.read_file(path, cap).map(Zeroizing::new).map_err(|_| "its files cannot be read")
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

/// The error for a file that [`read`] accepted as a path, so that messages may show it.
#[must_use]
pub(crate) fn broken(variable: &str, path: &str, why: &str) -> Error {
    Error::new(Kind::Configuration, format!("{variable} names {path}, which {why}"))
        .with_hint(format!("correct or unset {variable}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{FakeSystem, absolute};

    #[test]
    fn a_value_that_is_not_a_path_is_not_shown() {
        for content in [
            "eyJ0eXAi.x-secret.c2ln",
            "-----BEGIN PRIVATE KEY-----\nx-secret\n",
            "x-secret",
            &absolute(&format!("/{}x-secret", "a".repeat(300))),
        ] {
            let error = read(&FakeSystem::default(), "VARIABLE", content).unwrap_err();
            assert!(error.message().contains("VARIABLE") && !error.to_string().contains("x-secret"), "{error}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let path = absolute("/run/token");
        let error = read_token(&FakeSystem::default(), "VARIABLE", &path).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("VARIABLE names {path}, which cannot be read: entity not found; correct or unset VARIABLE")
        );
        let error = read_token(&FakeSystem::default().file("/run/token", " \n"), "VARIABLE", &path).unwrap_err();
        assert!(error.message().ends_with("which holds nothing"));
    }
}
