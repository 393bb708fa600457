//! The environment variables of Google's own programs.
//! <https://cloud.google.com/docs/authentication/application-default-credentials>
//! <https://cloud.google.com/sdk/docs/properties>

use crate::variable::Variable;

/// Holds an access token.
pub(super) const ACCESS_TOKEN: &str = "CLOUDSDK_AUTH_ACCESS_TOKEN";

/// Names a file with an access token.
pub(super) const ACCESS_TOKEN_FILE: &str = "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE";

/// Names a file with credentials, for every program that uses Google's libraries.
pub(super) const APPLICATION_CREDENTIALS: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// Names a file with credentials, for gcloud.
pub(super) const CREDENTIAL_FILE_OVERRIDE: &str = "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE";

/// The service account that gcloud impersonates.
pub(super) const IMPERSONATED: &str = "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT";

/// The configuration directory of gcloud.
pub(super) const CONFIGURATION_DIRECTORY: &str = "CLOUDSDK_CONFIG";

/// The active configuration, by its name.
pub(super) const ACTIVE_CONFIGURATION: &str = "CLOUDSDK_ACTIVE_CONFIG_NAME";

/// The active account.
pub(super) const ACCOUNT: &str = "CLOUDSDK_CORE_ACCOUNT";

/// Allows credential files to run a program, if it is 1.
pub(super) const ALLOW_EXECUTABLES: &str = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES";

/// The host, and the port, of the metadata server; the second one is its old name.
pub(super) const METADATA_HOST: [&str; 2] = ["GCE_METADATA_HOST", "GCE_METADATA_ROOT"];

/// Turns the metadata server off, if it is true.
pub(super) const NO_METADATA: &str = "NO_GCE_CHECK";

/// Set in the containers of Google's services, and on Kubernetes, where there may be a metadata server.
/// <https://cloud.google.com/run/docs/container-contract#env-vars>
pub(super) const CONTAINERS: [&str; 5] =
    ["CLOUD_RUN_JOB", "FUNCTION_TARGET", "GAE_ENV", "K_SERVICE", "KUBERNETES_SERVICE_HOST"];

/// Every variable that is read.
pub(super) static VARIABLES: &[Variable] = &[
    Variable::login(ACTIVE_CONFIGURATION, "active configuration of gcloud"),
    Variable::login(ACCESS_TOKEN, "access token of Google"),
    Variable::login(ACCESS_TOKEN_FILE, "file with an access token of Google"),
    Variable::login(CREDENTIAL_FILE_OVERRIDE, "file with credentials, for gcloud"),
    Variable::login("CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "true lets gcloud sign in with no account"),
    Variable::network("CLOUDSDK_AUTH_DISABLE_SSL_VALIDATION", "true lets gcloud trust every host"),
    Variable::login(IMPERSONATED, "service account that gcloud impersonates"),
    Variable::login("CLOUDSDK_AUTH_TOKEN_HOST", "address of gcloud's token endpoint"),
    Variable::login(CONFIGURATION_DIRECTORY, "configuration directory of gcloud"),
    Variable::network("CLOUDSDK_CONTEXT_AWARE_USE_CLIENT_CERTIFICATE", "true lets gcloud present a certificate"),
    Variable::login(ACCOUNT, "active account of gcloud"),
    Variable::network("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "CA bundle of gcloud"),
    Variable::login("CLOUDSDK_CORE_UNIVERSE_DOMAIN", "domain of Google's services, for gcloud"),
    Variable::network("CLOUDSDK_PROXY_ADDRESS", "proxy of gcloud"),
    Variable::network("CLOUDSDK_PROXY_PORT", "port of the proxy of gcloud"),
    Variable::network("CLOUDSDK_PROXY_TYPE", "kind of the proxy of gcloud"),
    Variable::setting("CLOUDSDK_PYTHON", "Python that gcloud runs with"),
    Variable::setting("CLOUD_RUN_JOB", "marks a job (set by Cloud Run)"),
    Variable::setting("FUNCTION_TARGET", "marks a function (set by Cloud Run functions)"),
    Variable::setting("GAE_ENV", "marks an application (set by App Engine)"),
    Variable::login("GCE_METADATA_HOST", "host of Google's metadata server"),
    Variable::login("GCE_METADATA_ROOT", "old name of GCE_METADATA_HOST"),
    Variable::login(APPLICATION_CREDENTIALS, "file with credentials of Google"),
    Variable::login(ALLOW_EXECUTABLES, "1 lets that file name a program to run"),
    Variable::setting("K_SERVICE", "marks a service (set by Cloud Run)"),
    Variable::setting("KUBERNETES_SERVICE_HOST", "marks a container (set by Kubernetes)"),
    Variable::login(NO_METADATA, "true keeps Google's metadata server out"),
];
