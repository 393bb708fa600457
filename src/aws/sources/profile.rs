//! Profiles: what the one that is chosen is configured with.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use log::debug;

use super::{Wanted, login_session, process, role, sso};
use crate::{
    auth::{
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
        warning,
    },
    aws::{
        config::{Config, Profile, argument},
        key_document::KeyDocument,
        keys::Keys,
        variables,
    },
    error::{Error, Kind, LONGEST_NAME, Result, quote, shorten},
    secret::Secret,
    system::{System, places},
};

/// The profile of people who have one.
const DEFAULT: &str = "default";

/// The keys of a profile with an access key in it. The last one is an old name of the one before.
const ACCESS_KEY_ID: &str = "aws_access_key_id";
const SECRET_ACCESS_KEY: &str = "aws_secret_access_key";
const SESSION_TOKEN: &str = "aws_session_token";
const SECURITY_TOKEN: &str = "aws_security_token";

/// The profile whose keys are used to assume a role.
const SOURCE_PROFILE: &str = "source_profile";

/// The most roles that one profile leads to: each is a request.
const MOST_ROLES: usize = 8;

/// How many profiles the error of a missing one lists, and how much of each name, in characters.
const LISTED: usize = 3;
const LONGEST_LISTED: usize = 24;

/// The profile that AWS_PROFILE or AWS_DEFAULT_PROFILE names.
pub(crate) struct NamedProfile;

impl TokenProvider<Wanted, Keys> for NamedProfile {
    fn name(&self) -> &'static str {
        "profile"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Configured
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, wanted: &Wanted) -> Result<Attempt<Keys>> {
        let (name, Some(variable)) = chosen(system) else {
            return Ok(Attempt::not_configured(format!("no {}", variables::PROFILE)));
        };
        let other = system.setting(variables::DEFAULT_PROFILE).filter(|other| *other != name);
        if let Some(other) = other {
            debug!(
                step = "profile", outcome = "noted";
                "{variable}={} comes before {}={}", quote(&name, &[]), variables::DEFAULT_PROFILE, quote(&other, &[])
            );
        }
        // Its name asks for no other identity than there is without one, so that it need not exist.
        if name == DEFAULT { default_keys(system, wanted) } else { keys(system, wanted, &name) }
    }
}

/// The profile `default`, if no other is named.
pub(crate) struct DefaultProfile;

impl TokenProvider<Wanted, Keys> for DefaultProfile {
    fn name(&self) -> &'static str {
        "default_profile"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Configured
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, wanted: &Wanted) -> Result<Attempt<Keys>> {
        match chosen(system).1 {
            Some(variable) => Ok(Attempt::not_configured(format!("{variable} names a profile"))),
            None => default_keys(system, wanted),
        }
    }
}

/// The keys of the profile `default`, which need not exist.
fn default_keys(system: &dyn System, wanted: &Wanted) -> Result<Attempt<Keys>> {
    match wanted.config.profile(DEFAULT) {
        Some(_) => keys(system, wanted, DEFAULT),
        None => Ok(Attempt::not_configured(format!("no profile {DEFAULT}"))),
    }
}

/// The keys of a profile, by its kind; `NotConfigured` if it has none. A profile that is missing, or has half of what it
/// needs, is an error.
pub(crate) fn keys(system: &dyn System, wanted: &Wanted, name: &str) -> Result<Attempt<Keys>> {
    keys_of(system, wanted, name, &[])
}

/// The keys of a profile. `roles` are the profiles whose roles are assumed with them: the last one names it as its source.
fn keys_of(system: &dyn System, wanted: &Wanted, name: &str, roles: &[&str]) -> Result<Attempt<Keys>> {
    let Some(profile) = wanted.config.profile(name) else { return Err(missing(system, &wanted.config, name, roles)) };
    by_kind(system, wanted, profile, roles).map_err(|error| explained(error, name))
}

