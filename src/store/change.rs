//! Reading the store, and changing it without losing other writers' changes: the current file is read under a lock and
//! replaced atomically.

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
        files::{FileStamp, Lock, Snapshot, remove_stale},
        io_message,
    },
};

/// The largest store that is read, in bytes.
const LARGEST_STORE: usize = 1 << 30;

/// How long to wait for the lock.
const LOCK_LIMIT: Duration = Duration::from_secs(60);

/// How often a change is attempted while programs that do not lock write in between.
const ATTEMPTS: u32 = 100;

/// Reads the store file; `None` if there is none.
pub(super) fn read(system: &dyn System, path: &Path) -> Result<Option<Snapshot>> {
    match system.snapshot(path, LARGEST_STORE) {
        Ok(snapshot) => Ok(Some(snapshot)),
        // A dangling link is an error, not a store to create.
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

/// Parses a store.
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
            .with_hint("nothing was changed: restore it from a backup, or move it away to start a new store"),
        }
    })
}

/// The file of the store: the target if the path is a symbolic link.
pub(super) fn destination(system: &dyn System, path: &Path) -> Result<PathBuf> {
    system.destination(path).map_err(|error| unreadable(path, &error))
}

/// The lock file. It is never removed, because that would break the lock.
pub(super) fn lock_path(store: &Path) -> PathBuf {
    let mut name = store.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    store.with_file_name(name)
}

/// Unlocks or creates a store.
pub(super) trait Unlock {
    /// The keys of the store with this header.
    fn unlock(&mut self, header: &Header) -> Result<Keys>;

    /// The header and keys of a new store; `None` if none is to be created.
    fn create(&mut self) -> Result<Option<(Header, Keys)>>;
}

/// The result of a change.
pub(super) enum Verdict<Outcome> {
    /// Write the document.
    Write(Outcome),
    /// There is nothing to write.
    Leave(Outcome),
}

