//! The metadata service of EC2, version 2.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html>

use std::{path::Path, time::Duration};

use serde::Deserialize;
use url::Url;

use super::Wanted;
use crate::{
    auth::{
        access_token::AccessToken,
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
        metadata,
        refusal::Refusal,
    },
    aws::{config::Config, key_document::KeyDocument, keys::Keys, region::Region, variables},
    error::{Error, Kind, Result, quote},
    secret::Secret,
    system::{
        Platform, System,
        http::{Request, Response},
        retry,
    },
};

/// Turns the source off.
const DISABLED_VARIABLE: &str = "AWS_EC2_METADATA_DISABLED";

/// Another address of the service.
const ENDPOINT_VARIABLE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";

/// The same in a profile.
const ENDPOINT_KEY: &str = "ec2_metadata_service_endpoint";

/// Chooses between the addresses of the service.
const MODE_VARIABLE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";

/// The addresses of the service, the same on every instance.
const ADDRESS: &str = "http://169.254.169.254/";
const IPV6_ADDRESS: &str = "http://[fd00:ec2::254]/";

/// The paths of the service: the token that other requests need, the availability zone, and the role with its keys.
const TOKEN_PATH: &str = "/latest/api/token";
const ZONE_PATH: &str = "/latest/meta-data/placement/availability-zone";
const ROLE_PATH: &str = "/latest/meta-data/iam/security-credentials/";

/// The lifetime of a token, in seconds: the longest one.
const TOKEN_LIFETIME: &str = "21600";

/// The limit of each request.
const LIMIT: Duration = Duration::from_secs(1);

/// The pause after the first answer of an overloaded service that asks for no other.
const PAUSE: Duration = Duration::from_millis(500);

/// What tells an instance from other machines: a file, and how its content begins. Instances on Xen have the second
/// one.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html>
const SIGNS: [(&str, &str); 2] = [("/sys/class/dmi/id/sys_vendor", "Amazon EC2"), ("/sys/hypervisor/uuid", "ec2")];

/// The most bytes of such a file: Linux states a page for each.
const SIGN_CAP: usize = 64 * 1024;

/// The source.
pub(crate) struct Instance;

impl TokenProvider<Wanted, Keys> for Instance {
    fn name(&self) -> &'static str {
        "instance"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Configured
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, wanted: &Wanted) -> Result<Attempt<Keys>> {
        keys(system, wanted, is_instance(system))
    }
}

/// The keys of the role of this instance. Without a configured address, the service is asked only if it is `expected`
/// here.
pub(super) fn keys(system: &dyn System, wanted: &Wanted, expected: bool) -> Result<Attempt<Keys>> {
    if is_disabled(system) {
        return Ok(Attempt::not_configured(format!("{DISABLED_VARIABLE} is true")));
    }
    match configured(system, &wanted.config)? {
        Some(service) => service.keys(system),
        None if expected => usual(system)?.keys(system),
        None => Ok(Attempt::not_configured("this machine is not an EC2 instance")),
    }
}

