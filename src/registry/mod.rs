//! The registries: one folder each, and the list from which everything else derives what it knows of them.

pub(crate) mod azure;
pub(crate) mod chainguard;
pub(crate) mod codeartifact;
pub(crate) mod google;
pub(crate) mod menda;
pub(crate) mod sign_in;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, time::SystemTime};

use url::Url;

use self::sign_in::SignIn;
use crate::{
    auth::{cache_key::CacheKey, cache_policy::CachePolicy},
    error::Result,
    secret::Secret,
    service::{Service, host_is_within},
    system::{Env, System},
    variable::{COMMON, Role, Variable},
};

/// Every registry, by descending priority.
pub(crate) static ALL: &[&Registry] =
    &[&azure::REGISTRY, &menda::REGISTRY, &codeartifact::REGISTRY, &google::REGISTRY, &chainguard::REGISTRY];

/// The functions of the registries' fuzz targets.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz {
    use crate::{auth::jwt::Claims, service::Service};

    pub use crate::registry::{
        azure::fuzz::{az_devops, azure_cli, discovery, endpoints, login, logins, machine, refresh, session, sign_in},
        chainguard::fuzz::{exchange as chainguard_exchange, printed as chainctl},
        codeartifact::fuzz::{codeartifact_answer, codeartifact_sections},
        google::fuzz::{google_credentials, google_gcloud, google_sts},
        menda::fuzz::{api as menda_api, files as menda_files},
    };

    /// What holds for every service that a registry claims.
    pub(crate) fn check_service(service: &Service, text: &str) {
        crate::registry::azure::fuzz::check_service(service, text);
        crate::registry::menda::fuzz::check_service(service, text);
        crate::registry::codeartifact::fuzz::check_service(service, text);
    }

    /// What holds for the claims of every token.
    pub(crate) fn check_claims(claims: &Claims) {
        crate::registry::azure::fuzz::check_claims(claims);
    }
}

/// Whether a variable switches debug output on.
pub(crate) fn is_debugged<Value: AsRef<str>>(read: impl Fn(&str) -> Option<Value>) -> bool {
    let mut all = ALL.iter().flat_map(|registry| registry.variables()).chain(COMMON);
    all.any(|variable| read(variable.name).is_some_and(|value| variable.asks_for_debug_output(value.as_ref())))
}

/// What the rest of the program knows of a registry. Names are unique; none of it changes at run time.
pub(crate) struct Registry {
    /// Its name in cache keys and between Python and Rust.
    pub(crate) id: &'static str,
    /// The name that its vendor gives it.
    pub(crate) title: &'static str,
    /// The class in `ringbearer.backends`.
    pub(crate) python_class: &'static str,
    /// The priority of that class among keyring's backends, below 10, where keyring's own chainer sits.
    pub(crate) priority: f64,
    /// The user name that people write into index URLs.
    pub(crate) username: &'static str,
    /// An index URL.
    pub(crate) example: &'static str,
    /// The domains of all hosts that it claims, subdomains included, unless a variable names other hosts.
    pub(crate) domains: &'static [&'static str],
    /// Every environment variable that its sources read.
    pub(crate) variables: &'static [&'static [Variable]],
    /// The variables that `ringbearer exec` sets. The first entry that fits the credential counts.
    pub(crate) exec_variables: &'static [ExecVariables],
    /// How a GitHub Actions job signs in.
    pub(crate) job_login: JobLogin,
    /// What to do if nothing is configured for a URL that it claims.
    pub(crate) advice_if_unset: &'static str,
    /// How `ringbearer doctor` presents a credential to the registry.
    pub(crate) probe: Probe,
    /// Makes its source of credentials.
    pub(crate) source: fn() -> Box<dyn CredentialSource>,
}

impl Registry {
    /// Every environment variable that its sources read.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &'static Variable> {
        self.variables.iter().copied().flatten()
    }

    /// A registry for tests.
    #[cfg(test)]
    pub(crate) const fn stub(id: &'static str, priority: f64, source: fn() -> Box<dyn CredentialSource>) -> Self {
        Self {
            id,
            title: id,
            python_class: id,
            priority,
            username: "user",
            example: "",
            domains: &[],
            variables: &[],
            exec_variables: &[],
            job_login: JobLogin::Variables(&[]),
            advice_if_unset: "",
            probe: Probe { headers: &[], is_sign_in: |_| false, has_no_page: |_| false, advice: &[] },
            source,
        }
    }

    /// The names of those that decide which account answers: for the cache key.
    pub(crate) fn login_variables(&self) -> impl Iterator<Item = &'static str> {
        self.variables().filter(|variable| variable.role == Role::Login).map(|variable| variable.name)
    }
}

/// How a GitHub Actions job signs in. Names come with the expressions of their values.
pub(crate) enum JobLogin {
    /// By environment variables.
    Variables(&'static [(&'static str, &'static str)]),
    /// By a step with the vendor's own action, which leaves a login for the later ones.
    Action {
        /// The action, with its version.
        uses: &'static str,
        /// Its inputs.
        inputs: &'static [(&'static str, &'static str)],
    },
}

impl JobLogin {
    /// The names and the expressions of their values.
    pub(crate) fn settings(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Variables(settings) | Self::Action { inputs: settings, .. } => settings,
        }
    }
}

/// The variables that carry a credential to a child process.
pub(crate) struct ExecVariables {
    /// The credentials that they are for, by user name; `None` for any.
    pub(crate) if_username: Option<&'static str>,
    /// The variable of the user name, if there is one.
    pub(crate) username: Option<&'static str>,
    /// The variable of the password.
    pub(crate) password: &'static str,
}

