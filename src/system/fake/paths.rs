//! Paths of tests, written as on Unix.

use super::FakeSystem;

/// The path that is absolute on this platform: `/home/ada/x`, on Windows `C:\home\ada\x`. Other paths are returned as they
/// are.
pub(crate) fn absolute(path: &str) -> String {
    if cfg!(windows) && path.starts_with('/') { format!("C:{}", path.replace('/', "\\")) } else { path.to_owned() }
}

impl FakeSystem {
    /// Sets the home directory by the platform's variable: HOME, on Windows USERPROFILE, with the directory of its data.
    pub(crate) fn home(self, path: &str) -> Self {
        if cfg!(windows) {
            let data = absolute(&format!("{path}/AppData/Local"));
            self.variable("USERPROFILE", &absolute(path)).variable("LOCALAPPDATA", &data)
        } else {
            self.variable("HOME", &absolute(path))
        }
    }
}
