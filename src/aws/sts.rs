//! The Security Token Service, which exchanges one identity for the access keys of another.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>

use super::{
    client::{Answer, Client},
    endpoint::STS,
    key_document::KeyDocument,
    keys::Keys,
    refusal::Refusal,
    region::Region,
    signature, xml,
};
use crate::{
    auth::{access_token::AccessToken, jwt::Claims},
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

/// The errors, besides those of the signature, that a wrong clock may cause.
const OF_TIME: &[&str] = &["ExpiredToken", "ExpiredTokenException", "InvalidIdentityToken"];

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
        let trust = match external_id {
            Some(_) => "allow this identity sts:AssumeRole; the role's trust policy must name it and the external_id",
            None => {
                "allow this identity sts:AssumeRole; the role's trust policy must name it, and may ask for an external_id"
            }
        };
        return Err(refused(system, &answer, region, &role.refused(), trust, &keys.secrets()));
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
    let answer = Answer { response: client.send(system, form)?, used_skew: None };
    if !answer.response.is_success() {
        return Err(refused(system, &answer, region, &role.refused(), &trust(token), &[secret]));
    }
    session(system, &answer)
}

/// The ARN of the identity that keys belong to.
pub(crate) fn caller(system: &dyn System, client: &Client, region: &Region, keys: &Keys) -> Result<String> {
    let form =
        Request::post_form(client.url(&STS, region, "")?, &[("Action", "GetCallerIdentity"), ("Version", VERSION)]);
    let answer = client.send_signed(system, form, keys, &STS, region)?;
    if !answer.response.is_success() {
        let what = format!("STS in {region} does not accept the access key {}", keys.shown_id());
        return Err(refused(system, &answer, region, &what, "check the policies of the account", &keys.secrets()));
    }
    let arn = text(&answer.response, "Arn").map(|arn| quote(arn.expose(), &keys.secrets()));
    arn.filter(|arn| is_arn(arn))
        .ok_or_else(|| Error::new(Kind::Protocol, format!("{} answered without an identity", answer.response.host)))
}

/// Signs a request to STS that another service sends: its answer tells that service who made it.
#[must_use]
pub(crate) fn signed(system: &dyn System, request: Request, keys: &Keys, region: &Region) -> Request {
    signature::sign(request, keys, STS.signing_name, region.name(), system.now())
}

impl Role {
    /// What failed, if STS refuses the role: `STS refused role/NAME of account ACCOUNT`.
    fn refused(&self) -> String {
        // arn:PARTITION:iam::ACCOUNT:role/NAME
        let mut parts = self.arn.splitn(6, ':').skip(4);
        match (parts.next(), parts.next()) {
            (Some(account), Some(role)) => format!("STS refused {role} of account {account}"),
            _ => format!("STS refused {}", self.arn),
        }
    }
}

/// The request for the session of a role, with the fields that only this action has. A role that no account can have
/// is an error.
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
    Ok(Request::post_form(client.url(&STS, region, "")?, &fields))
}

