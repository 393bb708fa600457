//! Connections that are opened ahead: while another request is under way, and without a request of their own.
//!
//! A thread makes the connection as a request would, through the same proxy and with the same trust store, up to the end of
//! the TLS handshake. The request that follows takes it from [`Ahead`]; or the failure, as if it had connected itself.

use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use ureq::{
    Agent,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::{ConnectionDetails, Connector, NextTimeout, Transport},
    },
};

use super::{connector::LabellingConnector, resolver::ThreadedResolver};

/// The maximum age of an idle connection that is reused: ureq's default.
pub(super) const IDLE_LIMIT: Duration = Duration::from_secs(15);

/// An agent whose requests use the connections that were opened ahead.
#[derive(Debug, Clone)]
pub(super) struct AheadAgent {
    pub(super) agent: Agent,
    connector: Arc<LabellingConnector>,
    ahead: Arc<Ahead>,
}

impl AheadAgent {
    /// An agent with this configuration, which names its proxy.
    pub(super) fn new(config: Config) -> Self {
        let (connector, ahead) = (Arc::new(LabellingConnector::new(config.proxy())), Arc::new(Ahead::default()));
        let reusing = ReusingConnector { connector: Arc::clone(&connector), ahead: Arc::clone(&ahead) };
        let resolver = CachingResolver { ahead: Arc::clone(&ahead), resolver: ThreadedResolver };
        Self { agent: Agent::with_parts(config, reusing, resolver), connector, ahead }
    }

    /// Starts to open a connection to the host of a URL, unless one is probably idle.
    pub(super) fn open(&self, url: &str) -> Option<Opening> {
        // `CapturingConnector` captures connections with TLS only.
        let uri: Uri = url.parse().ok().filter(|uri: &Uri| uri.scheme_str() == Some("https"))?;
        let authority = uri.authority()?.to_string();
        let number = self.ahead.begin(&authority)?;
        let opening = Opening { ahead: Arc::clone(&self.ahead), number };
        let (agent, ahead) = (self.clone(), Arc::clone(&self.ahead));
        let started = thread::Builder::new().name("ringbearer-connect".to_owned()).spawn(move || {
            let outcome = agent.connect(uri, &authority);
            ahead.settle(number, Some(outcome));
        });
        // Without a thread the request connects by itself.
        started.is_ok().then_some(opening)
    }

    /// Waits for a connection to a host that is being opened. Returns the time that passed in vain: zero if one is usable.
    pub(super) fn wait(&self, authority: &str, limit: Duration) -> Duration {
        self.ahead.wait(authority, limit)
    }

    /// Notes that a request to a host has been answered, so that an idle connection remains.
    pub(super) fn answered(&self, authority: &str) {
        self.ahead.lock().answered.insert(authority.to_owned(), Instant::now());
    }

    fn connect(&self, uri: Uri, authority: &str) -> Outcome {
        let connection = Arc::default();
        let connector = CapturingConnector {
            connector: Arc::clone(&self.connector),
            authority: authority.to_owned(),
            connection: Arc::clone(&connection),
        };
        // The connector captures the connection, so that the request fails before a byte of it is sent.
        let agent = Agent::with_parts(self.agent.config().clone(), connector, ThreadedResolver);
        let failure = agent.get(uri).call().err().unwrap_or(ureq::Error::ConnectionFailed);
        lock(&connection).take().ok_or(failure)
    }
}

/// A connection that is being opened, or open and unused. Dropping it closes the connection.
#[derive(Debug)]
pub(in crate::system::os) struct Opening {
    ahead: Arc<Ahead>,
    number: u64,
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.ahead.settle(self.number, None);
    }
}

/// An open connection, and the addresses of its host.
#[derive(Debug)]
struct Connection {
    transport: Box<dyn Transport>,
    addresses: ResolvedSocketAddrs,
}

type Outcome = Result<Connection, ureq::Error>;

