//! Foreign text for a terminal, which acts on control characters.

use std::path::{MAIN_SEPARATOR_STR, Path};

use crate::error::quote;

/// Foreign text, escaped for a terminal and cut to a readable length.
#[must_use]
pub(crate) fn shown(name: &str) -> String {
    if name.is_empty() { "(empty)".to_owned() } else { quote(&escaped(name), &[]) }
}

/// Foreign text, escaped for a terminal and whole, such as a URL to open.
#[must_use]
pub(crate) fn escaped(text: &str) -> String {
    text.escape_debug().to_string().replace("\\'", "'")
}

/// A path, escaped for a terminal, with the separators of the platform.
#[must_use]
pub(crate) fn shown_path(path: impl AsRef<Path>) -> String {
    // Windows also accepts `/`, which people do not write there.
    let path = path.as_ref().display().to_string().replace('/', MAIN_SEPARATOR_STR);
    shown(&path).replace("\\\\", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_as_people_write_them() {
        assert!(shown_path("a\u{1b}[31m").contains("\\u{1b}"));
        assert_eq!(shown_path(r"\\.\pipe\openssh-ssh-agent"), r"\\.\pipe\openssh-ssh-agent");
        let mixed = shown_path("C:\\users\\ada/.config/uv.toml");
        assert_eq!(
            mixed,
            if cfg!(windows) { r"C:\users\ada\.config\uv.toml" } else { r"C:\users\ada/.config/uv.toml" }
        );
    }
}
