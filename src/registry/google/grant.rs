//! What every source of tokens returns.

use crate::auth::access_token::AccessToken;

/// An access token, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    /// The token.
    pub(super) token: AccessToken,
    /// The account, as Google writes it, such as `ada@contoso.example`, where it is known.
    pub(super) account: Option<String>,
    /// Whether the next token may be another account's although no variable and no file has changed: a program says whose
    /// it is.
    pub(super) may_change_unnoticed: bool,
}
