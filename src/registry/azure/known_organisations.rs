//! The results of discovery by organisation, kept so that later lookups skip the request.
//!
//! They are not secret. By default the processes of a login session share them, like tokens; with RINGBEARER_CACHE=memory,
//! or without shared memory, they stay in this process; with `off` they are not kept. A record is checked like the answer of
//! a feed each time it is read. A lookup that fails with one asks the feed again.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use log::debug;
use serde::{Deserialize, Serialize};

use super::{REGISTRY, discovery::Discovery, feed::Feed};
use crate::{
    auth::{
        cache_key::Digest,
        cache_mode::CacheMode,
        shared_record::{self, opaque_name, share, since_1970},
    },
    system::{System, places},
    variable::{self, Role},
};

/// How long an answer is kept. Organisations rarely move to another tenant.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The organisations that this process knows.
#[derive(Default)]
pub(super) struct KnownOrganisations {
    /// The last answer for each organisation, for public feeds whose answers lack it at times.
    last: Mutex<HashMap<String, Discovery>>,
    /// Answers that replace a request, and when they expire.
    kept: Mutex<HashMap<String, (Discovery, SystemTime)>>,
}

impl KnownOrganisations {
    /// The last answer of any feed of the organisation.
    pub(super) fn last(&self, feed: &Feed) -> Option<Discovery> {
        lock(&self.last).get(&feed.organisation_key()).cloned()
    }

    /// The answer that is kept for this feed.
    pub(super) fn kept(&self, system: &dyn System, feed: &Feed) -> Option<Discovery> {
        let name = name(system, feed);
        match mode(system) {
            CacheMode::Off => None,
            CacheMode::Session => read(&system.shared(&name)?, feed, system.now()),
            CacheMode::Memory => {
                let kept = lock(&self.kept);
                kept.get(&name).filter(|(_, until)| system.now() < *until).map(|(discovery, _)| discovery.clone())
            }
        }
    }

    /// Keeps an answer that has passed every check. Best effort: a failed write is logged.
    pub(super) fn keep(&self, system: &dyn System, feed: &Feed, discovery: &Discovery) {
        lock(&self.last).insert(feed.organisation_key(), discovery.clone());
        let (now, name) = (system.now(), name(system, feed));
        match mode(system) {
            CacheMode::Off => {}
            CacheMode::Memory => {
                lock(&self.kept).insert(name, (discovery.clone(), now + LIFETIME));
            }
            CacheMode::Session => {
                let Some(written) = since_1970(now) else { return };
                if let Err(reason) = share(system, &name, &Record::of(discovery, written), LIFETIME, 0) {
                    debug!("the tenant of {} is not kept: {reason}", feed.shown());
                }
            }
        }
    }

    /// Drops the answer that is kept for this feed.
    pub(super) fn forget(&self, system: &dyn System, feed: &Feed) {
        let name = name(system, feed);
        lock(&self.kept).remove(&name);
        if mode(system) == CacheMode::Session {
            system.unshare(&name);
        }
    }
}

/// Where answers are kept: in the session by default, if there is shared memory.
fn mode(system: &dyn System) -> CacheMode {
    match CacheMode::read(system, CacheMode::Session) {
        Ok(CacheMode::Session) if system.sharing().is_err() => CacheMode::Memory,
        Ok(mode) => mode,
        Err(_) => CacheMode::Off,
    }
}

/// The name for an organisation at a host, as this user reaches it: another proxy may lead to another network.
fn name(system: &dyn System, feed: &Feed) -> String {
    let network = variable::COMMON.iter().filter(|variable| variable.role == Role::Network);
    let digest = Digest::new()
        .field("organisation", feed.organisation_key().as_bytes())
        .field("host", feed.url().host_str().unwrap_or_default().as_bytes())
        .variables(system, network.map(|variable| variable.name))
        .paths(places::home(system))
        .finish();
    format!("{}discovery:{}", shared_record::PREFIX, opaque_name(REGISTRY.id, &[&digest]))
}

/// An answer as it is written.
#[derive(Serialize, Deserialize)]
struct Record<'all> {
    authorization_uri: Cow<'all, str>,
    authority: Cow<'all, str>,
    /// Since 1970.
    written: Duration,
}

