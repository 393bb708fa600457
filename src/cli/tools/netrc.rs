//! The file with passwords that pip and uv read before they ask a keyring.
//! <https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html>

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::CAP;
use crate::sys::System;

/// The file, if it has an entry for a host.
pub(in crate::cli) fn entry(system: &dyn System, host: &str) -> Option<PathBuf> {
    let named = system.setting("NETRC").map(PathBuf::from);
    let home = |name: &str| Some(system.home()?.join(name));
    let files = match named {
        Some(path) => vec![path],
        None => [".netrc", "_netrc"].into_iter().filter_map(home).collect(),
    };
    files.into_iter().find(|path| {
        let content = system.read_file(path, CAP).map(Zeroizing::new).unwrap_or_default();
        let text = Zeroizing::new(String::from_utf8_lossy(&content).into_owned());
        let mut words = text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(str::split_whitespace);
        while let Some(word) = words.next() {
            if word == "default"
                || (word == "machine" && words.next().is_some_and(|name| name.eq_ignore_ascii_case(host)))
            {
                return true;
            }
        }
        false
    })
}
