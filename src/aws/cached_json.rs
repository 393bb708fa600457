//! The JSON files in which the AWS CLI keeps tokens and sessions: read, and replaced under a lock of our own.

use std::{
    io,
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    time::Duration,
};

use log::debug;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

use super::hexadecimal;
use crate::{
    auth::warning,
    error::{Error, Kind, Result, single_line},
    system::{
        System,
        files::{Lock, Snapshot, remove_stale, wait_for_lock},
        io_message, places,
    },
};

/// The largest file that is read or written, in bytes.
const CAP: usize = 256 * 1024;

/// How long to wait before a file that is not JSON is read again: its writer may be at work.
const SECOND_READ: Duration = Duration::from_millis(50);

/// How long to wait for the lock.
const LOCK_LIMIT: Duration = Duration::from_secs(10);

/// The permission bits that let others write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The members of a file's document. Their strings, of which some are secrets, are wiped when they are dropped.
#[derive(Default)]
pub(super) struct Members(Map<String, Value>);

impl Members {
    /// A member that is a string and not blank.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.trim().is_empty())
    }

    /// Adds or replaces a member.
    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        set(&mut self.0, name, value);
    }
}

/// Adds or replaces a member of an object, and wipes the older value.
pub(super) fn set(object: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    if let Some(mut older) = object.insert(name.to_owned(), value.into()) {
        wipe(&mut older);
    }
}

impl Deref for Members {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Members {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

/// Overwrites every string of a value with zeros.
pub(super) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The folder `~/.aws/NAME/cache`.
pub(super) fn folder(system: &dyn System, name: &str) -> Option<PathBuf> {
    Some(places::home(system)?.join(".aws").join(name).join("cache"))
}

/// The lower-case hexadecimal SHA-1 of a text: the name of a file, without `.json`.
pub(super) fn sha1(text: &str) -> String {
    hexadecimal::digits(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref())
}

/// The lower-case hexadecimal SHA-256 of a text: the name of a file, without `.json`.
pub(super) fn sha256(text: &str) -> String {
    hexadecimal::digits(digest(&SHA256, text.as_bytes()).as_ref())
}

/// Reads a file; `None` if it is absent, broken, or open to others. The CLI does not write it atomically: one that is
/// no JSON is read again after 50 ms.
pub(super) fn read(system: &dyn System, path: &Path) -> Option<Members> {
    load(system, &system.destination(path).ok()?).map(|(members, _)| members)
}

/// Changes a file under a lock, after reading it again, and returns its members; `None` if it is gone. `change` returns
/// whether to write.
///
/// Nothing is written if the file has changed meanwhile: the CLI takes no lock. Members that cannot be written are
/// returned all the same, with one warning, in which `loss` says what is not kept.
pub(super) fn update(
    system: &dyn System,
    path: &Path,
    loss: &str,
    change: impl FnOnce(&mut Members) -> Result<bool>,
) -> Result<Option<Members>> {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock = match wait_for_lock(system, Path::new(&lock_path), LOCK_LIMIT)? {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => {
            let what = format!("{} was locked by another process for {} s", path.display(), LOCK_LIMIT.as_secs());
            return Err(Error::new(Kind::Timeout, what).with_hint("end the other program"));
        }
        Err(error) => Err(error),
    };
    let Ok(target) = system.destination(path) else { return Ok(None) };
    let Some((mut members, snapshot)) = load(system, &target) else { return Ok(None) };
    if change(&mut members)?
        && let Err(error) = lock.and_then(|lock| write(system, &target, &members, &snapshot, &lock))
    {
        let reason = io_message(&error);
        warning::once(&single_line(&format!("{loss}: {} cannot be written: {reason}", path.display())));
    }
    Ok(Some(members))
}

/// Reads a file that is no link.
fn load(system: &dyn System, target: &Path) -> Option<(Members, Snapshot)> {
    let ignored = |why: &str| debug!("{} counts as absent: {why}", target.display());
    let details = system.details(target).ok()?;
    if details.is_owned_by_other || details.mode.is_some_and(|mode| mode & WRITABLE_BY_OTHERS != 0) {
        ignored("other users may write it");
        return None;
    }
    for is_last in [false, true] {
        let mut snapshot = system.snapshot(target, CAP).map_err(|error| ignored(&io_message(&error))).ok()?;
        let content = Zeroizing::new(std::mem::take(&mut snapshot.content));
        match serde_json::from_slice(&content) {
            Ok(members) => return Some((Members(members), snapshot)),
            Err(_) if is_last => ignored("it is not a JSON object"),
            Err(_) => system.pause(SECOND_READ).ok()?,
        }
    }
    None
}

/// Replaces a file under its lock, unless it has changed since it was read.
fn write(system: &dyn System, target: &Path, members: &Members, read: &Snapshot, _lock: &Lock) -> io::Result<()> {
    // The whole capacity at once: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(CAP));
    serde_json::to_writer(&mut *text, &members.0)?;
    if text.len() > CAP {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    remove_stale(system, target);
    if !system.replace(target, &|to| to.write_all(&text), Some(&read.stamp))? {
        debug!("{} was changed by another program, and is left alone", target.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
