//! The making of one credential: providers asked in turn, bearers exchanged.

use std::{
    cell::OnceCell,
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

// Nothing here is logged at INFO: pip prints that on standard output, also of commands whose output is JSON.
use log::debug;

use super::{
    BEARER_USERNAME, SESSION_USERNAME,
    discovery::{self, Discovery},
    entra,
    feed::Feed,
    providers::{Choice, Grant, env_var, pat},
    session,
};
use crate::{
    auth::{
        cache_policy::CachePolicy,
        chain::{Exhausted, TokenProvider, ask_in_turn},
    },
    error::{Error, Kind, Result},
    registry::Credential,
    system::System,
};

/// How much clocks may differ.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// What each organisation said of itself last, for public feeds that do not say it every time.
#[derive(Default)]
pub(super) struct KnownOrganisations(Mutex<HashMap<String, Discovery>>);

/// The making of one credential.
pub(super) struct Minting<'lookup> {
    system: &'lookup dyn System,
    feed: &'lookup Feed,
    organisations: &'lookup KnownOrganisations,
    discovery: OnceCell<Result<Discovery>>,
}

impl<'lookup> Minting<'lookup> {
    pub(super) fn new(
        system: &'lookup dyn System,
        feed: &'lookup Feed,
        organisations: &'lookup KnownOrganisations,
    ) -> Self {
        Self { system, feed, organisations, discovery: OnceCell::new() }
    }

    /// Asks the chosen providers: first those that need no request, then, once the feed has said whose
    /// it is, those that sign in there.
    pub(super) fn credential(&self, choice: &Choice) -> Result<Credential> {
        let shown = self.feed.shown();
        let local = ask_in_turn(self.system, &choice.local_providers(), self.feed, &shown, |provider, grant| {
            self.accept(provider, grant, false)
        });
        let refused = match local {
            Ok(credential) => return Ok(credential),
            Err(refused) => refused,
        };
        let entra_providers = choice.entra_providers();
        if refused.has_stopped() || entra_providers.is_empty() {
            return Err(exhausted(refused, None));
        }
        let tenant = self.discovery()?.tenant.at_configured_login_host(self.system)?;
        ask_in_turn(self.system, &entra_providers, &tenant, &shown, |provider, grant| {
            self.accept(provider, grant, true)
        })
        .map_err(|others| exhausted(refused.and(others), Some(&tenant.id)))
    }

    /// What the feed says of itself, asked once, and only when somebody wants to know.
    fn discovery(&self) -> Result<Discovery> {
        self.discovery.get_or_init(|| self.discover()).clone()
    }

    fn discover(&self) -> Result<Discovery> {
        let organisation = self.feed.organisation_key();
        let known = || self.organisations.0.lock().unwrap_or_else(PoisonError::into_inner);
        let said = discovery::discover(self.system, self.feed).map_err(|error| {
            debug!(step = "discovery", outcome = "failed"; "{error}");
            if error.kind() == Kind::Protocol { error.of_one_url() } else { error }
        })?;
        if let Some(discovery) = said {
            debug!(
                step = "discovery", outcome = "done";
                "{} belongs to tenant {}; tokens are exchanged at {}",
                self.feed.shown(), discovery.tenant.id, discovery.authority.host_str().unwrap_or_default()
            );
            known().insert(organisation, discovery.clone());
            return Ok(discovery);
        }
        let unknown =
            || Error::new(Kind::NotConfigured, "the feed lets everybody in and does not say whose it is").of_one_url();
        known().get(&organisation).cloned().ok_or_else(unknown)
    }

    /// Makes a credential of what a provider gave, which signs in or has it ready. A user's bearer is exchanged;
    /// everything else is a password as it is.
    fn accept<Wanted>(
        &self,
        provider: &dyn TokenProvider<Wanted, Grant>,
        grant: Grant,
        signs_in: bool,
    ) -> Result<Credential> {
        let step = provider.name();
        let token = match grant {
            Grant::Password { username, token } => {
                debug!(step = step, outcome = "gives"; "a password, which is used as it is");
                let (expires, password) = (token.expires(), token.into_secret());
                return Ok(Credential { username, password, expires, owner: None, cache_policy: CachePolicy::Never });
            }
            Grant::Bearer(token) => token,
        };
        let (claims, expires) = (token.claims(), token.expires());
        self.check_end(expires)?;
        let account = claims.as_ref().and_then(entra::account);
        let shown_account = account.as_deref().unwrap_or("an account that it does not name");
        let cache_policy = provider.cache_policy(self.system);
        if claims.as_ref().is_some_and(entra::is_service_principal) {
            debug!(
                step = step, outcome = "gives";
                "the token of {shown_account}, a service principal, which is used as it is"
            );
            let cache_policy = if signs_in { cache_policy } else { CachePolicy::Never };
            let username = BEARER_USERNAME.to_owned();
            return Ok(Credential { username, password: token.into_secret(), expires, owner: account, cache_policy });
        }
        debug!(step = step, outcome = "gives"; "the token of {shown_account}");
        let authority = self.discovery()?.authority;
        let session = session::exchange(self.system, &authority, self.feed, token.secret(), account.as_deref())?;
        debug!(
            step = "exchange", outcome = "done";
            "for a token of {} that {}", self.feed.shown(), self.feed.access()
        );
        let username = SESSION_USERNAME.to_owned();
        let expires = session.expires();
        Ok(Credential { username, password: session.into_secret(), expires, owner: account, cache_policy })
    }

    /// A bearer that has ended is no use to anybody: a later provider may have a live one. A clock that
    /// is some minutes off does not matter.
    fn check_end(&self, expires: Option<SystemTime>) -> Result<()> {
        let since = expires.and_then(|end| self.system.now().duration_since(end).ok());
        match since {
            Some(since) if since > CLOCK_SKEW => Err(Error::new(Kind::Rejected, "its token has expired")),
            _ => Ok(()),
        }
    }
}

fn exhausted(exhausted: Exhausted, tenant: Option<&str>) -> Error {
    let sign_in = match tenant {
        Some(tenant) => format!("run `az login --tenant {tenant}`"),
        None => "run `az login`".to_owned(),
    };
    exhausted.into_error(&format!("{sign_in}, or in CI set {} or {}", env_var::TOKEN_VARIABLE, pat::PAT_VARIABLE))
}
