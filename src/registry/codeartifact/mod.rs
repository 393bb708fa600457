//! AWS CodeArtifact, with the access keys of an AWS account.
//!
//! A token is for a [`domain`], not for a repository. It comes from a variable, or is [asked for](token) with the access keys that
//! AWS's own programs would use, unless a [`section`] of keyring's configuration file says otherwise.

mod domain;
mod duration;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod section;
mod token;
pub(super) mod urls;

use std::path::PathBuf;

use log::debug;
use url::Url;

use self::{domain::Domain, section::Section};
use crate::{
    auth::{
        access_token::AccessToken,
        cache::TokenCache,
        cache_key::{CacheKey, Digest},
        cache_policy::CachePolicy,
        chain::{Attempt, Exhausted, Origin, SEE_DOCTOR, TokenProvider, ask_further, ask_in_turn},
        job_token,
    },
    aws::{
        client::Client,
        config::Config,
        keys::Keys,
        sources::{self, Wanted, profile},
        sts, variables,
    },
    error::{Error, Kind, LONGEST_NAME, Result, shorten},
    registry::{Credential, CredentialSource, ExecVariables, JobLogin, Probe, Registry},
    service::Service,
    system::{Env, System},
    variable::{self, Variable},
};

/// User name that CodeArtifact requires.
const USERNAME: &str = "aws";

/// Holds a token, under the name in AWS's documentation.
/// <https://docs.aws.amazon.com/codeartifact/latest/ug/tokens-authentication.html>
const TOKEN_VARIABLE: &str = "CODEARTIFACT_AUTH_TOKEN";

static VARIABLES: &[Variable] = &[
    Variable::login("AWS_ENDPOINT_URL_CODEARTIFACT", "address of CodeArtifact's API"),
    Variable::login(TOKEN_VARIABLE, "token of a domain"),
    Variable::login(duration::VARIABLE, "lifetime of a token in seconds (3600)"),
];

/// AWS CodeArtifact.
pub(super) static REGISTRY: Registry = Registry {
    id: "codeartifact",
    title: "AWS CodeArtifact",
    python_class: "CodeArtifactKeyring",
    priority: 9.7,
    username: USERNAME,
    example: "https://DOMAIN-ACCOUNT.d.codeartifact.REGION.amazonaws.com/pypi/REPOSITORY/simple/",
    domains: &[
        "amazonaws.com",
        "amazonaws.com.cn",
        "amazonaws.eu",
        "on.aws",
        "c2s.ic.gov",
        "sc2s.sgov.gov",
        "cloud.adc-e.uk",
        "csp.hci.ic.gov",
    ],
    variables: &[VARIABLES, variables::VARIABLES, job_token::VARIABLES, variable::LOCATIONS],
    exec_variables: &[ExecVariables { if_username: None, username: None, password: TOKEN_VARIABLE }],
    job_login: JobLogin::Variables(&[("AWS_ROLE_ARN", "vars.AWS_ROLE_ARN")]),
    advice_if_unset: "`aws login`, `aws configure sso`, or in CI set AWS_ROLE_ARN",
    probe: Probe {
        headers: &[],
        is_sign_in: |_| false,
        has_no_page: urls::is_index_root,
        advice: &[
            (401, "the token is for another domain, or has ended"),
            (403, "this account needs codeartifact:ReadFromRepository for the repository"),
            (404, "check the names of the domain, the account, the region and the repository in the URL"),
        ],
    },
    source: || Box::new(CodeArtifact::default()),
};

/// The credentials of CodeArtifact's domains.
#[derive(Default)]
pub(crate) struct CodeArtifact {
    tokens: TokenCache<Credential>,
}

/// The token in a variable.
struct TokenInVariable;

