//! The authorization code flow with PKCE (RFC 7636) and a redirect to the loopback interface (RFC 8252): a person signs in
//! with a browser on this machine.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow>

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use log::debug;
use ring::digest::{SHA256, digest};
use serde_json::json;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::{
    client,
    flow::{Countdown, Flow, Show},
    method, page,
    token::{self, Owner, Tokens},
};
use crate::{
    error::{Error, Kind, Result},
    registry::sign_in::Step,
    secret::Secret,
    system::{System, http::Response, loopback::BrowserRequest},
};

/// The step in debug output.
const STEP: &str = "browser";

/// The length of state, nonce and verifier in bytes (RFC 7636, section 4.1).
const RANDOM: usize = 32;

/// The maximum length of an authorization code in bytes.
const LONGEST_CODE: usize = 8 * 1024;

/// How long the requests that came while the code was redeemed may delay the end of the sign-in.
const LATE_LIMIT: Duration = Duration::from_secs(2);

/// Signs in: opens the sign-in page in a browser, waits for its answer, and redeems the code. Shows the browser the outcome
/// of `finish`, which uses the tokens: until then the person does not know whether the sign-in serves.
pub(in crate::registry::azure) fn sign_in<Done>(
    flow: &Flow<'_>,
    show: Show<'_>,
    finish: impl FnOnce(Tokens, Owner) -> Result<Done>,
) -> Result<Done> {
    let mut listener = flow.system.listen()?;
    let attempt = Attempt::new(flow.system, listener.port())?;
    let url = attempt.url(flow)?;
    let is_opened = method::open(flow.system, &url)?;
    debug!(step = STEP, outcome = "noted"; "waits at {} (a browser is open: {is_opened})", attempt.redirect);
    show(&Step::Browser { url: url.as_str(), port: listener.port(), is_opened });
    let countdown = Countdown::new(flow.system, flow.limit);
    loop {
        let Some(left) = countdown.left() else { return Err(countdown.over()) };
        let Some(incoming) = listener.next_request(Countdown::tick(left))? else {
            show(&Step::Waits { remaining: left });
            continue;
        };
        let outcome = match attempt.read(&incoming.request) {
            Received::Empty => {
                incoming.answer(&page::waiting());
                continue;
            }
            Received::Foreign(why) => {
                debug!(step = STEP, outcome = "noted"; "a request was refused: {why}");
                incoming.answer(&page::refused(why));
                continue;
            }
            Received::Error { error, description } => Err(refused(flow, &error, &description)),
            Received::Code(code) => attempt.redeem(flow, &code).and_then(|(tokens, owner)| {
                let account = owner.username.clone();
                finish(tokens, owner).map(|done| (done, account))
            }),
        };
        incoming.answer(&match &outcome {
            Ok((_, account)) => page::signed_in(flow.organisation, account),
            Err(error) => page::failed(flow.organisation, error),
        });
        listener.answer_rest(&page::late(), LATE_LIMIT);
        return outcome.map(|(done, _)| done);
    }
}

/// The secrets of one sign-in, and where the browser is redirected to.
struct Attempt {
    /// The same text in both requests. Entra ID ignores the port of `localhost` alone, not of an address.
    redirect: String,
    /// The header `Host` of the redirect.
    host: String,
    state: Secret,
    nonce: Secret,
    verifier: Secret,
}

impl Attempt {
    fn new(system: &dyn System, port: u16) -> Result<Self> {
        let host = format!("localhost:{port}");
        let redirect = format!("http://{host}");
        let (state, nonce, verifier) = (random(system)?, random(system)?, random(system)?);
        Ok(Self { redirect, host, state, nonce, verifier })
    }

    /// The sign-in page.
    fn url(&self, flow: &Flow<'_>) -> Result<Url> {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, self.verifier.expose().as_bytes()));
        let mut url = flow.tenant.endpoint("authorize")?;
        url.query_pairs_mut()
            .append_pair("client_id", flow.client_id)
            .append_pair("response_type", "code")
            .append_pair("redirect_uri", &self.redirect)
            // Not the query, which browsers keep in their history.
            .append_pair("response_mode", "form_post")
            .append_pair("scope", &client::scope())
            .append_pair("state", self.state.expose())
            .append_pair("nonce", self.nonce.expose())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("prompt", if flow.is_fresh { "login" } else { "select_account" })
            .append_pair("client_info", "1");
        if let Some(hint) = flow.hint {
            url.query_pairs_mut().append_pair("login_hint", hint);
        }
        Ok(url)
    }