fn is_disabled(system: &dyn System) -> bool {
    system.setting(DISABLED_VARIABLE).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Whether a URL is below one of the addresses of the service, which are the same on every instance.
#[must_use]
pub(crate) fn has_usual_address(url: &Url) -> bool {
    [ADDRESS, IPV6_ADDRESS].into_iter().any(|usual| url.as_str().starts_with(usual))
}

/// The service of a machine that a document takes for an instance: at the address that the variable names, or else at the one
/// in the document, which must be usual.
pub(crate) fn expected(system: &dyn System, address: &Url) -> Result<Service> {
    if is_disabled(system) {
        let message = format!("the metadata service of EC2 is needed, and {DISABLED_VARIABLE} is true");
        return Err(Error::new(Kind::Configuration, message).with_hint(format!("unset {DISABLED_VARIABLE}")));
    }
    match configured(system, &Config::default())? {
        Some(service) => Ok(service),
        None if has_usual_address(address) => Ok(Service { base: address.clone(), named_by: None }),
        None => Err(Error::new(Kind::Internal, "this is not the address of EC2's metadata service")),
    }
}

/// The region of an availability zone: `eu-west-1` of `eu-west-1b`, `us-west-2` of the local zone `us-west-2-lax-1a`.
fn region_of_zone(zone: &str) -> Option<Region> {
    let digit = zone.find(|character: char| character.is_ascii_digit())?;
    let length = zone[digit..].find(|character: char| !character.is_ascii_digit())?;
    Region::parse(&zone[..digit + length])
}

/// The service at one address.
pub(crate) struct Service {
    base: Url,
    /// What names the address; `None` for the usual one.
    named_by: Option<&'static str>,
}

/// The service at the address that a variable or the profile names.
fn configured(system: &dyn System, config: &Config) -> Result<Option<Service>> {
    let of_profile = || {
        let name = system.setting(variables::PROFILE).or_else(|| system.setting(variables::DEFAULT_PROFILE));
        let profile = config.profile(name.as_deref().unwrap_or("default"))?;
        Some((ENDPOINT_KEY, profile.value(ENDPOINT_KEY)?.to_owned()))
    };
    let of_variable = system.setting(ENDPOINT_VARIABLE).map(|value| (ENDPOINT_VARIABLE, value));
    let Some((named_by, value)) = of_variable.or_else(of_profile) else { return Ok(None) };
    let base = metadata::address(named_by, &value)?;
    metadata::check_address(named_by, &base)?;
    Ok(Some(Service { base, named_by: Some(named_by) }))
}

/// The service at its usual address.
fn usual(system: &dyn System) -> Result<Service> {
    let is_ipv6 = system.setting(MODE_VARIABLE).is_some_and(|mode| mode.eq_ignore_ascii_case("IPv6"));
    let base = Url::parse(if is_ipv6 { IPV6_ADDRESS } else { ADDRESS });
    let base = base.map_err(|_| Error::new(Kind::Internal, "the metadata address is not a URL"))?;
    Ok(Service { base, named_by: None })
}

/// Whether this machine is an instance of EC2. Known on Linux only: elsewhere every machine would wait for an answer.
fn is_instance(system: &dyn System) -> bool {
    let begins = |(path, start): (&str, &str)| {
        system.read_file(Path::new(path), SIGN_CAP).is_ok_and(|content| content.starts_with(start.as_bytes()))
    };
    system.platform() == Platform::Linux && SIGNS.into_iter().any(begins)
}

/// Says whether a document has keys.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Outcome {
    code: Option<String>,
    message: Option<String>,
}

impl Service {
    /// The token that other requests need.
    fn token(&self, system: &dyn System) -> Result<Attempt<AccessToken>> {
        let request = limited(Request::put_empty(self.url(TOKEN_PATH)?))
            .header("X-aws-ec2-metadata-token-ttl-seconds", TOKEN_LIFETIME);
        let mut response = metadata::probe(system, &request)?.ok_or_else(|| self.silent())?;
        if matches!(response.status, 429 | 500 | 502..=504) {
            let pause = retry::retry_after(&response).unwrap_or(PAUSE);
            if pause < system.remaining() {
                system.pause(pause)?;
                response = retry::send(system, &request)?;
            }
        }
        if response.status == 403 {
            return Ok(Attempt::not_configured("the metadata service of EC2 is turned off"));
        }
        let token = self.check(&response, &[])?.body.clone();
        AccessToken::parse(&*token).map(Attempt::Token).map_err(|malformed| self.answered(&malformed.to_string()))
    }

    /// The region of this instance.
    pub(crate) fn region(&self, system: &dyn System) -> Result<Attempt<Region>> {
        let token = match self.token(system)? {
            Attempt::Token(token) => token,
            Attempt::NotConfigured(why) => return Ok(Attempt::NotConfigured(why)),
        };
        let answer = self.get(system, ZONE_PATH, token.secret())?;
        let zone = std::str::from_utf8(&self.check(&answer, &[token.secret().expose()])?.body).unwrap_or_default();
        region_of_zone(zone.trim()).map(Attempt::Token).ok_or_else(|| self.answered("no availability zone"))
    }

