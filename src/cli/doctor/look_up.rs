//! The steps of one look-up, and what the registry says to its outcome.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use super::{
    add_credential,
    report::{Finding, Report, State},
};
use crate::{
    auth::cache_mode::Caching,
    cli::{World, cache::in_words, keyring::choice::MODULE, tools::Index},
    error::{Kind, Result},
    keyring::{
        lookup::{Step, tee},
        session_cache::token::{self, CachedToken},
    },
    registry::{Backend, Credential},
    service::Service,
    store::is_in_use,
    system::{
        http::{Request, Response},
        retry,
    },
};

/// Variables that concern every request.
const NETWORK: [&str; 17] = [
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "RINGBEARER_TIMEOUT",
    "RINGBEARER_STRICT",
    "RINGBEARER_CACHE",
    "RINGBEARER_DEBUG",
    "RINGBEARER_INDEXES_ASKED",
    "ARTIFACTS_KEYRING_NOFUSS_RETRIES",
];

/// What no setting is, although a backend looks at it.
const PLACES: [&str; 8] =
    ["HOME", "PATH", "APPDATA", "LOCALAPPDATA", "USERPROFILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "PATHEXT"];

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
    let Some(backend) = world.memory.keyring.claimant(&service) else {
        report.add(&Finding::new(State::Note, "address", format!("{host} over {scheme}")))?;
        let finding = not_ours(world, &service, host);
        report.add(&finding)?;
        return in_store(world, report, index);
    };
    let source = index.source.as_ref().map_or_else(String::new, |source| format!("; set up in {source}"));
    report.add(&Finding::new(State::Good, "address", format!("{host} over {scheme}{source}")))?;
    report.fact("backend", json!(backend.class()));
    report.add(&Finding::new(State::Good, "backend", format!("{} ({MODULE}{})", backend.title(), backend.class())))?;
    add_settings(world, report, backend)?;
    let finding = of_cache(world, backend, &service);
    report.add(&finding)?;
    let mut asked = 0;
    let mut broken = None;
    let mut given = None;
    let outcome = tee(
        || backend.get(world.system, &service, None),
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
                let fix = format!("ringbearer doctor {}", super::shown(&service));
                let what = "not asked: it is the project in the working directory that names it";
                report.add(&Finding::new(State::Note, "registry", what).with_fix(fix))?;
                return Ok(true);
            }
            ask_registry(world, report, backend, &service, &credential, given.as_deref())
        }
        Ok(None) => {
            let what = "nothing is known for it: tools get no answer, without a word";
            report.add(&Finding::new(State::Bad, "credential", what).with_fix(backend.advice_if_unset()))?;
            Ok(false)
        }
        Err(error) if error.kind() == Kind::Cancelled => Err(error),
        // Each source has told its reason.
        Err(error) if asked > 1 && error.kind() != Kind::Timeout => {
            let finding = Finding::new(State::Bad, "credential", "none: no source served");
            report.add(&Finding { fix: error.hint().map(str::to_owned), ..finding })?;
            Ok(false)
        }
        Err(error) => {
            report.add(&Finding::of_error("credential", &error))?;
            Ok(false)
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
    if world.memory.keyring.claimant(&secured).is_some() && !service.is_https_on_the_usual_port() {
        return Finding::new(State::Bad, "backend", "credentials for this host go over https on port 443 alone")
            .with_fix(format!("write the URL as https://{host}/..."));
    }
    Finding::new(State::Note, "backend", "no index backend of ringbearer's serves this host; the stores are asked")
}

