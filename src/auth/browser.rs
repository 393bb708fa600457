//! The browser on this machine: whether there is one that the person sees, and how a page is opened in it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use log::debug;
use url::Url;

use crate::{
    auth::ci,
    error::{Error, Kind, Result},
    system::{Platform, System, places, process::Command},
    variable::Variable,
};

/// The variables that name a browser, or say whether the person sees one.
pub(crate) static VARIABLES: &[Variable] = &[
    Variable::setting(BROWSER_VARIABLE, "programs that open a page, as a list of commands with %s for the address"),
    Variable::session("DISPLAY", "the desktop (set by X11)"),
    Variable::session("SSH_CONNECTION", "marks a remote session (set by SSH)"),
    Variable::session("SSH_TTY", "marks a remote session (set by SSH)"),
    Variable::session("WAYLAND_DISPLAY", "the desktop (set by Wayland)"),
    Variable::session("WSL_DISTRO_NAME", "marks Linux on Windows (set by WSL)"),
];

/// Names the browsers to try, in order. Editors set it in containers and remote sessions to a program that opens the page
/// where the person sits.
const BROWSER_VARIABLE: &str = "BROWSER";

/// Stands for the address in a command.
const ADDRESS: &str = "%s";

/// Files that only containers have: of Docker, of Podman.
const CONTAINER_MARKS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

/// Names the kernel. That of WSL is Microsoft's.
const KERNEL_VERSION: &str = "/proc/version";

/// Where WSL shows Windows' PowerShell, unless its drives are mounted elsewhere.
const POWERSHELL: &str = "/mnt/c/Windows/System32/WindowsPowerShell/v1.0/powershell.exe";

/// A browser: the programs that open a page in it, the first one that starts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Browser(Vec<Opener>);

/// A program that opens a page.
#[derive(Debug, PartialEq, Eq)]
struct Opener {
    program: PathBuf,
    /// With [`ADDRESS`] for the address.
    arguments: Vec<String>,
}

impl Opener {
    fn new(program: PathBuf, arguments: &[&str]) -> Self {
        Self { program, arguments: arguments.iter().map(|&argument| argument.to_owned()).collect() }
    }
}

/// The browser that the person sees: one that BROWSER names, else that of the desktop. Otherwise why there is none, in a
/// clause.
pub(crate) fn find(system: &dyn System) -> std::result::Result<Browser, &'static str> {
    match (named(system), without_desktop(system)) {
        (Some(browser), _) => Ok(browser),
        (None, Some(why)) => Err(why),
        (None, None) => of_desktop(system),
    }
}

/// As [`find`], but also in a CI job, a remote session or a container, where the person may not see it.
pub(crate) fn find_forced(system: &dyn System) -> std::result::Result<Browser, &'static str> {
    named(system).map_or_else(|| of_desktop(system), Ok)
}

impl Browser {
    /// Opens a page, which must be https. Does not wait: a browser may stay open. That it has started does not mean that
    /// the person sees the page, so show the address as well.
    ///
    /// Every user of the machine can read the address in the list of processes. Nobody gets a token by the address of a
    /// sign-in: its code is redeemed only with the verifier of PKCE, which it does not hold (RFC 7636, section 1). But its
    /// reader can sign in with it as another account, or end the sign-in.
    pub(crate) fn open(&self, system: &dyn System, page: &Url) -> Result<()> {
        if page.scheme() != "https" {
            return Err(Error::new(Kind::Internal, "only an https page is opened in a browser"));
        }
        // An apostrophe would end the string in PowerShell's command. A URL has no other quotes.
        let address = page.as_str().replace('\'', "%27");
        let mut outcome = Err(Error::new(Kind::Process, "no browser can be started"));
        for Opener { program, arguments } in &self.0 {
            let arguments: Vec<_> = arguments.iter().map(|argument| argument.replace(ADDRESS, &address)).collect();
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            let command = Command::new(program.clone(), &arguments, Duration::ZERO);
            outcome = system.start(&command);
            match &outcome {
                Ok(()) => debug!("a browser is started by {}", program.display()),
                Err(error) => debug!("{error}"),
            }
            if outcome.as_ref().err().is_none_or(Error::ends_the_lookup) {
                break;
            }
        }
        outcome
    }
}

