//! Plays a recorded case on a fake system, and compares what happens with what the case says.

use std::{
    any::Any,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, SystemTime},
};

use log::Level;

use super::case::{Case, Exchange, Fails, File, FileAfter, Outcome, PlatformName, Program, path};
use crate::{
    error::{Error, Result, WARNING_LIMIT},
    keyring::lookup::{Line, record},
    registry::{Credential, CredentialSource, Registry},
    service::Service,
    system::{
        Clock, Platform,
        fake::FakeSystem,
        http::{Method, Request, Route},
        places,
    },
};

/// Plays a case with a registry. Returns what differs; nothing if the case holds.
pub(super) fn play(registry: &Registry, case: &Case) -> Vec<String> {
    // The fake system panics at a request or a program that it does not expect.
    let differences = catch_unwind(AssertUnwindSafe(|| {
        let mut player = Player { system: system(case), differences: Vec::new() };
        player.play(&*(registry.source)(), case);
        player.differences
    }));
    differences.unwrap_or_else(|panic| vec![text_of(&*panic)])
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").replace('\n', " ")
}

/// The system that a case describes.
fn system(case: &Case) -> FakeSystem {
    let platform = match case.platform {
        Some(PlatformName::Linux) => Platform::Linux,
        Some(PlatformName::MacOs) => Platform::MacOs,
        Some(PlatformName::Windows) => Platform::Windows,
        None => Platform::CURRENT,
    };
    let system = FakeSystem::default().on(platform);
    let system = if platform == Platform::Windows {
        system.variable("USERPROFILE", &path("~")).variable("LOCALAPPDATA", &path("~/AppData/Local"))
    } else {
        system.variable("HOME", &path("~"))
    };
    let system = with_files(with_variables(system, &case.variables), &case.files);
    let system = case.programs.iter().fold(system, |system, run| {
        let arguments: Vec<_> = run.arguments.iter().map(String::as_str).collect();
        if run.endless {
            system.endless_run(&run.name, &arguments)
        } else {
            system.run(&run.name, &arguments, run.status, &run.stdout, &run.stderr)
        }
    });
    let system = case.installed.iter().fold(system, |system, name| system.program(name));
    sent(&case.exchanges).fold(system, |system, exchange| {
        let (method, url) = method_and_url(exchange);
        if let Some(fails) = exchange.fails {
            return system.failure(method, url, fails == Fails::Transient);
        }
        let headers: Vec<_> = exchange.response_headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        system.answer_with_headers(method, url, exchange.status, &headers, &exchange.response)
    })
}

fn with_variables(system: FakeSystem, variables: &BTreeMap<String, String>) -> FakeSystem {
    variables.iter().fold(system, |system, (name, value)| system.variable(name, value))
}

fn with_files(system: FakeSystem, files: &BTreeMap<String, File>) -> FakeSystem {
    files.iter().fold(system, |system, (name, file)| {
        let place = place(&system, name);
        match file {
            File::Content(content) => system.file(&place, content),
            File::Detailed(file) => {
                let system = system.file(&place, &file.content);
                let system = if file.unreadable { system.unreadable(&place) } else { system };
                file.mode.into_iter().fold(system, |system, mode| system.mode(&place, mode))
            }
        }
    })
}

/// The path of a file. `<keyring>/` and `<cache>/` begin with a directory that depends on the platform.
fn place(system: &FakeSystem, name: &str) -> String {
    let below = |directory: Option<std::path::PathBuf>, rest: &str| {
        directory.unwrap_or_else(|| panic!("{name}: there is no such directory")).join(rest).display().to_string()
    };
    match name.split_once('/') {
        Some(("<keyring>", rest)) => below(places::keyring_config(system), rest),
        Some(("<cache>", rest)) => below(places::user_cache(system), rest),
        _ => path(name),
    }
}

/// Every request in order, each as often as it is sent.
fn sent(exchanges: &[Exchange]) -> impl Iterator<Item = &Exchange> {
    exchanges.iter().flat_map(|exchange| std::iter::repeat_n(exchange, exchange.times))
}

fn method_and_url(exchange: &Exchange) -> (Method, &str) {
    match exchange.request.split_once(' ') {
        Some(("GET", url)) => (Method::Get, url),
        Some(("POST", url)) => (Method::Post, url),
        Some(("PUT", url)) => (Method::Put, url),
        _ => panic!("{}: neither GET nor POST nor PUT", exchange.request),
    }
}

struct Player {
    system: FakeSystem,
    differences: Vec<String>,
}

