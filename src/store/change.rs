//! Reading the store, and changing it so that nothing is lost: under a lock, from what is there at that
//! moment, in one step.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use log::debug;

use super::{
    document::{Document, Header, Problem},
    seal::Keys,
    settings::Settings,
};
use crate::{
    error::{Error, Kind, Result},
    system::{
        System,
        files::{Lock, Snapshot},
        io_message,
    },
};

/// The largest store that is read.
pub(super) const LARGEST_STORE: usize = 1 << 30;

/// How long others may keep the lock.
const LOCK_LIMIT: Duration = Duration::from_secs(60);

/// How often a change is begun anew because somebody who does not lock wrote in between.
const ATTEMPTS: u32 = 100;

/// The store file as it is now; `None` if there is none.
pub(super) fn read(system: &dyn System, path: &Path) -> Result<Option<Snapshot>> {
    match system.snapshot(path, LARGEST_STORE) {
        Ok(snapshot) => Ok(Some(snapshot)),
        // A link to nowhere is a store that is missing, not one that is yet to be made.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            destination(system, path)?;
            Ok(None)
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            Err(unreadable(path, &error).with_hint("the store is a file, or a link to one"))
        }
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// Takes a store apart.
pub(super) fn parse<'text>(path: &Path, snapshot: &'text Snapshot) -> Result<Document<'text>> {
    Document::parse(&snapshot.content).map_err(|problem| {
        let path = path.display();
        match problem {
            Problem::Version(version) => {
                Error::new(Kind::Corrupted, format!("Unsupported store version: {version} ({path})"))
                    .with_hint("a newer program may have written it; this one reads and writes version 1")
            }
            Problem::Shape(what) => Error::new(
                Kind::Corrupted,
                format!("Stored keyring data is corrupted or was tampered with: {path}: {what}"),
            )
            .with_hint("it was left as it is: restore it from a backup, or move it away to begin anew"),
        }
    })
}

/// Where the content of the store is.
pub(super) fn destination(system: &dyn System, path: &Path) -> Result<PathBuf> {
    system.destination(path).map_err(|error| unreadable(path, &error))
}

/// The file that is locked while a store is changed. It stays there: to remove it would break the lock.
pub(super) fn lock_path(store: &Path) -> PathBuf {
    let mut name = store.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    store.with_file_name(name)
}

/// How a store is unlocked, and made if there is none.
pub(super) trait Unlock {
    /// The keys of the store with this header.
    fn unlock(&mut self, header: &Header) -> Result<Keys>;

    /// The header and keys of a new store; `None` if none is to be made.
    fn create(&mut self) -> Result<Option<(Header, Keys)>>;
}

/// What becomes of a change.
pub(super) enum Verdict<Outcome> {
    /// The document is to be written.
    Write(Outcome),
    /// There is nothing to write.
    Leave(Outcome),
}

