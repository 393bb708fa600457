//! Which registry answers a question, and what becomes of failures.

#[cfg(test)]
mod cases;
pub(crate) mod lookup;
pub(crate) mod memory;
mod prompt;
pub(crate) mod session_cache;
pub(crate) mod single_flight;

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use crate::{
    auth::cache_mode::CacheMode,
    error::{Error, Kind, Result},
    registry::{ALL, Credential, CredentialSource, Registry, SetupVariable, sign_in::SignIn},
    service::Service,
    system::{Env, System},
};

/// Names the service (by its [`fingerprint`](crate::auth::cache_key::fingerprint)) that the native `keyring` asked the
/// registries about before it ran the next keyring: they have no other answer.
pub(crate) const ASKED_VARIABLE: &str = "RINGBEARER_INDEXES_ASKED";

/// Raise the error of a failed read instead of answering `None`, if set and not 0.
const STRICT_VARIABLE: &str = "RINGBEARER_STRICT";

/// A registry that may answer, with its source of credentials.
pub(crate) struct Candidate {
    /// What is known of the registry.
    pub(crate) registry: &'static Registry,
    /// Where its credentials come from.
    pub(crate) source: Box<dyn CredentialSource>,
}

impl Candidate {
    /// The cached credential for a service that it claims, or what its source returns. If no login serves, what a sign-in
    /// returns, where RINGBEARER_LOGIN lets a lookup start one. `default` is the cache mode if RINGBEARER_CACHE is unset.
    ///
    /// `username` is the one with which the caller sends the password; `None` if it sends that of the credential.
    pub(crate) fn get(
        &self,
        system: &dyn System,
        service: &Service,
        username: Option<&str>,
        default: CacheMode,
    ) -> Result<Option<Credential>> {
        let username = username.filter(|username| !username.is_empty());
        if let Some(Err(error)) = username.map(|username| self.source.check_username(service, username)) {
            return session_cache::refuse(system, self, service, default, error);
        }
        let look_up = || session_cache::get(system, self, service, default);
        let outcome = look_up();
        let Err(failure) = outcome else { return outcome };
        match prompt::wanted(system, self, &failure) {
            Some(sign_in) => prompt::sign_in(system, (self, sign_in), service, default, failure, look_up),
            None => Err(failure),
        }
    }
}

/// Every registry, with what its source remembers.
pub(crate) struct Keyring {
    candidates: Vec<Candidate>,
    /// The failures that were reported.
    warned: Mutex<HashSet<String>>,
}

impl Default for Keyring {
    fn default() -> Self {
        Self::of(ALL)
    }
}

impl Keyring {
    /// A keyring of these registries, asked by descending priority.
    pub(crate) fn of(registries: &[&'static Registry]) -> Self {
        let mut candidates: Vec<_> =
            registries.iter().map(|&registry| Candidate { registry, source: (registry.source)() }).collect();
        candidates.sort_by(|one, other| other.registry.priority.total_cmp(&one.registry.priority));
        Self { candidates, warned: Mutex::default() }
    }

    /// Whether failed reads are raised rather than reported.
    #[must_use]
    pub(crate) fn is_strict(variable: impl Fn(&str) -> Option<String>) -> bool {
        variable(STRICT_VARIABLE).is_some_and(|value| !matches!(value.trim(), "" | "0"))
    }

    /// The registries that claim a service, by descending priority. No I/O.
    pub(crate) fn candidates(&self, environment: &dyn Env, service: &Service) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(|candidate| candidate.source.claims(environment, service))
    }

    /// The registries that people sign in to without another program, by descending priority.
    pub(crate) fn sign_ins(&self) -> impl Iterator<Item = (&Candidate, &dyn SignIn)> {
        self.candidates.iter().filter_map(|candidate| Some((candidate, candidate.source.sign_in()?)))
    }

