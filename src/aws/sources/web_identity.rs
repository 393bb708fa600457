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
pub(super) const FILE_VARIABLE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

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

/// The token in the file that AWS_WEB_IDENTITY_TOKEN_FILE names, as Kubernetes sets it up. Read each time: Kubernetes
/// renews it.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::{client::Client, config::Config, region::Region},
        system::{
            fake::{FakeSystem, absolute},
            http::Method,
        },
    };

    const ROLE: &str = "arn:aws:iam::111122223333:role/Reader";

    const SESSION: &str = "<R><AccessKeyId>ASIAADA</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                           <SessionToken>t</SessionToken></R>";

    fn ask(source: &dyn TokenProvider<Wanted, Keys>, fake: &FakeSystem, region: &str) -> Result<Attempt<Keys>> {
        let client = Client::new(fake, None, None).unwrap();
        let wanted = Wanted { config: Config::default(), client, region: Region::parse(region).unwrap() };
        source.token(fake, &wanted)
    }

    fn workload() -> FakeSystem {
        FakeSystem::default()
            .variable(FILE_VARIABLE, &absolute("/run/token"))
            .file("/run/token", "proof-secret\n")
            .variable(ROLE_VARIABLE, ROLE)
            .variable(SESSION_NAME_VARIABLE, "ada")
    }

    fn skipped(source: &dyn TokenProvider<Wanted, Keys>, fake: &FakeSystem) -> String {
        match ask(source, fake, "eu-west-1") {
            Ok(Attempt::NotConfigured(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_workload_exchanges_the_token_in_its_file() {
        let fake = workload().answer(Method::Post, "https://sts.eu-west-1.amazonaws.com/", 200, SESSION);
        assert!(matches!(ask(&WebIdentity, &fake, "eu-west-1"), Ok(Attempt::Token(_))));
        let body = String::from_utf8(fake.requests()[0].body.to_vec()).unwrap();
        assert!(body.ends_with("role%2FReader&RoleSessionName=ada&WebIdentityToken=proof-secret"), "{body}");
    }

    #[test]
    fn half_a_configuration_is_named() {
        for (source, variable) in
            [(&WebIdentity as &dyn TokenProvider<Wanted, Keys>, FILE_VARIABLE), (&Job, variables::OIDC_TOKEN)]
        {
            let error = ask(source, &FakeSystem::default().variable(variable, "/x-secret"), "eu-west-1").unwrap_err();
            assert_eq!(error.message(), format!("{variable} is set and AWS_ROLE_ARN is not"));
        }
        let fake = FakeSystem::default().variable(FILE_VARIABLE, &absolute("/run/other")).variable(ROLE_VARIABLE, ROLE);
        let error = ask(&WebIdentity, &fake, "eu-west-1").unwrap_err();
        assert!(error.message().contains("which cannot be read"), "{error}");
        let error = ask(&WebIdentity, &workload().variable(ROLE_VARIABLE, "Reader"), "eu-west-1").unwrap_err();
        assert!(error.hint().unwrap().contains(ROLE_VARIABLE), "{error}");
    }

    #[test]
    fn without_a_token_or_a_role_nothing_is_configured() {
        let role = || FakeSystem::default().variable(ROLE_VARIABLE, ROLE);
        assert_eq!(skipped(&WebIdentity, &role()), "no AWS_WEB_IDENTITY_TOKEN_FILE");
        let why = "no AWS_WEB_IDENTITY_TOKEN_FILE, no ACTIONS_ID_TOKEN_REQUEST_URL";
        assert_eq!(skipped(&Job, &role()), why);
        assert_eq!(skipped(&Job, &FakeSystem::default().variable("GITHUB_ACTIONS", "true")), "no AWS_ROLE_ARN");
        assert!(ask(&Job, &role().variable("GITHUB_ACTIONS", "true"), "eu-west-1").is_err(), "without permission");
    }

    #[test]
    fn the_audience_of_a_job_is_that_of_its_partition() {
        for (region, suffix) in [("eu-west-1", "amazonaws.com"), ("cn-north-1", "amazonaws.com.cn")] {
            let fake = FakeSystem::default()
                .variable(ROLE_VARIABLE, ROLE)
                .variable("ACTIONS_ID_TOKEN_REQUEST_URL", "https://github.example/token?v=1")
                .variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "bearer")
                .answer(Method::Get, "https://github.example/token", 200, r#"{"value":"proof"}"#)
                .answer(Method::Post, &format!("https://sts.{region}.{suffix}/"), 200, SESSION);
            assert!(matches!(ask(&Job, &fake, region), Ok(Attempt::Token(_))));
            let audience = format!("v=1&audience=sts.{suffix}");
            assert_eq!(fake.requests()[0].url.query(), Some(audience.as_str()));
            assert_eq!(Job.origin(&fake), Origin::Configured);
        }
        let gitlab = FakeSystem::default().variable(variables::OIDC_TOKEN, "token");
        assert_eq!(Job.origin(&gitlab), Origin::Explicit(variables::OIDC_TOKEN.into()));
    }
}
