//! A program that prints keys: `credential_process`.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde::Deserialize;
use serde_json::Value;

use super::Wanted;
use crate::{
    auth::{chain::Attempt, program::without_secrets},
    aws::{config::Profile, key_document::KeyDocument, keys::Keys},
    error::{Error, Kind, Result, shorten, truncate},
    secret::Secret,
    system::{
        Platform, System,
        process::{Command, Output},
    },
};

/// The key of a profile that names the program.
pub(super) const KEY: &str = "credential_process";

/// How long the program may take: one that waits for a person never ends.
const LIMIT: Duration = Duration::from_secs(30);

/// The longest name of a program in a message, in characters.
const LONGEST_PROGRAM: usize = 60;

/// The longest quotation of what a program says, in characters.
const QUOTED: usize = 120;

/// The keys that the program of a profile prints; `NotConfigured` without one.
pub(crate) fn keys(system: &dyn System, _wanted: &Wanted, profile: &Profile) -> Result<Attempt<Keys>> {
    let Some(line) = profile.value(KEY) else {
        return Ok(Attempt::not_configured("no credential_process"));
    };
    let name = profile.name();
    let wrong = |what: &str| Error::new(Kind::Configuration, format!("credential_process of profile {name} {what}"));
    let words = split(line, system.platform()).ok_or_else(|| wrong("lacks a closing quotation mark"))?;
    let Some((program, arguments)) = words.split_first().filter(|(program, _)| !program.is_empty()) else {
        return Err(wrong("names no program"));
    };
    let path = find(system, program).ok_or_else(|| {
        // Without a shell `NAME=VALUE` is no assignment, and the value may be a secret.
        let shown = shorten(program.split('=').next().unwrap_or_default(), LONGEST_PROGRAM);
        wrong(&format!("names {shown}, which is not a program"))
            .with_hint("put it on PATH, or name it by its absolute path")
    })?;
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let command = Command::new(path, &arguments, LIMIT);
    let output = system.run(&command)?;
    let context = format!("credential_process of profile {name}: {}", shorten(&command.name(), LONGEST_PROGRAM));
    if !output.is_success() {
        return Err(Error::new(Kind::Process, format!("{context} {}", failure(&output))));
    }
    let (kind, what) = match read(&output.stdout, system.now()) {
        Ok(keys) => return Ok(Attempt::Token(keys)),
        Err(unusable) => unusable,
    };
    Err(Error::new(kind, format!("{context} printed {what}")))
}

/// The program of a name on PATH, or of an absolute path: never one below the working directory.
fn find(system: &dyn System, program: &str) -> Option<PathBuf> {
    let path = Path::new(program);
    if path.is_absolute() {
        return system.program_at(path);
    }
    let is_name = path.file_name().is_some_and(|name| name == program);
    is_name.then(|| system.find_program(program)).flatten()
}

/// How a program failed, with the first line that it says about it.
fn failure(output: &Output) -> String {
    let status = match output.status {
        Some(status) => format!("ended with status {status}"),
        None => "was ended by a signal".to_owned(),
    };
    let said = output.stderr_text();
    match said.lines().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("{status}: {}", truncate(&without_secrets(line), QUOTED)),
        None => status,
    }
}

/// Splits a command into words as a shell does, without expanding anything; `None` if a quotation has no end. On Windows, a
/// backslash separates the parts of a path, single quotation marks mean nothing, and `\"` is a quotation mark.
pub(in crate::aws) fn split(line: &str, platform: Platform) -> Option<Vec<String>> {
    let is_windows = platform == Platform::Windows;
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quotation = None;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let is_escape = character == '\\'
            && match (characters.peek(), quotation) {
                (_, Some('\'')) => false,
                (Some('"'), _) => true,
                (_, _) if is_windows => false,
                (Some('\\'), Some(_)) => true,
                (next, None) => next.is_some(),
                _ => false,
            };
        if is_escape {
            word.get_or_insert_default().extend(characters.next());
        } else if quotation == Some(character) {
            quotation = None;
        } else if quotation.is_none() && (character == '"' || character == '\'' && !is_windows) {
            quotation = Some(character);
            word.get_or_insert_default();
        } else if quotation.is_none() && character.is_whitespace() {
            words.extend(word.take());
        } else {
            word.get_or_insert_default().push(character);
        }
    }
    words.extend(word);
    quotation.is_none().then_some(words)
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
    use proptest::prelude::*;

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
    fn a_command_is_split_as_by_a_shell() {
        let unix = Platform::Linux;
        let windows = Platform::Windows;
        for (platform, line, words) in [
            (unix, "aws-vault exec  ada\t--json", Some(&["aws-vault", "exec", "ada", "--json"][..])),
            (unix, "a\n  b", Some(&["a", "b"])),
            (unix, r#"a "b c" 'd e' f"g"'h'"#, Some(&["a", "b c", "d e", "fgh"])),
            (unix, r#"a "" ''"#, Some(&["a", "", ""])),
            (unix, r#"a\ b "c\"d\\e\f" 'g\h' \\"#, Some(&["a b", r#"c"d\e\f"#, r"g\h", r"\"])),
            (unix, "a $HOME ~ * | b", Some(&["a", "$HOME", "~", "*", "|", "b"])),
            (unix, " ", Some(&[])),
            (unix, "a 'b", None),
            (unix, r#"a "b\""#, None),
            (unix, r"a \", Some(&["a", r"\"])),
            (windows, r#""C:\Program Files\a.exe" C:\b\ c"#, Some(&[r"C:\Program Files\a.exe", r"C:\b\", "c"])),
            (windows, r#"a "b \"c\"" it's"#, Some(&["a", r#"b "c""#, "it's"])),
            (windows, r#"a "b"#, None),
        ] {
            let words = words.map(|words| words.iter().map(|&word| word.to_owned()).collect());
            assert_eq!(split(line, platform), words, "{line}");
        }
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

    proptest! {
        #[test]
        fn quoted_words_are_split_as_they_were(words in proptest::collection::vec("\\PC{0,9}", 0..5)) {
            let line: Vec<_> = words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
            prop_assert_eq!(split(&line.join(" "), Platform::Linux), Some(words));
        }
    }
}
