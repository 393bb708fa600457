//! The settings of uv. <https://docs.astral.sh/uv/concepts/configuration-files/>,
//! <https://docs.astral.sh/uv/reference/environment/>

use std::path::{Path, PathBuf};

use toml_edit::{Item, TableLike};

use super::{
    Index, is_true,
    toml_file::{read, tables, text, texts},
};
use crate::{
    shown::shown_path,
    system::{Platform, System, places},
};

/// Selects how uv asks a keyring.
pub(crate) const PROVIDER_VARIABLE: &str = "UV_KEYRING_PROVIDER";

/// The settings of uv.
#[derive(Debug, Default)]
pub(crate) struct Uv {
    /// How it asks a keyring, and the file or variable that says so.
    pub(crate) provider: Option<(String, String)>,
    /// Its indexes, by precedence.
    pub(crate) indexes: Vec<Index>,
    /// Its URLs for uploads, in files.
    pub(crate) uploads: Vec<Index>,
}

impl Uv {
    /// Reads variables and files, those that depend on the working directory only if `with_project`.
    pub(crate) fn read(system: &dyn System, with_project: bool) -> Self {
        let provider = system.setting(PROVIDER_VARIABLE).map(|value| (value, PROVIDER_VARIABLE.to_owned()));
        let mut uv = Self { provider, indexes: Vec::new(), uploads: Vec::new() };
        for variable in ["UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"] {
            for word in system.setting(variable).unwrap_or_default().split_whitespace() {
                let (name, url) = match word.split_once('=') {
                    Some((name, url)) if !name.contains(':') => (Some(name), url),
                    _ => (None, word),
                };
                uv.indexes.push(Index::in_variable(url, name, variable));
            }
        }
        if system.setting("UV_NO_CONFIG").is_some_and(|value| is_true(&value)) {
            return uv;
        }
        let files = match system.setting("UV_CONFIG_FILE").map(PathBuf::from) {
            Some(path) => [path].into_iter().filter(|path| with_project || path.is_absolute()).collect(),
            None => files(system, with_project),
        };
        for path in files {
            let settings = settings(system, &path);
            let pip = settings.as_ref().and_then(|settings| settings.get("pip"));
            for table in settings.as_ref().into_iter().chain(pip).filter_map(Item::as_table_like) {
                uv.add(table, &shown_path(&path));
            }
        }
        uv
    }

    fn add(&mut self, table: &dyn TableLike, source: &str) {
        if self.provider.is_none() {
            self.provider = text(table, "keyring-provider").map(|value| (value.to_owned(), source.to_owned()));
        }
        let uploads = tables(table, "index").into_iter().chain([table]);
        self.uploads.extend(
            uploads.filter_map(|table| Some(Index::in_file(text(table, "publish-url")?, None, source, "publish-url"))),
        );
        for index in tables(table, "index") {
            if let Some(url) = text(index, "url") {
                let authenticate = text(index, "authenticate").map(str::to_owned);
                self.indexes.push(Index { authenticate, ..Index::in_file(url, text(index, "name"), source, "url") });
            }
        }
        let urls = text(table, "index-url").map(|url| (url, "index-url")).into_iter();
        let urls = urls.chain(texts(table, "extra-index-url").map(|url| (url, "extra-index-url")));
        self.indexes.extend(urls.map(|(url, key)| Index::in_file(url, None, source, key)));
    }
}

/// The variable for the user name or password of an index: `UV_INDEX_` and the name in capitals, with underscores for all but
/// letters and digits.
pub(crate) fn variable(name: &str, what: &str) -> String {
    let name = name.replace(|character: char| !character.is_ascii_alphanumeric(), "_").to_ascii_uppercase();
    format!("UV_INDEX_{name}_{what}")
}

/// The settings in a file: a whole `uv.toml`, or `tool.uv` of a `pyproject.toml`.
fn settings(system: &dyn System, path: &Path) -> Option<Item> {
    let mut document = read(system, path)?;
    if path.file_name().is_some_and(|name| name == "pyproject.toml") {
        let uv = document.get_mut("tool")?.get_mut("uv").map(std::mem::take);
        return uv.filter(Item::is_table_like);
    }
    Some(document)
}

/// The files that uv reads, by precedence.
fn files(system: &dyn System, with_project: bool) -> Vec<PathBuf> {
    let project = system.working_directory().filter(|_| with_project).and_then(|directory| {
        directory
            .ancestors()
            .flat_map(|folder| [folder.join("uv.toml"), folder.join("pyproject.toml")])
            .find(|path| settings(system, path).is_some())
    });
    let mut folders: Vec<_> = places::uv_config(system).into_iter().collect();
    if system.platform() == Platform::Windows {
        folders.push(places::program_data(system));
    } else {
        folders.extend(places::site_config(system));
        folders.push(PathBuf::from("/etc"));
    }
    project.into_iter().chain(folders.into_iter().map(|folder| folder.join("uv").join("uv.toml"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{FakeSystem, absolute};

    #[test]
    fn uv_has_files_of_its_own_on_each_platform() {
        let at = |path: &str| PathBuf::from(absolute(path));
        let on = |platform| {
            let pairs = [("HOME", "/home/ada"), ("APPDATA", "/users/ada/AppData/Roaming"), ("PROGRAMDATA", "/data")];
            pairs
                .iter()
                .fold(FakeSystem::default().on(platform), |system, (name, path)| system.variable(name, &absolute(path)))
        };
        let windows = [at("/users/ada/AppData/Roaming/uv/uv.toml"), at("/data/uv/uv.toml")];
        assert_eq!(files(&on(Platform::Windows), true), windows);
        for platform in [Platform::Linux, Platform::MacOs] {
            let found = files(&on(platform), true);
            assert_eq!(found.first(), Some(&at("/home/ada/.config/uv/uv.toml")));
            assert_eq!(found.last(), Some(&PathBuf::from("/etc").join("uv").join("uv.toml")));
        }
    }
}
