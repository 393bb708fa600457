//! Chainguard's own program, and what it prints.
//! <https://www.chainguard.dev/docs/platform/chainctl/chainctl-docs/chainctl_auth_token/>

use std::{sync::LazyLock, time::Duration};

use super::{AUDIENCE, HINT, Known, cache_file, credential, is_for_libraries};
use crate::{
    auth::{
        access_token::{AccessToken, Malformed},
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
        program::TokenProgram,
    },
    error::{Error, ExceptionClass, Kind, Result},
    registry::Credential,
    system::System,
};

/// The limit of chainctl. A sign-in that waits for a person never ends.
const LIMIT: Duration = Duration::from_secs(30);

/// The organisation of a new pull token; the variable of keyrings-chainguard-libraries 0.1.
const PARENT_VARIABLE: &str = "CHAINCTL_PARENT";

/// The lifetime of a pull token: a working day.
const PULL_TOKEN_LIFE: &str = "8h";

/// What to do if chainctl fails.
static LOGIN: LazyLock<String> = LazyLock::new(|| format!("run `chainctl auth login --audience={AUDIENCE}`"));

/// The user's login: `chainctl auth token`.
pub(crate) struct Login;

impl TokenProvider<Known, Credential> for Login {
    fn name(&self) -> &'static str {
        "chainctl"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Found
    }

    fn cache_policy(&self, system: &dyn System) -> CachePolicy {
        cache_file::cache_policy(system)
    }

    fn token(&self, system: &dyn System, _known: &Known) -> Result<Attempt<Credential>> {
        let audience = format!("--audience={AUDIENCE}");
        let output = program(system)?.output(system, &["auth", "token", &audience]).map_err(with_class)?;
        let token = token(&output.stdout)?;
        if token.claims().is_some_and(|claims| is_for_libraries(&claims) == Some(false)) {
            return Err(command_error(format!("chainctl printed a token that is not for {AUDIENCE}"), &LOGIN));
        }
        if token.expires().is_some_and(|end| end <= system.now()) {
            return Err(command_error("chainctl printed a token that has expired".to_owned(), &LOGIN));
        }
        Ok(Attempt::Token(credential(token)))
    }
}

/// A new pull token, with an identity of its own, as keyrings-chainguard-libraries 0.1 created it.
pub(crate) struct NewPullToken;

impl TokenProvider<Known, Credential> for NewPullToken {
    fn name(&self) -> &'static str {
        "new_pull_token"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Found
    }

    fn cache_policy(&self, system: &dyn System) -> CachePolicy {
        cache_file::cache_policy(system)
    }

    fn token(&self, system: &dyn System, _known: &Known) -> Result<Attempt<Credential>> {
        let Some(parent) = system.setting(PARENT_VARIABLE) else {
            return Ok(Attempt::not_configured(format!("no {PARENT_VARIABLE}")));
        };
        // The previous source has reported it already.
        let Ok(chainctl) = program(system) else {
            return Ok(Attempt::not_configured("no chainctl on PATH"));
        };
        let (parent, life) = (format!("--parent={parent}"), format!("--ttl={PULL_TOKEN_LIFE}"));
        let ask =
            |repository| chainctl.run(system, &["auth", "pull-token", repository, &parent, &life]).map_err(with_class);
        let mut output = ask("--repository=python")?;
        if !output.is_success() && output.stderr_text().contains("unknown flag") {
            // Until 2026 the option had another name.
            output = ask("--library-ecosystem=python")?;
        }
        if !output.is_success() {
            return Err(with_class(chainctl.failure(&output)));
        }
        pull_token(&output.stdout).map(Attempt::Token)
    }
}

fn program(system: &dyn System) -> Result<TokenProgram<'static>> {
    let path = system.find_program("chainctl").ok_or_else(|| {
        Error::new(Kind::Process, "chainctl is not on PATH")
            .with_class(ExceptionClass::ChainctlNotFound)
            .with_hint(format!("install chainctl and {HINT}"))
    })?;
    Ok(TokenProgram { name: "chainctl", path, limit: LIMIT, variables: &[], hint: &LOGIN })
}

/// Sets the exception class that keyrings-chainguard-libraries raises.
fn with_class(error: Error) -> Error {
    match error.kind() {
        Kind::Timeout => error
            .with_class(ExceptionClass::ChainctlTimeout)
            .with_hint(format!("it may have waited for a sign-in in a browser: {}", *LOGIN)),
        _ => error.with_class(ExceptionClass::ChainctlCommand),
    }
}

/// The token that chainctl printed: a JSON Web Token and nothing else. A banner or a warning in front of it must not
/// become part of a password.
pub(super) fn token(printed: &[u8]) -> Result<AccessToken> {
    let problem = |what: Malformed| {
        command_error(
            format!("chainctl printed {what}"),
            &format!("run `chainctl auth token --audience={AUDIENCE}` to see"),
        )
    };
    let token = AccessToken::parse(printed).map_err(problem)?;
    if token.claims().is_none() { Err(problem(Malformed::NotAToken)) } else { Ok(token) }
}

/// The pull token in the lines `Username: ...` and `Password: ...`, among any others.
pub(super) fn pull_token(printed: &[u8]) -> Result<Credential> {
    let problem = || command_error("chainctl printed no pull token".to_owned(), &LOGIN);
    let printed = std::str::from_utf8(printed).map_err(|_| problem())?;
    let value = |name: &str| {
        let mut found = printed.lines().filter_map(|line| line.trim().strip_prefix(name));
        // Two are ambiguous.
        found.next().filter(|_| found.next().is_none())
    };
    let username = value("Username:").map(str::trim).filter(|name| !name.is_empty()).ok_or_else(problem)?;
    let token = token(value("Password:").ok_or_else(problem)?.as_bytes())?;
    Ok(Credential { username: username.to_owned(), ..credential(token) })
}

