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

use super::{
    CancellationToken, System,
    agent::{AgentSocket, Peer},
    files::{Content, Details, FileStamp, Files, Lock, ReadAt, Snapshot},
    http, process,
    shared_memory::{KeyQuota, SharedMemory, Unavailable},
};
use crate::error::{Error, Kind, Result};

type Answer = std::result::Result<http::Response, http::Failure>;

/// A process that is announced: what it must be called with, and how it ends.
type Run = (Vec<String>, Result<process::Output>);

/// An ssh-agent: what it answers to a message.
type Answering = Box<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// The system of one test.
#[derive(Default)]
pub(crate) struct FakeSystem {
    variables: BTreeMap<String, String>,
    programs: Vec<String>,
    agent: Option<Answering>,
    state: Mutex<State>,
    cancel: CancellationToken,
    since: Duration,
    key_quota: Option<KeyQuota>,
}

#[derive(Default)]
struct State {
    answers: VecDeque<(http::Method, String, Answer)>,
    /// What is answered to whatever is requested, in turn.
    any: Option<VecDeque<http::Response>>,
    runs: VecDeque<Run>,
    limits: Vec<Duration>,
    requests: Vec<http::Request>,
    pauses: Vec<Duration>,
    elapsed: Duration,
    files: BTreeMap<PathBuf, (Vec<u8>, u64)>,
    writes: u64,
    draws: VecDeque<Vec<u8>>,
}

impl FakeSystem {
    /// Sets an environment variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets the user's key quota.
    pub(crate) fn key_quota(mut self, quota: KeyQuota) -> Self {
        self.key_quota = Some(quota);
        self
    }

    /// Puts a file there.
    pub(crate) fn file(self, path: &str, content: &str) -> Self {
        self.write(path, content.as_bytes());
        self
    }

    /// Puts a file there, or another in its place.
    pub(crate) fn write(&self, path: &str, content: &[u8]) {
        let mut state = self.lock();
        state.writes += 1;
        let written = (content.to_vec(), state.writes);
        state.files.insert(PathBuf::from(path), written);
    }

    /// What a file holds.
    pub(crate) fn content(&self, path: &str) -> Option<Vec<u8>> {
        self.lock().files.get(Path::new(path)).map(|(content, _)| content.clone())
    }

    /// Puts an ssh-agent behind SSH_AUTH_SOCK.
    pub(crate) fn agent(mut self, answer: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        self.agent = Some(Box::new(answer));
        self
    }

    /// Announces random bytes, in the order in which they will be asked for.
    pub(crate) fn draws(self, draws: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.lock().draws.extend(draws);
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
        let failure =
            http::Failure { error: Error::new(Kind::Network, "the connection broke"), transient, broke_off: transient };
        self.lock().answers.push_back((method, url.to_owned(), Err(failure)));
        self
    }

    /// Answers whatever is requested with these, one after the other; then nobody answers any more.
    pub(crate) fn answers(self, answers: impl IntoIterator<Item = http::Response>) -> Self {
        self.lock().any = Some(answers.into_iter().collect());
        self
    }

    /// The requests that were sent.
    pub(crate) fn requests(&self) -> Vec<http::Request> {
        self.lock().requests.clone()
    }

    /// How long each process that was run might have taken.
    pub(crate) fn limits(&self) -> Vec<Duration> {
        self.lock().limits.clone()
    }

    /// The pauses that were made.
    pub(crate) fn pauses(&self) -> Vec<Duration> {
        self.lock().pauses.clone()
    }

