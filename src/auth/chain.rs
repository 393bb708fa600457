//! Providers of tokens, and the chain that asks them in turn.

use std::borrow::Cow;

use log::debug;

use crate::{
    auth::{cache_policy::CachePolicy, warning},
    error::{Error, Kind, Result, WARNING_LIMIT, without_middle},
    system::System,
};

/// The outcome of a provider that did not fail.
#[derive(Debug)]
pub(crate) enum Attempt<Grant> {
    /// A token, or whatever the provider grants.
    Token(Grant),
    /// Not configured; the reason is a clause such as "no CLIENT_ID".
    NotConfigured(String),
}

impl<Grant> Attempt<Grant> {
    /// Not configured, for this reason.
    pub(crate) fn not_configured(why: impl Into<String>) -> Self {
        Self::NotConfigured(why.into())
    }
}

/// Why a provider is asked, which decides what its failure means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Configured on purpose: this variable or file holds or names a token, a secret, a certificate or a token file. Its
    /// failure stops the chain, or another identity would answer in its place.
    Explicit(Cow<'static, str>),
    /// Configured on purpose, such as the profile of a file, and its errors say what to do. Its failure stops the chain.
    Configured,
    /// A login that happens to be here: a program's, the identity service of a CI system or of a machine. Its failure moves
    /// on to the next provider.
    Found,
}

/// A source of tokens for `Wanted`. `Grant` is what it returns.
pub(crate) trait TokenProvider<Wanted, Grant>: Send + Sync {
    /// The name that users choose it by.
    fn name(&self) -> &'static str;

    /// Why it is asked. Matters only if it is configured.
    fn origin(&self, system: &dyn System) -> Origin;

    /// Where a credential that a sign-in with its token obtains may be cached.
    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Never
    }

    /// Asks for a token. An error means that the provider is configured and failed.
    fn token(&self, system: &dyn System, wanted: &Wanted) -> Result<Attempt<Grant>>;

    /// Asks for a replacement for a cached token that was refused. May return the same token again.
    fn newer_token(&self, _system: &dyn System, _wanted: &Wanted) -> Result<Attempt<Grant>> {
        Ok(Attempt::not_configured("it caches no token"))
    }
}

/// Asks each provider in turn until `accept` takes a grant, with where its credential may be cached. `service` is the host,
/// for messages.
///
/// - A provider that is not configured moves on.
/// - A failure, or a grant that `accept` refuses with [`Kind::Rejected`], stops the chain unless the provider was merely
///   [found](Origin::Found). Then it moves on, with one warning if a later provider serves.
/// - Any other failure of `accept`, and the end of the lookup, stop the chain.
pub(crate) fn ask_in_turn<Wanted, Grant, Accepted>(
    system: &dyn System,
    providers: &[&dyn TokenProvider<Wanted, Grant>],
    wanted: &Wanted,
    service: &str,
    accept: impl FnMut(&dyn TokenProvider<Wanted, Grant>, Grant, CachePolicy) -> Result<Accepted>,
) -> std::result::Result<Accepted, Exhausted> {
    ask_further(Exhausted::default(), system, providers, wanted, service, accept)
}

/// Continues an exhausted chain with further providers, by the rules of [`ask_in_turn`]. What they need to know may differ.
pub(crate) fn ask_further<Wanted, Grant, Accepted>(
    mut exhausted: Exhausted,
    system: &dyn System,
    providers: &[&dyn TokenProvider<Wanted, Grant>],
    wanted: &Wanted,
    service: &str,
    mut accept: impl FnMut(&dyn TokenProvider<Wanted, Grant>, Grant, CachePolicy) -> Result<Accepted>,
) -> std::result::Result<Accepted, Exhausted> {
    for &provider in providers {
        let name = provider.name();
        if let Err(error) = system.check() {
            exhausted.attempts.push((name, Outcome::NotAsked(error)));
            exhausted.stopped = true;
            break;
        }
        let (error, stops) = match provider.token(system, wanted) {
            Ok(Attempt::NotConfigured(why)) => {
                debug!(step = name, outcome = "skipped"; "{why}");
                exhausted.attempts.push((name, Outcome::Skipped(why)));
                continue;
            }
            Ok(Attempt::Token(grant)) => match accept(provider, grant, exhausted.cache_policy(provider, system)) {
                Ok(accepted) => {
                    debug!(step = name, outcome = "served"; "");
                    exhausted.warn(name, service);
                    return Ok(accepted);
                }
                Err(error) => {
                    debug!(step = name, outcome = "failed"; "its token was not accepted, {error}");
                    let stops = error.kind() != Kind::Rejected;
                    (error, stops)
                }
            },
            Err(error) => {
                debug!(step = name, outcome = "failed"; "{error}");
                let stops = error.ends_the_lookup();
                (error, stops)
            }
        };
        let origin = provider.origin(system);
        exhausted.stopped = stops || origin != Origin::Found;
        exhausted.attempts.push((name, Outcome::Failed(origin.explain(error))));
        if exhausted.stopped {
            break;
        }
    }
    Err(exhausted)
}

