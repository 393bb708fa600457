//! gcloud itself, run for an access token.
//! <https://cloud.google.com/sdk/gcloud/reference>

use std::{path::PathBuf, time::Duration};

use log::debug;
use serde::Deserialize;

use super::{PROGRAM, failure};
use crate::{
    auth::{
        access_token::{AccessToken, Malformed},
        program::TokenProgram,
        timestamp,
    },
    error::{Error, Kind, Result},
    secret::Secret,
    system::{System, process::Output},
};

/// The limit of gcloud. It is Python and starts slowly; a sign-in that waits for a person never ends.
const LIMIT: Duration = Duration::from_secs(20);

/// The command for programs that need a token.
const COMMAND: [&str; 3] = ["config", "config-helper", "--format=json(credential)"];

/// Renews a token that ends sooner. Old versions do not know it.
const MIN_EXPIRY: &str = "--min-expiry=5m";

/// How long a token is good for if gcloud states no end: it has at least as much, by [`MIN_EXPIRY`].
const UNSTATED: Duration = Duration::from_secs(5 * 60);

/// Without them gcloud may ask a question, or copy what it prints, tokens included, into a log file.
const VARIABLES: [(&str, &str); 2] =
    [("CLOUDSDK_CORE_DISABLE_PROMPTS", "1"), ("CLOUDSDK_CORE_DISABLE_FILE_LOGGING", "1")];

/// What to do if a failure of gcloud is not about its login.
const SEE_WHY: &str = "run `gcloud config config-helper --format=\"value(credential.token_expiry)\"` to see why";

/// Runs gcloud for an access token of its active account, or of the service account that it impersonates.
pub(in crate::registry::google) fn token(
    system: &dyn System,
    path: PathBuf,
    impersonated: Option<&str>,
) -> Result<AccessToken> {
    let gcloud = gcloud(path);
    let run = |arguments: &[&str]| {
        let late = |error: Error| if error.kind() == Kind::Timeout { error.with_hint(SEE_WHY) } else { error };
        gcloud.run(system, arguments).map_err(late)
    };
    let mut output = run(&[&COMMAND[..], &[MIN_EXPIRY]].concat())?;
    if !output.is_success() && failure::refuses(&output, MIN_EXPIRY) {
        debug!("gcloud: this version refuses {MIN_EXPIRY}, running it without");
        output = run(&COMMAND)?;
    }
    if !output.is_success() {
        return Err(failure::explain(&gcloud, &output, impersonated));
    }
    read(system, &gcloud, &output)
}

/// gcloud at a path.
fn gcloud(path: PathBuf) -> TokenProgram<'static> {
    TokenProgram { name: PROGRAM, path, limit: LIMIT, variables: &VARIABLES, hint: SEE_WHY }
}

/// What gcloud prints.
#[derive(Deserialize)]
struct Printed {
    credential: Credential,
}

#[derive(Deserialize)]
struct Credential {
    access_token: Option<Secret>,
    /// In the form of RFC 3339; null or empty for a token whose end gcloud does not know.
    token_expiry: Option<String>,
}

/// The token that is all of the output: text around the document must not become part of a password.
fn read(system: &dyn System, gcloud: &TokenProgram<'_>, output: &Output) -> Result<AccessToken> {
    let document = output.stdout.trim_ascii();
    if document.is_empty() {
        return Err(gcloud.malformed(Malformed::Empty));
    }
    // Serde would read an array as a struct too.
    let printed: Option<Printed> = Some(document)
        .filter(|document| document.starts_with(b"{"))
        .and_then(|document| serde_json::from_slice(document).ok());
    let Credential { access_token, token_expiry } =
        printed.ok_or_else(|| gcloud.malformed(Malformed::NotAToken))?.credential;
    let token = AccessToken::parse(access_token.as_ref().map_or("", Secret::expose));
    let token = token.map_err(|malformed| gcloud.malformed(malformed))?;
    let end = match token_expiry.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => timestamp::rfc3339(text).ok_or_else(|| {
            Error::new(Kind::Protocol, "gcloud printed a token with an end that is not a time").with_hint(SEE_WHY)
        })?,
        None => system.now() + UNSTATED,
    };
    Ok(token.expiring(Some(end)))
}

/// Reads what gcloud printed.
#[cfg(any(test, feature = "fuzzing"))]
pub(in crate::registry::google) fn read_printed(system: &dyn System, output: &Output) -> Result<AccessToken> {
    read(system, &gcloud(PathBuf::default()), output)
}

