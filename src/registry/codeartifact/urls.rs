//! The URLs of one repository: the index, and where twine uploads to.
//! <https://docs.aws.amazon.com/codeartifact/latest/ug/python-configure-twine.html>

use url::Url;

use crate::{registry::with_ending, service::Service};

/// The upload URL, if a service is an index URL: the repository itself.
pub(in crate::registry) fn upload_url(service: &Service) -> Option<Url> {
    with_ending(service, "/simple", "/")
}

/// The index URL, if a service is an upload URL.
pub(in crate::registry) fn index_url(service: &Service) -> Option<Url> {
    is_repository(service.url()?).then(|| with_ending(service, "", "/simple/")).flatten()
}

/// Whether a URL is that of an index itself, which is no page of CodeArtifact: only those of projects are.
/// <https://docs.aws.amazon.com/codeartifact/latest/ug/python-compatibility.html>
pub(in crate::registry) fn is_index_root(url: &Url) -> bool {
    segments(url).and_then(|segments| segments.split_last().map(|(last, rest)| *last == "simple" && is_path(rest)))
        == Some(true)
}

fn is_repository(url: &Url) -> bool {
    segments(url).is_some_and(|segments| is_path(&segments))
}

/// Whether the segments of a path lead to a repository, at the host of a domain or at a VPC endpoint.
fn is_path(segments: &[&str]) -> bool {
    matches!(segments, ["pypi", _] | ["pypi", "d", _, _])
}

fn segments(url: &Url) -> Option<Vec<&str>> {
    Some(url.path_segments()?.filter(|segment| !segment.is_empty()).collect())
}
