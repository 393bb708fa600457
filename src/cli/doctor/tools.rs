//! How pip, uv, twine, Poetry and tox on this machine would ask, and the exact line to change where they would not.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use super::report::{Finding, Report, State};
use crate::{
    backend::Backend,
    cli::{
        World,
        keyring::choice::{Choice, MODULE, NO_STORE_CLASS, STORE_CLASS, VARIABLE, configuration_file},
        secret::has_store,
        tools::{
            Index,
            beside::{self, Beside},
            configuration_home, is_same, netrc,
            pip::{self, Pip},
            read_toml,
            uv::{self, Uv},
        },
    },
    error::Result,
    ini::Ini,
    service::Service,
    store::{self, Status},
    sys::{System, process::Command},
};

/// How long a keyring may take to list its backends.
const LIMIT: Duration = Duration::from_secs(30);

/// What puts a keyring that knows ringbearer on PATH.
const INSTALL: &str = "uv tool install ringbearer-cli";

/// The first `keyring` on PATH.
struct OnPath {
    program: PathBuf,
    has_ringbearer: bool,
    is_python: bool,
}

/// What all tools have in common.
struct Machine<'all> {
    system: &'all dyn System,
    keyring: Option<OnPath>,
    /// The indexes in question, with their backends.
    served: Vec<(Index, Service, &'all dyn Backend)>,
}

/// Shows how each tool would ask. Answers how many would not.
pub(super) fn examine(
    world: &World<'_>,
    report: &mut Report<'_>,
    indexes: &[Index],
    pip: &Pip,
    uv: &Uv,
) -> Result<usize> {
    let served = indexes.iter().filter_map(|index| {
        let service = index.service();
        let backend = world.memory.keyring.claimant(&service)?;
        Some((index.clone(), service, backend))
    });
    let machine = Machine { system: world.system, keyring: first_keyring(world.system), served: served.collect() };
    if let Some(finding) = choice(world) {
        report.add(&finding)?;
    }
    report.add(&machine.keyring())?;
    for finding in machine.netrc() {
        report.add(&finding)?;
    }
    let mut mute = BTreeSet::new();
    // Each is told as soon as it is known: to ask a Python what it has takes a moment.
    let tools: [&dyn Fn() -> Vec<Finding>; 5] = [
        &|| machine.uv(uv),
        &|| vec![machine.pip(pip)],
        &|| vec![machine.twine()],
        &|| vec![machine.poetry()],
        &|| vec![machine.beside("tox")],
    ];
    for finding in tools.iter().flat_map(|tool| tool()) {
        report.add(&finding)?;
        if finding.state == State::Bad {
            mute.insert(finding.name);
        }
    }
    if has_store(world.system) {
        report.add(&store_finding(world.system)?)?;
    }
    Ok(mute.len())
}

fn first_keyring(system: &dyn System) -> Option<OnPath> {
    let program = system.find_program("keyring")?;
    let listed = system.run(&Command::new(program.clone(), &["--list-backends"], LIMIT));
    let has_ringbearer =
        listed.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("ringbearer.backends."));
    let head = system.open(&program).and_then(|file| file.read(0, 2)).unwrap_or_default();
    Some(OnPath { is_python: head == b"#!", program, has_ringbearer })
}

/// Whether somebody told keyring to ask one backend and no other.
fn choice(world: &World<'_>) -> Option<Finding> {
    let name = "keyring's choice";
    let class = match Choice::without_option(world.system, &world.memory.keyring) {
        Choice::None => return None,
        Choice::Foreign { class, .. } => crate::cli::shown(&class),
        Choice::Index(class) => {
            let detail = format!("keyring is told to ask {MODULE}{class} and no other");
            return Some(Finding::new(State::Note, name, detail));
        }
        Choice::Store => format!("{MODULE}{STORE_CLASS}"),
        Choice::NoStore => format!("{MODULE}{NO_STORE_CLASS}"),
    };
    let (source, fix) = if world.system.setting(VARIABLE).is_some() {
        (VARIABLE.to_owned(), format!("unset {VARIABLE}"))
    } else {
        let file = configuration_file(world.system).map_or_else(String::new, |path| path.display().to_string());
        (file, "take the line `default-keyring` out of it".to_owned())
    };
    let detail = format!("{source} makes keyring ask {class} and no other: tools get no index's credential from it");
    Some(Finding::new(State::Bad, name, detail).with_fix(fix))
}

