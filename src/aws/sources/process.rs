//! A program that prints keys: `credential_process`.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::Value;

use super::Wanted;
use crate::{
    auth::{chain::Attempt, command_line},
    aws::{config::Profile, key_document::KeyDocument, keys::Keys},
    error::{Error, Kind, Result},
    secret::Secret,
    system::System,
};

/// The key of a profile that names the program.
pub(super) const KEY: &str = "credential_process";

/// How long the program may take: one that waits for a person never ends.
const LIMIT: Duration = Duration::from_secs(30);

/// The keys that the program of a profile prints; `NotConfigured` without one.
pub(crate) fn keys(system: &dyn System, _wanted: &Wanted, profile: &Profile) -> Result<Attempt<Keys>> {
    let Some(line) = profile.value(KEY) else {
        return Ok(Attempt::not_configured("no credential_process"));
    };
    let name = profile.name();
    let setting = format!("credential_process of profile {name}");
    let command = command_line::command(system, &setting, line, LIMIT)?;
    let output = system.run(&command)?;
    let context = format!("{setting}: {}", command_line::shown(&command));
    if !output.is_success() {
        return Err(Error::new(Kind::Process, format!("{context} {}", command_line::failure(&output))));
    }
    let (kind, what) = match read(&output.stdout, system.now()) {
        Ok(keys) => return Ok(Attempt::Token(keys)),
        Err(unusable) => unusable,
    };
    Err(Error::new(kind, format!("{context} printed {what}")))
}

/// The version of what a program prints.
#[derive(Deserialize)]
struct Version {
    #[serde(rename = "Version")]
    number: Option<Value>,
}

