//! `secret-tool` of libsecret, a client of any Secret Service.
//! <https://manpages.debian.org/stable/libsecret-tools/secret-tool.1.en.html>

use zeroize::Zeroizing;

use super::{
    SERVICE,
    client::{Client, as_text},
    program::{READ_LIMIT, WRITE_LIMIT, failed, locked, run},
};
use crate::{
    error::{Error, Kind, Result},
    system::{System, process::Output},
};

/// It cuts a longer secret, with a message and the exit code of success.
const LONGEST: usize = 8191;

/// The line of `search` with the secret begins so. It is the only line of a secret here.
const SECRET: &[u8] = b"secret = ";

/// The secret of a name.
pub(super) fn get(client: &Client, system: &dyn System, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let output = search(client, system, name)?;
    let secret = output.stdout.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(SECRET));
    match secret {
        Some(secret) => Ok(Some(Zeroizing::new(secret.to_vec()))),
        None if output.stdout.is_empty() => Ok(None),
        None => Err(locked()),
    }
}

/// Keeps a secret.
pub(super) fn put(client: &Client, system: &dyn System, name: &str, label: &str, secret: &[u8]) -> Result<()> {
    if secret.len() > LONGEST {
        return Err(Error::new(Kind::Storage, format!("the secret is longer than {LONGEST} bytes")));
    }
    let label = format!("--label={label}");
    let secret = as_text(secret)?;
    let command = client.command(&["store", &label, "service", SERVICE, "account", name], WRITE_LIMIT);
    let command = command.with_input(secret.clone());
    let output = run(system, &command)?;
    if output.is_success() { Ok(()) } else { Err(failed(&command, &output, Some(&secret))) }
}

/// Removes a secret. Returns whether it was there.
pub(super) fn remove(client: &Client, system: &dyn System, name: &str) -> Result<bool> {
    let command = client.command(&["clear", "service", SERVICE, "account", name], WRITE_LIMIT);
    let output = run(system, &command)?;
    if output.is_success() {
        return Ok(true);
    }
    if !output.stderr.trim_ascii().is_empty() {
        return Err(failed(&command, &output, None));
    }
    if search(client, system, name)?.stdout.is_empty() { Ok(false) } else { Err(locked()) }
}

/// Shows an item, a locked one without its secret. Unlike `lookup`, it never opens a dialog to unlock it.
fn search(client: &Client, system: &dyn System, name: &str) -> Result<Output> {
    let command = client.command(&["search", "service", SERVICE, "account", name], READ_LIMIT);
    let output = run(system, &command)?;
    if output.is_success() { Ok(output) } else { Err(failed(&command, &output, None)) }
}
