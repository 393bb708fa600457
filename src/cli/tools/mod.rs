//! The settings of the tools on this machine: shown by `doctor`, and the default indexes of commands without a URL. They do
//! not affect lookups.
//!
//! - `pip`, `uv`: the settings and indexes of those two
//! - `beside`: the packages in the environment of a Python program
//! - `launcher`: the interpreter that a launcher on Windows names
//! - `netrc`: the password file that tools read before they ask a keyring
//! - `toml_file`: TOML files

pub(super) mod beside;
pub(super) mod launcher;
pub(super) mod netrc;
pub(super) mod pip;
pub(super) mod toml_file;
pub(super) mod uv;

use url::Url;

use super::World;
use crate::service::Service;

/// The maximum size of a settings file, in bytes.
pub(super) const CAP: usize = 1024 * 1024;

/// An index in the settings of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index {
    /// Its name, if the tool names indexes.
    pub(super) name: Option<String>,
    /// Its URL, which may contain a password and is never shown.
    url: String,
    /// The file or variable that names it; `None` for the command line.
    pub(super) source: Option<String>,
    /// uv's setting `authenticate`.
    pub(super) authenticate: Option<String>,
}

impl Index {
    pub(super) fn new(url: &str, name: Option<&str>, source: &str) -> Self {
        Self { name: name.map(str::to_owned), source: Some(source.to_owned()), ..Self::from_argument(url) }
    }

    pub(super) fn from_argument(url: &str) -> Self {
        Self { name: None, url: url.trim().to_owned(), source: None, authenticate: None }
    }

    /// The URL, without user information.
    pub(super) fn service(&self) -> Service {
        Service::parse(&self.url)
    }

    /// The text with which tools ask a keyring: without user information.
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

    /// Whether the URL contains a password.
    pub(super) fn has_password(&self) -> bool {
        Url::parse(&self.url).is_ok_and(|url| url.password().is_some())
    }
}

/// The maximum number of indexes taken from settings.
const INDEX_LIMIT: usize = 10;

/// The indexes of pip and uv that a backend claims, without duplicates.
pub(super) fn served(world: &World<'_>, pip: &pip::Pip, uv: &uv::Uv) -> Vec<Index> {
    let mut found: Vec<Index> = Vec::new();
    for index in uv.indexes.iter().chain(&pip.indexes) {
        let service = index.service();
        let is_served = world.memory.keyring.serves(world.system, &service);
        if is_served && found.len() < INDEX_LIMIT && !found.iter().any(|known| is_same(&known.service(), &service)) {
            found.push(index.clone());
        }
    }
    found
}

/// Whether a boolean setting is on: every value that does not mean off.
pub(super) fn is_true(value: &str) -> bool {
    !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "f" | "false" | "n" | "no" | "off")
}

/// Whether two URLs are the same index, ignoring a trailing slash.
pub(super) fn is_same(one: &Service, other: &Service) -> bool {
    let text = |service: &Service| service.url().map(|url| url.as_str().trim_end_matches('/').to_owned());
    text(one) == text(other)
}

/// The same index in the settings of a tool, if it is there.
pub(super) fn configured<'all>(indexes: &'all [Index], named: &'all Index) -> &'all Index {
    let service = named.service();
    indexes.iter().find(|index| is_same(&index.service(), &service)).unwrap_or(named)
}

/// The URL with a user name.
pub(super) fn with_username(url: &Url, username: &str) -> Url {
    let mut url = url.clone();
    // Fails only for URLs that cannot have user information.
    let _ = url.set_username(username);
    url
}