/// The connections of one agent that are opened ahead.
#[derive(Debug, Default)]
struct Ahead {
    state: Mutex<State>,
    settled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    slots: Vec<Slot>,
    next: u64,
    /// When each host last answered a request.
    answered: HashMap<String, Instant>,
}

#[derive(Debug)]
struct Slot {
    number: u64,
    authority: String,
    /// The outcome, once it is known, and since when.
    outcome: Option<(Outcome, Instant)>,
}

impl Slot {
    fn is_usable(&self, authority: &str) -> bool {
        self.authority == authority && self.outcome.as_ref().is_some_and(|(_, since)| since.elapsed() < IDLE_LIMIT)
    }
}

impl Ahead {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn begin(&self, authority: &str) -> Option<u64> {
        let mut state = self.lock();
        if state.answered.get(authority).is_some_and(|when| when.elapsed() < IDLE_LIMIT) {
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.slots.push(Slot { number, authority: authority.to_owned(), outcome: None });
        Some(number)
    }

    /// Stores the outcome of a slot that is still wanted; `None` removes the slot.
    fn settle(&self, number: u64, outcome: Option<Outcome>) {
        let mut state = self.lock();
        let place = state.slots.iter().position(|slot| slot.number == number);
        let unused = match (place, outcome) {
            (Some(place), Some(outcome)) => {
                state.slots[place].outcome = Some((outcome, Instant::now()));
                None
            }
            (Some(place), None) => state.slots.swap_remove(place).outcome.map(|(outcome, _)| outcome),
            (None, outcome) => outcome,
        };
        drop(state);
        self.settled.notify_all();
        // Closed without the lock.
        drop(unused);
    }

    fn wait(&self, authority: &str, limit: Duration) -> Duration {
        let start = Instant::now();
        let mut lost = Duration::ZERO;
        let mut state = self.lock();
        loop {
            if state.slots.iter().any(|slot| slot.is_usable(authority)) {
                return Duration::ZERO;
            }
            let is_pending = state.slots.iter().any(|slot| slot.authority == authority && slot.outcome.is_none());
            if !is_pending || lost >= limit {
                return lost.min(limit);
            }
            state =
                self.settled.wait_timeout(state, limit.saturating_sub(lost)).unwrap_or_else(PoisonError::into_inner).0;
            lost = start.elapsed();
        }
    }

    fn take(&self, authority: &str) -> Option<Outcome> {
        let mut state = self.lock();
        let place = state.slots.iter().position(|slot| slot.is_usable(authority))?;
        state.slots.swap_remove(place).outcome.map(|(outcome, _)| outcome)
    }

    /// The addresses of a host with an open connection, or the failure.
    fn addresses(&self, authority: &str) -> Option<Result<ResolvedSocketAddrs, ureq::Error>> {
        let state = self.lock();
        let slot = state.slots.iter().find(|slot| slot.is_usable(authority))?;
        if let Some((Ok(connection), _)) = &slot.outcome {
            return Some(Ok(connection.addresses.clone()));
        }
        drop(state);
        self.take(authority).map(|outcome| outcome.map(|connection| connection.addresses))
    }
}

/// Makes the connections of an agent, unless one was opened ahead.
#[derive(Debug)]
struct ReusingConnector {
    connector: Arc<LabellingConnector>,
    ahead: Arc<Ahead>,
}

impl Connector for ReusingConnector {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<()>) -> Result<Option<Self::Out>, ureq::Error> {
        let authority = details.uri.authority().filter(|_| details.needs_tls());
        match authority.and_then(|authority| self.ahead.take(authority.as_str())) {
            Some(outcome) => outcome.map(|connection| Some(connection.transport)),
            None => self.connector.connect(details, chained),
        }
    }
}

/// Captures the connection to one host, so that no request uses it.
#[derive(Debug)]
struct CapturingConnector {
    connector: Arc<LabellingConnector>,
    authority: String,
    connection: Arc<Mutex<Option<Connection>>>,
}

