//! The URLs of one repository: the index, and where twine uploads to.
//! <https://cloud.google.com/artifact-registry/docs/python/store-python>

use url::Url;

use crate::{registry::with_ending, service::Service};

/// The upload URL, if a service is an index URL: the repository itself.
pub(super) fn upload_url(service: &Service) -> Option<Url> {
    with_ending(service, "/simple", "/")
}

/// The index URL, if a service is an upload URL. The project of an organisation's domain has two segments:
/// `example.com/PROJECT`.
pub(super) fn index_url(service: &Service) -> Option<Url> {
    let segments: Vec<&str> = service.url()?.path_segments()?.filter(|segment| !segment.is_empty()).collect();
    let is_repository = match *segments {
        [project, _] => !project.contains('.'),
        [domain, _, _] => domain.contains('.'),
        _ => false,
    };
    (is_repository && segments.last() != Some(&"simple")).then(|| with_ending(service, "", "/simple/")).flatten()
}
