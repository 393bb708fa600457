//! The steps of one look-up, and what the registry says to its outcome.

use std::ops::RangeInclusive;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use super::{
    add_credential,
    report::{Finding, Report, State},
};
use crate::{
    auth::cache_mode::CacheMode,
    cli::{World, backend_choice::MODULE, cache::in_words, tools::Index},
    error::{Kind, Result},
    keyring::{
        Candidate,
        lookup::{Step, tee},
        session_cache::token::{self, CachedToken},
    },
    registry::{Credential, Probe, Registry},
    service::Service,
    store::is_in_use,
    system::{
        http::{Request, Response},
        retry,
    },
    variable::{self, Role},
};

/// Looks a URL up, every step shown. Answers whether there is a credential that the registry does not refuse, if it is
/// asked.
pub(super) fn examine(world: &World<'_>, report: &mut Report<'_>, index: &Index, asks_registry: bool) -> Result<bool> {
    let service = index.service();
    let Some(host) = service.host() else {
        let what = "this is no URL with a host name, or one that two programs could read differently";
        report.add(&Finding::new(State::Bad, "address", what).with_fix("write it as https://HOST/PATH"))?;
        return in_store(world, report, index);
    };
    let scheme = service.url().map_or("", Url::scheme);
    let candidates: Vec<_> = world.memory.keyring.candidates(&service).collect();
    if candidates.is_empty() {
        report.add(&Finding::new(State::Note, "address", format!("{host} over {scheme}")))?;
        let finding = not_ours(world, &service, host);
        report.add(&finding)?;
        return in_store(world, report, index);
    }
    let source = index.source.as_ref().map_or_else(String::new, |source| format!("; set up in {source}"));
    report.add(&Finding::new(State::Good, "address", format!("{host} over {scheme}{source}")))?;
    for candidate in candidates {
        if let Some(is_accepted) = examine_candidate(world, report, candidate, &service, asks_registry)? {
            return Ok(is_accepted);
        }
    }
    Ok(false)
}

/// Asks one registry, every step shown. Answers whether it accepts the credential; `None` if there is no credential.
fn examine_candidate(
    world: &World<'_>,
    report: &mut Report<'_>,
    candidate: &Candidate,
    service: &Service,
    asks_registry: bool,
) -> Result<Option<bool>> {
    let Registry { title, python_class, advice_if_unset, .. } = *candidate.registry;
    report.fact("backend", json!(python_class));
    report.add(&Finding::new(State::Good, "backend", format!("{title} ({MODULE}{python_class})")))?;
    add_settings(world, report, candidate)?;
    let finding = of_cache(world, candidate, service);
    report.add(&finding)?;
    let mut asked = 0;
    let mut broken = None;
    let mut given = None;
    let outcome = tee(
        || candidate.source.get(world.system, service, None),
        |step| {
            asked += u32::from(matches!(step.outcome.as_str(), "failed" | "skipped"));
            match step.outcome.as_str() {
                "found" => given = Some(step.detail.clone()),
                // It was refused, or what is shown to the registry was got for it.
                "failed" | "done" => given = None,
                _ => {}
            }
            broken = report.add(&of_step(step)).err().or_else(|| broken.take());
        },
    );
    if let Some(error) = broken {
        return Err(error);
    }
    match outcome {
        Ok(Some(credential)) => {
            add_credential(report, &credential)?;
            if !asks_registry {
                let fix = format!("ringbearer doctor {}", super::shown(service));
                let what = "not asked: it is the project in the working directory that names it";
                report.add(&Finding::new(State::Note, "registry", what).with_fix(fix))?;
                return Ok(Some(true));
            }
            ask_registry(world, report, candidate, service, &credential, given.as_deref()).map(Some)
        }
        Ok(None) => {
            let what = "nothing is known for it: tools get no answer, without a word";
            report.add(&Finding::new(State::Bad, "credential", what).with_fix(advice_if_unset))?;
            Ok(None)
        }
        Err(error) if error.kind() == Kind::Cancelled => Err(error),
        // Each source has told its reason.
        Err(error) if asked > 1 && error.kind() != Kind::Timeout => {
            let finding = Finding::new(State::Bad, "credential", "none: no source served");
            report.add(&Finding { fix: error.hint().map(str::to_owned), ..finding })?;
            Ok(None)
        }
        Err(error) => {
            report.add(&Finding::of_error("credential", &error))?;
            Ok(None)
        }
    }
}