    /// Lets the lookup begin so much later.
    pub(crate) fn later(mut self, length: Duration) -> Self {
        self.since = length;
        self
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

impl System for FakeSystem {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn variables(&self) -> Vec<(OsString, OsString)> {
        self.variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn now(&self) -> SystemTime {
        // Any fixed moment will do; this one is 2026-11-22T00:00:00Z.
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_305_600) + self.since + self.lock().elapsed
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

    fn cancel(&self) -> CancellationToken {
        self.cancel.clone()
    }

    fn pause(&self, length: Duration) -> Result<()> {
        self.check()?;
        self.advance(length);
        self.lock().pauses.push(length);
        self.check()
    }

    fn read_file(&self, path: &Path, cap: usize) -> io::Result<Vec<u8>> {
        let content = self.lock().files.get(path).map(|(content, _)| content.clone()).ok_or(io::ErrorKind::NotFound)?;
        if content.len() > cap { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(content) }
    }

    fn send(&self, request: &http::Request) -> Answer {
        let mut state = self.lock();
        state.requests.push(request.clone());
        let shown = request.shown_url();
        if let Some(any) = &mut state.any {
            let gone = || http::Failure {
                error: Error::new(Kind::Network, "nobody answers"),
                transient: false,
                broke_off: false,
            };
            return any
                .pop_front()
                .map(|answer| http::Response { host: request.host().to_owned(), ..answer })
                .ok_or_else(gone);
        }
        let (method, url, answer) = state.answers.pop_front().unwrap_or_else(|| panic!("unexpected request: {shown}"));
        assert_eq!((request.method, shown), (method, url));
        answer
    }

    fn find_program(&self, name: &str) -> Option<PathBuf> {
        self.programs.iter().any(|program| program == name).then(|| Path::new("/bin").join(name))
    }

    fn programs_on_path(&self, name: &str) -> Vec<PathBuf> {
        self.find_program(name).into_iter().collect()
    }

    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn own_program(&self) -> Option<PathBuf> {
        None
    }

    fn working_directory(&self) -> Option<PathBuf> {
        None
    }

    fn program_at(&self, path: &Path) -> Option<PathBuf> {
        let name = path.file_name()?.to_str()?;
        self.programs.iter().any(|program| program == name).then(|| path.to_owned())
    }

    fn run(&self, command: &process::Command) -> Result<process::Output> {
        let mut state = self.lock();
        let (arguments, result) =
            state.runs.pop_front().unwrap_or_else(|| panic!("unexpected process: {}", command.name()));
        assert_eq!(command.arguments, arguments);
        state.limits.push(command.limit);
        result
    }

    fn random(&self, buffer: &mut [u8]) -> Result<()> {
        match self.lock().draws.pop_front() {
            Some(draw) => buffer.copy_from_slice(&draw),
            None => buffer.fill(0x80),
        }
        Ok(())
    }
}

/// An open file.
struct InMemory(Vec<u8>);

impl ReadAt for InMemory {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, place: u64, length: usize) -> io::Result<Vec<u8>> {
        let begin = usize::try_from(place).unwrap_or(usize::MAX).min(self.0.len());
        Ok(self.0[begin..].iter().take(length).copied().collect())
    }
}

/// Shared secrets are files.
impl SharedMemory for FakeSystem {
    fn sharing(&self) -> std::result::Result<(), Unavailable> {
        Ok(())
    }

    fn share(&self, name: &str, secret: &[u8], _life: Duration) -> std::result::Result<(), Unavailable> {
        self.write(name, secret);
        Ok(())
    }

    fn shared(&self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.content(name).map(Zeroizing::new)
    }

    fn shared_names(&self, prefix: &str) -> Option<Vec<String>> {
        let state = self.lock();
        let names = state.files.keys().filter_map(|path| path.to_str()).filter(|name| name.starts_with(prefix));
        Some(names.map(str::to_owned).collect())
    }

    fn unshare(&self, name: &str) -> bool {
        self.lock().files.remove(Path::new(name)).is_some()
    }

    fn key_quota(&self) -> Option<KeyQuota> {
        self.key_quota
    }
}

impl Files for FakeSystem {
    fn snapshot(&self, path: &Path, cap: usize) -> io::Result<Snapshot> {
        let content = self.read_file(path, cap)?;
        let mark = self.mark(path)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Snapshot { content, mark, _pin: None })
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadAt>> {
        Ok(Box::new(InMemory(self.read_file(path, usize::MAX)?)))
    }

    fn mark(&self, path: &Path) -> io::Result<Option<FileStamp>> {
        let state = self.lock();
        let Some((content, write)) = state.files.get(path) else { return Ok(None) };
        let length = content.len() as u64;
        Ok(Some(FileStamp { number: (0, *write), length, modified: None, changed: (0, 0) }))
    }

    fn destination(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn try_lock(&self, _path: &Path) -> io::Result<Option<Lock>> {
        Ok(Some(Lock { file: None }))
    }

    fn replace(&self, path: &Path, content: Content<'_>, expected: Option<&FileStamp>) -> io::Result<bool> {
        let is_expected = self.mark(path)?.as_ref() == expected;
        if is_expected {
            let mut text = Vec::new();
            content(&mut text)?;
            self.write(&path.to_string_lossy(), &text);
        }
        Ok(is_expected)
    }

    fn rewrite(&self, path: &Path, content: &[u8], expected: Option<&FileStamp>) -> io::Result<bool> {
        self.replace(path, &|out| out.write_all(content), expected)
    }

    fn create(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let is_new = self.replace(path, &|to| to.write_all(content), None)?;
        if is_new { Ok(()) } else { Err(io::ErrorKind::AlreadyExists.into()) }
    }

    fn temporaries(&self, _path: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn siblings(&self, _path: &Path, _begin: &str, _end: &str) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.lock().files.remove(path).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn make_directory(&self, _path: &Path, _is_private: bool) -> io::Result<()> {
        Ok(())
    }

    fn details(&self, path: &Path) -> io::Result<Details> {
        let content = self.read_file(path, usize::MAX)?;
        Ok(Details {
            length: content.len() as u64,
            mode: Some(0o600),
            is_link: false,
            is_file: true,
            is_of_others: false,
        })
    }
}

impl AgentSocket for FakeSystem {
    fn ask_agent(&self, message: &[u8], _limit: Duration) -> Result<Zeroizing<Vec<u8>>> {
        let answer = self.agent.as_ref().ok_or_else(|| Error::new(Kind::Locked, "there is no agent"))?;
        Ok(Zeroizing::new(answer(message)))
    }

    fn agent_peer(&self) -> Result<Peer> {
        Ok(Peer { socket: "/the/fake".to_owned(), process: None })
    }
}
