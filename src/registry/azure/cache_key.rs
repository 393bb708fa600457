//! The cache key of a feed.

use super::{
    REGISTRY,
    feed::Feed,
    providers::{Choice, az_devops, azd, azure_cli::state, env_var, feed_endpoints, feed_identity, login},
};
use crate::{
    auth::cache_key::{CacheKey, Digest},
    system::{System, places},
};

/// The key of a feed: organisation, access and account. Logins of az and azd, and tokens in files, count by the metadata of
/// their files, and those of ringbearer by who has signed in. What is configured for some feeds alone counts by the endpoint
/// or prefix that serves this one.
pub(super) fn cache_key(system: &dyn System, feed: &Feed, choice: &Choice) -> CacheKey {
    let files = state::profile(system)
        .into_iter()
        .chain(azd::login(system))
        .chain(env_var::files(system))
        .chain(az_devops::file(system));
    let [endpoint, prefix, application] = own_sources(system, feed);
    let realm = feed.realm();
    let identity = Digest::new()
        .field("realm", realm.as_bytes())
        .field("provider", choice.name().as_bytes())
        .field("endpoint", endpoint.as_bytes())
        .field("prefix", prefix.as_bytes())
        .field("identity", application.as_bytes())
        .field("login", login::fingerprint(system).as_bytes())
        .variables(system, REGISTRY.login_variables())
        .files(system, files)
        .paths(places::home(system))
        .programs(system, &["az", "azd"])
        .finish();
    CacheKey { realm, identity, login: Digest::new().files(system, state::tokens(system)).finish() }
}

/// The endpoint of a password, the prefix of a token and the endpoint of an identity that are configured for this feed among
/// others; empty for none.
pub(super) fn own_sources(system: &dyn System, feed: &Feed) -> [String; 3] {
    [
        feed_endpoints::matching_endpoint(system, feed),
        env_var::matching_prefix(system, feed),
        feed_identity::matching_endpoint(system, feed),
    ]
    .map(Option::unwrap_or_default)
}
