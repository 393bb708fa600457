//! The password file that pip and uv read before they ask a keyring.
//! <https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html>

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::CAP;
use crate::system::{System, places};

/// An entry for a host.
pub(crate) struct Entry {
    /// The file.
    pub(crate) path: PathBuf,
    /// The user name in it.
    pub(crate) login: Option<String>,
}

/// The entry for a host, or the default entry.
pub(crate) fn entry(system: &dyn System, host: &str) -> Option<Entry> {
    let named = system.setting("NETRC").map(PathBuf::from);
    let at_home = |name: &str| Some(places::home(system)?.join(name));
    let files = named.into_iter().chain([".netrc", "_netrc"].into_iter().filter_map(at_home));
    // Only the first readable file counts.
    let read = |path: PathBuf| Some((system.read_file(&path, CAP).map(Zeroizing::new).ok()?, path));
    files.into_iter().find_map(read).and_then(|(content, path)| {
        let text = Zeroizing::new(String::from_utf8_lossy(&content).into_owned());
        find(&text, host).map(|login| Entry { path, login: Some(login).filter(|login| !login.is_empty()) })
    })
}

/// The user name of the entry for a host, empty if it has none; `None` if there is no entry.
fn find(text: &str, host: &str) -> Option<String> {
    let mut words = text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(str::split_whitespace);
    let (mut is_meant, mut found) = (false, None);
    while let Some(word) = words.next() {
        match word {
            "machine" | "default" if found.is_some() => break,
            "machine" => is_meant = words.next().is_some_and(|name| name.eq_ignore_ascii_case(host)),
            "default" => is_meant = true,
            "login" => {
                let name = words.next().unwrap_or_default();
                if is_meant {
                    found = Some(name.to_owned());
                }
            }
            // The value may equal a keyword, and is skipped.
            "password" | "account" => drop(words.next()),
            _ => {}
        }
        if is_meant && found.is_none() {
            found = Some(String::new());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_found_by_host_and_passwords_are_skipped() {
        let text =
            "machine a.example login ada password default\nmachine b.example password machine\ndefault login all";
        assert_eq!(find(text, "a.example").as_deref(), Some("ada"));
        assert_eq!(find(text, "b.example").as_deref(), Some(""));
        assert_eq!(find(text, "c.example").as_deref(), Some("all"));
        assert_eq!(find("machine a.example password default", "c.example"), None);
    }
}
