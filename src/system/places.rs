//! The standard directories of each platform. No other module knows them.
//!
//! Every path is absolute: a variable with a relative path counts as unset, because the working directory is never read
//! for configuration.

use std::path::PathBuf;

use super::System;

/// The home directory: HOME, on Windows USERPROFILE.
pub(crate) fn home(system: &dyn System) -> Option<PathBuf> {
    variable(system, if cfg!(windows) { "USERPROFILE" } else { "HOME" })
}

/// The user's configuration directory: XDG_CONFIG_HOME, or `~/.config`.
/// <https://specifications.freedesktop.org/basedir-spec/latest/>
pub(crate) fn user_config(system: &dyn System) -> Option<PathBuf> {
    variable(system, "XDG_CONFIG_HOME").or_else(|| default_config(system))
}

/// `~/.config`, for programs that ignore XDG_CONFIG_HOME.
pub(crate) fn default_config(system: &dyn System) -> Option<PathBuf> {
    Some(home(system)?.join(".config"))
}

/// `~/.local/share`, for programs that ignore XDG_DATA_HOME.
pub(crate) fn default_data(system: &dyn System) -> Option<PathBuf> {
    Some(home(system)?.join(".local").join("share"))
}

/// The machine's configuration directories, most important first: XDG_CONFIG_DIRS, or `/etc/xdg`.
/// <https://specifications.freedesktop.org/basedir-spec/latest/>
pub(crate) fn site_config(system: &dyn System) -> Vec<PathBuf> {
    let list = system.setting("XDG_CONFIG_DIRS").unwrap_or_else(|| "/etc/xdg".to_owned());
    std::env::split_paths(&list).filter(|path| path.is_absolute()).collect()
}

/// The user's cache directory by the rules of Go's `os.UserCacheDir`: `%LOCALAPPDATA%`, `~/Library/Caches` on macOS,
/// elsewhere XDG_CACHE_HOME or `~/.cache`. <https://pkg.go.dev/os#UserCacheDir>
pub(crate) fn user_cache(system: &dyn System) -> Option<PathBuf> {
    if cfg!(windows) {
        variable(system, "LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home(system).map(|home| home.join("Library").join("Caches"))
    } else {
        variable(system, "XDG_CACHE_HOME").or_else(|| Some(home(system)?.join(".cache")))
    }
}

/// A directory of the user's for lock files: XDG_RUNTIME_DIR, which ends with the session, else XDG_CACHE_HOME, else
/// `~/.cache`. Skips directories of other users: `sudo` and `su` may leave the variables of the user who ran them.
/// <https://specifications.freedesktop.org/basedir-spec/latest/>
pub(crate) fn runtime(system: &dyn System) -> Option<PathBuf> {
    let is_own = |path: &PathBuf| !system.details(path).is_ok_and(|found| found.is_owned_by_other);
    let named = ["XDG_RUNTIME_DIR", "XDG_CACHE_HOME"].into_iter();
    let named = named.filter_map(|name| variable(system, name)).find(is_own);
    named.or_else(|| Some(home(system).filter(is_own)?.join(".cache")))
}

/// Windows' directory of a user's settings that follow the user to other machines (FOLDERID_RoamingAppData).
/// <https://learn.microsoft.com/windows/win32/shell/knownfolderid>
pub(crate) fn app_data(system: &dyn System) -> Option<PathBuf> {
    variable(system, "APPDATA")
}

/// Windows' directory of data that all users share (FOLDERID_ProgramData).
/// <https://learn.microsoft.com/windows/win32/shell/knownfolderid>
pub(crate) fn program_data(system: &dyn System) -> PathBuf {
    variable(system, "ProgramData").unwrap_or_else(|| PathBuf::from(r"C:\ProgramData"))
}

/// The directory of keyring's own configuration file. It does not fall back from a relative XDG_CONFIG_HOME.
/// <https://github.com/jaraco/keyring/blob/v25.7.0/keyring/util/platform_.py>
pub(crate) fn keyring_config(system: &dyn System) -> Option<PathBuf> {
    let folder = if cfg!(windows) {
        let root = system.setting("LOCALAPPDATA").or_else(|| system.setting("ProgramData"))?;
        PathBuf::from(root).join("Python Keyring")
    } else {
        let root = system.setting("XDG_CONFIG_HOME").map(PathBuf::from);
        root.or_else(|| default_config(system))?.join("python_keyring")
    };
    Some(folder).filter(|path| path.is_absolute())
}

/// The absolute path that an environment variable holds.
fn variable(system: &dyn System, name: &str) -> Option<PathBuf> {
    system.setting(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    fn with(pairs: &[(&str, &str)]) -> FakeSystem {
        let home = FakeSystem::default().variable("HOME", "/home/user");
        pairs.iter().fold(home, |system, (name, value)| system.variable(name, value))
    }

    #[test]
    fn variables_come_before_the_home_directory() {
        let system = with(&[("XDG_CONFIG_HOME", "/config"), ("XDG_CACHE_HOME", "/cache")]);
        assert_eq!(user_config(&system), Some("/config".into()));
        assert_eq!(user_cache(&system), Some("/cache".into()));
        assert_eq!(runtime(&system), Some("/cache".into()));
        assert_eq!(runtime(&with(&[("XDG_RUNTIME_DIR", "/run/user/1")])), Some("/run/user/1".into()));
        assert_eq!(keyring_config(&system), Some("/config/python_keyring".into()));
        assert_eq!(default_config(&system), Some("/home/user/.config".into()));
        assert_eq!(default_data(&system), Some("/home/user/.local/share".into()));
    }

    #[test]
    fn relative_paths_count_as_unset() {
        let names = ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "APPDATA"];
        let system = with(&names.map(|name| (name, "relative")));
        assert_eq!(user_config(&system), Some("/home/user/.config".into()));
        assert_eq!(user_cache(&system), Some("/home/user/.cache".into()));
        assert_eq!(runtime(&system), Some("/home/user/.cache".into()));
        assert_eq!(app_data(&system), None);
        assert_eq!(keyring_config(&system), None);
        assert_eq!(home(&FakeSystem::default().variable("HOME", "here")), None);
        assert_eq!(site_config(&with(&[("XDG_CONFIG_DIRS", "/a:b:/c")])), [PathBuf::from("/a"), PathBuf::from("/c")]);
    }

    #[test]
    fn without_a_home_directory_there_are_no_places() {
        let system = FakeSystem::default();
        for place in [home, user_config, default_config, default_data, user_cache, runtime, keyring_config] {
            assert_eq!(place(&system), None);
        }
        assert_eq!(site_config(&system), [PathBuf::from("/etc/xdg")]);
    }
}
