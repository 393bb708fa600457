//! How the tools on this machine are set up to ask for credentials: read, to be told to a person, and to know which index
//! is meant where none is named. Nothing here decides how a look-up goes.
//!
//! - `pip`, `uv`: the settings of those two, and the indexes in them
//! - `beside`: what is installed beside a program of Python's
//! - `netrc`: the file that comes before every keyring
//! - `toml_file`: TOML files

pub(super) mod beside;
pub(super) mod netrc;
pub(super) mod pip;
mod toml_file;
pub(super) mod uv;

use url::Url;

pub(super) use self::toml_file::{Table, parse as parse_toml, read as read_toml};
use crate::{keyring::Keyring, service::Service};

/// The largest settings file that is read.
pub(super) const CAP: usize = 1024 * 1024;

/// An index that a tool is set up with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index {
    /// Its name, where the tool has names for indexes.
    pub(super) name: Option<String>,
    /// Its URL, which may hold a password: not for showing.
    url: String,
    /// The file or variable that says so; `None` if a person does, on the command line.
    pub(super) source: Option<String>,
    /// uv's setting `authenticate`.
    pub(super) authenticate: Option<String>,
}

impl Index {
    pub(super) fn new(url: &str, name: Option<&str>, source: &str) -> Self {
        Self { name: name.map(str::to_owned), source: Some(source.to_owned()), ..Self::named_by_hand(url) }
    }

    pub(super) fn named_by_hand(url: &str) -> Self {
        Self { name: None, url: url.trim().to_owned(), source: None, authenticate: None }
    }

    /// The URL without what must not be shown.
    pub(super) fn service(&self) -> Service {
        Service::parse(&self.url)
    }

    /// The text as tools ask with: without the user information.
    pub(super) fn without_user(&self) -> String {
        let Some((scheme, rest)) = self.url.split_once("://") else { return self.url.clone() };
        let length = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(length);
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        format!("{scheme}://{host}{path}")
    }

    /// The user name in the URL.
    pub(super) fn username(&self) -> Option<String> {
        let url = Url::parse(&self.url).ok()?;
        Some(url.username().to_owned()).filter(|name| !name.is_empty())
    }

    /// Whether the URL brings its own password.
    pub(super) fn has_password(&self) -> bool {
        Url::parse(&self.url).is_ok_and(|url| url.password().is_some())
    }
}

/// The most indexes that are taken without being named.
const MOST: usize = 10;

/// The indexes of pip and uv that a backend claims, each once.
pub(super) fn served(keyring: &Keyring, pip: &pip::Pip, uv: &uv::Uv) -> Vec<Index> {
    let mut found: Vec<Index> = Vec::new();
    for index in uv.indexes.iter().chain(&pip.indexes) {
        let service = index.service();
        let is_served = keyring.serves(&service);
        if is_served && found.len() < MOST && !found.iter().any(|known| is_same(&known.service(), &service)) {
            found.push(index.clone());
        }
    }
    found
}

/// Whether a setting is on: whatever is not one of the words for off.
pub(super) fn is_true(value: &str) -> bool {
    !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "f" | "false" | "n" | "no" | "off")
}

/// Whether two URLs are one index: the slash at the end does not matter.
pub(super) fn is_same(one: &Service, other: &Service) -> bool {
    let text = |service: &Service| service.url().map(|url| url.as_str().trim_end_matches('/').to_owned());
    text(one) == text(other)
}

/// An index as a tool is set up with it, where it is, rather than as it was named.
pub(super) fn set_up<'all>(indexes: &'all [Index], named: &'all Index) -> &'all Index {
    let service = named.service();
    indexes.iter().find(|index| is_same(&index.service(), &service)).unwrap_or(named)
}

/// The URL with a user name in it, as tools want it.
pub(super) fn with_username(url: &Url, username: &str) -> Url {
    let mut url = url.clone();
    // It fails only for URLs that cannot have user information.
    let _ = url.set_username(username);
    url
}
