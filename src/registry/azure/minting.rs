//! Makes a credential: asks the providers in turn, and exchanges bearers.

use std::{
    cell::{Cell, RefCell},
    time::SystemTime,
};

// Nothing here is logged at INFO: pip prints that level on standard output, even for commands whose output is JSON.
use log::debug;

use super::{
    BEARER_USERNAME, ENTRA_USERNAME, SESSION_USERNAME, credprovider,
    discovery::{self, Discovery},
    entra::{self, Tenant},
    feed::Feed,
    known_organisations::KnownOrganisations,
    providers::{Choice, Grant, NextHost, login, pat},
    session::{self, ExchangeFailure},
    sign_in_command::SignInCommand,
};
use crate::{
    auth::{
        access_token::AccessToken,
        cache_policy::CachePolicy,
        chain::{Attempt, Exhausted, TokenProvider, ask_further, ask_in_turn},
        clock_skew::{ClockSkew, TOLERANCE},
    },
    error::{Error, Kind, Result},
    registry::Credential,
    system::System,
};

/// Makes one credential for one feed.
pub(super) struct Minting<'lookup> {
    system: &'lookup dyn System,
    feed: &'lookup Feed,
    organisations: &'lookup KnownOrganisations,
    discovery: RefCell<Option<Result<Discovery>>>,
    /// Whether the discovery is one that was kept, rather than an answer to this lookup.
    is_kept: Cell<bool>,
    /// Whether the feed's answer differs from the kept one.
    has_moved: Cell<bool>,
    /// The difference between the clocks, once the feed has answered.
    skew: Cell<Option<ClockSkew>>,
}

impl<'lookup> Minting<'lookup> {
    pub(super) fn new(
        system: &'lookup dyn System,
        feed: &'lookup Feed,
        organisations: &'lookup KnownOrganisations,
    ) -> Self {
        let (discovery, is_kept, has_moved) = (RefCell::default(), Cell::default(), Cell::default());
        Self { system, feed, organisations, discovery, is_kept, has_moved, skew: Cell::new(None) }
    }

    /// Asks the chosen providers, and once more if they failed with a discovery that no longer holds.
    pub(super) fn credential(&self, choice: &Choice) -> Result<Credential> {
        let outcome = self.ask(choice).map_err(|error| self.explained(error.into()).error);
        if outcome.is_err() && self.has_moved.get() { self.ask(choice) } else { outcome }
    }

    /// The tenant of the feed, as the feed says now.
    pub(super) fn tenant(&self) -> Result<Tenant> {
        let found = self.discover();
        self.discovery.replace(Some(found.clone()));
        found?.tenant.at_configured_login_host(self.system)
    }

    /// Makes a credential from the token that a person has just signed in for.
    pub(super) fn of_sign_in(&self, token: AccessToken) -> Result<Credential> {
        self.accept(login::NAME, Grant::Bearer(token), CachePolicy::Session, true).map_err(|refused| refused.error)
    }

    /// Asks the chosen providers: the local ones first, then, after discovery, those that sign in to the tenant.
    fn ask(&self, choice: &Choice) -> Result<Credential> {
        let shown = self.feed.shown();
        let local =
            ask_in_turn(self.system, &choice.local_providers(), self.feed, &shown, |provider, grant, policy| {
                self.accept(provider.name(), grant, policy, false).map_err(|refused| refused.error)
            });
        let refused = match local {
            Ok(credential) => return Ok(credential),
            Err(refused) => refused,
        };
        let entra_providers = choice.entra_providers();
        if refused.has_stopped() || entra_providers.is_empty() {
            return Err(exhausted(self.system, refused, None));
        }
        let next = choice.next_host(self.system);
        let discovery = self.discovery(next)?;
        if self.is_kept.get() && matches!(next, Some(NextHost::Authority | NextHost::Refresh)) {
            // The connection opens while a program or a refresh gets the token.
            self.system.open_ahead(&discovery.authority, None);
        }
        let tenant = discovery.tenant.at_configured_login_host(self.system)?;
        ask_further(refused, self.system, &entra_providers, &tenant, &shown, |provider, grant, policy| {
            self.accept_login(provider, &tenant, grant, policy)
        })
        .map_err(|refused| exhausted(self.system, refused, Some(&tenant)))
    }