impl Player {
    fn play(&mut self, source: &dyn CredentialSource, case: &Case) {
        let start = self.system.now();
        for service in case.service.all() {
            self.look_up(source, case, service, &case.outcome, start);
        }
        let mut later = Duration::ZERO;
        for next in &case.next {
            later += Duration::from_secs(next.after);
            let system = with_variables(std::mem::take(&mut self.system).later(later), &next.variables);
            self.system = with_files(system, &next.files);
            for service in next.service.as_ref().unwrap_or(&case.service).all() {
                self.look_up(source, case, service, next.outcome.as_ref().unwrap_or(&case.outcome), start);
            }
        }
        self.system.assert_done();
        self.compare_traffic(case);
        for (name, file) in &case.files_after {
            self.compare_file(name, file);
        }
    }

    fn look_up(
        &mut self,
        source: &dyn CredentialSource,
        case: &Case,
        service: &str,
        outcome: &Outcome,
        start: SystemTime,
    ) {
        let asked = Service::parse(service);
        let is_claimed = source.claims(&self.system, &asked);
        if is_claimed != outcome.claimed {
            self.differences.push(format!("{service}: claimed = {is_claimed}"));
        }
        if !is_claimed || !outcome.claimed {
            return;
        }
        let pauses = self.system.pauses().len();
        let (lines, found) = record(|| {
            case.username.as_ref().map_or(Ok(()), |username| source.check_username(&asked, username))?;
            source.get(&self.system, &asked)
        });
        let waited: Duration = self.system.pauses()[pauses..].iter().sum();
        let mut differences = compare(outcome, &found, start);
        differences.extend(compare_warnings(outcome, &lines));
        if outcome.waited.is_some_and(|seconds| Duration::from_secs(seconds) != waited) {
            differences.push(format!("waited for {waited:?}"));
        }
        differences.extend(leaks(case, &lines, &found));
        self.differences.extend(differences.into_iter().map(|difference| format!("{service}: {difference}")));
    }

    /// Compares what was sent and run.
    fn compare_traffic(&mut self, case: &Case) {
        for (exchange, request) in sent(&case.exchanges).zip(self.system.requests()) {
            let differences = compare_request(exchange, &request);
            self.differences
                .extend(differences.into_iter().map(|difference| format!("{}: {difference}", exchange.request)));
        }
        let expected: Vec<_> = case.programs.iter().map(|run| run.name.clone()).collect();
        let ran = self.system.ran();
        if ran != expected {
            self.differences.push(format!("ran {ran:?}"));
        }
        let environments = self.system.added_variables().into_iter().zip(self.system.limits());
        for (run, (added, limit)) in case.programs.iter().zip(environments) {
            let differences = compare_run(run, &added, limit);
            self.differences.extend(differences.into_iter().map(|difference| format!("{}: {difference}", run.name)));
        }
    }

    fn compare_file(&mut self, name: &str, file: &FileAfter) {
        let content = self.system.content(&place(&self.system, name));
        if content.is_none() != file.absent {
            self.differences.push(format!("{name}: absent = {}", content.is_none()));
        }
        let content = content.map(|content| String::from_utf8_lossy(&content).into_owned()).unwrap_or_default();
        let missing = file.contains.iter().filter(|part| !content.contains(*part));
        self.differences.extend(missing.map(|part| format!("{name}: no {part:?} in {content}")));
        let forbidden = file.lacks.iter().filter(|part| content.contains(*part));
        self.differences.extend(forbidden.map(|part| format!("{name}: {part:?} in {content}")));
    }
}

/// Compares the result of a lookup.
fn compare(outcome: &Outcome, found: &Result<Option<Credential>>, start: SystemTime) -> Vec<String> {
    let mut differences = Vec::new();
    match found {
        Ok(None) if outcome.nothing => {}
        Ok(None) => differences.push("nothing was found".to_owned()),
        Ok(Some(found)) => {
            let expires = found.expires.map(|end| end.duration_since(start).unwrap_or_default().as_secs());
            let password = Some(found.password.expose());
            if outcome.nothing || outcome.error.is_some() {
                differences.push(format!("a credential was found, with the password {password:?}"));
            } else if outcome.username.as_deref() != Some(&found.username) || outcome.password.as_deref() != password {
                differences.push(format!("found user name {:?} and password {password:?}", found.username));
            } else if outcome.owner.is_some() && outcome.owner != found.owner {
                differences.push(format!("it is {:?}'s", found.owner));
            } else if outcome.expires_in.is_some() && outcome.expires_in != expires {
                differences.push(format!("it expires in {expires:?} s"));
            }
        }
        Err(error) => differences.extend(compare_error(outcome, error)),
    }
    differences
}

