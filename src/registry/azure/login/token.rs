//! Answers of the token endpoint to a person's login.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow>

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

use crate::{
    auth::{self, access_token::AccessToken, jwt::Claims, oauth},
    error::{Error, Kind, Result, single_line},
    registry::azure::{
        entra::{self, Tenant},
        remedy,
        sign_in_command::SignInCommand,
    },
    secret::Secret,
    system::{
        System,
        http::{Request, Response},
    },
};

/// The maximum length of a refresh token in bytes. Those of Entra ID have up to some 2 KB.
const LONGEST_REFRESH_TOKEN: usize = 8 * 1024;

/// The maximum length of a user name in characters.
const LONGEST_USERNAME: usize = 254;

/// The maximum length of the identifiers in `client_info`.
const LONGEST_ID: usize = 64;

/// The tokens of a sign-in or a refresh.
#[derive(Debug)]
pub(in crate::registry::azure) struct Tokens {
    /// The token for Azure DevOps.
    pub(in crate::registry::azure) access_token: AccessToken,
    /// The token that later lookups ask with.
    pub(in crate::registry::azure) refresh_token: Option<Secret>,
    /// Who has signed in: the ID token, over TLS from the host that was asked, so that its signature need not be checked.
    id_token: Option<Secret>,
    client_info: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    refresh_token: Option<Secret>,
    id_token: Option<Secret>,
    client_info: Option<String>,
}

/// `client_info`: the account and its home tenant.
#[derive(Deserialize)]
struct ClientInfo {
    uid: String,
    utid: String,
}

impl Tokens {
    /// Who has signed in.
    pub(super) fn owner(&self) -> Result<Owner> {
        let unnamed = || Error::new(Kind::Protocol, "the answer does not say who has signed in");
        let id_token = self.id_token().ok_or_else(unnamed)?;
        let username = ["preferred_username", "upn", "email", "oid"].iter().find_map(|name| id_token.text(name));
        let username = username.filter(|name| *name == single_line(name) && name.chars().count() <= LONGEST_USERNAME);
        let home_id = match &self.client_info {
            Some(text) => home_id(text),
            None => id_token.text("oid").zip(id_token.text("tid")).and_then(|(oid, tid)| joined(oid, tid)),
        };
        match username.zip(home_id) {
            Some((username, home_id)) => Ok(Owner { username: username.to_owned(), home_id }),
            None => Err(unnamed()),
        }
    }

    /// The claims of the ID token.
    pub(super) fn id_token(&self) -> Option<Claims> {
        Claims::read(self.id_token.as_ref()?)
    }
}

/// Who has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::registry::azure) struct Owner {
    /// The user name.
    pub(in crate::registry::azure) username: String,
    /// The account in its home tenant: `uid.utid`.
    pub(in crate::registry::azure) home_id: String,
}

fn home_id(client_info: &str) -> Option<String> {
    let decoded = URL_SAFE_NO_PAD.decode(client_info.trim_end_matches('=')).ok()?;
    let info: ClientInfo = serde_json::from_slice(&decoded).ok()?;
    joined(&info.uid, &info.utid)
}

fn joined(uid: &str, tenant: &str) -> Option<String> {
    let is_id = |text: &str| {
        !text.is_empty()
            && text.len() <= LONGEST_ID
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    (is_id(uid) && is_id(tenant)).then(|| format!("{uid}.{tenant}"))
}

/// Why the token endpoint gave no tokens.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The sort, by `error`.
    pub(super) code: Code,
    /// `suberror`, which tells refusals of one code apart; empty for none.
    pub(super) suberror: String,
    /// The numbers after `AADSTS`: for hints, and where `code` and `suberror` do not decide.
    pub(super) numbers: Vec<String>,
    /// The error for the user, with what its numbers mean.
    pub(super) error: Error,
    /// Whether the numbers have a meaning that the error states.
    pub(super) is_explained: bool,
}

impl Refusal {
    /// The error of a sign-in that the person declined, or a policy: both in the same words, so that a number is shown.
    pub(super) fn declined(self) -> Error {
        let declined = "the sign-in was declined";
        match (self.is_explained, self.error.hint(), self.numbers.first()) {
            (true, Some(meaning), _) => Error::new(Kind::Rejected, declined).with_hint(meaning),
            (_, _, Some(number)) => Error::new(Kind::Rejected, format!("{declined} (AADSTS{number})")),
            (_, _, None) => Error::new(Kind::Rejected, declined),
        }
    }
}