    /// The first registry that claims a service and that people sign in to without another program. No I/O.
    #[must_use]
    pub(crate) fn sign_in_for(&self, environment: &dyn Env, service: &Service) -> Option<(&Candidate, &dyn SignIn)> {
        self.sign_ins().find(|(candidate, _)| candidate.source.claims(environment, service))
    }

    /// How a service that no registry claims could be served.
    #[must_use]
    pub(crate) fn setup_variable(&self, service: &Service) -> Option<SetupVariable> {
        self.candidates.iter().find_map(|candidate| candidate.source.setup_variable(service))
    }

    /// Whether any registry claims a service. No I/O.
    #[must_use]
    pub(crate) fn serves(&self, environment: &dyn Env, service: &Service) -> bool {
        self.candidates(environment, service).next().is_some()
    }

    /// The registry of an id.
    pub(crate) fn registry(&self, id: &str) -> Result<&Candidate> {
        self.candidates
            .iter()
            .find(|candidate| candidate.registry.id == id)
            .ok_or_else(|| Error::new(Kind::Internal, format!("there is no registry named {id}")))
    }

    /// Asks the registries that claim a service, or the one of a class alone, until one answers. No answer moves on to the
    /// next, and so does a failure that `report` takes, while there is time; the error of `report` ends the search.
    /// `username` is that of [`Candidate::get`].
    pub(crate) fn get(
        &self,
        system: &dyn System,
        service: &Service,
        username: Option<&str>,
        class: Option<&str>,
        mut report: impl FnMut(Error) -> Result<()>,
    ) -> Result<Option<(&Candidate, Credential)>> {
        let is_meant = |candidate: &&Candidate| class.is_none_or(|class| class == candidate.registry.python_class);
        for candidate in self.candidates(system, service).filter(is_meant) {
            match candidate.get(system, service, username, CacheMode::Session) {
                Ok(Some(credential)) => return Ok(Some((candidate, credential))),
                Ok(None) => {}
                Err(error) if error.ends_the_lookup() => return Err(error),
                Err(error) => report(error)?,
            }
            // The next registry would fail for want of time, which tells nothing about it.
            if system.remaining().is_zero() {
                break;
            }
        }
        Ok(None)
    }

    /// Whether a failure occurs for the first time in this process, and so deserves a WARNING.
    #[must_use]
    pub(crate) fn first_occurrence(&self, error: &Error) -> bool {
        self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::{cache_key::CacheKey, cache_policy::CachePolicy},
        secret::Secret,
        system::fake::FakeSystem,
    };

    /// Claims one host, and answers as its function says.
    struct Scripted(fn(&dyn System) -> Result<Option<Credential>>);

    impl CredentialSource for Scripted {
        fn claims(&self, _: &dyn Env, service: &Service) -> bool {
            service.host() == Some("shared.example")
        }

        fn get(&self, system: &dyn System, _: &Service) -> Result<Option<Credential>> {
            (self.0)(system)
        }