    /// Reads a request of the browser, which may be that of another page.
    fn read(&self, request: &BrowserRequest) -> Received {
        if request.host.as_deref() != Some(self.host.as_str()) {
            return Received::Foreign("it is for another host");
        }
        match (request.method.as_str(), request.target.as_str()) {
            ("GET", "/") => return Received::Empty,
            ("POST", "/") => {}
            ("GET", target) if target.starts_with("/?") => return Received::Foreign("the answer is not a form"),
            ("GET" | "POST", _) => return Received::Foreign("it is for another path"),
            _ => return Received::Foreign("it is neither GET nor POST"),
        }
        if request.content_type != "application/x-www-form-urlencoded" {
            return Received::Foreign("it is not a form");
        }
        let Some(form) = Form::read(&request.body) else { return Received::Foreign("a field is there twice") };
        if !form.state.is_some_and(|state| is_equal(state.expose().as_bytes(), self.state.expose().as_bytes())) {
            return Received::Foreign("it belongs to another sign-in");
        }
        let is_code = |code: &Secret| {
            (1..=LONGEST_CODE).contains(&code.expose().len())
                && code.expose().bytes().all(|byte| byte.is_ascii_graphic())
        };
        match (form.error, form.code.filter(is_code)) {
            (Some(error), _) => Received::Error { error, description: form.description.unwrap_or_default() },
            (None, Some(code)) => Received::Code(code),
            (None, None) => Received::Foreign("it has no code"),
        }
    }

    /// Redeems the code, once: Entra ID accepts it only once.
    fn redeem(&self, flow: &Flow<'_>, code: &Secret) -> Result<(Tokens, Owner)> {
        debug!(step = STEP, outcome = "noted"; "the browser has answered: the code is redeemed");
        let scope = client::scope();
        let grant = [
            ("grant_type", "authorization_code"),
            ("scope", scope.as_str()),
            ("code", code.expose()),
            ("redirect_uri", &self.redirect),
            ("code_verifier", self.verifier.expose()),
        ];
        let request = token::request(flow.tenant, flow.client_id, &grant)?;
        flow.system.check()?;
        let response = flow.system.send(&request).map_err(|failure| failure.error)?;
        let tokens = token::read(flow.system, flow.tenant, &response, &grant).map_err(|refusal| refusal.error)?;
        let nonce = tokens.id_token().and_then(|claims| claims.text("nonce").map(str::to_owned));
        if !nonce.is_some_and(|nonce| is_equal(nonce.as_bytes(), self.nonce.expose().as_bytes())) {
            return Err(Error::new(Kind::Protocol, "the ID token belongs to another sign-in"));
        }
        let owner = flow.accept(&tokens)?;
        Ok((tokens, owner))
    }
}

/// A request of the browser, by its meaning for the sign-in.
enum Received {
    /// A request without an answer, such as one of a reloaded page.
    Empty,
    /// Not an answer to this sign-in, and why.
    Foreign(&'static str),
    /// The sign-in failed: an OAuth error and its description.
    Error { error: String, description: String },
    /// The authorization code.
    Code(Secret),
}

/// The fields of an answer.
#[derive(Default)]
struct Form {
    state: Option<Secret>,
    code: Option<Secret>,
    error: Option<String>,
    description: Option<String>,
}

impl Form {
    /// Reads a form; `None` if a field is there twice.
    fn read(body: &[u8]) -> Option<Self> {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let is_repeated = match &*name {
                "state" => form.state.replace(Secret::new(value.into_owned())).is_some(),
                "code" => form.code.replace(Secret::new(value.into_owned())).is_some(),
                "error" => form.error.replace(value.into_owned()).is_some(),
                "error_description" => form.description.replace(value.into_owned()).is_some(),
                _ => false,
            };
            if is_repeated {
                return None;
            }
        }
        Some(form)
    }
}

/// The error of an answer without a code, explained like an answer of the token endpoint. It came from the sign-in page, by way
/// of the browser.
fn refused(flow: &Flow<'_>, error: &str, description: &str) -> Error {
    let body = json!({ "error": error, "error_description": description }).to_string();
    let body = Zeroizing::new(body.into_bytes());
    let host = flow.tenant.login_host.to_owned();
    let answer = Response { status: 400, headers: Vec::new(), body, host };
    let what = "the sign-in page answered".to_owned();
    let refusal = token::explained_refusal(flow.system, flow.tenant, &answer, &[], what);
    match refusal.code {
        token::Code::Declined => refusal.declined(),
        _ => refusal.error,
    }
}

fn random(system: &dyn System) -> Result<Secret> {
    let mut bytes = Zeroizing::new([0; RANDOM]);
    system.random(&mut *bytes)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(*bytes)))
}

/// Compares in a time that depends on the lengths alone.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |differences, (one, other)| differences | (one ^ other));
    one.len() == other.len() && std::hint::black_box(differences) == 0
}

#[cfg(test)]
mod tests;
