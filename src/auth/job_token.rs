//! The identity token of a CI job (OpenID Connect): it states which job holds it, and is exchanged for a token of an
//! identity that trusts the CI system.

use std::time::Duration;

use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroizing;

use crate::{
    auth::{
        access_token::AccessToken,
        chain::{Attempt, Origin},
        private_file,
        program::TokenProgram,
        refusal::Refusal,
    },
    error::{Error, Kind, Result},
    secret::Secret,
    system::{System, http::Request, retry},
    variable::Variable,
};

/// The variables of the CI systems.
pub(crate) static VARIABLES: &[Variable] = &[
    Variable::login(GITHUB_TOKEN_VARIABLE, "bearer for the job's identity token (set by GitHub Actions)"),
    Variable::login(GITHUB_URL_VARIABLE, "address of the job's identity token (set by GitHub Actions)"),
    Variable::login("BUILDKITE_AGENT_ACCESS_TOKEN", "token of the agent (set by Buildkite)"),
    Variable::login("BUILDKITE_AGENT_ENDPOINT", "address that the agent asks (set by Buildkite)"),
    Variable::login(BUILDKITE_VARIABLE, "the job (set by Buildkite)"),
    Variable::login(CIRCLE_VARIABLE, "identity token of the job (set by CircleCI)"),
    Variable::setting("GITHUB_ACTIONS", "marks a job (set by GitHub Actions)"),
];

/// Where a job on GitHub Actions asks for its token; it has a query already.
/// <https://docs.github.com/actions/reference/security/oidc>
pub(crate) const GITHUB_URL_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";

/// The bearer to ask with.
const GITHUB_TOKEN_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// The token of a job on CircleCI. Its audience is always the organisation: it serves where the identity trusts that.
/// <https://circleci.com/docs/openid-connect-tokens/>
const CIRCLE_VARIABLE: &str = "CIRCLE_OIDC_TOKEN_V2";

/// Marks a job on Buildkite, whose agent prints a token. <https://buildkite.com/docs/agent/v3/cli-oidc>
const BUILDKITE_VARIABLE: &str = "BUILDKITE_JOB_ID";

/// How long Buildkite's agent may take.
const BUILDKITE_LIMIT: Duration = Duration::from_secs(30);

/// What to do if a job on GitHub Actions gets no token.
pub(crate) const PERMISSION_HINT: &str = "give the job `permissions: id-token: write`";

/// Where a registry finds the token of the job, besides the identity service of the CI system.
pub(crate) struct JobToken {
    /// Names a file with the token, which is read each time: Kubernetes, for one, renews it.
    pub(crate) file_variable: &'static str,
    /// Holds the token: on GitLab, the name of an entry of `id_tokens`, which states the audience.
    /// <https://docs.gitlab.com/ci/secrets/id_token_authentication/>
    pub(crate) token_variable: &'static str,
}

impl JobToken {
    /// Explicit if the token is named by a variable; else found, at the identity service of the CI system.
    pub(crate) fn origin(&self, system: &dyn System) -> Origin {
        let named =
            [self.file_variable, self.token_variable].into_iter().find(|name| system.secret_setting(name).is_some());
        named.map_or(Origin::Found, |name| Origin::Explicit(name.into()))
    }

    /// Whether this is a job that has a token, or may ask for one.
    pub(crate) fn is_available(&self, system: &dyn System) -> bool {
        let variables =
            [self.file_variable, self.token_variable, GITHUB_URL_VARIABLE, CIRCLE_VARIABLE, BUILDKITE_VARIABLE];
        variables.iter().any(|name| system.secret_setting(name).is_some())
    }

    /// The token for an audience. A job on GitHub Actions without the permission to ask is an error, since GitHub sets its
    /// variables only with that. A request is sent up to `attempts` times.
    pub(crate) fn get(&self, system: &dyn System, audience: &str, attempts: u32) -> Result<Attempt<AccessToken>> {
        if let Some(path) = system.setting(self.file_variable) {
            return private_file::read_token(system, self.file_variable, &path).map(Attempt::Token);
        }
        if let Some(token) = AccessToken::from_variable(system, self.token_variable)? {
            return Ok(Attempt::Token(token));
        }
        if let Some(url) = system.setting(GITHUB_URL_VARIABLE) {
            return match system.secret_setting(GITHUB_TOKEN_VARIABLE) {
                Some(bearer) => {
                    let mut url = Url::parse(&url)
                        .map_err(|_| Error::new(Kind::Configuration, format!("{GITHUB_URL_VARIABLE} is not a URL")))?;
                    url.query_pairs_mut().append_pair("audience", audience);
                    let request =
                        Request::get(url).header("Accept", "application/json").bearer(&bearer).with_attempts(attempts);
                    ask(system, &request, &bearer, "GitHub", "value", PERMISSION_HINT).map(Attempt::Token)
                }
                None => Ok(self.not_configured(GITHUB_TOKEN_VARIABLE)),
            };
        }
        if system.setting("GITHUB_ACTIONS").is_some() {
            let message = "this job may not ask GitHub for its identity token";
            return Err(Error::new(Kind::Configuration, message).with_hint(PERMISSION_HINT));
        }
        if let Some(token) = AccessToken::from_variable(system, CIRCLE_VARIABLE)? {
            return Ok(Attempt::Token(token));
        }
        if system.setting(BUILDKITE_VARIABLE).is_some()
            && let Some(path) = system.find_program("buildkite-agent")
        {
            let agent = TokenProgram {
                name: "buildkite-agent",
                path,
                limit: BUILDKITE_LIMIT,
                variables: &[],
                hint: "run `buildkite-agent oidc request-token` in the job to see why",
            };
            return agent.token(system, &["oidc", "request-token", "--audience", audience]).map(Attempt::Token);
        }
        Ok(self.not_configured(GITHUB_URL_VARIABLE))
    }

