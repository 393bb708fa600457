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
    system::{
        Clock, Env,
        fake::FakeSystem,
        shared_memory::{KeyQuota, SharedMemory},
    },
};

/// A registry with a new token for each sign-in. The variables USER, HOST and LOGIN make up its cache key.
struct Maker {
    made: AtomicU32,
    cache_policy: CachePolicy,
    /// The lifetime of its tokens in seconds.
    life: u64,
    fails: bool,
    of_one_url: bool,
}

impl Default for Maker {
    fn default() -> Self {
        Self {
            made: AtomicU32::new(0),
            cache_policy: CachePolicy::Session,
            life: 3600,
            fails: false,
            of_one_url: false,
        }
    }
}

static MAKER: Registry = Registry::stub("maker", 1.0, || Box::new(Arc::new(Maker::default())));

fn candidate(maker: &Arc<Maker>) -> Candidate {
    Candidate { registry: &MAKER, source: Box::new(Arc::clone(maker)) }
}

impl CredentialSource for Arc<Maker> {
    fn claims(&self, _: &dyn Env, _service: &Service) -> bool {
        true
    }

    fn cache_key(&self, system: &dyn System, _service: &Service) -> Option<CacheKey> {
        let setting = |name| system.setting(name).unwrap_or_default();
        Some(CacheKey {
            realm: "contoso".into(),
            identity: setting("USER") + &setting("HOST"),
            login: setting("LOGIN"),
        })
    }

    fn get(&self, system: &dyn System, _service: &Service) -> Result<Option<Credential>> {
        let number = self.made.fetch_add(1, SeqCst) + 1;
        if self.fails {
            let error = Error::new(Kind::Rejected, "no").with_hint("do");
            return Err(if self.of_one_url { error.of_one_url() } else { error });
        }
        Ok(Some(Credential {
            username: "user\"".into(),
            password: Secret::new(format!("t\\\u{e9}{number}")),
            expires: Some(system.now() + Duration::from_secs(self.life)),
            owner: system.setting("USER"),
            cache_policy: self.cache_policy,
        }))
    }
}

const URL: &str = "https://feed.example/a/";

fn ask_for(fake: &FakeSystem, maker: &Arc<Maker>, url: &str) -> String {
    let found = get(fake, &candidate(maker), &Service::parse(url), CacheMode::Session).unwrap().unwrap();
    assert_eq!((found.username.as_str(), found.owner), ("user\"", fake.setting("USER")));
    found.password.expose().to_owned()
}

fn ask(fake: &FakeSystem, maker: &Arc<Maker>) -> String {
    ask_for(fake, maker, URL)
}

fn session() -> FakeSystem {
    FakeSystem::default().home("/home/user").variable("USER", "ada")
}

/// The same session, for a process with another variable.
fn with(fake: FakeSystem, name: &str, value: &str) -> FakeSystem {
    fake.variable(name, value)
}

#[test]
fn a_token_is_found_until_shortly_before_it_expires() {
    let (fake, maker) = (session(), Arc::new(Maker::default()));
    let token = ask(&fake, &maker);
    fake.advance(Duration::from_secs(3299));
    assert_eq!(ask_for(&fake, &maker, "https://feed.example/b/"), token);
    fake.advance(Duration::from_secs(2));
    assert_ne!(ask(&fake, &maker), token);
}

#[test]
fn a_repeated_request_finds_the_token() {
    let (fake, maker) = (session(), Arc::new(Maker::default()));
    let token = ask(&fake, &maker);
    fake.advance(Duration::from_secs(1));
    assert_eq!([ask(&fake, &maker), ask(&fake, &maker)], [token.clone(), token]);
}

#[test]
fn another_identity_and_another_login_find_nothing() {
    let maker = Arc::new(Maker::default());
    let fake = session();
    let token = ask(&fake, &maker);
    let fake = with(fake, "USER", "eve");
    assert_ne!(ask(&fake, &maker), token);
    let fake = with(with(fake, "USER", "ada"), "LOGIN", "later");
    assert_ne!(ask(&fake, &maker), token);
    assert_eq!(token::all(&fake).unwrap().len(), 2, "the token of the new login replaced the old one");
    let fake = with(fake, "LOGIN", "");
    assert_ne!(ask(&fake, &maker), token);
}

#[test]
fn the_newest_token_of_a_user_replaces_the_older_ones() {
    let (fake, maker) = (session(), Arc::new(Maker::default()));
    let old = ask(&fake, &maker);
    let fake = with(fake, "USER", "eve");
    let eves = ask(&fake, &maker);
    let fake = with(with(fake, "USER", "ada"), "HOST", "login.example");
    let new = ask(&fake, &maker);
    let all = token::all(&fake).unwrap();
    let kept: Vec<_> = all.iter().map(|token| token.credential.password.expose()).collect();
    assert_eq!(kept.len(), 2);
    assert!(!kept.contains(&&*old) && kept.contains(&&*new) && kept.contains(&&*eves), "{kept:?}");
}

