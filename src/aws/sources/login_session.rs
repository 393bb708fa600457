//! Logins of `aws login`: `login_session`. What the file holds are keys, which end after 15 minutes.
//! <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sign-in.html>

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use log::debug;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Wanted;
use crate::{
    auth::{access_token::AccessToken, chain::Attempt, refusal::Refusal, timestamp},
    aws::{
        cached_json::{self, Members},
        config::{Profile, argument},
        endpoint,
        key_document::KeyDocument,
        keys::Keys,
        login_file::{self, Login},
        proof::ProofKey,
        region::Region,
    },
    error::{Error, Kind, LONGEST_NAME, Result, shorten},
    secret::Secret,
    system::{System, places},
};

/// The variable that names the directory of the files.
const DIRECTORY: &str = "AWS_LOGIN_CACHE_DIRECTORY";

/// The key of a profile that names the login.
const KEY: &str = "login_session";

/// The keys of the login of a profile; `NotConfigured` without one.
pub(crate) fn keys(system: &dyn System, wanted: &Wanted, profile: &Profile) -> Result<Attempt<Keys>> {
    if profile.value(KEY).is_none() {
        return Ok(Attempt::not_configured("it has no login_session"));
    }
    let login = SessionLogin { profile, wanted };
    let path = login_file(system, profile).ok_or_else(|| login.absent())?;
    login_file::current(system, &login, &path).map(|(keys, _)| Attempt::Token(keys))
}

/// The file of the login of a profile, which need not exist; `None` for a profile of another kind.
pub(super) fn login_file(system: &dyn System, profile: &Profile) -> Option<PathBuf> {
    let session = profile.value(KEY)?.trim();
    let named = system.setting(DIRECTORY).and_then(|path| places::named(system, &path));
    let folder = named.or_else(|| cached_json::folder(system, "login"))?;
    Some(folder.join(format!("{}.json", cached_json::sha256(session))))
}

/// The login of a profile.
struct SessionLogin<'all> {
    profile: &'all Profile,
    wanted: &'all Wanted,
}

impl SessionLogin<'_> {
    /// The region of the sign-in service: that of the file, or else the one in use.
    fn region(&self, system: &dyn System, members: &Members) -> Result<Region> {
        let variable = |name: &'static str| system.setting(name).map(|value| (value, name));
        let named = members.text("signInRegion").map(|value| (value.to_owned(), "signInRegion of its file"));
        let named = named
            .or_else(|| self.profile.value("region").map(|value| (value.to_owned(), "its region")))
            .or_else(|| variable("AWS_REGION"))
            .or_else(|| variable("AWS_DEFAULT_REGION"));
        let Some((value, source)) = named else { return Ok(self.wanted.region.clone()) };
        Region::parse(value.trim()).ok_or_else(|| {
            let what =
                format!("the login of profile {} cannot be renewed: {source} is not a region", self.profile.name());
            Error::new(Kind::Configuration, what).with_hint("correct it")
        })
    }

    /// The error for a login that a person must repeat.
    fn ended(&self) -> Error {
        self.sign_in(format!("the login of profile {} has ended", self.profile.name()))
    }

    fn sign_in(&self, what: String) -> Error {
        Error::new(Kind::Rejected, what)
            .with_hint(format!("run `aws login --profile {}`", argument(self.profile.name())))
    }

    /// The error for a refusal, by its code.
    fn refused(&self, error: Error, code: &str) -> Error {
        if error.kind() != Kind::Rejected {
            return error;
        }
        if code == "INSUFFICIENT_PERMISSIONS" {
            let what = format!("the login of profile {} may not be renewed", self.profile.name());
            return Error::new(Kind::Rejected, what).with_hint("allow it the action signin:CreateOAuth2Token");
        }
        self.ended()
    }
}