fn is_arn(text: &str) -> bool {
    text.starts_with("arn:") && text.len() <= LONGEST_ARN && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
fn is_session_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (2..=64).contains(&name.len()) && name.bytes().all(is_allowed)
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
    document.session(system, &answer.response, answer.used_skew)
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

/// The error for a refusal: `what`, the name of the error and the service's message. `trust` is what to do if the
/// identity has no access.
fn refused(system: &dyn System, answer: &Answer, region: &Region, what: &str, trust: &str, secrets: &[&str]) -> Error {
    let refusal = Refusal::read(&answer.response, secrets);
    let hint = match refusal.name.as_str() {
        "AccessDenied" | "AccessDeniedException" => trust.to_owned(),
        "InvalidIdentityToken" | "IDPRejectedClaim" => {
            "let the account's identity provider be the issuer of the token, with its audience".to_owned()
        }
        "ExpiredToken" | "ExpiredTokenException" => "renew the token or the session that it was asked with".to_owned(),
        "RegionDisabledException" => format!("activate STS in {region}, in the account settings of IAM"),
        "InvalidClientTokenId" | "UnrecognizedClientException" => {
            "the access key is unknown, deactivated or without its session token: renew it".to_owned()
        }
        "SignatureDoesNotMatch" | "InvalidSignatureException" => "check the secret access key".to_owned(),
        _ => "check the role, and what it is assumed with".to_owned(),
    };
    let is_of_time = refusal.is_of_signature() || refusal.is(OF_TIME);
    let skew = answer.skew(system).filter(|_| is_of_time);
    let error = refusal.into_error(what, Some(hint.into()));
    match skew {
        Some(skew) => skew.explain(error),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::{
        auth::jwt::token_of,
        system::{Clock, fake::FakeSystem, http::Method},
    };

    const URL: &str = "https://sts.eu-west-1.amazonaws.com/";

    const SESSION: &str = r#"<AssumeRoleResponse xmlns="https://sts.example/doc/"><AssumeRoleResult><AssumedRoleUser>
        <Arn>arn:aws:sts::111122223333:assumed-role/Reader/ringbearer</Arn></AssumedRoleUser><Credentials>
        <AccessKeyId>ASIAADA</AccessKeyId><SecretAccessKey>a&amp;b</SecretAccessKey><SessionToken>token</SessionToken>
        <Expiration>2026-11-22T01:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"#;

    fn region() -> Region {
        Region::parse("eu-west-1").unwrap()
    }

    fn keys() -> Keys {
        let [secret_access_key, session_token] =
            ["key-secret", "session-secret"].map(|text| Secret::new(text.to_owned()));
        let session_token = Some(session_token);
        Keys { access_key_id: "AKIAADA".to_owned(), secret_access_key, session_token, expires: None }
    }

    fn role() -> Role {
        Role { arn: "arn:aws:iam::111122223333:role/Reader".to_owned(), ..Role::default() }
    }

    fn token() -> AccessToken {
        let claims = json!({"sub": "repo:ada/wheel:ref:refs/heads/main", "aud": ["sts.amazonaws.com", "other"]});
        AccessToken::parse(token_of(&claims)).unwrap()
    }

    fn assume(fake: &FakeSystem, role: &Role) -> Result<Keys> {
        assume_role(fake, &Client::new(fake, None, None).unwrap(), &region(), &keys(), role)
    }

    fn assume_with_token(fake: &FakeSystem, role: &Role) -> Result<Keys> {
        assume_role_with_web_identity(fake, &Client::new(fake, None, None).unwrap(), &region(), &token(), role)
    }

    fn identify(fake: &FakeSystem) -> Result<String> {
        caller(fake, &Client::new(fake, None, None).unwrap(), &region(), &keys())
    }

    fn refusal(name: &str, message: &str) -> String {
        format!("<ErrorResponse><Error><Code>{name}</Code><Message>{message}</Message></Error></ErrorResponse>")
    }

    fn form(fake: &FakeSystem) -> String {
        String::from_utf8(fake.requests()[0].body.to_vec()).unwrap()
    }

    #[test]
    fn a_role_is_assumed_with_what_is_configured() {
        let fake = FakeSystem::default().answer(Method::Post, URL, 200, SESSION);
        let session = assume(&fake, &role()).unwrap();
        assert_eq!(
            (session.access_key_id.as_str(), session.secret_access_key.expose(), session.session_token),
            ("ASIAADA", "a&b", Some(Secret::new("token".to_owned())))
        );
        assert_eq!(session.expires, Some(fake.now() + Duration::from_secs(3600)));
        let common = "Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2FReader";
        assert_eq!(form(&fake), format!("Action=AssumeRole&{common}&RoleSessionName=ringbearer"));
        let fake = FakeSystem::default().answer(Method::Post, URL, 200, SESSION);
        let (session_name, external_id) = (Some("ada@a".to_owned()), Some("x/1".to_owned()));
        assume(&fake, &Role { session_name, external_id, duration: Some(900), ..role() }).unwrap();
        let rest = "RoleSessionName=ada%40a&DurationSeconds=900&ExternalId=x%2F1";
        assert_eq!(form(&fake), format!("Action=AssumeRole&{common}&{rest}"));
    }

    #[test]
    fn a_role_is_assumed_with_a_token_without_a_signature() {
        let fake = FakeSystem::default().answer(Method::Post, URL, 200, SESSION);
        assume_with_token(&fake, &role()).unwrap();
        assert!(
            form(&fake).starts_with("Action=AssumeRoleWithWebIdentity&") && form(&fake).contains("&WebIdentityToken=")
        );
        assert!(fake.requests()[0].headers.iter().all(|(name, _)| *name == "Content-Type"));
    }

    #[test]
    fn a_role_that_cannot_be_is_not_sent() {
        for (arn, session_name) in [
            ("", "ada"),
            ("Reader", "ada"),
            ("arn:aws:iam::1:role/a b", "ada"),
            ("arn:aws:iam::1:role/A", "a"),
            ("arn:aws:iam::1:role/A", "ada lovelace"),
            ("arn:aws:iam::1:role/A", &"a".repeat(65)),
        ] {
            let role = Role { arn: arn.to_owned(), session_name: Some(session_name.to_owned()), ..Role::default() };
            for error in [assume(&FakeSystem::default(), &role), assume_with_token(&FakeSystem::default(), &role)] {
                assert_eq!(error.unwrap_err().kind(), Kind::Configuration, "{arn} {session_name}");
            }
        }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        for (status, name, hint) in [
            (403, "AccessDenied", "the role's trust policy must name it, and may"),
            (403, "RegionDisabledException", "activate STS in eu-west-1"),
            (403, "InvalidClientTokenId", "the access key is unknown"),
            (403, "SignatureDoesNotMatch", "check the secret access key"),
            (403, "ExpiredToken", "renew the token or the session"),
            (400, "ValidationError", "check the role, and what it is assumed with"),
        ] {
            let fake = FakeSystem::default().answer(Method::Post, URL, status, &refusal(name, "no, key-secret"));
            let error = assume(&fake, &role()).unwrap_err();
            assert_eq!(error.kind(), Kind::Rejected, "{name}");
            assert!(error.hint().unwrap().contains(hint), "{error}");
            let what = "STS refused role/Reader of account 111122223333";
            assert_eq!(error.message(), format!("{what} ({name}): no, (hidden)"));
        }
    }

    #[test]
    fn a_refused_token_is_explained_by_its_claims() {
        for (status, name, hint) in [
            (403, "AccessDenied", "accept sub repo:ada/wheel:ref:refs/heads/main with aud sts.amazonaws.com, other"),
            (400, "InvalidIdentityToken", "identity provider"),
            (400, "ExpiredTokenException", "renew the token"),
        ] {
            let fake = FakeSystem::default().answer(Method::Post, URL, status, &refusal(name, "no"));
            let error = assume_with_token(&fake, &role()).unwrap_err();
            assert!(error.hint().unwrap().contains(hint), "{error}");
        }
        let answer = refusal("IDPCommunicationError", "no");
        let fake = FakeSystem::default().answer(Method::Post, URL, 400, &answer);
        let fake = fake.answer(Method::Post, URL, 400, &answer).answer(Method::Post, URL, 400, &answer);
        let error = assume_with_token(&fake, &role()).unwrap_err();
        assert_eq!((error.kind(), error.hint()), (Kind::Protocol, Some("try again later")));
    }

    #[test]
    fn a_refused_signature_names_a_wrong_clock() {
        let answer = refusal("SignatureDoesNotMatch", "Signature expired");
        let headers = [("Date", "Sun, 22 Nov 2026 03:00:00 GMT")];
        let fake = FakeSystem::default().answer_with_headers(Method::Post, URL, 403, &headers, &answer);
        let fake = fake.answer_with_headers(Method::Post, URL, 403, &headers, &answer);
        let error = assume(&fake, &role()).unwrap_err();
        assert_eq!(error.hint(), Some("this machine's clock is 3 h behind: correct it"));
    }

    #[test]
    fn an_answer_without_keys_is_an_error() {
        for body in ["", "{}", "<html>", &SESSION.replace("SessionToken", "X"), &SESSION.replace("ASIA", "A/B")] {
            let fake = FakeSystem::default().answer(Method::Post, URL, 200, body);
            assert_eq!(
                assume(&fake, &role()).unwrap_err().message(),
                "the fake answered without access keys",
                "{body}"
            );
        }
        let ended = SESSION.replace("01:00:00", "00:00:00");
        let fake = FakeSystem::default().answer(Method::Post, URL, 200, &ended);
        assert_eq!(assume(&fake, &role()).unwrap_err().kind(), Kind::Protocol);
    }

    #[test]
    fn the_caller_is_an_arn() {
        let answer = "<R><Arn>arn:aws:iam::111122223333:user/ada</Arn></R>";
        let fake = FakeSystem::default().answer(Method::Post, URL, 200, answer);
        assert_eq!(identify(&fake).as_deref(), Ok("arn:aws:iam::111122223333:user/ada"));
        assert_eq!(form(&fake), "Action=GetCallerIdentity&Version=2011-06-15");
        for (body, is_arn) in [
            ("<R/>", false),
            ("<Arn>key-secret</Arn>", false),
            ("<Arn>arn:key-secret</Arn>", true),
            ("<Arn>arn:a b</Arn>", false),
        ] {
            let outcome = identify(&FakeSystem::default().answer(Method::Post, URL, 200, body));
            assert_eq!(outcome.is_ok(), is_arn, "{body}");
            assert!(!format!("{outcome:?}").contains("key-secret"), "{body}");
        }
    }
}