impl TokenProvider<(), AccessToken> for TokenInVariable {
    fn name(&self) -> &'static str {
        "variable"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Explicit(TOKEN_VARIABLE.into())
    }

    fn token(&self, system: &dyn System, (): &()) -> Result<Attempt<AccessToken>> {
        let Some(token) = AccessToken::from_variable(system, TOKEN_VARIABLE)? else {
            return Ok(Attempt::not_configured(format!("no {TOKEN_VARIABLE}")));
        };
        debug!(step = self.name(), outcome = "found"; "the token in {TOKEN_VARIABLE}");
        Ok(Attempt::Token(token))
    }
}

/// The access key, or the profile, that a section names.
struct SectionKeys<'all>(&'all Section);

impl TokenProvider<Wanted, Keys> for SectionKeys<'_> {
    fn name(&self) -> &'static str {
        "keyringrc"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Configured
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, wanted: &Wanted) -> Result<Attempt<Keys>> {
        if let Some(keys) = &self.0.keys {
            return Ok(Attempt::Token(keys.clone()));
        }
        let Some(name) = &self.0.profile else {
            return Ok(Attempt::not_configured("no section of keyringrc.cfg names a profile or a key"));
        };
        match profile::keys(system, wanted, name)? {
            Attempt::NotConfigured(_) => {
                let what = format!("profile {} has no credentials", shorten(name, LONGEST_NAME));
                let hint = "add its credentials, or correct profile_name in keyringrc.cfg";
                Err(Error::new(Kind::Configuration, what).with_hint(hint))
            }
            keys @ Attempt::Token(_) => Ok(keys),
        }
    }
}

/// All that is configured for a domain.
struct Setup {
    domain: Domain,
    section: Section,
    /// The profile whose settings apply, whatever source serves.
    profile_name: String,
    wanted: Wanted,
    duration: u32,
}

impl Setup {
    fn read(system: &dyn System, domain: Domain) -> Result<Self> {
        let section = Section::read(system, &domain)?;
        let duration = duration::read(system, &section);
        let config = Config::read(system)?;
        let profile_name = section.profile.clone().unwrap_or_else(|| profile::chosen(system).0);
        let client = Client::new(system, config.profile(&profile_name), section.ca_bundle.clone())?;
        let last = token::url(&client, &domain)?;
        let wanted = Wanted { config, client: client.ending_at(last), region: domain.region.clone() };
        Ok(Self { domain, section, profile_name, wanted, duration })
    }

    /// Asks every source for access keys, after `exhausted`, and passes on those of the first one that is configured.
    fn ask<Accepted>(
        &self,
        system: &dyn System,
        exhausted: Exhausted,
        mut accept: impl FnMut(&Keys, CachePolicy) -> Result<Accepted>,
    ) -> std::result::Result<Accepted, Exhausted> {
        let Wanted { client, region, .. } = &self.wanted;
        let section = SectionKeys(&self.section);
        let mut sources: Vec<&dyn TokenProvider<Wanted, Keys>> = vec![&section];
        sources.extend(sources::ALL);
        ask_further(exhausted, system, &sources, &self.wanted, &self.domain.id(), |source, keys, cache_policy| {
            let is_profile = ["keyringrc", "profile", "default_profile"].contains(&source.name());
            if !is_profile && source.name() != "environment" {
                profile::warn_of_passing_over(system, source.name());
            }
            let is_by_program = is_profile
                && self.section.keys.is_none()
                && profile::runs_a_program(&self.wanted.config, &self.profile_name);
            // Another account of the program would not change the cache key.
            let cache_policy = if is_by_program { CachePolicy::Waiters } else { cache_policy };
            match &self.section.role {
                Some(role) => accept(&sts::assume_role(system, client, region, &keys, role)?, cache_policy),
                None => accept(&keys, cache_policy),
            }
        })
    }

    /// Digest of the account that signs in, and of what it asks for.
    fn identity(&self, system: &dyn System) -> String {
        Digest::new()
            .variables(system, REGISTRY.login_variables())
            .field("section", &self.section.fingerprint())
            .field("duration", &self.duration.to_le_bytes())
            .files(system, Config::files(system))
            .finish()
    }
}

