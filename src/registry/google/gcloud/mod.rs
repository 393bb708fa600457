//! gcloud, the program: its configuration and logins, and how it is run.

pub(super) mod configuration;
mod failure;
pub(super) mod program;

/// The name of the program.
pub(super) const PROGRAM: &str = "gcloud";