/// Asks for the keys of a profile in the order in which botocore does, whatever else the profile has.
/// <https://github.com/boto/botocore/blob/1.44.8/botocore/credentials.py>
fn by_kind(system: &dyn System, wanted: &Wanted, profile: &Profile, roles: &[&str]) -> Result<Attempt<Keys>> {
    type Kind = fn(&dyn System, &Wanted, &Profile) -> Result<Attempt<Keys>>;
    const KINDS: [Kind; 5] = [sso::keys, keys_in_credentials, login_session::keys, process::keys, keys_in_config];

    let name = profile.name();
    let is_static = profile.value(ACCESS_KEY_ID).is_some();
    // A profile may name itself, to keep its role and the key that assumes it in one place.
    if roles.contains(&name) && !(is_static && roles.last() == Some(&name)) {
        return Err(cycle(name));
    }
    if roles.len() >= MOST_ROLES {
        return Err(configuration(format!("profile {name} is the source of more than {MOST_ROLES} roles"))
            .with_hint(format!("assume the role of profile {} with fewer", shorten(roles[0], LONGEST_NAME))));
    }
    // In a source, an access key comes before a role.
    if roles.is_empty() || !is_static {
        let roles = [roles, &[name]].concat();
        let mut source = |source: &str| match keys_of(system, wanted, source, &roles)? {
            Attempt::Token(keys) => Ok(keys),
            Attempt::NotConfigured(why) => Err(explained(configuration(why), source)),
        };
        if let keys @ Attempt::Token(_) = role::keys(system, wanted, profile, &mut source)? {
            return Ok(keys);
        }
    }
    for kind in KINDS {
        if let keys @ Attempt::Token(_) = kind(system, wanted, profile)? {
            return Ok(keys);
        }
    }
    Ok(Attempt::not_configured("it has no credentials"))
}

fn keys_in_credentials(_system: &dyn System, _wanted: &Wanted, profile: &Profile) -> Result<Attempt<Keys>> {
    static_keys(profile, true)
}

fn keys_in_config(_system: &dyn System, _wanted: &Wanted, profile: &Profile) -> Result<Attempt<Keys>> {
    static_keys(profile, false)
}

/// The access key of a profile, if the credentials file has it, or does not. Half of one is an error.
fn static_keys(profile: &Profile, is_in_credentials: bool) -> Result<Attempt<Keys>> {
    let name = profile.name();
    let (id, secret) = (profile.value(ACCESS_KEY_ID), profile.value(SECRET_ACCESS_KEY));
    let written = [ACCESS_KEY_ID, SECRET_ACCESS_KEY].into_iter().any(|key| profile.is_in_credentials(key));
    let (set, lacking) = match (id, secret) {
        (None, None) => return Ok(Attempt::not_configured("no access key")),
        _ if written != is_in_credentials => return Ok(Attempt::not_configured("no access key in this file")),
        (Some(id), Some(secret)) => {
            // A session of one file is not that of a key in the other.
            let is_beside = |key: &&str| profile.is_in_credentials(key) == profile.is_in_credentials(ACCESS_KEY_ID);
            let token =
                [SESSION_TOKEN, SECURITY_TOKEN].into_iter().filter(is_beside).find_map(|key| profile.value(key));
            let document = KeyDocument {
                access_key_id: Some(id.to_owned()),
                secret_access_key: Some(Secret::new(secret.to_owned())),
                session_token: token.map(|token| Secret::new(token.to_owned())),
                expiration: None,
            };
            let malformed = || configuration(format!("the access key of profile {name} is malformed"));
            return document.keys().map(Attempt::Token).ok_or_else(malformed);
        }
        (Some(_), None) => (ACCESS_KEY_ID, SECRET_ACCESS_KEY),
        (None, Some(_)) => (SECRET_ACCESS_KEY, ACCESS_KEY_ID),
    };
    Err(configuration(format!("profile {name} has {set} without {lacking}"))
        .with_hint(format!("run `aws configure --profile {}`", argument(name))))
}

/// The name of the profile that the environment chooses, and the variable that does; `default` without one.
pub(crate) fn chosen(system: &dyn System) -> (String, Option<&'static str>) {
    let named = [variables::PROFILE, variables::DEFAULT_PROFILE]
        .into_iter()
        .find_map(|variable| Some((system.setting(variable)?, Some(variable))));
    named.unwrap_or_else(|| (DEFAULT.to_owned(), None))
}

/// The files of the login of a profile, which a sign-in with it reads and may replace, whether or not they exist.
pub(crate) fn login_files(system: &dyn System, config: &Config, name: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut visited = BTreeSet::new();
    let mut next = config.profile(name);
    while let Some(profile) = next.filter(|profile| visited.insert(profile.name())) {
        files.extend(sso::token_file(system, config, profile));
        files.extend(login_session::login_file(system, profile));
        files.extend(role::session_file(system, profile));
        files.extend(profile.value(role::TOKEN_FILE).map(PathBuf::from).filter(|path| path.is_absolute()));
        next = profile.value(SOURCE_PROFILE).and_then(|source| config.profile(source));
    }
    files
}

