//! Stamps of files: the metadata by which a changed file is recognized.

use std::{
    fs::{File, Metadata},
    io,
    path::Path,
};

use crate::system::files::FileStamp;

/// The stamp of an open file.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on Windows")]
pub(super) fn of_open(_file: &File, metadata: &Metadata) -> io::Result<FileStamp> {
    Ok(of_metadata(metadata))
}

#[cfg(unix)]
fn of_metadata(metadata: &Metadata) -> FileStamp {
    use std::os::unix::fs::MetadataExt;
    FileStamp {
        number: (metadata.dev(), metadata.ino()),
        length: metadata.len(),
        modified: metadata.modified().ok(),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    }
}

/// The stamp of an open file. Only its handle tells the file's number: the modification time alone, whose resolution is up
/// to 16 ms, would not tell two writes from each other.
#[cfg(windows)]
pub(super) fn of_open(file: &File, metadata: &Metadata) -> io::Result<FileStamp> {
    let information = winapi_util::file::information(file)?;
    Ok(FileStamp {
        number: (information.volume_serial_number(), information.file_index()),
        length: metadata.len(),
        modified: metadata.modified().ok(),
        changed: (0, 0),
    })
}

/// The stamp of a path, of a symbolic link that of the link itself; `None` if it does not exist.
pub(super) fn of_path(path: &Path) -> io::Result<Option<FileStamp>> {
    match read(path) {
        Ok(stamp) => Ok(Some(stamp)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn read(path: &Path) -> io::Result<FileStamp> {
    std::fs::symlink_metadata(path).map(|metadata| of_metadata(&metadata))
}

/// Opens the path for its metadata alone, which no other program can block.
#[cfg(windows)]
fn read(path: &Path) -> io::Result<FileStamp> {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
    const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
    let mut options = std::fs::OpenOptions::new();
    options.access_mode(0).custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT);
    let file = options.open(path)?;
    of_open(&file, &file.metadata()?)
}
