//! Paths of tests, written as on Unix.

use super::FakeSystem;

/// The path that is absolute on this platform: `/home/ada/x`, on Windows `C:\home\ada\x`. Other paths are returned as they
/// are.
pub(crate) fn absolute(path: &str) -> String {
    if cfg!(windows) && path.starts_with('/') { format!("C:{}", path.replace('/', "\\")) } else { path.to_owned() }
}

impl FakeSystem {
    /// Sets the home directory by the platform's variable: HOME, on Windows USERPROFILE.
    pub(crate) fn home(self, path: &str) -> Self {
        self.variable(if cfg!(windows) { "USERPROFILE" } else { "HOME" }, &absolute(path))
    }
}
