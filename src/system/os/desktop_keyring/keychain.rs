//! macOS Keychain, through Apple's `security`.
//!
//! The Keychain lets the program that created an item read it, and asks the user about every other. The login is made by a
//! native program and read by many: pip's Python, uv's, the next release. So `security` creates and reads every item, as
//! for the command lines of GitHub and others. Any program of the user may do the same, as with a Secret Service or
//! Credential Manager. The interface of the Security framework is of no use here: it refuses, or asks, at the second program.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::{
    SERVICE,
    program::{READ_LIMIT, WRITE_LIMIT, failed, locked, printed, run},
};
use crate::{
    error::{Error, Kind, Result},
    secret::Secret,
    system::{
        System,
        process::{Command, Output},
    },
};

/// By its path: another program of this name would read the secret.
const PROGRAM: &str = "/usr/bin/security";

/// The longest line that `security -i` reads, in bytes.
const LONGEST_LINE: usize = 4096;

/// Exit codes: the low byte of the error of the Security framework (`OSStatus`).
/// <https://developer.apple.com/documentation/security/security-framework-result-codes>
const NOT_FOUND: i32 = 44;
const USER_CANCELED: i32 = 128;
const INTERACTION_NOT_ALLOWED: i32 = 36;
const AUTHENTICATION_FAILED: i32 = 51;

/// What the keyring is called; otherwise why there is none.
pub(super) fn find(system: &dyn System) -> Result<&'static str> {
    let is_there = system.program_at(Path::new(PROGRAM)).is_some();
    if is_there { Ok("Keychain") } else { Err(Error::new(Kind::Storage, format!("{PROGRAM} is missing"))) }
}

/// The secret of a name.
pub(super) fn get(system: &dyn System, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let command = Command::new(PROGRAM.into(), &["find-generic-password", "-s", SERVICE, "-a", name, "-w"], READ_LIMIT);
    let output = run(system, &command)?;
    match output.status {
        Some(0) => {}
        Some(NOT_FOUND) => return Ok(None),
        _ => return Err(why(&command, &output)),
    }
    let printed = printed(&output);
    let mut secret = Zeroizing::new(vec![0; printed.len()]);
    let length = STANDARD
        .decode_slice(&*printed, &mut secret)
        .map_err(|_| Error::new(Kind::Storage, "the item in the Keychain was changed by another program"))?;
    secret.truncate(length);
    Ok(Some(secret))
}

/// Keeps a secret: in a command on standard input, since every user can read the arguments of a process.
pub(super) fn put(system: &dyn System, name: &str, label: &str, secret: &[u8]) -> Result<()> {
    let words =
        format!("add-generic-password -U -s {SERVICE} -a \"{}\" -l \"{}\" -w ", harmless(name), harmless(label));
    // The whole capacity at once: a buffer that grows leaves copies behind.
    let mut line = Zeroizing::new(String::with_capacity(words.len() + LONGEST_LINE));
    line.push_str(&words);
    let room = LONGEST_LINE.saturating_sub(line.len() + 1);
    if base64::encoded_len(secret.len(), true).is_none_or(|length| length > room) {
        return Err(Error::new(Kind::Storage, "the secret is too long for the Keychain"));
    }
    STANDARD.encode_string(secret, &mut line);
    line.push('\n');
    let command = Command::new(PROGRAM.into(), &["-i"], WRITE_LIMIT);
    let command = command.with_input(Secret::new(std::mem::take(&mut *line)));
    let output = run(system, &command)?;
    if !output.is_success() {
        return Err(why(&command, &output));
    }
    // Its exit code does not tell of every failure.
    if get(system, name)?.is_some_and(|kept| *kept == secret) { Ok(()) } else { Err(why(&command, &output)) }
}

/// Removes a secret. Returns whether it was there.
pub(super) fn remove(system: &dyn System, name: &str) -> Result<bool> {
    let command = Command::new(PROGRAM.into(), &["delete-generic-password", "-s", SERVICE, "-a", name], WRITE_LIMIT);
    let output = run(system, &command)?;
    match output.status {
        Some(0) => Ok(true),
        Some(NOT_FOUND) => Ok(false),
        _ => Err(why(&command, &output)),
    }
}

/// A word inside quotation marks: without characters that mean something there.
fn harmless(word: &str) -> String {
    let is_harmless = |character: &char| !character.is_control() && !matches!(character, '"' | '\\' | '\'' | '`' | '$');
    word.chars().filter(is_harmless).collect()
}

fn why(command: &Command, output: &Output) -> Error {
    match output.status {
        Some(INTERACTION_NOT_ALLOWED | AUTHENTICATION_FAILED | USER_CANCELED) => {
            locked().with_hint("`security unlock-keychain` unlocks it")
        }
        _ => failed(command, output, command.input.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    const FIND: [&str; 6] = ["find-generic-password", "-s", "ringbearer", "-a", "name", "-w"];
    const DELETE: [&str; 5] = ["delete-generic-password", "-s", "ringbearer", "-a", "name"];

    #[test]
    fn without_the_program_of_macos_there_is_no_keychain() {
        assert_eq!(find(&FakeSystem::default().program("security")), Ok("Keychain"));
        assert_eq!(find(&FakeSystem::default()).unwrap_err().message(), "/usr/bin/security is missing");
    }

    #[test]
    fn a_secret_is_one_word_of_a_command_on_standard_input() {
        let fake = FakeSystem::default().run("security", &["-i"], 0, "", "").run("security", &FIND, 0, "eyJ9\n", "");
        put(&fake, "name", "a \"label\"\n$(x)", b"{\"}").unwrap();
        assert_eq!(
            fake.inputs()[0].as_ref().unwrap().expose(),
            "add-generic-password -U -s ringbearer -a \"name\" -l \"a label(x)\" -w eyJ9\n"
        );
        let fake = FakeSystem::default().run("security", &FIND, 0, "eyJ9\n", "");
        assert_eq!(get(&fake, "name").unwrap().unwrap().as_slice(), b"{\"}");
    }

    #[test]
    fn a_write_that_is_not_read_back_fails() {
        let fake = FakeSystem::default().run("security", &["-i"], 0, "", "").run("security", &FIND, 44, "", "");
        assert_eq!(put(&fake, "name", "label", b"x").unwrap_err().kind(), Kind::Process);
        let error = put(&FakeSystem::default(), "name", "label", &[0; 4000]).unwrap_err();
        assert!(error.message().contains("too long"), "{error}");
    }

    #[test]
    fn exit_codes_tell_a_missing_item_from_a_locked_keychain() {
        let fake = FakeSystem::default().run("security", &FIND, 44, "", "could not be found");
        assert_eq!(get(&fake, "name").unwrap(), None);
        let fake = FakeSystem::default().run("security", &DELETE, 44, "", "could not be found");
        assert!(!remove(&fake, "name").unwrap());
        for code in [36, 51, 128] {
            let fake = FakeSystem::default().run("security", &FIND, code, "", "no");
            assert_eq!(get(&fake, "name").unwrap_err().kind(), Kind::Locked, "{code}");
        }
        let fake = FakeSystem::default().run("security", &FIND, 0, "not base64!\n", "");
        assert_eq!(get(&fake, "name").unwrap_err().kind(), Kind::Storage);
    }
}
