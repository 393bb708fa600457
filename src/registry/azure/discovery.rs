//! Discovery: the tenant and the token authority that a feed names in answer to an anonymous request.

use std::cell::Cell;

use log::debug;
use url::Url;

use super::{
    NO_SIGN_IN_PAGE,
    entra::{ANY_ORGANISATION, Tenant, is_clean_origin},
    feed::Feed,
    retries::attempts,
};
use crate::{
    auth::{clock_skew::ClockSkew, refusal},
    error::{Error, Kind, Result},
    service::subdomain_of,
    system::{
        System,
        http::{Request, Response},
        retry,
    },
};

/// The domains of token authorities.
const AUTHORITY_DOMAINS: [&str; 6] = [
    "vssps.dev.azure.com",
    "vssps.visualstudio.com",
    "vsspsext.dev.azure.com",
    "vsspsext.visualstudio.com",
    "vssps.codedev.ms",
    "vssps.vsts.me",
];

/// A placeholder for a tenant, sent by feeds in organisations of personal Microsoft accounts.
const NO_TENANT: &str = "00000000-0000-0000-0000-000000000000";

/// The name of a package that does not exist. A public feed answers 401 for such a package, with the headers that its
/// root lacks.
const NO_PACKAGE: &str = "ringbearer-asks-for-a-package-that-does-not-exist";

/// The outcome of discovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Discovery {
    /// The tenant that the feed belongs to.
    pub(crate) tenant: Tenant,
    /// The service that exchanges tokens. Verified: bearers may be sent there.
    pub(crate) authority: Url,
}

impl Discovery {
    /// An answer made of an `authorization_uri` and an authority, after every check.
    pub(super) fn check(authorization_uri: &str, authority: &str, feed: &Feed) -> Result<Self> {
        let tenant = Tenant::from_authorization_uri(authorization_uri)?;
        Ok(Self { tenant, authority: read_authority(authority, feed)? })
    }
}

/// The authority that the feed is expected to name: its own host, with `vssps` for `pkgs`.
pub(super) fn expected_authority(feed: &Feed) -> Option<Url> {
    let (organisation, domain) = feed.url().host_str()?.rsplit_once("pkgs.")?;
    read_authority(&format!("https://{organisation}vssps.{domain}/"), feed).ok()
}

/// Asks the feed. `Ok(None)` if it is public and names no tenant. `skew` becomes the difference between the clocks.
pub(crate) fn discover(system: &dyn System, feed: &Feed, skew: &Cell<Option<ClockSkew>>) -> Result<Option<Discovery>> {
    let response = ask(system, feed.url())?;
    skew.set(ClockSkew::of(system, &response));
    if let Some(discovery) = read(&response, feed)? {
        return Ok(Some(discovery));
    }
    if response.status == 200 {
        let Some(url) = package_url(feed.url()) else {
            return Ok(None);
        };
        debug!(
            step = "discovery", outcome = "noted";
            "{} is public at its root: asking for a package that does not exist", feed.shown()
        );
        return read(&ask(system, &url)?, feed);
    }
    Err(not_said(&response, feed))
}

/// Uses GET, since some deployments of the service fail on HEAD.
fn ask(system: &dyn System, url: &Url) -> Result<Response> {
    let request =
        Request::get(url.clone()).header(NO_SIGN_IN_PAGE.0, NO_SIGN_IN_PAGE.1).with_attempts(attempts(system));
    retry::send(system, &request)
}

fn package_url(url: &Url) -> Option<Url> {
    let path = url.path().trim_end_matches('/');
    if !path.to_ascii_lowercase().ends_with("/simple") {
        return None;
    }
    let mut url = url.clone();
    url.set_path(&format!("{path}/{NO_PACKAGE}/"));
    Some(url)
}

