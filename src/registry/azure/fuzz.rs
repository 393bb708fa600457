//! Properties that hold for any answer of a feed and the services behind it. The targets in `fuzz/` search for
//! counterexamples; the tests here run the seeds.

use std::time::{Duration, SystemTime};

use percent_encoding::{percent_decode_str, percent_encode_byte};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::{
    AzureArtifacts, BEARER_USERNAME, SESSION_USERNAME,
    discovery::{self, Discovery},
    entra::{self, Tenant},
    feed::Feed,
    known_organisations,
    login::{
        logins::{Account, Logins},
        storage::{self, Kept},
    },
    providers::{
        Grant,
        az_devops::{self, AzDevops},
        azure_cli::state,
        env_var,
        feed_identity::FeedIdentity,
    },
};
use crate::{
    auth::{
        access_token::AccessToken,
        chain::{Attempt, TokenProvider},
        jwt::{Claims, token_of},
    },
    error::{Result, single_line},
    registry::{
        Credential, CredentialSource,
        sign_in::{Method as SignInMethod, SignIn, SignedIn, Step, Wanted},
    },
    secret::Secret,
    service::{MAX_SERVICE, Service},
    system::{
        Clock, Platform,
        fake::{FakeSystem, absolute},
        fuzz::{check_error, leaks, responses, split_at_marker},
        http::{Method, Request, Response, Route},
    },
};

/// Feeds of one organisation in every form of the URL, the production system first.
const FEEDS: [&str; 4] = [
    "https://pkgs.dev.azure.com/contoso/_packaging/feed/pypi/simple/",
    "https://contoso.pkgs.visualstudio.com/project/_packaging/feed/pypi/upload",
    "https://pkgs.codedev.ms/contoso/_packaging/feed/pypi/simple/",
    "https://contoso.pkgs.vsts.me/_packaging/feed/pypi/simple/",
];

/// The domains of token authorities, by system.
const AUTHORITIES: [&[&str]; 2] = [
    &["vssps.dev.azure.com", "vssps.visualstudio.com", "vsspsext.dev.azure.com", "vsspsext.visualstudio.com"],
    &["vssps.codedev.ms", "vssps.vsts.me"],
];

/// The login hosts.
const LOGIN_HOSTS: [&str; 3] =
    ["login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"];

/// Long enough that no other text contains a part of it by chance.
const CLIENT_SECRET: &str = "Zq7~made+up & 100%/of Zq9";

/// The tenant that a user is logged in to.
const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

const OTHER_TENANT: &str = "99999999-2222-3333-4444-555555555555";

/// The content of a key file of Azure Arc, and of an unrelated file.
const ARC_KEY: &str = "Kq7-lies-here-Kq9";
const OTHER_FILE: &str = "Fq7+belongs+elsewhere+Fq9";

/// A feed belongs to one organisation, also when its URL is parsed again or spelled in another way. An endpoint serves its
/// own organisation or server alone.
pub(crate) fn check_service(service: &Service, text: &str) {
    check_endpoint(text);
    let Some(feed) = Feed::from_service(service) else { return };
    let organisation = feed.organisation();
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    assert!(Feed::claims(service) && organisation.bytes().all(is_of_name) && !organisation.is_empty());
    let in_path = url_path(text).split('/').next().unwrap_or_default();
    assert!(
        percent_decode_str(in_path).eq(organisation.bytes())
            || text.starts_with(&format!("https://{organisation}.pkgs.")),
        "{organisation} of {text}"
    );
    assert!(text.len() > MAX_SERVICE || Feed::from_service(&Service::parse(text)).as_ref() == Some(&feed));
    let portal = Url::parse(&feed.portal()).ok();
    let host = portal.as_ref().and_then(Url::host_str).unwrap_or_default();
    let domains = ["visualstudio.com", "vsts.me"];
    let is_of_organisation =
        domains.iter().any(|domain| host == format!("{}.{domain}", organisation.to_ascii_lowercase()));
    assert!(host == "dev.azure.com" || is_of_organisation, "{}", feed.portal());
    let upper =
        Feed::from_service(&Service::parse(&text.replacen(organisation, &organisation.to_ascii_uppercase(), 1)));
    assert!(text.len() > MAX_SERVICE || upper.is_some_and(|upper| upper.organisation_key() == feed.organisation_key()));
}

