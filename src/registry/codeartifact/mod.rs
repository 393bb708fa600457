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

use url::Url;

use self::{domain::Domain, section::Section};
use crate::{
    auth::{
        access_token::AccessToken,
        cache::TokenCache,
        cache_key::{CacheKey, Digest},
        cache_policy::CachePolicy,
        chain::{Attempt, Exhausted, Origin, TokenProvider, ask_further, ask_in_turn},
        job_token,
    },
    aws::{
        client::Client,
        config::Config,
        keys::Keys,
        sources::{self, Wanted, profile},
        sts, variables,
    },
    error::{Error, Kind, Result},
    registry::{Credential, CredentialSource, ExecVariables, Probe, Registry, with_ending},
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
    job_settings: &[("AWS_ROLE_ARN", "vars.AWS_ROLE_ARN")],
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
        let token = AccessToken::from_variable(system, TOKEN_VARIABLE)?;
        Ok(token.map_or_else(|| Attempt::not_configured(format!("no {TOKEN_VARIABLE}")), Attempt::Token))
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
            return Ok(Attempt::not_configured("it names neither profile nor key"));
        };
        match profile::keys(system, wanted, name)? {
            Attempt::NotConfigured(why) => Err(Error::new(Kind::Configuration, format!("profile {name}: {why}"))),
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
        ask_further(
            exhausted,
            system,
            &sources,
            &self.wanted,
            &self.domain.shown(),
            |_, keys, cache_policy| match &self.section.role {
                Some(role) => accept(&sts::assume_role(system, client, region, &keys, role)?, cache_policy),
                None => accept(&keys, cache_policy),
            },
        )
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
        let login = profile::login_files(system, &setup.wanted.config, &setup.profile_name);
        Some(CacheKey {
            realm: setup.domain.shown(),
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

    fn get(&self, system: &dyn System, service: &Service, _username: Option<&str>) -> Result<Option<Credential>> {
        let Some(domain) = Domain::of(service) else { return Ok(None) };
        let shown = domain.shown();
        self.find(system, domain).map_err(|error| error.no_credential_for(&shown))
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
            Err(exhausted) => Err(exhausted.into_error(HINT)),
        }
    }
}

/// What to do if a source failed and does not say what.
const HINT: &str = "`ringbearer doctor URL` shows what was found";

impl CodeArtifact {
    fn find(&self, system: &dyn System, domain: Domain) -> Result<Option<Credential>> {
        let shown = domain.shown();
        let given = ask_in_turn(system, &[&TokenInVariable], &(), &shown, |_, token, cache_policy| {
            Ok(credential(token, cache_policy))
        });
        let exhausted = match given {
            Ok(given) => return Ok(Some(given)),
            Err(exhausted) if !exhausted.is_unset() => return Err(exhausted.into_error(HINT)),
            Err(exhausted) => exhausted,
        };
        let setup = Setup::read(system, domain)?;
        let key = format!("{shown} {}", setup.identity(system));
        let mut is_unset = false;
        let minted = self.tokens.get_or_make(system, &key, &shown, || {
            let found = setup.ask(system, exhausted, |keys, cache_policy| {
                let token = token::request(system, &setup.wanted.client, keys, &setup.domain, setup.duration)?;
                Ok(credential(token, cache_policy))
            });
            let credential = found.map_err(|exhausted| {
                is_unset = exhausted.is_unset();
                exhausted.into_error(HINT)
            })?;
            let expires = credential.expires;
            Ok((credential, expires))
        });
        match minted {
            Err(_) if is_unset => Ok(None),
            outcome => outcome.map(Some),
        }
    }
}

/// A token with its user name.
fn credential(token: AccessToken, cache_policy: CachePolicy) -> Credential {
    let (username, expires) = (USERNAME.to_owned(), token.expires());
    Credential { username, password: token.into_secret(), expires, owner: None, cache_policy }
}
