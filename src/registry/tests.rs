//! What holds for every registry in the list.

use std::{collections::HashSet, fs, path::PathBuf};

use super::{ALL, Credential, ExecVariables};
use crate::{
    auth::{cache_policy::CachePolicy, job_token},
    secret::Secret,
    service::Service,
    system::fake::FakeSystem,
    variable::{COMMON, LOCATIONS, Role},
};

#[test]
fn registries_are_listed_by_priority_below_the_chainer() {
    let priorities: Vec<_> = ALL.iter().map(|registry| registry.priority).collect();
    assert!(priorities.is_sorted_by(|one, other| one > other) && priorities[0] < 10.0, "{priorities:?}");
}

#[test]
fn ids_classes_and_titles_are_unique() {
    for of in [|one: usize| ALL[one].id, |one: usize| ALL[one].python_class, |one: usize| ALL[one].title] {
        let names: HashSet<_> = (0..ALL.len()).map(of).collect();
        assert_eq!(names.len(), ALL.len());
    }
}

#[test]
fn each_registry_claims_its_example_and_no_other_scheme_or_port() {
    for registry in ALL {
        // Placeholders in capitals stand for names; the account of a domain has twelve digits.
        let url = registry.example.replace("ACCOUNT", "012345678901").replace("REGION", "eu-west-1");
        let claims = |url: &str| (registry.source)().claims(&FakeSystem::default(), &Service::parse(url));
        assert!(claims(&url), "{url}");
        assert!(!claims(&url.replace("https:", "http:")), "{url}");
        let host = url.split('/').nth(2).unwrap();
        assert!(!claims(&url.replace(host, &format!("{host}:8443"))), "{url}");
        assert!(!claims(&url.replace(host, &format!("{host}.example"))), "{url}");
    }
}

#[test]
fn exec_passes_no_password_of_a_host_that_a_variable_names() {
    for registry in ALL {
        let credential = Credential {
            username: registry.username.to_owned(),
            password: Secret::new("p".to_owned()),
            expires: None,
            owner: None,
            cache_policy: CachePolicy::Never,
        };
        let variables = |url: &str| ExecVariables::of(registry, &Service::parse(url), &credential);
        let domain = registry.domains[0];
        assert!(variables(&format!("https://{domain}/")).iter().any(|(_, value)| value.expose() == "p"), "{domain}");
        for host in ["devops.example".to_owned(), format!("x{domain}"), format!("{domain}.example")] {
            assert!(variables(&format!("https://{host}/")).is_empty(), "{host}");
        }
    }
}

#[test]
fn variables_are_listed_once_and_explained() {
    for registry in ALL {
        let mut names = HashSet::new();
        for variable in registry.variables() {
            assert!(names.insert(variable.name), "{} lists {} twice", registry.id, variable.name);
            assert!(!variable.meaning.is_empty() && !variable.meaning.ends_with('.'), "{}", variable.name);
        }
        let is_listed = |name: &str| names.contains(name);
        assert!(registry.job_settings.iter().all(|(name, _)| is_listed(name)), "{}", registry.id);
    }
}

#[test]
fn variables_of_others_do_not_change_the_cache_key() {
    // Azure Pipelines changes some of them with every step; az reads others that name no account.
    for name in [
        "HOMEBREW_PREFIX",
        "HOMEDRIVE",
        "HOMEPATH",
        "SYSTEM_TASKINSTANCEID",
        "SYSTEM_JOBID",
        "AZURE_HTTP_USER_AGENT",
        "AZURE_EXTENSION_DIR",
        "ARTIFACTS_KEYRING_NOFUSS_RETRIES",
    ] {
        for registry in ALL {
            assert!(registry.login_variables().all(|login| login != name), "{} counts {name}", registry.id);
        }
    }
}

#[test]
fn registries_list_logins_and_with_files_locations() {
    let system = FakeSystem::default().home("/home/user");
    for registry in ALL {
        let lists = |role| registry.variables().any(|variable| variable.role == role);
        let reads_files = !(registry.source)().files(&system).is_empty();
        assert!(lists(Role::Login) && (lists(Role::Location) || !reads_files), "{}", registry.id);
    }
}

/// A registry's id, class, hosts, variables and headers stand in its folder and nowhere else. The list itself and the
/// examples of the command line's help are excepted.
#[test]
fn names_of_a_registry_stand_in_its_folder_alone() {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let shared: HashSet<_> =
        COMMON.iter().chain(LOCATIONS).chain(job_token::VARIABLES).map(|variable| variable.name).collect();
    let mut wrong = Vec::new();
    for registry in ALL {
        let own = source.join("registry").join(registry.id);
        let vendor = registry.title.split(' ').next().unwrap();
        let variables = registry.variables().map(|variable| variable.name).filter(|name| !shared.contains(name));
        let headers = registry.probe.headers.iter().map(|(name, _)| *name);
        let exec = registry.exec_variables.iter().map(|variables| variables.password);
        let words: Vec<String> = [registry.id, vendor, registry.python_class]
            .into_iter()
            .chain(registry.domains.iter().copied())
            .chain(variables)
            .chain(headers)
            .chain(exec)
            .map(str::to_lowercase)
            .collect();
        for (path, text) in files(&source) {
            // Registries may share a vendor or a host: each folder is its own business.
            let is_registry =
                path.starts_with(source.join("registry")) && path.parent() != Some(&source.join("registry"));
            if path.starts_with(&own)
                || is_registry
                || EXCEPTIONS.iter().any(|exception| path.starts_with(source.join(exception)))
            {
                continue;
            }
            for (number, line) in text.lines().enumerate() {
                let line = line.to_lowercase();
                if let Some(word) = words.iter().find(|word| stands_in(word, &line)) {
                    let path = path.strip_prefix(&source).unwrap().display();
                    wrong.push(format!("{path}:{}: {word}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "names of registries outside their folders:\n{}", wrong.join("\n"));
}

/// The list, this test, the CI systems whose identity tokens are read, and examples in help.
const EXCEPTIONS: [&str; 4] = ["registry/mod.rs", "registry/tests.rs", "auth/job_token.rs", "cli/definitions"];

/// Whether a word stands in a text, not as a part of a longer one.
fn stands_in(word: &str, text: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(word)
        .any(|(start, _)| !text[..start].ends_with(is_part) && !text[start + word.len()..].starts_with(is_part))
}

#[expect(clippy::disallowed_methods, reason = "a test of the source reads the source")]
fn files(folder: &std::path::Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}
