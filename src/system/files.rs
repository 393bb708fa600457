//! Files that are replaced as a whole: read with what tells them apart, locked, swapped in one step.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// What a file's directory entry stood for when it was looked at. Two equal marks mean the same content,
/// as long as the file behind the first is kept open: only then can its number not be given to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileStamp {
    /// The file system and the number of the file in it (0 and 0 where there are none).
    pub(crate) number: (u64, u64),
    /// Bytes.
    pub(crate) length: u64,
    /// The last change of the content.
    pub(crate) modified: Option<SystemTime>,
    /// The last change of content or attributes, in seconds and nanoseconds (0 and 0 where there is none).
    pub(crate) changed: (i64, i64),
}

/// A regular file as it was read.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// All of it.
    pub(crate) content: Vec<u8>,
    /// What it was when it was read.
    pub(crate) stamp: FileStamp,
    /// Keeps the file open, so that its number stays its own.
    pub(super) _pin: Option<File>,
}

/// A regular file that is read piece by piece.
pub(crate) trait ReadAt {
    /// Bytes, when it was opened.
    fn length(&self) -> u64;

    /// Reads `length` bytes from a place on, or as many as there are.
    fn read(&self, place: u64, length: usize) -> io::Result<Vec<u8>>;
}

/// An advisory lock on a file, let go when dropped, and by the operating system when the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    pub(super) file: Option<File>,
}

/// Says so explicitly: a lock belongs to every copy of the open file, and a fork has one, so that closing it
/// here would leave the lock with the child for as long as that lives.
impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = file.unlock();
        }
    }
}

/// What `status` tells of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Details {
    /// Bytes.
    pub(crate) length: u64,
    /// The permission bits, such as 0o600; `None` where there are none.
    pub(crate) mode: Option<u32>,
    /// Whether the path is a symbolic link.
    pub(crate) is_link: bool,
    /// Whether it is a regular file.
    pub(crate) is_file: bool,
    /// Whether it belongs to another user than the one who runs this.
    pub(crate) is_owned_by_other: bool,
}

/// Writes the content of a file, in pieces of a good size.
pub(crate) type Content<'all> = &'all dyn Fn(&mut dyn io::Write) -> io::Result<()>;

/// Reading, locking and replacing files.
pub(crate) trait Files {
    /// Reads a regular file of at most `cap` bytes; a larger one is an error, never cut.
    fn read_file(&self, path: &Path, cap: usize) -> io::Result<Vec<u8>>;

    /// Reads a regular file of at most `cap` bytes, through symbolic links. Anything else (a FIFO would
    /// block for ever) and anything larger is an error; [`io::ErrorKind::NotFound`] if nothing is there.
    fn snapshot(&self, path: &Path, cap: usize) -> io::Result<Snapshot>;

    /// Opens a regular file, as [`snapshot`](Self::snapshot) does, to read little of it.
    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadAt>>;

    /// What a path stands for now, without reading it; `None` if nothing is there.
    fn stamp(&self, path: &Path) -> io::Result<Option<FileStamp>>;

    /// Where the content of a path is: the target, if it is a symbolic link, else the path itself, which
    /// need not be there. A link to nowhere is an error.
    fn destination(&self, path: &Path) -> io::Result<PathBuf>;

    /// Takes the lock on a file, which is created if it is not there; `None` if another holds it.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Lock>>;

    /// Puts `content` in the place of a file, in one step and for good: a temporary file beside it
    /// (0600), synced, renamed over it, the directory synced. Answers `false`, and changes nothing,
    /// if the file is no longer what `expected` says (`None`: that there is none).
    fn replace(&self, path: &Path, content: Content<'_>, expected: Option<&FileStamp>) -> io::Result<bool>;

    /// The same for a file that is not for its owner alone: it keeps its permissions, and a new one has those of any new
    /// file.
    fn rewrite(&self, path: &Path, content: &[u8], expected: Option<&FileStamp>) -> io::Result<bool>;

    /// Writes a new file (0600), synced. Fails with [`io::ErrorKind::AlreadyExists`] if there is one. A process
    /// that is killed leaves it in parts, but under the name that its owner chose, and nowhere else.
    fn create(&self, path: &Path, content: &[u8]) -> io::Result<()>;

    /// The canonical path, with all symbolic links resolved.
    fn real_path(&self, path: &Path) -> io::Result<PathBuf>;

    /// The temporary files that [`replace`](Self::replace) left beside a path because the process was
    /// killed, or is making right now.
    fn temporary_files(&self, path: &Path) -> io::Result<Vec<PathBuf>>;

    /// The regular files beside a path whose names begin and end in this way.
    fn siblings(&self, path: &Path, begin: &str, end: &str) -> io::Result<Vec<PathBuf>>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory, with those above it, for the user alone or for whom the process's mask lets in. One that is
    /// there stays as it is.
    fn create_directory(&self, path: &Path, is_private: bool) -> io::Result<()>;

    /// What a path is, without following it if it is a link; [`io::ErrorKind::NotFound`] if nothing
    /// is there.
    fn details(&self, path: &Path) -> io::Result<Details>;
}
