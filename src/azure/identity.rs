//! Who a lookup is made for, as a key of the cache.

use super::{
    feed::Feed,
    providers::{Choice, feed_endpoints},
};
use crate::{identity::digest, sys::System};

/// What the variables begin with that decide who a lookup is made for. A change of any of them is
/// another identity, and another identity must not get the first one's token.
pub(super) const PREFIXES: [&str; 11] = [
    "ACTIONS_",
    "ARTIFACTS_",
    "AZURE",
    "HOME",
    "IDENTITY_",
    "IMDS_",
    "MSI_",
    "PATH",
    "SYSTEM_",
    "USERPROFILE",
    "VSS_NUGET_",
];

/// One entry an organisation, access and identity. The values of the variables, secrets among them, go
/// in as a digest.
///
/// A password of [`feed_endpoints`] belongs to its endpoint and not to the whole organisation.
pub(super) fn cache_key(system: &dyn System, feed: &Feed, choice: &Choice) -> String {
    let digest = digest(system, &PREFIXES, &[]);
    let endpoint = feed_endpoints::matching_endpoint(system, feed).unwrap_or_default();
    format!("{} {} {} {digest} {endpoint}", feed.organisation_key(), feed.scope(), choice.name())
}
