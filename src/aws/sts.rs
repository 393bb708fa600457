//! The Security Token Service, which exchanges one identity for the access keys of another.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>

use super::{
    client::{Answer, CLOCK_TOLERANCE, Client},
    endpoint::STS,
    key_document::KeyDocument,
    keys::Keys,
    refusal::Refusal,
    region::Region,
    xml,
};
use crate::{
    auth::{access_token::AccessToken, clock_skew::ClockSkew, jwt::Claims, refusal::meaning},
    error::{Error, Kind, LONGEST_NAME, Result, quote, shorten},
    secret::Secret,
    system::{
        System,
        http::{Request, Response},
    },
};

/// A role to assume, as a profile or a section of keyringrc.cfg describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Role {
    /// Its ARN.
    pub(crate) arn: String,
    /// The name of the session in logs of the account; `None` for [`SESSION_NAME`].
    pub(crate) session_name: Option<String>,
    /// What the role may demand of third parties.
    pub(crate) external_id: Option<String>,
    /// How long the session lasts, in seconds; `None` for the role's own.
    pub(crate) duration: Option<u32>,
    /// The device whose codes the role demands.
    pub(crate) mfa_serial: Option<String>,
}

/// The name of a session that nothing else names.
pub(crate) const SESSION_NAME: &str = "ringbearer";

/// The version of the API.
const VERSION: &str = "2011-06-15";

/// The longest ARN, in bytes.
const LONGEST_ARN: usize = 2048;

/// Assumes a role with access keys.
pub(crate) fn assume_role(
    system: &dyn System,
    client: &Client,
    region: &Region,
    keys: &Keys,
    role: &Role,
) -> Result<Keys> {
    let external_id = role.external_id.as_deref().map(|id| ("ExternalId", id));
    let form = role_form(client, region, "AssumeRole", role, external_id.as_slice())?;
    let answer = client.send_signed(system, form, keys, &STS, region)?;
    if !answer.response.is_success() {
        let trust = "allow this identity sts:AssumeRole, and let the role's trust policy name it";
        return Err(refused(system, &answer, region, &role.refused_in(region), trust, &secrets(keys)));
    }
    session(system, &answer)
}

/// Assumes a role with the identity token of a workload.
pub(crate) fn assume_role_with_web_identity(
    system: &dyn System,
    client: &Client,
    region: &Region,
    token: &AccessToken,
    role: &Role,
) -> Result<Keys> {
    let secret = token.secret().expose();
    let form = role_form(client, region, "AssumeRoleWithWebIdentity", role, &[("WebIdentityToken", secret)])?;
    let answer = Answer { response: client.send(system, form)?, skew: None };
    if !answer.response.is_success() {
        return Err(refused(system, &answer, region, &role.refused_in(region), &trust(token), &[secret]));
    }
    session(system, &answer)
}

/// The ARN of the identity that keys belong to.
pub(crate) fn caller(system: &dyn System, client: &Client, region: &Region, keys: &Keys) -> Result<String> {
    let form = Request::post_form(client.url(&STS, region)?, &[("Action", "GetCallerIdentity"), ("Version", VERSION)]);
    let answer = client.send_signed(system, form, keys, &STS, region)?;
    if !answer.response.is_success() {
        let what = format!("STS in {region} does not accept the access key {}", keys.access_key_id);
        return Err(refused(system, &answer, region, &what, "check the policies of the account", &secrets(keys)));
    }
    let arn = text(&answer.response, "Arn").map(|arn| quote(arn.expose(), &secrets(keys)));
    arn.filter(|arn| is_arn(arn))
        .ok_or_else(|| Error::new(Kind::Protocol, format!("{} answered without an identity", answer.response.host)))
}

impl Role {
    /// What failed, if STS refuses the role.
    fn refused_in(&self, region: &Region) -> String {
        format!("STS in {region} refused the role {}", self.arn)
    }
}

/// The request for the session of a role, with the fields that only this action has. A role that no account can have is an error.
fn role_form(client: &Client, region: &Region, action: &str, role: &Role, more: &[(&str, &str)]) -> Result<Request> {
    let session_name = role.session_name.as_deref().unwrap_or(SESSION_NAME);
    if !is_arn(&role.arn) {
        return Err(Error::new(Kind::Configuration, "the ARN of the role does not begin with arn:")
            .with_hint("correct role_arn or AWS_ROLE_ARN: arn:aws:iam::ACCOUNT:role/NAME"));
    }
    if !is_session_name(session_name) {
        return Err(Error::new(
            Kind::Configuration,
            "the name of the role's session is not 2 to 64 letters, digits and characters of _+=,.@-",
        )
        .with_hint("correct role_session_name or AWS_ROLE_SESSION_NAME"));
    }
    let duration = role.duration.map(|seconds| seconds.to_string());
    let mut fields =
        vec![("Action", action), ("Version", VERSION), ("RoleArn", &role.arn), ("RoleSessionName", session_name)];
    fields.extend(duration.as_deref().map(|seconds| ("DurationSeconds", seconds)));
    fields.extend(more);
    Ok(Request::post_form(client.url(&STS, region)?, &fields))
}

