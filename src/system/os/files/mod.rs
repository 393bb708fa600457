//! Files of the operating system.

// Tested on every platform: its programs are run through `System`.
#[cfg(any(windows, test))]
mod acl;
mod blocked;
#[cfg(unix)]
mod links;
mod paths;
mod stamp;

use std::{
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use tempfile::TempPath;

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
    let file = blocked::open(|| options.open(path)).map_err(|error| match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => not_regular(),
        _ => error,
    })?;
    let metadata = regular(&file)?;
    Ok((file, metadata))
}

/// The metadata of a regular file.
fn regular(file: &File) -> io::Result<Metadata> {
    // The standard library takes devices and pipes for files on Windows, or fails.
    #[cfg(windows)]
    if !winapi_util::file::typ(file)?.is_disk() {
        return Err(not_regular());
    }
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok(metadata) } else { Err(not_regular()) }
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

/// Syncs a file or a directory to the disk. On macOS, network file systems and some others reject the call of the standard
/// library (`F_FULLFSYNC`), and sync by `fsync` alone. <https://github.com/golang/go/issues/64215>
fn sync(file: &File) -> io::Result<()> {
    let synced = file.sync_all();
    #[cfg(target_os = "macos")]
    let synced = synced.or_else(|_| rustix::fs::fsync(file).map_err(io::Error::from));
    synced
}

/// Syncs the entries of a directory. Windows has no such call, and some network file systems do not support it.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(windows) {
        return Ok(());
    }
    match File::open(path).and_then(|folder| sync(&folder)) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Err(io::Error::other(format!(
                "the new content is in place but may not survive a power failure, since its directory cannot be synced: {}",
                io_message(&error)
            )))
        }
        _ => Ok(()),
    }
}

/// How a new file is created. It has this mode on Unix; on Windows nobody else opens it before it is closed, since access
/// that was granted once stays.
fn new_file(mode: u32) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(windows)]
    {
        let _ = mode;
        std::os::windows::fs::OpenOptionsExt::share_mode(&mut options, 0);
    }
    options
}

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// The user alone.
    Private,
    /// Those whom the umask or, on Windows, the directory lets read it.
    Usual,
}

impl OsSystem {
    /// Replaces a file atomically and durably.
    fn replace_with(
        &self,
        path: &Path,
        content: &dyn Fn(&mut File) -> io::Result<()>,
        expected: Option<&FileStamp>,
        access: Access,
    ) -> io::Result<bool> {
        let folder = directory(path)?;
        let prefix = temporary_prefix(path)?;
        // Opened here: tempfile marks its files as temporary on Windows, and backups leave those out.
        let mut options = new_file(if access == Access::Private { 0o600 } else { 0o666 });
        options.read(true);
        let mut builder = tempfile::Builder::new();
        let created = builder.prefix(&prefix).rand_bytes(12).make_in(folder, |path| options.open(path))?;
        // The path is removed when dropped, on every error.
        let (file, temporary) = created.into_parts();
        self.fill(file, &temporary, content, access)?;
        let is_replaced = self.rename(temporary, path, expected)?;
        if is_replaced {
            sync_directory(folder)?;
        }
        Ok(is_replaced)
    }

    /// Writes a new file and closes it: on Windows, no open file is renamed or removed, except by the newest calls.
    fn fill(
        &self,
        mut file: File,
        path: &Path,
        content: &dyn Fn(&mut File) -> io::Result<()>,
        access: Access,
    ) -> io::Result<()> {
        if access == Access::Private {
            self.restrict(path)?;
        }
        content(&mut file)?;
        sync(&file)
    }

    /// Renames a temporary file; false if the file that it replaces is not the expected one.
    fn rename(&self, temporary: TempPath, path: &Path, expected: Option<&FileStamp>) -> io::Result<bool> {
        let mut left = Some(temporary);
        blocked::replace(self, || {
            // In each attempt: a program that does not lock may write while another one blocks the file.
            if stamp::of_path(path)?.as_ref() != expected {
                return Ok(false);
            }
            let Some(mut temporary) = left.take() else { return Ok(false) };
            if expected.is_none() {
                match temporary.persist_noclobber(path) {
                    Ok(()) => return Ok(true),
                    Err(failure) if failure.error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
                    Err(failure) if cfg!(windows) => {
                        left = Some(failure.path);
                        return Err(failure.error);
                    }
                    // Not every file system can rename without replacing; there, check again and rename.
                    Err(failure) => temporary = failure.path,
                }
                if stamp::of_path(path)?.is_some() {
                    return Ok(false);
                }
            }
            // Not tempfile's own call, which readers block on Windows even if they share the file for deletion.
            let renamed = fs::rename(&temporary, path);
            temporary.disable_cleanup(renamed.is_ok());
            left = Some(temporary);
            renamed.map(|()| true)
        })
    }
}

