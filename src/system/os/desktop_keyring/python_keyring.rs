//! Python's `keyring`, where `secret-tool` is missing. The backend is always named: only those that encrypt are asked, and
//! never one of ringbearer, which would ask this program again. A native `keyring` passes such a request on to Python's.
//! <https://github.com/jaraco/keyring#command-line-utility>

use zeroize::Zeroizing;

use super::{
    SERVICE,
    client::{Client, as_text},
    program::{READ_LIMIT, WRITE_LIMIT, failed, printed, run},
};
use crate::{
    error::{Error, Kind, Result},
    secret::Secret,
    system::{
        System,
        process::{Command, Output},
    },
};

/// The backends, and what their keyring is called.
const BACKENDS: [(&str, &str); 3] = [
    ("keyring.backends.SecretService.Keyring", "the Secret Service"),
    ("keyring.backends.kwallet.DBusKeyring", "KWallet"),
    ("keyring.backends.libsecret.Keyring", "the Secret Service"),
];

/// Its exit code for a backend that it cannot load.
const NOT_LOADED: i32 = 2;

/// What the keyring is called.
pub(super) fn find(client: &Client, system: &dyn System) -> Result<&'static str> {
    let (name, command, output) = ask(client, system, "get", "probe", None)?;
    if is_missing(&output) || output.is_success() { Ok(name) } else { Err(failed(&command, &output, None)) }
}

/// The secret of a name.
pub(super) fn get(client: &Client, system: &dyn System, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let (_, command, output) = ask(client, system, "get", name, None)?;
    if output.is_success() {
        return Ok(Some(printed(&output)));
    }
    if is_missing(&output) { Ok(None) } else { Err(failed(&command, &output, None)) }
}

/// Keeps a secret.
pub(super) fn put(client: &Client, system: &dyn System, name: &str, secret: &[u8]) -> Result<()> {
    let secret = as_text(secret)?;
    let (_, command, output) = ask(client, system, "set", name, Some(&secret))?;
    if output.is_success() { Ok(()) } else { Err(failed(&command, &output, Some(&secret))) }
}

/// Removes a secret. Returns whether it was there.
pub(super) fn remove(client: &Client, system: &dyn System, name: &str) -> Result<bool> {
    let (_, command, output) = ask(client, system, "del", name, None)?;
    if output.is_success() {
        return Ok(true);
    }
    let is_missing = output.stderr_text().contains("PasswordDeleteError");
    if is_missing { Ok(false) } else { Err(failed(&command, &output, None)) }
}

/// Runs an operation with the first backend that can be loaded. Returns what its keyring is called.
fn ask(
    client: &Client,
    system: &dyn System,
    operation: &str,
    name: &str,
    input: Option<&Secret>,
) -> Result<(&'static str, Command, Output)> {
    let limit = if operation == "get" { READ_LIMIT } else { WRITE_LIMIT };
    for (backend, title) in BACKENDS {
        let mut command = client.command(&["--keyring-backend", backend, operation, SERVICE, name], limit);
        command.input = input.cloned();
        let output = run(system, &command)?;
        if output.status != Some(NOT_LOADED) {
            return Ok((title, command, output));
        }
    }
    Err(Error::new(Kind::Process, "`keyring` has no backend for a desktop's keyring"))
}

/// Whether `get` found nothing: it exits with 1 and prints nothing.
fn is_missing(output: &Output) -> bool {
    output.status == Some(1) && output.stdout.is_empty() && output.stderr.trim_ascii().is_empty()
}
