//! Who a lookup is made for, as a key of the caches.

use super::{
    REGISTRY,
    feed::Feed,
    providers::{Choice, ado_auth_helper, azd, azure_cli::state, env_var, feed_endpoints},
};
use crate::{
    auth::cache_key::{CacheKey, Digest, is_there},
    registry::Keep,
    system::System,
};

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

/// The key of a feed's organisation, access and account. Logins of az and azd count by the files that name the account,
/// and tokens in files by the files.
///
/// A password of [`feed_endpoints`] belongs to its endpoint and not to the whole organisation.
pub(super) fn cache_key(system: &dyn System, feed: &Feed, choice: &Choice) -> CacheKey {
    let files = state::profile(system).into_iter().chain(azd::login(system)).chain(env_var::files(system));
    let endpoint = feed_endpoints::matching_endpoint(system, feed).unwrap_or_default();
    let realm = feed.realm();
    let identity = Digest::new()
        .field("realm", realm.as_bytes())
        .field("provider", choice.name().as_bytes())
        .field("endpoint", endpoint.as_bytes())
        .variables(system, REGISTRY.login_variables())
        .files(system, files)
        .programs(system, &["az", "azd"])
        .finish();
    CacheKey { realm, identity, login: Digest::new().files(system, state::tokens(system)).finish() }
}
