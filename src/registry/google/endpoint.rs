//! The hosts of Google's services that may see a credential.
//!
//! Their addresses come from credential files that another person may have written, so each is checked by label.

use url::Url;

use crate::{
    error::{Error, Kind, Result, quote, truncate},
    service::subdomain_of,
};

/// Where people's and service accounts' credentials are exchanged for access tokens.
pub(super) const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

/// The domain of Google's APIs.
const DOMAIN: &str = "googleapis.com";

/// The hosts of the token endpoint: the present one, and those in old key files.
const TOKEN_HOSTS: [&str; 3] = ["oauth2.googleapis.com", "accounts.google.com", "www.googleapis.com"];

/// The longest foreign host that an error shows whole, in characters.
const LONGEST_HOST: usize = 60;

/// A Google service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// The token endpoint of OAuth: `oauth2.googleapis.com`, and its old addresses in old key files.
    Token,
    /// The Security Token Service: `sts.googleapis.com` and its regional forms.
    SecurityToken,
    /// The service that impersonates service accounts: `iamcredentials.googleapis.com` and its regional forms.
    IamCredentials,
}

impl Service {
    /// The first label of its host.
    fn label(self) -> &'static str {
        match self {
            Self::Token => "oauth2",
            Self::SecurityToken => "sts",
            Self::IamCredentials => "iamcredentials",
        }
    }

    /// Whether a host, in lower case, is the service's.
    fn has_host(self, host: &str) -> bool {
        match self {
            Self::Token => TOKEN_HOSTS.contains(&host),
            Self::SecurityToken | Self::IamCredentials => is_host_of(self.label(), host),
        }
    }
}

/// Whether a host is that of a service, or a regional form of it: `REGION.sts`, `sts.REGION`, `REGION-sts`, `sts.REGION.rep`, or
/// `sts-NAME.p` of Private Service Connect.
/// <https://google.aip.dev/auth/4117>, <https://cloud.google.com/vpc/docs/regional-service-endpoints>
fn is_host_of(service: &str, host: &str) -> bool {
    let labels: Vec<&str> = subdomain_of(host, DOMAIN).unwrap_or_default().split('.').collect();
    let region_before =
        |label: &str| label.strip_suffix(service).and_then(|rest| rest.strip_suffix('-')).is_some_and(is_name);
    let name_after =
        |label: &str| label.strip_prefix(service).and_then(|rest| rest.strip_prefix('-')).is_some_and(is_name);
    match *labels {
        [label] => label == service || region_before(label),
        [label, "p"] => name_after(label),
        // `BUCKET.storage` is the host of a bucket.
        [one, other] => (one == service && is_region(other)) || (other == service && is_name(one)),
        [first, region, "rep"] => first == service && is_name(region),
        _ => false,
    }
}

/// Whether a label is the name of a region, a multi-region or an endpoint.
pub(super) fn is_name(label: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    label.starts_with(|first: char| first.is_ascii_lowercase())
        && !label.ends_with('-')
        && label.bytes().all(is_allowed)
}

/// Whether a label is the name of a region, such as `us-east1`, or of a multi-region, such as `us`.
fn is_region(label: &str) -> bool {
    is_name(label) && (label.len() == 2 || label.ends_with(|last: char| last.is_ascii_digit()))
}

