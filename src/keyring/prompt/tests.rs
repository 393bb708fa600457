use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use url::Url;

use super::*;
use crate::{
    auth::{cache_key::CacheKey, cache_policy::CachePolicy},
    error::Kind,
    registry::{
        CredentialSource, Registry,
        sign_in::{Login, SignedIn, Step},
    },
    secret::Secret,
    system::{
        Clock, Env, Platform,
        fake::{FakeSystem, absolute},
    },
};

const INDEX: &str = "https://feed.example/contoso/simple/";

/// A registry that needs a sign-in.
struct Feed {
    /// How often it was asked for a credential, and how often a person signed in.
    asked: AtomicU32,
    signed_in: AtomicU32,
    /// Whether there is a login.
    has_login: AtomicBool,
    has_approved: bool,
    never: Option<&'static str>,
    failure: Error,
    /// What happens before the person is asked.
    before: Mutex<Result<()>>,
    /// Whether the login host gives a code.
    code: Mutex<Result<()>>,
    outcome: Mutex<Result<CachePolicy>>,
    wanted: Mutex<Vec<bool>>,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            asked: AtomicU32::default(),
            signed_in: AtomicU32::default(),
            has_login: AtomicBool::default(),
            has_approved: false,
            never: None,
            failure: failure().of_missing_login(),
            before: Mutex::new(Ok(())),
            code: Mutex::new(Ok(())),
            outcome: Mutex::new(Ok(CachePolicy::Session)),
            wanted: Mutex::default(),
        }
    }
}

fn failure() -> Error {
    Error::new(Kind::Exhausted, "no login served")
}

fn credential(system: &dyn System, cache_policy: CachePolicy) -> Credential {
    let expires = Some(system.now() + Duration::from_secs(3600));
    let password = Secret::new("pass".to_owned());
    Credential { username: "user".to_owned(), password, expires, owner: None, cache_policy }
}

impl CredentialSource for Arc<Feed> {
    fn claims(&self, _: &dyn Env, _: &Service) -> bool {
        true
    }

    fn get(&self, system: &dyn System, _: &Service) -> Result<Option<Credential>> {
        self.asked.fetch_add(1, SeqCst);
        if self.has_login.load(SeqCst) {
            return Ok(Some(credential(system, CachePolicy::Session)));
        }
        Err(self.failure.clone())
    }

    fn cache_key(&self, _: &dyn System, _: &Service) -> Option<CacheKey> {
        Some(CacheKey { realm: "contoso".into(), identity: "ada".into(), login: "1".into() })
    }

    fn index_url(&self, service: &Service) -> Option<Url> {
        crate::registry::with_ending(service, "/upload", "/simple/")
    }

    fn sign_in(&self) -> Option<&dyn SignIn> {
        Some(self)
    }
}

impl SignIn for Arc<Feed> {
    fn sign_in(&self, system: &dyn System, wanted: &Wanted<'_>, show: &mut dyn FnMut(&Step<'_>)) -> Result<SignedIn> {
        self.signed_in.fetch_add(1, SeqCst);
        self.wanted.lock().unwrap().push(wanted.must_be_kept);
        self.before.lock().unwrap().clone()?;
        show(&Step::Begins { index: "contoso\u{1b}[2J", organisation: "", tenant: "t-1" });
        self.code.lock().unwrap().clone()?;
        show(&Step::Code {
            url: "https://login.example/device",
            code: "ABCD\u{7}",
            expires_in: Duration::from_secs(900),
        });
        assert!(refusal::is_recent(system), "a killed sign-in leaves no refusal");
        for seconds in [900, 115, 61, 60, 5] {
            show(&Step::Waits { remaining: Duration::from_secs(seconds) });
        }
        let cache_policy = self.outcome.lock().unwrap().clone()?;
        let login = Login {
            account: "ada@contoso.example".to_owned(),
            organisations: Vec::new(),
            kept_in: None,
            signed_in: system.now(),
            life: String::new(),
        };
        Ok(SignedIn { login, credential: credential(system, cache_policy) })
    }

    fn never_prompts(&self, _: &dyn System) -> Option<String> {
        self.never.map(str::to_owned)
    }

    fn has_approved(&self, _: &dyn System, _: &Service) -> bool {
        self.has_approved
    }

    fn logins(&self, _: &dyn System) -> Result<Vec<Login>> {
        Ok(Vec::new())
    }

    fn sign_out(&self, _: &dyn System, _: Option<&str>) -> Result<Vec<Login>> {
        Ok(Vec::new())
    }
}

static FEED: Registry = Registry::stub("feed", 1.0, || Box::new(Arc::new(Feed::default())));

/// A person at a terminal, whose settings of uv name the index.
fn system() -> FakeSystem {
    let system = FakeSystem::default().on(Platform::Linux).variable("HOME", &absolute("/home/ada")).with_terminal();
    system.variable(LOGIN_VARIABLE, "prompt").variable("UV_INDEX", INDEX)
}

