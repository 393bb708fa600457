//! Sources of tokens, and the chain in which they are asked.

use std::fmt;

use log::debug;

use crate::{
    error::{Error, Kind, Result},
    system::System,
};

/// What came of asking a provider that did not fail.
#[derive(Debug)]
pub(crate) enum Attempt<Grant> {
    /// It has something to offer.
    Token(Grant),
    /// It is not configured for this; why, in a clause such as "no AZURE_CLIENT_ID".
    NotConfigured(String),
}

impl<Grant> Attempt<Grant> {
    /// Not configured, and why.
    pub(crate) fn not_configured(why: impl Into<String>) -> Self {
        Self::NotConfigured(why.into())
    }
}

/// A source of tokens. `Wanted` says what for, `Grant` is what it gives.
///
/// "Not configured" is [`Attempt::NotConfigured`]; "configured and broken" is an error. Both go on to the next
/// provider, and both are told when none served.
pub(crate) trait TokenProvider<Wanted, Grant>: Send + Sync {
    /// The name that users choose it by.
    fn name(&self) -> &'static str;

    /// Asks it.
    fn token(&self, system: &dyn System, wanted: &Wanted) -> Result<Attempt<Grant>>;
}

/// Asks each provider in turn until `accept` takes what one of them gives.
///
/// - A provider that skips or fails is noted and the next one is asked.
/// - A grant that `accept` refuses with [`Kind::Rejected`] is noted and the next provider is asked;
///   any other failure of `accept` ends the chain.
/// - The end of the lookup (the caller gave up, the time is over) ends the chain at once.
pub(crate) fn ask_in_turn<Wanted, Grant, Accepted>(
    system: &dyn System,
    providers: &[&dyn TokenProvider<Wanted, Grant>],
    wanted: &Wanted,
    mut accept: impl FnMut(&'static str, Grant) -> Result<Accepted>,
) -> std::result::Result<Accepted, Exhausted> {
    let mut exhausted = Exhausted::default();
    for provider in providers {
        let name = provider.name();
        if let Err(error) = system.check() {
            exhausted.attempts.push((name, Outcome::NotAsked(error)));
            exhausted.ended = true;
            break;
        }
        match provider.token(system, wanted) {
            Ok(Attempt::NotConfigured(why)) => {
                debug!(step = name, outcome = "skipped"; "{why}");
                exhausted.note(name, Outcome::Skipped(why));
            }
            Err(error) => {
                debug!(step = name, outcome = "failed"; "{error}");
                if error.ends_the_lookup() {
                    exhausted.end(name, error);
                    break;
                }
                exhausted.note(name, Outcome::Failed(error));
            }
            Ok(Attempt::Token(grant)) => match accept(name, grant) {
                Ok(accepted) => {
                    debug!(step = name, outcome = "served"; "");
                    return Ok(accepted);
                }
                Err(error) => {
                    debug!(step = name, outcome = "failed"; "its token was not accepted, {error}");
                    if error.kind() != Kind::Rejected {
                        exhausted.end(name, error);
                        break;
                    }
                    exhausted.note(name, Outcome::Failed(error));
                }
            },
        }
    }
    Err(exhausted)
}

/// Every attempt of a chain that came to nothing, in order.
#[derive(Debug, Default)]
pub(crate) struct Exhausted {
    attempts: Vec<(&'static str, Outcome)>,
    ended: bool,
}

#[derive(Debug)]
enum Outcome {
    Skipped(String),
    Failed(Error),
    /// The lookup was over before its turn came.
    NotAsked(Error),
}

impl Exhausted {
    fn note(&mut self, name: &'static str, outcome: Outcome) {
        self.attempts.push((name, outcome));
    }

    /// Notes the failure that ends the chain.
    pub(crate) fn end(&mut self, name: &'static str, error: Error) {
        self.note(name, Outcome::Failed(error));
        self.ended = true;
    }

    /// Whether no other provider may be asked.
    #[must_use]
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// The attempts of this chain and then those of another.
    #[must_use]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.attempts.extend(other.attempts);
        Self { attempts: self.attempts, ended: self.ended || other.ended }
    }

    /// The failures, in order.
    pub(crate) fn failures(&self) -> impl Iterator<Item = &Error> {
        self.attempts.iter().filter_map(|(_, outcome)| match outcome {
            Outcome::Failed(error) | Outcome::NotAsked(error) => Some(error),
            Outcome::Skipped(_) => None,
        })
    }

    /// One error for the whole chain, of the kind of the failure that ended it, if one did. The end of the
    /// lookup, and a service of which nothing is known, stay what they are. `hint` is what to do if no
    /// attempt knows better.
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
        let hint = self.failures().find_map(Error::hint).unwrap_or(hint).to_owned();
        let end = self.failures().last().filter(|_| self.ended);
        let kind = end.map(Error::kind).filter(|kind| *kind != Kind::NotConfigured).unwrap_or(Kind::Exhausted);
        let mut error = Error::new(kind, self.to_string()).with_hint(hint);
        if let Some(first) = self.failures().next() {
            error = error.with_source(first.clone());
            if let Some(class) = first.class() {
                error = error.with_class(class);
            }
        }
        if end.is_some_and(Error::concerns_one_url) { error.of_one_url() } else { error }
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Failures first: they are what the reader has to mend.
        let mut failed = Vec::new();
        let mut skipped = Vec::new();
        for (name, outcome) in &self.attempts {
            match outcome {
                Outcome::NotAsked(error) => failed.push(format!("{name} was not asked ({})", error.message())),
                Outcome::Failed(error) => failed.push(format!("{name} failed ({})", error.message())),
                Outcome::Skipped(why) => skipped.push(format!("{name} ({why})")),
            }
        }
        formatter.write_str(&failed.join("; "))?;
        if !skipped.is_empty() {
            let separator = if failed.is_empty() { "" } else { "; " };
            write!(formatter, "{separator}not set up: {}", skipped.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::fake::FakeSystem;

    struct Scripted(&'static str, fn() -> Result<Attempt<u32>>);

    impl TokenProvider<(), u32> for Scripted {
        fn name(&self) -> &'static str {
            self.0
        }

        fn token(&self, _: &dyn System, (): &()) -> Result<Attempt<u32>> {
            (self.1)()
        }
    }

    const SKIPS: Scripted = Scripted("skips", || Ok(Attempt::not_configured("no NAME")));
    const BREAKS: Scripted = Scripted("breaks", || Err(Error::new(Kind::Process, "it broke").with_hint("mend it")));
    const ENDS: Scripted = Scripted("ends", || Err(Error::new(Kind::Cancelled, "gave up")));
    const GIVES: Scripted = Scripted("gives", || Ok(Attempt::Token(7)));

    fn ask(
        providers: &[&dyn TokenProvider<(), u32>],
        accept: impl FnMut(&'static str, u32) -> Result<u32>,
    ) -> std::result::Result<u32, Error> {
        ask_in_turn(&FakeSystem::default(), providers, &(), accept).map_err(|exhausted| exhausted.into_error("do this"))
    }

    #[test]
    fn the_chain_goes_on_past_skips_and_failures() {
        assert_eq!(ask(&[&SKIPS, &BREAKS, &GIVES], |_, grant| Ok(grant)), Ok(7));
    }

    #[test]
    fn exhaustion_names_every_attempt_and_what_to_do() {
        let error = ask(&[&SKIPS, &BREAKS], |_, grant| Ok(grant)).unwrap_err();
        assert_eq!(error.to_string(), "breaks failed (it broke); not set up: skips (no NAME); mend it");
    }

    #[test]
    fn a_rejected_grant_goes_on_and_another_failure_ends() {
        let reject = |name: &'static str, grant: u32| match name {
            "gives" => Err(Error::new(Kind::Rejected, "401")),
            _ => Ok(grant),
        };
        assert_eq!(ask(&[&GIVES, &Scripted("other", || Ok(Attempt::Token(8)))], reject), Ok(8));
        let refuse = |_: &'static str, _: u32| Err(Error::new(Kind::Protocol, "500"));
        assert!(ask(&[&GIVES, &BREAKS], refuse).is_err_and(|error| !error.message().contains("it broke")));
    }

    #[test]
    fn the_end_of_the_lookup_ends_the_chain() {
        assert_eq!(ask(&[&ENDS, &GIVES], |_, grant| Ok(grant)).unwrap_err().kind(), Kind::Cancelled);
    }
}
