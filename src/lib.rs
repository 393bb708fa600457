//! ringbearer answers the credential questions of Python packaging tools about private package indexes, from Rust.
//!
//! One crate in layers; imports go downward only, and `tests/layout.rs` holds every `use crate::` against this list:
//!
//! - values: [`error`], [`ini`], [`secret`], [`service`], [`shown`], [`variable`].
//! - [`system`]: the operating system behind small traits, real and fake.
//! - [`auth`]: what every sign-in needs, whatever the registry: chains of providers, tokens, OAuth, caches.
//! - [`aws`]: the credentials of AWS accounts, and requests signed with them.
//! - [`store`]: the secrets that the ssh-agent unlocks.
//! - [`registry`]: one folder per registry, and the list of them.
//! - [`tools`]: the settings of packaging tools.
//! - [`keyring`]: which registry answers, what becomes of failures, the caches, one lookup.
//! - [`cli`]: the command line.
//! - the edges: `python` (feature `python`), `native` (feature `executables`) and `fuzz` (feature `fuzzing`).

#![cfg_attr(
    not(all(feature = "executables", feature = "python")),
    expect(dead_code, reason = "only the build with every edge uses everything")
)]
#![cfg_attr(not(feature = "python"), expect(unused_imports, reason = "only the Python edge uses some re-exports"))]

mod auth;
mod aws;
mod cli;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod ini;
mod keyring;
#[cfg(feature = "executables")]
pub mod native;
#[cfg(feature = "python")]
mod python;
#[cfg(test)]
mod reference;
mod registry;
mod secret;
mod service;
mod shown;
mod store;
mod system;
mod tools;
mod variable;