fn ask_for(system: &FakeSystem, feed: &Arc<Feed>, url: &str, default: CacheMode) -> Result<bool> {
    let candidate = Candidate { registry: &FEED, source: Box::new(Arc::clone(feed)) };
    candidate.get(system, &Service::parse(url), None, default).map(|found| found.is_some())
}

fn ask(system: &FakeSystem, feed: &Arc<Feed>) -> Result<bool> {
    ask_for(system, feed, INDEX, CacheMode::Memory)
}

fn prompts(system: &FakeSystem, feed: &Arc<Feed>) -> bool {
    let before = feed.signed_in.load(SeqCst);
    let outcome = ask(system, feed);
    let is_prompted = feed.signed_in.load(SeqCst) > before;
    if !is_prompted {
        assert_eq!(outcome, Err(feed.failure.clone()), "the failure is reported as before");
    }
    is_prompted
}

#[test]
fn each_condition_alone_prevents_the_prompt() {
    let feed = || Arc::new(Feed::default());
    assert!(prompts(&system(), &feed()));
    let set = |name: &str, value: &str| system().variable(name, value);
    for (what, system) in [
        ("unset", set(LOGIN_VARIABLE, "")),
        ("never", set(LOGIN_VARIABLE, "never")),
        ("an unknown value", set(LOGIN_VARIABLE, "always")),
        ("CI", set("CI", "true")),
        ("a CI system", set("TF_BUILD", "True")),
        ("pip's variable", set("PIP_NO_INPUT", "1")),
        ("pip's file", system().file("/home/ada/.config/pip/pip.conf", "[global]\nno-input = true\n")),
        ("an index of no setting", set("UV_INDEX", "")),
        ("another index", set("UV_INDEX", "https://feed.example/fabrikam/simple/")),
        ("a host", set("UV_INDEX", "https://feed.example/")),
        ("an index that begins alike", set("UV_INDEX", "https://feed.example/contoso/simple/ab")),
        ("no directory for the lock", set("HOME", "").variable("XDG_CACHE_HOME", "")),
    ] {
        let feed = feed();
        assert!(!prompts(&system, &feed), "{what}");
        assert_eq!(system.terminal_text(), "", "{what}");
    }
    let without_terminal = FakeSystem::default().home("/home/ada").variable(LOGIN_VARIABLE, "prompt");
    assert!(!prompts(&without_terminal.variable("UV_INDEX", INDEX), &feed()), "no terminal");
    let never = Feed { never: Some("NONINTERACTIVE is set"), ..Feed::default() };
    assert!(!prompts(&system(), &Arc::new(never)), "the registry's own variable");
    let other = Feed { failure: failure(), ..Feed::default() };
    assert!(!prompts(&system(), &Arc::new(other)), "another failure than a missing login");
}

#[test]
fn an_index_that_only_the_repository_names_is_not_signed_in_to() {
    let named = format!("[[index]]\nname = \"tools\"\nurl = \"{INDEX}\"\n");
    let pip = format!("[global]\nindex-url = {INDEX}\n");
    let poetry = format!("[repositories.tools]\nurl = \"{INDEX}\"\n");
    let project = format!("[[tool.poetry.source]]\nname = \"tools\"\nurl = \"{INDEX}\"\n");
    for (path, content, is_named) in [
        ("/home/ada/.config/uv/uv.toml", &named, true),
        ("/home/ada/.config/pip/pip.conf", &pip, true),
        ("/home/ada/.config/pypoetry/config.toml", &poetry, true),
        ("/work/shop/uv.toml", &named, false),
        ("/work/shop/pyproject.toml", &project, false),
        ("/work/shop/poetry.toml", &poetry, false),
        ("/work/shop/.venv/pip.conf", &pip, false),
        ("uv.toml", &named, false),
        ("pip.conf", &pip, false),
    ] {
        let system = system().variable("UV_INDEX", "").in_directory("/work/shop").file(path, content);
        let system = system.variable("VIRTUAL_ENV", &absolute("/work/shop/.venv"));
        let system = if path.starts_with('/') {
            system
        } else {
            system.variable("UV_CONFIG_FILE", "uv.toml").variable("PIP_CONFIG_FILE", "pip.conf")
        };
        assert_eq!(prompts(&system, &Arc::new(Feed::default())), is_named, "{path}");
        let approved = Feed { has_approved: true, ..Feed::default() };
        assert!(prompts(&system, &Arc::new(approved)), "{path}");
    }
}

#[test]
fn an_upload_and_a_page_belong_to_the_index() {
    for (url, is_named) in [
        ("https://feed.example/contoso/simple", true),
        ("https://feed.example/contoso/simple/requests/", true),
        ("https://feed.example/contoso/upload", true),
        ("https://feed.example/fabrikam/upload", false),
        ("https://feed.example/contoso/simple-other/", false),
        ("https://feed.example/", false),
        ("feed.example", false),
    ] {
        assert_eq!(ask_for(&system(), &Arc::new(Feed::default()), url, CacheMode::Memory).is_ok(), is_named, "{url}");
    }
}

