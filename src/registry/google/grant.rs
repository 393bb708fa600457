//! What every source of tokens returns.

use crate::auth::access_token::AccessToken;

/// The longest name of an account, in bytes. <https://www.rfc-editor.org/rfc/rfc3696#section-3>
pub(super) const LONGEST_ACCOUNT: usize = 320;

/// An access token, and its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    /// The token.
    pub(super) token: AccessToken,
    /// The account, as Google writes it, such as `ada@contoso.example`, where it is known.
    pub(super) account: Option<String>,
    /// Whether the next token may be another account's although no variable and no file has changed: a program chooses the
    /// account.
    pub(super) may_change_unnoticed: bool,
}
