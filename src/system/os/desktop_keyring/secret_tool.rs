//! `secret-tool` of libsecret, a client of any Secret Service.
//! <https://manpages.debian.org/stable/libsecret-tools/secret-tool.1.en.html>

use zeroize::Zeroizing;

use super::{
    SERVICE,
    program::{READ_LIMIT, WRITE_LIMIT, as_text, failed, locked, printed, run},
    secret_service::Client,
};
use crate::{
    error::{Error, Kind, Result},
    system::System,
};

/// It cuts a longer secret, with a message and the exit code of success.
const LONGEST: usize = 8191;

/// The secret of a name.
pub(super) fn get(client: &Client, system: &dyn System, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let command = client.command(&["lookup", "service", SERVICE, "account", name], READ_LIMIT);
    let output = run(system, &command)?;
    if output.is_success() && !output.stdout.is_empty() {
        return Ok(Some(printed(&output)));
    }
    if !output.stderr.trim_ascii().is_empty() {
        return Err(failed(&command, &output, None));
    }
    // It does not tell a locked item from none.
    if exists(client, system, name)? { Err(locked()) } else { Ok(None) }
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
    if exists(client, system, name)? { Err(locked()) } else { Ok(false) }
}

/// Whether there is an item, locked or not.
fn exists(client: &Client, system: &dyn System, name: &str) -> Result<bool> {
    let command = client.command(&["search", "service", SERVICE, "account", name], READ_LIMIT);
    let output = run(system, &command)?;
    if output.is_success() { Ok(!output.stdout.is_empty()) } else { Err(failed(&command, &output, None)) }
}
