use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use super::*;
use crate::{
    auth::{cache_key::CacheKey, cache_mode::CACHE_VARIABLE},
    error::{Error, Kind},
    registry::{CredentialSource, Registry},
    secret::Secret,
    system::{Clock, fake::FakeSystem, shared_memory::SharedMemory},
};

/// A backend that makes a new token each time, for whoever the variables USER and LOGIN name.
struct Maker {
    made: AtomicU32,
    cache_policy: CachePolicy,
    fails: bool,
}

impl Default for Maker {
    fn default() -> Self {
        Self { made: AtomicU32::new(0), cache_policy: CachePolicy::Session, fails: false }
    }
}

static MAKER: Registry = Registry::stub("maker", 1.0, || Box::new(Arc::new(Maker::default())));

fn candidate(maker: &Arc<Maker>) -> Candidate {
    Candidate { registry: &MAKER, source: Box::new(Arc::clone(maker)) }
}

impl CredentialSource for Arc<Maker> {
    fn claims(&self, _service: &Service) -> bool {
        true
    }

    fn cache_key(&self, system: &dyn System, _service: &Service) -> Option<CacheKey> {
        let setting = |name| system.setting(name).unwrap_or_default();
        Some(CacheKey { realm: "contoso".into(), identity: setting("USER"), login: setting("LOGIN") })
    }

    fn get(&self, system: &dyn System, _service: &Service, _username: Option<&str>) -> Result<Option<Credential>> {
        let number = self.made.fetch_add(1, SeqCst) + 1;
        if self.fails {
            return Err(Error::new(Kind::Rejected, "no").with_hint("do"));
        }
        Ok(Some(Credential {
            username: "user\"".into(),
            password: Secret::new(format!("t\\\u{e9}{number}")),
            expires: Some(system.now() + Duration::from_secs(3600)),
            owner: Some("ada".into()),
            cache_policy: self.cache_policy,
        }))
    }
}

const URL: &str = "https://feed.example/a/";

fn ask_for(fake: &FakeSystem, maker: &Arc<Maker>, url: &str) -> String {
    let found = get(fake, &candidate(maker), &Service::parse(url), None, Caching::Session).unwrap().unwrap();
    assert_eq!((found.username.as_str(), found.owner.as_deref()), ("user\"", Some("ada")));
    found.password.expose().to_owned()
}

fn ask(fake: &FakeSystem, maker: &Arc<Maker>) -> String {
    ask_for(fake, maker, URL)
}

fn session() -> FakeSystem {
    FakeSystem::default().variable("HOME", "/home/user").variable("USER", "ada")
}

/// The same session for another process, of other variables.
fn with(fake: FakeSystem, name: &str, value: &str) -> FakeSystem {
    fake.variable(name, value)
}

#[test]
fn a_token_is_found_by_those_who_come_later_until_shortly_before_its_end() {
    let (fake, maker) = (session(), Arc::new(Maker::default()));
    let token = ask(&fake, &maker);
    fake.advance(Duration::from_secs(3299));
    assert_eq!(ask_for(&fake, &maker, "https://feed.example/b/"), token);
    fake.advance(Duration::from_secs(2));
    assert_ne!(ask(&fake, &maker), token);
}

#[test]
fn another_identity_and_another_login_find_nothing() {
    let maker = Arc::new(Maker::default());
    let fake = session();
    let token = ask(&fake, &maker);
    let fake = with(fake, "USER", "eve");
    assert_ne!(ask(&fake, &maker), token);
    let fake = with(with(fake, "USER", "ada"), "LOGIN", "anew");
    assert_ne!(ask(&fake, &maker), token);
    // What the new login got took its place: there are no more tokens than identities.
    assert_eq!(kept::all(&fake).unwrap().len(), 2);
    let fake = with(fake, "LOGIN", "");
    assert_ne!(ask(&fake, &maker), token);
}

#[test]
fn what_was_got_in_the_future_is_not_given_out() {
    let maker = Arc::new(Maker::default());
    let late = session().later(Duration::from_secs(3600));
    let token = ask(&late, &maker);
    let early = late.later(Duration::ZERO);
    assert_ne!(ask(&early, &maker), token);
}

#[test]
fn what_lay_ready_is_kept_nowhere() {
    let (fake, maker) = (session(), Arc::new(Maker { cache_policy: CachePolicy::Never, ..Maker::default() }));
    assert_ne!(ask(&fake, &maker), ask(&fake, &maker));
    assert!(fake.shared_names("ringbearer:").unwrap().is_empty());
}