fn of_step(step: &Step) -> Finding {
    let state = match step.outcome.as_str() {
        "done" | "served" => State::Good,
        "failed" => State::Bad,
        "skipped" => State::Off,
        _ => State::Note,
    };
    let detail = match (step.outcome.as_str(), step.detail.as_str()) {
        ("gives" | "found", detail) => format!("{} {detail}", step.outcome),
        ("served", "") => "served".to_owned(),
        (_, detail) => detail.to_owned(),
    };
    Finding::new(state, &step.name, detail)
}

/// Why no index backend claims a URL.
fn not_ours(world: &World<'_>, service: &Service, host: &str) -> Finding {
    let secured = Service::parse(&format!("https://{host}/"));
    if world.memory.keyring.serves(&secured) && !service.is_https_on_default_port() {
        return Finding::new(State::Bad, "backend", "credentials for this host go over https on port 443 alone")
            .with_fix(format!("write the URL as https://{host}/..."));
    }
    Finding::new(State::Note, "backend", "no index backend of ringbearer's serves this host; the stores are asked")
}

/// The variables that are set and the files that are there, by name: never a value. Directories of the platform are no
/// settings.
fn add_settings(world: &World<'_>, report: &mut Report<'_>, candidate: &Candidate) -> Result<()> {
    let is_read = |name: &str| {
        candidate
            .registry
            .variables()
            .chain(variable::COMMON)
            .any(|variable| variable.role != Role::Location && variable.name == name)
    };
    let variables: Vec<_> = world
        .system
        .variables()
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, _)| name.into_string().ok().filter(|name| is_read(name)))
        .collect();
    let files: Vec<_> = candidate
        .source
        .files(world.system)
        .into_iter()
        .filter(|path| world.system.details(path).is_ok())
        .map(|path| super::super::shown(&path.display().to_string()))
        .collect();
    for (name, found) in [("variables", &variables), ("files", &files)] {
        let text = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
        report.fact(name, json!(found));
        report.add(&Finding::new(State::Note, name, text))?;
    }
    Ok(())
}

/// The state of the session cache. The lookup that follows bypasses it, so that every step is seen.
fn of_cache(world: &World<'_>, candidate: &Candidate, service: &Service) -> Finding {
    let (system, finding) = (world.system, |text: &str| Finding::new(State::Note, "cache", text));
    match CacheMode::read(system, CacheMode::Session) {
        Err(error) => return Finding { state: State::Doubtful, ..Finding::of_error("cache", &error) },
        Ok(CacheMode::Off) => return finding("off: each question signs in again (RINGBEARER_CACHE)"),
        Ok(CacheMode::Memory) => return finding("each process signs in for itself (RINGBEARER_CACHE)"),
        Ok(CacheMode::Session) => {}
    }
    if let Err(reason) = system.sharing() {
        return finding(&format!("each process signs in for itself: {reason}"));
    }
    let key = candidate.source.cache_key(system, service);
    let found = key.and_then(|key| token::get(system, candidate.registry.id, &key));
    let Some(CachedToken { created, until, credential, .. }) = found else {
        return match token::room(system) {
            Ok(()) => finding("no token is kept in this session"),
            Err(reason) => Finding::new(State::Doubtful, "cache", format!("new tokens are not kept: {reason}"))
                .with_fix("ringbearer cache clear"),
        };
    };
    let owner = credential.owner.as_deref().map_or_else(String::new, |owner| format!(" of {owner}"));
    let age = in_words(system.now().duration_since(created).unwrap_or_default());
    let left = in_words(until.duration_since(system.now()).unwrap_or_default());
    finding(&format!("a token{owner}, got {age} ago, is kept in this session for {left}; it is not used here"))
}