impl Login for SessionLogin<'_> {
    type Grant = Keys;

    fn grant(&self, members: &Members) -> Option<Keys> {
        let mut keys = SessionKeys::deserialize(members.get("accessToken")?).ok()?;
        let expires = keys.expires_at.take();
        keys.document(expires).keys()
    }

    fn expires(grant: &Keys) -> Option<SystemTime> {
        grant.expires
    }

    fn renew(&self, system: &dyn System, members: &mut Members) -> Result<()> {
        let key = members.text("dpopKey").and_then(ProofKey::parse).ok_or_else(|| self.ended())?;
        let fields = ["clientId", "refreshToken"].map(|name| members.text(name));
        let [Some(client_id), Some(refresh_token)] = fields else { return Err(self.ended()) };
        let client = &self.wanted.client;
        let url = client.url(&endpoint::SIGN_IN, &self.region(system, members)?, "v1/token")?;
        let proof = key.for_post(system, &url)?;
        let form = json!({
            "clientId": client_id, "grantType": "refresh_token", "refreshToken": refresh_token,
        });
        let response = client.send(system, login_file::request(url, form).header("DPoP", proof.expose()))?;
        if !response.is_success() {
            let what = format!("{} answered with HTTP {}", response.host, response.status);
            let error = Refusal::read(&response, &[refresh_token]).into_error(what, None);
            debug!("the login is not renewed: {error}");
            let code = response.json::<Code>().map(|answer| answer.error).unwrap_or_default();
            return Err(self.refused(error, &code));
        }
        let answer: Renewed = response.json()?;
        let expires = system.now().checked_add(Duration::from_secs(answer.expires_in));
        let keys = answer.access_token.document(expires.and_then(timestamp::to_rfc3339)).keys();
        let Some(keys) = keys.filter(|keys| keys.expires.is_some()) else {
            return Err(Error::new(Kind::Protocol, format!("{} answered without access keys", response.host)));
        };
        replace_keys(members, &keys);
        for (name, newer) in [("refreshToken", &answer.refresh_token), ("idToken", &answer.id_token)] {
            let newer = newer.as_ref().and_then(|token| AccessToken::parse(token.expose()).ok());
            if let Some(newer) = newer {
                members.set(name, newer.secret().expose());
            }
        }
        Ok(())
    }

    fn absent(&self) -> Error {
        self.sign_in(format!("profile {} has no login", self.profile.name()))
    }

    fn loss(&self) -> String {
        let name = self.profile.name();
        let command = format!("aws login --profile {}", argument(name));
        format!(
            "the renewed login of profile {} is not kept, so that `{command}` may be due soon",
            shorten(name, LONGEST_NAME)
        )
    }
}

/// Replaces the keys in `accessToken`. Its further members, such as `accountId`, are kept.
fn replace_keys(members: &mut Members, keys: &Keys) {
    if !members.get("accessToken").is_some_and(Value::is_object) {
        members.set("accessToken", json!({}));
    }
    let Some(Value::Object(older)) = members.get_mut("accessToken") else { return };
    cached_json::set(older, "accessKeyId", keys.access_key_id.as_str());
    cached_json::set(older, "secretAccessKey", keys.secret_access_key.expose());
    cached_json::set(older, "sessionToken", keys.session_token.as_ref().map(Secret::expose));
    cached_json::set(older, "expiresAt", keys.expires.and_then(timestamp::to_rfc3339));
}

/// The keys of a session, as the service and the file have them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionKeys {
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Secret,
    /// Only in the file.
    expires_at: Option<String>,
}

impl SessionKeys {
    fn document(self, expiration: Option<String>) -> KeyDocument {
        KeyDocument {
            access_key_id: Some(self.access_key_id),
            secret_access_key: Some(self.secret_access_key),
            session_token: Some(self.session_token),
            expiration,
        }
    }
}

/// The answer of the sign-in service.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Renewed {
    access_token: SessionKeys,
    /// In seconds.
    expires_in: u64,
    refresh_token: Option<Secret>,
    id_token: Option<Secret>,
}

/// A refusal of the sign-in service.
#[derive(Deserialize)]
struct Code {
    error: String,
}

#[cfg(test)]
mod tests;