#[test]
fn what_a_login_gave_that_is_not_told_from_others_is_there_for_those_who_wait_alone() {
    let (fake, maker) = (session(), Arc::new(Maker { cache_policy: CachePolicy::Waiters, ..Maker::default() }));
    let token = ask(&fake, &maker);
    assert_eq!(kept::all(&fake).unwrap(), []);
    let service = Service::parse(URL);
    let key = maker.cache_key(&fake, &service).unwrap();
    assert_eq!(kept::look_at_the_turn(&fake, &candidate(&maker), &key).unwrap().credential.password.expose(), token);
    fake.advance(Duration::from_millis(1));
    assert_ne!(ask(&fake, &maker), token);
    fake.advance(Duration::from_secs(11));
    assert!(kept::look_at_the_turn(&fake, &candidate(&maker), &key).is_none());
}

#[test]
fn whoever_chose_another_cache_is_asked_for_alone() {
    for value in ["off", "memory", "unheard-of"] {
        let (fake, maker) = (session().variable(CACHE_VARIABLE, value), Arc::new(Maker::default()));
        assert_ne!(ask(&fake, &maker), ask(&fake, &maker), "{value}");
        assert_eq!(kept::all(&fake).unwrap(), [], "{value}");
    }
}

#[test]
fn a_tool_that_comes_back_gets_a_token_that_is_newer_than_its_first_question() {
    let (fake, maker) = (session(), Arc::new(Maker::default()));
    let old = ask(&fake, &maker);
    fake.advance(Duration::from_secs(60));
    let fake = with(fake, "the caller", "pip");
    assert_eq!(ask(&fake, &maker), old);
    fake.advance(Duration::from_secs(1));
    assert_eq!(ask_for(&fake, &maker, "https://feed.example/other/"), old, "another question is no coming back");
    let new = ask(&fake, &maker);
    assert_ne!(new, old);
    assert_eq!(ask(&fake, &maker), new, "a second new one would be refused as well");
    let fake = with(fake, "the caller", "uv");
    assert_eq!(ask(&fake, &maker), new, "somebody else");
    fake.advance(Duration::from_secs(20));
    assert_eq!(ask(&fake, &maker), new, "later is no coming back");
}

#[test]
fn whoever_got_a_new_token_does_not_come_back_for_another() {
    let (fake, maker) = (with(session(), "the caller", "pip"), Arc::new(Maker::default()));
    assert_eq!(ask(&fake, &maker), ask(&fake, &maker));
}

#[test]
fn a_failure_is_there_for_those_who_ask_the_same_and_no_later() {
    let (fake, maker) = (session(), Arc::new(Maker::default()));
    let (here, start) = (Service::parse(URL), fake.now());
    let key = maker.cache_key(&fake, &here).unwrap();
    let error = Error::new(Kind::Rejected, "no").with_hint("do");
    failed::leave(&fake, &candidate(&maker), &key, &here, &error);
    let look = |key: &CacheKey, service: &Service, since| failed::look(&fake, &candidate(&maker), key, service, since);
    assert_eq!(look(&key, &here, start).unwrap().to_string(), error.to_string());
    assert!(look(&CacheKey { identity: "eve".into(), ..key.clone() }, &here, start).is_none());
    assert!(look(&key, &Service::parse("https://other.example/"), start).is_none());
    assert!(look(&key, &here, start + Duration::from_secs(1)).is_none());
}

#[test]
fn what_concerns_one_url_or_one_caller_is_left_to_nobody() {
    let (maker, service) = (Arc::new(Maker::default()), Service::parse(URL));
    for error in [
        Error::new(Kind::Protocol, "no").of_one_url(),
        Error::new(Kind::Cancelled, "gave up"),
        Error::new(Kind::Timeout, "late"),
    ] {
        let fake = session();
        let key = maker.cache_key(&fake, &service).unwrap();
        failed::leave(&fake, &candidate(&maker), &key, &service, &error);
        assert!(failed::look(&fake, &candidate(&maker), &key, &service, fake.now()).is_none(), "{error}");
    }
}

#[test]
fn a_failure_is_not_kept_for_those_who_come_later() {
    let (fake, maker) = (session(), Arc::new(Maker { fails: true, ..Maker::default() }));
    for number in 1..3 {
        assert!(get(&fake, &candidate(&maker), &Service::parse(URL), None, Caching::Session).is_err());
        assert_eq!(maker.made.load(SeqCst), number);
        fake.advance(Duration::from_millis(1));
    }
}

#[test]
fn clearing_forgets_every_token() {
    let (fake, maker) = (with(session(), "the caller", "pip"), Arc::new(Maker::default()));
    ask(&fake, &maker);
    let fake = with(fake, "USER", "eve");
    ask(&fake, &maker);
    let all = kept::all(&fake).unwrap();
    assert_eq!(
        all.iter().map(|kept| (kept.backend.as_str(), kept.realm.as_str())).collect::<Vec<_>>(),
        [("maker", "contoso"), ("maker", "contoso")]
    );
    assert_eq!(kept::clear(&fake).unwrap(), 2);
    assert_eq!((kept::all(&fake).unwrap().len(), fake.shared_names("ringbearer:").unwrap().len()), (0, 0));
}