#[test]
fn a_token_is_not_kept_if_half_of_the_key_quota_is_in_use() {
    let free = KeyQuota { keys: 3, max_keys: 200, bytes: 100, max_bytes: 20_000 };
    for (quota, is_kept) in [
        (free, true),
        (KeyQuota { bytes: 9_990, ..free }, false),
        (KeyQuota { keys: 100, ..free }, false),
        (KeyQuota { keys: 150, bytes: 19_000, ..free }, false),
    ] {
        let (fake, maker) = (session().with_key_quota(quota), Arc::new(Maker::default()));
        assert_eq!(ask(&fake, &maker) == ask(&fake, &maker), is_kept, "{quota:?}");
        assert_eq!(token::room(&fake).is_ok(), is_kept, "{quota:?}");
    }
}

#[test]
fn replacing_a_token_needs_no_more_of_the_quota() {
    let maker = Arc::new(Maker::default());
    let fake = session();
    ask(&fake, &maker);
    let full = KeyQuota { keys: 100, max_keys: 200, bytes: 10_000, max_bytes: 20_000 };
    let fake = with(fake.with_key_quota(full), "HOST", "login.example");
    let token = ask(&fake, &maker);
    assert_eq!(ask(&fake, &maker), token);
}

#[test]
fn a_token_from_the_future_is_not_used() {
    let maker = Arc::new(Maker::default());
    let late = session().later(Duration::from_secs(3600));
    let token = ask(&late, &maker);
    let early = late.later(Duration::ZERO);
    assert_ne!(ask(&early, &maker), token);
}

#[test]
fn a_credential_with_the_policy_never_is_not_kept() {
    let (fake, maker) = (session(), Arc::new(Maker { cache_policy: CachePolicy::Never, ..Maker::default() }));
    assert_ne!(ask(&fake, &maker), ask(&fake, &maker));
    assert!(fake.shared_names("ringbearer:").unwrap().is_empty());
}

#[test]
fn a_token_for_waiters_is_found_by_waiters_alone() {
    // One that expires within the margin serves nobody else either.
    for (cache_policy, life) in [(CachePolicy::Waiters, 3600), (CachePolicy::Session, 299)] {
        let (fake, maker) = (session(), Arc::new(Maker { cache_policy, life, ..Maker::default() }));
        let token = ask(&fake, &maker);
        assert_eq!(token::all(&fake).unwrap(), []);
        let key = maker.cache_key(&fake, &Service::parse(URL)).unwrap();
        assert_eq!(token::get_for_waiters(&fake, "maker", &key).unwrap().credential.password.expose(), token);
        fake.advance(Duration::from_millis(1));
        assert_ne!(ask(&fake, &maker), token);
        fake.advance(Duration::from_secs(11));
        assert!(token::get_for_waiters(&fake, "maker", &key).is_none());
    }
}

#[test]
fn another_cache_mode_keeps_nothing_in_the_session() {
    for value in ["off", "memory", "unheard-of"] {
        let (fake, maker) = (session().variable(CACHE_VARIABLE, value), Arc::new(Maker::default()));
        assert_ne!(ask(&fake, &maker), ask(&fake, &maker), "{value}");
        assert_eq!(token::all(&fake).unwrap(), [], "{value}");
    }
}

#[test]
fn a_failure_is_shared_with_the_same_identity_host_and_moment() {
    let (fake, maker) = (session(), Arc::new(Maker::default()));
    let (here, start) = (Service::parse(URL), fake.now());
    let key = maker.cache_key(&fake, &here).unwrap();
    let error = Error::new(Kind::Rejected, "no").with_hint("do");
    failure::put(&fake, "maker", &key, &here, &error);
    let get = |key: &CacheKey, service: &Service, since| failure::get(&fake, "maker", key, service, since);
    let found = get(&key, &here, start).unwrap();
    assert_eq!((found.to_string(), found.lacks_login()), (error.to_string(), false));
    assert!(get(&CacheKey { identity: "eve".into(), ..key.clone() }, &here, start).is_none());
    assert!(get(&key, &Service::parse("https://other.example/"), start).is_none());
    assert!(get(&key, &here, start + Duration::from_secs(1)).is_none());
    failure::put(&fake, "maker", &key, &here, &error.of_missing_login());
    assert!(get(&key, &here, start).unwrap().lacks_login());
}

