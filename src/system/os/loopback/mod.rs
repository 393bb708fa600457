//! The listener that a browser is redirected to.
//!
//! One thread, that of the lookup, serves all connections with non-blocking sockets: one that stays silent delays none.
//!
//! - `request`: reads the bytes of a request
//! - `reader`: a connection whose request is arriving
//! - `reply`: a connection that a page is sent to

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod reader;
mod reply;
mod request;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use self::{
    reader::{Progress, Reader},
    reply::Reply,
};
use super::{
    OsSystem,
    clock::{POLL_INTERVAL, check},
};
use crate::{
    error::{Error, Kind, Result},
    system::{
        CancellationToken, Clock, io_message,
        loopback::{BrowserRequest, Incoming, Loopback, LoopbackListener, Page},
    },
};

/// How many connections may wait for the rest of their request, or for their page to be received. A further one closes
/// the oldest.
const MAX_CONNECTIONS: usize = 32;

/// How many connections are accepted from each address at a time: each is read once before another can close it.
const MAX_ACCEPTED: usize = MAX_CONNECTIONS / 2;

/// How many ports are tried until one is free on both addresses.
const MAX_PORTS: usize = 20;

impl Loopback for OsSystem {
    fn listen(&self) -> Result<Box<dyn LoopbackListener>> {
        self.check()?;
        let (port, sockets) = bind().map_err(|error| {
            let message = format!("no port of the loopback interface is available: {}", io_message(&error));
            Error::new(Kind::Network, message).with_source(&error)
        })?;
        Ok(Box::new(Listener {
            port,
            sockets,
            readers: Vec::new(),
            replies: Vec::new(),
            ready: VecDeque::new(),
            cancellation: self.cancellation(),
            deadline: self.deadline,
        }))
    }
}

/// Listens on one port of both addresses; on 127.0.0.1 alone where the machine has no IPv6.
fn bind() -> io::Result<(u16, Vec<TcpListener>)> {
    let mut ports = 1;
    loop {
        let (port, first) = bind_to(Ipv4Addr::LOCALHOST.into(), 0)?;
        match bind_to(Ipv6Addr::LOCALHOST.into(), port) {
            Ok((_, second)) => return Ok((port, vec![first, second])),
            // Windows denies the ports that it excludes, for each address family of its own.
            Err(error) if matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {
                if ports == MAX_PORTS {
                    return Err(error);
                }
                ports += 1;
            }
            Err(_) => return Ok((port, vec![first])),
        }
    }
}

fn bind_to(address: IpAddr, port: u16) -> io::Result<(u16, TcpListener)> {
    let socket = TcpListener::bind((address, port))?;
    socket.set_nonblocking(true)?;
    Ok((socket.local_addr()?.port(), socket))
}

/// The listener of one lookup.
struct Listener {
    port: u16,
    sockets: Vec<TcpListener>,
    readers: Vec<Reader>,
    /// The answers to refused requests.
    replies: Vec<Reply>,
    /// Whole requests, first come first served.
    ready: VecDeque<(BrowserRequest, TcpStream)>,
    cancellation: CancellationToken,
    deadline: Instant,
}

impl Listener {
    /// Does what is possible without waiting.
    fn advance(&mut self) {
        self.accept();
        for reader in std::mem::take(&mut self.readers) {
            match reader.advance() {
                Progress::Partial(reader) => self.readers.push(reader),
                Progress::Whole(request, stream) => self.ready.push_back((request, stream)),
                Progress::Refused(refusal, stream) => push(&mut self.replies, Reply::new(stream, &refusal.page())),
                Progress::Closed => {}
            }
        }
        self.replies.retain_mut(|reply| !reply.advance());
    }

    fn accept(&mut self) {
        for socket in &self.sockets {
            // An error concerns one connection, or passes, like a lack of file descriptors.
            let accepted = std::iter::from_fn(|| socket.accept().ok()).take(MAX_ACCEPTED);
            for (stream, _) in accepted {
                if stream.set_nonblocking(true).is_ok() {
                    push(&mut self.readers, Reader::new(stream));
                }
            }
        }
    }
}

/// Adds a connection, and closes the oldest if there are too many.
fn push<Connection>(connections: &mut Vec<Connection>, connection: Connection) {
    if connections.len() >= MAX_CONNECTIONS {
        connections.remove(0);
    }
    connections.push(connection);
}

impl LoopbackListener for Listener {
    fn port(&self) -> u16 {
        self.port
    }

    fn next_request(&mut self, wait: Duration) -> Result<Option<Incoming>> {
        let start = Instant::now();
        loop {
            check(&self.cancellation, self.deadline)?;
            if self.ready.is_empty() {
                self.advance();
            }
            if let Some((request, stream)) = self.ready.pop_front() {
                let cancellation = self.cancellation.clone();
                let answer = move |page: &_| Reply::new(stream, page).finish(&cancellation);
                return Ok(Some(Incoming::new(request, answer)));
            }
            let left = wait.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            thread::sleep(left.min(POLL_INTERVAL));
        }
    }

    fn answer_rest(&mut self, page: &Page, limit: Duration) {
        let start = Instant::now();
        loop {
            self.advance();
            for (_, stream) in self.ready.drain(..) {
                push(&mut self.replies, Reply::new(stream, page));
            }
            if self.replies.is_empty() || start.elapsed() >= limit || self.cancellation.is_cancelled() {
                return;
            }
            thread::sleep(POLL_INTERVAL);
        }
    }
}