fn is_arn(text: &str) -> bool {
    text.starts_with("arn:") && text.len() <= LONGEST_ARN && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
fn is_session_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (2..=64).contains(&name.len()) && name.bytes().all(is_allowed)
}

/// The secrets of a signed request.
fn secrets(keys: &Keys) -> Vec<&str> {
    [Some(&keys.secret_access_key), keys.session_token.as_ref()].into_iter().flatten().map(Secret::expose).collect()
}

/// The text of an element of an answer; `None` if that is not UTF-8 or has no such element.
fn text(response: &Response, element: &str) -> Option<Secret> {
    xml::text(std::str::from_utf8(&response.body).ok()?, element).map(Secret::new)
}

/// The keys in the answer of both actions.
fn session(system: &dyn System, answer: &Answer) -> Result<Keys> {
    let text = |element| text(&answer.response, element);
    let document = KeyDocument {
        access_key_id: text("AccessKeyId").map(|id| id.expose().to_owned()),
        secret_access_key: text("SecretAccessKey"),
        session_token: text("SessionToken"),
        expiration: text("Expiration").map(|time| time.expose().to_owned()),
    };
    document.session(system, &answer.response, answer.skew)
}

/// The claims that the trust policy of a role is about.
fn trust(token: &AccessToken) -> String {
    let claims = token.claims();
    let shown = |text: &str| shorten(&quote(text, &[token.secret().expose()]), LONGEST_NAME);
    let subject = claims.as_ref().and_then(|claims| claims.text("sub")).map(shown);
    let audiences = claims.as_ref().and_then(Claims::audiences).map(|audiences| shown(&audiences.join(", ")));
    let or_none = |claim: Option<String>| claim.filter(|claim| !claim.is_empty()).unwrap_or_else(|| "none".to_owned());
    format!("let the role's trust policy accept sub {} with aud {}", or_none(subject), or_none(audiences))
}

/// The error for a refusal: `what`, the name of the error and the service's message. `trust` is what to do if the identity has no
/// access.
fn refused(system: &dyn System, answer: &Answer, region: &Region, what: &str, trust: &str, secrets: &[&str]) -> Error {
    let refusal = Refusal::read(&answer.response, secrets);
    let meaning = meaning(refusal.status, None);
    let hint = match refusal.name.as_str() {
        "AccessDenied" | "AccessDeniedException" => trust.to_owned(),
        "InvalidIdentityToken" | "IDPRejectedClaim" => {
            "add the issuer of the identity token to the identity providers of the account, with its audience"
                .to_owned()
        }
        "ExpiredToken" | "ExpiredTokenException" => "renew the token or the session that it was asked with".to_owned(),
        "IDPCommunicationError" => "STS cannot reach the issuer of the identity token: try again later".to_owned(),
        "RegionDisabledException" => format!("activate STS in {region}, in the account settings of IAM"),
        "InvalidClientTokenId" | "UnrecognizedClientException" => {
            "the access key is unknown, deactivated or without its session token: renew it".to_owned()
        }
        "SignatureDoesNotMatch" | "InvalidSignatureException" => "check the secret access key".to_owned(),
        _ => "check the role and the access key".to_owned(),
    };
    let is_temporary = matches!(refusal.name.as_str(), "IDPCommunicationError" | "Throttling" | "ThrottlingException");
    let kind = if is_temporary { Kind::Protocol } else { meaning.kind };
    let name = if refusal.name.is_empty() { format!("HTTP {}", refusal.status) } else { refusal.name };
    let message = if refusal.message.is_empty() { String::new() } else { format!(": {}", refusal.message) };
    let error = Error::new(kind, format!("{what} ({name}){message}"));
    let hint = meaning.hint.map_or(hint, str::to_owned);
    let skew = answer.skew.or_else(|| ClockSkew::beyond(CLOCK_TOLERANCE, system, &answer.response));
    match skew.filter(|_| is_about_time(&name)) {
        Some(skew) => skew.explain(error),
        None => error.with_hint(hint),
    }
}

/// Whether an error may come from a clock that is wrong.
fn is_about_time(name: &str) -> bool {
    matches!(
        name,
        "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "RequestTimeTooSkewed"
            | "RequestExpired"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidIdentityToken"
    )
}