impl ExecVariables {
    /// The variables for a credential, with their values.
    ///
    /// None for a host that a variable names: the child process has that variable too, and the registry's own hosts must not
    /// see this password.
    pub(crate) fn of(registry: &Registry, service: &Service, credential: &Credential) -> Vec<(&'static str, Secret)> {
        let is_own = |host| registry.domains.iter().any(|domain| host_is_within(host, domain));
        if !service.host().is_some_and(is_own) {
            return Vec::new();
        }
        let fits = |variables: &&Self| variables.if_username.is_none_or(|name| name == credential.username);
        let Some(variables) = registry.exec_variables.iter().find(fits) else { return Vec::new() };
        let username = variables.username.map(|name| (name, Secret::new(credential.username.clone())));
        username.into_iter().chain([(variables.password, credential.password.clone())]).collect()
    }
}

/// How a registry is asked whether it accepts a credential, and what its answer means.
pub(crate) struct Probe {
    /// Headers besides the usual ones.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// Whether a redirect leads to a page on which people sign in, rather than to a file.
    pub(crate) is_sign_in: fn(&Url) -> bool,
    /// Whether this URL, an index or not, is no page that the registry has, so that it answers 404 to everybody.
    pub(crate) has_no_page: fn(&Url) -> bool,
    /// What to do, by HTTP status. `{place}` stands for [`CredentialSource::place`].
    pub(crate) advice: &'static [(u16, &'static str)],
}

/// Where the credentials of a registry come from.
pub(crate) trait CredentialSource: Send + Sync {
    /// Whether a service is this registry's, by its host or because a variable names it. No I/O, about a microsecond.
    fn claims(&self, environment: &dyn Env, service: &Service) -> bool;

    /// The credential for a claimed service. `Ok(None)`: nothing is configured for it, and nothing is wrong.
    fn get(&self, system: &dyn System, service: &Service) -> Result<Option<Credential>>;

    /// Refuses a user name with which a caller would send the password of a claimed service, if it serves with no other than
    /// that of [`get`](Self::get). No I/O.
    fn check_username(&self, _service: &Service, _username: &str) -> Result<()> {
        Ok(())
    }

    /// The key under which a credential for a claimed service may be cached; `None` if it must not be.
    fn cache_key(&self, _system: &dyn System, _service: &Service) -> Option<CacheKey> {
        None
    }

    /// Drops cached data of a claimed service, other than credentials, so that the next lookup requests it again.
    fn forget(&self, _system: &dyn System, _service: &Service) {}

    /// The files that the sources may read, present or not.
    fn files(&self, _system: &dyn System) -> Vec<PathBuf> {
        Vec::new()
    }

    /// The upload URL, if a claimed service is an index URL.
    fn upload_url(&self, _service: &Service) -> Option<Url> {
        None
    }

    /// The index URL, if a claimed service is an upload URL.
    fn index_url(&self, _service: &Service) -> Option<Url> {
        None
    }

    /// The variable that would let this registry serve an https service that no registry claims.
    fn setup_variable(&self, _service: &Service) -> Option<SetupVariable> {
        None
    }

    /// The organisation's page or host, for advice.
    fn place(&self, service: &Service) -> String {
        service.host().unwrap_or_default().to_owned()
    }

    /// What to do if a service answers a credential with this HTTP status; `None` if [`Probe::advice`] says it.
    fn advice(&self, _service: &Service, _status: u16) -> Option<&'static str> {
        None
    }

    /// Whether anything on this machine is configured for it, where that is known without a request. A registry that shares
    /// its hosts with another says so.
    fn is_configured(&self, _system: &dyn System) -> bool {
        true
    }

    /// Whose login a lookup would use, by the answer of a service. Sends requests: only for `ringbearer doctor`.
    fn caller(&self, _system: &dyn System, _service: &Service) -> Result<Option<String>> {
        Ok(None)
    }

    /// How people sign in without another program; `None` if they do not.
    fn sign_in(&self) -> Option<&dyn SignIn> {
        None
    }

    /// The same index at a host that its organisation shares with no other, for tools that keep one password per host.
    /// `None` if there is no such host.
    fn at_own_host(&self, _service: &Service) -> Option<Url> {
        None
    }
}

/// The variable that lets a registry serve a service on a host that it does not know.
pub(crate) struct SetupVariable {
    /// What the service looks like, in a clause.
    pub(crate) what: &'static str,
    /// The name of the variable.
    pub(crate) variable: &'static str,
    /// Its value; words in capitals stand for secrets.
    pub(crate) value: String,
}

/// Replaces `from` at the end of the path with `to`, ignoring a trailing slash; `None` for a path with another end.
pub(crate) fn with_ending(service: &Service, from: &str, to: &str) -> Option<Url> {
    let mut url = service.url()?.clone();
    let path = format!("{}{to}", url.path().trim_end_matches('/').strip_suffix(from)?);
    url.set_path(&path);
    Some(url)
}

/// A user name and its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credential {
    /// The user name that callers must use.
    pub(crate) username: String,
    /// The password.
    pub(crate) password: Secret,
    /// When the password expires, if known.
    pub(crate) expires: Option<SystemTime>,
    /// The account that it belongs to, if known.
    pub(crate) owner: Option<String>,
    /// Where it may be cached.
    pub(crate) cache_policy: CachePolicy,
}
