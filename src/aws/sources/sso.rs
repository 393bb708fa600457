//! Roles of IAM Identity Center: `sso_session`, or `sso_start_url` in the profile itself.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-sso-credentials.html>

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use log::debug;
use serde::Deserialize;
use serde_json::json;

use super::Wanted;
use crate::{
    auth::{access_token::AccessToken, chain::Attempt, refusal::Refusal, timestamp},
    aws::{
        cached_json::{self, Members},
        client::Client,
        config::{Config, Profile, argument},
        endpoint, expiry,
        key_document::KeyDocument,
        keys::Keys,
        login_file::{self, Login},
        region::Region,
    },
    error::{Error, Kind, LONGEST_NAME, Result, shorten},
    secret::Secret,
    system::{
        System,
        http::{Request, Response},
    },
};

/// The header of the portal's requests that holds the token.
const TOKEN_HEADER: &str = "x-amz-sso_bearer_token";

/// What a profile says of its role.
struct Role<'profile> {
    profile: &'profile str,
    account: &'profile str,
    name: &'profile str,
    region: Region,
    /// What the token file is named after: the session, or in the older form the start URL.
    login: String,
    /// Whether the profile names a session: only then can its token be renewed.
    has_session: bool,
}

/// The keys of the role of a profile; `NotConfigured` without an account and a role.
pub(crate) fn keys(system: &dyn System, wanted: &Wanted, profile: &Profile) -> Result<Attempt<Keys>> {
    let Some(role) = Role::of(&wanted.config, profile)? else {
        return Ok(Attempt::not_configured("it has no sso_account_id"));
    };
    let login = RoleLogin { role: &role, client: &wanted.client };
    let path = role.token_file(system).ok_or_else(|| login.absent())?;
    let (mut token, is_new) = login_file::current(system, &login, &path)?;
    let mut response = login.ask_portal(system, &token)?;
    if response.status == 401 && !is_new {
        token = login_file::renewed(system, &login, &path, Some(&token))?;
        response = login.ask_portal(system, &token)?;
    }
    role.read(system, &response, &token).map(Attempt::Token)
}

/// The file of the token of a profile, which need not exist; `None` for a profile of another kind.
pub(super) fn token_file(system: &dyn System, config: &Config, profile: &Profile) -> Option<PathBuf> {
    Role::of(config, profile).ok()??.token_file(system)
}

impl<'profile> Role<'profile> {
    /// Reads a profile; `None` if it has neither an account nor a role.
    fn of(config: &Config, profile: &'profile Profile) -> Result<Option<Self>> {
        let name = profile.name();
        let wrong = |what: String| {
            Error::new(Kind::Configuration, format!("profile {name} {what}"))
                .with_hint(format!("correct it, or run `aws configure sso --profile {}`", argument(name)))
        };
        let required = |key: &str| profile.value(key).ok_or_else(|| wrong(format!("has no {key}")));
        if ["sso_account_id", "sso_role_name"].into_iter().all(|key| profile.value(key).is_none()) {
            return Ok(None);
        }
        let (account, role) = (required("sso_account_id")?, required("sso_role_name")?);
        let (region, login) = match profile.value("sso_session") {
            Some(session) => {
                let section = config.sso_session(session);
                let section = section
                    .ok_or_else(|| wrong(format!("names the section [sso-session {session}], which is missing")))?;
                for (key, value) in [("sso_start_url", &section.start_url), ("sso_region", &section.region)] {
                    if profile.value(key).is_some_and(|own| own != value) {
                        return Err(wrong(format!("has another {key} than [sso-session {session}]")));
                    }
                }
                (section.region, session)
            }
            None => (required("sso_region")?.to_owned(), required("sso_start_url")?),
        };
        let region =
            Region::parse(&region).ok_or_else(|| wrong("has an sso_region that is not a region".to_owned()))?;
        let has_session = profile.value("sso_session").is_some();
        Ok(Some(Self { profile: name, account, name: role, region, login: login.to_owned(), has_session }))
    }

    fn token_file(&self, system: &dyn System) -> Option<PathBuf> {
        Some(cached_json::folder(system, "sso")?.join(format!("{}.json", cached_json::sha1(&self.login))))
    }

