//! The steps of one lookup.

use std::collections::BTreeSet;

use serde_json::json;
use url::Url;

use super::{
    add_credential, probe,
    report::{Finding, Report, State},
    store,
};
use crate::{
    auth::cache_mode::CacheMode,
    cli::{World, backend_choice::MODULE, cache::in_words, login::list, shell::ShellSyntax, shown_path},
    error::{Kind, Result},
    keyring::{
        Candidate,
        lookup::{Step, tee},
        session_cache::token::{self, CachedToken},
    },
    registry::{Credential, Registry, SetupVariable},
    service::Service,
    tools::Index,
    variable::{self, Role},
};

/// Looks a URL up and shows every step. Returns whether there is a credential that the registry, if asked, does not refuse.
pub(super) fn examine(world: &World<'_>, report: &mut Report<'_>, index: &Index, asks_registry: bool) -> Result<bool> {
    let service = index.service();
    let Some(host) = service.host() else {
        let what = "not a URL with a host name, or one that programs read differently";
        report.add(&Finding::new(State::Bad, "address", what).with_fix("write it as https://HOST/PATH"))?;
        return store::examine(world, report, index);
    };
    let scheme = service.url().map_or("", Url::scheme);
    let candidates: Vec<_> = world.memory.keyring.candidates(world.system, &service).collect();
    if candidates.is_empty() {
        report.add(&Finding::new(State::Note, "address", format!("{host} over {scheme}")))?;
        let finding = unclaimed(world, &service, host);
        report.add(&finding)?;
        return store::examine(world, report, index);
    }
    let source = index.source.as_ref().map_or_else(String::new, |source| format!("; set up in {source}"));
    report.add(&Finding::new(State::Good, "address", format!("{host} over {scheme}{source}")))?;
    let mut asked = Asked::default();
    for (number, candidate) in candidates.iter().enumerate() {
        let is_last = number + 1 == candidates.len();
        if let Some(is_accepted) =
            examine_candidate(world, report, candidate, &service, asks_registry, is_last, &mut asked)?
        {
            return Ok(is_accepted);
        }
    }
    Ok(false)
}

/// The registries that gave no credential, of those that claim a URL.
#[derive(Default)]
struct Asked {
    /// Those that nothing is configured for: title, and how to configure it.
    unset: Vec<(&'static str, &'static str)>,
    has_failure: bool,
}

impl Asked {
    /// Adds a registry that nothing is configured for.
    fn add_unset(&mut self, registry: &Registry, is_last: bool) -> Finding {
        self.unset.push((registry.title, registry.advice_if_unset));
        let finding = |state, what| Finding::new(state, "credential", what);
        if self.has_failure {
            return finding(State::Off, "nothing is configured for it");
        }
        if !is_last {
            return finding(State::Off, "nothing is configured for it; the next registry is asked");
        }
        let advice = match self.unset.as_slice() {
            [(_, advice)] => (*advice).to_owned(),
            several => {
                several.iter().map(|(title, advice)| format!("{title}: {advice}")).collect::<Vec<_>>().join("; ")
            }
        };
        finding(State::Bad, "nothing is configured for it: tools get no answer and no message").with_fix(advice)
    }
}