    /// The keys of the role of this instance.
    pub(crate) fn keys(&self, system: &dyn System) -> Result<Attempt<Keys>> {
        let token = match self.token(system)? {
            Attempt::Token(token) => token,
            Attempt::NotConfigured(why) => return Ok(Attempt::NotConfigured(why)),
        };
        let listed = self.get(system, ROLE_PATH, token.secret())?;
        if listed.status == 404 {
            return Ok(Attempt::not_configured("no role is attached to this EC2 instance"));
        }
        let secrets = [token.secret().expose()];
        let role = std::str::from_utf8(&self.check(&listed, &secrets)?.body).unwrap_or_default();
        let role = role.lines().next().unwrap_or_default().trim();
        if !is_role_name(role) {
            return Err(self.answered("no name of a role"));
        }
        let answer = self.get(system, &format!("{ROLE_PATH}{role}"), token.secret())?;
        let outcome: Outcome = self.check(&answer, &secrets)?.json()?;
        match outcome.code.as_deref() {
            Some("Success") | None => answer.json::<KeyDocument>()?.session(system, &answer, None).map(Attempt::Token),
            Some(code) => {
                let [code, reason] =
                    [code, outcome.message.as_deref().unwrap_or("no reason")].map(|text| quote(text, &secrets));
                let message = format!("this EC2 instance has no access keys of its role {role} ({code}): {reason}");
                Err(Error::new(Kind::Rejected, message)
                    .with_hint("check the trust policy of the role, or detach the role and attach it again"))
            }
        }
    }

    fn url(&self, path: &str) -> Result<Url> {
        let named_by = self.named_by.unwrap_or(ENDPOINT_VARIABLE);
        self.base
            .join(path)
            .map_err(|_| Error::new(Kind::Configuration, format!("{named_by} cannot have a path below it")))
    }

    fn get(&self, system: &dyn System, path: &str, token: &Secret) -> Result<Response> {
        let request = limited(Request::get(self.url(path)?)).header("X-aws-ec2-metadata-token", token.expose());
        retry::send(system, &request)
    }

    /// The answer, if it is a success.
    fn check<'answer>(&self, answer: &'answer Response, secrets: &[&str]) -> Result<&'answer Response> {
        if answer.is_success() {
            return Ok(answer);
        }
        let what = format!("the metadata service of EC2 refused a request (HTTP {})", answer.status);
        let hint = match self.named_by {
            Some(named_by) => format!("check {named_by}"),
            None => format!("set {DISABLED_VARIABLE}=true if it is not to be asked"),
        };
        Err(Refusal::read(answer, secrets).into_error(what, Some(hint.into())))
    }

    fn answered(&self, what: &str) -> Error {
        let host = self.base.host_str().unwrap_or_default();
        Error::new(Kind::Protocol, format!("the metadata service of EC2 ({host}) answered with {what}"))
    }

    /// The error if nothing answers. Answers to the first request may pass one hop only, and a container is one more.
    fn silent(&self) -> Error {
        match self.named_by {
            Some(named_by) => Error::new(Kind::Network, format!("nothing answers at the address in {named_by}"))
                .with_hint(format!("correct or unset {named_by}")),
            None => Error::new(Kind::Network, "the metadata service of EC2 does not answer").with_hint(format!(
                "set the hop limit of the instance's metadata options to 2 for containers, or {DISABLED_VARIABLE}=true"
            )),
        }
    }
}

fn limited(request: Request) -> Request {
    request.over_metadata().with_limits(LIMIT, LIMIT)
}

