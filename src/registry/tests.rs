//! What holds for every registry in the list.

use std::{collections::HashSet, fs, path::PathBuf};

use serde_json::{Value, json};

use super::{ALL, Credential, ExecVariables, JobLogin, Registry};
use crate::{
    auth::{browser, cache_policy::CachePolicy, ci, job_token, jwt::token_of},
    error::WARNING_LIMIT,
    secret::Secret,
    service::Service,
    system::{
        fake::{FakeSystem, absolute},
        http::Method,
        places,
    },
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
        let url = example(registry);
        let claims = |url: &str| (registry.source)().claims(&FakeSystem::default(), &Service::parse(url));
        assert!(claims(&url), "{url}");
        assert!(!claims(&url.replace("https:", "http:")), "{url}");
        let host = url.split('/').nth(2).unwrap();
        assert!(!claims(&url.replace(host, &format!("{host}:8443"))), "{url}");
        assert!(!claims(&url.replace(host, &format!("{host}.example"))), "{url}");
    }
}

/// The example of a registry with a name in the place of each placeholder that not every name may take.
fn example(registry: &Registry) -> String {
    let values = [("ACCOUNT", "012345678901"), ("REGION", "eu-west-1"), ("DOMAIN", "contoso")];
    values.iter().fold(registry.example.to_owned(), |url, (placeholder, value)| url.replace(placeholder, value))
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
        if let JobLogin::Variables(settings) = registry.job_login {
            assert!(settings.iter().all(|(name, _)| is_listed(name)), "{}", registry.id);
        }
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

/// A miss: its registry, the URL, the machine, and what the warning must contain.
type Miss = (&'static str, String, FakeSystem, Vec<String>);

/// The misses of a registry, with names of this length.
type MissesOf = fn(usize) -> Vec<Miss>;

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

/// Where a machine asks for its identity.
const MACHINE: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

/// How az is asked for a token.
const AZ_ARGUMENTS: [&str; 10] = [
    "account",
    "get-access-token",
    "--resource",
    "499b84ac-1321-427f-aa17-267ca6975798",
    "--tenant",
    TENANT,
    "--query",
    "accessToken",
    "--output",
    "json",
];

/// A machine where the feed names its tenant.
fn tenant(feed: &str) -> FakeSystem {
    let challenge = format!("Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}");
    let authority = format!("https://vssps.dev.azure.com/{}/", feed.split('/').nth(3).unwrap());
    let headers = [("WWW-Authenticate", challenge.as_str()), ("X-VSS-AuthorizationEndpoint", &authority)];
    FakeSystem::default().home("/home/ada").answer_with_headers(Method::Get, feed, 401, &headers, "")
}

/// Misses of Azure Artifacts, with names of this length.
fn misses_of_azure(length: usize) -> Vec<Miss> {
    let feed = format!("https://pkgs.dev.azure.com/{}/_packaging/feed/pypi/simple/", "o".repeat(length));
    let miss = |fake: FakeSystem, parts: &[&str]| {
        ("azure", feed.clone(), fake, parts.iter().map(|part| (*part).to_owned()).collect())
    };
    let login = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
    let refusal =
        json!({"error": "x", "error_description": format!("AADSTS7000215: {}", "ungültig \u{1f511} ".repeat(length))});
    let exchange = format!("https://vssps.dev.azure.com/{}/_apis/Token/SessionTokens", "o".repeat(length));
    let bearer = token_of(&json!({"upn": format!("{}@contoso.example", "a".repeat(length)), "scp": "x"}));
    let nowhere = absolute(&format!("/{}", "n".repeat(length)));
    let application = || tenant(&feed).variable("AZURE_CLIENT_ID", "robot");
    vec![
        miss(
            tenant(&feed).failure(Method::Get, MACHINE, false),
            &["run `ringbearer login URL`, or in CI set ", "`ringbearer doctor URL`"],
        ),
        miss(
            tenant(&feed).run("az", &AZ_ARGUMENTS, 1, "", "ERROR: Please run 'az login'").failure(
                Method::Get,
                MACHINE,
                false,
            ),
            &["az is not logged in", "run `az login --tenant ", TENANT],
        ),
        miss(
            application().variable("AZURE_CLIENT_SECRET", "wrong").answer(
                Method::Post,
                &login,
                401,
                &refusal.to_string(),
            ),
            &["client_secret failed (", "unset AZURE_CLIENT_SECRET"],
        ),
        miss(
            tenant(&feed).variable("ARTIFACTS_KEYRING_NOFUSS_TOKEN", &bearer).answer(
                Method::Post,
                &exchange,
                403,
                r#"{"message":"TF400813"}"#,
            ),
            &["env_var", "TF400813", "unset ARTIFACTS_KEYRING_NOFUSS_TOKEN"],
        ),
        miss(
            FakeSystem::default().variable("ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE", &nowhere),
            &["unset ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE"],
        ),
        miss(
            FakeSystem::default().variable("VSS_NUGET_EXTERNAL_FEED_ENDPOINTS", &"é".repeat(length)),
            &["unset VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"],
        ),
        miss(
            FakeSystem::default().variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", &"p".repeat(length)),
            &["ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "shows all names"],
        ),
        miss(FakeSystem::default().failure(Method::Get, &feed, false), &[]),
        miss(FakeSystem::default().answer(Method::Get, &feed, 302, ""), &["sign-in page"]),
    ]
}

/// Misses of Chainguard Libraries, with names of this length.
fn misses_of_chainguard(length: usize) -> Vec<Miss> {
    let labels = vec!["h".repeat(length.min(60)); length.min(3)].join(".");
    let index = format!("https://{labels}.cgr.dev/python/simple/");
    let login = "run `chainctl auth login --audience=libraries.cgr.dev`";
    let arguments = ["auth", "token", "--audience=libraries.cgr.dev"];
    let job = || {
        FakeSystem::default()
            .variable("RINGBEARER_CHAINGUARD_IDENTITY", "0a/1b")
            .variable("RINGBEARER_CHAINGUARD_OIDC_TOKEN", "proof")
    };
    let refusal = json!({"message": "é".repeat(length)}).to_string();
    let exchange = "https://issuer.enforce.dev/sts/exchange";
    let miss = |fake: FakeSystem, parts: &[&str]| {
        ("chainguard", index.clone(), fake, parts.iter().map(|part| (*part).to_owned()).collect())
    };
    vec![
        miss(FakeSystem::default(), &["chainctl is not on PATH", login]),
        miss(FakeSystem::default().run("chainctl", &arguments, 1, "", &"x".repeat(length)), &["status 1", login]),
        miss(
            job().answer(Method::Post, exchange, 403, &refusal),
            &["oidc failed (", "RINGBEARER_CHAINGUARD_IDENTITY trust this job"],
        ),
        miss(
            FakeSystem::default().variable("CHAINGUARD_PYTHON_TOKEN", "token"),
            &["set CHAINGUARD_PYTHON_IDENTITY_ID too", "unset CHAINGUARD_PYTHON_TOKEN"],
        ),
        miss(FakeSystem::default().variable("CHAINCTL_AUTH_TOKEN", "word"), &["or unset it"]),
    ]
}

/// Misses of AWS CodeArtifact, with names of this length.
fn misses_of_codeartifact(length: usize) -> Vec<Miss> {
    let domain = "d".repeat(length.clamp(2, 50));
    let index = format!("https://{domain}-012345678901.d.codeartifact.ap-southeast-1.amazonaws.com/pypi/r/simple/");
    let endpoint = "https://codeartifact.ap-southeast-1.amazonaws.com/v1/authorization-token";
    let name = "n".repeat(length);
    let machine = |text: &str| {
        let system = FakeSystem::default().home("/home/ada").variable("AWS_EC2_METADATA_DISABLED", "true");
        let path = places::keyring_config(&system).unwrap().join("keyringrc.cfg");
        system.file(path.to_str().unwrap(), &format!("[codeartifact domain=\"{domain}\"]\n{text}\n"))
    };
    let keys = |status: u16, error: &str, message: &str| {
        let id = "n".repeat(length.min(24));
        let text = format!("aws_access_key_id = {id}\naws_secret_access_key = x-secret");
        let body = json!({"message": message}).to_string();
        let headers = [("x-amzn-ErrorType", error)];
        machine(&text).answer_with_headers(Method::Post, endpoint, status, &headers, &body)
    };
    let long = "é ".repeat(length);
    let miss = |fake: FakeSystem, parts: &[&str]| {
        ("codeartifact", index.clone(), fake, parts.iter().map(|part| (*part).to_owned()).collect())
    };
    vec![
        miss(
            FakeSystem::default().variable("CODEARTIFACT_AUTH_TOKEN", &long.replace('é', "two words")),
            &["correct or unset CODEARTIFACT_AUTH_TOKEN"],
        ),
        miss(
            machine(&format!("aws_access_key_id = {name}")),
            &["aws_access_key_id is set without aws_secret_access_key", "add aws_secret_access_key"],
        ),
        miss(machine(&format!("profile_name = {name}")), &["profile"]),
        miss(machine(&format!("verify = {name}")), &["by its absolute path"]),
        miss(
            keys(403, "AccessDeniedException", &format!("{long} perform: sts:GetServiceBearerToken {long}")),
            &["keyringrc failed (", "allow this identity "],
        ),
        miss(
            keys(404, "ResourceNotFoundException", &long),
            &["check the URL: account 012345678901 has no domain d", "in ap-southeast-1"],
        ),
        miss(keys(403, "ExpiredTokenException", &long), &["renew the session of access key n", "it has ended"]),
        miss(keys(403, "UnrecognizedClientException", &long), &["check access key n", "disabled"]),
    ]
}

/// Misses of Google Artifact Registry, with names of this length.
fn misses_of_google(length: usize) -> Vec<Miss> {
    let index = format!("https://{}-python.pkg.dev/project/repository/simple/", "l".repeat(length.min(50)));
    let miss = |fake: FakeSystem, parts: &[&str]| {
        ("google", index.clone(), fake, parts.iter().map(|part| (*part).to_owned()).collect())
    };
    let name = "n".repeat(length);
    let long = "é ".repeat(length);
    // A longer path is not shown: it may be the content of the file.
    let path = absolute(&format!("/{}.json", "n".repeat(length.min(240))));
    let named = |document: Value| {
        FakeSystem::default().variable("GOOGLE_APPLICATION_CREDENTIALS", &path).file(&path, &document.to_string())
    };
    let person = || json!({"type": "authorized_user", "client_id": name, "client_secret": "s", "refresh_token": "t"});
    let refused = |body: Value| {
        named(person()).answer(Method::Post, "https://oauth2.googleapis.com/token", 400, &body.to_string())
    };
    let unset = "GOOGLE_APPLICATION_CREDENTIALS";
    let arguments = ["config", "config-helper", "--format=json(credential)", "--min-expiry=5m"];
    let gcloud = |said: &str| FakeSystem::default().home("/home/ada").run("gcloud", &arguments, 1, "", said);
    let metadata = format!("http://{}/computeMetadata/v1/instance/service-accounts/default/email", "127.0.0.1:41");
    vec![
        miss(
            FakeSystem::default(),
            &["run `gcloud auth application-default login`, or in CI set ", "`ringbearer doctor URL` lists them"],
        ),
        miss(
            FakeSystem::default().variable("CLOUDSDK_AUTH_ACCESS_TOKEN", &"two words".repeat(length)),
            &["correct or unset CLOUDSDK_AUTH_ACCESS_TOKEN"],
        ),
        miss(FakeSystem::default().variable(unset, &path), &["correct or unset GOOGLE_APPLICATION_CREDENTIALS"]),
        miss(named(json!({"type": name})), &["correct or unset GOOGLE_APPLICATION_CREDENTIALS"]),
        miss(
            refused(json!({"error": "invalid_grant", "error_subtype": "invalid_rapt", "error_description": long})),
            &["asks you to sign in again", "run `gcloud auth application-default login`", unset],
        ),
        miss(
            refused(json!({"error": "invalid_grant", "error_description": long})),
            &["the login has expired", "run `gcloud auth application-default login`", unset],
        ),
        miss(gcloud(&format!("ERROR: (gcloud.config.config-helper) {long}")), &["gcloud failed (", "gcloud"]),
        miss(
            gcloud("ERROR: (gcloud.config.config-helper) You do not currently have an active account selected."),
            &["gcloud has no active account", "run `gcloud auth login`"],
        ),
        miss(
            FakeSystem::default().variable("GCE_METADATA_HOST", "127.0.0.1:41").failure(Method::Get, &metadata, false),
            &["metadata", "unset GCE_METADATA_HOST"],
        ),
    ]
}

/// Misses of Menda, with names of this length.
fn misses_of_menda(length: usize) -> Vec<Miss> {
    let domain = "d".repeat(length.min(50));
    let index = format!("https://{domain}-012345678901.d.codeartifact.ap-southeast-1.amazonaws.com/pypi/r/simple/");
    let client = || {
        FakeSystem::default()
            .variable("MENDA_CLIENT_ID", &"c".repeat(length))
            .variable("MENDA_CLIENT_SECRET", "secret")
            .variable("MENDA_HOST", "https://api.menda.example/")
    };
    let profile = |text: &str| {
        FakeSystem::default()
            .home("/home/ada")
            .variable("MENDA_PROFILE_ID", &"p".repeat(length))
            .file("/home/ada/.menda/mendacfg", &format!("[{}]\n{text}", "p".repeat(length)))
    };
    let refusal = json!({"message": "é".repeat(length)}).to_string();
    let sign_in = "https://api.menda.example/api/v1/auth/oauth2/token";
    let miss = |fake: FakeSystem, parts: &[&str]| {
        ("menda", index.clone(), fake, parts.iter().map(|part| (*part).to_owned()).collect())
    };
    vec![
        miss(client().answer(Method::Post, sign_in, 401, &refusal), &["HTTP 401", "check MENDA_HOST, MENDA_CLIENT_ID"]),
        miss(client().variable("MENDA_HOST", &"x".repeat(length)), &["it should read https://HOST"]),
        miss(FakeSystem::default().variable("MENDA_CLIENT_ID", "robot"), &["set all of MENDA_CLIENT_ID"]),
        miss(profile("host = https://api.menda.example/\n"), &["Run `menda auth login`"]),
        miss(profile(""), &["set host = https://... in "]),
        miss(profile("").variable("MENDA_PROFILE_ID", &"q".repeat(length)), &["Set MENDA_PROFILE_ID or add a ["]),
        miss(
            FakeSystem::default().home("/home/ada").variable("MENDA_PROFILE_ID", "x"),
            &["Run 'menda auth configure'"],
        ),
    ]
}

#[test]
fn warnings_of_every_miss_are_short_and_keep_their_advice() {
    let of: [(&str, MissesOf); 5] = [
        ("azure", misses_of_azure),
        ("chainguard", misses_of_chainguard),
        ("codeartifact", misses_of_codeartifact),
        ("google", misses_of_google),
        ("menda", misses_of_menda),
    ];
    assert_eq!(
        of.map(|(id, _)| id).into_iter().collect::<HashSet<_>>(),
        ALL.iter().map(|registry| registry.id).collect()
    );
    for (id, misses) in of {
        for (id, url, fake, parts) in
            [1, 20, 50, 400].into_iter().flat_map(misses).inspect(|miss| assert_eq!(miss.0, id))
        {
            let registry = ALL.iter().find(|registry| registry.id == id).unwrap();
            let error = (registry.source)().get(&fake, &Service::parse(&url)).unwrap_err();
            let warning = error.warning();
            assert!(warning.chars().count() <= WARNING_LIMIT, "{} characters: {warning}", warning.chars().count());
            let host = url.split('/').nth(2).unwrap();
            assert!(warning.starts_with(&format!("no credential for {}", &host[..host.len().min(30)])), "{warning}");
            for part in parts {
                assert!(warning.contains(&part), "{part} is missing in: {warning}\n(whole: {error})");
            }
        }
    }
}

/// A registry's id, class, hosts, variables and headers stand in its folder and nowhere else. The list itself and the
/// examples of the command line's help are excepted.
#[test]
fn names_of_a_registry_stand_in_its_folder_alone() {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let shared = [COMMON, LOCATIONS, job_token::VARIABLES, browser::VARIABLES, ci::VARIABLES].concat();
    let shared: HashSet<_> = shared.iter().map(|variable| variable.name).collect();
    let mut wrong = Vec::new();
    for registry in ALL {
        let own = source.join("registry").join(registry.id);
        let vendor = registry.title.split(' ').next().filter(|vendor| !LAYERS.contains(vendor));
        let variables = registry.variables().map(|variable| variable.name).filter(|name| !shared.contains(name));
        let headers = registry.probe.headers.iter().map(|(name, _)| *name);
        let exec = registry.exec_variables.iter().map(|variables| variables.password);
        let words: Vec<String> = [registry.id, registry.python_class]
            .into_iter()
            .chain(vendor)
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

/// The list, this test, the CI systems, the services of a vendor that several registries may use, and examples in help.
const EXCEPTIONS: [&str; 6] =
    ["registry/mod.rs", "registry/tests.rs", "auth/ci.rs", "auth/job_token.rs", "aws", "cli/definitions"];

/// Vendors for whose accounts there is a layer below the registries.
const LAYERS: [&str; 1] = ["AWS"];

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
