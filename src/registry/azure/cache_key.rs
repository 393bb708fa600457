//! The cache key of a feed.

use super::{
    REGISTRY,
    feed::Feed,
    providers::{Choice, azd, azure_cli::state, env_var, feed_endpoints},
};
use crate::{
    auth::cache_key::{CacheKey, Digest},
    system::{System, places},
};

/// The key of a feed: organisation, access and account. Logins of az and azd, and tokens in files, count by the metadata of
/// their files. A password of [`feed_endpoints`] is bound to its endpoint rather than the organisation.
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
        .paths(places::home(system))
        .programs(system, &["az", "azd"])
        .finish();
    CacheKey { realm, identity, login: Digest::new().files(system, state::tokens(system)).finish() }
}