#[test]
fn a_failure_of_one_url_or_one_caller_is_not_shared() {
    let (maker, service) = (Arc::new(Maker::default()), Service::parse(URL));
    for error in [
        Error::new(Kind::Protocol, "no").of_one_url(),
        Error::new(Kind::Cancelled, "cancelled"),
        Error::new(Kind::Timeout, "late"),
    ] {
        let fake = session();
        let key = maker.cache_key(&fake, &service).unwrap();
        failure::put(&fake, "maker", &key, &service, &error);
        assert!(failure::get(&fake, "maker", &key, &service, fake.now()).is_none(), "{error}");
    }
}

#[test]
fn a_failure_is_not_found_by_later_processes() {
    let (fake, maker) = (session(), Arc::new(Maker { fails: true, ..Maker::default() }));
    for number in 1..3 {
        assert!(get(&fake, &candidate(&maker), &Service::parse(URL), CacheMode::Session).is_err());
        assert_eq!(maker.made.load(SeqCst), number);
        fake.advance(Duration::from_millis(1));
    }
}

#[test]
fn clearing_removes_every_token() {
    let (fake, maker) = (session(), Arc::new(Maker::default()));
    ask(&fake, &maker);
    let fake = with(fake, "USER", "eve");
    ask(&fake, &maker);
    let all = token::all(&fake).unwrap();
    assert_eq!(
        all.iter().map(|token| (token.registry.as_str(), token.realm.as_str())).collect::<Vec<_>>(),
        [("maker", "contoso"), ("maker", "contoso")]
    );
    assert_eq!(token::clear(&fake).unwrap(), 2);
    assert_eq!((token::all(&fake).unwrap().len(), fake.shared_names("ringbearer:").unwrap().len()), (0, 0));
}

#[test]
fn a_process_with_its_own_tokens_shares_a_miss_for_its_host() {
    let fake = session().variable("RINGBEARER_CACHE", "");
    let ask =
        |maker: Maker, url: &str| get(&fake, &candidate(&Arc::new(maker)), &Service::parse(url), CacheMode::Memory);
    let fails = || Maker { fails: true, ..Maker::default() };
    let of_one_url = || Maker { of_one_url: true, ..fails() };
    assert!(ask(of_one_url(), "feed.example").is_err());
    assert!(ask(fails(), URL).is_err());
    assert_eq!(ask(of_one_url(), "feed.example").unwrap(), None);
    assert!(ask(fails(), "feed.example").is_err(), "the failure is reported again, as by each process");
    assert!(token::all(&fake).unwrap().is_empty());
}

#[test]
fn a_host_alone_is_silent_for_ten_seconds_after_a_miss() {
    let (fake, maker) = (session(), Arc::new(Maker { fails: true, ..Maker::default() }));
    let ask = |url: &str| get(&fake, &candidate(&maker), &Service::parse(url), CacheMode::Session);
    assert!(ask("feed.example").is_err(), "nothing was reported");
    assert!(ask(URL).is_err());
    assert_eq!(ask("feed.example:443").unwrap(), None);
    assert!(ask("other.example").is_err());
    assert!(ask("https://feed.example/b/").is_err(), "only the host alone follows a miss");
    fake.advance(Duration::from_secs(10));
    assert!(ask("feed.example").is_err());
    let fake = with(fake, "RINGBEARER_CACHE", "memory");
    let memory = |url: &str| get(&fake, &candidate(&maker), &Service::parse(url), CacheMode::Session);
    assert!(memory(URL).is_err() && memory("feed.example").is_err(), "nothing is shared");
}

#[test]
fn a_refused_lookup_is_reported_once_for_a_url_and_its_host() {
    let (fake, maker) = (session(), Arc::new(Maker::default()));
    let ask = |url: &str| {
        let error = Error::new(Kind::Configuration, "no");
        refuse(&fake, &candidate(&maker), &Service::parse(url), CacheMode::Session, error)
    };
    assert!(ask("feed.example").is_err(), "nothing was reported");
    assert!(ask(URL).is_err() && ask(URL).is_err());
    assert_eq!(ask("feed.example").unwrap(), None);
    assert_eq!(maker.made.load(SeqCst), 0);
}

#[test]
fn clearing_removes_every_record_and_counts_tokens() {
    let (fake, maker) = (session(), Arc::new(Maker::default()));
    ask(&fake, &maker);
    fake.share("ringbearer:discovery:x", b"{}", Duration::from_secs(60)).unwrap();
    assert_eq!(token::all(&fake).unwrap().len(), 1);
    assert_eq!(token::clear(&fake), Ok(1));
    assert_eq!(fake.shared_names("ringbearer:").unwrap(), [""; 0]);
}
