//! The credentials of AWS accounts, and requests signed with them.
//!
//! - [`region`], `partition`: where a service is
//! - [`endpoint`]: the URL of a service, with the settings that change it
//! - `signature`: Signature Version 4
//! - [`client`]: sends requests, signed or not, with AWS's retries
//! - [`refusal`]: what an error of a service means
//! - [`config`]: the files `~/.aws/config` and `~/.aws/credentials`
//! - [`keys`]: an access key; `key_document`: the fields in which services and programs write one
//! - [`sts`]: the service that exchanges identities for access keys
//! - [`sources`]: where access keys come from, in the order in which AWS's own programs look
//! - `cached_json`: the JSON files that the AWS CLI and its logins keep
//! - `login_file`: logins in such files, renewed before they end
//! - `proof`: DPoP proofs (RFC 9449): a program holds the private key of a login
//! - [`variables`]: the environment variables of all of it

mod cached_json;
pub(crate) mod client;
pub(crate) mod config;
pub(crate) mod endpoint;
pub(crate) mod expiry;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod hexadecimal;
pub(crate) mod key_document;
pub(crate) mod keys;
mod login_file;
mod partition;
mod proof;
pub(crate) mod refusal;
pub(crate) mod region;
mod signature;
pub(crate) mod sources;
pub(crate) mod sts;
pub(crate) mod variables;
mod xml;