/// Shows the credential to the registry, as a tool would, and says what its answer means. The host is one that the
/// backend claims, over https.
fn ask_registry(
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
    let Probe { headers, is_sign_in, advice } = candidate.registry.probe;
    let request = Request::get(url.clone())
        .header("Authorization", &value)
        .header("Accept", "application/vnd.pypi.simple.v1+json, text/html;q=0.5");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    let response = match retry::send(world.system, &request) {
        Ok(response) => response,
        Err(error) if error.kind() == Kind::Cancelled => return Err(error),
        // Some indexes are longer than what is read here: so it was let in.
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
        let what = format!("{host} refuses {given} (HTTP 401): nobody signed in, it was taken as it is");
        let fix = "renew it: it has ended, was withdrawn, or is for another organisation; or unset it, to sign in";
        report.add(&Finding::new(State::Bad, "registry", what).with_fix(fix))?;
        return Ok(false);
    }
    let is_file_elsewhere = (300..=399).contains(&status) && target(&response).is_some_and(|url| !is_sign_in(&url));
    let (state, what, fix) = if is_file_elsewhere {
        (State::Good, "lets this credential in, to a file elsewhere (HTTP {status})", "")
    } else {
        ANSWERS
            .iter()
            .find(|(range, ..)| range.contains(&status))
            .map_or((State::Doubtful, "{host} is out of order (HTTP {status})", "try again later"), |answer| {
                (answer.1, answer.2, answer.3)
            })
    };
    let what = what.replace("{host}", host).replace("{who}", who).replace("{status}", &status.to_string());
    let advice = advice.iter().find(|(code, _)| *code == status).map_or(fix, |(_, advice)| advice);
    let finding = Finding::new(state, "registry", what);
    let finding = match advice {
        "" => finding,
        advice => finding.with_fix(advice.replace("{place}", &candidate.source.place(service))),
    };
    report.add(&finding)?;
    Ok(state != State::Bad)
}

/// What an answer of the registry means, by its status, and what to do if the registry has no better advice.
const ANSWERS: [(RangeInclusive<u16>, State, &str, &str); 8] = [
    (200..=202, State::Good, "lets this credential in (HTTP {status})", ""),
    (203..=203, State::Bad, SIGN_IN_PAGE, CHECK_NETWORK),
    (204..=299, State::Good, "lets this credential in (HTTP {status})", ""),
    (300..=399, State::Bad, SIGN_IN_PAGE, CHECK_NETWORK),
    (
        401..=401,
        State::Bad,
        "{host} refuses the token of {who} (HTTP 401): the sign-in worked, the account is not let in",
        "",
    ),
    (403..=403, State::Bad, "{host} knows {who}, who may not read this index (HTTP 403)", ""),
    (404..=404, State::Bad, "{host} has no such index, or hides it from {who} (HTTP 404)", ""),
    (405..=405, State::Note, "takes uploads here, and shows nothing (HTTP 405)", ""),
];

const SIGN_IN_PAGE: &str = "{host} sends to a sign-in page in place of an answer (HTTP {status})";
const CHECK_NETWORK: &str = "check the network and the VPN";

/// Where a redirect leads.
fn target(response: &Response) -> Option<Url> {
    response.header_values("Location").next().and_then(|location| Url::parse(location).ok())
}

/// Whether the store has something for a service that no index backend claims: by the words that tools would ask with.
fn in_store(world: &World<'_>, report: &mut Report<'_>, index: &Index) -> Result<bool> {
    if !is_in_use(world.system) {
        report.add(&Finding::new(State::Off, "store", "ringbearer's store is not set up"))?;
        return Ok(false);
    }
    let (store, username) = (&world.memory.store, index.username());
    let mut services = vec![index.without_user()];
    services.extend(index.service().host().map(str::to_owned));
    for service in services {
        let found = match &username {
            Some(name) => store.get(world.system, &service, name).map(|found| found.map(|_| name.clone())),
            None => store.find(world.system, &service).map(|found| found.map(|(name, _)| name)),
        };
        match found {
            Ok(Some(username)) => {
                let username = super::super::shown(&username);
                report.add(&Finding::new(State::Good, "store", format!("has a password of {username} for it")))?;
                return Ok(true);
            }
            Ok(None) => {}
            Err(error) if error.kind() == Kind::Cancelled => return Err(error),
            Err(error) => {
                report.add(&Finding::of_error("store", &error))?;
                return Ok(false);
            }
        }
    }
    report.add(&Finding::new(State::Off, "store", "has nothing for it; the next keyring is asked"))?;
    Ok(false)
}