    fn not_configured(&self, missing: &str) -> Attempt<AccessToken> {
        Attempt::not_configured(format!("no {}, no {missing}", self.file_variable))
    }
}

/// Asks `issuer` for a token, which it answers in the JSON field `field`. Errors hide `bearer`, which the request carries;
/// `hint` is what to do if the issuer refuses.
pub(crate) fn ask(
    system: &dyn System,
    request: &Request,
    bearer: &Secret,
    issuer: &str,
    field: &str,
    hint: &str,
) -> Result<AccessToken> {
    let response = retry::send(system, request)?;
    if !response.is_success() {
        let what = format!("{issuer} gave this job no identity token ({}: HTTP {})", response.host, response.status);
        return Err(Refusal::read(&response, &[bearer.expose()]).into_error(what, Some(hint.into())));
    }
    let mut answer: Map<String, Value> = response.json()?;
    let token = match answer.remove(field) {
        Some(Value::String(token)) => AccessToken::parse(Zeroizing::new(token).as_bytes()).ok(),
        _ => None,
    };
    token.ok_or_else(|| Error::new(Kind::Protocol, format!("{issuer} answered without an identity token")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{
        fake::{FakeSystem, absolute},
        http::Method,
    };

    const FILE_VARIABLE: &str = "JOB_TOKEN_FILE";

    const JOB_TOKEN: JobToken = JobToken { file_variable: FILE_VARIABLE, token_variable: "JOB_TOKEN" };

    fn ask(fake: &FakeSystem) -> Result<Attempt<AccessToken>> {
        JOB_TOKEN.get(fake, "https://a.example", 3)
    }

    fn token(fake: &FakeSystem) -> Option<String> {
        match ask(fake).unwrap() {
            Attempt::Token(token) => Some(token.secret().expose().to_owned()),
            Attempt::NotConfigured(_) => None,
        }
    }

    #[test]
    fn a_gitlab_job_holds_the_token_in_a_variable_of_its_own() {
        let fake = FakeSystem::default().variable("JOB_TOKEN", "token\n");
        assert_eq!(token(&fake).as_deref(), Some("token"));
        assert_eq!(JOB_TOKEN.origin(&fake), Origin::Explicit("JOB_TOKEN".into()));
        let error = ask(&FakeSystem::default().variable("JOB_TOKEN", "two words")).unwrap_err();
        assert_eq!(error.to_string(), "JOB_TOKEN holds more than a token; correct or unset JOB_TOKEN");
    }

    #[test]
    fn a_circleci_job_holds_the_token_in_its_variable() {
        let fake = FakeSystem::default().variable(CIRCLE_VARIABLE, "token");
        assert_eq!((token(&fake).as_deref(), JOB_TOKEN.origin(&fake)), (Some("token"), Origin::Found));
    }

    #[test]
    fn a_buildkite_job_gets_the_token_from_the_agent() {
        let arguments = ["oidc", "request-token", "--audience", "https://a.example"];
        let job = |fake: FakeSystem| fake.variable(BUILDKITE_VARIABLE, "1");
        let fake = job(FakeSystem::default().run("buildkite-agent", &arguments, 0, "token\n", ""));
        assert_eq!(token(&fake).as_deref(), Some("token"));
        assert_eq!(token(&job(FakeSystem::default())), None, "without the agent");
    }

    #[test]
    fn the_audience_joins_the_query_that_the_address_has() {
        let fake = FakeSystem::default()
            .variable(GITHUB_URL_VARIABLE, "https://github.example/token?api-version=2.0")
            .variable(GITHUB_TOKEN_VARIABLE, "bearer")
            .answer(Method::Get, "https://github.example/token", 200, r#"{"value":" token\n"}"#);
        let Attempt::Token(token) = ask(&fake).unwrap() else { panic!("no token") };
        assert_eq!(token.secret().expose(), "token");
        assert_eq!(fake.requests()[0].url.query(), Some("api-version=2.0&audience=https%3A%2F%2Fa.example"));
    }

    #[test]
    fn missing_variables_are_named_a_missing_permission_fails() {
        let skipped = |fake: FakeSystem| match ask(&fake) {
            Ok(Attempt::NotConfigured(why)) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(skipped(FakeSystem::default()), "no JOB_TOKEN_FILE, no ACTIONS_ID_TOKEN_REQUEST_URL");
        let half = FakeSystem::default().variable(GITHUB_URL_VARIABLE, "https://github.example/");
        assert_eq!(skipped(half), "no JOB_TOKEN_FILE, no ACTIONS_ID_TOKEN_REQUEST_TOKEN");
        let error = ask(&FakeSystem::default().variable("GITHUB_ACTIONS", "true")).unwrap_err();
        assert_eq!(error.hint(), Some(PERMISSION_HINT));
    }

    #[test]
    fn a_file_comes_first_and_must_hold_one_token() {
        let file = |content: &str| {
            FakeSystem::default().variable(FILE_VARIABLE, &absolute("/run/token")).file("/run/token", content)
        };
        assert!(matches!(ask(&file("token\n")), Ok(Attempt::Token(token)) if token.secret().expose() == "token"));
        for (content, held) in [
            ("two\nlines", "more than a token"),
            ("two words", "more than a token"),
            ("t\u{f6}ken", "something that is not a token"),
            ("x-secret\u{7}", "something that is not a token"),
        ] {
            let error = ask(&file(content)).unwrap_err();
            assert_eq!(error.message(), format!("JOB_TOKEN_FILE names {}, which holds {held}", absolute("/run/token")));
        }
    }
}