impl Origin {
    /// Adds what to renew or unset, unless the error says so itself or is not about the configured value.
    fn explain(&self, error: Error) -> Error {
        let Self::Explicit(source) = self else { return error };
        if !matches!(error.kind(), Kind::Rejected | Kind::Configuration) {
            return error;
        }
        let verb = if source.starts_with('/') { "remove" } else { "unset" };
        let hint = match error.hint() {
            Some(hint) if hint.contains(&**source) && hint.contains(verb) => return error,
            Some(hint) => format!("{hint}, or {verb} {source}"),
            None => format!("renew or {verb} {source}"),
        };
        error.with_hint(hint)
    }
}

/// The attempts of a chain in which no provider served, in order.
#[derive(Debug, Default)]
pub(crate) struct Exhausted {
    attempts: Vec<(&'static str, Outcome)>,
    /// Whether the last attempt stopped the chain.
    stopped: bool,
}

#[derive(Debug)]
enum Outcome {
    Skipped(String),
    Failed(Error),
    /// The lookup was over before its turn came.
    NotAsked(Error),
}

/// What to do if a provider failed and does not say what.
pub(crate) const SEE_DOCTOR: &str = "`ringbearer doctor URL` shows what was found";

/// The command that lists the sources that are not set up.
const LIST: &str = "`ringbearer doctor URL`";

/// The characters reserved for the start of a WARNING, such as "no credential for index.example/contoso: ".
const CONTEXT: usize = 50;

/// The minimum and maximum length of the quotation of one failure among several, in characters.
const QUOTED: (usize, usize) = (40, 180);

impl Exhausted {
    /// Whether no provider was configured.
    #[must_use]
    pub(crate) fn is_unset(&self) -> bool {
        self.failures().next().is_none()
    }

    /// Whether no other provider may be asked.
    #[must_use]
    pub(crate) fn has_stopped(&self) -> bool {
        self.stopped
    }

    fn failures(&self) -> impl Iterator<Item = &Error> {
        self.attempts.iter().filter_map(|(_, outcome)| match outcome {
            Outcome::Failed(error) | Outcome::NotAsked(error) => Some(error),
            Outcome::Skipped(_) => None,
        })
    }

    /// Where the credential of a provider may be cached.
    fn cache_policy<Wanted, Grant>(
        &self,
        provider: &dyn TokenProvider<Wanted, Grant>,
        system: &dyn System,
    ) -> CachePolicy {
        let policy = provider.cache_policy(system);
        if self.failures().next().is_some() { policy.of_fallback() } else { policy }
    }

    /// Warns of the failures before the provider that served.
    fn warn(&self, served: &str, service: &str) {
        if let Some(first) = self.failures().next() {
            let hint = first.hint().unwrap_or_default();
            let message = format!("{service}: {}, and {served} served instead", self.failed(hint).join("; "));
            let warning = Error::new(first.kind(), message);
            let warning = if hint.is_empty() { warning } else { warning.with_hint(hint) };
            warning::once(&warning.warning());
        }
    }

