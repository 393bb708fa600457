//! A subject token that a program prints. <https://google.aip.dev/auth/4117#determining-the-subject-token-in-executable-sourced-credentials>

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Wanted, file};
use crate::{
    auth::{
        access_token::AccessToken, command_line, oauth::Seconds, private_file, program::without_secrets, timestamp,
    },
    error::{Error, Kind, Result, truncate},
    registry::google::{location::Location, variables::ALLOW_EXECUTABLES},
    secret::Secret,
    system::System,
};

/// The limits that a document may set for a run, in milliseconds, and the usual one.
const LIMITS: std::ops::RangeInclusive<u64> = 5_000..=120_000;
const LIMIT: u64 = 30_000;

/// The maximum size of the file with an answer, in bytes.
const CAP: usize = 256 * 1024;

/// The longest quotation of what a program says, in characters.
const QUOTED: usize = 120;

/// `executable` of a credential source.
#[derive(Deserialize)]
pub(super) struct Document {
    command: Option<Secret>,
    timeout_millis: Option<u64>,
    output_file: Option<String>,
}

/// A program that prints a subject token.
#[derive(Debug)]
pub(in crate::registry::google) struct Executable {
    /// Its arguments may be secret.
    command: Secret,
    limit: Duration,
    output_file: Option<PathBuf>,
}

impl Executable {
    /// Reads the document.
    pub(super) fn read(document: Document, location: &Location) -> Result<Self> {
        let broken = |why: &str| location.broken(&format!("has a credential_source {why}"));
        let command = document.command.filter(|command| !command.expose().trim().is_empty());
        let command = command.ok_or_else(|| broken("whose executable has no command"))?;
        let limit = document.timeout_millis.unwrap_or(LIMIT);
        if !LIMITS.contains(&limit) {
            return Err(broken("with a timeout_millis outside of 5000 to 120000"));
        }
        let output_file = match document.output_file.filter(|path| !path.is_empty()) {
            Some(path) => {
                Some(file::named(&path).ok_or_else(|| broken("with an output_file that is not an absolute path"))?)
            }
            None => None,
        };
        Ok(Self { command, limit: Duration::from_millis(limit), output_file })
    }

    /// The token in the file of an earlier run, or else that of a new one.
    pub(super) fn token(&self, system: &dyn System, wanted: &Wanted<'_>, location: &Location) -> Result<AccessToken> {
        let path = location.path.display();
        if system.setting(ALLOW_EXECUTABLES).as_deref() != Some("1") {
            let message = format!("{path} names a program to run, which only {ALLOW_EXECUTABLES}=1 allows");
            return Err(Error::new(Kind::Configuration, message)
                .with_hint(format!("set {ALLOW_EXECUTABLES}=1 if you trust the file")));
        }
        if let Some(token) = self.kept(system)? {
            return Ok(token);
        }
        let setting = format!("credential_source of {path}");
        let mut command = command_line::command(system, &setting, self.command.expose(), self.limit)?
            .variable("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", wanted.audience)
            .variable("GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE", wanted.subject_token_type)
            .variable("GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE", "0")
            .variable("GOOGLE_EXTERNAL_ACCOUNT_REVOKE", "0");
        if let Some(account) = wanted.account {
            command = command
                .variable("GOOGLE_EXTERNAL_ACCOUNT_ID", account)
                .variable("GOOGLE_EXTERNAL_ACCOUNT_IMPERSONATED_EMAIL", account);
        }
        if let Some(file) = &self.output_file {
            command = command.variable("GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE", file.to_string_lossy());
        }
        let output = system.run(&command)?;
        let context = format!("{setting}: {}", command_line::shown(&command));
        if !output.is_success() {
            return Err(Error::new(Kind::Process, format!("{context} {}", command_line::failure(&output))));
        }
        let is_silent = output.stdout.trim_ascii().is_empty();
        let written = is_silent.then(|| self.written(system)).transpose()?.flatten();
        let printed = written.as_ref().unwrap_or(&output.stdout);
        let answer = Answer::read(printed, system.now());
        answer.map(|answer| answer.token).map_err(|(kind, what)| Error::new(kind, format!("{context} {what}")))
    }

    /// The token of an earlier run by the same user, unless it has ended or may have.
    fn kept(&self, system: &dyn System) -> Result<Option<AccessToken>> {
        let Some(content) = self.written(system)? else { return Ok(None) };
        let is_foreign = |path: &PathBuf| {
            let file = system.real_path(path).unwrap_or_else(|_| path.clone());
            system.details(&file).is_ok_and(|details| details.is_owned_by_other)
        };
        if self.output_file.as_ref().is_some_and(is_foreign) {
            return Ok(None);
        }
        let answer = Answer::read(&content, system.now()).ok();
        Ok(answer.filter(|answer| answer.has_end).map(|answer| answer.token))
    }

