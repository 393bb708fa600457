//! Paths as people write them.

use std::{
    borrow::Cow,
    fs, io,
    path::{Path, PathBuf},
};

/// The canonical path, with all symbolic links resolved.
pub(super) fn canonical(path: &Path) -> io::Result<PathBuf> {
    let path = fs::canonicalize(path)?;
    Ok(match path.to_str().map(plain) {
        Some(Cow::Owned(plain)) if cfg!(windows) => plain.into(),
        _ => path,
    })
}

/// The longest path without the prefix, in UTF-16 units (MAX_PATH less the final zero).
const LONGEST: usize = 259;

/// Removes the prefix `\\?\` of Windows' canonical paths: people do not write it, and many programs do not read it. It stays
/// where the path means something else without it.
pub(super) fn plain(path: &str) -> Cow<'_, str> {
    let Some(rest) = path.strip_prefix(r"\\?\") else { return path.into() };
    let plain = match rest.strip_prefix(r"UNC\") {
        Some(share) => format!(r"\\{share}"),
        None if rest.as_bytes().get(1) == Some(&b':') => rest.to_owned(),
        None => return path.into(),
    };
    let is_same = plain.encode_utf16().count() <= LONGEST && !plain.split('\\').any(|part| part.ends_with(['.', ' ']));
    if is_same { plain.into() } else { path.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verbatim_path_becomes_the_one_that_people_write() {
        assert_eq!(plain(r"\\?\C:\Users\ada\x"), r"C:\Users\ada\x");
        assert_eq!(plain(r"\\?\UNC\server\share\x"), r"\\server\share\x");
        let long = format!(r"\\?\C:\{}", "x".repeat(300));
        for same in [r"C:\x", "/home/ada", r"\\?\C:\x.", r"\\?\C:\x \y", r"\\?\Volume{1}\x", &long] {
            assert_eq!(plain(same), same);
        }
    }
}