/// The same URL with its path in capitals and percent-encoded.
fn spellings(text: &str) -> Option<[String; 2]> {
    let path = url_path(text);
    let (origin, _) = text.split_at(text.len() - path.len());
    let mut encoded = String::new();
    let mut rest = path.chars();
    while let Some(character) = rest.next() {
        let is_escape = |code: &str| code.len() == 2 && code.bytes().all(|digit| digit.is_ascii_hexdigit());
        if character == '%' && rest.as_str().get(..2).is_some_and(is_escape) {
            encoded.extend([character].into_iter().chain(rest.by_ref().take(2)));
        } else {
            match u8::try_from(character) {
                Ok(byte) if byte.is_ascii_alphanumeric() => {
                    encoded.push_str(&percent_encode_byte(byte).to_ascii_lowercase());
                }
                _ => encoded.push(character),
            }
        }
    }
    let spellings = [path.to_ascii_uppercase(), encoded].map(|path| format!("{origin}{path}"));
    spellings.iter().all(|text| text.len() <= MAX_SERVICE).then_some(spellings)
}

/// An endpoint serves its URL in every spelling, and no other organisation, host, scheme or port.
fn check_endpoint(text: &str) {
    let Some(spellings) = spellings(text) else { return };
    let value = json!({"endpointCredentials": [{"endpoint": text, "password": "p"}]}).to_string();
    let fake = FakeSystem::default()
        .variable("ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS", &value)
        .variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "feed_endpoints");
    let source = AzureArtifacts::default();
    let serves = |text: &str| {
        let service = Service::parse(text);
        source.claims(&fake, &service) && source.get(&fake, &service).is_ok_and(|found| found.is_some())
    };
    let cache_key = |text: &str| source.cache_key(&fake, &Service::parse(text));
    let is_served = serves(text);
    for other in &spellings {
        assert_eq!((serves(other), cache_key(other)), (is_served, cache_key(text)), "{other}");
    }
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or_default();
    for other in [
        format!("http://{rest}"),
        format!("https://x{rest}"),
        format!("https://{host}.example/{path}"),
        format!("https://x.{rest}"),
        format!("https://pkgs.dev.azure.com/x{path}"),
        format!("https://pkgs.codedev.ms.example/{path}"),
        format!("https://{}:8443/{path}", host.split(':').next().unwrap_or_default()),
    ] {
        assert!(host.ends_with(":8443") || !serves(&other), "{other} is served by the endpoint {text}");
    }
}

fn url_path(text: &str) -> &str {
    text.splitn(4, '/').nth(3).unwrap_or_default()
}

/// The account in messages is one line.
pub(crate) fn check_claims(claims: &Claims) {
    assert!(
        entra::account(claims).is_none_or(|account| account == single_line(&account) && account.chars().count() <= 301)
    );
    assert!(!entra::is_service_principal(claims) || claims.has("idtyp") || claims.has("roles"));
}

/// Discovery: an accepted authority belongs to the feed's organisation, the login host is Microsoft's, and one
/// untrusted URI invalidates the answer. A record of an earlier answer is checked in the same way.
///
/// # Panics
///
/// If that does not hold.
pub fn discovery(said: &[u8]) {
    for url in FEEDS {
        let Some(feed) = Feed::from_service(&Service::parse(url)) else { panic!("{url} is a feed") };
        if let Some(kept) = known_organisations::read(said, &feed, FakeSystem::default().now()) {
            check_discovery(&kept, &feed);
        }
    }
    let Some(mut response) = responses(said).into_iter().next() else { return };
    for url in FEEDS {
        let Some(feed) = Feed::from_service(&Service::parse(url)) else { panic!("{url} is a feed") };
        match discovery::read(&response, &feed) {
            Ok(Some(found)) => {
                check_discovery(&found, &feed);
                let bad =
                    ("WWW-Authenticate".to_owned(), "Bearer authorization_uri=https://login.example/t".to_owned());
                response.headers.push(bad);
                assert!(!matches!(discovery::read(&response, &feed), Ok(Some(_))));
                response.headers.pop();
            }
            Ok(None) => {}
            Err(error) => check_error(&error, &[]),
        }
    }
}