/// Explains why gcloud failed.
#[cfg(any(test, feature = "fuzzing"))]
pub(in crate::registry::google) fn explain_printed(output: &Output, impersonated: Option<&str>) -> Error {
    failure::explain(&gcloud(PathBuf::default()), output, impersonated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Clock, Processes, fake::FakeSystem};

    const OLD: [&str; 3] = ["config", "config-helper", "--format=json(credential)"];
    const NEW: [&str; 4] = ["config", "config-helper", "--format=json(credential)", "--min-expiry=5m"];

    fn ask(fake: &FakeSystem) -> Result<AccessToken> {
        token(fake, fake.find_program(PROGRAM).unwrap(), None)
    }

    fn printing(document: &str) -> FakeSystem {
        FakeSystem::default().run(PROGRAM, &NEW, 0, document, "WARNING: x-noise")
    }

    #[test]
    fn the_token_and_its_end_are_what_gcloud_prints() {
        let document = r#"{
  "credential": {
    "access_token": "ya29.token",
    "id_token": null,
    "token_expiry": "2026-11-22T00:59:59Z"
  }
}
"#;
        let fake = printing(document);
        let token = ask(&fake).unwrap();
        assert_eq!(token.secret().expose(), "ya29.token");
        assert_eq!(token.expires(), Some(fake.now() + Duration::from_secs(3599)));
        assert_eq!((fake.limits(), fake.inputs()), (vec![Duration::from_secs(20)], vec![None]));
    }

    #[test]
    fn a_token_without_an_end_is_good_for_five_minutes() {
        for expiry in [r#","token_expiry":null"#, r#","token_expiry":"""#, ""] {
            let fake = printing(&format!(r#"{{"credential":{{"access_token":"t"{expiry}}}}}"#));
            assert_eq!(ask(&fake).unwrap().expires(), Some(fake.now() + Duration::from_secs(300)), "{expiry}");
        }
    }

    #[test]
    fn text_around_the_document_is_refused_and_not_shown() {
        let good = r#"{"credential":{"access_token":"x-secret","token_expiry":null}}"#;
        for (printed, problem) in [
            (String::new(), "nothing"),
            (" \n".to_owned(), "nothing"),
            (format!("Updates are available\n{good}"), "something that is not a token"),
            (format!("{good}\nx-secret"), "something that is not a token"),
            (format!("{good}{good}"), "something that is not a token"),
            (format!("[{good}]"), "something that is not a token"),
            (r#"[["x-secret",null]]"#.to_owned(), "something that is not a token"),
            ("x-secret".to_owned(), "something that is not a token"),
            ("{}".to_owned(), "something that is not a token"),
            (r#"{"credential":null}"#.to_owned(), "something that is not a token"),
            (r#"{"credential":{"access_token":5}}"#.to_owned(), "something that is not a token"),
            (r#"{"credential":{"access_token":null}}"#.to_owned(), "nothing"),
            (r#"{"credential":{"access_token":" "}}"#.to_owned(), "nothing"),
            (r#"{"credential":{"access_token":"x-secret x"}}"#.to_owned(), "more than a token"),
            (r#"{"credential":{"access_token":"x-secret\u0007"}}"#.to_owned(), "something that is not a token"),
            (
                r#"{"credential":{"access_token":"t","token_expiry":"x-secret"}}"#.to_owned(),
                "a token with an end that is not a time",
            ),
        ] {
            let error = ask(&printing(&printed)).unwrap_err();
            assert_eq!((error.kind(), error.message()), (Kind::Protocol, &*format!("gcloud printed {problem}")));
            assert!(!error.to_string().contains("x-secret"), "{error}");
        }
    }

    #[test]
    fn an_old_gcloud_runs_without_the_new_option() {
        let said =
            "ERROR: (gcloud.config.config-helper) unrecognized arguments: --min-expiry=5m (did you mean '--filter'?)\n";
        let fake = FakeSystem::default().run(PROGRAM, &NEW, 2, "", said);
        let fake = fake.run(PROGRAM, &OLD, 0, r#"{"credential":{"access_token":"t"}}"#, "");
        assert!(ask(&fake).is_ok());
        fake.assert_done();
        let fake = FakeSystem::default().run(PROGRAM, &NEW, 2, "", said).run(PROGRAM, &OLD, 1, "", "");
        assert_eq!(ask(&fake).unwrap_err().message(), "gcloud ended with status 1");
        fake.assert_done();
    }
}