/// Whether a program prints the keys of a profile: then nothing here tells whose they are.
pub(crate) fn runs_a_program(config: &Config, name: &str) -> bool {
    let mut visited = BTreeSet::new();
    let mut next = config.profile(name);
    while let Some(profile) = next.filter(|profile| visited.insert(profile.name())) {
        if profile.value(process::KEY).is_some() {
            return true;
        }
        next = profile.value(SOURCE_PROFILE).and_then(|source| config.profile(source));
    }
    false
}

/// Warns that the profile which a variable names has no credentials, where a later source has: another identity answers.
pub(crate) fn warn_of_passing_over(system: &dyn System, source: &str) {
    if let (name, Some(variable)) = chosen(system)
        && name != DEFAULT
    {
        let what = format!("profile {}, which {variable} names, has no credentials", shorten(&name, LONGEST_NAME));
        let error = configuration(format!("{what}: those of the source {source} are used"));
        warning::once(&error.with_hint(format!("add its credentials, or unset {variable}")).warning());
    }
}

fn configuration(message: String) -> Error {
    Error::new(Kind::Configuration, message)
}

/// The error of a profile, with its name and a command that says more, unless it has its own.
fn explained(error: Error, name: &str) -> Error {
    if error.ends_the_lookup() {
        return error;
    }
    let is_named = error.message().contains("profile ");
    let error = if is_named { error } else { error.within(format_args!("profile {name}")) };
    match error.hint() {
        Some(_) => error,
        None => error.with_hint(format!("run `aws sts get-caller-identity --profile {}` to see more", argument(name))),
    }
}

/// The error of profiles whose sources lead back to one of them.
fn cycle(name: &str) -> Error {
    configuration(format!("the {SOURCE_PROFILE} of profile {name} leads back to it"))
        .with_hint(format!("name a profile with an access key or a login as {SOURCE_PROFILE}"))
}

/// The error of a profile that is in no file.
fn missing(system: &dyn System, config: &Config, name: &str, roles: &[&str]) -> Error {
    let files: Vec<_> = Config::files(system).iter().map(|path| shown(system, path)).collect();
    let place = match &files[..] {
        [] => "in no file".to_owned(),
        [file] => format!("not in {file}"),
        files => format!("in neither {}", files.join(" nor ")),
    };
    let correction = match (roles.last(), chosen(system)) {
        (Some(role), _) => format!("correct {SOURCE_PROFILE} of profile {}", shorten(role, LONGEST_NAME)),
        (None, (chosen, Some(variable))) if chosen == name => format!("correct or unset {variable}"),
        _ => "correct its name".to_owned(),
    };
    let mut known: Vec<_> = config.names().take(LISTED).map(|name| shorten(name, LONGEST_LISTED)).collect();
    known.extend(config.names().nth(LISTED).map(|_| "…".to_owned()));
    let hint = match &known[..] {
        [] => correction,
        known => format!("{correction} (known: {})", known.join(", ")),
    };
    configuration(format!("profile {} is {place}", shorten(name, LONGEST_NAME))).with_hint(hint)
}

