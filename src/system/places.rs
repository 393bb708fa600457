//! The standard directories of each platform. No other module knows them.
//!
//! Every path is absolute: a variable with a relative path counts as unset, because the working directory is never read
//! for configuration.

use std::path::{PathBuf, is_separator};

use super::{Env, Platform, System};

/// The home directory: HOME, on Windows USERPROFILE.
pub(crate) fn home(system: &dyn System) -> Option<PathBuf> {
    variable(system, if system.platform() == Platform::Windows { "USERPROFILE" } else { "HOME" })
}

/// The absolute path that a setting holds, of which `~` at the beginning is the home directory; `None` for a relative one.
pub(crate) fn named(system: &dyn System, path: &str) -> Option<PathBuf> {
    let below_home = path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with(is_separator));
    let path = match below_home {
        Some(rest) => home(system)?.join(rest.trim_start_matches(is_separator)),
        None => PathBuf::from(path),
    };
    path.is_absolute().then_some(path)
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

/// The user's data directory: XDG_DATA_HOME, or `~/.local/share`.
/// <https://specifications.freedesktop.org/basedir-spec/latest/>
pub(crate) fn user_data(system: &dyn System) -> Option<PathBuf> {
    variable(system, "XDG_DATA_HOME").or_else(|| default_data(system))
}

/// The data directory of uv: `%APPDATA%\uv\data`, elsewhere, also on macOS, `uv` in [`user_data`].
/// <https://docs.astral.sh/uv/reference/storage/#persistent-data-directories>
pub(crate) fn uv_data(system: &dyn System) -> Option<PathBuf> {
    match system.platform() {
        Platform::Windows => Some(roaming(system)?.join("uv").join("data")),
        Platform::MacOs | Platform::Linux => Some(user_data(system)?.join("uv")),
    }
}

/// The user's configuration directory by the rules of Python's platformdirs with `roaming`: `%APPDATA%`; on macOS
/// XDG_CONFIG_HOME or `~/Library/Application Support`; elsewhere [`user_config`].
/// <https://platformdirs.readthedocs.io/en/latest/platforms.html>
pub(crate) fn native_config(system: &dyn System) -> Option<PathBuf> {
    match system.platform() {
        Platform::Windows => roaming(system),
        Platform::MacOs => variable(system, "XDG_CONFIG_HOME").or_else(|| application_support(system)),
        Platform::Linux => user_config(system),
    }
}

/// The user's configuration directory by the rules of programs that ignore XDG_CONFIG_HOME: `%APPDATA%`, without it the root
/// of `%SystemDrive%`, by default C:; elsewhere, also on macOS, `~/.config`.
pub(crate) fn plain_config(system: &dyn System) -> Option<PathBuf> {
    if system.platform() != Platform::Windows {
        return default_config(system);
    }
    let is_drive = |drive: &String| matches!(drive.as_bytes(), [letter, b':'] if letter.is_ascii_alphabetic());
    let root = || format!("{}\\", system.setting("SystemDrive").filter(is_drive).as_deref().unwrap_or("C:"));
    Some(roaming(system).unwrap_or_else(|| root().into()))
}

/// The user's data directory on macOS by the rules of platformdirs: XDG_DATA_HOME or `~/Library/Application Support`.
pub(crate) fn mac_data(system: &dyn System) -> Option<PathBuf> {
    variable(system, "XDG_DATA_HOME").or_else(|| application_support(system))
}

/// The user's data directory on this machine: `%LOCALAPPDATA%`; on macOS [`mac_data`]; elsewhere [`user_data`].
pub(crate) fn native_data(system: &dyn System) -> Option<PathBuf> {
    match system.platform() {
        Platform::Windows => variable(system, "LOCALAPPDATA"),
        Platform::MacOs => mac_data(system),
        Platform::Linux => user_data(system),
    }
}

/// The user's configuration directory by the rules of uv: `%APPDATA%`, elsewhere, also on macOS, [`user_config`].
/// <https://docs.astral.sh/uv/reference/storage/#configuration-directories>
pub(crate) fn uv_config(system: &dyn System) -> Option<PathBuf> {
    if system.platform() == Platform::Windows { roaming(system) } else { user_config(system) }
}

/// The machine's configuration directories by the freedesktop.org specification, most important first: XDG_CONFIG_DIRS, or
/// `/etc/xdg`; none on Windows. <https://specifications.freedesktop.org/basedir-spec/latest/>
pub(crate) fn site_config(system: &dyn System) -> Vec<PathBuf> {
    if system.platform() == Platform::Windows {
        return Vec::new();
    }
    let list = system.setting("XDG_CONFIG_DIRS").unwrap_or_else(|| "/etc/xdg".to_owned());
    std::env::split_paths(&list).filter(|path| path.is_absolute()).collect()
}