    /// Reads the answer of the portal to a token.
    fn read(&self, system: &dyn System, response: &Response, token: &AccessToken) -> Result<Keys> {
        let Self { profile, account, name, .. } = self;
        let refusal = || Refusal::read(response, &[token.secret().expose()]);
        match response.status {
            200..300 => {
                let Answer { role_credentials } = response.json()?;
                let expires = timestamp::unix(role_credentials.expiration / 1000).and_then(timestamp::to_rfc3339);
                let document = KeyDocument {
                    access_key_id: Some(role_credentials.access_key_id),
                    secret_access_key: Some(role_credentials.secret_access_key),
                    session_token: Some(role_credentials.session_token),
                    // An absurd time is an error, and not a session without an end.
                    expiration: Some(expires.unwrap_or_default()),
                };
                document.session(system, response, None)
            }
            401 => Err(self.ended()),
            403 | 404 => {
                let what = format!("account {account} has no role {name} for the SSO login of profile {profile}");
                let hint = format!("correct sso_account_id and sso_role_name of profile {profile}");
                Err(refusal().into_error(what, Some(hint.into())))
            }
            status => {
                let what = format!("{} answered with HTTP {status}", response.host);
                Err(refusal().into_error(what, None))
            }
        }
    }

    /// The error for a login that a person must repeat.
    fn ended(&self) -> Error {
        self.sign_in(format!("the SSO login of profile {} has ended", self.profile))
    }

    fn sign_in(&self, what: String) -> Error {
        Error::new(Kind::Rejected, what).with_hint(format!("run `aws sso login --profile {}`", argument(self.profile)))
    }
}

/// The login of a role, and how its services are reached.
struct RoleLogin<'all> {
    role: &'all Role<'all>,
    client: &'all Client,
}

impl RoleLogin<'_> {
    /// Asks the portal for the keys of the role.
    /// <https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html>
    fn ask_portal(&self, system: &dyn System, token: &AccessToken) -> Result<Response> {
        let mut url = self.client.url(&endpoint::SSO, &self.role.region, "federation/credentials")?;
        url.query_pairs_mut().append_pair("role_name", self.role.name).append_pair("account_id", self.role.account);
        self.client.send(system, Request::get(url).header(TOKEN_HEADER, token.secret().expose()))
    }
}

impl Login for RoleLogin<'_> {
    type Grant = AccessToken;

    fn grant(&self, members: &Members) -> Option<AccessToken> {
        let token = AccessToken::parse(members.text("accessToken")?).ok()?;
        Some(token.with_expiry(Some(expiry::parse(members.text("expiresAt")?)?)))
    }

    fn expires(grant: &AccessToken) -> Option<SystemTime> {
        grant.expires()
    }

    /// <https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html>
    fn renew(&self, system: &dyn System, members: &mut Members) -> Result<()> {
        let is_registered =
            members.text("registrationExpiresAt").and_then(expiry::parse).is_some_and(|end| end > system.now());
        let fields = ["clientId", "clientSecret", "refreshToken"].map(|name| members.text(name));
        let [Some(id), Some(secret), Some(refresh_token)] = fields else { return Err(self.role.ended()) };
        if !self.role.has_session || !is_registered {
            return Err(self.role.ended());
        }
        let url = self.client.url(&endpoint::SSO_OIDC, &self.role.region, "token")?;
        let form = json!({
            "grantType": "refresh_token", "clientId": id, "clientSecret": secret, "refreshToken": refresh_token,
        });
        let response = self.client.send(system, login_file::request(url, form))?;
        if !response.is_success() {
            let host = &response.host;
            let what = format!("{host} answered with HTTP {}", response.status);
            let error = Refusal::read(&response, &[secret, refresh_token]).into_error(what, None);
            debug!("the SSO login is not renewed: {error}");
            return Err(if error.kind() == Kind::Rejected { self.role.ended() } else { error });
        }
        let answer: Renewed = response.json()?;
        let word = |token: &Secret| AccessToken::parse(token.expose()).ok().map(AccessToken::into_secret);
        let expires = system.now().checked_add(Duration::from_secs(answer.expires_in));
        let (Some(token), Some(expires)) = (word(&answer.access_token), expires.and_then(timestamp::to_rfc3339)) else {
            return Err(Error::new(Kind::Protocol, format!("{} answered without a token", response.host)));
        };
        members.set("accessToken", token.expose());
        members.set("expiresAt", expires);
        if let Some(newer) = answer.refresh_token.as_ref().and_then(word) {
            members.set("refreshToken", newer.expose());
        }
        Ok(())
    }

    fn absent(&self) -> Error {
        self.role.sign_in(format!("profile {} has no SSO login", self.role.profile))
    }

    fn loss(&self) -> String {
        format!("the renewed SSO token of profile {} is not kept", shorten(self.role.profile, LONGEST_NAME))
    }
}

/// The answer of the portal.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    role_credentials: RoleCredentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleCredentials {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Secret,
    /// In milliseconds since 1970.
    expiration: u64,
}

/// The answer of the token service.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Renewed {
    access_token: Secret,
    /// In seconds.
    expires_in: u64,
    refresh_token: Option<Secret>,
}

#[cfg(test)]
mod tests;