    /// The content of the output file, if there is one. Its writer decides which account answers.
    fn written(&self, system: &dyn System) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let Some(path) = &self.output_file else { return Ok(None) };
        private_file::refuse_writable_by_all(system, path)?;
        Ok(system.read_file(path, CAP).map(Zeroizing::new).ok())
    }
}

/// The answer of a program, on standard output or in the file.
#[derive(Deserialize)]
struct Printed {
    version: Option<Value>,
    success: Option<bool>,
    token_type: Option<String>,
    id_token: Option<Secret>,
    saml_response: Option<Secret>,
    expiration_time: Option<Seconds>,
    code: Option<String>,
    message: Option<String>,
}

/// A subject token, and whether the answer says when it ends.
struct Answer {
    token: AccessToken,
    has_end: bool,
}

impl Answer {
    /// Reads what a program printed. The error is a clause about the program, without secrets.
    fn read(printed: &[u8], now: SystemTime) -> std::result::Result<Self, (Kind, String)> {
        let unusable = |what: &str| (Kind::Protocol, format!("printed {what}"));
        // Serde would read an array as a struct too.
        let object = Some(printed.trim_ascii()).filter(|text| text.starts_with(b"{"));
        let printed: Printed = object
            .and_then(|text| serde_json::from_slice(text).ok())
            .ok_or_else(|| unusable("no JSON object of the form that Google documents"))?;
        if printed.version.as_ref().and_then(Value::as_u64) != Some(1) {
            return Err(unusable("a version other than 1"));
        }
        match printed.success {
            Some(true) => {}
            Some(false) => return Err((Kind::Rejected, printed.failure())),
            None => return Err(unusable("no success")),
        }
        let end = printed.expiration_time.as_ref().map(|end| end.number().and_then(timestamp::unix));
        if end == Some(None) {
            return Err(unusable("an expiration_time that is not a number"));
        }
        if end.flatten().is_some_and(|end| end <= now) {
            return Err((Kind::Rejected, "printed a token that has ended".to_owned()));
        }
        let kind = printed.token_type.as_deref().unwrap_or_default();
        let token = match kind.strip_prefix("urn:ietf:params:oauth:token-type:") {
            Some("jwt" | "id_token") => printed.id_token,
            Some("saml2") => printed.saml_response,
            _ => return Err(unusable("no token_type of jwt, id_token or saml2")),
        };
        let token = token.ok_or_else(|| unusable("no token of its token_type"))?;
        let token = AccessToken::parse(token.expose()).map_err(|malformed| unusable(&malformed.to_string()))?;
        Ok(Self { token, has_end: end.is_some() })
    }
}