fn check_discovery(found: &Discovery, feed: &Feed) {
    assert!(is_authority(&found.authority, feed), "{} for {feed:?}", found.authority);
    assert!(LOGIN_HOSTS.contains(&found.tenant.login_host));
    let Ok(endpoint) = found.tenant.token_endpoint() else { panic!("{found:?} has no token endpoint") };
    assert_eq!(endpoint.as_str(), format!("https://{}/{}/oauth2/v2.0/token", found.tenant.login_host, found.tenant.id));
    assert!(!found.tenant.id.starts_with('-'), "it goes into argument lists");
}

/// Whether a URL is a token authority of the feed's organisation, judged by its text.
fn is_authority(url: &Url, feed: &Feed) -> bool {
    let organisation = feed.organisation().to_ascii_lowercase();
    let url = url.as_str().to_ascii_lowercase();
    let Some((host, path)) = url.strip_prefix("https://").and_then(|rest| rest.split_once('/')) else { return false };
    let is_test = feed.organisation_key().starts_with("test/");
    let labels = AUTHORITIES[usize::from(is_test)].iter().find_map(|domain| host.strip_suffix(domain));
    let is_own_host = labels.is_some_and(|labels| {
        let is_regional =
            labels.strip_suffix(".app.").is_some_and(|region| !region.is_empty() && !region.contains('.'));
        is_regional || labels.is_empty() || labels == "app." || labels == format!("{organisation}.")
    });
    is_own_host && (path.is_empty() || path == format!("{organisation}/"))
}

/// A user's sign-in: the bearer is sent to the organisation's authority only, and the outcome is a token of one word
/// or an error without the bearer.
///
/// # Panics
///
/// If that does not hold.
pub fn session(said: &[u8]) {
    let bearer = token_of(&json!({"upn": "ada@contoso.example", "scp": "user_impersonation"}));
    let fake = FakeSystem::default()
        .variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "env_var")
        .variable("ARTIFACTS_KEYRING_NOFUSS_TOKEN", &bearer)
        .answers(responses(said));
    let outcome = get(&fake);
    for request in fake.requests() {
        let is_exchange = check_exchange(&request);
        assert!(is_exchange || lacks(&request, &bearer, said), "{request:?}");
    }
    if let Some(found) = check_outcome(&fake, outcome, &[&bearer]) {
        assert_eq!((found.username.as_str(), found.owner.as_deref()), (SESSION_USERNAME, Some("ada@contoso.example")));
    }
}

/// An application's sign-in: the secret is sent to a login host of Microsoft only.
///
/// # Panics
///
/// If that does not hold.
pub fn sign_in(said: &[u8]) {
    let fake = FakeSystem::default()
        .variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "client_secret")
        .variable("AZURE_CLIENT_ID", "robot")
        .variable("AZURE_CLIENT_SECRET", CLIENT_SECRET)
        .answers(responses(said));
    let outcome = get(&fake);
    for request in fake.requests() {
        let is_exchange = check_exchange(&request);
        let host = request.url.host_str().unwrap_or_default();
        let is_sign_in = LOGIN_HOSTS.contains(&host) && request.url.path().ends_with("/oauth2/v2.0/token");
        assert!((is_sign_in && !is_exchange) || lacks(&request, CLIENT_SECRET, said), "{request:?}");
        assert_eq!(request.route, Route::Internet);
    }
    if let Some(found) = check_outcome(&fake, outcome, &[CLIENT_SECRET]) {
        assert!([SESSION_USERNAME, BEARER_USERNAME].contains(&found.username.as_str()));
    }
}

