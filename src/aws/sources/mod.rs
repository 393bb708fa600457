//! Where access keys come from, in the order in which AWS's own programs look: the first one that is configured decides.
//!
//! - `environment`: an access key in variables
//! - `profile`: the profile that AWS_PROFILE names, or else the default one
//! - `web_identity`: the identity token of a workload or a CI job
//! - `container`: the credentials service of a container
//! - `instance`: the metadata service of EC2
//!
//! A profile has one of these:
//!
//! - `role`: a role, assumed with the keys of another profile or source
//! - `sso`: a role of IAM Identity Center
//! - `login_session`: a login of `aws login`
//! - `process`: a program that prints keys
//! - static keys

pub(crate) mod container;
pub(crate) mod environment;
pub(crate) mod instance;
pub(crate) mod login_session;
pub(crate) mod process;
pub(crate) mod profile;
pub(crate) mod role;
pub(crate) mod sso;
pub(crate) mod web_identity;

use std::path::PathBuf;

use super::{client::Client, config::Config, keys::Keys, region::Region};
use crate::{auth::chain::TokenProvider, system::System};

/// What a source of access keys needs to know, besides the system.
pub(crate) struct Wanted {
    /// The configuration files.
    pub(crate) config: Config,
    /// How services are reached.
    pub(crate) client: Client,
    /// The region of the index, in which STS is asked.
    pub(crate) region: Region,
}

/// A source of access keys.
pub(crate) type Source = &'static dyn TokenProvider<Wanted, Keys>;

/// The sources, in their order.
pub(crate) const ALL: [Source; 7] = [
    &environment::EnvironmentKeys,
    &profile::NamedProfile,
    &web_identity::WebIdentity,
    &web_identity::Job,
    &profile::DefaultProfile,
    &container::Container,
    &instance::Instance,
];

/// The files whose content says which workload this is, that variables name.
pub(crate) fn token_files(system: &dyn System) -> impl Iterator<Item = PathBuf> {
    let variables = [web_identity::FILE_VARIABLE, container::TOKEN_FILE_VARIABLE].into_iter();
    // Others are no paths: a relative one is not read either.
    variables.filter_map(|variable| system.setting(variable).map(PathBuf::from)).filter(|path| path.is_absolute())
}