/// The user's cache directory by the rules of Go's `os.UserCacheDir`: `%LOCALAPPDATA%`, `~/Library/Caches` on macOS,
/// elsewhere XDG_CACHE_HOME or `~/.cache`. <https://pkg.go.dev/os#UserCacheDir>
pub(crate) fn user_cache(system: &dyn System) -> Option<PathBuf> {
    match system.platform() {
        Platform::Windows => variable(system, "LOCALAPPDATA"),
        Platform::MacOs => home(system).map(|home| home.join("Library").join("Caches")),
        Platform::Linux => variable(system, "XDG_CACHE_HOME").or_else(|| Some(home(system)?.join(".cache"))),
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

/// Windows' directory of data that all users share (FOLDERID_ProgramData).
/// <https://learn.microsoft.com/windows/win32/shell/knownfolderid>
pub(crate) fn program_data(system: &dyn System) -> PathBuf {
    variable(system, "PROGRAMDATA").unwrap_or_else(|| PathBuf::from(r"C:\ProgramData"))
}

/// A program of Windows by its full path: another one of this name may come first on PATH.
pub(crate) fn windows_program<System: Env + ?Sized>(system: &System, name: &str) -> PathBuf {
    let root = system.setting("SystemRoot").map(PathBuf::from).filter(|root| root.is_absolute());
    root.unwrap_or_else(|| PathBuf::from(r"C:\Windows")).join("System32").join(format!("{name}.exe"))
}

/// The directory of keyring's own configuration file. It does not fall back from a relative XDG_CONFIG_HOME.
/// <https://github.com/jaraco/keyring/blob/v25.7.0/keyring/util/platform_.py>
pub(crate) fn keyring_config(system: &dyn System) -> Option<PathBuf> {
    let folder = if system.platform() == Platform::Windows {
        let root = system.setting("LOCALAPPDATA").or_else(|| system.setting("PROGRAMDATA"))?;
        PathBuf::from(root).join("Python Keyring")
    } else {
        let root = system.setting("XDG_CONFIG_HOME").map(PathBuf::from);
        root.or_else(|| default_config(system))?.join("python_keyring")
    };
    Some(folder).filter(|path| path.is_absolute())
}

/// Windows' directory of a user's settings that follow the user to other machines (FOLDERID_RoamingAppData).
/// <https://learn.microsoft.com/windows/win32/shell/knownfolderid>
fn roaming(system: &dyn System) -> Option<PathBuf> {
    variable(system, "APPDATA")
}

/// The directory of applications' files on macOS.
fn application_support(system: &dyn System) -> Option<PathBuf> {
    Some(home(system)?.join("Library").join("Application Support"))
}

/// The absolute path that an environment variable holds.
fn variable(system: &dyn System, name: &str) -> Option<PathBuf> {
    system.setting(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{FakeSystem, absolute};

    fn at(path: &str) -> PathBuf {
        PathBuf::from(absolute(path))
    }

    #[test]
    fn programs_of_windows_are_named_by_their_full_path() {
        let named =
            FakeSystem::default().variable("SystemRoot", &absolute("/win")).variable("PATH", &absolute("/evil"));
        assert_eq!(windows_program(&named, "icacls"), at("/win").join("System32").join("icacls.exe"));
        for fake in [FakeSystem::default(), FakeSystem::default().variable("SystemRoot", "win")] {
            assert!(windows_program(&fake, "icacls").starts_with(r"C:\Windows"));
        }
    }

    /// A user's system with these variables; values that begin with a slash are paths.
    fn on(platform: Platform, pairs: &[(&str, &str)]) -> FakeSystem {
        let usual: &[(&str, &str)] = match platform {
            Platform::Windows => &[
                ("USERPROFILE", "/users/ada"),
                ("APPDATA", "/users/ada/AppData/Roaming"),
                ("LOCALAPPDATA", "/users/ada/AppData/Local"),
                ("PROGRAMDATA", "/data"),
            ],
            Platform::Linux | Platform::MacOs => &[("HOME", "/home/ada")],
        };
        let pairs = usual.iter().chain(pairs);
        pairs.fold(FakeSystem::default().on(platform), |system, (name, value)| system.variable(name, &absolute(value)))
    }

    #[test]
    fn variables_come_before_the_home_directory() {
        let system = on(Platform::Linux, &[("XDG_CONFIG_HOME", "/config"), ("XDG_CACHE_HOME", "/cache")]);
        assert_eq!(user_config(&system), Some(at("/config")));
        assert_eq!(native_config(&system), Some(at("/config")));
        assert_eq!(uv_config(&system), Some(at("/config")));
        assert_eq!(user_cache(&system), Some(at("/cache")));
        assert_eq!(runtime(&system), Some(at("/cache")));
        let session = on(Platform::Linux, &[("XDG_RUNTIME_DIR", "/run/user/1")]);
        assert_eq!(runtime(&session), Some(at("/run/user/1")));
        assert_eq!(keyring_config(&system), Some(at("/config/python_keyring")));
        assert_eq!(default_config(&system), Some(at("/home/ada/.config")));
        assert_eq!(plain_config(&system), Some(at("/home/ada/.config")));
        assert_eq!(default_data(&system), Some(at("/home/ada/.local/share")));
        assert_eq!(native_data(&system), Some(at("/home/ada/.local/share")));
    }

    #[test]
    fn macos_has_a_library_and_the_places_of_unix() {
        let system = on(Platform::MacOs, &[]);
        let support = Some(at("/home/ada/Library/Application Support"));
        assert_eq!((native_config(&system), mac_data(&system)), (support.clone(), support.clone()));
        assert_eq!(native_data(&system), support);
        assert_eq!(uv_config(&system), Some(at("/home/ada/.config")));
        assert_eq!(plain_config(&system), Some(at("/home/ada/.config")));
        assert_eq!(keyring_config(&system), Some(at("/home/ada/.config/python_keyring")));
        assert_eq!(user_cache(&system), Some(at("/home/ada/Library/Caches")));
        let named = on(Platform::MacOs, &[("XDG_CONFIG_HOME", "/config"), ("XDG_DATA_HOME", "/shared")]);
        assert_eq!((native_config(&named), mac_data(&named)), (Some(at("/config")), Some(at("/shared"))));
        assert_eq!(uv_config(&named), Some(at("/config")));
        assert_eq!(uv_data(&system), Some(at("/home/ada/.local/share/uv")));
        assert_eq!(uv_data(&named), Some(at("/shared/uv")));
    }

    #[test]
    fn windows_has_places_of_its_own() {
        let system = on(Platform::Windows, &[("HOME", "/elsewhere"), ("XDG_CONFIG_DIRS", "/etc/xdg")]);
        assert_eq!(home(&system), Some(at("/users/ada")));
        let roaming = Some(at("/users/ada/AppData/Roaming"));
        assert_eq!((native_config(&system), uv_config(&system)), (roaming.clone(), roaming.clone()));
        assert_eq!(plain_config(&system), roaming);
        assert_eq!(uv_data(&system), Some(at("/users/ada/AppData/Roaming/uv/data")));
        assert_eq!(keyring_config(&system), Some(at("/users/ada/AppData/Local/Python Keyring")));
        assert_eq!(user_cache(&system), Some(at("/users/ada/AppData/Local")));
        assert_eq!(native_data(&system), Some(at("/users/ada/AppData/Local")));
        assert_eq!(program_data(&system), at("/data"));
        assert!(site_config(&system).is_empty());
    }

    #[test]
    fn windows_without_appdata_has_the_root_of_its_drive() {
        for (drive, root) in [(None, r"C:\"), (Some("D:"), r"D:\"), (Some("D:x"), r"C:\"), (Some("\u{e9}:"), r"C:\")] {
            let system = FakeSystem::default().on(Platform::Windows);
            let system = drive.into_iter().fold(system, |system, drive| system.variable("SystemDrive", drive));
            assert_eq!(plain_config(&system), Some(PathBuf::from(root)), "{drive:?}");
        }
    }

    #[test]
    fn relative_paths_count_as_unset() {
        let names =
            ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "APPDATA", "LOCALAPPDATA"];
        let relative = names.map(|name| (name, "relative"));
        let system = on(Platform::Linux, &relative);
        assert_eq!(user_config(&system), Some(at("/home/ada/.config")));
        assert_eq!(user_cache(&system), Some(at("/home/ada/.cache")));
        assert_eq!(runtime(&system), Some(at("/home/ada/.cache")));
        assert_eq!(keyring_config(&system), None);
        assert_eq!(mac_data(&on(Platform::MacOs, &relative)), Some(at("/home/ada/Library/Application Support")));
        let windows = on(Platform::Windows, &relative);
        assert_eq!((native_config(&windows), user_cache(&windows), keyring_config(&windows)), (None, None, None));
        assert_eq!(plain_config(&windows), Some(PathBuf::from(r"C:\")));
        assert_eq!(home(&FakeSystem::default().on(Platform::Linux).variable("HOME", "here")), None);
    }

    #[test]
    fn without_a_home_directory_there_are_no_places() {
        for platform in [Platform::Linux, Platform::MacOs, Platform::Windows] {
            let system = FakeSystem::default().on(platform);
            for place in [
                home,
                user_config,
                default_config,
                default_data,
                native_config,
                mac_data,
                native_data,
                uv_config,
                user_data,
                uv_data,
                user_cache,
                runtime,
                keyring_config,
            ] {
                assert_eq!(place(&system), None);
            }
        }
    }

    #[test]
    #[cfg(unix)]
    fn the_machine_has_directories_of_the_specification() {
        let named = on(Platform::Linux, &[("XDG_CONFIG_DIRS", "/a:b:/c")]);
        assert_eq!(site_config(&named), [PathBuf::from("/a"), PathBuf::from("/c")]);
        assert_eq!(site_config(&on(Platform::MacOs, &[])), [PathBuf::from("/etc/xdg")]);
    }
}
