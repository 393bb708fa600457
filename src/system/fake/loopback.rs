//! A listener whose requests a test writes.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use zeroize::Zeroizing;

use super::{FakeSystem, clock, lock};
use crate::{
    error::Result,
    system::{
        Clock,
        loopback::{BrowserRequest, Incoming, Loopback, LoopbackListener, Page},
    },
};

/// The port of every listener.
pub(crate) const PORT: u16 = 40_001;

#[derive(Default)]
pub(super) struct State {
    requests: VecDeque<BrowserRequest>,
    answers: Arc<Mutex<Vec<Page>>>,
}

impl FakeSystem {
    /// Adds a request, which the next listener receives. `head` is `METHOD TARGET HOST`, or `METHOD TARGET` without a
    /// host; a body is of a form.
    pub(crate) fn browser_request(self, head: &str, body: &str) -> Self {
        let mut words = head.split(' ').map(str::to_owned);
        let method = words.next().unwrap_or_default();
        let target = Zeroizing::new(words.next().unwrap_or_default());
        let content_type = if body.is_empty() { "" } else { "application/x-www-form-urlencoded" };
        lock(&self.loopback).requests.push_back(BrowserRequest {
            method,
            target,
            host: words.next(),
            content_type: content_type.to_owned(),
            body: Zeroizing::new(body.as_bytes().to_vec()),
        });
        self
    }

    /// The pages that the browser was answered with.
    pub(crate) fn pages(&self) -> Vec<Page> {
        let answers = Arc::clone(&lock(&self.loopback).answers);
        lock(&answers).clone()
    }
}

impl Loopback for FakeSystem {
    fn listen(&self) -> Result<Box<dyn LoopbackListener>> {
        self.check()?;
        let mut state = lock(&self.loopback);
        let requests = std::mem::take(&mut state.requests);
        Ok(Box::new(Listener { requests, answers: Arc::clone(&state.answers), clock: Arc::clone(&self.clock) }))
    }
}

struct Listener {
    requests: VecDeque<BrowserRequest>,
    answers: Arc<Mutex<Vec<Page>>>,
    clock: Arc<Mutex<clock::State>>,
}

impl LoopbackListener for Listener {
    fn port(&self) -> u16 {
        PORT
    }

    /// The clock advances only while there is no request.
    fn next_request(&mut self, wait: Duration) -> Result<Option<Incoming>> {
        let mut clock = lock(&self.clock);
        clock.check()?;
        let Some(request) = self.requests.pop_front() else {
            clock.advance(wait);
            return clock.check().map(|()| None);
        };
        let answers = Arc::clone(&self.answers);
        Ok(Some(Incoming::new(request, move |page| lock(&answers).push(page.clone()))))
    }

    fn answer_rest(&mut self, page: &Page, _limit: Duration) {
        lock(&self.answers).extend(self.requests.drain(..).map(|_| page.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn requests_come_in_order_and_then_time_passes() {
        let system = FakeSystem::default().browser_request("GET /a", "").browser_request("POST / localhost", "x=y");
        let mut listener = system.listen().unwrap();
        let mut next = || listener.next_request(Duration::from_secs(50));
        let first = next().unwrap().unwrap();
        assert!(*first.request.target == "/a" && first.request.host.is_none());
        let page = Page { status: 400, html: String::new() };
        first.answer(&page);
        assert_eq!(next().unwrap().unwrap().request.host.as_deref(), Some("localhost"));
        assert_eq!((system.pages(), system.remaining()), (vec![page], Duration::from_secs(120)));
        assert!(next().unwrap().is_none() && next().unwrap().is_none());
        assert_eq!(system.remaining(), Duration::from_secs(20));
        assert_eq!(next().err().unwrap().kind(), Kind::Timeout);
    }
}
