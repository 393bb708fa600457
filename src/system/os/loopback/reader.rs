//! A connection whose request is arriving.

use std::{
    io::{self, Read},
    net::TcpStream,
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use super::request::{MAX_REQUEST, Refusal, parse};
use crate::system::loopback::BrowserRequest;

/// The limit for a whole request, however its bytes arrive.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// A connection without a whole request.
pub(super) struct Reader {
    stream: TcpStream,
    /// Never grows: a vector that reallocates leaves its old content unwiped.
    buffer: Zeroizing<Vec<u8>>,
    length: usize,
    deadline: Instant,
}

/// What became of a connection.
pub(super) enum Progress {
    /// The request is not whole.
    Partial(Reader),
    /// The request is whole.
    Whole(BrowserRequest, TcpStream),
    /// The request is refused.
    Refused(Refusal, TcpStream),
    /// The client closed the connection.
    Closed,
}

impl Reader {
    /// Reads from a new connection, which does not block.
    pub(super) fn new(stream: TcpStream) -> Self {
        let buffer = Zeroizing::new(vec![0; MAX_REQUEST]);
        Self { stream, buffer, length: 0, deadline: Instant::now() + REQUEST_LIMIT }
    }

    /// Reads what has arrived.
    pub(super) fn advance(mut self) -> Progress {
        let Ok(is_open) = self.receive() else { return Progress::Closed };
        match parse(&self.buffer[..self.length]) {
            Ok(Some(request)) => Progress::Whole(request, self.stream),
            Err(refusal) => Progress::Refused(refusal, self.stream),
            Ok(None) if !is_open => Progress::Closed,
            Ok(None) if Instant::now() >= self.deadline => Progress::Refused(Refusal::Slow, self.stream),
            Ok(None) => Progress::Partial(self),
        }
    }

    /// Fills the buffer with what has arrived. Returns whether more may follow.
    fn receive(&mut self) -> io::Result<bool> {
        while self.length < self.buffer.len() {
            match self.stream.read(&mut self.buffer[self.length..]) {
                Ok(0) => return Ok(false),
                Ok(read) => self.length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
