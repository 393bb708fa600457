//! A system for tests. It holds what the test put there and nothing else: an unexpected request or process fails the test.
#![cfg_attr(not(test), expect(dead_code, reason = "fuzzing needs less of it than the tests do"))]

mod agent;
mod clock;
pub(crate) mod console;
mod desktop_keyring;
mod environment;
mod files;
mod http;
pub(crate) mod loopback;
mod paths;
mod processes;
mod random;
mod shared_memory;
mod terminal;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use self::paths::absolute;
use super::Platform;

/// The system of one test.
#[derive(Default)]
pub(crate) struct FakeSystem {
    platform: Platform,
    environment: environment::Environment,
    agent: Option<agent::Responder>,
    clock: Arc<Mutex<clock::State>>,
    desktop_keyring: Mutex<desktop_keyring::State>,
    files: Mutex<files::State>,
    http: Mutex<http::State>,
    loopback: Mutex<loopback::State>,
    processes: Mutex<processes::State>,
    random: Mutex<random::State>,
    shared_memory: shared_memory::State,
    terminal: Mutex<terminal::State>,
}

impl FakeSystem {
    /// Fails the test if an expected request or process is missing.
    pub(crate) fn assert_done(&self) {
        lock(&self.http).assert_done();
        lock(&self.processes).assert_done();
    }
}

fn lock<State>(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
