//! Name resolution with a time limit, on a thread of its own: the system's resolver has none. ureq's does the same, but
//! panics if the thread cannot be started.

use std::{
    fmt, io,
    net::{SocketAddr, ToSocketAddrs},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
};

use ureq::{
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

/// The capacity of ureq's list.
const MAX_ADDRESSES: usize = 16;

/// Resolves names, and returns addresses unchanged.
#[derive(Debug)]
pub(super) struct ThreadedResolver;

/// Why a name has no address.
#[derive(Debug)]
pub(super) enum Unresolved {
    /// The system's resolver failed.
    Unknown { name: String, reason: io::Error },
    /// The thread cannot be started.
    NoThread(io::Error),
}

impl fmt::Display for Unresolved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("no address")
    }
}

impl std::error::Error for Unresolved {}

impl From<Unresolved> for ureq::Error {
    fn from(unresolved: Unresolved) -> Self {
        Self::Other(Box::new(unresolved))
    }
}

impl Resolver for ThreadedResolver {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let name = uri.host().ok_or(ureq::Error::HostNotFound)?.to_owned();
        let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
            Some("http") => 80,
            // The default of ureq's proxies, and of SOCKS (RFC 1928, section 3).
            Some(scheme) if scheme.starts_with("socks") => 1080,
            _ => 443,
        });
        let address = format!("{name}:{port}");
        let found = match address.parse() {
            Ok(address) => vec![address],
            Err(_) => look_up(name, address, timeout)?,
        };
        let mut addresses = self.empty();
        for address in found.into_iter().take(MAX_ADDRESSES) {
            addresses.push(address);
        }
        if addresses.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(addresses) }
    }
}

fn look_up(name: String, address: String, timeout: NextTimeout) -> Result<Vec<SocketAddr>, ureq::Error> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let work = move || drop(sender.send(address.to_socket_addrs().map(Vec::from_iter)));
    thread::Builder::new().name("ringbearer-name".to_owned()).spawn(work).map_err(Unresolved::NoThread)?;
    match receiver.recv_timeout(*timeout.after) {
        Ok(found) => Ok(found.map_err(|reason| Unresolved::Unknown { name, reason })?),
        Err(RecvTimeoutError::Timeout) => Err(ureq::Error::Timeout(timeout.reason)),
        Err(RecvTimeoutError::Disconnected) => Err(ureq::Error::HostNotFound),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn resolve(uri: &str) -> Result<Vec<String>, ureq::Error> {
        let timeout = NextTimeout { after: Duration::from_secs(5).into(), ..NextTimeout::default() };
        let found = ThreadedResolver.resolve(&uri.parse().unwrap(), &Config::default(), timeout)?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn addresses_are_taken_as_they_are_with_the_port_of_the_scheme() {
        for (uri, address) in [
            ("https://127.0.0.1/x", "127.0.0.1:443"),
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://[::1]", "[::1]:80"),
            ("socks5://127.0.0.1", "127.0.0.1:1080"),
        ] {
            assert_eq!(resolve(uri).unwrap(), [address], "{uri}");
        }
    }

    #[test]
    fn names_are_resolved_or_the_reason_is_kept() {
        assert!(resolve("https://localhost").unwrap().iter().all(|address| address.ends_with(":443")));
        // A label has at most 63 letters: no server is asked.
        let name = format!("{}.example", "x".repeat(64));
        let Err(ureq::Error::Other(error)) = resolve(&format!("https://{name}")) else { panic!("it has an address") };
        let unresolved = error.downcast::<Unresolved>().unwrap();
        assert!(matches!(*unresolved, Unresolved::Unknown { name: of, .. } if of == name));
    }
}
