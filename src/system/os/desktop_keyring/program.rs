//! Running the programs of a keyring.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::{
    error::{Error, Kind, Result, quote},
    secret::Secret,
    system::{
        System,
        process::{Command, Output},
    },
};

/// The time limit for reading. Some programs open a dialog for a locked keyring, and wait for its user.
pub(super) const READ_LIMIT: Duration = Duration::from_secs(5);

/// The time limit for writing, within which the user can type the password of the keyring.
pub(super) const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// Runs a program. One that does not end in time waits for its user.
pub(super) fn run(system: &dyn System, command: &Command) -> Result<Output> {
    system.run(command).map_err(|error| {
        let is_own_limit = error.kind() == Kind::Timeout && system.check().is_ok();
        if is_own_limit { locked() } else { error }
    })
}

/// The keyring needs its password.
pub(super) fn locked() -> Error {
    Error::new(Kind::Locked, "it is locked").with_hint("unlock it, and try again")
}

/// A program failed. The last line of its standard error says why; it never repeats `secret`.
pub(super) fn failed(command: &Command, output: &Output, secret: Option<&Secret>) -> Error {
    let text = output.stderr_text();
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it does not say why");
    if last.contains("locked") || last.contains("Locked") {
        return locked();
    }
    let hidden = secret.map(Secret::expose).unwrap_or_default();
    let name = command.name();
    let reason = last.strip_prefix(&format!("{name}: ")).unwrap_or(last);
    Error::new(Kind::Process, format!("{name} failed: {}", quote(reason, &[hidden])))
}

/// A secret as a program printed it: without the line break after it.
pub(super) fn printed(output: &Output) -> Zeroizing<Vec<u8>> {
    let text = &*output.stdout;
    Zeroizing::new(text.strip_suffix(b"\n").unwrap_or(text).to_vec())
}