/// A person's sign-in: the answers of the services and, after a line `==`, the form that a browser sends. Without one, it is by
/// device code. The code is redeemed only for a form with the state of this sign-in, and what is shown is Microsoft's.
///
/// # Panics
///
/// If that does not hold.
pub fn login(said: &[u8]) {
    let (_, form) = split_at_marker(said, b"\n==\n");
    let (fake, outcome) = signed_in(said);
    let has_state = form.is_some_and(|form| form_urlencoded::parse(form).any(|(_, value)| value == STATE));
    for request in fake.requests() {
        let host = request.url.host_str().unwrap_or_default();
        let is_own = LOGIN_HOSTS.contains(&host) && request.url.path().contains("/oauth2/v2.0/");
        let is_discovery = request.method == Method::Get && request.url.as_str().starts_with(FEEDS[0]);
        assert!(check_exchange(&request) || is_own || is_discovery, "{request:?}");
        assert!(has_state || form.is_none() || !is_own, "the code of another sign-in is redeemed");
        assert!((is_own && form.is_some()) || lacks(&request, VERIFIER, said), "{request:?}");
    }
    for page in fake.pages() {
        assert!(!page.html.contains(VERIFIER) && !page.html.contains("<script"), "{}", page.html);
    }
    check_outcome(&fake, outcome.map(|signed_in| Some(signed_in.credential)), &[VERIFIER]);
}

/// A sign-in with these answers and this form.
fn signed_in(said: &[u8]) -> (FakeSystem, Result<SignedIn>) {
    let (answers, form) = split_at_marker(said, b"\n==\n");
    let fake = FakeSystem::default()
        .home("/home/user")
        .variable("RINGBEARER_LOGIN_STORE", "session")
        .random_bytes([b's', b'n', b'v'].map(|byte| vec![byte; 32]))
        .answers(responses(answers));
    let (fake, method) = match form.map(String::from_utf8_lossy) {
        Some(form) => (fake.browser_request("POST / localhost:40001", &form), SignInMethod::Browser),
        None => (fake, SignInMethod::DeviceCode),
    };
    let service = Service::parse(FEEDS[0]);
    let wanted = Wanted {
        service: &service,
        method: Some(method),
        tenant: None,
        account: None,
        is_fresh: false,
        must_be_kept: true,
    };
    let outcome = SignIn::sign_in(&AzureArtifacts::default(), &fake, &wanted, &mut check_step);
    (fake, outcome)
}

/// State and verifier of the sign-in in [`login`].
const STATE: &str = "c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M";
const VERIFIER: &str = "dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnY";

/// What a person sees is a page of Microsoft and one line.
fn check_step(step: &Step<'_>) {
    if let Step::Code { url, code, expires_in } = step {
        assert!(*expires_in <= Duration::from_secs(15 * 60));
        let url = Url::parse(url).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        let is_page = ["microsoft.com", "www.microsoft.com"].contains(&host) || host.starts_with("login.");
        assert!(is_page && url.is_some_and(|url| url.scheme() == "https"), "{step:?}");
        assert!(!code.is_empty() && *code == single_line(code), "{step:?}");
    }
}

/// The answers to the refresh of a kept login: the refresh token is sent to the token endpoint of a login host only, and what
/// replaces it is one word.
///
/// # Panics
///
/// If that does not hold.
pub fn refresh(said: &[u8]) {
    let fake = with_login(responses(said));
    let outcome = get(&fake);
    for request in fake.requests() {
        let is_exchange = check_exchange(&request);
        let host = request.url.host_str().unwrap_or_default();
        let is_refresh = LOGIN_HOSTS.contains(&host) && request.url.path().ends_with("/oauth2/v2.0/token");
        assert!((is_refresh && !is_exchange) || lacks(&request, REFRESH_TOKEN, said), "{request:?}");
    }
    check_outcome(&fake, outcome, &[REFRESH_TOKEN]);
    let kept = storage::read(&fake, &Account::example("ada"));
    let is_word = |token: &Secret| token.expose().bytes().all(|byte| byte.is_ascii_graphic());
    assert!(kept.is_ok_and(|kept| kept.is_none_or(|kept| is_word(&kept.refresh_token))));
}

/// A system with a kept login and these answers.
fn with_login(answers: Vec<Response>) -> FakeSystem {
    let fake = FakeSystem::default()
        .home("/home/user")
        .variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "login")
        .answers(answers);
    let written = storage::write(&fake, &Account::example("ada"), &Secret::new(REFRESH_TOKEN.to_owned()));
    let listed = Logins::change(&fake, |accounts| accounts.push(Account::example("ada")));
    assert!(written.is_ok() && listed.is_ok());
    fake
}

