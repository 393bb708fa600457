//! Properties that hold for any credential file and any answer of Google's services. The targets in `fuzz/` search for
//! counterexamples; the tests here run the seeds.
//!
//! - `files`: credential files, and the answers to the requests that they lead to
//! - `gcloud`: what gcloud prints, and its configuration files

mod files;
mod gcloud;

pub use self::{files::google_credentials, gcloud::google_gcloud};
