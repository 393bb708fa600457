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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_and_upload_urls_lead_to_each_other() {
        for repository in ["project/repository", "example.com/project/repository"] {
            let upload = format!("https://us-python.pkg.dev/{repository}/");
            let index = format!("{upload}simple/");
            for given in [upload.as_str(), upload.trim_end_matches('/')] {
                assert_eq!(index_url(&Service::parse(given)).unwrap().as_str(), index);
            }
            assert_eq!(upload_url(&Service::parse(&index)).unwrap().as_str(), upload);
            assert_eq!(index_url(&Service::parse(&index)), None);
            assert_eq!(upload_url(&Service::parse(&upload)), None);
        }
    }

    #[test]
    fn other_paths_are_neither() {
        for path in ["", "project", "project/repository/package", "a/b/c/d", "project/repository/simple/package"] {
            let service = Service::parse(&format!("https://us-python.pkg.dev/{path}"));
            assert_eq!((index_url(&service), upload_url(&service)), (None, None), "{path}");
        }
    }
}
