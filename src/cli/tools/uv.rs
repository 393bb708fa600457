//! How uv is set up. <https://docs.astral.sh/uv/concepts/configuration-files/>,
//! <https://docs.astral.sh/uv/reference/environment/>

use std::path::{Path, PathBuf};

use super::{Index, Table, is_true, read_toml};
use crate::system::{System, places};

/// The variable that says by which means uv asks a keyring.
pub(in crate::cli) const PROVIDER_VARIABLE: &str = "UV_KEYRING_PROVIDER";

/// The settings of uv.
#[derive(Debug, Default)]
pub(in crate::cli) struct Uv {
    /// By which means it asks a keyring, and who says so.
    pub(in crate::cli) provider: Option<(String, String)>,
    /// Its indexes, the most telling first.
    pub(in crate::cli) indexes: Vec<Index>,
}

impl Uv {
    /// Reads variables and files; those of the project around the working directory only if they are asked for.
    pub(in crate::cli) fn read(system: &dyn System, with_project: bool) -> Self {
        let provider = system.setting(PROVIDER_VARIABLE).map(|value| (value, PROVIDER_VARIABLE.to_owned()));
        let mut uv = Self { provider, indexes: Vec::new() };
        for variable in ["UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"] {
            for word in system.setting(variable).unwrap_or_default().split_whitespace() {
                let (name, url) = match word.split_once('=') {
                    Some((name, url)) if !name.contains(':') => (Some(name), url),
                    _ => (None, word),
                };
                uv.indexes.push(Index::new(url, name, variable));
            }
        }
        if system.setting("UV_NO_CONFIG").is_some_and(|value| is_true(&value)) {
            return uv;
        }
        let files = match system.setting("UV_CONFIG_FILE") {
            Some(path) => vec![PathBuf::from(path)],
            None => files(system, with_project),
        };
        for path in files {
            if let Some(table) = settings(system, &path) {
                uv.add(&table, &path.display().to_string());
                if let Some(table) = table.table("pip") {
                    uv.add(table, &path.display().to_string());
                }
            }
        }
        uv
    }

    fn add(&mut self, table: &Table, source: &str) {
        if self.provider.is_none() {
            self.provider = table.text("keyring-provider").map(|value| (value.to_owned(), source.to_owned()));
        }
        for index in table.tables("index") {
            if let Some(url) = index.text("url") {
                let authenticate = index.text("authenticate").map(str::to_owned);
                self.indexes.push(Index { authenticate, ..Index::new(url, index.text("name"), source) });
            }
        }
        let urls = table.text("index-url").into_iter().chain(table.texts("extra-index-url"));
        self.indexes.extend(urls.map(|url| Index::new(url, None, source)));
    }
}

/// The variable that gives an index a user name or a password: `UV_INDEX_` and the name in capitals, with what is no
/// letter or digit as an underscore.
pub(in crate::cli) fn variable(name: &str, what: &str) -> String {
    let name = name.replace(|character: char| !character.is_ascii_alphanumeric(), "_").to_ascii_uppercase();
    format!("UV_INDEX_{name}_{what}")
}

/// The settings in a file: all of a `uv.toml`, and a part of a `pyproject.toml`.
fn settings(system: &dyn System, path: &Path) -> Option<Table> {
    let table = read_toml(system, path)?;
    if path.file_name().is_some_and(|name| name == "pyproject.toml") {
        return table.table("tool")?.table("uv").cloned();
    }
    Some(table)
}

/// The files that uv reads, the most telling first.
fn files(system: &dyn System, with_project: bool) -> Vec<PathBuf> {
    let project = system.working_directory().filter(|_| with_project).and_then(|directory| {
        directory
            .ancestors()
            .flat_map(|folder| [folder.join("uv.toml"), folder.join("pyproject.toml")])
            .find(|path| settings(system, path).is_some())
    });
    let user = places::user_config(system).map(|folder| folder.join("uv").join("uv.toml"));
    let mut files: Vec<_> = project.into_iter().chain(user).collect();
    files.extend(places::site_config(system).into_iter().map(|folder| folder.join("uv").join("uv.toml")));
    files.push(PathBuf::from("/etc/uv/uv.toml"));
    files
}