/// The codes of RFC 6749 (section 5.2), RFC 8628 (section 3.5) and Entra ID that decide what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// The person has not finished yet.
    AuthorizationPending,
    /// The device asks too often.
    SlowDown,
    /// The person declined, or a policy did.
    Declined,
    /// The device code has expired.
    ExpiredToken,
    /// The device code is not one.
    UnknownDevice,
    /// The code or the refresh token does not serve here, or no longer.
    InvalidGrant,
    /// The person must sign in.
    InteractionRequired,
    /// Any other, or none.
    Other,
}

impl Code {
    fn read(error: &str) -> Self {
        match error {
            "authorization_pending" => Self::AuthorizationPending,
            "slow_down" => Self::SlowDown,
            "authorization_declined" | "access_denied" => Self::Declined,
            "expired_token" | "code_expired" => Self::ExpiredToken,
            "bad_verification_code" => Self::UnknownDevice,
            "invalid_grant" => Self::InvalidGrant,
            "interaction_required" | "login_required" | "consent_required" => Self::InteractionRequired,
            _ => Self::Other,
        }
    }
}

impl From<Error> for Box<Refusal> {
    fn from(error: Error) -> Self {
        let (suberror, numbers) = (String::new(), Vec::new());
        Self::new(Refusal { code: Code::Other, suberror, numbers, error, is_explained: false })
    }
}

/// A request to the token endpoint. `grant` holds the fields of the grant, and the scope if it has one.
pub(super) fn request(tenant: &Tenant, client_id: &str, grant: &[(&str, &str)]) -> Result<Request> {
    let mut fields = vec![("client_id", client_id), ("client_info", "1")];
    fields.extend_from_slice(grant);
    Ok(Request::post_form(tenant.token_endpoint()?, &fields).header("Accept", "application/json"))
}

/// Reads an answer of the token endpoint. `grant` was part of the request: errors hide its secrets.
pub(super) fn read(
    system: &dyn System,
    tenant: &Tenant,
    response: &Response,
    grant: &[(&str, &str)],
) -> std::result::Result<Tokens, Box<Refusal>> {
    if !response.is_success() {
        return Err(Box::new(refusal(system, tenant, response, grant)));
    }
    let access_token = oauth::read_token(system, response, &[])?;
    let answer: Answer = response.json()?;
    if answer.refresh_token.as_ref().is_some_and(|token| !is_refresh_token(token)) {
        let what = format!("{} answered with something that is not a refresh token", response.host);
        return Err(Error::new(Kind::Protocol, what).into());
    }
    let Answer { refresh_token, id_token, client_info } = answer;
    Ok(Tokens { access_token, refresh_token, id_token, client_info })
}

/// One word of printable ASCII, of limited length.
fn is_refresh_token(token: &Secret) -> bool {
    let token = token.expose();
    !token.is_empty() && token.len() <= LONGEST_REFRESH_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What a refusal of any endpoint of the tenant says. `fields` were part of the request: errors hide their secrets.
pub(super) fn refusal(system: &dyn System, tenant: &Tenant, response: &Response, fields: &[(&str, &str)]) -> Refusal {
    let what = format!("{} answered with HTTP {}", response.host, response.status);
    explained_refusal(system, tenant, response, fields, what)
}

/// As [`refusal`], with `what` as the start of the message.
pub(super) fn explained_refusal(
    system: &dyn System,
    tenant: &Tenant,
    response: &Response,
    fields: &[(&str, &str)],
    what: String,
) -> Refusal {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Answer {
        error: String,
        error_description: String,
        error_codes: Vec<u64>,
        suberror: String,
    }
    let answer: Answer = serde_json::from_slice(&response.body).unwrap_or_default();
    let mut numbers: Vec<String> = answer.error_codes.iter().map(u64::to_string).collect();
    numbers.extend(remedy::codes(&answer.error_description).map(str::to_owned));
    let error = auth::refusal::Refusal::read(response, &oauth::secrets(fields)).into_error(what, None);
    let explained = entra::explain(system, tenant, response, error.clone(), SignInCommand::Ringbearer);
    Refusal {
        code: Code::read(&answer.error),
        suberror: answer.suberror,
        numbers,
        is_explained: explained != error,
        error: explained,
    }
}
