//! Presenting a credential to its registry.

use std::ops::RangeInclusive;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use super::report::{Finding, Report, State};
use crate::{
    cli::World,
    error::{Kind, Result},
    keyring::Candidate,
    registry::{Credential, Probe},
    service::Service,
    system::{
        http::{Request, Response},
        retry,
    },
};

/// Sends the credential to the registry, as a tool would, and shows what the answer means. The registry claims the URL,
/// which is https. Returns false if the credential is refused.
pub(super) fn examine(
    world: &World<'_>,
    report: &mut Report<'_>,
    candidate: &Candidate,
    service: &Service,
    credential: &Credential,
    given: Option<&str>,
) -> Result<bool> {
    let Some(url) = service.url() else { return Ok(true) };
    let pair = Zeroizing::new(format!("{}:{}", credential.username, credential.password.expose()));
    let value = Zeroizing::new(format!("Basic {}", Zeroizing::new(STANDARD.encode(pair.as_bytes())).as_str()));
    let Probe { headers, is_sign_in, has_no_page, advice } = candidate.registry.probe;
    let request = Request::get(url.clone())
        .header("Authorization", &value)
        .header("Accept", "application/vnd.pypi.simple.v1+json, text/html;q=0.5");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    let response = match retry::send(world.system, &request) {
        Ok(response) => response,
        Err(error) if error.kind() == Kind::Cancelled => return Err(error),
        // The credential was accepted: the index is longer than the cap.
        Err(error) if error.kind() == Kind::Protocol => {
            report.add(&Finding::new(State::Doubtful, "registry", error.message()))?;
            return Ok(true);
        }
        Err(error) => {
            report.add(&Finding { state: State::Doubtful, ..Finding::of_error("registry", &error) })?;
            return Ok(true);
        }
    };
    let status = response.status;
    report.fact("status", json!(status));
    let who = credential.owner.as_deref().unwrap_or("this account");
    let host = service.host().unwrap_or_default();
    if status == 401
        && let Some(given) = given
    {
        let what = format!("{host} refuses {given} (HTTP 401): it was used as it is, without a sign-in");
        let usual = "renew it (expired, revoked, or of another organisation), or unset it to sign in";
        let fix = candidate.source.advice(service, status).unwrap_or(usual);
        report.add(&Finding::new(State::Bad, "registry", what).with_fix(fix))?;
        return Ok(false);
    }
    let is_file_elsewhere = (300..=399).contains(&status) && target(&response).is_some_and(|url| !is_sign_in(&url));
    let (state, what, fix) = if is_file_elsewhere {
        (State::Good, "accepts this credential and redirects to a file (HTTP {status})", "")
    } else if status == 404 && has_no_page(url) {
        (State::Good, "does not refuse this credential, and has pages for projects alone (HTTP {status})", "")
    } else {
        ANSWERS
            .iter()
            .find(|(range, ..)| range.contains(&status))
            .map_or((State::Doubtful, "{host} is unavailable (HTTP {status})", "try again later"), |answer| {
                (answer.1, answer.2, answer.3)
            })
    };
    let what = what.replace("{host}", host).replace("{who}", who).replace("{status}", &status.to_string());
    let usual = || {
        advice
            .iter()
            .filter(|_| state != State::Good)
            .find(|(code, _)| *code == status)
            .map_or(fix, |(_, advice)| advice)
    };
    let advice = candidate.source.advice(service, status).unwrap_or_else(usual);
    let finding = Finding::new(state, "registry", what);
    let finding = match advice {
        "" => finding,
        advice => finding.with_fix(advice.replace("{place}", &candidate.source.place(service))),
    };
    report.add(&finding)?;
    Ok(state != State::Bad)
}

/// Meaning of an answer by status, and what to do unless the registry's descriptor has advice of its own.
const ANSWERS: [(RangeInclusive<u16>, State, &str, &str); 9] = [
    (200..=202, State::Good, "accepts this credential (HTTP {status})", ""),
    (203..=203, State::Bad, SIGN_IN_PAGE, CHECK_NETWORK),
    (204..=299, State::Good, "accepts this credential (HTTP {status})", ""),
    (300..=399, State::Bad, SIGN_IN_PAGE, CHECK_NETWORK),
    (
        401..=401,
        State::Bad,
        "{host} refuses the token of {who} (HTTP 401): the sign-in worked, the account has no access",
        "",
    ),
    (402..=402, State::Bad, "{host} wants a licence or a payment for {who} (HTTP 402)", ""),
    (403..=403, State::Bad, "{host} knows {who}, who may not read this index (HTTP 403)", ""),
    (404..=404, State::Bad, "{host} has no such index, or hides it from {who} (HTTP 404)", ""),
    (405..=405, State::Note, "accepts uploads here and lists nothing (HTTP 405)", ""),
];

const SIGN_IN_PAGE: &str = "{host} redirects to a sign-in page instead of answering (HTTP {status})";
const CHECK_NETWORK: &str = "check the network and the VPN";

/// The target of a redirect.
fn target(response: &Response) -> Option<Url> {
    response.header_values("Location").next().and_then(|location| Url::parse(location).ok())
}
