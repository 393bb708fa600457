//! Commands as they are typed in the user's shell.

use crate::system::{Platform, System};

/// The syntax of a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShellSyntax {
    /// sh, bash, zsh, and fish as far as it is used here.
    Posix,
    /// PowerShell.
    PowerShell,
    /// cmd.exe.
    Cmd,
}

impl ShellSyntax {
    /// The shell that most likely started this program. Windows names none in the environment. PowerShell adds the user's
    /// modules in `Documents` to PSModulePath, which cmd.exe leaves as the machine has it, and cmd.exe sets PROMPT; without
    /// a sign of cmd.exe it is PowerShell, which Windows Terminal starts by default. MSYSTEM is set by Git Bash and MSYS2.
    /// <https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_psmodulepath>
    pub(super) fn of(system: &dyn System) -> Self {
        if system.platform() != Platform::Windows || system.setting("MSYSTEM").is_some() {
            return Self::Posix;
        }
        let modules = system.setting("PSModulePath").unwrap_or_default().to_ascii_lowercase();
        let is_cmd = system.setting("PROMPT").is_some() && !modules.contains(r"\documents\");
        if is_cmd { Self::Cmd } else { Self::PowerShell }
    }

    /// Sets an environment variable for this session.
    pub(super) fn set(self, name: &str, value: &str) -> String {
        match self {
            Self::Posix => format!("export {name}={}", self.word(value)),
            Self::PowerShell => format!("$env:{name} = {}", in_powershell(value)),
            Self::Cmd if value.chars().all(is_plain) => format!("set {name}={value}"),
            // The quotation marks are not part of the value.
            Self::Cmd => format!("set \"{name}={value}\""),
        }
    }

    /// Removes an environment variable from this session.
    pub(super) fn unset(self, name: &str) -> String {
        match self {
            Self::Posix => format!("unset {name}"),
            Self::PowerShell => format!("Remove-Item Env:{name}"),
            Self::Cmd => format!("set {name}="),
        }
    }

    /// Runs a program with arguments.
    pub(super) fn command(self, program: &str, arguments: &[&str]) -> String {
        let program = self.word(program);
        // PowerShell prints a quoted word, unless it is called.
        let call = if self == Self::PowerShell && program.starts_with('"') { "& " } else { "" };
        let words = std::iter::once(program).chain(arguments.iter().map(|argument| self.word(argument)));
        call.to_owned() + &words.collect::<Vec<_>>().join(" ")
    }

    /// One argument, quoted if it must be.
    fn word(self, text: &str) -> String {
        let is_plain = |character| is_plain(character) && (self != Self::Posix || character != '\\');
        if !text.is_empty() && text.chars().all(is_plain) {
            return text.to_owned();
        }
        match self {
            Self::Posix => format!("'{}'", text.replace('\'', r"'\''")),
            Self::PowerShell => in_powershell(text),
            // No path contains a quotation mark, and cmd.exe has no escape for `%`.
            Self::Cmd => format!("\"{text}\""),
        }
    }
}

/// Whether a character has no meaning of its own in any shell, but for the backslash, which has one in POSIX shells.
fn is_plain(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_' | '.' | '/' | ':' | '\\' | '+' | '@')
}

/// A string in double quotes. PowerShell takes typographic quotation marks for plain ones.
/// <https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_quoting_rules>
fn in_powershell(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        if matches!(character, '`' | '$' | '"' | '\u{201c}'..='\u{201e}') {
            quoted.push('`');
        }
        quoted.push(character);
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    const PYTHON: &str = r"C:\Program Files\Python312\python.exe";

    #[test]
    fn variables_are_set_and_unset_in_each_shell() {
        let shells = [ShellSyntax::Posix, ShellSyntax::PowerShell, ShellSyntax::Cmd];
        assert_eq!(
            shells.map(|shell| shell.set("A_B", "value")),
            ["export A_B=value", "$env:A_B = \"value\"", "set A_B=value"]
        );
        assert_eq!(shells.map(|shell| shell.unset("A_B")), ["unset A_B", "Remove-Item Env:A_B", "set A_B="]);
        assert_eq!(
            shells.map(|shell| shell.set("A", "it's $5 & more")),
            [r"export A='it'\''s $5 & more'", "$env:A = \"it's `$5 & more\"", "set \"A=it's $5 & more\""]
        );
        assert_eq!(ShellSyntax::PowerShell.set("A", "\u{201c}`\""), "$env:A = \"`\u{201c}```\"\"");
    }

    #[test]
    fn programs_with_blanks_are_quoted_and_called() {
        assert_eq!(ShellSyntax::PowerShell.command(PYTHON, &["-m", "pip"]), format!("& \"{PYTHON}\" -m pip"));
        assert_eq!(ShellSyntax::Cmd.command(PYTHON, &["-m", "pip"]), format!("\"{PYTHON}\" -m pip"));
        assert_eq!(ShellSyntax::Posix.command("/opt/my python", &["-m", "a b"]), "'/opt/my python' -m 'a b'");
        for shell in [ShellSyntax::PowerShell, ShellSyntax::Cmd] {
            assert_eq!(shell.command(r"C:\venv\python.exe", &[]), r"C:\venv\python.exe");
            assert_eq!(shell.command("uv", &["--python", PYTHON]), format!("uv --python \"{PYTHON}\""));
        }
        assert_eq!(ShellSyntax::Posix.command(r"C:\venv\python.exe", &[]), r"'C:\venv\python.exe'");
    }

    #[test]
    fn the_shell_of_windows_is_known_by_its_variables() {
        let machine = r"C:\Program Files\WindowsPowerShell\Modules;C:\Windows\system32\WindowsPowerShell\v1.0\Modules";
        let user = format!(r"C:\Users\ada\Documents\PowerShell\Modules;{machine}");
        for (variables, expected) in [
            (&[][..], ShellSyntax::PowerShell),
            (&[("PSModulePath", machine), ("PROMPT", "$P$G")], ShellSyntax::Cmd),
            (&[("PSModulePath", &user), ("PROMPT", "$P$G")], ShellSyntax::PowerShell),
            (&[("PSModulePath", &user)], ShellSyntax::PowerShell),
            (&[("PSModulePath", machine), ("MSYSTEM", "MINGW64")], ShellSyntax::Posix),
        ] {
            let system = FakeSystem::default().on(Platform::Windows);
            let system = variables.iter().fold(system, |system, (name, value)| system.variable(name, value));
            assert_eq!(ShellSyntax::of(&system), expected, "{variables:?}");
        }
        for platform in [Platform::Linux, Platform::MacOs] {
            assert_eq!(
                ShellSyntax::of(&FakeSystem::default().on(platform).variable("PROMPT", "$P$G")),
                ShellSyntax::Posix
            );
        }
    }
}
