//! A connection that a page is sent to. What the client sends after its request is read before the close: unread data
//! would reset the connection, and the browser would show an error instead of the page (RFC 9112, section 9.6).

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use crate::system::{CancellationToken, loopback::Page, os::clock::POLL_INTERVAL};

/// The limit for sending the page.
const SEND_LIMIT: Duration = Duration::from_secs(5);

/// The limit for the client to close the connection once the page is sent.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// How much of a request that is refused unread is discarded, in bytes.
const MAX_DISCARDED: usize = 4 * 1024 * 1024;

/// The headers of every page: it loads nothing, is not stored, and is not shown inside another.
const HEADERS: &str = "Content-Type: text/html; charset=utf-8\r\n\
    Connection: close\r\n\
    Cache-Control: no-store\r\n\
    Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n\
    Referrer-Policy: no-referrer\r\n\
    X-Content-Type-Options: nosniff\r\n";

/// A page on its way.
pub(super) struct Reply {
    stream: TcpStream,
    response: Vec<u8>,
    sent: usize,
    discarded: usize,
    deadline: Instant,
}

impl Reply {
    /// Answers a request on a connection that does not block.
    pub(super) fn new(stream: TcpStream, page: &Page) -> Self {
        let Page { status, html } = page;
        let length = html.len();
        let response = format!("HTTP/1.1 {status} \r\n{HEADERS}Content-Length: {length}\r\n\r\n{html}").into_bytes();
        Self { stream, response, sent: 0, discarded: 0, deadline: Instant::now() + SEND_LIMIT }
    }

    /// Sends what the client takes now, then discards what it sends. Returns true once the connection may be closed.
    pub(super) fn advance(&mut self) -> bool {
        let is_sent = self.sent == self.response.len();
        let step = if is_sent { self.discard() } else { self.send().and_then(|()| self.discard()) };
        match step {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Instant::now() >= self.deadline,
            // The client has closed the connection, or sends without end.
            Ok(()) | Err(_) => true,
        }
    }

    /// Waits until the client has received the page and closed the connection, for as long as the limits allow.
    pub(super) fn finish(mut self, cancellation: &CancellationToken) {
        while !self.advance() && !cancellation.is_cancelled() {
            thread::sleep(POLL_INTERVAL);
        }
    }

    fn send(&mut self) -> io::Result<()> {
        while self.sent < self.response.len() {
            match self.stream.write(&self.response[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.deadline = Instant::now() + CLOSE_LIMIT;
        self.stream.shutdown(Shutdown::Write)
    }

    fn discard(&mut self) -> io::Result<()> {
        let mut chunk = Zeroizing::new([0; 8 * 1024]);
        while self.discarded < MAX_DISCARDED {
            match self.stream.read(&mut *chunk) {
                Ok(0) => break,
                Ok(read) => self.discarded += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
