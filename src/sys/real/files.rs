//! Reading files.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

/// Reads a regular file of at most `cap` bytes. Anything else (a FIFO would block for ever, a device
/// never ends) and anything larger is an error.
pub(super) fn read(path: &Path, cap: usize) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut content = Vec::new();
    File::open(path)?.take(cap as u64 + 1).read_to_end(&mut content)?;
    if content.len() > cap {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {cap} bytes")));
    }
    Ok(content)
}