impl Connector for CapturingConnector {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<()>) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = self.connector.connect(details, chained)? else { return Ok(None) };
        let is_to_host = details.uri.authority().is_some_and(|authority| authority.as_str() == self.authority);
        if !(is_to_host && details.needs_tls() && transport.is_tls()) {
            // The connection to a proxy, on the way.
            return Ok(Some(transport));
        }
        *lock(&self.connection) = Some(Connection { transport, addresses: details.addrs.clone() });
        Ok(None)
    }
}

/// Resolves names, except those of hosts with a connection that was opened ahead.
#[derive(Debug)]
struct CachingResolver {
    ahead: Arc<Ahead>,
    resolver: ThreadedResolver,
}

impl Resolver for CachingResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let known = uri.authority().and_then(|authority| self.ahead.addresses(authority.as_str()));
        known.unwrap_or_else(|| self.resolver.resolve(uri, config, timeout))
    }
}

fn lock<Value>(mutex: &Mutex<Value>) -> MutexGuard<'_, Value> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "host.example";

    fn failure() -> Outcome {
        Err(ureq::Error::HostNotFound)
    }

    fn is_failure(outcome: Option<&Outcome>) -> bool {
        matches!(outcome, Some(Err(ureq::Error::HostNotFound)))
    }

    #[test]
    fn an_outcome_is_taken_once_and_by_its_host_alone() {
        let ahead = Ahead::default();
        let number = ahead.begin(HOST).unwrap();
        assert!(ahead.take(HOST).is_none(), "not known yet");
        ahead.settle(number, Some(failure()));
        assert!(ahead.take("host.example:8443").is_none() && ahead.addresses("other.example").is_none());
        assert!(is_failure(ahead.take(HOST).as_ref()));
        assert!(ahead.take(HOST).is_none());
    }

    #[test]
    fn the_resolver_reports_the_failure_in_place_of_the_connector() {
        let ahead = Ahead::default();
        let number = ahead.begin(HOST).unwrap();
        ahead.settle(number, Some(failure()));
        assert!(matches!(ahead.addresses(HOST), Some(Err(ureq::Error::HostNotFound))));
        assert!(ahead.take(HOST).is_none());
    }

    #[test]
    fn a_request_waits_for_its_host_within_its_limit() {
        let ahead = Arc::new(Ahead::default());
        assert_eq!(ahead.wait(HOST, Duration::from_secs(60)), Duration::ZERO, "nothing is being opened");
        let opening = Opening { ahead: Arc::clone(&ahead), number: ahead.begin(HOST).unwrap() };
        assert_eq!(ahead.wait("other.example", Duration::from_secs(60)), Duration::ZERO);
        let limit = Duration::from_millis(20);
        assert_eq!(ahead.wait(HOST, limit), limit);
        thread::scope(|scope| {
            scope.spawn(|| ahead.settle(opening.number, Some(failure())));
            assert_eq!(ahead.wait(HOST, Duration::from_secs(60)), Duration::ZERO);
        });
        assert!(is_failure(ahead.take(HOST).as_ref()));
    }

    #[test]
    fn the_end_of_a_lookup_drops_what_it_did_not_use() {
        let ahead = Arc::new(Ahead::default());
        let number = ahead.begin(HOST).unwrap();
        drop(Opening { ahead: Arc::clone(&ahead), number });
        assert_eq!(ahead.wait(HOST, Duration::from_secs(60)), Duration::ZERO, "no request waits for it");
        ahead.settle(number, Some(failure()));
        assert!(ahead.take(HOST).is_none());
        assert!(ahead.lock().slots.is_empty());
    }

    #[test]
    fn a_connection_without_tls_is_not_opened() {
        let agent = AheadAgent::new(Config::default());
        assert!(agent.open("http://127.0.0.1:1/").is_none() && agent.open("/").is_none());
    }

    #[test]
    fn a_host_that_has_just_answered_is_not_connected_to_again() {
        let agent = AheadAgent::new(Config::default());
        agent.answered(HOST);
        assert!(agent.ahead.begin(HOST).is_none() && agent.ahead.begin("other.example").is_some());
    }
}
