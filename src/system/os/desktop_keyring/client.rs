//! The program that reaches a Secret Service, and the message bus between them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    error::{Error, Kind, Result},
    secret::Secret,
    system::{System, process::Command},
};

/// The address of the session's message bus.
pub(super) const BUS_VARIABLE: &str = "DBUS_SESSION_BUS_ADDRESS";

/// A program that reaches the keyring.
pub(super) struct Client {
    program: PathBuf,
    /// Whether it is `secret-tool`, not Python's `keyring`.
    pub(super) is_secret_tool: bool,
    /// The address of the bus, where the variable for it is unset.
    bus: Option<String>,
}

impl Client {
    /// `secret-tool`, else Python's `keyring`.
    pub(super) fn find(system: &dyn System) -> Result<Self> {
        let none = |why: &str, hint: &str| Error::new(Kind::Storage, why).with_hint(hint);
        let bus = bus(system)
            .ok_or_else(|| none("there is no D-Bus session", "sign in at the desktop, or choose another place"))?;
        if let Some(program) = system.find_program("secret-tool") {
            return Ok(Self { program, is_secret_tool: true, bus });
        }
        let own = system.own_program();
        let is_other = |program: &PathBuf| own.is_none() || system.real_path(program).ok() != own;
        let program = system.programs_on_path("keyring").into_iter().find(is_other);
        program.map(|program| Self { program, is_secret_tool: false, bus }).ok_or_else(|| {
            none("neither `secret-tool` nor Python's `keyring` is on PATH", "install secret-tool (libsecret-tools)")
        })
    }

    /// A run of the program.
    pub(super) fn command(&self, arguments: &[&str], limit: Duration) -> Command {
        let command = Command::new(self.program.clone(), arguments, limit);
        match &self.bus {
            Some(address) => command.variable(BUS_VARIABLE, address.clone()),
            None => command,
        }
    }
}

/// The address of the bus, if it must be passed on; `None` if there is no bus: a client would start one of its own.
#[expect(clippy::option_option, reason = "the bus may be there without a need to pass its address on")]
fn bus(system: &dyn System) -> Option<Option<String>> {
    if system.setting(BUS_VARIABLE).is_some() {
        return Some(None);
    }
    let socket = Path::new(&system.setting("XDG_RUNTIME_DIR")?).join("bus");
    let is_own = socket.is_absolute() && system.details(&socket).is_ok_and(|found| !found.is_owned_by_other);
    is_own.then(|| Some(format!("unix:path={}", socket.display())))
}

/// A secret as a program reads it on standard input.
pub(super) fn as_text(secret: &[u8]) -> Result<Secret> {
    let text = std::str::from_utf8(secret).map_err(|_| Error::new(Kind::Internal, "the secret is not text"))?;
    Ok(Secret::new(text.to_owned()))
}