fn not_said(response: &Response, feed: &Feed) -> Error {
    let what = match response.status {
        203 | 300..=399 => "sent a sign-in page instead of an answer",
        404 => "does not know this URL",
        429 | 500..=599 => "is unavailable",
        _ => "did not say which tenant it belongs to",
    };
    let hint = refusal::meaning(response.status, None).hint.unwrap_or("check the URL of the feed");
    Error::new(Kind::Protocol, format!("{} {what} (HTTP {})", feed.shown(), response.status)).with_hint(hint)
}

/// Reads the answer. `Ok(None)` if it names no tenant; an error if it names a host that is not trusted.
pub(super) fn read(response: &Response, feed: &Feed) -> Result<Option<Discovery>> {
    if !matches!(response.status, 200 | 401 | 403 | 404) {
        return Ok(None);
    }
    let Some(endpoint) = response.header_values("X-VSS-AuthorizationEndpoint").find(|value| !value.trim().is_empty())
    else {
        return Ok(None);
    };
    let authority = read_authority(endpoint.trim(), feed)?;
    let mut challenges = Vec::new();
    for challenge in response.header_values("WWW-Authenticate") {
        challenges.extend(authorization_uris(challenge));
    }
    let mut tenants = challenges.into_iter().map(Tenant::from_authorization_uri);
    if let Some(tenant) = tenants.next() {
        let tenant = tenant?;
        // A single untrusted URI invalidates the others too.
        for other in tenants {
            other?;
        }
        return Ok(Some(Discovery { tenant, authority }));
    }
    let mut named =
        response.header_values("X-VSS-ResourceTenant").flat_map(|value| value.split(',')).map(str::trim).peekable();
    if named.peek().is_none() {
        return Ok(None);
    }
    let id = named.find(|id| !id.is_empty() && *id != NO_TENANT).unwrap_or(ANY_ORGANISATION);
    Ok(Some(Discovery { tenant: Tenant::new(id)?, authority }))
}

/// The values of the parameter `authorization_uri` in one header line, which may hold several challenges. White space
/// around the equals sign and quotes are allowed (RFC 9110, sections 11.2 and 5.6.3).
fn authorization_uris(challenges: &str) -> Vec<&str> {
    const NAME: &str = "authorization_uri";
    let lower = challenges.to_ascii_lowercase();
    let is_part_of_word = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    lower
        .match_indices(NAME)
        .filter(|(start, _)| !lower[..*start].ends_with(is_part_of_word))
        .filter_map(|(start, _)| {
            let value = challenges[start + NAME.len()..].trim_start().strip_prefix('=')?.trim_start();
            match value.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next(),
                None => value.split([',', ' ', '\t']).next(),
            }
        })
        .collect()
}

