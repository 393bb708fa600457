//! The device authorization flow (RFC 8628): a person types a code into a browser anywhere.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code>

use std::time::Duration;

use log::debug;
use serde::Deserialize;
use url::Url;

use super::{
    client,
    flow::{Countdown, Flow, Show},
    token::{self, Code, Owner, Refusal, Tokens},
};
use crate::{
    auth::{access_token::AccessToken, oauth::Seconds},
    error::{Error, Kind, Result, single_line},
    registry::{
        azure::{
            entra::{is_clean_origin, is_of_login_host},
            retries::attempts,
        },
        sign_in::Step,
    },
    secret::Secret,
    system::{
        http::{Request, Response},
        retry,
    },
};

/// The step in debug output.
const STEP: &str = "device_code";

/// The grant type.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The interval between two polls unless the service states another (RFC 8628, section 3.2), and its bounds.
const INTERVAL: u64 = 5;
const SHORTEST_INTERVAL: u64 = 1;
const LONGEST_INTERVAL: u64 = 60;

/// What `slow_down` adds to the interval (RFC 8628, section 3.5).
const SLOWER: Duration = Duration::from_secs(5);

/// The longest pause after a lost connection or an error of the server.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long a code is valid unless the service states it.
const LIFETIME: u64 = 900;

/// The maximum length of a user code in characters. Entra ID sends nine.
const LONGEST_CODE: usize = 40;

/// The hosts, besides the login hosts, on which a person types the code, in every cloud.
const PAGES: [&str; 2] = ["microsoft.com", "www.microsoft.com"];

/// Signs in: shows a page and a code, and asks until the person has finished.
pub(in crate::registry::azure) fn sign_in(flow: &Flow<'_>, show: Show<'_>) -> Result<(Tokens, Owner)> {
    let code = request_code(flow)?;
    show(&Step::Code { url: code.page.as_str(), code: &code.user_code, expires_in: code.limit });
    debug!(step = STEP, outcome = "noted"; "waits for the person, and asks every {} s", code.interval.as_secs());
    let tokens = poll(flow, &code, show)?;
    let owner = flow.accept(&tokens)?;
    Ok((tokens, owner))
}

/// What the device authorization endpoint gave: the device's code, which is secret, and the person's.
struct DeviceCode {
    secret: Secret,
    user_code: String,
    page: Url,
    limit: Duration,
    interval: Duration,
}

fn request_code(flow: &Flow<'_>) -> Result<DeviceCode> {
    let scope = client::scope();
    let fields = [("client_id", flow.client_id), ("scope", scope.as_str())];
    let request = Request::post_form(flow.tenant.endpoint("devicecode")?, &fields)
        .header("Accept", "application/json")
        .with_attempts(attempts(flow.system));
    let response = retry::send(flow.system, &request)?;
    if !response.is_success() {
        return Err(token::refusal(flow.system, flow.tenant, &response, &fields).error);
    }
    read_code(&response, flow.limit)
}

/// Reads the answer of the device authorization endpoint. `limit` is the longest time for the person.
fn read_code(response: &Response, limit: Duration) -> Result<DeviceCode> {
    #[derive(Deserialize)]
    struct Answer {
        user_code: String,
        device_code: Secret,
        verification_uri: String,
        expires_in: Option<Seconds>,
        interval: Option<Seconds>,
    }
    let answer: Answer = response.json()?;
    let refuse = |what: &str| Error::new(Kind::Protocol, format!("{} answered with {what}", response.host));
    let user_code = single_line(&answer.user_code);
    if user_code.is_empty() || user_code.chars().count() > LONGEST_CODE {
        return Err(refuse("something that is not a code"));
    }
    // The same alphabet and cap as a token's.
    let secret = AccessToken::parse(answer.device_code.expose())
        .map_err(|_| refuse("something that is not a device code"))?
        .into_secret();
    let page = page(&answer.verification_uri).ok_or_else(|| {
        refuse("a page that is not Microsoft's")
            .with_hint("do not type the code anywhere; something rewrites the answer")
    })?;
    let seconds = |value: Option<Seconds>, default| value.and_then(|value| value.number()).unwrap_or(default);
    let interval = seconds(answer.interval, INTERVAL).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL);
    let limit = limit.min(Duration::from_secs(seconds(answer.expires_in, LIFETIME)));
    Ok(DeviceCode { secret, user_code, page, limit, interval: Duration::from_secs(interval) })
}

/// The page for the code, if it is https and Microsoft's.
fn page(uri: &str) -> Option<Url> {
    let url = Url::parse(uri).ok().filter(is_clean_origin)?;
    (is_of_login_host(&url) || PAGES.contains(&url.host_str()?)).then_some(url)
}

/// Asks for tokens until the person has finished or the time is over.
fn poll(flow: &Flow<'_>, code: &DeviceCode, show: Show<'_>) -> Result<Tokens> {
    let grant = [("grant_type", GRANT), ("device_code", code.secret.expose())];
    let request = token::request(flow.tenant, flow.client_id, &grant)?;
    let countdown = Countdown::new(flow.system, code.limit);
    let mut interval = code.interval;
    let mut pause = interval;
    loop {
        countdown.pause(pause, show)?;
        if countdown.left().is_none() {
            return Err(countdown.over());
        }
        let response = match flow.system.send(&request) {
            Ok(response) => response,
            Err(failure) => {
                flow.system.check()?;
                if !failure.transient {
                    return Err(failure.error);
                }
                debug!("{STEP}: {}", failure.error.message());
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
        };
        if matches!(response.status, 429 | 500..) {
            debug!("{STEP}: {} answered with HTTP {}", response.host, response.status);
            pause = retry::retry_after(&response).unwrap_or(pause * 2).clamp(interval, LONGEST_PAUSE.max(interval));
            continue;
        }
        let refusal = match token::read(flow.system, flow.tenant, &response, &grant) {
            Ok(tokens) => return Ok(tokens),
            Err(refusal) => refusal,
        };
        match refusal.code {
            Code::AuthorizationPending => {}
            Code::SlowDown => interval += SLOWER,
            _ => return Err(ended(*refusal, &countdown)),
        }
        pause = interval;
    }
}

/// The error of a refusal that ends the flow.
fn ended(refusal: Refusal, countdown: &Countdown<'_>) -> Error {
    match refusal.code {
        Code::Declined => refusal.declined(),
        Code::ExpiredToken => countdown.over(),
        Code::UnknownDevice => refusal.error.within("the device code was not recognized"),
        _ => refusal.error,
    }
}

/// The code and the page of an answer of the device authorization endpoint, for fuzzing.
#[cfg(any(test, feature = "fuzzing"))]
pub(in crate::registry::azure) fn code_and_page(response: &Response) -> Result<(String, Url)> {
    read_code(response, super::flow::LIMIT).map(|code| (code.user_code, code.page))
}

#[cfg(test)]
mod tests;
