//! Roles of a profile: `role_arn` with `source_profile`, `credential_source` or `web_identity_token_file`.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html>

use std::{path::PathBuf, time::Duration};

use serde_json::Value;

use super::{Source, Wanted, container::Container, environment::EnvironmentKeys, instance::Instance};
use crate::{
    auth::{chain::Attempt, private_file},
    aws::{
        cached_json,
        config::Profile,
        key_document::KeyDocument,
        keys::Keys,
        sts::{self, Role},
    },
    error::{Error, Kind, Result},
    system::System,
};

/// The shortest remaining lifetime of a session of the AWS CLI that is used.
const MARGIN: Duration = Duration::from_secs(60);

/// The settings of a profile that say whose keys assume its role.
const SOURCE_PROFILE: &str = "source_profile";
const CREDENTIAL_SOURCE: &str = "credential_source";
const TOKEN_FILE: &str = "web_identity_token_file";

/// The values of `credential_source`.
static CREDENTIAL_SOURCES: [(&str, Source); 3] =
    [("Environment", &EnvironmentKeys), ("Ec2InstanceMetadata", &Instance), ("EcsContainer", &Container)];

/// The keys of the role of a profile; `NotConfigured` without `role_arn`. `source` returns the keys of another profile by its
/// name.
pub(crate) fn keys(
    system: &dyn System,
    wanted: &Wanted,
    profile: &Profile,
    source: &mut dyn FnMut(&str) -> Result<Keys>,
) -> Result<Attempt<Keys>> {
    let within = |error: Error| error.within(format_args!("profile {}", profile.name()));
    match (role(profile), profile.value(TOKEN_FILE)) {
        (None, None) => Ok(Attempt::not_configured("no role_arn")),
        (None, Some(_)) => Err(within(
            Error::new(Kind::Configuration, format!("it has {TOKEN_FILE} and no role_arn"))
                .with_hint("add the role to assume as role_arn"),
        )),
        (Some(role), Some(path)) => private_file::read_token(system, TOKEN_FILE, path)
            .and_then(|token| sts::assume_role_with_web_identity(system, &wanted.client, &wanted.region, &token, &role))
            .map(Attempt::Token)
            .map_err(within),
        (Some(role), None) if role.mfa_serial.is_some() => {
            kept_session(system, profile).ok_or_else(|| needs_code(profile)).map(Attempt::Token)
        }
        (Some(role), None) => {
            let keys = source_keys(system, wanted, profile, source)?;
            sts::assume_role(system, &wanted.client, &wanted.region, &keys, &role).map(Attempt::Token).map_err(within)
        }
    }
}

/// The file in which the AWS CLI keeps the session of a profile's role, which need not exist; `None` unless the role demands
/// the code of a device: that of any other role is not read.
pub(super) fn session_file(system: &dyn System, profile: &Profile) -> Option<PathBuf> {
    let role = role(profile).filter(|role| role.mfa_serial.is_some())?;
    let name = cached_json::sha1(&arguments(&role));
    Some(cached_json::folder(system, "cli")?.join(format!("{name}.json")))
}

/// The role of a profile.
fn role(profile: &Profile) -> Option<Role> {
    let value = |key| profile.value(key).map(str::to_owned);
    Some(Role {
        arn: value("role_arn")?,
        session_name: value("role_session_name"),
        external_id: value("external_id"),
        // As the AWS CLI does, anything else is ignored.
        duration: profile.value("duration_seconds").and_then(|seconds| seconds.parse().ok()),
        mfa_serial: value("mfa_serial"),
    })
}

/// The keys that assume the role of a profile.
fn source_keys(
    system: &dyn System,
    wanted: &Wanted,
    profile: &Profile,
    source: &mut dyn FnMut(&str) -> Result<Keys>,
) -> Result<Keys> {
    let broken = |what: String| {
        let message = format!("profile {} has a role_arn {what}", profile.name());
        Error::new(Kind::Configuration, message)
    };
    let named = match (profile.value(SOURCE_PROFILE), profile.value(CREDENTIAL_SOURCE)) {
        (Some(name), None) => return source(name),
        (None, Some(named)) => named,
        (Some(_), Some(_)) => {
            let error = broken(format!("with both {SOURCE_PROFILE} and {CREDENTIAL_SOURCE}"));
            return Err(error.with_hint("remove one of them"));
        }
        (None, None) => {
            let error = broken(format!("without {SOURCE_PROFILE} or {CREDENTIAL_SOURCE}"));
            return Err(error.with_hint(format!("add the profile that may assume the role as {SOURCE_PROFILE}")));
        }
    };
    let known = CREDENTIAL_SOURCES.iter().find(|(name, _)| *name == named);
    let (_, provider) = known.ok_or_else(|| {
        broken(format!("with an unknown {CREDENTIAL_SOURCE}"))
            .with_hint(format!("set {CREDENTIAL_SOURCE} to {}", CREDENTIAL_SOURCES.map(|(name, _)| name).join(" or ")))
    })?;
    match provider.token(system, wanted)? {
        Attempt::Token(keys) => Ok(keys),
        Attempt::NotConfigured(why) => {
            Err(broken(format!("with {CREDENTIAL_SOURCE} = {named}, which has no keys: {why}")))
        }
    }
}

/// The session that the AWS CLI keeps since somebody typed the code of the device.
fn kept_session(system: &dyn System, profile: &Profile) -> Option<Keys> {
    let mut members = cached_json::read(system, &session_file(system, profile)?)?;
    let document: KeyDocument = serde_json::from_value(members.remove("Credentials")?).ok()?;
    document.keys().filter(|keys| keys.expires.is_some_and(|expires| expires > system.now() + MARGIN))
}

fn needs_code(profile: &Profile) -> Error {
    let name = profile.name();
    Error::new(Kind::Rejected, format!("profile {name} needs an MFA code"))
        .with_hint(format!("run `aws sts get-caller-identity --profile {name}`"))
}

/// The arguments of AssumeRole as the AWS CLI writes them to name its file: JSON in the form of Python, with sorted keys.
/// <https://github.com/boto/botocore/blob/1.44.8/botocore/credentials.py>
fn arguments(role: &Role) -> String {
    let text = |value: &Option<String>| value.clone().map(Value::from);
    let members = [
        ("DurationSeconds", role.duration.map(Value::from)),
        ("ExternalId", text(&role.external_id)),
        ("RoleArn", Some(Value::from(role.arn.clone()))),
        ("RoleSessionName", text(&role.session_name)),
        ("SerialNumber", text(&role.mfa_serial)),
    ];
    let members = members.into_iter().filter_map(|(name, value)| Some(format!("\"{name}\": {}", value?)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}
