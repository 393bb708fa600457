//! Files: capped reads, locks, and atomic replacement guarded by metadata.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use log::debug;

use super::{System, io_message};
use crate::error::Result;

/// The longest pause between two attempts to lock a file.
const LONGEST_PAUSE: Duration = Duration::from_millis(32);

/// Metadata that changes with a file's content. Two equal stamps mean the same content while the first file is kept open:
/// only then can its inode number not be reused. On Windows, numbers are not reused soon, and no file is kept open: it
/// could not be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileStamp {
    /// Device and inode number, on Windows the volume's serial number and the file index.
    pub(crate) number: (u64, u64),
    /// The size in bytes.
    pub(crate) length: u64,
    /// The modification time.
    pub(crate) modified: Option<SystemTime>,
    /// The time of the last change of content or attributes (ctime), in seconds and nanoseconds; 0 and 0 on Windows.
    pub(crate) changed: (i64, i64),
}

/// The content and the stamp of a regular file.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The whole content.
    pub(crate) content: Vec<u8>,
    /// The stamp when it was read.
    pub(crate) stamp: FileStamp,
    /// Keeps the file open, so that its inode number is not reused; `None` on Windows.
    pub(super) _pin: Option<File>,
}

/// An advisory lock on a file, released when dropped and when the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    pub(super) file: Option<File>,
}

/// Unlocks explicitly: a forked child inherits the open file, and closing it here alone would leave the child the lock.
impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = file.unlock();
        }
    }
}

/// The attributes of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Details {
    /// The size in bytes.
    pub(crate) length: u64,
    /// The permission bits, such as 0o600; `None` on Windows, whose access control lists are not read.
    pub(crate) mode: Option<u32>,
    /// Whether the path is a symbolic link.
    pub(crate) is_link: bool,
    /// Whether it is a regular file.
    pub(crate) is_file: bool,
    /// Whether another user owns it; always false on Windows, where the owner is not read.
    pub(crate) is_owned_by_other: bool,
}

/// Writes the content of a file in large pieces.
pub(crate) type Content<'all> = &'all dyn Fn(&mut dyn io::Write) -> io::Result<()>;

/// Reading, locking and replacing files.
///
/// A private file or directory is open to its user alone: mode 0600 or 0700, on Windows an access control list with one
/// entry. A private file that cannot be limited is an error, before anything is written to it.
pub(crate) trait Files {
    /// Reads a regular file of at most `cap` bytes; a larger one is an error, never cut.
    fn read_file(&self, path: &Path, cap: usize) -> io::Result<Vec<u8>>;

    /// Reads a regular file of at most `cap` bytes, through symbolic links. A larger file and any other kind of file (a
    /// FIFO would block) are errors; [`io::ErrorKind::NotFound`] if the path does not exist.
    fn snapshot(&self, path: &Path, cap: usize) -> io::Result<Snapshot>;

    /// Reads the first `length` bytes of a regular file, or all of a shorter one.
    fn head(&self, path: &Path, length: usize) -> io::Result<Vec<u8>>;

    /// The stamp of a path, without reading the file; `None` if the path does not exist.
    fn stamp(&self, path: &Path) -> io::Result<Option<FileStamp>>;

    /// The target of a symbolic link, else the path itself, which need not exist. A dangling link is an error.
    fn destination(&self, path: &Path) -> io::Result<PathBuf>;

    /// The file that a write to a path named by the user changes: as [`destination`](Self::destination), but a symbolic link
    /// in a directory that others may write is an error, wherever it is in the path. Links on Windows, which only
    /// administrators and developers can create, are not checked.
    fn write_destination(&self, path: &Path) -> io::Result<PathBuf>;

    /// Locks a file, created with mode 0600 if missing; `None` if another process or thread holds the lock. On Windows, a
    /// lock file gets the access control list that its directory gives, because the lookups that create one do not wait for
    /// another program.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Lock>>;

    /// Limits a new file to its user, on Windows. On Unix its mode has done that.
    fn restrict(&self, path: &Path) -> io::Result<()>;

    /// Replaces a file atomically and durably: writes a private temporary file beside it, syncs, renames, and syncs the
    /// directory. Returns `false`, and changes nothing, if the file's stamp is no longer `expected` (`None`: no file).
    ///
    /// On Windows, waits up to 10 s for programs that have the file open, and cannot sync the directory: after a power
    /// failure the file may have its old content.
    fn replace(&self, path: &Path, content: Content<'_>, expected: Option<&FileStamp>) -> io::Result<bool>;

    /// Replaces a file as [`replace`](Self::replace) does, but keeps its permissions; a new file has the usual ones. On
    /// Windows, the file gets the access control list that its directory gives.
    fn rewrite(&self, path: &Path, content: &[u8], expected: Option<&FileStamp>) -> io::Result<bool>;

    /// Creates a private file and syncs it. Fails with [`io::ErrorKind::AlreadyExists`] if the path exists. A killed process
    /// may leave it incomplete, but no copy elsewhere.
    fn create(&self, path: &Path, content: &[u8]) -> io::Result<()>;

    /// The canonical path, with all symbolic links resolved; on Windows without `\\?\` where it means the same.
    fn real_path(&self, path: &Path) -> io::Result<PathBuf>;

    /// The temporary files of [`replace`](Self::replace) beside a path: left by a killed process, or in use.
    fn temporary_files(&self, path: &Path) -> io::Result<Vec<PathBuf>>;

    /// The regular files beside a path with this prefix and suffix in their names.
    fn siblings(&self, path: &Path, prefix: &str, suffix: &str) -> io::Result<Vec<PathBuf>>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Creates a directory and its parents: private, or with the usual permissions. An existing one is left alone. On
    /// Windows, the directory alone is private and not its parents, which other programs may share, and it is created even
    /// where the file system has no access control lists.
    fn create_directory(&self, path: &Path, is_private: bool) -> io::Result<()>;

    /// The attributes of a path, of a symbolic link those of the link itself; [`io::ErrorKind::NotFound`] if the path does
    /// not exist.
    fn details(&self, path: &Path) -> io::Result<Details>;
}

/// Locks a file, and waits for other processes; `None` if one holds the lock for longer than `limit`. The outer error
/// is the end of the lookup.
pub(crate) fn wait_for_lock(system: &dyn System, path: &Path, limit: Duration) -> Result<io::Result<Option<Lock>>> {
    let (mut waited, mut pause) = (Duration::ZERO, Duration::from_millis(1));
    loop {
        match system.try_lock(path) {
            Ok(None) if waited < limit => {
                system.pause(pause)?;
                waited += pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            outcome => return Ok(outcome),
        }
    }
}

/// Removes the temporary files of killed processes beside a path. Its lock is held, so that no other process is using them.
pub(crate) fn remove_stale(files: &(impl Files + ?Sized), path: &Path) {
    for stale in files.temporary_files(path).unwrap_or_default() {
        match files.remove(&stale) {
            Ok(()) => debug!("removed {}, left by an interrupted write", stale.display()),
            Err(error) => debug!("{} cannot be removed: {}", stale.display(), io_message(&error)),
        }
    }
}
