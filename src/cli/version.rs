//! What this program is made of. The figures come from `build.rs`.

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