/// A path in the home directory as people write it, with `~`.
fn shown(system: &dyn System, path: &Path) -> String {
    let home = places::home(system);
    let below = home.as_deref().and_then(|home| path.strip_prefix(home).ok());
    below.map_or_else(|| path.to_owned(), |below| Path::new("~").join(below)).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::{client::Client, region::Region},
        system::fake::{FakeSystem, absolute},
    };

    const CONFIG: &str = "/home/ada/.aws/config";
    const CREDENTIALS: &str = "/home/ada/.aws/credentials";

    fn home(config: &str, credentials: &str) -> FakeSystem {
        FakeSystem::default().home("/home/ada").file(CONFIG, config).file(CREDENTIALS, credentials)
    }

    fn wanted(system: &FakeSystem) -> Wanted {
        Wanted {
            config: Config::read(system).unwrap(),
            client: Client::new(system, None, None).unwrap(),
            region: Region::parse("eu-central-1").unwrap(),
        }
    }

    /// What a profile answers: the id of its access key, why it has none, or its error.
    fn answer(attempt: Result<Attempt<Keys>>) -> String {
        match attempt {
            Ok(Attempt::Token(keys)) => keys.access_key_id,
            Ok(Attempt::NotConfigured(why)) => why,
            Err(error) => {
                assert_eq!(error.kind(), Kind::Configuration, "{error}");
                error.to_string()
            }
        }
    }

    fn corp(config: &str, credentials: &str) -> String {
        let system = home(config, credentials);
        answer(keys(&system, &wanted(&system), "corp"))
    }

    fn key(id: &str) -> String {
        format!("aws_access_key_id = {id}\naws_secret_access_key = x-secret\n")
    }

    fn source(system: &FakeSystem, source: &dyn TokenProvider<Wanted, Keys>) -> String {
        answer(source.token(system, &wanted(system)))
    }

    #[test]
    fn the_named_profile_is_asked_and_the_default_one_is_not() {
        let files = || home(&format!("[default]\n{}[profile corp]\n{}", key("AKID1"), key("AKID2")), "");
        let profile = |value| files().variable("AWS_PROFILE", value);
        let other = |value| files().variable("AWS_DEFAULT_PROFILE", value);
        for (system, named, default) in [
            (files(), "no AWS_PROFILE", "AKID1"),
            (profile(" "), "no AWS_PROFILE", "AKID1"),
            (profile("corp"), "AKID2", "AWS_PROFILE names a profile"),
            (profile("default"), "AKID1", "AWS_PROFILE names a profile"),
            (other("corp"), "AKID2", "AWS_DEFAULT_PROFILE names a profile"),
            (other("default").variable("AWS_PROFILE", "corp"), "AKID2", "AWS_PROFILE names a profile"),
        ] {
            assert_eq!((&*source(&system, &NamedProfile), &*source(&system, &DefaultProfile)), (named, default));
        }
    }

    #[test]
    fn a_missing_default_profile_is_not_configured() {
        let system = home("", "");
        assert_eq!(source(&system, &DefaultProfile), "no profile default");
        assert_eq!(source(&system.variable("AWS_PROFILE", "default"), &NamedProfile), "no profile default");
    }

    #[test]
    fn a_profile_without_credentials_is_not_configured() {
        assert_eq!(corp("[profile corp]\nregion = eu-west-1\n", ""), "it has no credentials");
    }

    #[test]
    fn a_missing_profile_is_an_error_that_lists_others() {
        let (config, credentials) = if cfg!(windows) {
            (r"~\.aws\config", r"~\.aws\credentials")
        } else {
            ("~/.aws/config", "~/.aws/credentials")
        };
        let missing = format!("profile corp is in neither {config} nor {credentials}");
        for (text, hint) in [
            ("", "correct or unset AWS_PROFILE".to_owned()),
            ("[a]\n[c]\n[b]\n", "correct or unset AWS_PROFILE (known: a, b, c)".to_owned()),
            ("[a]\n[b]\n[c]\n[d]\n", "correct or unset AWS_PROFILE (known: a, b, c, …)".to_owned()),
            (&format!("[{}]\n", "a".repeat(99)), format!("correct or unset AWS_PROFILE (known: {}…)", "a".repeat(23))),
        ] {
            let system = home("", text).variable("AWS_PROFILE", "corp");
            assert_eq!(source(&system, &NamedProfile), format!("{missing}; {hint}"));
        }
        assert_eq!(corp("", ""), format!("{missing}; correct its name"));
        let role = "[profile corp]\nrole_arn = arn:aws:iam::111122223333:role/reader\nsource_profile = base\n";
        let missing = missing.replace("corp", "base");
        assert_eq!(corp(role, ""), format!("{missing}; correct source_profile of profile corp (known: corp)"));
        let system = FakeSystem::default().variable("AWS_CONFIG_FILE", &absolute("/etc/a"));
        let shown = answer(keys(&system, &wanted(&system), "corp"));
        assert_eq!(shown, format!("profile corp is not in {}; correct its name", absolute("/etc/a")));
    }

    #[test]
    fn a_program_comes_after_credentials_and_before_config() {
        let program = "credential_process = \"\"\n";
        let failed = "credential_process of profile corp names no program";
        let config = |keys: &str| format!("[profile corp]\n{program}{keys}");
        let credentials = format!("[corp]\n{}", key("AKID1"));
        assert_eq!(corp(&config(&key("AKID2")), &credentials), "AKID1");
        assert_eq!(corp(&config(""), &credentials), "AKID1");
        assert!(corp(&config(&key("AKID2")), "").starts_with(failed));
        assert_eq!(corp(&config(&key("AKID2")).replace(program, ""), ""), "AKID2");
    }

    #[test]
    fn half_a_key_names_profile_and_key() {
        for (half, message) in [
            ("aws_access_key_id = AKID1\n", "profile corp has aws_access_key_id without aws_secret_access_key"),
            ("aws_secret_access_key = x-secret\n", "profile corp has aws_secret_access_key without aws_access_key_id"),
        ] {
            let message = format!("{message}; run `aws configure --profile corp`");
            assert_eq!(corp(&format!("[profile corp]\n{half}"), ""), message);
            assert_eq!(corp("", &format!("[corp]\n{half}")), message);
        }
    }

    #[test]
    fn the_halves_of_a_key_may_be_in_both_files() {
        let credentials = "[corp]\naws_secret_access_key = x-secret\n";
        assert_eq!(corp("[profile corp]\naws_access_key_id = AKID1\n", credentials), "AKID1");
    }

    #[test]
    fn a_malformed_key_is_not_quoted() {
        let shown = corp(
            "[profile corp]\naws_access_key_id = AKID1\n  aws_secret_access_key = x-secret\naws_secret_access_key = a",
            "",
        );
        assert_eq!(
            shown,
            "the access key of profile corp is malformed; run `aws sts get-caller-identity --profile corp` to see more"
        );
    }

    #[test]
    fn a_session_belongs_to_the_key_beside_it() {
        let token = |config: &str, credentials: &str| {
            let system = home(&format!("[profile corp]\n{config}"), &format!("[corp]\n{credentials}"));
            let Ok(Attempt::Token(keys)) = keys(&system, &wanted(&system), "corp") else { panic!("no key") };
            keys.session_token.map(|token| token.expose().to_owned())
        };
        let key = key("AKID1");
        for (config, credentials, session) in [
            ("", format!("{key}aws_session_token = new\naws_security_token = old\n"), Some("new")),
            ("", format!("{key}aws_security_token = old\n"), Some("old")),
            ("aws_session_token = other\n", key.clone(), None),
        ] {
            assert_eq!(token(config, &credentials).as_deref(), session, "{config}{credentials}");
        }
    }

    #[test]
    fn a_source_that_leads_back_is_an_error() {
        let role = |name: &str, source: &str| {
            format!("[profile {name}]\nrole_arn = arn:aws:iam::111122223333:role/reader\nsource_profile = {source}\n")
        };
        let cycle = |name: &str| {
            format!(
                "the source_profile of profile {name} leads back to it; name a profile with an access key or a login as source_profile"
            )
        };
        assert_eq!(corp(&role("corp", "corp"), ""), cycle("corp"));
        assert_eq!(corp(&(role("corp", "b") + &role("b", "c") + &role("c", "b")), ""), cycle("b"));
        assert_eq!(
            corp(&(role("corp", "b") + &role("b", "corp")), &format!("[corp]\n{}", key("AKID1"))),
            cycle("corp")
        );
    }

    #[test]
    fn a_profile_leads_to_few_roles() {
        let role = |number: usize| {
            let source = number + 1;
            format!(
                "[profile p{number}]\nrole_arn = arn:aws:iam::111122223333:role/reader\nsource_profile = p{source}\n"
            )
        };
        let system = home(&(0..9000).map(role).collect::<String>(), "");
        assert_eq!(
            answer(keys(&system, &wanted(&system), "p0")),
            "profile p8 is the source of more than 8 roles; assume the role of profile p0 with fewer"
        );
    }

    #[test]
    fn a_program_is_found_behind_roles() {
        let system = home(
            "[profile corp]\nsource_profile = b\n[profile b]\nsource_profile = corp\n[profile c]\nsource_profile = d\n\
             [profile d]\ncredential_process = tool\n",
            "",
        );
        let config = wanted(&system).config;
        assert_eq!(["corp", "c", "d", "e"].map(|name| runs_a_program(&config, name)), [false, true, true, false]);
    }

    #[test]
    fn a_source_without_credentials_is_an_error() {
        let files = "[profile corp]\nrole_arn = arn:aws:iam::111122223333:role/reader\nsource_profile = my base\n[profile my base]\n";
        assert_eq!(
            corp(files, ""),
            "profile my base: it has no credentials; run `aws sts get-caller-identity --profile \"my base\"` to see more"
        );
    }

    #[test]
    fn the_login_files_of_a_circle_are_finite() {
        let system = home("[profile corp]\nsource_profile = b\n[profile b]\nsource_profile = corp\n", "");
        assert_eq!(login_files(&system, &wanted(&system).config, "corp"), Vec::<PathBuf>::new());
    }
}
