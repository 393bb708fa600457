//! The identity token of a workload or a CI job, exchanged for the keys of a role.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html>

use super::Wanted;
use crate::{
    auth::{
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
        job_token::JobToken,
        private_file,
    },
    aws::{
        keys::Keys,
        sts::{self, Role},
        variables,
    },
    error::{Error, Kind, Result},
    system::{System, http::ATTEMPTS},
};

/// Names the file of the token.
const FILE_VARIABLE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

/// Names the role.
const ROLE_VARIABLE: &str = "AWS_ROLE_ARN";

/// Names the session of the role.
const SESSION_NAME_VARIABLE: &str = "AWS_ROLE_SESSION_NAME";

/// The token of a CI job.
const JOB_TOKEN: JobToken = JobToken { file_variable: FILE_VARIABLE, token_variable: variables::OIDC_TOKEN };

/// The role of the variables.
fn role(system: &dyn System) -> Option<Role> {
    let session_name = system.setting(SESSION_NAME_VARIABLE);
    system.setting(ROLE_VARIABLE).map(|arn| Role { arn, session_name, ..Role::default() })
}

/// The error for a token without a role.
fn lacks_role(variable: &str) -> Error {
    Error::new(Kind::Configuration, format!("{variable} is set and {ROLE_VARIABLE} is not"))
        .with_hint(format!("set {ROLE_VARIABLE} to the role to assume, or unset {variable}"))
}

/// The token in the file that AWS_WEB_IDENTITY_TOKEN_FILE names, as Kubernetes sets it up. Read each time: Kubernetes renews it.
pub(crate) struct WebIdentity;

impl TokenProvider<Wanted, Keys> for WebIdentity {
    fn name(&self) -> &'static str {
        "web_identity"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Explicit(FILE_VARIABLE.into())
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, wanted: &Wanted) -> Result<Attempt<Keys>> {
        let Some(path) = system.setting(FILE_VARIABLE) else {
            return Ok(Attempt::not_configured(format!("no {FILE_VARIABLE}")));
        };
        let role = role(system).ok_or_else(|| lacks_role(FILE_VARIABLE))?;
        let token = private_file::read_token(system, FILE_VARIABLE, &path)?;
        sts::assume_role_with_web_identity(system, &wanted.client, &wanted.region, &token, &role).map(Attempt::Token)
    }
}

/// The identity token of a CI job, for the role in AWS_ROLE_ARN.
pub(crate) struct Job;

impl TokenProvider<Wanted, Keys> for Job {
    fn name(&self) -> &'static str {
        "ci_job"
    }

    fn origin(&self, system: &dyn System) -> Origin {
        match JOB_TOKEN.origin(system) {
            // The identity of the job is found, but the role is configured.
            Origin::Found => Origin::Configured,
            named => named,
        }
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, wanted: &Wanted) -> Result<Attempt<Keys>> {
        let Some(role) = role(system) else {
            return match system.secret_setting(variables::OIDC_TOKEN) {
                Some(_) => Err(lacks_role(variables::OIDC_TOKEN)),
                None => Ok(Attempt::not_configured(format!("no {ROLE_VARIABLE}"))),
            };
        };
        match JOB_TOKEN.get(system, audience(wanted), ATTEMPTS)? {
            Attempt::Token(token) => {
                sts::assume_role_with_web_identity(system, &wanted.client, &wanted.region, &token, &role)
                    .map(Attempt::Token)
            }
            Attempt::NotConfigured(why) => Ok(Attempt::NotConfigured(why)),
        }
    }
}

/// The audience of a token for STS.
fn audience(wanted: &Wanted) -> &'static str {
    if wanted.region.partition().id == "aws-cn" { "sts.amazonaws.com.cn" } else { "sts.amazonaws.com" }
}
