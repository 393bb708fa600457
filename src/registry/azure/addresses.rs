//! The index URL and the upload URL of a feed, and URLs of Azure DevOps Server.

use serde_json::json;
use url::Url;

use crate::{
    registry::{SetupVariable, with_ending},
    service::Service,
};

/// The paths of a feed for pip and for twine.
/// <https://learn.microsoft.com/azure/devops/artifacts/quickstarts/python-packages>
const INDEX: &str = "/pypi/simple";
const UPLOAD: &str = "/pypi/upload";

/// The upload URL of a feed, given its index URL.
pub(super) fn upload_url(service: &Service) -> Option<Url> {
    with_ending(service, INDEX, "/pypi/upload/")
}

/// The index URL of a feed, given its upload URL.
pub(super) fn index_url(service: &Service) -> Option<Url> {
    with_ending(service, UPLOAD, "/pypi/simple/")
}

/// How a feed of Azure DevOps Server, on its owner's host, can be served: with a personal access token as its password.
/// NTLM, which the server offers too, works with neither pip nor uv.
pub(super) fn setup_variable(service: &Service) -> Option<SetupVariable> {
    let mut url = service.url().filter(|url| url.scheme() == "https")?.clone();
    let path = url.path().to_owned();
    let (before, after) = path.split_once("/_packaging/")?;
    let feed = after.split('/').next().filter(|feed| !feed.is_empty())?;
    url.set_path(&format!("{before}/_packaging/{feed}/"));
    let endpoint = json!({"endpoint": url.as_str(), "username": "", "password": "TOKEN"});
    Some(SetupVariable {
        what: "looks like Azure DevOps Server, which needs a personal access token in a variable",
        variable: "ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS",
        value: json!({"endpointCredentials": [endpoint]}).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(raw: &str) -> Service {
        Service::parse(raw)
    }

    #[test]
    fn installing_and_uploads_have_urls_of_their_own() {
        let feed = "https://pkgs.dev.azure.com/contoso/_packaging/tools/pypi";
        let url = |url: Option<Url>| url.map(|url| url.to_string());
        for end in ["", "/"] {
            let (index, upload) = (parsed(&format!("{feed}/simple{end}")), parsed(&format!("{feed}/upload{end}")));
            assert_eq!(url(upload_url(&index)), Some(format!("{feed}/upload/")));
            assert_eq!(url(index_url(&upload)), Some(format!("{feed}/simple/")));
            assert_eq!((upload_url(&upload), index_url(&index)), (None, None));
        }
        assert_eq!(upload_url(&parsed(&format!("{feed}/simple/greetings/"))), None);
    }

    #[test]
    fn a_feed_on_another_host_is_adopted_by_its_url() {
        let raw = "https://ada@tfs.contoso.example:8443/tfs/Main%20Collection/shop/_packaging/tools/pypi/simple/";
        let setup_variable = setup_variable(&parsed(raw)).unwrap();
        let value: serde_json::Value = serde_json::from_str(&setup_variable.value).unwrap();
        let endpoint = value["endpointCredentials"][0]["endpoint"].as_str().unwrap();
        assert_eq!(endpoint, "https://tfs.contoso.example:8443/tfs/Main%20Collection/shop/_packaging/tools/");
        for other in ["http://tfs.example/_packaging/tools/pypi/simple/", "https://a.example/_packaging/", "a.example"]
        {
            assert!(super::setup_variable(&parsed(other)).is_none(), "{other}");
        }
    }
}