impl Machine<'_> {
    fn keyring(&self) -> Finding {
        match &self.keyring {
            None => Finding::new(
                State::Doubtful,
                "keyring",
                "none on PATH: uv has nobody to ask, nor has a pip without ringbearer beside it",
            )
            .with_fix(INSTALL),
            Some(OnPath { program, has_ringbearer: false, .. }) => Finding::new(
                State::Bad,
                "keyring",
                format!("{}, the first on PATH, does not know ringbearer", program.display()),
            )
            .with_fix(format!("{INSTALL}, and its folder in front on PATH")),
            Some(OnPath { program, is_python, .. }) => {
                let sort = if *is_python { "a Python program with ringbearer" } else { "native" };
                Finding::new(State::Good, "keyring", format!("{} ({sort})", program.display()))
            }
        }
    }

    /// Whether a program that tools run would answer.
    fn has_keyring(&self) -> bool {
        self.keyring.as_ref().is_some_and(|keyring| keyring.has_ringbearer)
    }

    fn netrc(&self) -> Vec<Finding> {
        let hosts = self.served.iter().filter_map(|(_, service, _)| service.host());
        let found = hosts.filter_map(|host| Some((host, netrc::entry(self.system, host)?)));
        found
            .map(|(host, path)| {
                let detail =
                    format!("{} has an entry for {host}: pip and uv take it and ask no keyring", path.display());
                Finding::new(State::Bad, "netrc", detail)
                    .with_fix(format!("take the entry `machine {host}` (or `default`) out of it"))
            })
            .collect()
    }

    fn uv(&self, uv: &Uv) -> Vec<Finding> {
        if self.system.find_program("uv").is_none() {
            return vec![Finding::new(State::Off, "uv", "is not on PATH")];
        }
        if uv.provider.as_ref().is_none_or(|(provider, _)| provider != "subprocess") {
            let says = uv.provider.as_ref().map_or_else(
                || "is not told to ask a keyring".to_owned(),
                |(provider, source)| format!("is told not to ask a keyring ({provider} by {source})"),
            );
            let fix = format!("export {}=subprocess", uv::PROVIDER_VARIABLE);
            return vec![Finding::new(State::Bad, "uv", says).with_fix(fix)];
        }
        if !self.has_keyring() {
            return vec![
                Finding::new(State::Bad, "uv", "asks the keyring on PATH, which has no answer").with_fix(INSTALL),
            ];
        }
        if self.served.is_empty() {
            return vec![Finding::new(State::Good, "uv", "asks the keyring on PATH for indexes with a user name")];
        }
        self.served.iter().map(|(index, service, backend)| self.uv_for(uv, index, service, *backend)).collect()
    }

    /// Whether uv asks for one index. Without a user name it does not; by `authenticate = "always"` it does for the
    /// index, but not for files that lie under another path.
    fn uv_for(&self, uv: &Uv, named: &Index, service: &Service, backend: &dyn Backend) -> Finding {
        let index = uv.indexes.iter().find(|index| is_same(&index.service(), service)).unwrap_or(named);
        let label = index.name.as_deref().map_or_else(|| "the index".to_owned(), |name| format!("index {name}"));
        let given = |what: &str| {
            let name = index.name.as_deref()?;
            let variable = uv::variable(name, what);
            self.system.setting(&variable).map(|_| variable)
        };
        if index.has_password() {
            return Finding::new(State::Bad, "uv", format!("{label} has a password in its URL: no keyring is asked"))
                .with_fix("leave the password out of the URL");
        }
        if let Some(variable) = given("PASSWORD") {
            return Finding::new(State::Bad, "uv", format!("{variable} is set: no keyring is asked for {label}"))
                .with_fix(format!("unset {variable}"));
        }
        if index.username().is_some() || given("USERNAME").is_some() {
            return Finding::new(State::Good, "uv", format!("asks the keyring on PATH for {label}"));
        }
        let mut url = service.url().cloned();
        if let Some(url) = &mut url {
            let _ = url.set_username(backend.username());
        }
        let line = url.map_or_else(String::new, |url| format!("url = \"{url}\""));
        let fix = match &index.name {
            Some(name) => format!("{line}, or export {}={}", uv::variable(name, "USERNAME"), backend.username()),
            None => line,
        };
        let is_always = index.authenticate.as_deref() == Some("always");
        let (state, detail) = if is_always {
            (State::Doubtful, "asks for the index itself, but not for files of a lock file under another path")
        } else {
            (State::Bad, "does not ask: it knows no user name")
        };
        Finding::new(state, "uv", format!("{label}: {detail}")).with_fix(fix)
    }

    fn pip(&self, pip: &Pip) -> Finding {
        let Some((program, beside)) = self.installed(&["pip", "pip3"]) else {
            return Finding::new(State::Off, "pip", "is not on PATH");
        };
        let Some(beside) = beside else {
            return Finding::new(
                State::Doubtful,
                "pip",
                format!("{} does not say which Python it is for", program.display()),
            );
        };
        let provider = pip.provider.as_ref().map_or("auto", |(provider, _)| provider.as_str());
        let install = format!("{} -m pip install ringbearer", beside.python.display());
        if provider == "disabled" {
            let source = pip.provider.as_ref().map_or("", |(_, source)| source.as_str());
            return Finding::new(State::Bad, "pip", format!("is told to ask no keyring, by {source}"))
                .with_fix(format!("export {}=auto", pip::PROVIDER_VARIABLE));
        }
        if provider == "auto"
            && let Some(source) = &pip.no_input
        {
            return Finding::new(
                State::Bad,
                "pip",
                format!("asks no keyring of its own accord where {source} forbids questions"),
            )
            .with_fix(format!(
                "export {}={}",
                pip::PROVIDER_VARIABLE,
                if beside.ringbearer { "import" } else { "subprocess" }
            ));
        }
        let imports = provider == "import" || (provider == "auto" && beside.keyring);
        if imports && beside.ringbearer {
            return Finding::new(
                State::Good,
                "pip",
                format!("asks ringbearer beside it ({})", beside.python.display()),
            );
        }
        if imports {
            let what = if beside.keyring {
                "asks the keyring beside it, which has no ringbearer"
            } else {
                "imports a keyring that is not there"
            };
            return Finding::new(State::Bad, "pip", what).with_fix(install);
        }
        if !self.has_keyring() {
            let what = "has no ringbearer beside it, and no keyring on PATH knows ringbearer";
            return Finding::new(State::Bad, "pip", what).with_fix(install);
        }
        // pip 26.2 is the first that asks the program without a user name.
        let is_old = beside.pip.is_some_and(|version| version < (26, 2));
        let nameless = self.served.iter().find(|(index, service, _)| {
            let set_up = pip.indexes.iter().find(|known| is_same(&known.service(), service)).unwrap_or(index);
            set_up.username().is_none()
        });
        if let (true, Some((_, service, backend))) = (is_old, nameless) {
            let host = service.host().unwrap_or_default();
            return Finding::new(
                State::Bad,
                "pip",
                "asks the keyring on PATH, but up to 26.1 only if the URL has a user name",
            )
            .with_fix(format!("--index-url https://{}@{host}/..., or a newer pip", backend.username()));
        }
        Finding::new(State::Good, "pip", "asks the keyring on PATH")
    }

    fn twine(&self) -> Finding {
        let variable = "TWINE_PASSWORD";
        if self.system.setting(variable).is_some() {
            return Finding::new(State::Bad, "twine", format!("{variable} is set: no keyring is asked"))
                .with_fix(format!("unset {variable}"));
        }
        if let Some(path) = self.pypirc() {
            return Finding::new(
                State::Bad,
                "twine",
                format!("{} has a password for the host: no keyring is asked", path.display()),
            )
            .with_fix("take the line `password` out of it");
        }
        self.beside("twine")
    }

    /// The file with twine's repositories, if one of them has a password for a host in question.
    fn pypirc(&self) -> Option<PathBuf> {
        let path = self.system.home()?.join(".pypirc");
        let content = self.system.read_file(&path, crate::cli::tools::CAP).ok()?;
        let ini = Ini::parse(&String::from_utf8_lossy(&content));
        let has_password = |section: &str| {
            let host = ini.value(section, "repository").map(Service::parse);
            let is_in_question = host.is_some_and(|repository| {
                self.served.iter().any(|(_, service, _)| service.host() == repository.host())
            });
            is_in_question && ini.value(section, "password").is_some()
        };
        let listed = ini.value("distutils", "index-servers").unwrap_or_default();
        listed.split_whitespace().any(has_password).then_some(path)
    }

    fn poetry(&self) -> Finding {
        let off = |source: &str| {
            Finding::new(State::Bad, "Poetry", format!("is told to ask no keyring, by {source}"))
                .with_fix("poetry config keyring.enabled true")
        };
        if self.system.find_program("poetry").is_some() {
            let variable = "POETRY_KEYRING_ENABLED";
            if let Some(value) = self.system.setting(variable) {
                if matches!(value.to_ascii_lowercase().as_str(), "false" | "0") {
                    return off(variable).with_fix(format!("unset {variable}"));
                }
            } else if let Some(path) =
                configuration_home(self.system).map(|folder| folder.join("pypoetry").join("config.toml"))
                && let Some(table) = read_toml(self.system, &path)
                && table.table("keyring").and_then(|keyring| keyring.truth("enabled")) == Some(false)
            {
                return off(&path.display().to_string());
            }
        }
        self.beside("poetry")
    }

    /// A tool that asks keyring in its own process.
    fn beside(&self, tool: &str) -> Finding {
        let name = if tool == "poetry" { "Poetry" } else { tool };
        match self.installed(&[tool]) {
            None => Finding::new(State::Off, name, "is not on PATH"),
            Some((program, None)) => Finding::new(
                State::Doubtful,
                name,
                format!("{} does not say which Python it is for", program.display()),
            ),
            Some((_, Some(beside))) if beside.ringbearer => {
                Finding::new(State::Good, name, format!("has ringbearer beside it ({})", beside.python.display()))
            }
            Some((_, Some(beside))) => {
                let python = beside.python.display();
                let fix = if python.to_string().contains("pipx") {
                    format!("pipx inject {tool} ringbearer")
                } else if python.to_string().contains("/uv/tools/") {
                    format!("uv tool install {tool} --with ringbearer")
                } else {
                    format!("{python} -m pip install ringbearer")
                };
                Finding::new(State::Bad, name, "has no ringbearer beside it, which is where it looks").with_fix(fix)
            }
        }
    }

    /// The first of some programs on PATH, and what is beside it.
    fn installed(&self, names: &[&str]) -> Option<(PathBuf, Option<Beside>)> {
        let program = names.iter().find_map(|name| self.system.find_program(name))?;
        let beside = beside::look(self.system, &program);
        Some((program, beside))
    }
}

/// The store, without unlocking it.
fn store_finding(system: &dyn System) -> Result<Finding> {
    let status = store::status(system)?;
    let path = crate::cli::shown(&status.path);
    Ok(match &status {
        Status { exists: false, .. } => {
            Finding::new(State::Off, "store", format!("{path} is not there yet")).with_fix("ringbearer store init")
        }
        Status { key: None, .. } => {
            Finding::new(State::Bad, "store", format!("{path} is damaged")).with_fix("ringbearer store status")
        }
        Status { agent, .. } if agent.socket.is_none() || agent.keys.is_none() => {
            Finding::new(State::Bad, "store", format!("{path} is locked: no ssh-agent answers"))
                .with_fix("start an agent, or log in with agent forwarding")
        }
        Status { agent, key, .. } if !agent.has_key => {
            let key = key.as_deref().unwrap_or_default();
            Finding::new(State::Bad, "store", format!("{path} is locked: the ssh-agent does not have its key, {key}"))
                .with_fix("ssh-add the key; `ringbearer store status` tells more")
        }
        _ => Finding::new(State::Good, "store", format!("{path}; the ssh-agent has its key")),
    })
}
