//! Who a lookup is made for, as a key of the caches.

use super::{
    feed::Feed,
    providers::{Choice, ado_auth_helper, azd, azure_cli::state, env_var, feed_endpoints},
};
use crate::{
    auth::cache_key::{Identity, digest, is_there, marks, programs},
    registry::Keep,
    system::System,
};

/// What the variables begin with that decide who a lookup is made for. A change of any of them is
/// another identity, and another identity must not get the first one's token.
pub(super) const PREFIXES: [&str; 12] = [
    "ACTIONS_",
    "ARTIFACTS_",
    "AZD_",
    "AZURE",
    "HOME",
    "IDENTITY_",
    "IMDS_",
    "MSI_",
    "RINGBEARER_AZURE_",
    "SYSTEM_",
    "USERPROFILE",
    "VSS_NUGET_",
];

/// For whom may be kept what a provider gave by signing in: another login is told from this one if the files are there
/// that tell who is logged in.
pub(super) fn keep(system: &dyn System, provider: &str) -> Keep {
    let is_known = match provider {
        // Whose login it is then depends on the working directory.
        "azure_cli" if state::profile(system).is_none() => return Keep::Nobody,
        "azd" if azd::login(system).is_empty() => return Keep::Nobody,
        "azure_cli" => state::profile(system).is_some_and(|profile| is_there(system, &profile)),
        "ado_auth_helper" => false,
        // Whoever signs in with the helper, which tells nobody of it, comes before these.
        "azd" | "managed_identity" if ado_auth_helper::program(system).is_some() => false,
        "azd" => azd::keeps_its_login(system),
        _ => true,
    };
    if is_known { Keep::Session } else { Keep::Waiting }
}

/// One an organisation, access and identity. The values of the variables, secrets among them, go in as a digest. The
/// logins of the Azure CLI and the Azure Developer CLI count by the files that tell who is logged in, and tokens in files
/// by the files.
///
/// A password of [`feed_endpoints`] belongs to its endpoint and not to the whole organisation.
pub(super) fn identity(system: &dyn System, feed: &Feed, choice: &Choice) -> Identity {
    let files = state::profile(system).into_iter().chain(azd::login(system)).chain(env_var::files(system));
    let accounts = marks(system, files);
    let programs = programs(system, &["az", "azd"]);
    let digest = digest(system, &PREFIXES, &[accounts.as_bytes(), programs.as_bytes()]);
    let endpoint = feed_endpoints::matching_endpoint(system, feed).unwrap_or_default();
    let realm = feed.realm();
    Identity {
        key: format!("{realm} {} {digest} {endpoint}", choice.name()),
        realm,
        login: marks(system, state::tokens(system)),
    }
}