/// Reads what a program printed. The error is what it printed instead, in words that quote nothing.
pub(in crate::aws) fn read(printed: &[u8], now: SystemTime) -> std::result::Result<Keys, (Kind, &'static str)> {
    let unusable = |what| (Kind::Protocol, what);
    let version: Version = serde_json::from_slice(printed).map_err(|_| unusable("no JSON object"))?;
    match version.number {
        Some(number) if number.as_u64() == Some(1) => {}
        Some(_) => return Err(unusable("a Version other than 1")),
        None => return Err(unusable("no Version")),
    }
    let malformed = unusable("no access key of the form that AWS documents");
    let mut document: KeyDocument = serde_json::from_slice(printed).map_err(|_| malformed)?;
    let is_filled = |text: &str| !text.trim().is_empty();
    document.session_token = document.session_token.filter(|token: &Secret| is_filled(token.expose()));
    document.expiration = document.expiration.filter(|time| is_filled(time));
    let keys = document.keys().ok_or(malformed)?;
    if keys.expires.is_some_and(|expires| expires <= now) {
        return Err((Kind::Rejected, "an access key that has ended"));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::timestamp,
        aws::{client::Client, config::Config, region::Region},
        system::{
            Clock,
            fake::{FakeSystem, absolute},
        },
    };

    const FILE: &str = "/home/ada/.aws/config";
    const PRINTED: &str = r#"{"Version":1,"AccessKeyId":"AKIDADA","SecretAccessKey":"x-secret"}"#;

    fn printed(members: &str) -> String {
        format!(r#"{{"AccessKeyId":"AKIDADA","SecretAccessKey":"x-secret",{members}}}"#)
    }

    #[test]
    fn keys_are_read_with_their_session_and_end() {
        let now = FakeSystem::default().now();
        let time = "2999-01-01T00:00:00";
        let end = timestamp::rfc3339(&format!("{time}Z"));
        for (members, token, expires) in [
            (r#""Version":1"#.to_owned(), None, None),
            (r#""Version":1,"SessionToken":"","Expiration":"","AccountId":null"#.to_owned(), None, None),
            (r#""Version":1,"SessionToken":null,"Expiration":null"#.to_owned(), None, None),
            (format!(r#""SessionToken":"t","Expiration":"{time}+00:00","Version":1"#), Some("t"), end),
            (format!(r#""Version":1,"SessionToken":"t","Expiration":"{time}.5Z""#), Some("t"), end),
        ] {
            let keys = read(printed(&members).as_bytes(), now).unwrap();
            assert_eq!((keys.access_key_id.as_str(), keys.secret_access_key.expose()), ("AKIDADA", "x-secret"));
            assert_eq!((keys.session_token.as_ref().map(Secret::expose), keys.expires), (token, expires), "{members}");
        }
    }

    #[test]
    fn other_output_is_an_error() {
        let now = FakeSystem::default().now();
        let malformed = (Kind::Protocol, "no access key of the form that AWS documents");
        for (text, error) in [
            ("", (Kind::Protocol, "no JSON object")),
            ("Enter MFA code:", (Kind::Protocol, "no JSON object")),
            ("{}", (Kind::Protocol, "no Version")),
            (&printed(r#""version":1"#), (Kind::Protocol, "no Version")),
            (&printed(r#""Version":2"#), (Kind::Protocol, "a Version other than 1")),
            (&printed(r#""Version":"1""#), (Kind::Protocol, "a Version other than 1")),
            (r#"{"Version":1,"AccessKeyId":"AKIDADA"}"#, malformed),
            (r#"{"Version":1,"AccessKeyId":"x secret","SecretAccessKey":"a"}"#, malformed),
            (&printed(r#""Version":1,"Expiration":"soon""#), malformed),
            (
                &printed(r#""Version":1,"Expiration":"2001-01-01T00:00:00Z""#),
                (Kind::Rejected, "an access key that has ended"),
            ),
        ] {
            assert_eq!(read(text.as_bytes(), now), Err(error), "{text}");
        }
    }

    /// Asks the profile `corp` with this command.
    fn ask(system: FakeSystem, command: &str) -> Result<Attempt<Keys>> {
        let file = format!("[profile corp]\ncredential_process = {command}\n");
        let system = system.home("/home/ada").file(FILE, &file);
        let config = Config::read(&system).unwrap();
        let client = Client::new(&system, None, None).unwrap();
        let wanted = Wanted { config, client, region: Region::parse("eu-central-1").unwrap() };
        keys(&system, &wanted, wanted.config.profile("corp").unwrap())
    }

    #[test]
    fn the_program_is_on_path_or_at_an_absolute_path() {
        for program in ["aws-vault".to_owned(), absolute("/opt/aws-vault")] {
            let system = FakeSystem::default().run("aws-vault", &["exec", "ada b"], 0, PRINTED, "noise");
            let asked = ask(system, &format!("{program} exec \"ada b\"")).unwrap();
            assert!(matches!(asked, Attempt::Token(keys) if keys.access_key_id == "AKIDADA"), "{program}");
        }
    }

    #[test]
    fn failures_name_the_profile_and_quote_no_secret() {
        let tool = |status, stdout, stderr| FakeSystem::default().run("tool", &[], status, stdout, stderr);
        let context = "credential_process of profile corp";
        for (system, command, message) in [
            (tool(0, "x-secret", ""), "tool", ": tool printed no JSON object"),
            (tool(3, "x-secret", "\n no such user \nmore"), "tool", ": tool ended with status 3: no such user"),
            (tool(3, "", "token=x-secret"), "tool", ": tool ended with status 3: token=(hidden)"),
            (tool(3, "", ""), "tool", ": tool ended with status 3"),
            (
                FakeSystem::default().program("tool"),
                "./tool x-secret",
                " names ./tool, which is not a program; put it on PATH, or name it by its absolute path",
            ),
            (
                FakeSystem::default(),
                "TOKEN=x-secret tool",
                " names TOKEN, which is not a program; put it on PATH, or name it by its absolute path",
            ),
            (
                FakeSystem::default(),
                "tool x-secret",
                " names tool, which is not a program; put it on PATH, or name it by its absolute path",
            ),
            (FakeSystem::default(), "tool \"x-secret", " lacks a closing quotation mark"),
        ] {
            assert_eq!(ask(system, command).unwrap_err().to_string(), format!("{context}{message}"));
        }
    }
}
