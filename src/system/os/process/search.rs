//! Programs on PATH.

#[cfg(any(windows, test))]
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::system::os::Environment;

/// The programs of a name on PATH, in its order. Empty and relative entries are skipped: they mean the working directory,
/// which is not trusted.
pub(super) fn on_path(environment: &Environment, name: &str) -> impl Iterator<Item = PathBuf> {
    let folders = environment.raw("PATH").map(std::env::split_paths).into_iter().flatten();
    #[cfg(windows)]
    let names = file_names(name, environment.text("PATHEXT").unwrap_or_default());
    #[cfg(not(windows))]
    let names = [name.to_owned()];
    folders
        .filter(|folder| folder.is_absolute())
        .flat_map(move |folder| names.clone().into_iter().map(move |name| folder.join(name)))
        .filter(|path| is_executable(path))
}

/// The extensions of programs on Windows that need no interpreter chosen by the user, in the order of its default PATHEXT.
#[cfg(any(windows, test))]
const EXTENSIONS: [&str; 4] = ["com", "exe", "bat", "cmd"];

/// The files that a name on the command line of Windows may mean, in the order of PATHEXT.
/// <https://learn.microsoft.com/en-us/windows-server/administration/windows-commands/start#remarks>
#[cfg(any(windows, test))]
fn file_names(name: &str, pathext: &str) -> Vec<String> {
    let is_known = |extension: &OsStr| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known));
    if Path::new(name).extension().is_some_and(is_known) {
        return vec![name.to_owned()];
    }
    let listed: Vec<_> = pathext.split(';').map(|extension| extension.trim().trim_start_matches('.')).collect();
    let mut extensions = EXTENSIONS;
    // An extension that PATHEXT lacks comes last: no program disappears because of an odd list.
    extensions.sort_by_key(|known| {
        listed.iter().position(|extension| extension.eq_ignore_ascii_case(known)).unwrap_or(listed.len())
    });
    extensions.map(|extension| format!("{name}.{extension}")).to_vec()
}

/// Whether a path is an executable file.
#[cfg(unix)]
pub(super) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Whether a path is a file. Programs of the Microsoft Store are on PATH as links that only CreateProcess follows.
#[cfg(windows)]
pub(super) fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).or_else(|_| std::fs::symlink_metadata(path)).is_ok_and(|found| found.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(path: &str) -> Environment {
        [("PATH".into(), path.into())].into_iter().collect()
    }

    #[test]
    fn relative_and_empty_entries_of_path_are_skipped() {
        let name = if cfg!(windows) { "cmd" } else { "sh" };
        for path in ["", ".", "::", ";;", "bin", "./bin:", ".\\bin;", "C:bin", "\\windows\\system32"] {
            assert_eq!(on_path(&environment(path), name).next(), None, "{path:?}");
        }
    }

    #[test]
    fn an_extension_is_compared_without_case() {
        for name in ["tool.exe", "TOOL.EXE", "tool.Cmd", "tool.BAT", "tool.com"] {
            assert_eq!(file_names(name, ""), [name]);
        }
        assert_eq!(file_names("tool.py", "")[0], "tool.py.com");
    }

    #[test]
    fn pathext_orders_the_extensions_and_hides_none() {
        assert_eq!(file_names("az", ""), ["az.com", "az.exe", "az.bat", "az.cmd"]);
        assert_eq!(file_names("az", ".CMD;.Exe; .PY"), ["az.cmd", "az.exe", "az.com", "az.bat"]);
    }

    #[cfg(windows)]
    #[test]
    fn a_program_is_found_by_any_spelling() {
        let environment = environment("relative;\"C:\\windows\\system32\"");
        for name in ["whoami", "WHOAMI", "whoami.exe", "WHOAMI.EXE"] {
            let found = on_path(&environment, name).next();
            let found = found.unwrap_or_else(|| panic!("{name}")).into_os_string().into_string();
            assert!(found.is_ok_and(|found| found.eq_ignore_ascii_case(r"C:\windows\system32\whoami.exe")), "{name}");
        }
    }
}
