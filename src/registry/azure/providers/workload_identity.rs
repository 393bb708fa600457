//! An application that proves itself with a token of another issuer: a file that Kubernetes mounts and renews, or the
//! identity token of a CI job.
//! <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>

use super::{Grant, Tenant, client_secret::lacks_client_id};
use crate::{
    auth::{
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
        job_token::{GITHUB_URL_VARIABLE, JobToken},
    },
    error::Result,
    registry::azure::{
        entra::{CLIENT_VARIABLE, request_token_by_assertion},
        retries::attempts,
    },
    system::System,
};

/// Names the file with the assertion.
const FILE_VARIABLE: &str = "AZURE_FEDERATED_TOKEN_FILE";

/// Holds the assertion.
const TOKEN_VARIABLE: &str = "RINGBEARER_AZURE_OIDC_TOKEN";

/// The token of the job.
const JOB_TOKEN: JobToken = JobToken { file_variable: FILE_VARIABLE, token_variable: TOKEN_VARIABLE };

/// Overrides the audience of the token.
const AUDIENCE_VARIABLE: &str = "AZURE_FEDERATED_TOKEN_AUDIENCE";

/// The audience that Entra ID expects unless the federated credential names another.
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// Whether an application is set and the job has, or may ask for, a token.
pub(super) fn is_configured(system: &dyn System) -> bool {
    system.setting(CLIENT_VARIABLE).is_some() && JOB_TOKEN.is_available(system)
}

/// The provider.
pub(crate) struct WorkloadIdentity;

impl TokenProvider<Tenant, Grant> for WorkloadIdentity {
    fn name(&self) -> &'static str {
        "workload_identity"
    }

    fn origin(&self, system: &dyn System) -> Origin {
        JOB_TOKEN.origin(system)
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, tenant: &Tenant) -> Result<Attempt<Grant>> {
        let Some(client_id) = system.setting(CLIENT_VARIABLE) else {
            if system.secret_setting(TOKEN_VARIABLE).is_some() {
                return Err(lacks_client_id(TOKEN_VARIABLE));
            }
            // The file alone is no mistake: the webhook of Kubernetes sets its variable for every service account, and the
            // application only if the account names one.
            let missing = format!("no {FILE_VARIABLE}, no {GITHUB_URL_VARIABLE}");
            let is_begun = JOB_TOKEN.is_available(system);
            return Ok(Attempt::NotConfigured(if is_begun { format!("no {CLIENT_VARIABLE}") } else { missing }));
        };
        let audience = system.setting(AUDIENCE_VARIABLE);
        let assertion = match JOB_TOKEN.get(system, audience.as_deref().unwrap_or(AUDIENCE), attempts(system))? {
            Attempt::Token(assertion) => assertion,
            Attempt::NotConfigured(why) => return Ok(Attempt::NotConfigured(why)),
        };
        let tenant = tenant.of_application(system)?;
        request_token_by_assertion(system, &tenant, &client_id, assertion.secret().expose())
            .map(|token| Attempt::Token(Grant::Bearer(token)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::job_token::PERMISSION_HINT,
        system::fake::{FakeSystem, absolute},
    };

    fn ask(system: &FakeSystem) -> Result<Attempt<Grant>> {
        WorkloadIdentity.token(system, &Tenant::new("contoso.example").unwrap())
    }

    #[test]
    fn a_job_token_in_a_variable_needs_the_application() {
        let error = ask(&FakeSystem::default().variable(TOKEN_VARIABLE, "x-secret")).unwrap_err();
        assert_eq!(error.message(), format!("{TOKEN_VARIABLE} is set and {CLIENT_VARIABLE} is not"));
        assert!(!error.to_string().contains("x-secret"), "{error}");
        let file = FakeSystem::default().variable(FILE_VARIABLE, &absolute("/run/token"));
        assert!(matches!(ask(&file), Ok(Attempt::NotConfigured(why)) if why == format!("no {CLIENT_VARIABLE}")));
    }

    #[test]
    fn a_github_job_without_the_permission_is_an_error() {
        let job = || FakeSystem::default().variable("GITHUB_ACTIONS", "true");
        let error = ask(&job().variable(CLIENT_VARIABLE, "application")).unwrap_err();
        assert_eq!(error.hint(), Some(PERMISSION_HINT));
        assert!(matches!(ask(&job()), Ok(Attempt::NotConfigured(_))), "a job that names no application wants none");
    }
}