/// The URL that bearers are sent to: https, a known domain on a label boundary, the default port, no user information,
/// at most one path segment. An organisation in host or path must be the feed's: a bearer is valid for every
/// organisation of its owner, and the anonymous answer is not trusted.
fn read_authority(endpoint: &str, feed: &Feed) -> Result<Url> {
    let refuse = |why: &str| {
        let shown = Url::parse(endpoint).ok().and_then(|url| url.host_str().map(str::to_owned));
        let shown = shown.unwrap_or_else(|| "not a URL".to_owned());
        Error::new(Kind::Protocol, format!("{} names a token authority that {why} ({shown})", feed.shown()))
            .with_hint("no token was sent; something between here and the feed rewrites its answers")
    };
    let mut url = Url::parse(endpoint).map_err(|_| refuse("is not a URL"))?;
    if !is_clean_origin(&url) {
        return Err(refuse("is not a plain https host"));
    }
    let host = url.host_str().unwrap_or_default();
    let labels = AUTHORITY_DOMAINS.iter().find_map(|domain| subdomain_of(host, domain));
    let Some(labels) = labels.filter(|_| feed.shares_system_with(host)) else {
        return Err(refuse("is not trusted"));
    };
    // `app` and regional hosts such as `wcus0.app` serve every organisation.
    let is_common = match labels.split_once('.') {
        Some((region, rest)) => rest == "app" && !region.is_empty(),
        None => matches!(labels, "" | "app"),
    };
    let in_host = Some(labels).filter(|_| !is_common);
    let path = url.path().trim_matches('/').to_owned();
    if path.contains('/') {
        return Err(refuse("has a deep path"));
    }
    let in_path = Some(path.as_str()).filter(|path| !path.is_empty());
    if [in_host, in_path].into_iter().flatten().any(|name| !name.eq_ignore_ascii_case(feed.organisation())) {
        return Err(refuse("belongs to another organisation"));
    }
    url.set_path(&if path.is_empty() { "/".to_owned() } else { format!("/{path}/") });
    Ok(url)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        service::Service,
        system::{fake::FakeSystem, http::Method},
    };

    const FEED: &str = "https://pkgs.dev.azure.com/contoso/_packaging/feed/pypi/simple/";
    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    const BEARER: &str = "Bearer authorization_uri=https://login.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47";
    const AUTHORITY: (&str, &str) = ("X-VSS-AuthorizationEndpoint", "https://vssps.dev.azure.com/contoso/");

    fn feed() -> Feed {
        Feed::from_service(&Service::parse(FEED)).unwrap()
    }

    fn with(status: u16, headers: &[(&str, &str)]) -> Result<Option<Discovery>> {
        discover(
            &FakeSystem::default().answer_with_headers(Method::Get, FEED, status, headers, ""),
            &feed(),
            &Cell::default(),
        )
    }

    fn tenant(headers: &[(&str, &str)]) -> String {
        with(401, headers).unwrap().unwrap().tenant.id
    }

    #[test]
    fn the_tenant_is_read_from_several_lines_or_one_in_any_order() {
        let basic = "Basic realm=\"https://pkgs.dev.azure.com/\"";
        let lines = [
            ("WWW-Authenticate", "TFS-Federated"),
            ("WWW-Authenticate", basic),
            ("www-authenticate", BEARER),
            AUTHORITY,
        ];
        assert_eq!(tenant(&lines), TENANT);
        for joined in [
            format!("{BEARER}, {basic}, TFS-Federated"),
            format!("{basic}, TFS-Federated, {BEARER}"),
            format!("Bearer authorization_uri=\"https://login.microsoftonline.com/{TENANT}\", {basic}"),
            format!("Bearer realm=\"x\",Authorization_URI=https://login.windows.net/{TENANT}"),
            format!("Bearer authorization_uri = \"https://login.windows.net/{TENANT}\" , {basic}"),
        ] {
            assert_eq!(tenant(&[("WWW-Authenticate", &joined), AUTHORITY]), TENANT, "{joined}");
        }
    }

    #[test]
    fn the_resource_tenant_serves_when_no_uri_is_given() {
        let repeated = [
            ("WWW-Authenticate", "Bearer"),
            ("X-VSS-ResourceTenant", NO_TENANT),
            ("X-VSS-ResourceTenant", TENANT),
            AUTHORITY,
        ];
        assert_eq!(tenant(&repeated), TENANT);
        let personal = [("WWW-Authenticate", "Bearer"), ("X-VSS-ResourceTenant", NO_TENANT), AUTHORITY];
        assert_eq!(tenant(&personal), ANY_ORGANISATION);
        let both =
            [("WWW-Authenticate", BEARER), ("X-VSS-ResourceTenant", "11111111-1111-1111-1111-111111111111"), AUTHORITY];
        assert_eq!(tenant(&both), TENANT);
    }

    #[test]
    fn authorities_are_checked_to_be_the_organisations_own() {
        for authority in [
            "https://vssps.dev.azure.com/contoso/",
            "https://vssps.dev.azure.com/Contoso",
            "https://contoso.vssps.visualstudio.com",
            "https://app.vssps.visualstudio.com/",
            "https://wcus0.app.vssps.visualstudio.com:443/",
            "https://app.vssps.dev.azure.com/contoso",
            "https://vsspsext.dev.azure.com/contoso/",
            "https://contoso.vsspsext.visualstudio.com",
            "https://app.vsspsext.visualstudio.com/",
        ] {
            let headers = [("WWW-Authenticate", BEARER), ("X-VSS-AuthorizationEndpoint", authority)];
            assert!(with(401, &headers).is_ok_and(|discovery| discovery.is_some()), "{authority}");
        }
        for authority in [
            "http://vssps.dev.azure.com/contoso/",
            "https://vssps.dev.azure.com:8443/contoso/",
            "https://user@vssps.dev.azure.com/contoso/",
            "https://vssps.dev.azure.com.evil.com/contoso/",
            "https://evilvssps.dev.azure.com/contoso/",
            "https://vssps.dev.azure.com/contoso/deeper/",
            "https://vssps.dev.azure.com/contoso/?x=y",
            "https://vssps.dev.azure.com/fabrikam/",
            "https://fabrikam.vssps.visualstudio.com/",
            "https://vsspsext.dev.azure.com/fabrikam/",
            "https://fabrikam.vsspsext.visualstudio.com/",
            "https://evilvsspsext.dev.azure.com/contoso/",
            "https://vsspsext.codedev.ms/contoso/",
            "https://contoso.vssps.visualstudio.com/fabrikam",
            "https://fabrikam.app.vssps.visualstudio.com.evil/",
            "https://a.b.app.vssps.visualstudio.com/",
            "https://vssps.codedev.ms/contoso/",
            "not a url",
        ] {
            let headers = [("WWW-Authenticate", BEARER), ("X-VSS-AuthorizationEndpoint", authority)];
            assert_eq!(with(401, &headers).unwrap_err().kind(), Kind::Protocol, "{authority}");
        }
    }

    #[test]
    fn the_expected_authority_is_that_of_the_feeds_system() {
        for (url, authority) in [
            (FEED, "https://vssps.dev.azure.com/"),
            ("https://contoso.pkgs.visualstudio.com/_packaging/f/", "https://contoso.vssps.visualstudio.com/"),
            ("https://a.pkgs.pkgs.visualstudio.com/_packaging/f/", "https://a.pkgs.vssps.visualstudio.com/"),
            ("https://pkgs.codedev.ms/contoso/", "https://vssps.codedev.ms/"),
            ("https://contoso.pkgs.vsts.me/", "https://contoso.vssps.vsts.me/"),
        ] {
            let feed = Feed::from_service(&Service::parse(url)).unwrap();
            assert_eq!(expected_authority(&feed).map(String::from).as_deref(), Some(authority), "{url}");
        }
    }

    #[test]
    fn an_untrusted_login_host_is_refused_wherever_it_stands() {
        let evil = format!("{BEARER}, Bearer authorization_uri=https://evil.example/{TENANT}");
        assert!(with(401, &[("WWW-Authenticate", &evil), AUTHORITY]).is_err());
    }

    #[test]
    fn sign_in_pages_and_silence_are_failures_that_say_so() {
        for status in [302, 203, 401, 404] {
            assert!(with(status, &[]).is_err(), "{status}");
        }
        let error = with(302, &[("WWW-Authenticate", BEARER), AUTHORITY]).unwrap_err();
        assert!(error.message().contains("sign-in page"), "{error}");
    }

    #[test]
    fn a_public_feed_is_asked_for_a_package_that_cannot_exist() {
        let package = format!("{FEED}{NO_PACKAGE}/");
        let fake = FakeSystem::default().answer(Method::Get, FEED, 200, "<html>").answer_with_headers(
            Method::Get,
            &package,
            401,
            &[("WWW-Authenticate", BEARER), AUTHORITY],
            "",
        );
        assert_eq!(discover(&fake, &feed(), &Cell::default()).unwrap().unwrap().tenant.id, TENANT);
        let silent = FakeSystem::default().answer(Method::Get, FEED, 200, "").answer(Method::Get, &package, 404, "");
        assert_eq!(discover(&silent, &feed(), &Cell::default()), Ok(None));
    }

    proptest! {
        #[test]
        fn reading_challenges_never_fails(text in "\\PC{0,120}") {
            let _ = authorization_uris(&text);
            let _ = read_authority(&text, &feed());
        }
    }
}