    /// One error for the whole chain, of the kind of the failure that stopped it, if one did. The end of the lookup, and a
    /// service of which nothing is known, stay what they are. `hint` says what to do if no failure does.
    #[must_use]
    pub(crate) fn into_error(self, hint: &str) -> Error {
        if let Some(over) = self.failures().find(|error| error.ends_the_lookup()) {
            return over.clone();
        }
        let mut failures = self.failures();
        if let (Some(only), None) = (failures.next(), failures.next())
            && only.kind() == Kind::NotConfigured
        {
            return only.clone();
        }
        let end = self.failures().last().filter(|_| self.stopped);
        let kind = end.map(Error::kind).filter(|kind| *kind != Kind::NotConfigured).unwrap_or(Kind::Exhausted);
        let stopped_by = self.attempts.last().and_then(|(_, outcome)| match outcome {
            Outcome::Failed(error) if self.stopped => error.hint(),
            _ => None,
        });
        let hint = stopped_by.or_else(|| self.failures().find_map(Error::hint)).unwrap_or(hint);
        let note = self.note();
        let mut error = Error::new(kind, self.message(hint)).with_hint(hint);
        if let Some(note) = note {
            error = error.with_note(note);
        }
        // The first failure is that of the provider with the highest precedence.
        if let Some(first) = self.failures().next() {
            error = error.with_source(first.clone());
            if let Some(class) = first.class() {
                error = error.with_class(class);
            }
        }
        if end.is_some_and(Error::concerns_one_url) {
            error = error.of_one_url();
        }
        let is_unreachable = self.failures().any(|error| matches!(error.kind(), Kind::Network | Kind::Timeout));
        if self.stopped || is_unreachable { error } else { error.of_missing_login() }
    }

    fn skipped(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.attempts.iter().filter_map(|(name, outcome)| match outcome {
            Outcome::Skipped(why) => Some((*name, why.as_str())),
            Outcome::Failed(_) | Outcome::NotAsked(_) => None,
        })
    }

    /// Each failure as a clause. Several are shortened, the longest first, to fit into one WARNING with the hint.
    fn failed(&self, hint: &str) -> Vec<String> {
        let failures: Vec<_> = self
            .attempts
            .iter()
            .filter_map(|(name, outcome)| match outcome {
                Outcome::NotAsked(error) => Some((format!("{name} was not asked"), error.message())),
                Outcome::Failed(error) => Some((format!("{name} failed"), error.message())),
                Outcome::Skipped(_) => None,
            })
            .collect();
        let length = |text: &str| text.chars().count();
        let names: usize = failures.iter().map(|(what, _)| length(what) + " (); ".len()).sum();
        let mut room = WARNING_LIMIT.saturating_sub(CONTEXT + length(hint) + names);
        let mut lengths: Vec<_> = failures.iter().map(|(_, why)| length(why)).collect();
        lengths.sort_unstable();
        let mut limit = usize::MAX;
        // Space that a short message leaves goes to the longer ones. A single message is shortened with the whole WARNING.
        for (number, shorter) in lengths.iter().enumerate().filter(|_| lengths.len() > 1) {
            limit = (room / (lengths.len() - number)).clamp(QUOTED.0, QUOTED.1);
            room = room.saturating_sub(*shorter.min(&limit));
        }
        failures.into_iter().map(|(what, why)| format!("{what} ({})", without_middle(why, limit))).collect()
    }

    /// What failed, since the reader can act on that; if nothing did, what is not set up.
    fn message(&self, hint: &str) -> String {
        let failed = self.failed(hint);
        let mut skipped = self.skipped();
        match (failed.is_empty(), skipped.next(), skipped.count()) {
            (true, Some((name, why)), 0) => format!("not set up: {name} ({why})"),
            (true, first, others) => format!("none of the {} sources is set up", others + usize::from(first.is_some())),
            (false, ..) => failed.join("; "),
        }
    }