/// The address in `field` of a credential file, if it is one of this service: https, on the usual port, without user
/// information. The error names the field, and not the file.
pub(super) fn checked(service: Service, field: &str, address: &str) -> Result<Url> {
    let url = Url::parse(address).ok();
    let is_plain = |url: &Url| {
        url.scheme() == "https" && url.port().is_none() && url.username().is_empty() && url.password().is_none()
    };
    let is_of_service = |url: &Url| is_plain(url) && url.host_str().is_some_and(|host| service.has_host(host));
    let host = url.as_ref().and_then(Url::host_str).filter(|host| !service.has_host(host));
    let found = host.map(|host| format!(", not \"{}\"", truncate(&quote(host, &[]), LONGEST_HOST)));
    url.filter(is_of_service).ok_or_else(|| {
        let (expected, found) = (service.label(), found.unwrap_or_default());
        Error::new(Kind::Configuration, format!("{field} must be an address of https://{expected}.{DOMAIN}{found}"))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_accepted(service: Service, address: &str) -> bool {
        checked(service, "token_url", address).is_ok()
    }

    #[test]
    fn the_hosts_of_each_service_are_accepted() {
        for address in [
            TOKEN_URL,
            "https://OAUTH2.googleapis.com:443/token",
            "https://accounts.google.com/o/oauth2/token",
            "https://www.googleapis.com/oauth2/v4/token",
        ] {
            assert!(is_accepted(Service::Token, address), "{address}");
        }
        for (service, name) in [(Service::SecurityToken, "sts"), (Service::IamCredentials, "iamcredentials")] {
            for host in [
                format!("{name}.googleapis.com"),
                format!("us-east1.{name}.googleapis.com"),
                format!("{name}.us-east1.googleapis.com"),
                format!("{name}.us.googleapis.com"),
                format!("us-east1-{name}.googleapis.com"),
                format!("{name}-xyz.p.googleapis.com"),
                format!("{name}.us-east1.rep.googleapis.com"),
            ] {
                assert!(is_accepted(service, &format!("https://{host}/v1/token")), "{host}");
                assert!(!is_accepted(Service::Token, &format!("https://{host}/v1/token")), "{host}");
            }
        }
    }

    #[test]
    fn addresses_that_only_look_alike_are_refused() {
        for address in [
            "",
            "oauth2.googleapis.com/token",
            "http://oauth2.googleapis.com/token",
            "https://oauth2.googleapis.com:8443/token",
            "https://ada@oauth2.googleapis.com/token",
            "https://:x@oauth2.googleapis.com/token",
            "https://oauth2.googleapis.com./token",
            "https://oauth2.googleapis.com@evil.example/token",
            "https://oauth2.googleapis.com.evil.example/token",
            "https://evil-oauth2.googleapis.com/token",
            "https://evil.oauth2.googleapis.com/token",
            "https://oauth2.googleapis.co/token",
            "https://evilgoogleapis.com/token",
            "https://storage.googleapis.com/token",
            "https://google.com/token",
            "https://evil.example/oauth2.googleapis.com/token",
            "https://\u{43e}auth2.googleapis.com/token",
        ] {
            assert!(!is_accepted(Service::Token, address), "{address}");
        }
        for host in [
            "xsts.googleapis.com",
            // The hosts of buckets, which anybody may name.
            "sts.storage.googleapis.com",
            "sts.commondatastorage.googleapis.com",
            "-sts.googleapis.com",
            "stsx.googleapis.com",
            "sts-.p.googleapis.com",
            "sts-xyz.googleapis.com",
            "sts-xyz.q.googleapis.com",
            "sts.p.example.com",
            "sts..googleapis.com",
            "a.b.sts.googleapis.com",
            "sts.a.b.googleapis.com",
            "xsts.us-east1.rep.googleapis.com",
            "sts.us-east1.rep.googleapis.com.evil.example",
            "sts.googleapis.com.evil.example",
            "sts-googleapis.com",
            "googleapis.com",
            "evil.storage.googleapis.com",
            "us-east1-sts.storage.googleapis.com",
            "us_east1.sts.googleapis.com",
            "iamcredentials.googleapis.com",
            "oauth2.googleapis.com",
        ] {
            assert!(!is_accepted(Service::SecurityToken, &format!("https://{host}/v1/token")), "{host}");
        }
    }

    #[test]
    fn an_error_names_the_field_and_a_foreign_host() {
        let long = format!("https://{}.example/x-secret?x-secret", "a".repeat(63));
        let cut = format!("{}…", "a".repeat(60));
        for (address, found) in [
            ("https://evil.example/x-secret?x-secret", ", not \"evil.example\""),
            ("https://x-secret:x-secret@evil.example/", ", not \"evil.example\""),
            ("https://x-secret@oauth2.googleapis.com/token", ""),
            ("x-secret", ""),
            (&long, &format!(", not \"{cut}\"")),
        ] {
            let error = checked(Service::Token, "token_uri", address).unwrap_err();
            assert_eq!(error.kind(), Kind::Configuration);
            let expected = format!("token_uri must be an address of https://oauth2.googleapis.com{found}");
            assert_eq!(error.to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn no_host_outside_of_the_domain_is_accepted(
            address in "https://([a-z@:/?#.-]{0,6}(sts|oauth2|googleapis|google)?){0,4}(com|example)[/:@.]?[a-z.]{0,6}",
        ) {
            for service in [Service::Token, Service::SecurityToken, Service::IamCredentials] {
                if let Ok(url) = checked(service, "token_url", &address) {
                    let host = url.host_str().unwrap_or_default();
                    prop_assert!(subdomain_of(host, DOMAIN).is_some() || host == "accounts.google.com", "{}", address);
                }
            }
        }
    }
}
