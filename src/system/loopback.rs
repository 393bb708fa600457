//! A listener on the loopback interface, which a browser is redirected to (RFC 8252, section 7.3).

use std::time::Duration;

use zeroize::Zeroizing;

use crate::error::Result;

/// The loopback interface.
pub(crate) trait Loopback {
    /// Listens on 127.0.0.1 and, where the machine has IPv6, on `[::1]`, on one port that the operating system chooses: a
    /// browser may resolve `localhost` to either.
    fn listen(&self) -> Result<Box<dyn LoopbackListener>>;
}

/// A listener, which stops when it is dropped.
pub(crate) trait LoopbackListener {
    /// The port.
    fn port(&self) -> u16;

    /// The next whole request; `None` after `wait` without one. A request that is malformed, too long or too slow is answered
    /// here and does not delay others. Fails at the end of the lookup.
    fn next_request(&mut self, wait: Duration) -> Result<Option<Incoming>>;

    /// Answers every other request with a page, all at once, within `limit`. Best effort.
    fn answer_rest(&mut self, page: &Page, limit: Duration);
}

/// A request, and the connection that waits for its answer. Dropping it closes the connection.
pub(crate) struct Incoming {
    /// The request.
    pub(crate) request: BrowserRequest,
    answer: Box<dyn FnOnce(&Page) + Send>,
}

impl Incoming {
    /// A request with the function that answers it.
    pub(crate) fn new(request: BrowserRequest, answer: impl FnOnce(&Page) + Send + 'static) -> Self {
        Self { request, answer: Box::new(answer) }
    }

    /// Answers it and closes the connection. Best effort: the browser may be gone.
    pub(crate) fn answer(self, page: &Page) {
        (self.answer)(page);
    }
}

/// A request of a browser.
pub(crate) struct BrowserRequest {
    /// The method, such as `POST`.
    pub(crate) method: String,
    /// The path and the query, which may hold a code.
    pub(crate) target: Zeroizing<String>,
    /// The header `Host`, if there is exactly one.
    pub(crate) host: Option<String>,
    /// The media type of the body, without parameters, in lower case; empty without one.
    pub(crate) content_type: String,
    /// The body, which may be secret.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// A web page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The whole HTML document, which loads nothing.
    pub(crate) html: String,
}