impl CredentialSource for CodeArtifact {
    fn files(&self, system: &dyn System) -> Vec<PathBuf> {
        section::path(system).into_iter().chain(Config::files(system)).collect()
    }

    fn cache_key(&self, system: &dyn System, service: &Service) -> Option<CacheKey> {
        let setup = Setup::read(system, Domain::of(service)?).ok()?;
        let login = profile::login_files(system, &setup.wanted.config, &setup.profile_name).into_iter();
        let login = login.chain(sources::token_files(system));
        Some(CacheKey {
            realm: setup.domain.id(),
            identity: setup.identity(system),
            login: Digest::new().files(system, login).finish(),
        })
    }

    fn claims(&self, _environment: &dyn Env, service: &Service) -> bool {
        Domain::of(service).is_some()
    }

    fn upload_url(&self, service: &Service) -> Option<Url> {
        urls::upload_url(service)
    }

    fn index_url(&self, service: &Service) -> Option<Url> {
        urls::index_url(service)
    }

    fn get(&self, system: &dyn System, service: &Service) -> Result<Option<Credential>> {
        let Some(domain) = Domain::of(service) else { return Ok(None) };
        let host = service.host().unwrap_or_default();
        self.find(system, domain).map_err(|error| error.no_credential_for(host))
    }

    fn caller(&self, system: &dyn System, service: &Service) -> Result<Option<String>> {
        let Some(domain) = Domain::of(service) else { return Ok(None) };
        if system.secret_setting(TOKEN_VARIABLE).is_some() {
            return Ok(None);
        }
        let setup = Setup::read(system, domain)?;
        let Wanted { client, region, .. } = &setup.wanted;
        match setup.ask(system, Exhausted::default(), |keys, _| sts::caller(system, client, region, keys)) {
            Ok(caller) => Ok(Some(caller)),
            Err(exhausted) if exhausted.is_unset() => Ok(None),
            Err(exhausted) => Err(exhausted.into_error(SEE_DOCTOR)),
        }
    }
}

impl CodeArtifact {
    fn find(&self, system: &dyn System, domain: Domain) -> Result<Option<Credential>> {
        let id = domain.id();
        let given = ask_in_turn(system, &[&TokenInVariable], &(), &id, |_, token, cache_policy| {
            Ok(credential(token, cache_policy))
        });
        let exhausted = match given {
            Ok(given) => return Ok(Some(given)),
            Err(exhausted) if !exhausted.is_unset() => return Err(exhausted.into_error(SEE_DOCTOR)),
            Err(exhausted) => exhausted,
        };
        let setup = Setup::read(system, domain)?;
        let key = format!("{id} {}", setup.identity(system));
        let minted = self.tokens.get_or_make(system, &key, &id, || {
            let found = setup.ask(system, exhausted, |keys, cache_policy| {
                let token = token::request(system, &setup.wanted.client, keys, &setup.domain, setup.duration)?;
                Ok(credential(token, cache_policy))
            });
            // Threads that wait for this one, and the next lookups, share the outcome: it is an error until it leaves the cache.
            let credential = found.map_err(|exhausted| {
                if exhausted.is_unset() {
                    return Error::new(Kind::NotConfigured, "no access key is configured");
                }
                exhausted.into_error(SEE_DOCTOR)
            })?;
            let expires = credential.expires;
            Ok((credential, expires))
        });
        match minted {
            Err(error) if error.kind() == Kind::NotConfigured => Ok(None),
            outcome => outcome.map(Some),
        }
    }
}