impl Printed {
    /// What a program says about its failure.
    fn failure(&self) -> String {
        let said = |text: &Option<String>| text.as_deref().map(|text| truncate(&without_secrets(text), QUOTED));
        match (said(&self.message), said(&self.code)) {
            (Some(message), Some(code)) => format!("failed: {message} ({code})"),
            (Some(words), None) | (None, Some(words)) => format!("failed: {words}"),
            (None, None) => "failed without a reason".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{
            Source,
            tests::{location, source},
        },
        *,
    };
    use crate::system::fake::{FakeSystem, absolute};

    const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
    const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
    const SAML: &str = "urn:ietf:params:oauth:token-type:saml2";
    const FILE: &str = "/run/answer";
    /// 2026-11-22T00:00:00Z, the time of the fake.
    const NOW: u64 = 1_795_305_600;

    fn token(system: &FakeSystem, document: &Value) -> Result<AccessToken> {
        let Source::Executable(executable) = source(&json!({"executable": document}))? else { panic!("{document}") };
        let wanted = Wanted { audience: "//a", subject_token_type: JWT, account: Some("publisher@contoso.example") };
        executable.token(system, &wanted, &location())
    }

    fn printed(members: &Value) -> String {
        let mut answer = json!({"version": 1, "success": true, "token_type": JWT, "id_token": "a.b.c"});
        for (name, value) in members.as_object().unwrap() {
            answer[name] = value.clone();
        }
        answer.to_string()
    }

    fn allowed() -> FakeSystem {
        FakeSystem::default().variable(ALLOW_EXECUTABLES, "1")
    }

    fn running(members: &Value) -> FakeSystem {
        allowed().run("tool", &["--for", "a b"], 0, &printed(members), "noise")
    }

    #[test]
    fn nothing_runs_unless_the_variable_is_1() {
        for value in ["", "0", "true", "11"] {
            let system = FakeSystem::default().program("tool").variable(ALLOW_EXECUTABLES, value);
            let error = token(&system, &json!({"command": "tool"})).unwrap_err();
            assert_eq!(
                error.to_string(),
                "/keys/ada.json names a program to run, which only GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1 allows; \
                 set GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1 if you trust the file"
            );
        }
    }

    #[test]
    fn the_token_is_that_of_its_type() {
        for (members, expected) in [
            (json!({}), "a.b.c"),
            (json!({"token_type": ID_TOKEN, "expiration_time": NOW + 60}), "a.b.c"),
            (
                json!({"token_type": SAML, "saml_response": "PHNhbWw+", "expiration_time": (NOW + 60).to_string()}),
                "PHNhbWw+",
            ),
        ] {
            let system = running(&members);
            let found = token(&system, &json!({"command": "tool --for \"a b\""})).unwrap();
            assert_eq!(found.secret().expose(), expected);
            assert_eq!(system.limits(), [Duration::from_secs(30)]);
        }
        let system = running(&json!({}));
        token(&system, &json!({"command": "tool --for \"a b\"", "timeout_millis": 5000})).unwrap();
        assert_eq!(system.limits(), [Duration::from_secs(5)]);
    }

    #[test]
    fn a_token_in_the_output_file_saves_the_run() {
        let document = json!({"command": "tool --for \"a b\"", "output_file": absolute(FILE)});
        let kept = printed(&json!({"id_token": "kept", "expiration_time": NOW + 60}));
        let system = allowed().file(FILE, &kept);
        assert_eq!(token(&system, &document).unwrap().secret().expose(), "kept");
        for content in [
            printed(&json!({"id_token": "kept"})),
            printed(&json!({"id_token": "kept", "expiration_time": NOW})),
            printed(&json!({"id_token": "kept", "expiration_time": NOW + 60, "success": false})),
            String::new(),
        ] {
            let system = running(&json!({})).file(FILE, &content);
            assert_eq!(token(&system, &document).unwrap().secret().expose(), "a.b.c", "{content}");
        }
        let system = running(&json!({})).file(FILE, &kept).of_another_user(FILE);
        assert_eq!(token(&system, &document).unwrap().secret().expose(), "a.b.c");
        let system = allowed().file(FILE, &kept).mode(FILE, 0o666);
        assert_eq!(token(&system, &document).unwrap_err().kind(), Kind::Configuration);
    }

    #[test]
    fn output_that_is_no_token_is_an_error_without_it() {
        let context = "credential_source of /keys/ada.json: tool";
        let failed = json!({"version": 1, "success": false, "code": "401", "message": "no login token=x-secret"});
        for (printed, kind, what) in [
            ("x-secret".to_owned(), Kind::Protocol, "printed no JSON object of the form that Google documents"),
            ("[1]".to_owned(), Kind::Protocol, "printed no JSON object of the form that Google documents"),
            (printed(&json!({"version": 2})), Kind::Protocol, "printed a version other than 1"),
            (printed(&json!({"success": null})), Kind::Protocol, "printed no success"),
            (failed.to_string(), Kind::Rejected, "failed: no login token=(hidden) (401)"),
            (r#"{"version":1,"success":false}"#.to_owned(), Kind::Rejected, "failed without a reason"),
            (printed(&json!({"token_type": "x"})), Kind::Protocol, "printed no token_type of jwt, id_token or saml2"),
            (printed(&json!({"token_type": SAML})), Kind::Protocol, "printed no token of its token_type"),
            (printed(&json!({"id_token": "x-secret x"})), Kind::Protocol, "printed more than a token"),
            (printed(&json!({"expiration_time": NOW})), Kind::Rejected, "printed a token that has ended"),
            (
                printed(&json!({"expiration_time": -1})),
                Kind::Protocol,
                "printed an expiration_time that is not a number",
            ),
        ] {
            let system = allowed().run("tool", &[], 0, &printed, "x-secret");
            let error = token(&system, &json!({"command": "tool"})).unwrap_err();
            assert_eq!((error.kind(), error.message()), (kind, format!("{context} {what}").as_str()));
        }
        let system = allowed().run("tool", &[], 3, "x-secret", "not logged in");
        let error = token(&system, &json!({"command": "tool"})).unwrap_err();
        assert_eq!(error.message(), format!("{context} ended with status 3: not logged in"));
    }

    #[test]
    fn a_program_below_the_working_directory_is_not_run() {
        for command in ["./tool", "bin/tool", "other", "\"tool"] {
            let error = token(&allowed().program("tool"), &json!({"command": command})).unwrap_err();
            assert!(error.message().starts_with("credential_source of /keys/ada.json"), "{error}");
        }
    }

    #[test]
    fn a_command_is_not_in_the_debug_form() {
        let source = source(&json!({"executable": {"command": "tool --password x-secret"}})).unwrap();
        assert!(!format!("{source:?}").contains("x-secret"), "{source:?}");
    }

    #[test]
    fn limits_and_files_that_cannot_be_are_refused() {
        for document in [
            json!({}),
            json!({"command": " "}),
            json!({"command": "tool", "timeout_millis": 4999}),
            json!({"command": "tool", "timeout_millis": 120_001}),
            json!({"command": "tool", "output_file": "answer"}),
        ] {
            assert_eq!(token(&allowed(), &document).unwrap_err().kind(), Kind::Configuration, "{document}");
        }
    }
}