        fn cache_key(&self, _: &dyn System, _: &Service) -> Option<CacheKey> {
            None
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands for an answer")]
    fn password(text: &str) -> Option<Credential> {
        let password = Secret::new(text.to_owned());
        Some(Credential {
            username: "user".to_owned(),
            password,
            expires: None,
            owner: None,
            cache_policy: CachePolicy::Never,
        })
    }

    static LOW: Registry = Registry::stub("low", 1.0, || Box::new(Scripted(|_| Ok(password("low")))));
    static SILENT: Registry = Registry::stub("silent", 3.0, || Box::new(Scripted(|_| Ok(None))));
    static BROKEN: Registry =
        Registry::stub("broken", 2.0, || Box::new(Scripted(|_| Err(Error::new(Kind::Rejected, "it broke")))));
    static CANCELLED: Registry =
        Registry::stub("cancelled", 2.5, || Box::new(Scripted(|_| Err(Error::new(Kind::Cancelled, "cancelled")))));

    static SLOW: Registry = Registry::stub("slow", 2.6, || {
        Box::new(Scripted(|system| {
            system.pause(system.remaining())?;
            Err(Error::new(Kind::Timeout, "it was slow"))
        }))
    });

    /// Serves with the user name `user` alone.
    struct Strict;

    impl CredentialSource for Strict {
        fn claims(&self, _: &dyn Env, _: &Service) -> bool {
            true
        }

        fn check_username(&self, _: &Service, username: &str) -> Result<()> {
            if username == "user" { Ok(()) } else { Err(Error::new(Kind::Configuration, "it must be user")) }
        }

        fn get(&self, _: &dyn System, _: &Service) -> Result<Option<Credential>> {
            Ok(password("strict"))
        }
    }

    static STRICT: Registry = Registry::stub("strict", 3.0, || Box::new(Strict));

    #[test]
    fn a_password_is_refused_with_a_user_name_that_does_not_serve() {
        let (system, service) = (FakeSystem::default(), Service::parse("https://shared.example/simple/"));
        for (username, registry, reported) in [
            (None, "strict", &[] as &[&str]),
            (Some(""), "strict", &[]),
            (Some("user"), "strict", &[]),
            (Some("__token__"), "low", &["it must be user"]),
        ] {
            let mut reports = Vec::new();
            let keyring = Keyring::of(&[&STRICT, &LOW]);
            let found = keyring.get(&system, &service, username, None, |error| {
                reports.push(error.to_string());
                Ok(())
            });
            assert_eq!(found.unwrap().map(|(candidate, _)| candidate.registry.id), Some(registry), "{username:?}");
            assert_eq!(reports, reported, "{username:?}");
        }
    }

    fn ask(keyring: &Keyring, class: Option<&str>) -> (Result<Option<&'static str>>, Vec<String>) {
        let (system, service) = (FakeSystem::default(), Service::parse("https://shared.example/simple/"));
        let mut reported = Vec::new();
        let found = keyring.get(&system, &service, None, class, |error| {
            reported.push(error.to_string());
            Ok(())
        });
        (found.map(|found| found.map(|(candidate, _)| candidate.registry.id)), reported)
    }

    #[test]
    fn candidates_come_by_priority_however_they_are_listed() {
        let keyring = Keyring::of(&[&LOW, &BROKEN, &SILENT]);
        let order = |url: &str| {
            let (environment, service) = (FakeSystem::default(), Service::parse(url));
            let candidates = keyring.candidates(&environment, &service);
            candidates.map(|candidate| candidate.registry.id).collect::<Vec<_>>()
        };
        assert_eq!(order("https://shared.example/"), ["silent", "broken", "low"]);
        assert!(order("https://other.example/").is_empty());
    }

    #[test]
    fn no_answer_and_a_reported_failure_move_on_to_the_next() {
        let (found, reported) = ask(&Keyring::of(&[&LOW, &BROKEN, &SILENT]), None);
        assert_eq!((found.unwrap(), reported), (Some("low"), vec!["it broke".to_owned()]));
    }

    #[test]
    fn nobody_is_asked_when_the_time_is_over() {
        let (found, reported) = ask(&Keyring::of(&[&LOW, &SLOW]), None);
        assert_eq!((found.unwrap(), reported.len()), (None, 1));
    }

    #[test]
    fn a_class_that_is_chosen_is_asked_alone() {
        let keyring = Keyring::of(&[&LOW, &BROKEN, &SILENT]);
        assert_eq!(ask(&keyring, Some("silent")).0.unwrap(), None);
        assert_eq!(ask(&keyring, Some("low")).0.unwrap(), Some("low"));
    }

    #[test]
    fn cancellation_asks_nobody_else() {
        let (found, reported) = ask(&Keyring::of(&[&LOW, &CANCELLED]), None);
        assert_eq!((found.unwrap_err().kind(), reported.len()), (Kind::Cancelled, 0));
    }
}