impl Files for OsSystem {
    fn read_file(&self, path: &Path, cap: usize) -> io::Result<Vec<u8>> {
        read(path, cap)
    }

    fn snapshot(&self, path: &Path, cap: usize) -> io::Result<Snapshot> {
        let (mut file, metadata) = open(path)?;
        let content = read_open(&mut file, &metadata, cap)?;
        let stamp = stamp::of_open(&file, &metadata)?;
        // On Windows, an open file could not be replaced, and NTFS does not reuse the number of a removed one.
        Ok(Snapshot { content, stamp, _pin: cfg!(unix).then_some(file) })
    }

    fn head(&self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        let mut content = Vec::with_capacity(length);
        open(path)?.0.take(length as u64).read_to_end(&mut content)?;
        Ok(content)
    }

    fn stamp(&self, path: &Path) -> io::Result<Option<FileStamp>> {
        stamp::of_path(path)
    }

    fn destination(&self, path: &Path) -> io::Result<PathBuf> {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => paths::canonical(path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => io::Error::other("a dangling symbolic link"),
                _ => error,
            }),
            Ok(_) => Ok(path.to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
            Err(error) => Err(error),
        }
    }

    #[cfg(unix)]
    fn write_destination(&self, path: &Path) -> io::Result<PathBuf> {
        links::resolve(path)
    }

    #[cfg(not(unix))]
    fn write_destination(&self, path: &Path) -> io::Result<PathBuf> {
        self.destination(path)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600).custom_flags(nonblocking() | rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        }
        let file = blocked::open(|| options.open(path))?;
        let metadata = regular(&file)?;
        let stamp = stamp::of_open(&file, &metadata)?;
        let lock = match file.try_lock() {
            Ok(()) => Lock { file: Some(file) },
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        };
        // The file may have been removed and created again between open and lock.
        let is_current = stamp::of_path(path)?.is_some_and(|current| current.number == stamp.number);
        Ok(is_current.then_some(lock))
    }

    #[cfg(windows)]
    fn restrict(&self, path: &Path) -> io::Result<()> {
        acl::restrict(self, path, acl::Target::File)
    }

    #[cfg(not(windows))]
    fn restrict(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn replace(&self, path: &Path, content: Content<'_>, expected: Option<&FileStamp>) -> io::Result<bool> {
        self.replace_with(path, &|file| content(file), expected, Access::Private)
    }

    fn rewrite(&self, path: &Path, content: &[u8], expected: Option<&FileStamp>) -> io::Result<bool> {
        let existing = fs::metadata(path).ok().map(|metadata| metadata.permissions());
        let write = |file: &mut File| {
            // Set explicitly: the umask applies to new files only.
            existing.as_ref().map_or(Ok(()), |permissions| file.set_permissions(permissions.clone()))?;
            file.write_all(content)
        };
        self.replace_with(path, &write, expected, Access::Usual)
    }

    fn create(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let file = new_file(0o600).open(path)?;
        let written = self.fill(file, path, &|file| file.write_all(content), Access::Private);
        if written.is_err() {
            // Created here, and incomplete.
            let _ = fs::remove_file(path);
        }
        // The directory is not synced: losing the file loses no records.
        written
    }

    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        paths::canonical(path)
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
        let created: Vec<_> =
            path.ancestors().take_while(|ancestor| !ancestor.as_os_str().is_empty() && !ancestor.exists()).collect();
        builder.create(path)?;
        #[cfg(windows)]
        if is_private && !created.is_empty() {
            // Files that hold a secret are limited themselves: what fails here fails there, too.
            let _ = acl::restrict(self, path, acl::Target::Directory);
        }
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
mod tests;
