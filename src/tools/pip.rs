//! The settings of pip. <https://pip.pypa.io/en/stable/topics/configuration/>

use std::path::{Path, PathBuf};

use super::{CAP, Index, is_true};
use crate::{
    ini::Ini,
    shown::shown_path,
    system::{Platform, System, places},
};

/// Selects how pip asks a keyring.
pub(crate) const PROVIDER_VARIABLE: &str = "PIP_KEYRING_PROVIDER";

/// The keyring providers. pip fails if any setting has another value, even one that is overridden.
/// <https://pip.pypa.io/en/stable/topics/authentication/#keyring-support>
const PROVIDERS: [&str; 4] = ["auto", "disabled", "import", "subprocess"];

/// The settings of pip.
#[derive(Debug, Default)]
pub(crate) struct Pip {
    /// How it asks a keyring, and the file or variable that says so.
    pub(crate) provider: Option<(String, String)>,
    /// The file or variable with a keyring provider that pip does not know.
    pub(crate) unknown_provider: Option<String>,
    /// Its indexes, by precedence.
    pub(crate) indexes: Vec<Index>,
    /// The file or variable that forbids prompts.
    pub(crate) no_input: Option<String>,
}

impl Pip {
    /// Reads variables and files.
    pub(crate) fn read(system: &dyn System) -> Self {
        Self::read_files(system, files(system, true))
    }

    /// Reads the variables and the files of the user and the machine.
    pub(crate) fn read_of_user(system: &dyn System) -> Self {
        Self::read_files(system, files(system, false).into_iter().filter(|path| path.is_absolute()).collect())
    }

    fn read_files(system: &dyn System, files: Vec<PathBuf>) -> Self {
        let mut pip = Self::default();
        let is_set = |value: &String| is_true(value);
        pip.provider = system.setting(PROVIDER_VARIABLE).map(|value| (value, PROVIDER_VARIABLE.to_owned()));
        // pip does not trim variables.
        pip.check(system.variable(PROVIDER_VARIABLE).filter(|value| !value.is_empty()), PROVIDER_VARIABLE);
        pip.no_input = system.setting("PIP_NO_INPUT").filter(is_set).map(|_| "PIP_NO_INPUT".to_owned());
        for variable in ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"] {
            for url in system.setting(variable).unwrap_or_default().split_whitespace() {
                pip.indexes.push(Index::in_variable(url, None, variable));
            }
        }
        let files: Vec<_> = files
            .into_iter()
            .filter_map(|path| {
                let content = system.read_file(&path, CAP).ok()?;
                Some((Ini::parse(&String::from_utf8_lossy(&content)), shown_path(&path)))
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
                pip.check(value("keyring-provider"), source);
                pip.provider = pip.provider.or_else(|| Some((value("keyring-provider")?, source.clone())));
                pip.no_input = pip.no_input.or_else(|| value("no-input").filter(is_set).map(|_| source.clone()));
                for key in ["index-url", "extra-index-url"] {
                    for url in value(key).unwrap_or_default().split_whitespace() {
                        pip.indexes.push(Index::in_file(url, None, source, key));
                    }
                }
            }
        }
        pip
    }

    fn check(&mut self, provider: Option<String>, source: &str) {
        if self.unknown_provider.is_none() && provider.is_some_and(|provider| !PROVIDERS.contains(&provider.as_str())) {
            self.unknown_provider = Some(source.to_owned());
        }
    }
}

/// The name of pip's configuration files.
pub(crate) fn file_name(system: &dyn System) -> &'static str {
    if system.platform() == Platform::Windows { "pip.ini" } else { "pip.conf" }
}

/// The file that `pip config --user` writes, unless PIP_CONFIG_FILE names another one.
pub(crate) fn user_file(system: &dyn System) -> Option<PathBuf> {
    named_file(system).filter(|path| is_file(system, path)).or_else(|| own_file(system))
}

/// The user's file. On macOS it is in `~/Library/Application Support/pip` if that directory exists, else in `~/.config/pip`,
/// whatever XDG_CONFIG_HOME says. <https://github.com/pypa/pip/blob/26.0/src/pip/_internal/utils/appdirs.py>
fn own_file(system: &dyn System) -> Option<PathBuf> {
    let folder = if system.platform() == Platform::MacOs {
        let is_directory = |path: &PathBuf| system.details(path).is_ok_and(|found| !found.is_file);
        let preferred = places::mac_data(system).map(|folder| folder.join("pip")).filter(is_directory);
        preferred.or_else(|| Some(places::default_config(system)?.join("pip")))
    } else {
        places::native_config(system).map(|folder| folder.join("pip"))
    };
    Some(folder?.join(file_name(system)))
}

