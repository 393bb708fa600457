//! Where a credential may be cached beyond the process that obtained it.

/// Where a credential may be cached, besides the memory of its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CachePolicy {
    /// Nowhere: it is at rest elsewhere (a variable, a file), or the next lookup may find another login.
    Never,
    /// For the processes that wait while it is obtained: a sign-in made it, but a change of the login would not change the
    /// cache key.
    Waiters,
    /// For the session: a sign-in made it, and a change of the login changes the cache key.
    Session,
}

impl CachePolicy {
    /// The policy after a login with precedence failed: later processes try that login again instead of finding this
    /// credential.
    #[must_use]
    pub(crate) fn of_fallback(self) -> Self {
        if self == Self::Session { Self::Waiters } else { self }
    }
}
