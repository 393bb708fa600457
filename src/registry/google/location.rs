//! Where a credential file is, and what names it: errors say so, and which command signs in again.

use std::path::PathBuf;

/// Where a credential file is, and why it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// Its path.
    pub(super) path: PathBuf,
    /// What names it.
    pub(super) named_by: NamedBy,
}

/// What names a credential file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamedBy {
    /// An environment variable.
    Variable(&'static str),
    /// The usual path of `gcloud auth application-default login`.
    ApplicationDefault,
    /// The usual path of `gcloud auth login`.
    Gcloud,
}