/// Changes the store under its lock. `apply` gets `None` if there is no store and none is to be created. It may be called
/// more than once, each time with the current document; the last outcome counts.
pub(super) fn change<Outcome>(
    system: &dyn System,
    settings: &Settings,
    unlocker: &mut dyn Unlock,
    mut apply: impl FnMut(Option<(&mut Document<'_>, &Keys)>) -> Result<Verdict<Outcome>>,
) -> Result<Outcome> {
    let path = destination(system, &settings.store)?;
    refuse_of_others(system, &path)?;
    let mut change = Change { system, path: &path, unlocker, unlocked: None, created: None };
    for _ in 0..ATTEMPTS {
        if let Some(outcome) = change.attempt(&mut apply)? {
            return Ok(outcome);
        }
        debug!("another process changed {}; trying again", path.display());
    }
    Err(Error::new(
        Kind::Storage,
        format!("the keyring store {} changes faster than it can be written", path.display()),
    )
    .with_hint("another program keeps writing to it; nothing was changed here"))
}

/// A change and the keys it has obtained.
struct Change<'all> {
    system: &'all dyn System,
    path: &'all Path,
    unlocker: &'all mut dyn Unlock,
    /// The header and keys of the existing store.
    unlocked: Option<(Header, Keys)>,
    /// The header and keys of the store to create.
    created: Option<(Header, Keys)>,
}

impl Change<'_> {
    /// Applies and commits the change; `None` if another process changed the store in between.
    fn attempt<Outcome>(
        &mut self,
        apply: &mut impl FnMut(Option<(&mut Document<'_>, &Keys)>) -> Result<Verdict<Outcome>>,
    ) -> Result<Option<Outcome>> {
        let before = read(self.system, self.path)?;
        let document = before.as_ref().map(|snapshot| parse(self.path, snapshot)).transpose()?;
        if !self.begin(document.as_ref())? {
            let (Verdict::Write(outcome) | Verdict::Leave(outcome)) = apply(None)?;
            return Ok(Some(outcome));
        }
        let _lock = self.lock()?;
        let newer = self.newer(before.as_ref())?;
        let document = match &newer {
            Some(newer) => newer.as_ref().map(|newer| parse(self.path, newer)).transpose()?,
            None => document,
        };
        let Some((mut document, keys)) = self.open(document) else { return Ok(None) };
        match apply(Some((&mut document, keys)))? {
            Verdict::Leave(outcome) => Ok(Some(outcome)),
            Verdict::Write(outcome) => {
                let expected = newer.as_ref().unwrap_or(&before).as_ref().map(|snapshot| &snapshot.stamp);
                Ok(self.commit(&document, expected)?.then_some(outcome))
            }
        }
    }

    /// Obtains the keys, before the lock: the agent may ask its user. False if there is no store and none is to be
    /// created.
    fn begin(&mut self, document: Option<&Document<'_>>) -> Result<bool> {
        match document {
            Some(document) => {
                let header = document.header();
                if self.unlocked.as_ref().is_none_or(|(unlocked, _)| unlocked != header) {
                    self.unlocked = Some((header.clone(), self.unlocker.unlock(header)?));
                }
            }
            None if self.created.is_none() => {
                self.created = self.unlocker.create()?;
                if self.created.is_none() {
                    return Ok(false);
                }
                create_directory(self.system, self.path)?;
            }
            None => {}
        }
        Ok(true)
    }

    fn lock(&self) -> Result<Lock> {
        let before = self.system.remaining();
        let lock = lock(self.system, self.path)?;
        debug!("locked {} after {:.1?}", self.path.display(), before.saturating_sub(self.system.remaining()));
        Ok(lock)
    }

    /// The store as it is under the lock, if it is not the same file as before.
    #[expect(clippy::option_option, reason = "the newer store may be a missing one")]
    fn newer(&self, before: Option<&Snapshot>) -> Result<Option<Option<Snapshot>>> {
        let stamp = self.system.stamp(self.path).map_err(|error| unreadable(self.path, &error))?;
        let is_same = stamp.as_ref() == before.map(|snapshot| &snapshot.stamp);
        if is_same { Ok(None) } else { read(self.system, self.path).map(Some) }
    }

    /// The document to change with its keys; `None` if the store was created or rekeyed since [`begin`](Self::begin).
    fn open<'text>(&self, document: Option<Document<'text>>) -> Option<(Document<'text>, &Keys)> {
        let new = || self.created.as_ref().map(|(header, _)| Document::new(header.clone()));
        let document = document.or_else(new)?;
        let known = [&self.unlocked, &self.created].into_iter().flatten();
        let (_, keys) = known.into_iter().find(|(header, _)| header == document.header())?;
        Some((document, keys))
    }

    /// Replaces the file; false if a program that does not lock has changed it.
    fn commit(&self, document: &Document<'_>, expected: Option<&FileStamp>) -> Result<bool> {
        remove_stale(self.system, self.path);
        self.system.check()?;
        let replaced = self.system.replace(self.path, &|to| document.write(to), expected).map_err(|error| {
            // The wait for other programs ends early when the lookup is cancelled.
            let cancelled = self.system.check().err().filter(|stopped| stopped.kind() == Kind::Cancelled);
            cancelled.unwrap_or_else(|| unwritable(self.path, &error))
        })?;
        if replaced {
            debug!("replaced {}: {} records", self.path.display(), document.len());
        }
        Ok(replaced)
    }
}

/// Fails if the store belongs to another user, who could not read the file that replaces it.
pub(super) fn refuse_of_others(system: &dyn System, path: &Path) -> Result<()> {
    if system.details(path).is_ok_and(|details| details.is_owned_by_other) {
        return Err(Error::new(Kind::Storage, format!("the keyring store {} belongs to another user", path.display()))
            .with_hint("write to it as that user; `sudo` without `-E` and `HOME` uses root's own"));
    }
    Ok(())
}

/// Locks a store, waiting for other processes.
fn lock(system: &dyn System, store: &Path) -> Result<Lock> {
    let path = lock_path(store);
    let refused = |what: String| {
        Error::new(Kind::Storage, format!("the keyring store {} cannot be locked: {what}", store.display()))
    };
    let is_new = system.details(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    let (mut waited, mut pause) = (Duration::ZERO, Duration::from_millis(1));
    loop {
        match system.try_lock(&path) {
            Ok(Some(lock)) => {
                if is_new {
                    // The directory may be open to others. Where this fails, so does the write.
                    let _ = system.restrict(&path);
                }
                return Ok(lock);
            }
            Ok(None) if waited >= LOCK_LIMIT => {
                return Err(refused(format!("another process has held {} for {} s", path.display(), waited.as_secs()))
                    .with_hint("`ringbearer store lock` shows its state"));
            }
            Ok(None) => {
                // Jitter, so that waiting processes do not retry together.
                let mut jitter = [0];
                system.random(&mut jitter)?;
                let length = pause.mul_f64(0.5 + f64::from(jitter[0]) / 256.0);
                system.pause(length).map_err(|error| match error.kind() {
                    Kind::Timeout => refused(format!("another process has {}", path.display()))
                        .with_hint("RINGBEARER_TIMEOUT=SECONDS waits longer; `ringbearer store lock` shows its state"),
                    _ => error,
                })?;
                waited += length;
                pause = (pause * 2).min(Duration::from_millis(8));
            }
            Err(error) => return Err(refused(format!("{}: {}", path.display(), io_message(&error)))),
        }
    }
}

fn create_directory(system: &dyn System, path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    system.create_directory(folder, true).map_err(|error| {
        Error::new(
            Kind::Storage,
            format!("the directory {} cannot be created: {}", folder.display(), io_message(&error)),
        )
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
            failed.with_hint("free some space and try again; the store is unchanged")
        }
        io::ErrorKind::PermissionDenied if cfg!(windows) => failed.with_hint(
            "close the programs that have it open; its directory must be writable for you; the store is unchanged",
        ),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            failed.with_hint("its directory must be writable for you; the store is unchanged")
        }
        io::ErrorKind::Unsupported if cfg!(windows) => {
            failed.with_hint("keep it on a drive with access control lists (NTFS); the store is unchanged")
        }
        _ => failed,
    }
}