    /// The number of sources that are not set up, besides those that failed, and the command that lists them.
    fn note(&self) -> Option<String> {
        let has_failed = self.failures().next().is_some();
        match self.skipped().count() {
            0 => None,
            _ if has_failed && self.stopped => None,
            1 if has_failed => Some(format!("1 other source is not set up: {LIST}")),
            1 => None,
            count if has_failed => Some(format!("{count} other sources are not set up: {LIST}")),
            _ => Some(format!("{LIST} lists them")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    struct Scripted(&'static str, Origin, fn() -> Result<Attempt<u32>>);

    impl TokenProvider<(), u32> for Scripted {
        fn name(&self) -> &'static str {
            self.0
        }

        fn origin(&self, _: &dyn System) -> Origin {
            self.1.clone()
        }

        fn token(&self, _: &dyn System, (): &()) -> Result<Attempt<u32>> {
            (self.2)()
        }
    }

    const EXPLICIT: Origin = Origin::Explicit(Cow::Borrowed("SECRET"));
    const SKIPS: Scripted = Scripted("skips", EXPLICIT, || Ok(Attempt::not_configured("no NAME")));
    const BREAKS: Scripted =
        Scripted("breaks", Origin::Found, || Err(Error::new(Kind::Process, "it broke").with_hint("repair it")));
    const ENDS: Scripted = Scripted("ends", Origin::Found, || Err(Error::new(Kind::Cancelled, "gave up")));
    const GIVES: Scripted = Scripted("gives", Origin::Found, || Ok(Attempt::Token(7)));
    const OTHER: Scripted = Scripted("other", Origin::Found, || Ok(Attempt::Token(8)));
    const CONFIGURED: Scripted = Scripted("configured", EXPLICIT, || Ok(Attempt::Token(9)));

    type Providers<'all> = &'all [&'all dyn TokenProvider<(), u32>];

    fn ask(providers: Providers<'_>, mut accept: impl FnMut(&'static str, u32) -> Result<u32>) -> Result<u32> {
        ask_in_turn(&FakeSystem::default(), providers, &(), "a.example", |provider, grant, _| {
            accept(provider.name(), grant)
        })
        .map_err(|exhausted| exhausted.into_error("do this"))
    }

    #[test]
    fn the_chain_moves_on_past_skips_and_found_logins_that_fail() {
        assert_eq!(ask(&[&SKIPS, &BREAKS, &GIVES], |_, grant| Ok(grant)), Ok(7));
    }

    #[test]
    fn an_explicit_provider_that_fails_stops_the_chain() {
        for (failure, hint) in [
            (Error::new(Kind::Rejected, "401"), "renew or unset SECRET"),
            (Error::new(Kind::Configuration, "x").with_hint("correct or unset SECRET"), "correct or unset SECRET"),
            (Error::new(Kind::Configuration, "x").with_hint("set ID"), "set ID, or unset SECRET"),
            (Error::new(Kind::Network, "x").with_hint("check the proxy"), "check the proxy"),
        ] {
            let kind = failure.kind();
            let refuse = |name: &'static str, grant: u32| match name {
                "configured" => Err(failure.clone()),
                _ => Ok(grant),
            };
            let error = ask(&[&SKIPS, &CONFIGURED, &GIVES], refuse).unwrap_err();
            assert_eq!((error.kind(), error.hint()), (kind, Some(hint)));
            assert!(error.message().starts_with("configured failed ("), "{error}");
        }
    }

    #[test]
    fn no_login_is_missing_after_an_explicit_or_network_failure() {
        let late = Scripted("late", Origin::Found, || Err(Error::new(Kind::Timeout, "no answer")));
        let down = Scripted("down", Origin::Found, || Err(Error::new(Kind::Network, "no connection")));
        let reject = |_: &'static str, _: u32| Err(Error::new(Kind::Rejected, "401"));
        for (providers, lacks) in [
            (&[&SKIPS as &dyn TokenProvider<(), u32>, &SKIPS][..], true),
            (&[&SKIPS, &BREAKS], true),
            (&[&GIVES], true),
            (&[&BREAKS, &CONFIGURED], false),
            (&[&BREAKS, &late], false),
            (&[&down, &SKIPS], false),
            (&[&ENDS], false),
        ] {
            let names: Vec<_> = providers.iter().map(|provider| provider.name()).collect();
            assert_eq!(ask(providers, reject).unwrap_err().lacks_login(), lacks, "{names:?}");
        }
    }

    #[test]
    fn the_message_names_failures_and_counts_what_is_not_set_up() {
        let error = ask(&[&SKIPS, &SKIPS, &BREAKS], |_, grant| Ok(grant)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("breaks failed (it broke); repair it; 2 other sources are not set up: {LIST}")
        );
        let error = ask(&[&SKIPS, &SKIPS], |_, grant| Ok(grant)).unwrap_err();
        assert_eq!(error.to_string(), format!("none of the 2 sources is set up; do this; {LIST} lists them"));
        assert_eq!(
            ask(&[&SKIPS], |_, grant| Ok(grant)).unwrap_err().to_string(),
            "not set up: skips (no NAME); do this"
        );
    }

    #[test]
    fn several_long_failures_are_cut_to_one_readable_message() {
        const LONG: Scripted =
            Scripted("long", Origin::Found, || Err(Error::new(Kind::Process, "x".repeat(400)).with_hint("repair it")));
        let error = ask(&[&LONG, &SKIPS, &LONG, &LONG, &SKIPS], |_, grant| Ok(grant)).unwrap_err();
        let warning = error.within("no credential for a.example").warning();
        assert!(warning.chars().count() <= WARNING_LIMIT, "{warning}");
        assert_eq!(warning.matches("long failed (xxxx").count(), 3, "{warning}");
        assert!(warning.ends_with("xxx); repair it"), "{warning}");
        let error = ask(&[&SKIPS, &BREAKS, &LONG], |_, grant| Ok(grant)).unwrap_err();
        let warning = error.within("no credential for a.example").warning();
        assert!(
            warning.contains("breaks failed (it broke); long failed (") && warning.contains(&"x".repeat(100)),
            "{warning}"
        );
    }

    #[test]
    fn a_rejected_grant_moves_on_and_another_failure_stops() {
        let reject = |name: &'static str, grant: u32| match name {
            "gives" => Err(Error::new(Kind::Rejected, "401")),
            _ => Ok(grant),
        };
        assert_eq!(ask(&[&GIVES, &OTHER], reject), Ok(8));
        let refuse = |_: &'static str, _: u32| Err(Error::new(Kind::Protocol, "500"));
        assert!(ask(&[&GIVES, &BREAKS], refuse).is_err_and(|error| !error.message().contains("it broke")));
    }

    #[test]
    fn the_end_of_the_lookup_stops_the_chain() {
        assert_eq!(ask(&[&ENDS, &GIVES], |_, grant| Ok(grant)).unwrap_err().kind(), Kind::Cancelled);
    }

    #[test]
    fn failures_before_a_continued_chain_count() {
        let take = |_: &dyn TokenProvider<(), u32>, grant: u32, policy: CachePolicy| Ok((grant, policy));
        let system = FakeSystem::default();
        let providers: Providers<'_> = &[&SKIPS, &BREAKS];
        let first = ask_in_turn(&system, providers, &(), "a.example", take);
        let further: Providers<'_> = &[&SKIPS];
        let error = ask_further(first.unwrap_err(), &system, further, &(), "a.example", take).unwrap_err();
        let error = error.into_error("do this");
        assert!(error.message().starts_with("breaks failed (it broke)"), "{error}");
        assert_eq!(error.hint(), Some("repair it"));
    }

    #[test]
    fn a_fallback_is_not_cached_for_the_session() {
        struct Cached(Scripted);

        impl TokenProvider<(), u32> for Cached {
            fn name(&self) -> &'static str {
                self.0.name()
            }

            fn origin(&self, system: &dyn System) -> Origin {
                self.0.origin(system)
            }

            fn cache_policy(&self, _: &dyn System) -> CachePolicy {
                CachePolicy::Session
            }

            fn token(&self, system: &dyn System, wanted: &()) -> Result<Attempt<u32>> {
                self.0.token(system, wanted)
            }
        }
        let policy = |providers: &[&dyn TokenProvider<(), u32>]| {
            ask_in_turn(&FakeSystem::default(), providers, &(), "a.example", |_, _, policy| Ok(policy)).ok()
        };
        assert_eq!(policy(&[&SKIPS, &Cached(GIVES)]), Some(CachePolicy::Session));
        assert_eq!(policy(&[&BREAKS, &Cached(GIVES)]), Some(CachePolicy::Waiters));
        assert_eq!(policy(&[&BREAKS, &GIVES]), Some(CachePolicy::Never));
    }
}