    /// The discovery of the feed: a kept one, or the answer to one request. Meanwhile the connections to the next hosts are
    /// opened.
    fn discovery(&self, next: Option<NextHost>) -> Result<Discovery> {
        if let Some(known) = &*self.discovery.borrow() {
            return known.clone();
        }
        // No exchange would confirm the tenant of an application.
        let may_be_kept = next != Some(NextHost::Login);
        let kept = may_be_kept.then(|| self.organisations.kept(self.system, self.feed)).flatten();
        self.is_kept.set(kept.is_some());
        let found = if let Some(kept) = kept {
            debug!(step = "discovery", outcome = "noted"; "{} is known: not asked again", self.feed.shown());
            Ok(kept)
        } else {
            if matches!(next, Some(NextHost::Login | NextHost::Refresh)) {
                entra::expected_login_host(self.system).inspect(|host| self.system.open_ahead(host, None));
            }
            if matches!(next, Some(NextHost::Refresh | NextHost::Authority)) {
                discovery::expected_authority(self.feed).inspect(|host| self.system.open_ahead(host, None));
            }
            self.discover()
        };
        self.discovery.replace(Some(found.clone()));
        found
    }

    fn discover(&self) -> Result<Discovery> {
        let said = discovery::discover(self.system, self.feed, &self.skew).map_err(|error| {
            debug!(step = "discovery", outcome = "failed"; "{error}");
            if error.kind() == Kind::Protocol { error.of_one_url() } else { error }
        })?;
        if let Some(discovery) = said {
            debug!(
                step = "discovery", outcome = "done";
                "{} belongs to tenant {}; tokens are exchanged at {}",
                self.feed.shown(), discovery.tenant.id, discovery.authority.host_str().unwrap_or_default()
            );
            self.organisations.keep(self.system, self.feed, &discovery);
            return Ok(discovery);
        }
        let unknown =
            || Error::new(Kind::NotConfigured, "the feed is public and does not name its tenant").of_one_url();
        self.organisations.last(self.feed).ok_or_else(unknown)
    }

    /// The failure; or, if it is due to a kept discovery, an error that stops the chain: the feed comes before other logins.
    fn explained(&self, failure: ExchangeFailure) -> ExchangeFailure {
        if failure.error.ends_the_lookup() {
            return failure;
        }
        match self.confirm() {
            Err(moved) if self.has_moved.get() => moved.into(),
            _ => failure,
        }
    }

    /// Asks the feed whether a kept discovery still holds. If it names another tenant or authority, that replaces the kept
    /// one, and the error says so.
    fn confirm(&self) -> Result<()> {
        if !self.is_kept.replace(false) {
            // A feed that could not confirm it does so for no later provider either.
            return self
                .discovery
                .borrow()
                .as_ref()
                .map_or(Ok(()), |known| known.as_ref().map(drop).map_err(Clone::clone));
        }
        self.organisations.forget(self.system, self.feed);
        let new = self.discover();
        let kept = self.discovery.replace(Some(new.clone()));
        let new = new?;
        if kept == Some(Ok(new)) {
            return Ok(());
        }
        self.has_moved.set(true);
        let message = format!("{} now names another tenant or authority", self.feed.shown());
        Err(Error::new(Kind::Protocol, message))
    }

    /// Makes a credential from the grant of a provider that signs in. If a cached bearer is refused, the provider is asked
    /// once for a newer one: the same identity, so that nobody else answers.
    fn accept_login(
        &self,
        provider: &dyn TokenProvider<Tenant, Grant>,
        tenant: &Tenant,
        grant: Grant,
        cache_policy: CachePolicy,
    ) -> Result<Credential> {
        let name = provider.name();
        let accept = |grant| self.accept(name, grant, cache_policy, true);
        let cached = if let Grant::CachedBearer(token) = &grant { Some(token.clone()) } else { None };
        let (error, cached) = match (accept(grant), cached) {
            (Ok(credential), _) => return Ok(credential),
            (Err(ExchangeFailure { error, newer_may_serve: true }), Some(cached)) => (error, cached),
            (Err(ExchangeFailure { error, newer_may_serve: true }), None) if name == login::NAME => {
                let advice = error.hint().map(str::to_owned);
                let error = error.with_hint(login::SIGN_IN_AGAIN);
                return Err(advice.into_iter().fold(error, Error::with_note));
            }
            (Err(ExchangeFailure { error, .. }), _) => return Err(error),
        };
        debug!(step = name, outcome = "noted"; "its cached token was refused, {error}; asking for a newer one");
        match provider.newer_token(self.system, tenant) {
            Ok(Attempt::Token(Grant::Bearer(newer))) if newer.secret() != cached.secret() => {
                accept(Grant::Bearer(newer)).map_err(|refused| refused.error)
            }
            Ok(_) => Err(error),
            Err(failure) if failure.ends_the_lookup() => Err(failure),
            Err(failure) => {
                debug!(step = name, outcome = "noted"; "it has no newer token, {failure}");
                Err(error)
            }
        }
    }

