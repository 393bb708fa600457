//! The credentials service of Amazon ECS and of EKS Pod Identity.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use url::{Host, Url};

use super::Wanted;
use crate::{
    auth::{
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
        metadata, private_file,
        refusal::Refusal,
    },
    aws::{key_document::KeyDocument, keys::Keys},
    error::{Error, Kind, Result},
    secret::Secret,
    system::{
        System,
        http::{ATTEMPTS, Request, is_loopback},
        retry,
    },
};

/// The path at the service of Amazon ECS.
const RELATIVE_VARIABLE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";

/// The address of any other service.
const FULL_VARIABLE: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

/// The file of the header, and the header itself.
const TOKEN_FILE_VARIABLE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const TOKEN_VARIABLE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";

/// The address of Amazon ECS.
const ECS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);

/// The addresses of EKS Pod Identity.
const EKS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 23);
const EKS_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23);

/// The limits of a request.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// The source.
pub(crate) struct Container;

impl TokenProvider<Wanted, Keys> for Container {
    fn name(&self) -> &'static str {
        "container"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Configured
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, _wanted: &Wanted) -> Result<Attempt<Keys>> {
        let Some((variable, url)) = address(system)? else {
            return Ok(Attempt::not_configured(format!("no {RELATIVE_VARIABLE}, no {FULL_VARIABLE}")));
        };
        let authorization = authorization(system)?;
        ask(system, url, authorization.as_ref()).map(Attempt::Token).map_err(|error| error.within(variable))
    }
}

/// The address of the service, and the variable that it comes from.
fn address(system: &dyn System) -> Result<Option<(&'static str, Url)>> {
    if let Some(path) = system.setting(RELATIVE_VARIABLE) {
        // Anything else before the path could belong to the host.
        let url = path.starts_with('/').then(|| Url::parse(&format!("http://{ECS}{path}")).ok()).flatten();
        let url = url.ok_or_else(|| {
            Error::new(Kind::Configuration, format!("{RELATIVE_VARIABLE} is not a path that begins with /"))
        })?;
        return Ok(Some((RELATIVE_VARIABLE, url)));
    }
    let Some(value) = system.setting(FULL_VARIABLE) else { return Ok(None) };
    let url = metadata::address(FULL_VARIABLE, &value)?;
    let is_near = is_loopback(&url)
        || match url.host() {
            Some(Host::Ipv4(address)) => [ECS, EKS].contains(&address),
            Some(Host::Ipv6(address)) => address == EKS_IPV6,
            _ => false,
        };
    if url.scheme() == "https" || is_near {
        return Ok(Some((FULL_VARIABLE, url)));
    }
    Err(Error::new(Kind::Configuration, format!("{FULL_VARIABLE} is neither https nor an address of a container"))
        .with_hint(format!("with http, the host of {FULL_VARIABLE} is loopback, {ECS}, {EKS} or [{EKS_IPV6}]")))
}

/// The header that the service asks for, if it asks for one. Its file is read each time: EKS renews it.
fn authorization(system: &dyn System) -> Result<Option<Secret>> {
    let (variable, value) = if let Some(path) = system.setting(TOKEN_FILE_VARIABLE) {
        let content = private_file::read(system, TOKEN_FILE_VARIABLE, &path)?;
        (TOKEN_FILE_VARIABLE, Secret::from_utf8_trimmed(&content))
    } else if let Some(value) = system.secret_setting(TOKEN_VARIABLE) {
        (TOKEN_VARIABLE, Some(value))
    } else {
        return Ok(None);
    };
    // A line break would begin another header.
    let is_header = |value: &Secret| value.expose().bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    value.filter(is_header).map(Some).ok_or_else(|| {
        Error::new(Kind::Configuration, format!("{variable} holds nothing that a header can carry"))
            .with_hint(format!("correct or unset {variable}"))
    })
}

fn ask(system: &dyn System, url: Url, authorization: Option<&Secret>) -> Result<Keys> {
    let mut request = Request::get(url)
        .over_metadata()
        .with_limits(CONNECT_LIMIT, REQUEST_LIMIT)
        .with_attempts(ATTEMPTS)
        .header("Accept", "application/json");
    if let Some(value) = authorization {
        request = request.header("Authorization", value.expose());
    }
    let response = retry::send(system, &request)?;
    if !response.is_success() {
        let what = format!("{} gave this container no access keys (HTTP {})", response.host, response.status);
        let hint = format!("check the role of the task or pod, and {TOKEN_FILE_VARIABLE}");
        let secrets: Vec<&str> = authorization.into_iter().map(Secret::expose).collect();
        return Err(Refusal::read(&response, &secrets).into_error(what, Some(hint.into())));
    }
    response.json::<KeyDocument>()?.session(system, &response, None)
}