/// Changes the store. The agent is asked before the lock is taken, since it may have to ask its owner.
/// `apply` may be called more than once, each time with the document as it is then; what it answers last
/// counts. It gets `None` if there is no store and none is to be made.
pub(super) fn change<Outcome>(
    system: &dyn System,
    settings: &Settings,
    by: &mut dyn Unlock,
    mut apply: impl FnMut(Option<(&mut Document<'_>, &Keys)>) -> Result<Verdict<Outcome>>,
) -> Result<Outcome> {
    let path = destination(system, &settings.store)?;
    refuse_of_others(system, &path)?;
    let mut snapshot = read(system, &path)?;
    let mut unlocked: Option<(Header, Keys)> = None;
    let mut made: Option<(Header, Keys)> = None;
    for _ in 0..ATTEMPTS {
        let before = snapshot.as_ref().map(|snapshot| parse(&path, snapshot)).transpose()?;
        if let Some(document) = &before {
            if unlocked.as_ref().is_none_or(|(header, _)| header != document.header()) {
                unlocked = Some((document.header().clone(), by.unlock(document.header())?));
            }
        } else if made.is_none() {
            made = by.create()?;
            if made.is_none() {
                return match apply(None)? {
                    Verdict::Write(outcome) | Verdict::Leave(outcome) => Ok(outcome),
                };
            }
            create_directory(system, &path)?;
        }
        let before_lock = system.remaining();
        let lock = lock(system, &path)?;
        debug!("locked {} after {:.1?}", path.display(), before_lock.saturating_sub(system.remaining()));
        let stamp = system.stamp(&path).map_err(|error| unreadable(&path, &error))?;
        let is_same = stamp.as_ref() == snapshot.as_ref().map(|snapshot| &snapshot.stamp);
        let newer = if is_same { None } else { Some(read(system, &path)?) };
        let expected = newer.as_ref().unwrap_or(&snapshot).as_ref().map(|current| current.stamp.clone());
        let document = match &newer {
            None => before,
            Some(newer) => newer.as_ref().map(|newer| parse(&path, newer)).transpose()?,
        };
        let document = document.or_else(|| made.as_ref().map(|(header, _)| Document::new(header.clone())));
        let keys = [&unlocked, &made].into_iter().flatten();
        let opened = document.and_then(|document| {
            let (_, keys) = keys.into_iter().find(|(header, _)| header == document.header())?;
            Some((document, keys))
        });
        // A store that was made, or locked with another key, in the meantime: the agent has to be asked.
        let Some((mut document, keys)) = opened else {
            snapshot = newer.unwrap_or_default();
            continue;
        };
        let outcome = match apply(Some((&mut document, keys)))? {
            Verdict::Leave(outcome) => return Ok(outcome),
            Verdict::Write(outcome) => outcome,
        };
        sweep(system, &path);
        system.check()?;
        let replaced = system
            .replace(&path, &|to| document.write(to), expected.as_ref())
            .map_err(|error| unwritable(&path, &error))?;
        if replaced {
            drop(lock);
            debug!("replaced {}: {} records", path.display(), document.len());
            return Ok(outcome);
        }
        debug!("{} was changed by somebody who does not lock it; beginning anew", path.display());
        snapshot = read(system, &path)?;
    }
    Err(Error::new(
        Kind::Storage,
        format!("the keyring store {} changes faster than it can be written", path.display()),
    )
    .with_hint("something writes to it without end; nothing was changed here"))
}

/// Fails if the store belongs to another user: what is written would be ours, and its owner could read it no
/// more.
pub(super) fn refuse_of_others(system: &dyn System, path: &Path) -> Result<()> {
    if system.details(path).is_ok_and(|details| details.is_owned_by_other) {
        return Err(Error::new(Kind::Storage, format!("the keyring store {} belongs to another user", path.display()))
            .with_hint("write to it as that user; `sudo` without `-E` and `HOME` uses root's own"));
    }
    Ok(())
}

/// Takes the lock of a store, and waits while others have it.
fn lock(system: &dyn System, store: &Path) -> Result<Lock> {
    let path = lock_path(store);
    let refused = |what: String| {
        Error::new(Kind::Storage, format!("the keyring store {} cannot be locked: {what}", store.display()))
    };
    let (mut waited, mut pause) = (Duration::ZERO, Duration::from_millis(1));
    loop {
        match system.try_lock(&path) {
            Ok(Some(lock)) => return Ok(lock),
            Ok(None) if waited >= LOCK_LIMIT => {
                return Err(refused(format!("another process has held {} for {} s", path.display(), waited.as_secs()))
                    .with_hint("`ringbearer store lock` tells more"));
            }
            Ok(None) => {
                // Those who wait together should not ask together.
                let mut jitter = [0];
                system.random(&mut jitter)?;
                let length = pause.mul_f64(0.5 + f64::from(jitter[0]) / 256.0);
                system.pause(length).map_err(|error| match error.kind() {
                    Kind::Timeout => refused(format!("another process has {}", path.display()))
                        .with_hint("RINGBEARER_TIMEOUT=SECONDS gives it more time; `ringbearer store lock` tells more"),
                    _ => error,
                })?;
                waited += length;
                pause = (pause * 2).min(Duration::from_millis(8));
            }
            Err(error) => return Err(refused(format!("{}: {}", path.display(), io_message(&error)))),
        }
    }
}

/// Removes what a process that was killed left behind. Whoever holds the lock is the only one to write,
/// so that nobody needs these files any more.
fn sweep(system: &dyn System, path: &Path) {
    for stale in system.temporary_files(path).unwrap_or_default() {
        match system.remove(&stale) {
            Ok(()) => debug!("removed {}, which a write that was cut short left behind", stale.display()),
            Err(error) => debug!("{} cannot be removed: {}", stale.display(), io_message(&error)),
        }
    }
}

fn create_directory(system: &dyn System, path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    system.create_directory(folder, true).map_err(|error| {
        Error::new(Kind::Storage, format!("the directory {} cannot be made: {}", folder.display(), io_message(&error)))
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::new(Kind::Storage, format!("the keyring store {} cannot be read: {}", path.display(), io_message(error)))
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    let failed = Error::new(
        Kind::Storage,
        format!("the keyring store {} cannot be written: {}", path.display(), io_message(error)),
    );
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            failed.with_hint("make room and try again; the store is as it was")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            failed.with_hint("its directory must be writable for you; the store is as it was")
        }
        _ => failed,
    }
}
