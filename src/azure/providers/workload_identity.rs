//! An application that proves itself with a token of another issuer: a file that Kubernetes mounts
//! and renews, or the job's own token on GitHub Actions.
//! <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>

use url::Url;

use super::{Grant, Tenant, assertion, named_file};
use crate::{
    azure::entra::{CLIENT_VARIABLE, request_token_by_assertion},
    error::{Error, Kind, Result},
    provider::{Attempt, TokenProvider},
    secret::Secret,
    sys::{System, http::Request},
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

/// What to do for a job that gets no token.
const PERMISSION_HINT: &str = "give the job `permissions: id-token: write`";

/// The audience that Entra ID wants unless the application says otherwise.
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// The provider.
pub struct WorkloadIdentity;

impl TokenProvider<Tenant, Grant> for WorkloadIdentity {
    fn name(&self) -> &'static str {
        "workload_identity"
    }

    fn token(&self, system: &dyn System, tenant: &Tenant) -> Result<Attempt<Grant>> {
        let source = match Source::from_environment(system) {
            Ok(source) => source,
            Err(_) if lacks_permission(system) => {
                return Err(Error::new(Kind::Configuration, "this job may not ask GitHub for its identity token")
                    .with_hint(PERMISSION_HINT));
            }
            Err(missing) => return Ok(Attempt::Skip(missing)),
        };
        let Some(client_id) = system.setting(CLIENT_VARIABLE) else {
            return Ok(Attempt::skip(format!("no {CLIENT_VARIABLE}")));
        };
        let assertion = match source {
            // Read anew each time: the file is renewed while we live.
            Source::File(path) => named_file::read_token(system, FILE_VARIABLE, &path)?,
            Source::Github { url, token } => ask_github(system, &url, &token)?,
        };
        let tenant = tenant.of_application(system)?;
        request_token_by_assertion(system, &tenant, &client_id, assertion.expose())
            .map(|token| Attempt::Token(Grant::Bearer(token)))
    }
}

/// Where the assertion comes from.
enum Source {
    File(String),
    Github { url: String, token: Secret },
}

impl Source {
    /// The source that is set up, or what is missing.
    fn from_environment(system: &dyn System) -> std::result::Result<Self, String> {
        if let Some(path) = system.setting(FILE_VARIABLE) {
            return Ok(Self::File(path));
        }
        match (system.setting(GITHUB_URL_VARIABLE), system.secret_setting(GITHUB_TOKEN_VARIABLE)) {
            (Some(url), Some(token)) => Ok(Self::Github { url, token }),
            (Some(_), None) => Err(format!("no {GITHUB_TOKEN_VARIABLE}")),
            (None, Some(_)) => Err(format!("no {GITHUB_URL_VARIABLE}")),
            (None, None) => Err(format!("no {FILE_VARIABLE}, no {GITHUB_URL_VARIABLE}")),
        }
    }
}

/// Whether this is a job on GitHub Actions that names an application and lacks the permission to prove to
/// be it: GitHub sets its variables only for jobs that have it.
fn lacks_permission(system: &dyn System) -> bool {
    system.setting("GITHUB_ACTIONS").is_some()
        && system.setting(GITHUB_URL_VARIABLE).is_none()
        && system.setting(CLIENT_VARIABLE).is_some()
}

fn ask_github(system: &dyn System, url: &str, token: &Secret) -> Result<Secret> {
    let mut url =
        Url::parse(url).map_err(|_| Error::new(Kind::Configuration, format!("{GITHUB_URL_VARIABLE} is not a URL")))?;
    let audience = system.setting(AUDIENCE_VARIABLE).unwrap_or_else(|| AUDIENCE.to_owned());
    url.query_pairs_mut().append_pair("audience", &audience);
    let request = Request::get(url).header("Accept", "application/json").bearer(token);
    assertion::request(system, &request, "GitHub", "value", PERMISSION_HINT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fake::Fake;

    fn ask(system: &Fake) -> Result<Attempt<Grant>> {
        WorkloadIdentity.token(system, &Tenant::new("contoso.example").unwrap())
    }

    #[test]
    fn a_github_job_without_the_permission_is_told_so() {
        let job = || Fake::default().variable("GITHUB_ACTIONS", "true");
        let error = ask(&job().variable(CLIENT_VARIABLE, "application")).unwrap_err();
        assert_eq!(error.hint(), Some(PERMISSION_HINT));
        assert!(matches!(ask(&job()), Ok(Attempt::Skip(_))), "a job that names no application wants none");
    }
}
