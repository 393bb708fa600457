//! Expected processes and their output.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    time::Duration,
};

use zeroize::Zeroizing;

use super::{FakeSystem, lock};
use crate::{
    error::{Error, Kind, Result},
    secret::Secret,
    system::process::{Command, Output, Processes},
};

#[derive(Default)]
pub(super) struct State {
    programs: Vec<String>,
    /// The expected arguments, and the output.
    expected: VecDeque<(Vec<String>, Result<Output>)>,
    limits: Vec<Duration>,
    /// The variables added to the environment of each process that was run.
    variables: Vec<Vec<(&'static str, String)>>,
    /// The programs that were started, with their arguments.
    started: Vec<Vec<String>>,
    /// The name of each program that was run.
    ran: Vec<String>,
    /// The input of each process that was run.
    inputs: Vec<Option<Secret>>,
}

impl State {
    pub(super) fn assert_done(&self) {
        assert!(self.expected.is_empty(), "not run: {:?}", self.expected.front().map(|(arguments, _)| arguments));
    }
}

impl FakeSystem {
    /// Puts a program on PATH.
    pub(crate) fn program(self, name: &str) -> Self {
        lock(&self.processes).programs.push(name.to_owned());
        self
    }

    /// Puts a program on PATH and expects one run of it.
    pub(crate) fn run(self, name: &str, arguments: &[&str], status: i32, stdout: &str, stderr: &str) -> Self {
        let output = Output {
            status: Some(status),
            stdout: Zeroizing::new(stdout.as_bytes().to_vec()),
            stderr: Zeroizing::new(stderr.as_bytes().to_vec()),
        };
        self.expect_run(name, arguments, Ok(output))
    }

    /// Puts a program on PATH and expects one run of it that reaches its limit.
    pub(crate) fn endless_run(self, name: &str, arguments: &[&str]) -> Self {
        let error = Error::new(Kind::Timeout, format!("{name} did not end in time"));
        self.expect_run(name, arguments, Err(error))
    }

    fn expect_run(self, name: &str, arguments: &[&str], outcome: Result<Output>) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut state = lock(&self.processes);
        state.programs.push(name.to_owned());
        state.expected.push_back((arguments, outcome));
        drop(state);
        self
    }

    /// The programs that were started and not waited for: name and arguments.
    pub(crate) fn started(&self) -> Vec<Vec<String>> {
        lock(&self.processes).started.clone()
    }

    /// The name of each program that was run.
    pub(crate) fn ran(&self) -> Vec<String> {
        lock(&self.processes).ran.clone()
    }

    /// The input of each process that was run.
    pub(crate) fn inputs(&self) -> Vec<Option<Secret>> {
        lock(&self.processes).inputs.clone()
    }

    /// The variables added to the environment of each process that was run.
    pub(crate) fn added_variables(&self) -> Vec<Vec<(&'static str, String)>> {
        lock(&self.processes).variables.clone()
    }

    /// The limit of each process that was run.
    pub(crate) fn limits(&self) -> Vec<Duration> {
        lock(&self.processes).limits.clone()
    }
}

impl Processes for FakeSystem {
    fn find_program(&self, name: &str) -> Option<PathBuf> {
        lock(&self.processes).programs.iter().any(|program| program == name).then(|| Path::new("/bin").join(name))
    }

    fn programs_on_path(&self, name: &str) -> Vec<PathBuf> {
        self.find_program(name).into_iter().collect()
    }

    fn program_at(&self, path: &Path) -> Option<PathBuf> {
        self.find_program(path.file_name()?.to_str()?).map(|_| path.to_owned())
    }

    fn own_program(&self) -> Option<PathBuf> {
        None
    }

    fn run(&self, command: &Command) -> Result<Output> {
        let mut state = lock(&self.processes);
        let expected = state.expected.pop_front();
        let (arguments, outcome) = expected.unwrap_or_else(|| panic!("unexpected process: {}", command.name()));
        assert_eq!(command.arguments, arguments);
        state.ran.push(command.name());
        state.limits.push(command.limit);
        state.variables.push(command.variables.clone());
        state.inputs.push(command.input.clone());
        outcome
    }

    fn start(&self, command: &Command) -> Result<()> {
        let words = [command.name()].into_iter().chain(command.arguments.iter().cloned());
        lock(&self.processes).started.push(words.collect());
        Ok(())
    }
}
