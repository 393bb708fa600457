//! Where access tokens come from, in this order: the first source that is configured decides.
//!
//! - `access_token`: a token in CLOUDSDK_AUTH_ACCESS_TOKEN, or in the file that CLOUDSDK_AUTH_ACCESS_TOKEN_FILE names
//! - `application_credentials`: the credential file that GOOGLE_APPLICATION_CREDENTIALS names
//! - `credential_file_override`: the one that CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE names
//! - `application_default`: the file of `gcloud auth application-default login`
//! - `gcloud`: the active account of gcloud
//! - `metadata`: the service account of a Google machine or container

mod access_token;
mod credentials;
mod gcloud;
mod metadata;

use std::path::PathBuf;

use super::{
    gcloud::configuration::{self, Configuration},
    grant::Grant,
};
use crate::{auth::chain::TokenProvider, system::System};

/// A source of access tokens, which knows the active configuration of gcloud.
type Source = &'static dyn TokenProvider<Configuration, Grant>;

/// The sources, in their order.
pub(super) const SOURCES: [Source; 6] = [
    &access_token::AccessTokenVariables,
    &credentials::APPLICATION_CREDENTIALS,
    &credentials::CREDENTIAL_FILE_OVERRIDE,
    &credentials::ApplicationDefault,
    &gcloud::Gcloud,
    &metadata::Metadata,
];

/// The files that decide which account answers, present or not.
pub(super) fn files(system: &dyn System) -> Vec<PathBuf> {
    let named = access_token::file(system).into_iter().chain(credentials::files(system));
    // A platform renews a subject token, and another one may be that of another workload.
    named.chain(credentials::subject_files(system)).chain(configuration::files(system)).collect()
}

/// The files that a sign-in may write.
pub(super) fn login_files(system: &dyn System) -> Vec<PathBuf> {
    configuration::login_files(system)
}