fn compare_error(outcome: &Outcome, error: &Error) -> Vec<String> {
    let Some(parts) = &outcome.error else { return vec![format!("failed: {error}")] };
    let has = |text: &str, part: &String| text.contains(part);
    let mut differences: Vec<_> = parts
        .iter()
        .filter(|part| !has(error.message(), part))
        .chain(outcome.hint.iter().filter(|part| !has(error.hint().unwrap_or_default(), part)))
        .map(|part| format!("no {part:?} in: {error}"))
        .collect();
    let kind = format!("{:?}", error.kind());
    if outcome.kind.as_ref().is_some_and(|expected| *expected != kind) {
        differences.push(format!("the error is of kind {kind}: {error}"));
    }
    if error.to_string().contains('\n') || error.warning().chars().count() > WARNING_LIMIT {
        differences.push(format!("more than a line: {error}"));
    }
    differences
}

fn compare_warnings(outcome: &Outcome, lines: &[Line]) -> Vec<String> {
    let warnings: Vec<_> =
        lines.iter().filter(|line| line.level <= Level::Warn).map(|line| line.message.as_str()).collect();
    let is_missing = |part: &&String| !warnings.iter().any(|warning| warning.contains(part.as_str()));
    let missing = outcome.warnings.iter().filter(is_missing).map(|part| format!("no warning with {part:?}"));
    let surplus = warnings.iter().filter(|_| outcome.warnings.is_empty()).map(|warning| format!("warned: {warning}"));
    missing.chain(surplus).collect()
}

/// The secrets that the log or the error holds.
fn leaks(case: &Case, lines: &[Line], found: &Result<Option<Credential>>) -> Vec<String> {
    let mut shown: Vec<String> = lines.iter().map(|line| line.message.clone()).collect();
    let mut secrets: Vec<&str> = case.secrets.iter().map(String::as_str).collect();
    match found {
        Ok(Some(credential)) => secrets.push(credential.password.expose()),
        Ok(None) => {}
        Err(error) => shown.push(format!("{error} {error:?}")),
    }
    secrets
        .iter()
        .filter_map(|secret| Some((secret, shown.iter().find(|text| text.contains(secret))?)))
        .map(|(secret, text)| format!("{secret:?} is shown: {text}"))
        .collect()
}

/// Compares the environment and the limit of a program that was run.
fn compare_run(run: &Program, added: &[(&str, String)], limit: Duration) -> Vec<String> {
    let of = |name: &str| added.iter().find(|(given, _)| *given == name).map_or("", |(_, value)| value);
    let differing = run.variables.iter().filter(|(name, value)| of(name) != *value);
    let mut differences: Vec<_> = differing.map(|(name, _)| format!("{name} is {:?}", of(name))).collect();
    if run.limit.is_some_and(|seconds| Duration::from_secs(seconds) != limit) {
        differences.push(format!("its limit is {limit:?}"));
    }
    differences
}

/// Compares a request that was sent.
fn compare_request(exchange: &Exchange, request: &Request) -> Vec<String> {
    let mut differences = Vec::new();
    for (name, value) in &exchange.query {
        let values: Vec<_> =
            request.url.query_pairs().filter(|(given, _)| given == name).map(|(_, value)| value).collect();
        if values != [value.as_str()] {
            differences.push(format!("the query has {name} = {values:?}"));
        }
    }
    let of = |name: &str| -> Vec<_> {
        let values = request.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        values.map(|(_, value)| value.expose()).collect()
    };
    for (name, part) in &exchange.headers {
        let values = of(name);
        if values.len() != 1 || !values[0].contains(part) {
            differences.push(format!("header {name} is {values:?}"));
        }
    }
    let surplus = exchange.without_headers.iter().filter(|name| !of(name).is_empty());
    differences.extend(surplus.map(|name| format!("it has a header {name}")));
    let trusted = request.ca_bundle.as_ref().map(|bundle| bundle.path.display().to_string()).unwrap_or_default();
    if exchange.ca_bundle.as_ref().is_some_and(|expected| *expected != trusted) {
        differences.push(format!("it trusts {trusted:?}"));
    }
    let is_direct = request.route == Route::Metadata;
    if exchange.direct.is_some_and(|expected| expected != is_direct) {
        differences.push(format!("direct = {is_direct}"));
    }
    let body = String::from_utf8_lossy(&request.body);
    let missing = exchange.body.iter().filter(|part| !body.contains(*part));
    differences.extend(missing.map(|part| format!("no {part:?} in the body {body}")));
    let forbidden = exchange.without_body.iter().filter(|part| body.contains(*part));
    differences.extend(forbidden.map(|part| format!("{part:?} in the body {body}")));
    differences
}
