//! Properties that hold for any file, answer and program output that access keys come from. The targets in `fuzz/` search for
//! counterexamples; the tests here run the seeds.

pub use super::fuzz_logins::aws_logins;
