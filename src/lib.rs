//! ringbearer answers the credential questions of Python packaging tools about private package
//! indexes, from Rust.
//!
//! The house has floors, and imports go downward only (`tests/layout.rs` holds every `use crate::`
//! against this list):
//!
//! - floor 0: [`error`], [`secret`], [`service`]: values that know nothing of the world.
//! - floor 1: [`sys`]: the outside world behind one trait, real and fake.
//! - floor 2: [`ini`], [`jwt`], [`oauth`], [`job_token`], [`named_file`], [`caching`], [`token`], [`identity`],
//!   [`provider`], [`backend`]: small readers and the shapes that every registry shares.
//! - floor 3: one folder a registry: [`azure`], [`chainguard`], [`menda`]; [`store`]: secrets that the ssh-agent unlocks.
//! - floor 4: [`keyring`]: the list of backends; [`lookup`]: one lookup, in a thread of its own or the caller's;
//!   [`session_cache`]: tokens that other processes of the session find; [`single_flight`]: one process after the other.
//! - floor 5: [`cli`]: the command line; above it the edges: Python's (feature `python`), and that of the native programs
//!   (feature `executables`), and that of the fuzzers (feature `fuzzing`).

pub mod azure;
pub mod backend;
pub mod caching;
pub mod chainguard;
pub mod cli;
pub mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
pub mod identity;
pub mod ini;
pub mod job_token;
pub mod jwt;
pub mod keyring;
pub mod lookup;
pub mod menda;
pub mod named_file;
#[cfg(feature = "executables")]
pub mod native;
pub mod oauth;
pub mod provider;
#[cfg(feature = "python")]
mod python;
pub mod secret;
pub mod service;
pub mod session_cache;
pub mod single_flight;
pub mod store;
pub mod sys;
pub mod token;
