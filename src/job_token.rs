//! Tokens in which a CI system says which job it is that has them.

use serde_json::{Map, Value};
use url::Url;

use crate::{
    error::{Error, Kind, Result},
    secret::Secret,
    sys::{System, http::Request, retry},
};

/// Where a job on GitHub Actions asks for its token; it has a query already.
/// <https://docs.github.com/actions/reference/security/oidc>
pub const GITHUB_URL_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";

/// The bearer to ask with.
pub const GITHUB_TOKEN_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// What to do for a job that gets no token.
pub const PERMISSION_HINT: &str = "give the job `permissions: id-token: write`";

/// A job on GitHub Actions that may ask for its token.
pub struct GithubJob {
    url: String,
    bearer: Secret,
}

impl GithubJob {
    /// The job that this is, or the variables that are missing, in a clause such as "no NAME". A job that lacks
    /// the permission is an error: GitHub sets the variables only for those that have it.
    pub fn from_environment(system: &dyn System) -> Result<std::result::Result<Self, String>> {
        match (system.setting(GITHUB_URL_VARIABLE), system.secret_setting(GITHUB_TOKEN_VARIABLE)) {
            (Some(url), Some(bearer)) => Ok(Ok(Self { url, bearer })),
            (Some(_), None) => Ok(Err(format!("no {GITHUB_TOKEN_VARIABLE}"))),
            (None, _) if system.setting("GITHUB_ACTIONS").is_some() => {
                Err(Error::new(Kind::Configuration, "this job may not ask GitHub for its identity token")
                    .with_hint(PERMISSION_HINT))
            }
            (None, _) => Ok(Err(format!("no {GITHUB_URL_VARIABLE}"))),
        }
    }

    /// The token of this job for an audience.
    pub fn token(&self, system: &dyn System, audience: &str) -> Result<Secret> {
        let mut url = Url::parse(&self.url)
            .map_err(|_| Error::new(Kind::Configuration, format!("{GITHUB_URL_VARIABLE} is not a URL")))?;
        url.query_pairs_mut().append_pair("audience", audience);
        let request = Request::get(url).header("Accept", "application/json").bearer(&self.bearer);
        ask(system, &request, "GitHub", "value", PERMISSION_HINT)
    }
}

/// Asks `issuer` for a token, which it answers in the JSON field `field`. `hint` is what to do if it refuses.
pub fn ask(system: &dyn System, request: &Request, issuer: &str, field: &str, hint: &str) -> Result<Secret> {
    let response = retry::send(system, request)?;
    if !response.is_success() {
        let refusal = format!("{issuer} gave this job no identity token (HTTP {})", response.status);
        return Err(Error::new(Kind::Rejected, refusal).with_hint(hint));
    }
    let mut answer: Map<String, Value> = response.json()?;
    let token = match answer.remove(field) {
        Some(Value::String(token)) => Secret::from_trimmed(Secret::new(token).expose()),
        _ => None,
    };
    token.ok_or_else(|| Error::new(Kind::Protocol, format!("{issuer} answered without an identity token")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{fake::Fake, http::Method};

    #[test]
    fn the_audience_joins_the_query_that_the_address_has() {
        let fake = Fake::default()
            .variable(GITHUB_URL_VARIABLE, "https://github.example/token?api-version=2.0")
            .variable(GITHUB_TOKEN_VARIABLE, "bearer")
            .answer(Method::Get, "https://github.example/token", 200, r#"{"value":" token\n"}"#);
        let job = GithubJob::from_environment(&fake).unwrap().ok().unwrap();
        assert_eq!(job.token(&fake, "https://a.example").unwrap().expose(), "token");
        assert_eq!(fake.requests()[0].url.query(), Some("api-version=2.0&audience=https%3A%2F%2Fa.example"));
    }

    #[test]
    fn what_is_missing_is_named_and_a_missing_permission_is_an_error() {
        let missing = |fake: Fake| GithubJob::from_environment(&fake).map(|job| job.err().unwrap());
        assert_eq!(missing(Fake::default()).unwrap(), "no ACTIONS_ID_TOKEN_REQUEST_URL");
        let half = Fake::default().variable(GITHUB_URL_VARIABLE, "https://github.example/");
        assert_eq!(missing(half).unwrap(), "no ACTIONS_ID_TOKEN_REQUEST_TOKEN");
        let error = missing(Fake::default().variable("GITHUB_ACTIONS", "true")).unwrap_err();
        assert_eq!(error.hint(), Some(PERMISSION_HINT));
    }
}
