//! The hosts of Python repositories.
//! <https://cloud.google.com/artifact-registry/docs/repositories/repo-locations>

use super::DOMAIN;
use crate::service::{Service, subdomain_of};

/// Whether a service is a Python repository or its bare host: `LOCATION-python.pkg.dev`, or the regional endpoint
/// `python.LOCATION.rep.pkg.dev`. Hosts of other formats, such as `LOCATION-docker.pkg.dev`, are not claimed, nor is any path
/// looked at: files stand at other paths than their index.
#[must_use]
pub(super) fn is_claimed(service: &Service) -> bool {
    let labels = service.host().and_then(|host| subdomain_of(host, DOMAIN)).unwrap_or_default();
    let labels: Vec<&str> = labels.split('.').collect();
    let location = match *labels {
        [label] => label.strip_suffix("-python"),
        ["python", location, "rep"] => Some(location),
        _ => None,
    };
    service.is_https_on_default_port() && location.is_some_and(is_location)
}

/// Whether a text is the name of a region or multi-region, such as `us` and `europe-west1`. New ones need no release of this
/// program.
fn is_location(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.starts_with(|first: char| first.is_ascii_lowercase()) && !text.ends_with('-') && text.bytes().all(is_allowed)
}
