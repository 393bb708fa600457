//! The settings of pip. <https://pip.pypa.io/en/stable/topics/configuration/>

use std::path::{Path, PathBuf};

use super::{CAP, Index, is_true};
use crate::{
    ini::Ini,
    system::{System, places},
};

/// Selects how pip asks a keyring.
pub(in crate::cli) const PROVIDER_VARIABLE: &str = "PIP_KEYRING_PROVIDER";

/// The settings of pip.
#[derive(Debug, Default)]
pub(in crate::cli) struct Pip {
    /// How it asks a keyring, and the file or variable that says so.
    pub(in crate::cli) provider: Option<(String, String)>,
    /// Its indexes, by precedence.
    pub(in crate::cli) indexes: Vec<Index>,
    /// The file or variable that forbids prompts.
    pub(in crate::cli) no_input: Option<String>,
}

impl Pip {
    /// Reads variables and files.
    pub(in crate::cli) fn read(system: &dyn System) -> Self {
        let mut pip = Self::default();
        let is_set = |value: &String| is_true(value);
        pip.provider = system.setting(PROVIDER_VARIABLE).map(|value| (value, PROVIDER_VARIABLE.to_owned()));
        pip.no_input = system.setting("PIP_NO_INPUT").filter(is_set).map(|_| "PIP_NO_INPUT".to_owned());
        for variable in ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"] {
            pip.add(&system.setting(variable).unwrap_or_default(), variable);
        }
        let files: Vec<_> = files(system)
            .into_iter()
            .filter_map(|path| {
                let content = system.read_file(&path, CAP).ok()?;
                Some((Ini::parse(&String::from_utf8_lossy(&content)), path.display().to_string()))
            })
            .collect();
        // `[install]` in any file overrides `[global]` in every other.
        for section in ["install", "global"] {
            for (ini, source) in &files {
                let value = |key: &str| {
                    let mut entries = ini.entries();
                    let found = entries.find(|(place, name, _)| *place == section && name.replace('_', "-") == key);
                    found.map(|(_, _, value)| value.trim().to_owned()).filter(|value| !value.is_empty())
                };
                pip.provider = pip.provider.or_else(|| Some((value("keyring-provider")?, source.clone())));
                pip.no_input = pip.no_input.or_else(|| value("no-input").filter(is_set).map(|_| source.clone()));
                for key in ["index-url", "extra-index-url"] {
                    pip.add(&value(key).unwrap_or_default(), source);
                }
            }
        }
        pip
    }

    fn add(&mut self, urls: &str, source: &str) {
        self.indexes.extend(urls.split_whitespace().map(|url| Index::new(url, None, source)));
    }
}

/// The file that `pip config --user` writes.
pub(in crate::cli) fn user_file(system: &dyn System) -> Option<PathBuf> {
    if cfg!(windows) {
        return Some(places::app_data(system)?.join("pip").join("pip.ini"));
    }
    Some(places::user_config(system)?.join("pip").join("pip.conf"))
}

/// The files that pip reads, by precedence.
fn files(system: &dyn System) -> Vec<PathBuf> {
    let name = if cfg!(windows) { "pip.ini" } else { "pip.conf" };
    let named = system.setting("PIP_CONFIG_FILE").map(PathBuf::from);
    // os.devnull of Python in this variable disables all files.
    if named.as_deref().is_some_and(|path| path == Path::new("/dev/null") || path == Path::new("nul")) {
        return Vec::new();
    }
    let mut files: Vec<_> = named.into_iter().collect();
    files.extend(system.setting("VIRTUAL_ENV").map(|folder| PathBuf::from(folder).join(name)));
    files.extend(user_file(system));
    files.extend(places::home(system).map(|home| home.join(if cfg!(windows) { "pip" } else { ".pip" }).join(name)));
    files.extend(places::site_config(system).into_iter().map(|folder| folder.join("pip").join(name)));
    files.push(PathBuf::from("/etc/pip.conf"));
    files
}
