//! What sign-ins of all registries have in common.

pub(crate) mod access_token;
pub(crate) mod browser;
pub(crate) mod cache;
pub(crate) mod cache_key;
pub(crate) mod cache_mode;
pub(crate) mod cache_policy;
pub(crate) mod chain;
pub(crate) mod ci;
pub(crate) mod clock_skew;
pub(crate) mod command_line;
pub(crate) mod job_token;
pub(crate) mod jwt;
pub(crate) mod metadata;
pub(crate) mod oauth;
pub(crate) mod private_file;
pub(crate) mod program;
pub(crate) mod refusal;
pub(crate) mod rsa_key;
pub(crate) mod shared_record;
pub(crate) mod timestamp;
pub(crate) mod warning;
