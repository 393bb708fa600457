//! Assertions that a CI system issues about its job.

use serde_json::{Map, Value};

use crate::{
    error::{Error, Kind, Result},
    secret::Secret,
    sys::{System, http::Request, retry},
};

/// Asks `issuer` for an assertion, which it answers in the JSON field `field`. `hint` is what to do if
/// it refuses.
pub(super) fn request(system: &dyn System, request: &Request, issuer: &str, field: &str, hint: &str) -> Result<Secret> {
    let response = retry::send(system, request)?;
    if !response.is_success() {
        let refusal = format!("{issuer} gave this job no identity token (HTTP {})", response.status);
        return Err(Error::new(Kind::Rejected, refusal).with_hint(hint));
    }
    let mut answer: Map<String, Value> = response.json()?;
    let token = match answer.remove(field) {
        Some(Value::String(token)) => Secret::from_trimmed(Secret::new(token).expose()),
        _ => None,
    };
    token.ok_or_else(|| Error::new(Kind::Protocol, format!("{issuer} answered without an identity token")))
}