#[test]
fn the_steps_are_shown_on_the_terminal_and_escaped() {
    let (system, feed) = (system(), Arc::new(Feed::default()));
    assert_eq!(ask(&system, &feed), Ok(true));
    let expected = [
        "",
        r"ringbearer: contoso\u{1b}[2J needs a sign-in (tenant t-1); Ctrl-C cancels it",
        r"ringbearer: open https://login.example/device and enter the code ABCD\u{7}",
        "ringbearer: waiting, 2 minutes left",
        "ringbearer: waiting, 1 minute left",
        "ringbearer: signed in as ada@contoso.example",
        "",
    ];
    assert_eq!(system.terminal_text().split('\n').collect::<Vec<_>>(), expected);
}

#[test]
fn another_process_that_signs_in_is_waited_for() {
    let (system, feed) = (system().locked(3), Arc::new(Feed::default()));
    let candidate = Candidate { registry: &FEED, source: Box::new(Arc::clone(&feed)) };
    let service = Service::parse(INDEX);
    // The other process ends its sign-in before the lookup is repeated.
    let found = sign_in(&system, (&candidate, &feed), &service, CacheMode::Memory, failure(), || {
        feed.has_login.store(true, SeqCst);
        candidate.source.get(&system, &service)
    });
    assert!(found.unwrap().is_some());
    assert_eq!((feed.signed_in.load(SeqCst), system.pauses().len()), (0, 3));
}

#[test]
fn a_wait_for_another_process_ends_with_the_lookup() {
    let (busy, feed) = (system().locked(u32::MAX), Arc::new(Feed::default()));
    assert!(!prompts(&busy, &feed));
    assert!(busy.remaining() < Duration::from_secs(1));
    let cancelled = system().locked(u32::MAX);
    cancelled.cancellation().cancel();
    assert_eq!(turn::wait(&cancelled).err().map(|error| error.kind()), Some(Kind::Cancelled));
}

#[test]
fn a_refusal_of_another_process_is_final_for_those_that_waited() {
    let (system, feed) = (system().locked(2), Arc::new(Feed::default()));
    refusal::record(&system);
    assert!(!prompts(&system, &feed));
    assert_eq!(feed.asked.load(SeqCst), 1, "the lookup was repeated");
}

#[test]
fn a_refusal_prevents_the_prompt_for_ten_minutes() {
    for kind in [Kind::Rejected, Kind::Timeout, Kind::Cancelled, Kind::Network] {
        let feed = Arc::new(Feed::default());
        *feed.outcome.lock().unwrap() = Err(Error::new(kind, "the sign-in ended"));
        let early = system();
        let error = ask(&early, &feed).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(error.message().starts_with("no credential for contoso"), kind != Kind::Cancelled);
        assert!(!prompts(&early, &feed), "{kind:?}");
        let late = early.later(Duration::from_secs(599));
        assert!(!prompts(&late, &feed), "{kind:?}");
        *feed.outcome.lock().unwrap() = Ok(CachePolicy::Never);
        let later = late.later(Duration::from_secs(600));
        assert!(prompts(&later, &feed), "{kind:?}");
        assert!(prompts(&later, &feed), "success leaves no refusal");
    }
}

#[test]
fn a_failure_before_the_person_is_asked_is_no_refusal() {
    let (system, feed) = (system(), Arc::new(Feed::default()));
    *feed.before.lock().unwrap() = Err(Error::new(Kind::Configuration, "no store works"));
    let error = ask(&system, &feed).unwrap_err();
    assert_eq!(error.message(), "no credential for feed.example: no store works");
    *feed.before.lock().unwrap() = Ok(());
    *feed.code.lock().unwrap() = Err(Error::new(Kind::Network, "the login host cannot be reached"));
    assert!(prompts(&system, &feed));
    *feed.code.lock().unwrap() = Ok(());
    assert!(prompts(&system, &feed), "nobody was asked");
}

#[test]
fn a_refusal_in_the_future_or_of_another_form_is_none() {
    for content in ["99999999999", "soon", "", "1\n2"] {
        let system = system().file("/home/ada/.cache/ringbearer/login-refused", content);
        assert!(prompts(&system, &Arc::new(Feed::default())), "{content}");
    }
}

#[test]
fn the_credential_is_cached_as_that_of_a_lookup() {
    for (policy, mode, is_cached) in [
        (CachePolicy::Session, CacheMode::Session, true),
        (CachePolicy::Never, CacheMode::Session, false),
        (CachePolicy::Session, CacheMode::Memory, false),
        (CachePolicy::Session, CacheMode::Off, false),
    ] {
        let (system, feed) = (system(), Arc::new(Feed::default()));
        *feed.outcome.lock().unwrap() = Ok(policy);
        for _ in 0..2 {
            assert_eq!(ask_for(&system, &feed, INDEX, mode), Ok(true));
        }
        assert_eq!(feed.signed_in.load(SeqCst), if is_cached { 1 } else { 2 }, "{policy:?} {mode:?}");
    }
}

#[test]
fn a_login_that_cannot_be_kept_serves_once() {
    let feed = Arc::new(Feed::default());
    ask(&system(), &feed).unwrap();
    assert_eq!(*feed.wanted.lock().unwrap(), [false]);
}