/// The user's file of pip's old versions, which it still reads.
fn old_file(system: &dyn System) -> Option<PathBuf> {
    let folder = if system.platform() == Platform::Windows { "pip" } else { ".pip" };
    Some(places::home(system)?.join(folder).join(file_name(system)))
}

fn is_file(system: &dyn System, path: &Path) -> bool {
    system.details(path).is_ok_and(|found| found.is_file || found.is_link)
}

fn named_file(system: &dyn System) -> Option<PathBuf> {
    system.setting("PIP_CONFIG_FILE").map(PathBuf::from)
}

/// The files that pip reads, by precedence, that of the virtual environment only if `with_environment`.
fn files(system: &dyn System, with_environment: bool) -> Vec<PathBuf> {
    let name = file_name(system);
    let named = named_file(system);
    // os.devnull of Python in this variable disables all files.
    if named.as_deref().is_some_and(|path| path == Path::new("/dev/null") || path == Path::new("nul")) {
        return Vec::new();
    }
    // A file that the variable names replaces the user's.
    let has_named = named.as_deref().is_some_and(|path| is_file(system, path));
    let mut files: Vec<_> = named.into_iter().collect();
    let environment = system.setting("VIRTUAL_ENV").filter(|_| with_environment);
    files.extend(environment.map(|folder| PathBuf::from(folder).join(name)));
    if !has_named {
        files.extend(own_file(system));
        files.extend(old_file(system));
    }
    match system.platform() {
        Platform::Windows => files.push(places::program_data(system).join("pip").join(name)),
        Platform::MacOs => files.push(PathBuf::from("/Library/Application Support/pip").join(name)),
        Platform::Linux => {
            files.extend(places::site_config(system).into_iter().map(|folder| folder.join("pip").join(name)));
            files.push(PathBuf::from("/etc").join(name));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{FakeSystem, absolute};

    fn at(path: &str) -> PathBuf {
        PathBuf::from(absolute(path))
    }

    fn on(platform: Platform) -> FakeSystem {
        let pairs = [
            ("HOME", "/home/ada"),
            ("USERPROFILE", "/users/ada"),
            ("APPDATA", "/users/ada/AppData/Roaming"),
            ("PROGRAMDATA", "/data"),
            ("XDG_CONFIG_HOME", "/config"),
        ];
        pairs
            .iter()
            .fold(FakeSystem::default().on(platform), |system, (name, path)| system.variable(name, &absolute(path)))
    }

    #[test]
    fn pip_reads_ini_files_on_windows() {
        let system = on(Platform::Windows);
        let expected = ["/users/ada/AppData/Roaming/pip/pip.ini", "/users/ada/pip/pip.ini", "/data/pip/pip.ini"];
        assert_eq!(files(&system, true), expected.map(at));
        assert_eq!(user_file(&system), Some(at("/users/ada/AppData/Roaming/pip/pip.ini")));
    }

    #[test]
    fn pip_prefers_a_folder_of_macos_that_exists() {
        let system = on(Platform::MacOs);
        assert_eq!(user_file(&system), Some(at("/home/ada/.config/pip/pip.conf")));
        assert_eq!(files(&system, true)[..2], ["/home/ada/.config/pip/pip.conf", "/home/ada/.pip/pip.conf"].map(at));
        assert_eq!(files(&system, true)[2], Path::new("/Library/Application Support/pip/pip.conf"));
        let preferred = "/home/ada/Library/Application Support/pip";
        let system = system.file(&format!("{preferred}/other"), "");
        assert_eq!(user_file(&system), Some(at(preferred).join("pip.conf")));
        assert!(!files(&system, true).contains(&at("/home/ada/.config/pip/pip.conf")));
    }

    #[test]
    fn a_file_named_by_the_variable_replaces_the_users() {
        let system = on(Platform::Linux);
        assert_eq!(files(&system, true)[..2], ["/config/pip/pip.conf", "/home/ada/.pip/pip.conf"].map(at));
        let system = system.variable("PIP_CONFIG_FILE", &absolute("/work/pip.conf"));
        assert_eq!(user_file(&system), Some(at("/config/pip/pip.conf")));
        let system = system.file("/work/pip.conf", "");
        assert_eq!(user_file(&system), Some(at("/work/pip.conf")));
        assert_eq!(files(&system, true)[0], at("/work/pip.conf"));
        assert!(!files(&system, true).contains(&at("/config/pip/pip.conf")));
        assert!(files(&system.variable("PIP_CONFIG_FILE", "/dev/null"), true).is_empty());
    }
}