/// Long enough that no other text contains a part of it by chance.
const REFRESH_TOKEN: &str = "Rq7.made-up_refresh~token.Rq9";

/// A machine's sign-in: the first line selects the platform, the rest are answers. Secrets of the machine are sent to
/// its own service only, and of files only a key of Azure Arc.
///
/// # Panics
///
/// If that does not hold.
pub fn machine(said: &[u8]) {
    let (kind, said) = split_at_marker(said, b"\n");
    let said = said.unwrap_or_default();
    let fake = FakeSystem::default()
        .variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "managed_identity")
        .file("/var/opt/azcmagent/tokens/a.key", ARC_KEY)
        .file("/var/opt/azcmagent/other.key", OTHER_FILE)
        .file("/var/opt/azcmagent/tokens/b", OTHER_FILE)
        .file("/var/opt/azcmagent/tokens/../other.key", OTHER_FILE)
        .file("/other.key", OTHER_FILE)
        .answers(responses(said));
    let here = "http://127.0.0.1:40342/metadata";
    let fake = match kind {
        b"arc" => fake.variable("IDENTITY_ENDPOINT", here).variable("IMDS_ENDPOINT", here),
        b"app service" => fake.variable("IDENTITY_ENDPOINT", here).variable("IDENTITY_HEADER", CLIENT_SECRET),
        b"machine learning" => fake.variable("MSI_ENDPOINT", here).variable("MSI_SECRET", CLIENT_SECRET),
        b"cloud shell" => fake.variable("MSI_ENDPOINT", here),
        _ => fake.variable("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:40342/"),
    };
    let outcome = get(&fake);
    for request in fake.requests() {
        check_exchange(&request);
        let is_here = request.route == Route::Metadata;
        assert_eq!(is_here, request.url.as_str().starts_with(here), "{request:?}");
        assert!(is_here || lacks(&request, CLIENT_SECRET, said) && lacks(&request, ARC_KEY, said), "{request:?}");
        assert!(lacks(&request, OTHER_FILE, said), "{request:?}");
    }
    check_outcome(&fake, outcome, &[CLIENT_SECRET, ARC_KEY, OTHER_FILE]);
}

/// The state of the Azure CLI: its profile and, after a line `--`, its tokens. Only a token of the tenant for Azure
/// DevOps that is valid long enough is used.
///
/// # Panics
///
/// If that does not hold.
pub fn azure_cli(files: &[u8]) {
    let (profile, tokens) = split_at_marker(files, b"\n--\n");
    let tokens = tokens.unwrap_or_default();
    let fake = FakeSystem::default().variable("AZURE_CONFIG_DIR", &absolute("/azure"));
    fake.write("/azure/azureProfile.json", profile);
    fake.write("/azure/msal_token_cache.json", tokens);
    let Ok(tenant) = Tenant::new(TENANT) else { panic!("it is a tenant") };
    let Ok(found) = state::token(&fake, &tenant) else { return };
    let soon = fake.now() + Duration::from_secs(5 * 60);
    assert!(found.expires().is_some_and(|end| end >= soon));
    // Entries that are skipped need not be text.
    let tokens = String::from_utf8_lossy(tokens);
    let kept: Value = serde_json::from_str(&tokens).unwrap_or_default();
    let is_it = |entry: &&Value| {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
        entry.get("secret").and_then(Value::as_str) == Some(found.secret().expose())
            && text("realm") == TENANT
            && text("target").contains(entra::AZURE_DEVOPS)
            && text("expires_on").parse().is_ok_and(|end| SystemTime::UNIX_EPOCH + Duration::from_secs(end) >= soon)
    };
    let entries = kept.get("AccessToken").and_then(Value::as_object);
    assert!(entries.is_some_and(|entries| entries.values().any(|entry| is_it(&entry))));
    let Ok(other) = tenant.named(OTHER_TENANT) else { panic!("it is a tenant") };
    let is_named = tokens.to_ascii_lowercase().contains(OTHER_TENANT);
    assert!(is_named || state::token(&fake, &other).is_err());
    fake.write("/azure/azureProfile.json", b"{\"subscriptions\":[]}");
    assert!(state::token(&fake, &tenant).is_err(), "nobody is logged in");
}