/// What the backend finds set, by names: never a value.
fn add_settings(world: &World<'_>, report: &mut Report<'_>, backend: &dyn Backend) -> Result<()> {
    let is_read = |name: &str| {
        NETWORK.contains(&name)
            || (!PLACES.contains(&name) && backend.variables().iter().any(|prefix| name.starts_with(prefix)))
    };
    let variables: Vec<_> = world
        .system
        .variables()
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, _)| name.into_string().ok().filter(|name| is_read(name)))
        .collect();
    let files: Vec<_> = backend
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
fn of_cache(world: &World<'_>, backend: &dyn Backend, service: &Service) -> Finding {
    let (system, finding) = (world.system, |text: &str| Finding::new(State::Note, "cache", text));
    match Caching::read(system, Caching::Session) {
        Err(error) => return Finding { state: State::Doubtful, ..Finding::of_error("cache", &error) },
        Ok(Caching::Off) => return finding("off: each question signs in again (RINGBEARER_CACHE)"),
        Ok(Caching::Memory) => return finding("each process signs in for itself (RINGBEARER_CACHE)"),
        Ok(Caching::Session) => {}
    }
    if let Err(reason) = system.sharing() {
        return finding(&format!("each process signs in for itself: {reason}"));
    }
    let found = backend.identity(system, service).and_then(|key| token::get(system, backend.name(), &key));
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
    backend: &dyn Backend,
    service: &Service,
    credential: &Credential,
    given: Option<&str>,
) -> Result<bool> {
    let Some(url) = service.url() else { return Ok(true) };
    let pair = Zeroizing::new(format!("{}:{}", credential.username, credential.password.expose()));
    let value = Zeroizing::new(format!("Basic {}", Zeroizing::new(STANDARD.encode(pair.as_bytes())).as_str()));
    let request = Request::get(url.clone())
        .header("Authorization", &value)
        .header("Accept", "application/vnd.pypi.simple.v1+json, text/html;q=0.5")
        .header("X-TFS-FedAuthRedirect", "Suppress");
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
    let advice = || backend.advice(service, status);
    let finding = match status {
        401 if given.is_some() => Finding::new(
            State::Bad,
            "registry",
            format!("{host} refuses {} (HTTP 401): nobody signed in, it was taken as it is", given.unwrap_or_default()),
        )
        .with_fix("renew it: it has ended, was withdrawn, or is for another organisation; or unset it, to sign in"),
        401 => Finding::new(
            State::Bad,
            "registry",
            format!("{host} refuses the token of {who} (HTTP 401): the sign-in worked, the account is not let in"),
        )
        .with_fix(advice()),
        403 => {
            Finding::new(State::Bad, "registry", format!("{host} knows {who}, who may not read this index (HTTP 403)"))
                .with_fix(advice())
        }
        404 => {
            Finding::new(State::Bad, "registry", format!("{host} has no such index, or hides it from {who} (HTTP 404)"))
                .with_fix(advice())
        }
        405 => Finding::new(State::Note, "registry", "takes uploads here, and shows nothing (HTTP 405)"),
        300..=399 if !leads_to_sign_in(&response) => Finding::new(
            State::Good,
            "registry",
            format!("lets this credential in, to a file elsewhere (HTTP {status})"),
        ),
        203 | 300..=399 => Finding::new(
            State::Bad,
            "registry",
            format!("{host} sends to a sign-in page in place of an answer (HTTP {status})"),
        )
        .with_fix("check the network and the VPN"),
        200..=299 => Finding::new(State::Good, "registry", format!("lets this credential in (HTTP {status})")),
        _ => Finding::new(State::Doubtful, "registry", format!("{host} is out of order (HTTP {status})"))
            .with_fix("try again later"),
    };
    report.add(&finding)?;
    Ok(finding.state != State::Bad)
}

/// Whether an answer sends to a page on which people sign in, in place of the file that was asked for.
fn leads_to_sign_in(response: &Response) -> bool {
    let target = response.header_values("Location").next().and_then(|location| Url::parse(location).ok());
    target.is_none_or(|url| {
        let host = url.host_str().unwrap_or_default();
        url.path().contains("_signin")
            || ["login.microsoftonline.com", "login.windows.net", "login.live.com"].contains(&host)
            || host.ends_with(".visualstudio.com") && host.contains("vssps")
    })
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
