//! `ringbearer login`: a person signs in to Azure Artifacts with a browser or a device code, and later lookups refresh that
//! login in silence ([`providers::login`](super::providers)).
//!
//! - [`logins`]: who has signed in, without secrets
//! - [`keep`]: where the refresh token of a login lies

pub(super) mod keep;
pub(super) mod logins;