fn command_error(message: String, hint: &str) -> Error {
    Error::new(Kind::Process, message).with_class(ExceptionClass::ChainctlCommand).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{auth::jwt::token_of, system::fake::FakeSystem};

    const AUTH_TOKEN: [&str; 3] = ["auth", "token", "--audience=libraries.cgr.dev"];
    const PULL_TOKEN: [&str; 5] = ["auth", "pull-token", "--repository=python", "--parent=contoso", "--ttl=8h"];

    fn ask(fake: &FakeSystem) -> Result<Credential> {
        match Login.token(fake, &Known::default())? {
            Attempt::Token(found) => Ok(found),
            Attempt::NotConfigured(why) => panic!("{why}"),
        }
    }

    #[test]
    fn the_token_is_all_that_chainctl_prints_on_stdout() {
        let token = token_of(&json!({"aud": AUDIENCE}));
        let found =
            ask(&FakeSystem::default().run("chainctl", &AUTH_TOKEN, 0, &format!("{token}\n"), "Opening browser"))
                .unwrap();
        assert_eq!((found.username.as_str(), found.password.expose()), ("_token", token.as_str()));
    }

    #[test]
    fn chainctl_has_thirty_seconds() {
        let fake = FakeSystem::default().run("chainctl", &AUTH_TOKEN, 1, "", "");
        assert!(ask(&fake).is_err());
        assert_eq!(fake.limits(), [Duration::from_secs(30)]);
    }

    #[test]
    fn other_output_is_not_a_password() {
        let token = token_of(&json!({"aud": AUDIENCE}));
        let other = token_of(&json!({"aud": "https://console-api.enforce.dev"}));
        for (printed, problem) in [
            (String::new(), "printed nothing"),
            (" \n".to_owned(), "printed nothing"),
            (format!("A new version is there\n{token}\n"), "more than a token"),
            (format!("{token}\n{token}"), "more than a token"),
            ("x-secret".to_owned(), "not a token"),
            ("a.b.c".to_owned(), "not a token"),
            (other, "not for libraries.cgr.dev"),
        ] {
            let error = ask(&FakeSystem::default().run("chainctl", &AUTH_TOKEN, 0, &printed, "")).unwrap_err();
            assert_eq!(error.class(), Some(ExceptionClass::ChainctlCommand));
            assert!(error.message().contains(problem), "{error}");
            assert!(!error.to_string().contains("x-secret") && !error.to_string().contains(&token), "{error}");
        }
    }

    #[test]
    fn failures_have_the_classes_of_the_published_package() {
        let error = ask(&FakeSystem::default().run("chainctl", &AUTH_TOKEN, 1, "", "x-secret")).unwrap_err();
        assert_eq!(error.class(), Some(ExceptionClass::ChainctlCommand));
        assert!(
            error.to_string().contains("chainctl auth login") && !error.to_string().contains("x-secret"),
            "{error}"
        );
        assert_eq!(ask(&FakeSystem::default()).unwrap_err().class(), Some(ExceptionClass::ChainctlNotFound));
    }

    fn pull(fake: FakeSystem) -> Result<Credential> {
        match NewPullToken.token(&fake.variable(PARENT_VARIABLE, "contoso"), &Known::default())? {
            Attempt::Token(found) => Ok(found),
            Attempt::NotConfigured(why) => panic!("{why}"),
        }
    }

    #[test]
    fn a_pull_token_is_read_with_the_old_option_too() {
        let token = token_of(&json!({"sub": "pull"}));
        let printed = format!("Use these:\n\n    Username: 0a/1b\n    Password: {token}\n");
        let older = PULL_TOKEN.map(|word| word.replace("--repository", "--library-ecosystem"));
        let fakes = [
            FakeSystem::default().run("chainctl", &PULL_TOKEN, 0, &printed, ""),
            FakeSystem::default().run("chainctl", &PULL_TOKEN, 1, "", "Error: unknown flag: --repository").run(
                "chainctl",
                &older.each_ref().map(String::as_str),
                0,
                &printed,
                "",
            ),
        ];
        for fake in fakes {
            let found = pull(fake).unwrap();
            assert_eq!((found.username.as_str(), found.password.expose()), ("0a/1b", token.as_str()));
        }
        assert!(matches!(NewPullToken.token(&FakeSystem::default(), &Known::default()), Ok(Attempt::NotConfigured(_))));
    }

    #[test]
    fn lines_that_say_too_little_or_too_much_are_no_pull_token() {
        for printed in [
            "",
            "Username: a\n",
            "Password: x-secret\n",
            "Username: \nPassword: a.b.c\n",
            "Username: a\nUsername: b\nPassword: a.b.c\n",
            "Username: a\nPassword: x-secret\n",
        ] {
            let error = pull(FakeSystem::default().run("chainctl", &PULL_TOKEN, 0, printed, "")).unwrap_err();
            assert_eq!(error.class(), Some(ExceptionClass::ChainctlCommand), "{printed}");
            assert!(!error.to_string().contains("x-secret"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_output_is_one_token_or_an_error(printed in "\\PC{0,200}") {
            prop_assert!(token(printed.as_bytes()).map_or(true, |found| printed.trim() == found.secret().expose()));
            let _ = pull_token(printed.as_bytes());
        }
    }
}
