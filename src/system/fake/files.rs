//! Files in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
};

use super::{FakeSystem, absolute, lock};
use crate::system::files::{Content, Details, FileStamp, Files, Lock, Snapshot};

#[derive(Default)]
pub(super) struct State {
    /// The content of each file, and the number of the write that put it there.
    files: BTreeMap<PathBuf, (Vec<u8>, u64)>,
    writes: u64,
    unreadable: BTreeSet<PathBuf>,
    /// Permission bits, where they are not 0600.
    modes: BTreeMap<PathBuf, u32>,
    /// The files of another user.
    foreign: BTreeSet<PathBuf>,
    /// How often a lock is held by another process.
    busy: u32,
    /// What another process writes during the next pause.
    in_pause: Option<(String, Vec<u8>)>,
    /// Directories in which nothing can be written.
    read_only: BTreeSet<PathBuf>,
}

/// The key of a path. As on Windows, where drive C: is the current one, `/x` and `C:\x` are the same file.
fn key(path: &Path) -> PathBuf {
    path.to_str().map_or_else(|| path.to_owned(), |path| PathBuf::from(absolute(path)))
}

impl FakeSystem {
    /// Adds a file.
    pub(crate) fn file(self, path: &str, content: &str) -> Self {
        self.write(path, content.as_bytes());
        self
    }

    /// Denies access to a path.
    pub(crate) fn unreadable(self, path: &str) -> Self {
        lock(&self.files).unreadable.insert(key(Path::new(path)));
        self
    }

    /// Sets the permission bits of a file.
    pub(crate) fn mode(self, path: &str, mode: u32) -> Self {
        lock(&self.files).modes.insert(key(Path::new(path)), mode);
        self
    }

    /// Lets another user own a file.
    pub(crate) fn of_another_user(self, path: &str) -> Self {
        lock(&self.files).foreign.insert(key(Path::new(path)));
        self
    }

    /// Lets another process hold a lock for this number of attempts.
    pub(crate) fn locked(self, attempts: u32) -> Self {
        lock(&self.files).busy = attempts;
        self
    }

    /// Lets another process write a file during the next pause.
    pub(crate) fn written_in_pause(self, path: &str, content: &str) -> Self {
        lock(&self.files).in_pause = Some((path.to_owned(), content.as_bytes().to_vec()));
        self
    }

    /// What happens to files during a pause.
    pub(super) fn pass_pause(&self) {
        let written = lock(&self.files).in_pause.take();
        if let Some((path, content)) = written {
            self.write(&path, &content);
        }
    }

    /// Lets nothing be written or locked in a directory.
    pub(crate) fn read_only(self, folder: &str) -> Self {
        lock(&self.files).read_only.insert(key(Path::new(folder)));
        self
    }

    /// Fails if a path is in a directory in which nothing can be written.
    fn check_writable(&self, path: &Path) -> io::Result<()> {
        let is_read_only = lock(&self.files).read_only.iter().any(|folder| key(path).starts_with(folder));
        if is_read_only { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
    }

    /// Adds or replaces a file.
    pub(crate) fn write(&self, path: &str, content: &[u8]) {
        let mut state = lock(&self.files);
        state.writes += 1;
        let written = (content.to_vec(), state.writes);
        state.files.insert(key(Path::new(path)), written);
    }

    /// The content of a file.
    pub(crate) fn content(&self, path: &str) -> Option<Vec<u8>> {
        lock(&self.files).files.get(&key(Path::new(path))).map(|(content, _)| content.clone())
    }

    /// The paths that begin with `prefix`.
    pub(super) fn paths(&self, prefix: &str) -> Vec<String> {
        let state = lock(&self.files);
        let paths = state.files.keys().filter_map(|path| path.to_str()).filter(|path| path.starts_with(prefix));
        paths.map(str::to_owned).collect()
    }
}

impl Files for FakeSystem {
    fn read_file(&self, path: &Path, cap: usize) -> io::Result<Vec<u8>> {
        let state = lock(&self.files);
        if state.unreadable.contains(&key(path)) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let content = state.files.get(&key(path)).map(|(content, _)| content.clone()).ok_or(io::ErrorKind::NotFound)?;
        if content.len() > cap { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(content) }
    }

    fn snapshot(&self, path: &Path, cap: usize) -> io::Result<Snapshot> {
        let content = self.read_file(path, cap)?;
        let stamp = self.stamp(path)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Snapshot { content, stamp, _pin: None })
    }

    fn head(&self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        let mut content = self.read_file(path, usize::MAX)?;
        content.truncate(length);
        Ok(content)
    }

    fn stamp(&self, path: &Path) -> io::Result<Option<FileStamp>> {
        let state = lock(&self.files);
        let Some((content, write)) = state.files.get(&key(path)) else { return Ok(None) };
        let length = content.len() as u64;
        Ok(Some(FileStamp { number: (0, *write), length, modified: None, changed: (0, 0) }))
    }

    fn destination(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn write_destination(&self, path: &Path) -> io::Result<PathBuf> {
        self.destination(path)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        self.check_writable(path)?;
        let mut state = lock(&self.files);
        let is_busy = state.busy > 0;
        state.busy = state.busy.saturating_sub(1);
        Ok((!is_busy).then_some(Lock { file: None }))
    }

    fn restrict(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn replace(&self, path: &Path, content: Content<'_>, expected: Option<&FileStamp>) -> io::Result<bool> {
        self.check_writable(path)?;
        let is_expected = self.stamp(path)?.as_ref() == expected;
        if is_expected {
            let mut text = Vec::new();
            content(&mut text)?;
            self.write(&path.to_string_lossy(), &text);
        }
        Ok(is_expected)
    }

    fn rewrite(&self, path: &Path, content: &[u8], expected: Option<&FileStamp>) -> io::Result<bool> {
        self.replace(path, &|out| out.write_all(content), expected)
    }

    fn create(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let is_new = self.replace(path, &|to| to.write_all(content), None)?;
        if is_new { Ok(()) } else { Err(io::ErrorKind::AlreadyExists.into()) }
    }

    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn temporary_files(&self, _path: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn siblings(&self, _path: &Path, _prefix: &str, _suffix: &str) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        lock(&self.files).files.remove(&key(path)).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn create_directory(&self, _path: &Path, _is_private: bool) -> io::Result<()> {
        Ok(())
    }

    fn details(&self, path: &Path) -> io::Result<Details> {
        let state = lock(&self.files);
        let Some((content, _)) = state.files.get(&key(path)) else {
            if state.files.keys().any(|file| file.starts_with(key(path))) {
                return Ok(Details {
                    length: 0,
                    mode: Some(0o700),
                    is_link: false,
                    is_file: false,
                    is_owned_by_other: false,
                });
            }
            let is_denied = state.unreadable.contains(&key(path));
            return Err(if is_denied { io::ErrorKind::PermissionDenied } else { io::ErrorKind::NotFound }.into());
        };
        Ok(Details {
            length: content.len() as u64,
            mode: Some(state.modes.get(&key(path)).copied().unwrap_or(0o600)),
            is_link: false,
            is_file: true,
            is_owned_by_other: state.foreign.contains(&key(path)),
        })
    }
}
