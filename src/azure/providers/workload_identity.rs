//! An application that proves itself with a token of another issuer: a file that Kubernetes mounts
//! and renews, or the job's own token on GitHub Actions.
//! <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>

use std::path::Path;

use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use super::{Grant, Tenant};
use crate::{
    azure::entra::{CLIENT_VARIABLE, request_token_by_assertion},
    error::{Error, Kind, Result},
    provider::{Attempt, TokenProvider},
    secret::Secret,
    sys::{
        System,
        http::Request,
        retry::{self, Policy},
    },
};

/// Names the file with the assertion.
const FILE_VARIABLE: &str = "AZURE_FEDERATED_TOKEN_FILE";

/// Where a job on GitHub Actions asks for its token; it has a query already.
/// <https://docs.github.com/actions/reference/security/oidc>
const GITHUB_URL_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";

/// The bearer to ask with.
const GITHUB_TOKEN_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// Replaces the audience that the token is asked for.
const AUDIENCE_VARIABLE: &str = "AZURE_FEDERATED_TOKEN_AUDIENCE";

/// The audience that Entra ID wants unless the application says otherwise.
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// The most bytes that the file may have.
const FILE_CAP: usize = 64 * 1024;

/// The provider.
pub struct WorkloadIdentity;

impl TokenProvider<Tenant, Grant> for WorkloadIdentity {
    fn name(&self) -> &'static str {
        "workload_identity"
    }

    fn token(&self, system: &dyn System, tenant: &Tenant) -> Result<Attempt<Grant>> {
        let file = system.setting(FILE_VARIABLE);
        let github = system
            .setting(GITHUB_URL_VARIABLE)
            .zip(system.secret_setting(GITHUB_TOKEN_VARIABLE));
        if file.is_none() && github.is_none() {
            return Ok(Attempt::skip(format!("no {FILE_VARIABLE}, no {GITHUB_URL_VARIABLE}")));
        }
        let Some(client_id) = system.setting(CLIENT_VARIABLE) else {
            return Ok(Attempt::skip(format!("no {CLIENT_VARIABLE}")));
        };
        let assertion = match (file, github) {
            (Some(path), _) => read_file(system, &path)?,
            (None, Some((url, token))) => ask_github(system, &url, &token)?,
            (None, None) => return Ok(Attempt::skip("there is no assertion")),
        };
        request_token_by_assertion(system, tenant, &client_id, assertion.expose())
            .map(|token| Attempt::Token(Grant::Bearer(token)))
    }
}

/// Read anew each time: the file is renewed while we live.
fn read_file(system: &dyn System, path: &str) -> Result<Secret> {
    let broken = |why: &str| {
        Error::new(
            Kind::Configuration,
            format!("{FILE_VARIABLE} names {path}, which {why}"),
        )
    };
    let content = system
        .read_file(Path::new(path), FILE_CAP)
        .map(Zeroizing::new)
        .map_err(|error| broken(&format!("cannot be read: {}", error.kind())))?;
    Secret::from_utf8_trimmed(&content).ok_or_else(|| broken("is empty or not text"))
}

#[derive(Deserialize)]
struct GithubAnswer {
    value: Secret,
}

fn ask_github(system: &dyn System, url: &str, token: &Secret) -> Result<Secret> {
    let mut url =
        Url::parse(url).map_err(|_| Error::new(Kind::Configuration, format!("{GITHUB_URL_VARIABLE} is not a URL")))?;
    let audience = system.setting(AUDIENCE_VARIABLE).unwrap_or_else(|| AUDIENCE.to_owned());
    url.query_pairs_mut().append_pair("audience", &audience);
    let request = Request::get(url).header("Accept", "application/json").bearer(token);
    let response = retry::send(system, &request, Policy::USUAL)?;
    if !response.is_success() {
        return Err(Error::new(
            Kind::Rejected,
            format!("GitHub gave this job no identity token (HTTP {})", response.status),
        )
        .with_hint("give the job `permissions: id-token: write`"));
    }
    let answer: GithubAnswer = response.json()?;
    Secret::from_trimmed(answer.value.expose())
        .ok_or_else(|| Error::new(Kind::Protocol, "GitHub answered with an empty identity token"))
}