/// The browser that BROWSER names: a list of programs or commands, separated by colons, on Windows by semicolons. Those that
/// are not installed are skipped.
fn named(system: &dyn System) -> Option<Browser> {
    let list = system.setting(BROWSER_VARIABLE)?;
    let separator = if system.platform() == Platform::Windows { ';' } else { ':' };
    let openers: Vec<_> = list.split(separator).filter_map(|command| opener(system, command.trim())).collect();
    if openers.is_empty() {
        debug!("no program in {BROWSER_VARIABLE} is installed");
        return None;
    }
    Some(Browser(openers))
}

/// The opener of an entry of BROWSER. No shell reads the entry: white space separates the arguments.
fn opener(system: &dyn System, entry: &str) -> Option<Opener> {
    // The path of a program may contain spaces.
    if let Some(program) = installed(system, entry) {
        return Some(Opener::new(program, &[ADDRESS]));
    }
    let mut words = entry.split_whitespace();
    let program = installed(system, words.next()?)?;
    let mut arguments: Vec<_> = words.collect();
    if !arguments.iter().any(|argument| argument.contains(ADDRESS)) {
        arguments.push(ADDRESS);
    }
    Some(Opener::new(program, &arguments))
}

/// A program by its absolute path, or by its name on PATH; never one in the working directory.
fn installed(system: &dyn System, name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    if path.is_absolute() {
        return system.program_at(path);
    }
    path.file_name().filter(|file| *file == path.as_os_str()).and_then(|_| system.find_program(name))
}

/// Why the desktop of this machine, if it has one, is not where the person sits.
fn without_desktop(system: &dyn System) -> Option<&'static str> {
    if ci::job_variable(system).is_some() {
        return Some("this is a CI job");
    }
    if ["SSH_CONNECTION", "SSH_TTY"].iter().any(|name| system.setting(name).is_some()) {
        return Some("this is a remote session");
    }
    let is_container = system.platform() == Platform::Linux
        && CONTAINER_MARKS.iter().any(|mark| system.details(Path::new(mark)).is_ok());
    is_container.then_some("this is a container")
}

/// The browser that the desktop opens pages in.
fn of_desktop(system: &dyn System) -> std::result::Result<Browser, &'static str> {
    match system.platform() {
        Platform::MacOs => {
            let open = system.program_at(Path::new("/usr/bin/open")).ok_or("/usr/bin/open is missing")?;
            Ok(Browser(vec![Opener::new(open, &[ADDRESS])]))
        }
        // Not `cmd /c start`: the shell would read the address.
        Platform::Windows => {
            let rundll32 = places::windows_program(system, "rundll32");
            let rundll32 = system.program_at(&rundll32).ok_or("rundll32.exe is missing")?;
            Ok(Browser(vec![Opener::new(rundll32, &["url.dll,FileProtocolHandler", ADDRESS])]))
        }
        Platform::Linux => {
            let mut openers = if is_wsl(system) { of_windows(system) } else { Vec::new() };
            if ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| system.setting(name).is_some()) {
                openers.extend(system.find_program("xdg-open").map(|program| Opener::new(program, &[ADDRESS])));
            } else if openers.is_empty() {
                return Err("there is no desktop: neither DISPLAY nor WAYLAND_DISPLAY is set");
            }
            if openers.is_empty() { Err("xdg-open is not on PATH") } else { Ok(Browser(openers)) }
        }
    }
}

/// Whether this is Linux on Windows. Its variable is lost where a program clears the environment, such as sudo.
fn is_wsl(system: &dyn System) -> bool {
    system.setting("WSL_DISTRO_NAME").is_some()
        || system
            .head(Path::new(KERNEL_VERSION), 1024)
            .is_ok_and(|version| String::from_utf8_lossy(&version).to_lowercase().contains("microsoft"))
}

/// The programs that open a page in Windows' browser from WSL.
fn of_windows(system: &dyn System) -> Vec<Opener> {
    let wslview = system.find_program("wslview").map(|program| Opener::new(program, &[ADDRESS]));
    // The address has no apostrophe, so that PowerShell reads nothing in it.
    let arguments = ["-NoProfile", "-NonInteractive", "-Command", "Start-Process '%s'"];
    let powershell = system.program_at(Path::new(POWERSHELL)).map(|program| Opener::new(program, &arguments));
    wslview.into_iter().chain(powershell).collect()
}

#[cfg(test)]
mod tests;