/// The file of logins and, after a line `--`, the record of a refresh token. A file that cannot be read is left alone, and the
/// logins of another survive a change.
///
/// # Panics
///
/// If that does not hold.
pub fn logins(files: &[u8]) {
    let (file, record) = split_at_marker(files, b"\n--\n");
    if let Some(kept) = record.and_then(Kept::parse) {
        let token = kept.refresh_token.expose();
        assert!(!token.is_empty() && !token.contains(|character: char| !character.is_ascii_graphic()));
    }
    let fake = FakeSystem::default().on(Platform::Linux).variable("HOME", &absolute("/home/ada"));
    let Some(path) = Logins::file(&fake) else { panic!("there is a home directory") };
    let path = path.to_string_lossy();
    fake.write(&path, file);
    let read = Logins::read(&fake);
    let doubled = Logins::change(&fake, |accounts| accounts.extend(accounts.clone()));
    match &read {
        Ok(logins) => {
            let accounts = logins.accounts();
            assert!(accounts.is_sorted_by(|one, other| one.signed_in >= other.signed_in));
            for account in accounts {
                let shown = format!("{}{}{}", account.home_id, account.login_host, account.username);
                assert!(!shown.contains(char::is_control), "{shown:?}");
                let Ok(tenant) = Tenant::new("contoso.example") else { panic!("it is a domain") };
                let chosen = logins.choose(&account.client_id, &tenant, None);
                assert!(account.login_host != tenant.login_host || chosen.is_some());
                assert!(chosen.is_none_or(|chosen| chosen.login_host == tenant.login_host));
            }
            // Twice as many may be too many.
            if doubled.is_ok() {
                let Ok(again) = Logins::read(&fake) else { panic!("it was written here") };
                assert_eq!(again.accounts().len(), 2 * accounts.len());
            }
        }
        Err(error) => {
            check_error(error, &[]);
            assert!(doubled.is_err() && fake.content(&path).as_deref() == Some(file));
        }
    }
}

/// The file of `az devops login`: a token belongs to the feed's organisation, and no message quotes it.
///
/// # Panics
///
/// If that does not hold.
pub fn az_devops(content: &[u8]) {
    let text = String::from_utf8_lossy(content).to_lowercase();
    for url in FEEDS {
        let Some(feed) = Feed::from_service(&Service::parse(url)) else { panic!("{url} is a feed") };
        let Some(token) = az_devops::find(content, &feed) else { continue };
        let is_test = feed.organisation_key().starts_with("test/");
        assert!(text.contains("contoso") && text.contains("[azdevops-cli:") && !is_test, "{url}");
        let fake = FakeSystem::default().variable("AZURE_DEVOPS_EXT_CONFIG_DIR", &absolute("/extension"));
        fake.write("/extension/personalAccessTokens", content);
        match AzDevops.token(&fake, &feed) {
            Ok(Attempt::Token(Grant::Password { token: used, .. })) => assert_eq!(used.secret().expose(), *token),
            Ok(_) => assert!(content.len() > 256 * 1024, "it is not used"),
            Err(error) => check_error(&error, &[]),
        }
    }
}

