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
    aws::{key_document::KeyDocument, keys::Keys, variables},
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

/// The paths of the service: the token that other requests need, and the role with its keys.
const TOKEN_PATH: &str = "/latest/api/token";
const ROLE_PATH: &str = "/latest/meta-data/iam/security-credentials/";

/// The lifetime of a token, in seconds: the longest one.
const TOKEN_LIFETIME: &str = "21600";

/// The limit of each request.
const LIMIT: Duration = Duration::from_secs(1);

/// What tells an instance from other machines: a file, and how its content begins. Instances on Xen have the second one.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html>
const SIGNS: [(&str, &str); 2] = [("/sys/class/dmi/id/sys_vendor", "Amazon EC2"), ("/sys/hypervisor/uuid", "ec2")];

/// The most bytes of such a file.
const SIGN_CAP: usize = 4096;

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
        if system.setting(DISABLED_VARIABLE).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(Attempt::not_configured(format!("{DISABLED_VARIABLE} is true")));
        }
        let service = match configured(system, wanted)? {
            Some(service) => service,
            None if is_instance(system) => usual(system)?,
            None => return Ok(Attempt::not_configured("this machine is no EC2 instance")),
        };
        service.keys(system)
    }
}

/// The service at one address.
struct Service {
    base: Url,
    /// What names the address; `None` for the usual one.
    named_by: Option<&'static str>,
}

/// The service at the address that a variable or the profile names.
fn configured(system: &dyn System, wanted: &Wanted) -> Result<Option<Service>> {
    let of_profile = || {
        let name = system.setting(variables::PROFILE).or_else(|| system.setting(variables::DEFAULT_PROFILE));
        let profile = wanted.config.profile(name.as_deref().unwrap_or("default"))?;
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
    fn keys(&self, system: &dyn System) -> Result<Attempt<Keys>> {
        let request = limited(Request::put_empty(self.url(TOKEN_PATH)?))
            .header("X-aws-ec2-metadata-token-ttl-seconds", TOKEN_LIFETIME);
        let response = metadata::probe(system, &request)?.ok_or_else(|| self.silent())?;
        if response.status == 403 {
            return Ok(Attempt::not_configured("the metadata service of EC2 is turned off"));
        }
        let token = self.check(&response, &[])?.body.clone();
        let token = AccessToken::parse(&*token).map_err(|malformed| self.answered(&malformed.to_string()))?;
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
                    .with_hint("check the trust policy of the role, or attach it anew"))
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
            None => Error::new(Kind::Network, "the metadata service of this EC2 instance does not answer").with_hint(
                format!("set the hop limit of its metadata options to 2 for containers, or {DISABLED_VARIABLE}=true"),
            ),
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
