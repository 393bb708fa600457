//! `ringbearer login`: a person signs in to Azure Artifacts with a browser or a device code, and later lookups refresh that
//! login in silence ([`providers::login`](super::providers)).
//!
//! - [`client`]: the application that people sign in to, its tenant and scope
//! - [`method`]: a browser or a device code
//! - [`flow`]: the parameters and the time limit of both
//! - [`browser`]: the authorization code flow with PKCE, and the pages that the browser shows ([`page`])
//! - [`device_code`]: the device authorization flow
//! - [`refresh`]: an access token by the refresh token of a login, and what a refusal means for the login
//! - [`logins`]: who has signed in, without secrets
//! - [`storage`]: where the refresh token of a login is kept
//! - [`token`]: the answers of the token endpoint

pub(super) mod browser;
pub(super) mod client;
pub(super) mod device_code;
pub(super) mod flow;
pub(super) mod logins;
pub(super) mod method;
mod page;
pub(super) mod refresh;
pub(super) mod storage;
pub(super) mod token;
