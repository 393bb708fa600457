//! The native `keyring`.

use std::process::ExitCode;

use ringbearer::native::{Program, main as run};

fn main() -> ExitCode {
    run(Program::Keyring)
}
