//! Tokens in which a CI system says which job it is that has them (OpenID Connect).

use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroizing;

use crate::{
    auth::{access_token::AccessToken, chain::Attempt, private_file, refusal::Refusal},
    error::{Error, Kind, Result},
    system::{System, http::Request, retry},
    variable::Variable,
};

/// The variables of GitHub Actions.
pub(crate) static VARIABLES: &[Variable] = &[
    Variable::login(GITHUB_TOKEN_VARIABLE, "bearer for the job's identity token (set by GitHub Actions)"),
    Variable::login(GITHUB_URL_VARIABLE, "address of the job's identity token (set by GitHub Actions)"),
    Variable::setting("GITHUB_ACTIONS", "marks a job (set by GitHub Actions)"),
];

/// Where a job on GitHub Actions asks for its token; it has a query already.
/// <https://docs.github.com/actions/reference/security/oidc>
pub(crate) const GITHUB_URL_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";

/// The bearer to ask with.
const GITHUB_TOKEN_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// What to do for a job that gets no token.
pub(crate) const PERMISSION_HINT: &str = "give the job `permissions: id-token: write`";

/// The token of the job that this is, for an audience: from the file that `file_variable` names, which is read anew
/// each time because it is renewed while we live; else from GitHub Actions. A job of GitHub's that lacks the permission
/// is an error: GitHub sets its variables only for those that have it.
pub(crate) fn of_this_job(system: &dyn System, file_variable: &str, audience: &str) -> Result<Attempt<AccessToken>> {
    if let Some(path) = system.setting(file_variable) {
        return private_file::read_token(system, file_variable, &path).map(Attempt::Token);
    }
    let (url, bearer) = match (system.setting(GITHUB_URL_VARIABLE), system.secret_setting(GITHUB_TOKEN_VARIABLE)) {
        (Some(url), Some(bearer)) => (url, bearer),
        (Some(_), None) => {
            return Ok(Attempt::not_configured(format!("no {file_variable}, no {GITHUB_TOKEN_VARIABLE}")));
        }
        (None, _) if system.setting("GITHUB_ACTIONS").is_some() => {
            return Err(Error::new(Kind::Configuration, "this job may not ask GitHub for its identity token")
                .with_hint(PERMISSION_HINT));
        }
        (None, _) => return Ok(Attempt::not_configured(format!("no {file_variable}, no {GITHUB_URL_VARIABLE}"))),
    };
    let mut url =
        Url::parse(&url).map_err(|_| Error::new(Kind::Configuration, format!("{GITHUB_URL_VARIABLE} is not a URL")))?;
    url.query_pairs_mut().append_pair("audience", audience);
    let request = Request::get(url).header("Accept", "application/json").bearer(&bearer);
    ask(system, &request, "GitHub", "value", PERMISSION_HINT).map(Attempt::Token)
}

/// Asks `issuer` for a token, which it answers in the JSON field `field`. `hint` is what to do if it refuses.
pub(crate) fn ask(
    system: &dyn System,
    request: &Request,
    issuer: &str,
    field: &str,
    hint: &str,
) -> Result<AccessToken> {
    let response = retry::send(system, request)?;
    if !response.is_success() {
        let what = format!("{issuer} gave this job no identity token ({}: HTTP {})", response.host, response.status);
        let sent: Vec<_> = request.headers.iter().map(|(_, value)| value.expose()).collect();
        return Err(Refusal::read(&response, &sent).into_error(what, Some(hint.into())));
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
    use crate::system::{fake::FakeSystem, http::Method};

    const FILE_VARIABLE: &str = "JOB_TOKEN_FILE";

    fn ask(fake: &FakeSystem) -> Result<Attempt<AccessToken>> {
        of_this_job(fake, FILE_VARIABLE, "https://a.example")
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
    fn what_is_missing_is_named_and_a_missing_permission_is_an_error() {
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
        let file =
            |content: &str| FakeSystem::default().variable(FILE_VARIABLE, "/run/token").file("/run/token", content);
        assert!(matches!(ask(&file("token\n")), Ok(Attempt::Token(token)) if token.secret().expose() == "token"));
        for (content, held) in [
            ("two\nlines", "more than a token"),
            ("two words", "more than a token"),
            ("t\u{f6}ken", "something that is not a token"),
            ("x-secret\u{7}", "something that is not a token"),
        ] {
            let error = ask(&file(content)).unwrap_err();
            assert_eq!(error.message(), format!("JOB_TOKEN_FILE names /run/token, which holds {held}"));
        }
    }
}
