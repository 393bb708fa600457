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
pub(super) const TOKEN_FILE_VARIABLE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
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
                .with_hint(format!("correct or unset {RELATIVE_VARIABLE}"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::{client::Client, config::Config, region::Region},
        system::{
            fake::{FakeSystem, absolute},
            http::{Method, Route},
        },
    };

    const ADDRESS: &str = "http://127.0.0.1:41/keys";

    const KEYS: &str =
        r#"{"AccessKeyId":"ASIAADA","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-22T01:00:00Z"}"#;

    fn ask(fake: &FakeSystem) -> Result<Attempt<Keys>> {
        let client = Client::new(fake, None, None).unwrap();
        Container
            .token(fake, &Wanted { config: Config::default(), client, region: Region::parse("eu-west-1").unwrap() })
    }

    fn full(url: &str) -> FakeSystem {
        FakeSystem::default().variable(FULL_VARIABLE, url)
    }

    #[test]
    fn the_path_of_amazon_ecs_has_precedence() {
        let fake = full("https://a.example/").variable(RELATIVE_VARIABLE, "/v2/credentials/x");
        let fake = fake.answer(Method::Get, "http://169.254.170.2/v2/credentials/x", 200, KEYS);
        assert!(matches!(ask(&fake), Ok(Attempt::Token(keys)) if keys.access_key_id == "ASIAADA"));
        assert_eq!(fake.requests()[0].route, Route::Metadata);
        for path in ["x", "@a.example/", ".a.example/"] {
            let fake = FakeSystem::default().variable(RELATIVE_VARIABLE, path);
            assert_eq!(ask(&fake).unwrap_err().kind(), Kind::Configuration, "{path}");
        }
        assert!(matches!(ask(&FakeSystem::default()), Ok(Attempt::NotConfigured(_))));
    }

    #[test]
    fn http_reaches_addresses_of_containers_only() {
        for url in [
            "http://localhost/keys",
            "http://127.0.0.2/keys",
            "http://[::1]/keys",
            "http://169.254.170.2/keys",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::23]/v1/credentials",
            "https://a.example/keys",
        ] {
            assert!(ask(&full(url).answer(Method::Get, url, 200, KEYS)).is_ok(), "{url}");
        }
        for url in [
            "http://a.example/",
            "http://localhost.example/",
            "http://10.0.0.1/",
            "http://169.254.169.254/",
            "http://[fd00:ec2::24]/",
            "ftp://127.0.0.1/",
            "/keys",
        ] {
            let error = ask(&full(url)).unwrap_err();
            assert!(
                error.kind() == Kind::Configuration && error.message().starts_with(FULL_VARIABLE),
                "{url}: {error}"
            );
        }
    }

    #[test]
    fn the_header_comes_from_the_file_then_the_variable() {
        let sent = |fake: FakeSystem| {
            let fake = fake.answer(Method::Get, ADDRESS, 200, KEYS);
            ask(&fake).map(|_| {
                let headers = fake.requests().remove(0).headers;
                headers
                    .into_iter()
                    .find(|(name, _)| *name == "Authorization")
                    .map(|(_, value)| value.expose().to_owned())
            })
        };
        let in_variable = |value: &str| full(ADDRESS).variable(TOKEN_VARIABLE, value);
        let in_file = |content: &str| {
            in_variable("other").variable(TOKEN_FILE_VARIABLE, &absolute("/run/token")).file("/run/token", content)
        };
        assert_eq!(sent(full(ADDRESS)), Ok(None));
        assert_eq!(sent(in_variable("Basic a b")), Ok(Some("Basic a b".to_owned())));
        assert_eq!(sent(in_file("token\n")), Ok(Some("token".to_owned())));
        for fake in [in_variable("x-secret\r\nX: y"), in_file("x-secret\nX: y"), in_file(""), in_file("x-secret\u{7}")]
        {
            let error = sent(fake).unwrap_err();
            assert!(error.kind() == Kind::Configuration && !error.to_string().contains("x-secret"), "{error}");
        }
    }

    #[test]
    fn a_refusal_names_the_variable_and_no_secret() {
        for (status, body, message) in [
            (
                400,
                r#"{"code":"x","message":"no header-secret"}"#,
                "gave this container no access keys (HTTP 400): no (hidden)",
            ),
            (404, "", "gave this container no access keys (HTTP 404)"),
            (200, "{}", "answered without access keys"),
            (200, &KEYS.replace("22T", "21T"), "answered with access keys that have expired"),
        ] {
            let fake =
                full(ADDRESS).variable(TOKEN_VARIABLE, "header-secret").answer(Method::Get, ADDRESS, status, body);
            assert_eq!(ask(&fake).unwrap_err().message(), format!("{FULL_VARIABLE}: the fake {message}"));
        }
        let fake = full(ADDRESS).answer(Method::Get, ADDRESS, 500, "").failure(Method::Get, ADDRESS, true);
        assert!(ask(&fake.answer(Method::Get, ADDRESS, 200, KEYS)).is_ok());
    }
}
