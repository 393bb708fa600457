//! Properties that hold for any credential file and any answer of Google's services. The targets in `fuzz/` search for
//! counterexamples; the tests here run the seeds.
//!
//! - `files`: credential files, and the answers to the requests that they lead to
//! - `gcloud`: what gcloud prints, and its configuration files
//! - `sts`: the answers of the services that an external account asks in turn

mod files;
mod gcloud;
mod sts;

pub use self::{files::google_credentials, gcloud::google_gcloud, sts::google_sts};
