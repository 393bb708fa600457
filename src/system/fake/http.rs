//! Expected requests and their responses.

use std::collections::VecDeque;

use url::Url;
use zeroize::Zeroizing;

use super::{FakeSystem, lock};
use crate::{
    error::{Error, Kind},
    system::http::{CaBundle, Failure, Http, Method, Request, Response},
};

type Outcome = Result<Response, Failure>;

#[derive(Default)]
pub(super) struct State {
    expected: VecDeque<(Method, String, Outcome)>,
    /// Responses to any requests, in order.
    to_any: Option<VecDeque<Response>>,
    sent: Vec<Request>,
    opened: Vec<(String, Option<CaBundle>)>,
}

impl State {
    pub(super) fn assert_done(&self) {
        assert!(self.expected.is_empty(), "not requested: {:?}", self.expected.front().map(|(_, url, _)| url));
    }
}

impl FakeSystem {
    /// Expects one request, by its URL without the query, and responds to it.
    pub(crate) fn answer(self, method: Method, url: &str, status: u16, body: &str) -> Self {
        self.answer_with_headers(method, url, status, &[], body)
    }

    /// Expects one request and responds with headers.
    pub(crate) fn answer_with_headers(
        self,
        method: Method,
        url: &str,
        status: u16,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Self {
        let response = Response {
            status,
            headers: headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: Zeroizing::new(body.as_bytes().to_vec()),
            host: "the fake".to_owned(),
        };
        self.expect(method, url, Ok(response))
    }

    /// Expects one request and fails it.
    pub(crate) fn failure(self, method: Method, url: &str, transient: bool) -> Self {
        let error = Error::new(Kind::Network, "the connection broke");
        self.expect(method, url, Err(Failure { error, transient, connection_lost: transient }))
    }

    fn expect(self, method: Method, url: &str, outcome: Outcome) -> Self {
        lock(&self.http).expected.push_back((method, url.to_owned(), outcome));
        self
    }

    /// Responds to any requests with these, in order; further requests fail.
    pub(crate) fn answers(self, responses: impl IntoIterator<Item = Response>) -> Self {
        lock(&self.http).to_any = Some(responses.into_iter().collect());
        self
    }

    /// The requests that were sent.
    pub(crate) fn requests(&self) -> Vec<Request> {
        lock(&self.http).sent.clone()
    }

    /// The URLs whose hosts were connected to ahead.
    pub(crate) fn opened_ahead(&self) -> Vec<String> {
        lock(&self.http).opened.iter().map(|(url, _)| url.clone()).collect()
    }

    /// Whom those connections trust.
    pub(crate) fn trusted_ahead(&self) -> Vec<Option<CaBundle>> {
        lock(&self.http).opened.iter().map(|(_, ca_bundle)| ca_bundle.clone()).collect()
    }
}

impl Http for FakeSystem {
    fn open_ahead(&self, url: &Url, ca_bundle: Option<&CaBundle>) {
        lock(&self.http).opened.push((url.to_string(), ca_bundle.cloned()));
    }

    fn send(&self, request: &Request) -> Outcome {
        let mut state = lock(&self.http);
        state.sent.push(request.clone());
        if let Some(responses) = &mut state.to_any {
            let response = responses.pop_front().ok_or_else(|| Failure {
                error: Error::new(Kind::Network, "nobody answers"),
                transient: false,
                connection_lost: false,
            })?;
            return Ok(Response { host: request.host().to_owned(), ..response });
        }
        let url = request.display_url();
        let expected = state.expected.pop_front().unwrap_or_else(|| panic!("unexpected request: {url}"));
        let (expected_method, expected_url, outcome) = expected;
        assert_eq!((request.method, url), (expected_method, expected_url));
        outcome
    }
}