/// What is configured for some feeds alone, as prefixes and as JSON: it serves no feed of an organisation that it does not
/// name.
///
/// # Panics
///
/// If that does not hold.
pub fn endpoints(value: &[u8]) {
    let value = String::from_utf8_lossy(value);
    let feed = |url: &str| match Feed::from_service(&Service::parse(url)) {
        Some(feed) => feed,
        None => panic!("{url} is a feed"),
    };
    let other = feed("https://pkgs.dev.azure.com/fabrikam-evil/_packaging/feed/pypi/simple/");
    // Escapes of URLs and JSON may spell any name.
    let names_other = value.to_lowercase().contains("fabrikam-evil") || value.contains(['%', '\\']);
    let fake = FakeSystem::default()
        .variable("ARTIFACTS_CREDENTIALPROVIDER_ACCESSTOKEN", "token")
        .variable("ARTIFACTS_CREDENTIALPROVIDER_URI_PREFIXES", &value)
        .variable("ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS", &value);
    if let Some(prefix) = env_var::matching_prefix(&fake, &other) {
        let is_whole_host = Service::parse(&prefix).url().is_some_and(|url| url.path() == "/");
        assert!(names_other || is_whole_host, "{prefix}");
    }
    for feed in [feed(FEEDS[0]), other] {
        match FeedIdentity.token(&fake, &feed) {
            Ok(Attempt::Token(_)) => {
                assert!(names_other || value.to_lowercase().contains(feed.organisation()), "{feed:?}");
            }
            Ok(Attempt::NotConfigured(why)) => assert_eq!(why, single_line(&why)),
            Err(error) => check_error(&error, &[]),
        }
    }
}

fn get(fake: &FakeSystem) -> Result<Option<Credential>> {
    AzureArtifacts::default().get(fake, &Service::parse(FEEDS[0]))
}

/// Whether a request exchanges a bearer; if so, it must go to the organisation's authority.
fn check_exchange(request: &Request) -> bool {
    let has_bearer = request.headers.iter().any(|(_, value)| value.expose().starts_with("Bearer "));
    if has_bearer {
        let Some(feed) = Feed::from_service(&Service::parse(FEEDS[0])) else { panic!("it is a feed") };
        let Ok(place) = request.url.join("../../") else { panic!("{request:?} has no path") };
        assert!(request.method == Method::Post && is_authority(&place, &feed), "{request:?}");
        assert!(request.url.path().ends_with("/_apis/Token/SessionTokens") && request.route == Route::Internet);
    }
    has_bearer
}

/// Whether a request lacks a secret, or has it because a service sent it.
fn lacks(request: &Request, secret: &str, said: &[u8]) -> bool {
    !holds(request, secret) || leaks(&String::from_utf8_lossy(said), secret)
}

/// Whether a request contains a secret.
fn holds(request: &Request, secret: &str) -> bool {
    let headers = request.headers.iter().map(|(_, value)| value.expose());
    let body = String::from_utf8_lossy(&request.body);
    headers.chain([request.url.as_str(), &body]).any(|text| leaks(text, secret))
}