    /// Makes a credential from a grant. A user's bearer is exchanged; everything else is the password itself.
    /// `signs_in` is false for tokens at rest, which are not cached again.
    fn accept(
        &self,
        step: &'static str,
        grant: Grant,
        cache_policy: CachePolicy,
        signs_in: bool,
    ) -> std::result::Result<Credential, ExchangeFailure> {
        let (token, signs_in) = match grant {
            Grant::Password { username, token } => {
                debug!(step = step, outcome = "gives"; "a password, which is used as it is");
                let (expires, password) = (token.expires(), token.into_secret());
                return Ok(Credential { username, password, expires, owner: None, cache_policy: CachePolicy::Never });
            }
            Grant::Bearer(token) | Grant::CachedBearer(token) => (token, signs_in),
            Grant::Identity(identity) => {
                let tenant = self.discovery(Some(NextHost::Login))?.tenant.at_configured_login_host(self.system)?;
                (identity.sign_in(self.system, &tenant)?, true)
            }
        };
        let claims = token.claims();
        let account = claims.as_ref().and_then(entra::account);
        let shown_account = account.as_deref().unwrap_or("an account that it does not name");
        let is_service_principal = claims.as_ref().is_some_and(entra::is_service_principal);
        let returns_entra_tokens = credprovider::returns_entra_tokens(self.system);
        let is_exchanged = !is_service_principal && !returns_entra_tokens;
        if !is_exchanged {
            self.confirm()?;
        }
        // The exchange knows the time better than this machine, and a token that a sign-in has just given is hardly expired.
        if !is_exchanged || !signs_in {
            self.check_end(&token, is_exchanged)?;
        }
        if returns_entra_tokens {
            debug!(step = step, outcome = "gives"; "the token of {shown_account}, which is used as it is");
            let (username, expires) = (ENTRA_USERNAME.to_owned(), self.end_of(&token));
            let password = token.into_secret();
            return Ok(Credential { username, password, expires, owner: account, cache_policy: CachePolicy::Never });
        }
        if is_service_principal {
            let expires = self.end_of(&token);
            debug!(
                step = step, outcome = "gives";
                "the token of {shown_account}, a service principal, which is used as it is"
            );
            let cache_policy = if signs_in { cache_policy } else { CachePolicy::Never };
            let username = BEARER_USERNAME.to_owned();
            return Ok(Credential { username, password: token.into_secret(), expires, owner: account, cache_policy });
        }
        debug!(step = step, outcome = "gives"; "the token of {shown_account}");
        let authority = self.discovery(Some(NextHost::Authority))?.authority;
        let session = session::exchange(self.system, &authority, self.feed, token.secret(), account.as_deref())
            .map_err(|refused| self.explained(refused))?;
        debug!(
            step = "exchange", outcome = "done";
            "for a token of {} that {}", self.feed.shown(), self.feed.access()
        );
        let username = SESSION_USERNAME.to_owned();
        let expires = session.expires();
        Ok(Credential { username, password: session.into_secret(), expires, owner: account, cache_policy })
    }

    /// Rejects a bearer that has expired by both clocks, as far as the other one is known. The exchange needs the feed's
    /// answer in any case, whose date shows it.
    fn check_end(&self, token: &AccessToken, is_exchanged: bool) -> Result<()> {
        let has_expired = |now: SystemTime| {
            let since = token.expires().and_then(|end| now.duration_since(end).ok());
            since.is_some_and(|since| since > TOLERANCE)
        };
        let ours = self.system.now();
        if !has_expired(ours) {
            return Ok(());
        }
        // A kept discovery has no date.
        let asked = || self.discovery(Some(NextHost::Authority)).and_then(|_| self.confirm());
        if let (true, Err(error)) = (is_exchanged, asked())
            && (error.ends_the_lookup() || self.has_moved.get())
        {
            return Err(error);
        }
        match self.skew.get() {
            Some(skew) if !has_expired(skew.service_time(ours)) => Ok(()),
            _ => Err(Error::new(Kind::Rejected, "its token has expired")),
        }
    }

    /// When a bearer expires by this machine's clock. Its own statement is by the clock of the service; a lifetime that came
    /// with it counts from now.
    fn end_of(&self, token: &AccessToken) -> Option<SystemTime> {
        let stated = token.claims().and_then(|claims| claims.expires());
        match self.skew.get().zip(token.expires().filter(|end| Some(*end) == stated)) {
            Some((skew, end)) => Some(skew.expiry(self.system.now(), end)),
            None => token.expires(),
        }
    }
}

fn exhausted(system: &dyn System, exhausted: Exhausted, tenant: Option<&Tenant>) -> Error {
    let command = SignInCommand::of(system);
    let login = tenant.map_or_else(|| command.text(None), |tenant| tenant.login(command));
    exhausted.into_error(&format!("run `{login}`, or in CI set {}", pat::PAT_VARIABLE))
}

#[cfg(test)]
mod tests;
