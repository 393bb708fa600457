//! A person: `authorized_user`. <https://google.aip.dev/auth/4113>

/// The credentials.
#[derive(Debug)]
pub(super) struct AuthorizedUser;
