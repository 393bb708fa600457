//! Access control lists: limits a new file or directory to the user, on Windows.
//!
//! There, a new file inherits the access of its directory, and the standard library cannot change it. `icacls` can; the
//! crates with safe calls for it are unmaintained. It costs one process per new file, and `whoami`, which prints the user's
//! security identifier (SID), one more per process of ours. The list names the user by that SID: OWNER RIGHTS would mean
//! the group of administrators if the process is elevated, and USERNAME need not be true.

use std::{io, path::Path, time::Duration};

use crate::system::{Env, Processes, places, process::Command};

/// The limit of each program.
const LIMIT: Duration = Duration::from_secs(10);

/// What the list is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A file.
    File,
    /// A directory. What is created in it later inherits its list.
    Directory,
}

/// Gives the user full access to a new file or directory, and nobody else any. Fails where the file system has no access
/// control lists. As for root on Unix, it is no barrier to administrators.
#[cfg(windows)]
pub(super) fn restrict(system: &(impl Env + Processes), path: &Path, target: Target) -> io::Result<()> {
    static ACCOUNT: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let account = if let Some(account) = ACCOUNT.get() {
        account
    } else {
        let account = account(system)?;
        ACCOUNT.get_or_init(|| account)
    };
    restrict_to(system, account, path, target)
}

fn restrict_to(system: &(impl Env + Processes), account: &str, path: &Path, target: Target) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    let path = path.to_str().ok_or_else(|| failed("the path is not Unicode"))?;
    // icacls reads `?` as a wildcard.
    let path = super::paths::plain(path);
    let grant = match target {
        Target::File => format!("{account}:F"),
        Target::Directory => format!("{account}:(OI)(CI)F"),
    };
    run(system, "icacls", &[&path, "/inheritance:r", "/grant:r", &grant, "/q"]).map(drop)
}

/// The user of this process, as icacls names it.
fn account(system: &(impl Env + Processes)) -> io::Result<String> {
    let output = run(system, "whoami", &["/user", "/fo", "csv", "/nh"])?;
    parse_account(&output).ok_or_else(|| failed("whoami names no user"))
}

/// Parses `"domain\user","SID"`.
fn parse_account(output: &str) -> Option<String> {
    let output = output.trim();
    let is_sid = |field: &&str| {
        field.starts_with("S-1-") && field[4..].bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
    };
    output.split(['"', ',']).find(is_sid).map(|sid| format!("*{sid}"))
}

/// Runs a program of Windows by its full path, never from PATH.
fn run(system: &(impl Env + Processes), name: &str, arguments: &[&str]) -> io::Result<String> {
    let command = Command::new(places::windows_program(system, name), arguments, LIMIT);
    let output = system.run(&command).map_err(|error| failed(error.message()))?;
    if !output.is_success() {
        let status = output.status.map_or_else(String::new, |status| format!(" with exit code {status}"));
        return Err(failed(&format!("{name} failed{status}")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn failed(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("access to it cannot be limited to you: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::{FakeSystem, absolute};

    #[test]
    fn icacls_grants_access_to_the_user_alone() {
        let file = absolute("/secret.txt");
        let fake = FakeSystem::default()
            .run("icacls", &[&file, "/inheritance:r", "/grant:r", "*S-1-5-21-7:F", "/q"], 0, "", "")
            .run("icacls", &[&file, "/inheritance:r", "/grant:r", "*S-1-5-21-7:(OI)(CI)F", "/q"], 0, "", "")
            .run("icacls", &[&file, "/inheritance:r", "/grant:r", "*S-1-5-21-7:F", "/q"], 5, "", "Access is denied.");
        let restrict = |target| restrict_to(&fake, "*S-1-5-21-7", Path::new(&file), target);
        restrict(Target::File).unwrap();
        restrict(Target::Directory).unwrap();
        let refused = restrict(Target::File).unwrap_err().to_string();
        assert_eq!(refused, "access to it cannot be limited to you: icacls failed with exit code 5");
        fake.assert_done();
    }

    #[test]
    fn the_user_is_named_by_the_sid() {
        let fake = FakeSystem::default().run(
            "whoami",
            &["/user", "/fo", "csv", "/nh"],
            0,
            "\"corp\\ada\",\"S-1-5-21-1-2-3-1001\"\r\n",
            "",
        );
        assert_eq!(account(&fake).unwrap(), "*S-1-5-21-1-2-3-1001");
        for wrong in ["", "ada", "CORP\\ada\r\n", "\"corp\\ada\",\"\"", "ERROR: x\\y", "\"a\",\"S-1-5-x\""] {
            assert_eq!(parse_account(wrong), None, "{wrong}");
        }
    }
}
