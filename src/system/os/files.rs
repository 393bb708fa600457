//! Files of the operating system.

use std::{
    fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use super::OsSystem;
use crate::system::{
    files::{Content, Details, FileStamp, Files, Lock, Snapshot},
    io_message,
};

/// Separates the file's name from the random characters in the name of a temporary file.
const TEMPORARY_INFIX: &str = ".ringbearer-";

/// Reads a regular file of at most `cap` bytes. A larger file and any other kind of file (a FIFO would block, a device
/// never ends) are errors.
pub(super) fn read(path: &Path, cap: usize) -> io::Result<Vec<u8>> {
    open(path).and_then(|(mut file, metadata)| read_open(&mut file, &metadata, cap))
}

/// Opens a regular file, without blocking on a FIFO.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, nonblocking());
    // Prefer "not a regular file" to the errno of opening a socket or a directory.
    let file = options.open(path).map_err(|error| match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => not_regular(),
        _ => error,
    })?;
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(not_regular()) }
}

#[cfg(unix)]
fn nonblocking() -> i32 {
    rustix::fs::OFlags::NONBLOCK.bits().cast_signed()
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

fn read_open(file: &mut File, metadata: &Metadata, cap: usize) -> io::Result<Vec<u8>> {
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {cap} bytes"));
    let length = usize::try_from(metadata.len()).map_err(|_| too_large())?;
    if length > cap {
        return Err(too_large());
    }
    // Files under /proc report length 0, and one more byte of capacity lets others reach their end in one read.
    let mut content = Vec::with_capacity(length + 1);
    file.take(cap as u64 + 1).read_to_end(&mut content)?;
    if content.len() > cap { Err(too_large()) } else { Ok(content) }
}

fn stamp(metadata: &Metadata) -> FileStamp {
    #[cfg(unix)]
    let (number, changed) = {
        use std::os::unix::fs::MetadataExt;
        ((metadata.dev(), metadata.ino()), (metadata.ctime(), metadata.ctime_nsec()))
    };
    #[cfg(not(unix))]
    let (number, changed) = ((0, 0), (0, 0));
    FileStamp { number, length: metadata.len(), modified: metadata.modified().ok(), changed }
}

/// Parent directory; "." for a bare name.
fn directory(path: &Path) -> io::Result<&Path> {
    let parent =
        path.parent().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a path without a directory"))?;
    Ok(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

/// The prefix of the names of a path's temporary files: a dot and the file's name.
fn temporary_prefix(path: &Path) -> io::Result<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(|name| format!(".{name}{TEMPORARY_INFIX}"))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a path without a readable file name"))
}

/// Syncs the entries of a directory. Windows has no such call, and some network file systems do not support it.
fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    match File::open(path).and_then(|folder| folder.sync_all()) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            return Err(io::Error::other(format!(
                "the new content is in place but may not survive a power failure, since its directory cannot be synced: {}",
                io_message(&error)
            )));
        }
        _ => {}
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

fn stamp_of(path: &Path) -> io::Result<Option<FileStamp>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(stamp(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces a file atomically and durably. A new file has these permissions less the umask, or 0600 without them.
fn replace(
    path: &Path,
    content: &dyn Fn(&mut File) -> io::Result<()>,
    expected: Option<&FileStamp>,
    permissions: Option<Permissions>,
) -> io::Result<bool> {
    let folder = directory(path)?;
    let prefix = temporary_prefix(path)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).rand_bytes(12);
    if let Some(permissions) = permissions {
        builder.permissions(permissions);
    }
    // Removed when dropped, on every error.
    let mut temporary = builder.tempfile_in(folder)?;
    content(temporary.as_file_mut())?;
    temporary.as_file().sync_all()?;
    if stamp_of(path)?.as_ref() != expected {
        return Ok(false);
    }
    if expected.is_some() {
        temporary.persist(path).map_err(|failure| failure.error)?;
    } else if let Err(failure) = temporary.persist_noclobber(path) {
        // Not every file system can rename without replacing; there, check again and rename.
        if failure.error.kind() == io::ErrorKind::AlreadyExists || stamp_of(path)?.is_some() {
            return Ok(false);
        }
        failure.file.persist(path).map_err(|failure| failure.error)?;
    }
    sync_directory(folder)?;
    Ok(true)
}

impl Files for OsSystem {
    fn read_file(&self, path: &Path, cap: usize) -> io::Result<Vec<u8>> {
        read(path, cap)
    }

    fn snapshot(&self, path: &Path, cap: usize) -> io::Result<Snapshot> {
        let (mut file, metadata) = open(path)?;
        let content = read_open(&mut file, &metadata, cap)?;
        Ok(Snapshot { content, stamp: stamp(&metadata), _pin: Some(file) })
    }

    fn head(&self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        let mut content = Vec::with_capacity(length);
        open(path)?.0.take(length as u64).read_to_end(&mut content)?;
        Ok(content)
    }

    fn stamp(&self, path: &Path) -> io::Result<Option<FileStamp>> {
        stamp_of(path)
    }

    fn destination(&self, path: &Path) -> io::Result<PathBuf> {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => fs::canonicalize(path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => io::Error::other("a dangling symbolic link"),
                _ => error,
            }),
            Ok(_) => Ok(path.to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
            Err(error) => Err(error),
        }
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600).custom_flags(nonblocking() | rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        }
        let file = options.open(path)?;
        if !file.metadata()?.is_file() {
            return Err(not_regular());
        }
        let lock = match file.try_lock() {
            Ok(()) => Lock { file: Some(file) },
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        };
        // The file may have been removed and created again between open and lock.
        let locked = lock.file.as_ref().map(File::metadata).transpose()?.map(|metadata| stamp(&metadata).number);
        let is_current = stamp_of(path)?.map(|stamp| stamp.number) == locked;
        Ok(is_current.then_some(lock))
    }

    fn replace(&self, path: &Path, content: Content<'_>, expected: Option<&FileStamp>) -> io::Result<bool> {
        replace(path, &|file| content(file), expected, None)
    }

    fn rewrite(&self, path: &Path, content: &[u8], expected: Option<&FileStamp>) -> io::Result<bool> {
        let existing = fs::metadata(path).ok().map(|metadata| metadata.permissions());
        #[cfg(unix)]
        let new = Some(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        #[cfg(not(unix))]
        let new = None;
        let write = |file: &mut File| {
            // Set explicitly: the umask applies to new files only.
            existing.as_ref().map_or(Ok(()), |permissions| file.set_permissions(permissions.clone()))?;
            file.write_all(content)
        };
        replace(path, &write, expected, new)
    }

    fn create(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        let written = file.write_all(content).and_then(|()| file.sync_all());
        if written.is_err() {
            // Created here, and incomplete.
            let _ = fs::remove_file(path);
        }
        // The directory is not synced: losing the file loses no records.
        written
    }

    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    fn temporary_files(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.siblings(path, &temporary_prefix(path)?, "")
    }

    fn siblings(&self, path: &Path, prefix: &str, suffix: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(directory(path)?)? {
            let entry = entry?;
            let name = entry.file_name();
            let matches = name.to_str().is_some_and(|name| name.starts_with(prefix) && name.ends_with(suffix));
            if matches && entry.file_type()?.is_file() {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_directory(&self, path: &Path, is_private: bool) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, if is_private { 0o700 } else { 0o777 });
        #[cfg(not(unix))]
        let _ = is_private;
        let created: Vec<_> =
            path.ancestors().take_while(|ancestor| !ancestor.as_os_str().is_empty() && !ancestor.exists()).collect();
        builder.create(path)?;
        created.into_iter().try_for_each(|created| sync_directory(directory(created)?))
    }

    fn details(&self, path: &Path) -> io::Result<Details> {
        let metadata = fs::symlink_metadata(path)?;
        #[cfg(unix)]
        let mode = Some(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777);
        #[cfg(not(unix))]
        let mode = None;
        #[cfg(unix)]
        let is_owned_by_other = std::os::unix::fs::MetadataExt::uid(&metadata) != rustix::process::geteuid().as_raw();
        #[cfg(not(unix))]
        let is_owned_by_other = false;
        Ok(Details {
            length: metadata.len(),
            mode,
            is_link: metadata.is_symlink(),
            is_file: metadata.is_file(),
            is_owned_by_other,
        })
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{os::unix::fs::symlink, sync::Arc};

    use super::*;
    use crate::system::{CancellationToken, os::LOOKUP_LIMIT};

    fn system() -> OsSystem {
        OsSystem::new(std::iter::empty().collect(), Arc::default(), CancellationToken::default(), LOOKUP_LIMIT)
    }

    /// rustix makes no FIFOs on macOS.
    fn make_fifo(path: &Path) {
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    #[test]
    fn a_file_is_replaced_only_while_its_stamp_is_the_expected_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.json");
        assert!(system().replace(&path, &|to| to.write_all(b"one"), None).unwrap());
        assert!(!system().replace(&path, &|to| to.write_all(b"two"), None).unwrap());
        let snapshot = system().snapshot(&path, 10).unwrap();
        assert_eq!(snapshot.content, b"one");
        assert!(system().replace(&path, &|to| to.write_all(b"two"), Some(&snapshot.stamp)).unwrap());
        assert!(!system().replace(&path, &|to| to.write_all(b"six"), Some(&snapshot.stamp)).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(system().details(&path).unwrap().mode, Some(0o600));
        assert!(system().temporary_files(&path).unwrap().is_empty());
    }

    #[test]
    fn a_lock_has_one_holder_and_is_released_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = system().try_lock(&path).unwrap();
        assert!(held.is_some());
        assert!(system().try_lock(&path).unwrap().is_none());
        drop(held);
        assert!(system().try_lock(&path).unwrap().is_some());
    }

    #[test]
    fn a_file_that_is_not_regular_is_an_error_without_blocking() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        make_fifo(&fifo);
        for path in [fifo.as_path(), folder.path(), Path::new("/dev/zero")] {
            let error = system().snapshot(path, 10).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{}", path.display());
        }
        assert_eq!(system().try_lock(&fifo).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn the_destination_of_a_link_is_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        symlink(&target, &link).unwrap();
        assert!(system().destination(&link).is_err());
        fs::write(&target, "x").unwrap();
        assert_eq!(system().destination(&link).unwrap(), fs::canonicalize(&target).unwrap());
        assert_eq!(system().destination(&target).unwrap(), target);
    }

    #[test]
    fn a_file_larger_than_the_cap_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert_eq!(read(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
