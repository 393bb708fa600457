//! Roles of a profile: `role_arn` with `source_profile`, `credential_source` or `web_identity_token_file`.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html>

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;
use serde_json::Value;

use super::{Wanted, container::Container, environment::EnvironmentKeys, instance};
use crate::{
    auth::{
        chain::{Attempt, TokenProvider},
        private_file,
    },
    aws::{
        cached_json,
        config::{Profile, argument},
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
pub(super) const TOKEN_FILE: &str = "web_identity_token_file";

/// The keys of the role of a profile; `NotConfigured` without `role_arn`. `source` returns the keys of another profile
/// by its name.
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

/// The file in which the AWS CLI keeps the session of a profile's role, which need not exist; `None` unless the role
/// demands the code of a device: that of any other role is not read.
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
    let outcome = match named {
        "Environment" => EnvironmentKeys.token(system, wanted),
        // It is asked whatever signs of an instance there are.
        "Ec2InstanceMetadata" => instance::keys(system, wanted, true),
        "EcsContainer" => Container.token(system, wanted),
        _ => {
            let error = broken(format!("with an unknown {CREDENTIAL_SOURCE}"));
            let hint = format!("set {CREDENTIAL_SOURCE} to Environment, Ec2InstanceMetadata or EcsContainer");
            return Err(error.with_hint(hint));
        }
    };
    match outcome? {
        Attempt::Token(keys) => Ok(keys),
        Attempt::NotConfigured(why) => {
            Err(broken(format!("with {CREDENTIAL_SOURCE} = {named}, which has no keys: {why}")))
        }
    }
}

/// The session that the AWS CLI cached after an MFA code; `None` if it has ended.
fn kept_session(system: &dyn System, profile: &Profile) -> Option<Keys> {
    let members = cached_json::read(system, &session_file(system, profile)?)?;
    let document = KeyDocument::deserialize(members.get("Credentials")?).ok()?;
    document.keys().filter(|keys| keys.expires.is_some_and(|expires| expires > system.now() + MARGIN))
}

fn needs_code(profile: &Profile) -> Error {
    let name = profile.name();
    Error::new(Kind::Rejected, format!("profile {name} needs an MFA code"))
        .with_hint(format!("run `aws sts get-caller-identity --profile {}`", argument(name)))
}

/// The arguments of AssumeRole as the AWS CLI writes them to name its file: JSON in the form of Python, with sorted
/// keys.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::{client::Client, config::Config, region::Region},
        secret::Secret,
        system::{
            fake::{FakeSystem, absolute},
            http::Method,
        },
    };

    const URL: &str = "https://sts.eu-west-1.amazonaws.com/";

    const ROLE: &str = "role_arn = arn:aws:iam::111122223333:role/Reader\n";

    const SESSION: &str = "<R><AccessKeyId>ASIAADA</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                           <SessionToken>t</SessionToken></R>";

    /// The profile `corp` with these settings.
    fn profile(settings: &str) -> FakeSystem {
        let config = format!("[profile corp]\n{settings}\n");
        FakeSystem::default().home("/home/ada").file("/home/ada/.aws/config", &config)
    }

    fn ask(fake: &FakeSystem) -> Result<Attempt<Keys>> {
        let client = Client::new(fake, None, None)?;
        let wanted = Wanted { config: Config::read(fake)?, client, region: Region::parse("eu-west-1").unwrap() };
        keys(fake, &wanted, wanted.config.profile("corp").unwrap(), &mut |name| {
            assert_eq!(name, "base");
            let (access_key_id, secret) = ("AKIABASE".to_owned(), Secret::new("base-secret".to_owned()));
            Ok(Keys { access_key_id, secret_access_key: secret, session_token: None, expires: None })
        })
    }

    fn id(fake: &FakeSystem) -> Option<String> {
        match ask(fake).unwrap() {
            Attempt::Token(keys) => Some(keys.access_key_id),
            Attempt::NotConfigured(_) => None,
        }
    }

    fn sent(fake: &FakeSystem) -> String {
        String::from_utf8(fake.requests()[0].body.to_vec()).unwrap()
    }

    #[test]
    fn a_role_is_assumed_with_the_keys_of_another_profile() {
        let settings = "source_profile = base\nexternal_id = x\nrole_session_name = ada\nduration_seconds = 900";
        let fake = profile(&format!("{ROLE}{settings}")).answer(Method::Post, URL, 200, SESSION);
        assert_eq!(id(&fake).as_deref(), Some("ASIAADA"));
        assert!(sent(&fake).ends_with("&RoleSessionName=ada&DurationSeconds=900&ExternalId=x"));
        let is_of_base = |value: &Secret| value.expose().contains("Credential=AKIABASE/");
        assert!(fake.requests()[0].headers.iter().any(|(_, value)| is_of_base(value)));
        let odd = profile(&format!("{ROLE}source_profile = base\nduration_seconds = long"));
        let odd = odd.answer(Method::Post, URL, 200, SESSION);
        assert!(id(&odd).is_some() && !sent(&odd).contains("DurationSeconds"));
    }

    #[test]
    fn a_role_is_assumed_with_a_token_in_a_file() {
        let settings = format!("{ROLE}web_identity_token_file = {}", absolute("/run/token"));
        let fake = profile(&settings).file("/run/token", "proof-secret\n").answer(Method::Post, URL, 200, SESSION);
        assert_eq!(id(&fake).as_deref(), Some("ASIAADA"));
        assert!(sent(&fake).contains("&WebIdentityToken=proof-secret"));
        let error = ask(&profile(&settings)).unwrap_err();
        assert!(error.message().starts_with("profile corp: web_identity_token_file names "), "{error}");
    }

    #[test]
    fn a_role_without_one_source_is_an_error() {
        for (settings, words) in [
            ("", "without source_profile or credential_source"),
            (
                "source_profile = base\ncredential_source = Environment",
                "with both source_profile and credential_source",
            ),
            ("credential_source = environment", "with an unknown credential_source"),
            (
                "credential_source = EcsContainer",
                "with credential_source = EcsContainer, which has no keys: no AWS_CON",
            ),
            ("credential_source = Ec2InstanceMetadata", "which has no keys: AWS_EC2_METADATA_DISABLED is true"),
        ] {
            let fake = profile(&format!("{ROLE}{settings}")).variable("AWS_EC2_METADATA_DISABLED", "true");
            let error = ask(&fake).unwrap_err();
            assert_eq!(error.kind(), Kind::Configuration);
            assert!(
                error.message().starts_with("profile corp has a role_arn ") && error.message().contains(words),
                "{error}"
            );
        }
        let error = ask(&profile("web_identity_token_file = /run/token")).unwrap_err();
        assert_eq!(error.message(), "profile corp: it has web_identity_token_file and no role_arn");
        assert_eq!(id(&profile("region = eu-west-1")), None);
    }

    #[test]
    fn a_container_may_assume_the_role() {
        let address = "http://127.0.0.1/keys";
        let answer = r#"{"AccessKeyId":"ASIABASE","SecretAccessKey":"s","Token":"t"}"#;
        let fake = profile(&format!("{ROLE}credential_source = EcsContainer"))
            .variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", address)
            .answer(Method::Get, address, 200, answer)
            .answer(Method::Post, URL, 200, SESSION);
        assert_eq!(id(&fake).as_deref(), Some("ASIAADA"));
    }

    #[test]
    fn an_instance_that_is_named_is_asked_without_signs_of_ec2() {
        let fake = profile(&format!("{ROLE}credential_source = Ec2InstanceMetadata"));
        let fake = fake.failure(Method::Put, "http://169.254.169.254/latest/api/token", false);
        assert_eq!(ask(&fake).unwrap_err().kind(), Kind::Network);
    }

    #[test]
    fn a_role_with_a_device_uses_the_session_of_the_cli() {
        let settings = format!("{ROLE}source_profile = base\nmfa_serial = arn:aws:iam::111122223333:mfa/me");
        let kept = |expiration: &str| {
            let keys = format!(
                r#"{{"AccessKeyId":"ASIAKEPT","SecretAccessKey":"s","SessionToken":"t","Expiration":"{expiration}"}}"#
            );
            let file = "/home/ada/.aws/cli/cache/10305e9a72dd60a3503e62ab3d6d80ec29e7cae3.json";
            profile(&settings).file(file, &format!(r#"{{"Credentials":{keys}}}"#))
        };
        for time in ["2026-11-22T00:01:01Z", "2026-11-22T00:01:01UTC", "2026-11-22T00:01:01+00:00"] {
            assert_eq!(id(&kept(time)).as_deref(), Some("ASIAKEPT"), "{time}");
        }
        for fake in [profile(&settings), kept("2026-11-22T00:01:00Z"), kept("soon")] {
            assert_eq!(
                ask(&fake).unwrap_err().to_string(),
                "profile corp needs an MFA code; run `aws sts get-caller-identity --profile corp`"
            );
        }
    }

    #[test]
    fn the_file_of_the_cli_is_named_by_the_arguments() {
        let role = Role { arn: "arn:aws:iam::111122223333:role/Reader".to_owned(), ..Role::default() };
        let full = Role {
            session_name: Some("me".to_owned()),
            external_id: Some("x".to_owned()),
            duration: Some(3600),
            ..role.clone()
        };
        let vectors: Value = serde_json::from_str(include_str!("../../../tests/vectors/aws-sigv4.json")).unwrap();
        let inputs: Vec<&str> =
            vectors["cache_file_names"].as_array().unwrap().iter().filter_map(|name| name["input"].as_str()).collect();
        for role in [role, full] {
            assert!(inputs.contains(&arguments(&role).as_str()), "{}", arguments(&role));
        }
        let fake = profile(ROLE);
        assert_eq!(session_file(&fake, Config::read(&fake).unwrap().profile("corp").unwrap()), None);
    }
}
