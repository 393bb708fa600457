//! Logins that the AWS CLI keeps in files: properties that hold for any file and any answer.

use memchr::memmem;
use serde_json::{Map, Value};

use super::{
    client::Client,
    config::Config,
    region::Region,
    sources::{Wanted, login_session, sso},
};
use crate::{
    auth::chain::Attempt,
    error::{Error, Kind, Result},
    service::host_is_within,
    system::{
        Clock, System,
        fake::FakeSystem,
        fuzz::{check_error, responses, split_at_marker},
    },
};

/// The profiles: a role with an SSO session, and a login of `aws login`.
const CONFIG: &str = "[profile corp]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Reader\n\
    [sso-session corp]\nsso_start_url = https://d-0123456789.awsapps.com/start\nsso_region = eu-west-1\n\
    [profile ada]\nlogin_session = arn:aws:iam::111122223333:user/reader\nregion = us-east-1\n";

/// The files of both logins.
const FILES: [&str; 2] = [
    "/home/ada/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json",
    "/home/ada/.aws/login/cache/e63813972c0cada4180aec504d216467d454174b766921aa910ba766bda073c9.json",
];

/// The members of both files that hold secrets.
const SECRETS: [&str; 5] = ["accessToken", "clientSecret", "refreshToken", "idToken", "dpopKey"];

/// Marks a secret: no other text contains it by chance.
const MARK: &str = "Mq7madeupMq9";

/// The domains of the services.
const DOMAINS: [&str; 7] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "signin.aws.amazon.com",
    "signin.amazonaws.cn",
    "signin.amazonaws-us-gov.com",
    "signin.amazonaws-eusc.eu",
];

/// What a source needs to know, with the files of a system.
pub(super) fn wanted(system: &dyn System) -> Result<Wanted> {
    let region = Region::parse("us-east-1").ok_or_else(|| Error::new(Kind::Internal, "it is a region"))?;
    Ok(Wanted { config: Config::read(system)?, client: Client::new(system, None, None)?, region })
}

/// The file of a login and, after a line `==`, the answers of the services: secrets go to hosts of AWS and into no
/// error, and members that are not known are kept.
///
/// # Panics
///
/// If that does not hold.
pub fn aws_logins(said: &[u8]) {
    let (file, answers) = split_at_marker(said, b"\n==\n");
    for (profile, path) in ["corp", "ada"].into_iter().zip(FILES) {
        let fake = FakeSystem::default()
            .home("/home/ada")
            .file("/home/ada/.aws/config", CONFIG)
            .answers(answers.map(responses).unwrap_or_default());
        fake.write(path, file);
        let Ok(wanted) = wanted(&fake) else { panic!("the configuration is sound") };
        let Some(found) = wanted.config.profile(profile) else { panic!("it is in the configuration") };
        let outcome = if profile == "corp" {
            sso::keys(&fake, &wanted, found)
        } else {
            login_session::keys(&fake, &wanted, found)
        };
        let before: Option<Map<String, Value>> = serde_json::from_slice(file).ok();
        let after = fake.content(path).unwrap_or_default();
        for request in fake.requests() {
            let host = request.url.host_str().unwrap_or_default();
            let is_known = DOMAINS.iter().any(|domain| host_is_within(host, domain));
            assert!(before.is_some() && request.url.scheme() == "https" && is_known, "{host}");
        }
        if after != file {
            let written: Option<Map<String, Value>> = serde_json::from_slice(&after).ok();
            let (Some(before), Some(written)) = (&before, &written) else { panic!("no JSON was read or written") };
            let changed = ["accessToken", "expiresAt", "refreshToken", "idToken"];
            assert!(before.iter().all(|(name, value)| changed.contains(&&**name) || written.get(name) == Some(value)));
        }
        match outcome {
            Ok(Attempt::Token(keys)) => {
                assert!(keys.expires.is_some_and(|expires| expires > fake.now()) && keys.session_token.is_some());
                assert!(keys.secret_access_key.expose().bytes().all(|byte| byte.is_ascii_graphic()));
            }
            Ok(Attempt::NotConfigured(why)) => panic!("it is configured: {why}"),
            Err(error) => {
                check_error(&error, &[]);
                let last = fake.requests().pop();
                let is_sent = |text: &str| {
                    last.as_ref().is_some_and(|request| {
                        let is_header = request.headers.iter().any(|(_, value)| value.expose() == text);
                        is_header || memmem::find(&request.body, text.as_bytes()).is_some()
                    })
                };
                // A service may say anything that was not sent to it.
                let is_told = answers.is_some_and(|answers| memmem::find(answers, MARK.as_bytes()).is_some());
                let texts = before.iter().flat_map(|members| SECRETS.map(|name| members.get(name)?.as_str()));
                let mut marked = texts.flatten().filter(|text| text.contains(MARK));
                assert!(!marked.any(|text| !is_told || is_sent(text)) || !error.to_string().contains(MARK), "{error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::fuzz::{seed, seeds};

    /// Which of the two profiles a seed gives keys.
    fn granted(seed: &[u8]) -> [bool; 2] {
        let (file, answers) = split_at_marker(seed, b"\n==\n");
        [0, 1].map(|index| {
            let fake = FakeSystem::default()
                .home("/home/ada")
                .file("/home/ada/.aws/config", CONFIG)
                .answers(answers.map(responses).unwrap_or_default());
            fake.write(FILES[index], file);
            let wanted = wanted(&fake).unwrap();
            let profile = wanted.config.profile(["corp", "ada"][index]).unwrap();
            let keys = if index == 0 { sso::keys } else { login_session::keys };
            matches!(keys(&fake, &wanted, profile), Ok(Attempt::Token(_)))
        })
    }

    #[test]
    fn the_seeds_hold_and_some_of_them_give_keys() {
        for seed in seeds("aws_logins") {
            aws_logins(&seed);
        }
        for (name, expected) in [
            ("sso", [true, false]),
            ("sso-renewed", [true, false]),
            ("sso-ended", [false, false]),
            ("login", [false, true]),
            ("login-renewed", [false, true]),
            ("login-ended", [false, false]),
        ] {
            assert_eq!(granted(&seed("aws_logins", name)), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_member_of_a_file_is_harmless(name in "accessToken|expiresAt|clientId|signInRegion|dpopKey", value in "\"\\PC{0,30}\"|[0-9]{1,20}|null|\\{\\}") {
            let file = format!("{{\"refreshToken\":\"refresh-Mq7madeupMq9\",\"{name}\":{value}}}\n==\n200\n\n{{}}");
            aws_logins(file.as_bytes());
        }
    }
}
