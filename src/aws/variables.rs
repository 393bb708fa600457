//! The environment variables of AWS's own programs.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html>

use crate::variable::Variable;

/// The variables that decide which account answers, and how its services are reached.
pub(crate) static VARIABLES: &[Variable] = &[
    Variable::login(ACCESS_KEY_ID, "id of an access key"),
    Variable::network(CA_BUNDLE, "CA bundle for AWS's services instead of the platform's trust store"),
    Variable::login(CONFIG_FILE, "configuration file of AWS's programs"),
    Variable::login("AWS_CONTAINER_AUTHORIZATION_TOKEN", "header for the credentials service of a container"),
    Variable::login("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "file with that header"),
    Variable::login("AWS_CONTAINER_CREDENTIALS_FULL_URI", "address of the credentials service of a container"),
    Variable::login("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "path at the credentials service of Amazon ECS"),
    Variable::login("AWS_CREDENTIAL_EXPIRATION", "when the access key in the environment ends"),
    Variable::login(DEFAULT_PROFILE, "profile, unless AWS_PROFILE names one"),
    Variable::setting("AWS_DEFAULT_REGION", "region of `aws login`, unless AWS_REGION names one"),
    Variable::login("AWS_EC2_METADATA_DISABLED", "true keeps the metadata service of EC2 out"),
    Variable::login("AWS_EC2_METADATA_SERVICE_ENDPOINT", "address of the metadata service of EC2"),
    Variable::login("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6 asks that service by IPv6"),
    Variable::login("AWS_ENDPOINT_URL", "address of every AWS service"),
    Variable::login("AWS_ENDPOINT_URL_SIGNIN", "address of AWS's sign-in service"),
    Variable::login("AWS_ENDPOINT_URL_SSO", "address of the portal of IAM Identity Center"),
    Variable::login("AWS_ENDPOINT_URL_SSO_OIDC", "address of the token service of IAM Identity Center"),
    Variable::login("AWS_ENDPOINT_URL_STS", "address of the Security Token Service"),
    Variable::login("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true ignores every other address of a service"),
    Variable::login("AWS_LOGIN_CACHE_DIRECTORY", "directory of the logins of `aws login`"),
    Variable::login(PROFILE, "profile in the configuration files"),
    Variable::setting("AWS_REGION", "region of `aws login`"),
    Variable::login("AWS_ROLE_ARN", "role that a workload or a CI job assumes"),
    Variable::login("AWS_ROLE_SESSION_NAME", "name of its session"),
    Variable::login(SECRET_ACCESS_KEY, "the access key itself"),
    Variable::login(SECURITY_TOKEN, "old name of AWS_SESSION_TOKEN"),
    Variable::login(SESSION_TOKEN, "session that the access key belongs to"),
    Variable::login(CREDENTIALS_FILE, "credentials file of AWS's programs"),
    Variable::setting("AWS_USE_DUALSTACK_ENDPOINT", "true asks hosts with IPv6"),
    Variable::setting("AWS_USE_FIPS_ENDPOINT", "true asks hosts with FIPS 140"),
    Variable::login("AWS_WEB_IDENTITY_TOKEN_FILE", "file with the identity token of a workload or a CI job"),
    Variable::login(OIDC_TOKEN, "identity token of the job, such as one of GitLab's id_tokens"),
];

pub(crate) const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
pub(crate) const CA_BUNDLE: &str = "AWS_CA_BUNDLE";
pub(crate) const CONFIG_FILE: &str = "AWS_CONFIG_FILE";
pub(crate) const CREDENTIALS_FILE: &str = "AWS_SHARED_CREDENTIALS_FILE";
pub(crate) const DEFAULT_PROFILE: &str = "AWS_DEFAULT_PROFILE";
pub(crate) const OIDC_TOKEN: &str = "RINGBEARER_AWS_OIDC_TOKEN";
pub(crate) const PROFILE: &str = "AWS_PROFILE";
pub(crate) const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
pub(crate) const SECURITY_TOKEN: &str = "AWS_SECURITY_TOKEN";
pub(crate) const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
