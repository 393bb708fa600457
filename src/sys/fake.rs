//! A system for tests: it has what a test gave it and nothing else. A request or a process that was
//! not announced fails the test.

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use zeroize::Zeroizing;

use super::{Cancel, System, http, process};
use crate::error::{Error, Kind, Result};

type Answer = std::result::Result<http::Response, http::Failure>;

/// A process that is announced: what it must be called with, and how it ends.
type Run = (Vec<String>, Result<process::Output>);

/// The system of one test.
#[derive(Default)]
pub(crate) struct Fake {
    variables: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, Vec<u8>>,
    programs: Vec<String>,
    state: Mutex<State>,
    cancel: Cancel,
}

#[derive(Default)]
struct State {
    answers: VecDeque<(http::Method, String, Answer)>,
    runs: VecDeque<Run>,
    requests: Vec<http::Request>,
    pauses: Vec<Duration>,
    elapsed: Duration,
}

impl Fake {
    /// Sets an environment variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Puts a file there.
    pub(crate) fn file(mut self, path: &str, content: &str) -> Self {
        self.files.insert(PathBuf::from(path), content.as_bytes().to_vec());
        self
    }

    /// Puts a program on PATH and announces one run of it.
    pub(crate) fn run(mut self, name: &str, arguments: &[&str], status: i32, stdout: &str, stderr: &str) -> Self {
        let output = process::Output {
            status: Some(status),
            stdout: Zeroizing::new(stdout.as_bytes().to_vec()),
            stderr: Zeroizing::new(stderr.as_bytes().to_vec()),
        };
        self.programs.push(name.to_owned());
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self.lock().runs.push_back((arguments, Ok(output)));
        self
    }

    /// Announces one request, by its URL without the query, and the answer to it.
    pub(crate) fn answer(self, method: http::Method, url: &str, status: u16, body: &str) -> Self {
        self.answer_with_headers(method, url, status, &[], body)
    }

    /// Announces one request and an answer with headers.
    pub(crate) fn answer_with_headers(
        self,
        method: http::Method,
        url: &str,
        status: u16,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Self {
        let response = http::Response {
            status,
            headers: headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: Zeroizing::new(body.as_bytes().to_vec()),
            host: "the fake".to_owned(),
        };
        self.lock().answers.push_back((method, url.to_owned(), Ok(response)));
        self
    }

    /// Announces one request that fails.
    pub(crate) fn failure(self, method: http::Method, url: &str, transient: bool) -> Self {
        let failure = http::Failure { error: Error::new(Kind::Network, "the connection broke"), transient };
        self.lock().answers.push_back((method, url.to_owned(), Err(failure)));
        self
    }

    /// The requests that were sent.
    pub(crate) fn requests(&self) -> Vec<http::Request> {
        self.lock().requests.clone()
    }

    /// The pauses that were made.
    pub(crate) fn pauses(&self) -> Vec<Duration> {
        self.lock().pauses.clone()
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, length: Duration) {
        self.lock().elapsed += length;
    }

    /// Fails the test if something that was announced did not happen.
    pub(crate) fn assert_done(&self) {
        let state = self.lock();
        assert!(state.answers.is_empty(), "not requested: {:?}", state.answers.front().map(|(_, url, _)| url));
        assert!(state.runs.is_empty(), "not run: {:?}", state.runs.front().map(|(arguments, _)| arguments));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl System for Fake {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn variables(&self) -> Vec<(OsString, OsString)> {
        self.variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn now(&self) -> SystemTime {
        // Any fixed moment will do; this one is 2026-11-22T00:00:00Z.
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_305_600) + self.lock().elapsed
    }

    fn remaining(&self) -> Duration {
        Duration::from_secs(120).saturating_sub(self.lock().elapsed)
    }

    fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() {
            return Err(Error::new(Kind::Cancelled, "the caller gave up"));
        }
        if self.remaining().is_zero() { Err(Error::new(Kind::Timeout, "the lookup took too long")) } else { Ok(()) }
    }

    fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    fn pause(&self, length: Duration) -> Result<()> {
        self.check()?;
        self.advance(length);
        self.lock().pauses.push(length);
        self.check()
    }

    fn read_file(&self, path: &Path, cap: usize) -> io::Result<Vec<u8>> {
        let content = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        if content.len() > cap { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(content.clone()) }
    }

    fn send(&self, request: &http::Request) -> Answer {
        let mut state = self.lock();
        state.requests.push(request.clone());
        let shown = request.shown_url();
        let (method, url, answer) = state.answers.pop_front().unwrap_or_else(|| panic!("unexpected request: {shown}"));
        assert_eq!((request.method, shown), (method, url));
        answer
    }

    fn find_program(&self, name: &str) -> Option<PathBuf> {
        self.programs.iter().any(|program| program == name).then(|| Path::new("/bin").join(name))
    }

    fn program_at(&self, path: &Path) -> Option<PathBuf> {
        let name = path.file_name()?.to_str()?;
        self.programs.iter().any(|program| program == name).then(|| path.to_owned())
    }

    fn run(&self, command: &process::Command) -> Result<process::Output> {
        let (arguments, result) =
            self.lock().runs.pop_front().unwrap_or_else(|| panic!("unexpected process: {}", command.name()));
        assert_eq!(command.arguments, arguments);
        result
    }

    fn random(&self, buffer: &mut [u8]) -> Result<()> {
        buffer.fill(0x80);
        Ok(())
    }
}
