//! A listener whose requests a test writes.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use zeroize::Zeroizing;

use super::{FakeSystem, lock};
use crate::{
    error::{Error, Kind, Result},
    system::{
        Clock,
        loopback::{BrowserRequest, Incoming, Loopback, LoopbackListener, Page},
    },
};
use std::sync::Mutex;

/// The port of every listener.
pub(crate) const PORT: u16 = 40_001;

#[derive(Default)]
pub(super) struct State {
    requests: VecDeque<BrowserRequest>,
    answers: Arc<Mutex<Vec<Page>>>,
}

impl FakeSystem {
    /// Adds a request, which a listener receives. `head` is `METHOD TARGET HOST`; a body is of a form.
    pub(crate) fn browser_request(self, head: &str, body: &str) -> Self {
        let mut words = head.split(' ').map(str::to_owned);
        let mut word = || words.next().unwrap_or_default();
        let (method, target, host) = (word(), word(), Some(word()));
        let content_type = if body.is_empty() { "" } else { "application/x-www-form-urlencoded" };
        let (content_type, body) = (content_type.to_owned(), Zeroizing::new(body.as_bytes().to_vec()));
        lock(&self.loopback).requests.push_back(BrowserRequest { method, target, host, content_type, body });
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
        let mut state = lock(&self.loopback);
        let requests = std::mem::take(&mut state.requests);
        Ok(Box::new(Listener { requests, answers: Arc::clone(&state.answers), remaining: self.remaining() }))
    }
}

struct Listener {
    requests: VecDeque<BrowserRequest>,
    answers: Arc<Mutex<Vec<Page>>>,
    remaining: Duration,
}

impl LoopbackListener for Listener {
    fn port(&self) -> u16 {
        PORT
    }

    /// The time passes only while there is no request.
    fn next_request(&mut self, wait: Duration) -> Result<Option<Incoming>> {
        let Some(request) = self.requests.pop_front() else {
            self.remaining = self.remaining.saturating_sub(wait);
            let is_over = self.remaining.is_zero();
            return if is_over { Err(Error::new(Kind::Timeout, "the lookup did not end in time")) } else { Ok(None) };
        };
        let answers = Arc::clone(&self.answers);
        Ok(Some(Incoming::new(request, move |page| lock(&answers).push(page.clone()))))
    }
}