/// The outcome is a token of one word, which is returned, or an error without the secrets in the last request.
fn check_outcome(fake: &FakeSystem, outcome: Result<Option<Credential>>, secrets: &[&str]) -> Option<Credential> {
    match outcome {
        Ok(found) => {
            assert!(
                found.as_ref().is_none_or(|found| AccessToken::parse(found.password.expose()).is_ok()),
                "the password is no token"
            );
            found
        }
        Err(error) => {
            let last = fake.requests().pop();
            let is_sent = |secret: &&&str| last.as_ref().is_some_and(|request| holds(request, secret));
            check_error(&error, &secrets.iter().filter(is_sent).copied().collect::<Vec<_>>());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::system::fuzz::{seed, seeds};

    #[test]
    fn the_seeds_hold_and_some_of_them_lead_to_a_credential() {
        for (name, target) in [
            ("discovery", discovery as fn(&[u8])),
            ("session", session),
            ("sign_in", sign_in),
            ("machine", machine),
            ("azure_cli", azure_cli),
            ("az_devops", az_devops),
            ("logins", logins),
            ("endpoints", endpoints),
            ("login", login),
            ("refresh", refresh),
        ] {
            for seed in seeds(name) {
                target(&seed);
            }
        }
        let found = |seed: &[u8]| {
            let fake = FakeSystem::default()
                .variable("ARTIFACTS_KEYRING_NOFUSS_PROVIDER", "env_var")
                .variable("ARTIFACTS_KEYRING_NOFUSS_TOKEN", &token_of(&json!({"upn": "ada@contoso.example"})))
                .answers(responses(seed));
            matches!(get(&fake), Ok(Some(_)))
        };
        assert!(seeds("session").iter().any(|seed| found(seed)));
        let refreshed = |seed: &[u8]| {
            let fake = with_login(responses(seed));
            matches!(get(&fake), Ok(Some(_)))
        };
        for name in ["usual", "ended", "second-factor", "refused", "no-word"] {
            assert_eq!(refreshed(&seed("refresh", name)), name == "usual", "{name}");
        }
        for name in ["device-code", "browser", "declined", "policy", "other-page", "other-state", "other-nonce"] {
            let signed_in = signed_in(&seed("login", name)).1;
            assert_eq!(signed_in.is_ok(), ["device-code", "browser"].contains(&name), "{name}: {signed_in:?}");
        }
        let kept = |seed: &[u8]| {
            let (profile, tokens) = split_at_marker(seed, b"\n--\n");
            let fake = FakeSystem::default().variable("AZURE_CONFIG_DIR", &absolute("/azure"));
            fake.write("/azure/azureProfile.json", profile);
            fake.write("/azure/msal_token_cache.json", tokens.unwrap_or_default());
            state::token(&fake, &Tenant::new(TENANT).unwrap()).is_ok()
        };
        for name in ["application", "cloud-shell", "ended", "machine", "other-tenant", "own-end", "person"] {
            assert_eq!(kept(&seed("azure_cli", name)), ["application", "own-end", "person"].contains(&name), "{name}");
        }
        let feed = Feed::from_service(&Service::parse(FEEDS[0])).unwrap();
        for (name, expected) in [("two-accounts", Some(2)), ("newer-version", None), ("not-a-name", None)] {
            let seed = seed("logins", name);
            let (file, _) = split_at_marker(&seed, b"\n--\n");
            let read = Logins::parse(file, Path::new("logins.json")).ok();
            assert_eq!(read.map(|logins| logins.accounts().len()), expected, "{name}");
        }
        for name in ["both-hosts", "default", "other-organisation"] {
            let is_found = az_devops::find(&seed("az_devops", name), &feed).is_some();
            assert_eq!(is_found, name == "both-hosts", "{name}");
        }
        for name in ["application", "machine", "prefixes"] {
            let value = String::from_utf8(seed("endpoints", name)).unwrap();
            let fake = FakeSystem::default()
                .variable("ARTIFACTS_CREDENTIALPROVIDER_URI_PREFIXES", &value)
                .variable("ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS", &value);
            let is_identity = matches!(FeedIdentity.token(&fake, &feed), Ok(Attempt::Token(_)));
            let is_prefix = env_var::matching_prefix(&fake, &feed).is_some();
            assert_eq!((is_identity, is_prefix), (name != "prefixes", name == "prefixes"), "{name}");
        }
    }

    proptest! {
        #[test]
        fn prefixes_and_endpoints_serve_what_they_name(
            urls in "((https?://)?(pkgs\\.dev\\.azure\\.com|(contoso|fabrikam)\\.pkgs\\.visualstudio\\.com)/?(contoso|fabrikam|fabrikam-evil)?[/a-z_;%]{0,12};?){1,3}",
        ) {
            endpoints(urls.as_bytes());
            for url in urls.split(';') {
                let entry = json!({"endpoint": url, "clientId": "system"});
                endpoints(json!({ "endpointCredentials": [entry] }).to_string().as_bytes());
            }
        }

        #[test]
        fn only_hosts_of_the_organisation_are_trusted(
            host in "(https?://)?([a-z0-9@.-]{0,9})(contoso\\.|app\\.|x\\.app\\.)?vssps(ext)?\\.(dev\\.azure\\.com|visualstudio\\.com|vsts\\.me)(:[0-9]{1,3})?",
            path in "/?(contoso|fabrikam|\\.\\.|%2e)?/?[?#]?",
            login in "https://[a-z.@]{0,6}login\\.(windows\\.net|microsoftonline\\.(com|us))(/[a-z.-]{0,5})?",
        ) {
            let bearer = format!("WWW-Authenticate: Bearer authorization_uri={login}");
            let said = format!("401\n{bearer}\nX-VSS-AuthorizationEndpoint: {host}{path}\n\n\n--\n200\n\n{{\"token\":\"t\"}}");
            discovery(said.as_bytes());
            session(said.as_bytes());
            sign_in(said.as_bytes());
        }
    }
}
