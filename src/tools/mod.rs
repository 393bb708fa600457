//! The settings of the tools on this machine: shown by `doctor`, and the default indexes of commands without a URL. A
//! lookup reads them only to learn whether it may start a sign-in.
//!
//! - `pip`, `uv`, `poetry`, `pixi`: the settings and indexes of those tools
//! - `netrc`: the password file that tools read before they ask a keyring
//! - `uv_credentials`: the passwords that `uv auth login` stores
//! - `toml_file`: TOML files

pub(crate) mod netrc;
pub(crate) mod pip;
pub(crate) mod pixi;
pub(crate) mod poetry;
pub(crate) mod toml_file;
pub(crate) mod uv;
pub(crate) mod uv_credentials;

use url::Url;

use self::{pip::Pip, poetry::Poetry, uv::Uv};
use crate::{service::Service, system::System};

/// The maximum size of a settings file, in bytes.
pub(crate) const CAP: usize = 1024 * 1024;

/// An index in the settings of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    /// Its name, if the tool names indexes.
    pub(crate) name: Option<String>,
    /// Its URL, which may contain a password and is never shown.
    url: String,
    /// The file or variable that names it; `None` for the command line.
    pub(crate) source: Option<String>,
    /// The key of the setting in a file; `None` for variables.
    key: Option<&'static str>,
    /// uv's setting `authenticate`.
    pub(crate) authenticate: Option<String>,
}

impl Index {
    /// An index in a variable.
    pub(crate) fn in_variable(url: &str, name: Option<&str>, variable: &str) -> Self {
        Self { name: name.map(str::to_owned), source: Some(variable.to_owned()), ..Self::from_argument(url) }
    }

    /// An index under a key in a file.
    pub(crate) fn in_file(url: &str, name: Option<&str>, file: &str, key: &'static str) -> Self {
        Self { key: Some(key), ..Self::in_variable(url, name, file) }
    }

    /// An index named on the command line.
    pub(crate) fn from_argument(url: &str) -> Self {
        Self { name: None, url: url.trim().to_owned(), source: None, key: None, authenticate: None }
    }

    /// The URL, without user information.
    pub(crate) fn service(&self) -> Service {
        Service::parse(&self.url)
    }

    /// The text with which tools ask a keyring: without user information.
    pub(crate) fn without_user(&self) -> String {
        let Some((scheme, rest)) = self.url.split_once("://") else { return self.url.clone() };
        let length = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(length);
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        format!("{scheme}://{host}{path}")
    }

    /// The index, for messages: by its name, if it has one.
    pub(crate) fn label(&self) -> String {
        self.name.as_deref().map_or_else(|| "the index".to_owned(), |name| format!("index {name}"))
    }

    /// ` in ` and the file or variable that names it, for messages.
    pub(crate) fn place(&self) -> String {
        self.source.as_ref().map_or_else(String::new, |source| format!(" in {source}"))
    }

    /// The setting with another URL, as TOML if it is in a file.
    pub(crate) fn with_url(&self, url: &str) -> String {
        let line = match self.key {
            Some(key) if key.starts_with("extra") => format!("{key} = [\"{url}\"]"),
            None if self.source.is_some() => url.to_owned(),
            key => format!("{} = \"{url}\"", key.unwrap_or("url")),
        };
        format!("{line}{}", self.place())
    }

    /// The user name in the URL.
    pub(crate) fn username(&self) -> Option<String> {
        let url = Url::parse(&self.url).ok()?;
        Some(url.username().to_owned()).filter(|name| !name.is_empty())
    }

    /// Whether the URL contains a password.
    pub(crate) fn has_password(&self) -> bool {
        Url::parse(&self.url).is_ok_and(|url| url.password().is_some())
    }
}

/// The indexes that the user's own settings of pip, uv and Poetry name: in variables and in the files of the user and the
/// machine. Files that depend on the working directory or a virtual environment do not count: a repository may hold them.
pub(crate) fn indexes_of_user(system: &dyn System) -> Vec<Index> {
    let (pip, uv, poetry) = (Pip::read_of_user(system), Uv::read(system, false), Poetry::read_of_user(system));
    [pip.indexes, uv.indexes, poetry.sources].concat()
}

/// Whether a boolean setting is on: every value that does not mean off.
pub(crate) fn is_true(value: &str) -> bool {
    !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "f" | "false" | "n" | "no" | "off")
}

/// Whether two URLs are the same index, ignoring a trailing slash.
pub(crate) fn is_same(one: &Service, other: &Service) -> bool {
    let text = |service: &Service| service.url().map(|url| url.as_str().trim_end_matches('/').to_owned());
    text(one) == text(other)
}

/// Whether a URL is at or below another one, by whole path segments.
pub(crate) fn is_below(url: &Url, other: &Url) -> bool {
    let rest = url.path().strip_prefix(other.path().trim_end_matches('/'));
    url.origin() == other.origin() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The same index in the settings of a tool. If only another tool names it: the URL as on the command line, without that
/// tool's password.
pub(crate) fn configured(indexes: &[Index], named: &Index) -> Index {
    let service = named.service();
    let found = indexes.iter().find(|index| is_same(&index.service(), &service));
    let other = || match (service.url(), named.username()) {
        (Some(url), Some(username)) => Index::from_argument(with_username(url, &username).as_str()),
        _ => Index::from_argument(&named.without_user()),
    };
    found.cloned().unwrap_or_else(|| if named.source.is_none() { named.clone() } else { other() })
}

/// The URL with a user name.
pub(crate) fn with_username(url: &Url, username: &str) -> Url {
    let mut url = url.clone();
    // Fails only for URLs that cannot have user information.
    let _ = url.set_username(username);
    url
}
