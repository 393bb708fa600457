//! Who a lookup is made for, as a key of the cache.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{Context, SHA256};

use super::{
    feed::Feed,
    providers::{Choice, feed_endpoints},
};
use crate::sys::System;

/// What the variables begin with that decide who a lookup is made for. A change of any of them is
/// another identity, and another identity must not get the first one's token.
const PREFIXES: [&str; 11] = [
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
    let mut context = Context::new(&SHA256);
    for (name, value) in system.variables() {
        let name = name.as_encoded_bytes();
        if PREFIXES.iter().any(|prefix| name.starts_with(prefix.as_bytes())) {
            for part in [name, b"=", value.as_encoded_bytes(), b"\0"] {
                context.update(part);
            }
        }
    }
    let digest = URL_SAFE_NO_PAD.encode(context.finish());
    let endpoint = feed_endpoints::matching_endpoint(system, feed).unwrap_or_default();
    format!("{} {} {} {digest} {endpoint}", feed.organisation_key(), feed.scope(), choice.name())
}