impl<'all> Record<'all> {
    fn of(discovery: &'all Discovery, written: Duration) -> Self {
        let (authorization_uri, authority) = (discovery.tenant.authorization_uri(), discovery.authority.as_str());
        Self { authorization_uri: authorization_uri.into(), authority: authority.into(), written }
    }
}

/// Reads a record. It is foreign data: the checks are those of a feed's answer. One from the future means that the clock was
/// set back, and its age is unknown.
pub(super) fn read(text: &[u8], feed: &Feed, now: SystemTime) -> Option<Discovery> {
    let record: Record<'_> = serde_json::from_slice(text).ok()?;
    let written = SystemTime::UNIX_EPOCH.checked_add(record.written)?;
    let age = now.duration_since(written).ok()?;
    (age < LIFETIME).then(|| Discovery::check(&record.authorization_uri, &record.authority, feed).ok())?
}

fn lock<Value>(mutex: &Mutex<Value>) -> MutexGuard<'_, Value> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;
    use crate::{
        auth::cache_mode::CACHE_VARIABLE,
        registry::azure::entra::Tenant,
        service::Service,
        system::{Clock, SharedMemory, fake::FakeSystem, shared_memory::KeyQuota},
    };

    const FEED: &str = "https://pkgs.dev.azure.com/contoso/_packaging/feed/pypi/simple/";

    fn feed(url: &str) -> Feed {
        Feed::from_service(&Service::parse(url)).unwrap()
    }

    fn discovery() -> Discovery {
        let authority = Url::parse("https://vssps.dev.azure.com/contoso/").unwrap();
        Discovery { tenant: Tenant::new("72f988bf-86f1-41af-91ab-2d7cd011db47").unwrap(), authority }
    }

    fn knows(fake: &FakeSystem, url: &str) -> bool {
        let kept = KnownOrganisations::default().kept(fake, &feed(url));
        assert!(kept.is_none() || kept == Some(discovery()));
        kept.is_some()
    }

    fn keep(fake: &FakeSystem) {
        KnownOrganisations::default().keep(fake, &feed(FEED), &discovery());
    }

    #[test]
    fn an_organisation_is_known_to_later_processes_for_a_day() {
        let fake = FakeSystem::default();
        keep(&fake);
        assert!(knows(&fake, FEED));
        assert!(knows(&fake, "https://pkgs.dev.azure.com/Contoso/project/_packaging/other/pypi/upload/"));
        for other in ["https://pkgs.dev.azure.com/fabrikam/x", "https://contoso.pkgs.visualstudio.com/x"] {
            assert!(!knows(&fake, other), "{other}");
        }
        fake.advance(LIFETIME);
        assert!(!knows(&fake, FEED));
    }

    #[test]
    fn another_network_or_home_knows_nothing() {
        let fake = FakeSystem::default();
        keep(&fake);
        let fake = fake.variable("HTTPS_PROXY", "http://proxy:3128");
        assert!(!knows(&fake, FEED));
        keep(&fake);
        assert!(!knows(&fake.variable("SSL_CERT_FILE", "/ca.pem"), FEED));
        let fake = FakeSystem::default();
        keep(&fake);
        assert!(!knows(&fake.home("/home/eve"), FEED));
    }

    #[test]
    fn the_cache_mode_decides_where_it_is_kept() {
        for (mode, in_process, in_session) in
            [("session", true, true), ("memory", true, false), ("off", false, false), ("disk", false, false)]
        {
            let (fake, known) = (FakeSystem::default().variable(CACHE_VARIABLE, mode), KnownOrganisations::default());
            known.keep(&fake, &feed(FEED), &discovery());
            assert_eq!(
                (known.kept(&fake, &feed(FEED)).is_some(), knows(&fake, FEED)),
                (in_process, in_session),
                "{mode}"
            );
            assert_eq!(fake.shared_names("ringbearer:").unwrap().len(), usize::from(in_session), "{mode}");
            known.forget(&fake, &feed(FEED));
            assert_eq!(known.kept(&fake, &feed(FEED)), None);
            assert_eq!(fake.shared_names("ringbearer:").unwrap(), [""; 0]);
            assert_eq!(known.last(&feed(FEED)), Some(discovery()), "public feeds need it in every mode");
        }
    }

    #[test]
    fn a_full_key_quota_keeps_nothing() {
        let full = KeyQuota { keys: 100, max_keys: 200, bytes: 10_000, max_bytes: 20_000 };
        let fake = FakeSystem::default().with_key_quota(full);
        keep(&fake);
        assert!(!knows(&fake, FEED));
    }

    #[test]
    fn a_record_takes_little_of_the_key_quota() {
        let text = serde_json::to_vec(&Record::of(&discovery(), Duration::from_secs(1_800_000_000))).unwrap();
        let size = shared_record::quota_bytes(&name(&FakeSystem::default(), &feed(FEED)), &text);
        assert!(size < 300, "{size}");
    }

    #[test]
    fn a_record_is_checked_like_the_answer_of_a_feed() {
        let now = FakeSystem::default().now();
        let written = since_1970(now).unwrap().as_secs();
        let record = |uri: &str, authority: &str, written: u64| {
            let text = format!(
                r#"{{"authorization_uri":"{uri}","authority":"{authority}","written":{{"secs":{written},"nanos":0}}}}"#
            );
            read(text.as_bytes(), &feed(FEED), now)
        };
        let (uri, authority) =
            ("https://login.microsoftonline.com/contoso.example", "https://vssps.dev.azure.com/contoso/");
        assert!(record(uri, authority, written).is_some());
        for (uri, authority, written) in [
            ("https://login.example/contoso.example", authority, written),
            ("https://login.microsoftonline.com/--tenant", authority, written),
            (uri, "https://vssps.dev.azure.com.evil.example/contoso/", written),
            (uri, "https://vssps.dev.azure.com/fabrikam/", written),
            (uri, "http://vssps.dev.azure.com/contoso/", written),
            (uri, authority, written + 60),
            (uri, authority, written - LIFETIME.as_secs()),
            (uri, authority, u64::MAX),
        ] {
            assert_eq!(record(uri, authority, written), None, "{uri} {authority} {written}");
        }
    }

    proptest! {
        #[test]
        fn any_record_is_a_checked_answer_or_none(
            uri in "https://(login\\.microsoftonline\\.com|login\\.example)[/a-z.?@-]{0,12}",
            authority in "https?://([a-z]{1,8}\\.)?vssps\\.(dev\\.azure\\.com|codedev\\.ms|example)(:[0-9]{1,3})?/(contoso|fabrikam)?/?",
            age in 0_u64..200_000,
        ) {
            let now = FakeSystem::default().now();
            let written = since_1970(now).unwrap().saturating_sub(Duration::from_secs(age));
            let record = Record { authorization_uri: uri.into(), authority: authority.into(), written };
            if let Some(found) = read(&serde_json::to_vec(&record).unwrap(), &feed(FEED), now) {
                prop_assert!(age < LIFETIME.as_secs());
                let host = found.authority.host_str().unwrap();
                prop_assert!(["vssps", "app.vssps", "contoso.vssps"].iter().any(|name| host == format!("{name}.dev.azure.com")), "{}", host);
                prop_assert!(!found.authority.path().contains("fabrikam"));
                prop_assert_eq!(found.tenant.login_host, "login.microsoftonline.com");
            }
        }

        #[test]
        fn a_kept_answer_is_read_back_unchanged(id in "[a-z0-9][a-z0-9.-]{0,40}", host in "(app\\.)?vssps\\.dev\\.azure\\.com", path in "(contoso/)?") {
            let uri = format!("https://login.microsoftonline.us/{id}");
            let found = Discovery::check(&uri, &format!("https://{host}/{path}"), &feed(FEED)).unwrap();
            let fake = FakeSystem::default();
            KnownOrganisations::default().keep(&fake, &feed(FEED), &found);
            prop_assert_eq!(KnownOrganisations::default().kept(&fake, &feed(FEED)), Some(found));
        }
    }
}