/// Asks one registry and shows every step. Returns whether it accepts the credential; `None` without a credential.
fn examine_candidate(
    world: &World<'_>,
    report: &mut Report<'_>,
    candidate: &Candidate,
    service: &Service,
    asks_registry: bool,
    is_last: bool,
    registries: &mut Asked,
) -> Result<Option<bool>> {
    let Registry { title, python_class, .. } = *candidate.registry;
    report.fact("backend", json!(python_class));
    report.add(&Finding::new(State::Good, "backend", format!("{title} ({MODULE}{python_class})")))?;
    add_settings(world, report, candidate)?;
    add_logins(world, report, candidate)?;
    let finding = cache_finding(world, candidate, service);
    report.add(&finding)?;
    // The lookup then performs, and the report shows, every step.
    candidate.source.forget(world.system, service);
    let mut asked = 0;
    let mut unwritten = None;
    let mut given = None;
    let outcome = tee(
        || candidate.source.get(world.system, service),
        |step| {
            asked += u32::from(matches!(step.outcome.as_str(), "failed" | "skipped"));
            match step.outcome.as_str() {
                "found" => given = Some(step.detail.clone()),
                // It was refused, or exchanged for the credential that the registry sees.
                "failed" | "done" => given = None,
                _ => {}
            }
            unwritten = report.add(&step_finding(step)).err().or_else(|| unwritten.take());
        },
    );
    if let Some(error) = unwritten {
        return Err(error);
    }
    add_caller(world, report, candidate, service, &outcome)?;
    registries.has_failure |= outcome.is_err();
    match outcome {
        Ok(Some(credential)) => {
            add_credential(report, &credential)?;
            if !asks_registry {
                let fix = format!("ringbearer doctor {}", super::shown(service));
                let what = "not asked: only the project in the working directory names this URL";
                report.add(&Finding::new(State::Note, "registry", what).with_fix(fix))?;
                return Ok(Some(true));
            }
            probe::examine(world, report, candidate, service, &credential, given.as_deref()).map(Some)
        }
        Ok(None) => {
            report.add(&registries.add_unset(candidate.registry, is_last))?;
            Ok(None)
        }
        Err(error) if error.kind() == Kind::Cancelled => Err(error),
        // The steps show the reason of each source.
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

fn step_finding(step: &Step) -> Finding {
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

/// Why no registry claims a URL.
fn unclaimed(world: &World<'_>, service: &Service, host: &str) -> Finding {
    let secured = Service::parse(&format!("https://{host}/"));
    if world.memory.keyring.serves(world.system, &secured) && !service.is_https_on_default_port() {
        return Finding::new(State::Bad, "backend", "credentials for this host go over https on port 443 only")
            .with_fix(format!("write the URL as https://{host}/..."));
    }
    let what = "no registry of ringbearer has this host; the stores are asked";
    match world.memory.keyring.setup_variable(service) {
        Some(SetupVariable { what, variable, value }) => {
            let fix = match world.system.setting(variable) {
                None => ShellSyntax::of(world.system).set(variable, &value),
                Some(_) => format!("add to {variable}: {value}"),
            };
            Finding::new(State::Doubtful, "backend", format!("{host} {what}; the stores are asked")).with_fix(fix)
        }
        None => Finding::new(State::Note, "backend", what),
    }
}

/// The variables that are set and the files that exist, by name and never by value. Directories of the platform and marks
/// of the session are left out.
fn add_settings(world: &World<'_>, report: &mut Report<'_>, candidate: &Candidate) -> Result<()> {
    let is_set = |name: &String| world.system.raw_variable(name).is_some_and(|value| !value.is_empty());
    let read = candidate.registry.variables().chain(variable::COMMON);
    let read = read.filter(|variable| !matches!(variable.role, Role::Location | Role::Session));
    let read = read.map(|variable| variable.name.to_owned());
    let variables: Vec<_> = read.filter(is_set).collect::<BTreeSet<_>>().into_iter().collect();
    let files: Vec<_> = candidate
        .source
        .files(world.system)
        .into_iter()
        .filter(|path| world.system.details(path).is_ok())
        .map(shown_path)
        .collect();
    for (name, found) in [("variables", &variables), ("files", &files)] {
        let text = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
        report.fact(name, json!(found));
        report.add(&Finding::new(State::Note, name, text))?;
    }
    Ok(())
}

/// The logins of `ringbearer login`, if there are any. Reads no secret.
fn add_logins(world: &World<'_>, report: &mut Report<'_>, candidate: &Candidate) -> Result<()> {
    let Some(sign_in) = candidate.source.sign_in() else { return Ok(()) };
    let logins = match sign_in.logins(world.system) {
        Ok(logins) => logins,
        Err(error) if error.kind() == Kind::Cancelled => return Err(error),
        Err(error) => return report.add(&Finding { state: State::Doubtful, ..Finding::of_error("logins", &error) }),
    };
    if !logins.is_empty() {
        report.fact("logins", logins.iter().map(list::as_json).collect());
    }
    for login in &logins {
        let text = format!("{}, {}; {}", login.account, list::where_kept(login), login.life);
        report.add(&Finding::new(State::Note, "signed in", text))?;
    }
    Ok(())
}

/// Whose login was used, where the services of the registry say so.
fn add_caller(
    world: &World<'_>,
    report: &mut Report<'_>,
    candidate: &Candidate,
    service: &Service,
    outcome: &Result<Option<Credential>>,
) -> Result<()> {
    if !matches!(outcome, Ok(Some(_))) && !matches!(outcome, Err(error) if error.kind() == Kind::Rejected) {
        return Ok(());
    }
    match candidate.source.caller(world.system, service) {
        Ok(None) => Ok(()),
        Ok(Some(caller)) => {
            report.fact("caller", json!(caller));
            report.add(&Finding::new(State::Note, "caller", caller))
        }
        Err(error) if error.kind() == Kind::Cancelled => Err(error),
        // The lookup failed for the same reason.
        Err(_) if outcome.is_err() => Ok(()),
        Err(error) => report.add(&Finding { state: State::Doubtful, ..Finding::of_error("caller", &error) }),
    }
}

/// The state of the session cache. The lookup that follows bypasses it, so that every step is seen.
fn cache_finding(world: &World<'_>, candidate: &Candidate, service: &Service) -> Finding {
    let (system, finding) = (world.system, |text: &str| Finding::new(State::Note, "cache", text));
    match CacheMode::read(system, CacheMode::Session) {
        Err(error) => return Finding { state: State::Doubtful, ..Finding::of_error("cache", &error) },
        Ok(CacheMode::Off) => return finding("off: every lookup signs in again (RINGBEARER_CACHE)"),
        Ok(CacheMode::Memory) => return finding("each process signs in for itself (RINGBEARER_CACHE)"),
        Ok(CacheMode::Session) => {}
    }
    if let Err(reason) = system.sharing() {
        return finding(&format!("each process signs in for itself: {reason}"));
    }
    let Some(key) = candidate.source.cache_key(system, service) else {
        return finding("tokens for this URL are not kept");
    };
    let found = token::get(system, candidate.registry.id, &key);
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
    finding(&format!("a token{owner}, got {age} ago, is kept in this session for {left}; doctor does not use it"))
}
