//! The passwords that `uv auth login` stores in a file, which uv uses before it asks a keyring.
//! <https://docs.astral.sh/uv/concepts/authentication/http/#the-uv-credentials-store>

use std::path::PathBuf;

use url::Url;

use super::{
    is_below,
    toml_file::{read, tables, text},
};
use crate::{
    service::Service,
    system::{System, places},
};

/// The known schemes. uv ignores the whole file if an entry has another one.
const SCHEMES: [&str; 2] = ["basic", "bearer"];

/// An entry for a URL and all below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The file.
    pub(crate) path: PathBuf,
    /// The URL, without user information.
    pub(crate) service: Url,
    /// The user name; `None` for a token alone.
    pub(crate) username: Option<String>,
}

/// The first entry that uv would use for an index with this user name; without one, every user name fits.
pub(crate) fn entry(system: &dyn System, index: &Service, username: Option<&str>) -> Option<Entry> {
    let url = index.url()?;
    let fits =
        |entry: &Entry| is_below(url, &entry.service) && (username.is_none() || username == entry.username.as_deref());
    entries(system)?.into_iter().find(fits)
}

fn entries(system: &dyn System) -> Option<Vec<Entry>> {
    let named = system.setting("UV_CREDENTIALS_DIR").map(PathBuf::from);
    let folder = named.or_else(|| Some(places::uv_data(system)?.join("credentials")))?;
    let path = folder.join("credentials.toml");
    let document = read(system, &path)?;
    let tables = tables(document.as_table_like()?, "credential").into_iter();
    let entries = tables.map(|table| {
        let is_known = SCHEMES.contains(&text(table, "scheme").unwrap_or("basic"));
        let service = Service::parse(text(table, "service")?).url().filter(|_| is_known)?.clone();
        Some(Entry { path: path.clone(), service, username: text(table, "username").map(str::to_owned) })
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{FakeSystem, absolute};

    const INDEX: &str = "https://pkgs.example/contoso/simple/";

    fn found(content: &str, username: Option<&str>) -> Option<String> {
        let system = FakeSystem::default().variable("UV_CREDENTIALS_DIR", &absolute("/uv"));
        let system = system.file("/uv/credentials.toml", content);
        entry(&system, &Service::parse(INDEX), username).map(|entry| entry.service.to_string())
    }

    fn with(service: &str, more: &str) -> String {
        format!("[[credential]]\nservice = \"{service}\"\n{more}\n")
    }

    #[test]
    fn an_entry_of_uv_covers_the_urls_below_its_own() {
        for (service, covers) in [
            ("https://pkgs.example", true),
            ("https://PKGS.example:443/", true),
            ("https://ada@pkgs.example/contoso", true),
            ("https://pkgs.example/contoso/simple/", true),
            ("https://pkgs.example/cont", false),
            ("https://pkgs.example/CONTOSO", false),
            ("https://pkgs.example/contoso/other", false),
            ("http://pkgs.example/", false),
            ("https://pkgs.example:8443/", false),
            ("https://example/", false),
        ] {
            assert_eq!(found(&with(service, "username = \"ada\""), Some("ada")).is_some(), covers, "{service}");
        }
    }

    #[test]
    fn an_entry_of_uv_needs_the_user_name_of_the_index() {
        let entry = with("https://pkgs.example/", "username = \"ada\"\nscheme = \"basic\"\npassword = \"p\"");
        assert_eq!(found(&entry, Some("alice")), None);
        assert_eq!(found(&entry, None).as_deref(), Some("https://pkgs.example/"));
        let token = with("https://pkgs.example/", "scheme = \"bearer\"\ntoken = \"t\"");
        assert_eq!(found(&token, Some("ada")), None);
        assert!(found(&token, None).is_some());
        assert!(found(&(token + &entry), Some("ada")).is_some());
    }

    #[test]
    fn a_file_that_uv_cannot_read_has_no_entries() {
        let good = with("https://pkgs.example/", "");
        for bad in
            [with("https://pkgs.example/", "scheme = \"digest\""), "[[credential]]\n".to_owned(), "[[".to_owned()]
        {
            assert_eq!(found(&(good.clone() + &bad), None), None, "{bad}");
        }
        assert!(found(&good, None).is_some());
    }
}