/// A token with its user name.
fn credential(token: AccessToken, cache_policy: CachePolicy) -> Credential {
    let (username, expires) = (USERNAME.to_owned(), token.expires());
    Credential { username, password: token.into_secret(), expires, owner: None, cache_policy }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::system::{
        Clock,
        fake::{FakeSystem, absolute},
        http::Method,
    };

    const INDEX: &str = "https://contoso-012345678901.d.codeartifact.eu-west-1.amazonaws.com/pypi/plugins/simple/";
    const ENDPOINT: &str = "https://codeartifact.eu-west-1.amazonaws.com/v1/authorization-token";

    /// An access key, in every section that a test writes.
    const KEY: &str = "aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = x-secret\n";

    /// A machine with this configuration file of keyring.
    fn machine(sections: &str) -> FakeSystem {
        let system = FakeSystem::default().home("/home/ada").variable("AWS_EC2_METADATA_DISABLED", "true");
        let path = section::path(&system).unwrap();
        system.file(path.to_str().unwrap(), sections)
    }

    fn answer(system: FakeSystem, token: &str) -> FakeSystem {
        let body = format!(r#"{{"authorizationToken":"{token}","expiration":1893456000}}"#);
        system.answer(Method::Post, ENDPOINT, 200, &body)
    }

    fn get(source: &CodeArtifact, system: &FakeSystem, url: &str) -> Result<Option<String>> {
        let found = source.get(system, &Service::parse(url))?;
        Ok(found.map(|found| format!("{}:{}", found.username, found.password.expose())))
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is compared with an outcome")]
    fn given(token: &str) -> Result<Option<String>> {
        Ok(Some(format!("aws:{token}")))
    }

    #[test]
    fn a_token_in_the_variable_is_used_without_a_request() {
        let source = CodeArtifact::default();
        let system = machine(&format!("[codeartifact]\n{KEY}")).variable(TOKEN_VARIABLE, " eyJ.ready ");
        assert_eq!(get(&source, &system, INDEX), given("eyJ.ready"));
        assert_eq!(source.caller(&system, &Service::parse(INDEX)), Ok(None));
        assert!(system.requests().is_empty());
        let error = get(&source, &system.variable(TOKEN_VARIABLE, "two words"), INDEX).unwrap_err();
        assert_eq!(
            (error.kind(), error.hint()),
            (Kind::Configuration, Some("correct or unset CODEARTIFACT_AUTH_TOKEN"))
        );
    }

    #[test]
    fn every_url_of_a_domain_shares_one_token() {
        let source = CodeArtifact::default();
        let system = answer(machine(&format!("[codeartifact]\n{KEY}")), "first");
        let host = INDEX.split('/').nth(2).unwrap();
        for url in [INDEX, &INDEX.replace("plugins", "other"), &format!("https://{host}/npm/x/"), host] {
            assert_eq!(get(&source, &system, url), given("first"), "{url}");
        }
        system.assert_done();
        let system = answer(system, "second");
        assert_eq!(get(&source, &system, &INDEX.replace("contoso", "fabrikam")), given("second"));
        let system = answer(system.variable(duration::VARIABLE, "900"), "third");
        assert_eq!(get(&source, &system, INDEX), given("third"));
        assert_eq!(system.requests().len(), 3);
    }

    #[test]
    fn sections_with_equal_content_share_a_token_and_others_do_not() {
        let sections = format!(
            "[codeartifact name=one]\n{KEY}[codeartifact name=two]\n{KEY}[codeartifact name=three]\n{}",
            KEY.replace("AKID", "AKIB")
        );
        let source = CodeArtifact::default();
        let system = answer(answer(machine(&sections), "first"), "second");
        for (repository, token) in [("one", "first"), ("two", "first"), ("three", "second"), ("one", "first")] {
            assert_eq!(get(&source, &system, &INDEX.replace("plugins", repository)), given(token), "{repository}");
        }
        let key = |repository: &str| {
            source.cache_key(&system, &Service::parse(&INDEX.replace("plugins", repository))).map(|key| key.identity)
        };
        assert!(key("one").is_some() && key("one") == key("two") && key("one") != key("three"));
        system.assert_done();
    }

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        let source = CodeArtifact::default();
        let system = machine(&format!("[codeartifact]\n{KEY}"));
        let end = system.now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap().as_secs() + 3600;
        let body = format!(r#"{{"authorizationToken":"first","expiration":{end}.5}}"#);
        let system = answer(system.answer(Method::Post, ENDPOINT, 200, &body), "second");
        assert_eq!(get(&source, &system, INDEX), given("first"));
        let system = system.later(Duration::from_secs(3000));
        assert_eq!(get(&source, &system, INDEX), given("first"));
        let system = system.later(Duration::from_secs(3400));
        assert_eq!(get(&source, &system, INDEX), given("second"));
    }

    #[test]
    fn a_workload_with_another_token_has_another_cache_key() {
        for (variable, config) in [
            ("AWS_WEB_IDENTITY_TOKEN_FILE", ""),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", ""),
            ("X", "[profile corp]\nsource_profile = b\n[profile b]\nweb_identity_token_file = "),
        ] {
            let path = absolute("/run/token");
            let config = if config.is_empty() { String::new() } else { format!("{config}{path}\n") };
            let system = machine("").variable(variable, &path).variable("AWS_PROFILE", "corp");
            let system = system.file("/home/ada/.aws/config", &config).file("/run/token", "one");
            let key = |system: &FakeSystem| CodeArtifact::default().cache_key(system, &Service::parse(INDEX)).unwrap();
            let before = key(&system);
            assert_eq!(before, key(&system));
            let after = key(&system.file("/run/token", "another"));
            assert!(before.login != after.login && before.identity == after.identity, "{variable}");
        }
    }

    #[test]
    fn the_keys_of_a_program_are_not_cached_for_the_session() {
        let printed = r#"{"Version":1,"AccessKeyId":"AKIDADA","SecretAccessKey":"x-secret"}"#;
        for (config, policy) in [
            ("[default]\ncredential_process = tool\n", CachePolicy::Waiters),
            ("[default]\naws_access_key_id = AKIDADA\naws_secret_access_key = x-secret\n", CachePolicy::Session),
        ] {
            let system = answer(machine("").file("/home/ada/.aws/config", config), "first");
            let system = system.run("tool", &[], 0, printed, "");
            let found = CodeArtifact::default().get(&system, &Service::parse(INDEX)).unwrap().unwrap();
            assert_eq!(found.cache_policy, policy);
        }
    }

    #[test]
    fn where_nothing_is_configured_there_is_no_answer() {
        let source = CodeArtifact::default();
        let system = machine("[codeartifact]\ntoken_duration = 900\n");
        for _ in 0..2 {
            assert_eq!(get(&source, &system, INDEX), Ok(None));
        }
        assert_eq!(source.caller(&system, &Service::parse(INDEX)), Ok(None));
        assert_eq!(get(&source, &system, "https://other.example/"), Ok(None));
        assert!(system.requests().is_empty());
    }

    #[test]
    fn a_section_that_fails_is_an_error_and_no_other_source_serves() {
        let half = KEY.lines().next().unwrap();
        let system = machine(&format!("[codeartifact]\n{half}\n"))
            .variable("AWS_ACCESS_KEY_ID", "AKIDOTHER")
            .variable("AWS_SECRET_ACCESS_KEY", "y-secret");
        let error = get(&CodeArtifact::default(), &system, INDEX).unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(
            error
                .message()
                .starts_with("no credential for contoso-012345678901.d.codeartifact.eu-west-1.amazonaws.com: ")
        );
        let refused = machine(&format!("[codeartifact]\n{KEY}")).answer(Method::Post, ENDPOINT, 403, "{}");
        let error = get(&CodeArtifact::default(), &refused, INDEX).unwrap_err();
        assert!(error.message().contains("keyringrc failed (") && !error.to_string().contains("x-secret"), "{error}");
        refused.assert_done();
    }
}
