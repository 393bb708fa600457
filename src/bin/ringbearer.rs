//! The native `ringbearer`.

use std::process::ExitCode;

use ringbearer::native::{Program, main as run};

fn main() -> ExitCode {
    run(Program::Ringbearer)
}
