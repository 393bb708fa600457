//! Who a lookup is made for, as a key of the caches.

use super::{
    REGISTRY,
    feed::Feed,
    providers::{Choice, azd, azure_cli::state, env_var, feed_endpoints},
};
use crate::{
    auth::cache_key::{CacheKey, Digest},
    system::System,
};

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
