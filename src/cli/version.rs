//! The version of this program and of its parts, from `build.rs`.

/// What `ringbearer --version` prints.
pub(super) const TEXT: &str = concat!(
    "ringbearer ",
    env!("CARGO_PKG_VERSION"),
    "\ncommit ",
    env!("RINGBEARER_COMMIT"),
    "\nTLS ",
    env!("RINGBEARER_TLS"),
    "\nplatform ",
    env!("RINGBEARER_TARGET"),
    "\n",
);