/// Whether a text is the name of a role, and so one part of a path.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html>
fn is_role_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (1..=64).contains(&text.len()) && !text.bytes().all(|byte| byte == b'.') && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::{client::Client, config::Config, region::Region},
        system::http::Method,
        system::{fake::FakeSystem, http::Route},
    };

    const KEYS: &str = r#"{"Code":"Success","AccessKeyId":"ASIAADA","SecretAccessKey":"s","Token":"t",
        "Expiration":"2026-11-22T06:00:00Z"}"#;

    fn ask(fake: &FakeSystem) -> Result<Attempt<Keys>> {
        let client = Client::new(fake, None, None)?;
        let wanted = Wanted { config: Config::read(fake)?, client, region: Region::parse("eu-west-1").unwrap() };
        Instance.token(fake, &wanted)
    }

    fn skipped(fake: &FakeSystem) -> String {
        match ask(fake) {
            Ok(Attempt::NotConfigured(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    fn instance() -> FakeSystem {
        FakeSystem::default().on(Platform::Linux).file("/sys/class/dmi/id/sys_vendor", "Amazon EC2\n")
    }

    /// A service with a token for everybody.
    fn serving(fake: FakeSystem, base: &str) -> FakeSystem {
        fake.answer(Method::Put, &format!("{base}latest/api/token"), 200, "token-secret")
    }

    /// The same, up to the document of the role.
    fn with_role(fake: FakeSystem, base: &str, status: u16, document: &str) -> FakeSystem {
        let path = format!("{base}latest/meta-data/iam/security-credentials/");
        serving(fake, base).answer(Method::Get, &path, 200, "Reader\n").answer(
            Method::Get,
            &format!("{path}Reader"),
            status,
            document,
        )
    }

    #[test]
    fn an_instance_asks_with_a_token_and_without_a_proxy() {
        let fake = with_role(instance(), ADDRESS, 200, KEYS);
        assert!(matches!(ask(&fake), Ok(Attempt::Token(keys)) if keys.access_key_id == "ASIAADA"));
        let mut sent = Vec::new();
        for request in fake.requests() {
            assert_eq!((request.route, request.limit), (Route::Metadata, LIMIT));
            sent.extend(request.headers.iter().map(|(name, value)| format!("{name}: {}", value.expose())));
        }
        let token = "X-aws-ec2-metadata-token: token-secret";
        assert_eq!(sent, ["X-aws-ec2-metadata-token-ttl-seconds: 21600", token, token]);
    }

    #[test]
    fn only_machines_with_signs_of_ec2_ask() {
        let linux = || FakeSystem::default().on(Platform::Linux);
        let off = instance().variable(DISABLED_VARIABLE, "True");
        assert_eq!(skipped(&off), "AWS_EC2_METADATA_DISABLED is true");
        for fake in [
            linux(),
            linux().file("/sys/class/dmi/id/sys_vendor", "QEMU\n"),
            linux().file("/sys/hypervisor/uuid", "01ec2"),
            instance().on(Platform::Windows),
            instance().on(Platform::MacOs),
        ] {
            assert_eq!(skipped(&fake), "this machine is not an EC2 instance");
        }
        let xen = linux().file("/sys/hypervisor/uuid", "ec2e1916-9099-7caf-fd21-012345abcdef\n");
        assert!(ask(&with_role(xen, ADDRESS, 200, KEYS)).is_ok());
        let ipv6 = instance().variable(MODE_VARIABLE, "ipv6");
        assert!(ask(&with_role(ipv6, IPV6_ADDRESS, 200, KEYS)).is_ok());
    }

    #[test]
    fn an_address_that_is_configured_is_asked_anywhere() {
        let base = "http://127.0.0.1:41/";
        for platform in [Platform::Linux, Platform::Windows, Platform::MacOs] {
            let fake = FakeSystem::default().on(platform).variable(ENDPOINT_VARIABLE, base);
            assert!(ask(&with_role(fake, base, 200, KEYS)).is_ok());
        }
        let config = format!("[profile corp]\n{ENDPOINT_KEY} = {base}\n");
        let fake = FakeSystem::default().home("/home/ada").file("/home/ada/.aws/config", &config);
        assert!(ask(&with_role(fake.variable("AWS_PROFILE", "corp"), base, 200, KEYS)).is_ok());
        for address in ["http://a.example/", "127.0.0.1", "ftp://127.0.0.1/"] {
            let error = ask(&FakeSystem::default().variable(ENDPOINT_VARIABLE, address)).unwrap_err();
            assert!(error.kind() == Kind::Configuration && error.message().starts_with(ENDPOINT_VARIABLE), "{error}");
        }
    }

    #[test]
    fn an_expected_instance_is_asked_for_its_region_and_keys() {
        let [usual, moved, foreign] =
            [ADDRESS, "http://127.0.0.1:41/", "http://192.0.2.1/"].map(|text| Url::parse(text).unwrap());
        for (variable, base) in [("", &usual), (moved.as_str(), &moved)] {
            let fake = serving(FakeSystem::default().variable(ENDPOINT_VARIABLE, variable), base.as_str());
            let fake = fake.answer(Method::Get, base.join(ZONE_PATH).unwrap().as_str(), 200, "eu-west-1b");
            let fake = with_role(fake, base.as_str(), 200, KEYS);
            let service = expected(&fake, &usual).unwrap();
            let region = Region::parse("eu-west-1").unwrap();
            assert!(matches!(service.region(&fake), Ok(Attempt::Token(found)) if found == region));
            assert!(matches!(service.keys(&fake), Ok(Attempt::Token(keys)) if keys.access_key_id == "ASIAADA"));
            fake.assert_done();
        }
        assert!(expected(&FakeSystem::default(), &foreign).is_err());
        let disabled = FakeSystem::default().variable(DISABLED_VARIABLE, "true");
        assert!(expected(&disabled, &usual).is_err());
    }

    #[test]
    fn the_usual_addresses_are_the_same_on_every_instance() {
        for (address, is_usual) in [
            ("http://169.254.169.254/latest/meta-data", true),
            ("http://[fd00:ec2::254]/latest/meta-data", true),
            ("https://169.254.169.254/", false),
            ("http://169.254.169.254:8080/", false),
            ("http://ada@169.254.169.254/", false),
            ("http://169.254.170.2/", false),
            ("http://169.254.169.254.example/", false),
            ("http://127.0.0.1/", false),
        ] {
            assert_eq!(has_usual_address(&Url::parse(address).unwrap()), is_usual, "{address}");
        }
    }

    #[test]
    fn the_region_is_the_beginning_of_a_zone() {
        for (zone, region) in [
            ("eu-west-1b", Some("eu-west-1")),
            ("us-gov-east-1a", Some("us-gov-east-1")),
            ("us-west-2-lax-1a", Some("us-west-2")),
            ("eu-west-1", None),
            ("1a", None),
            ("eu west-1b", None),
            ("", None),
        ] {
            assert_eq!(region_of_zone(zone), region.and_then(Region::parse), "{zone}");
        }
    }

    #[test]
    fn an_instance_without_a_role_or_service_is_not_configured() {
        let turned_off = instance().answer(Method::Put, "http://169.254.169.254/latest/api/token", 403, "");
        assert_eq!(skipped(&turned_off), "the metadata service of EC2 is turned off");
        let list = "http://169.254.169.254/latest/meta-data/iam/security-credentials/";
        let fake = serving(instance(), ADDRESS).answer(Method::Get, list, 404, "");
        assert_eq!(skipped(&fake), "no role is attached to this EC2 instance");
    }

    #[test]
    fn an_overloaded_service_is_asked_again_for_a_token() {
        let url = "http://169.254.169.254/latest/api/token";
        for (headers, pause) in [(&[][..], PAUSE), (&[("Retry-After", "7")][..], Duration::from_secs(7))] {
            let fake = instance().answer_with_headers(Method::Put, url, 503, headers, "");
            let fake = with_role(fake, ADDRESS, 200, KEYS);
            assert!(matches!(ask(&fake), Ok(Attempt::Token(_))));
            assert_eq!(fake.pauses(), [pause]);
        }
    }

    #[test]
    fn a_silent_service_names_the_hop_limit_or_the_variable() {
        let url = "http://169.254.169.254/latest/api/token";
        let error = ask(&instance().failure(Method::Put, url, false)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the metadata service of EC2 does not answer; set the hop limit of the instance's metadata options to 2 \
             for containers, or AWS_EC2_METADATA_DISABLED=true"
        );
        let fake = FakeSystem::default().variable(ENDPOINT_VARIABLE, "http://127.0.0.1:41");
        let error = ask(&fake.failure(Method::Put, "http://127.0.0.1:41/latest/api/token", false)).unwrap_err();
        assert_eq!(error.message(), "nothing answers at the address in AWS_EC2_METADATA_SERVICE_ENDPOINT");
    }

    #[test]
    fn answers_without_keys_are_errors_without_secrets() {
        for (status, document, message) in [
            (
                200,
                r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"no token-secret"}"#,
                "has no access keys of its role Reader (AssumeRoleUnauthorizedAccess): no (hidden)",
            ),
            (200, r#"{"Code":"Success"}"#, "answered without access keys"),
            (200, "<html>", "instead of JSON"),
            (200, &KEYS.replace("22T06", "21T06"), "have expired"),
            (401, "", "refused a request (HTTP 401)"),
        ] {
            let error = ask(&with_role(instance(), ADDRESS, status, document)).unwrap_err();
            assert!(error.message().contains(message) && !error.to_string().contains("token-secret"), "{error}");
        }
        for role in ["", "..", "a/b", "a b", "a?b", &"a".repeat(65)] {
            let list = "http://169.254.169.254/latest/meta-data/iam/security-credentials/";
            let error = ask(&serving(instance(), ADDRESS).answer(Method::Get, list, 200, role)).unwrap_err();
            assert_eq!(error.kind(), Kind::Protocol, "{role}");
        }
        let url = "http://169.254.169.254/latest/api/token";
        assert!(ask(&instance().answer(Method::Put, url, 200, "two words")).is_err());
        assert!(ask(&instance().answer(Method::Put, url, 501, "")).is_err());
    }
}
