//! The providers of tokens for Azure DevOps, one file each, and the choice among them.

pub(crate) mod ado_auth_helper;
pub(crate) mod az_devops;
pub(crate) mod azd;
pub(crate) mod azure_cli;
pub(crate) mod azure_pipelines;
pub(crate) mod client_certificate;
pub(crate) mod client_secret;
mod endpoints;
pub(crate) mod env_var;
pub(crate) mod feed_endpoints;
pub(crate) mod feed_identity;
pub(crate) mod login;
pub(crate) mod managed_identity;
pub(crate) mod pat;
pub(crate) mod workload_identity;

use std::{io::ErrorKind, path::PathBuf};

use super::{SESSION_USERNAME, entra::Tenant, feed::Feed};
use crate::{
    auth::{access_token::AccessToken, chain::TokenProvider, jwt::Claims},
    error::{Error, Kind, LONGEST_NAME, Result, truncate},
    ini::Ini,
    system::{System, io_message, places},
};

/// What a provider grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Grant {
    /// A password that needs no exchange: a personal access token, or a token that Azure DevOps issued.
    Password {
        /// The user name that goes with it.
        username: String,
        /// The password.
        token: AccessToken,
    },
    /// A bearer token of Entra ID.
    Bearer(AccessToken),
    /// An identity that signs in to the feed's tenant, once that is known.
    Identity(feed_identity::Identity),
    /// A bearer token of Entra ID that another program has cached. If it is refused, the provider may have a newer one.
    CachedBearer(AccessToken),
}

impl Grant {
    /// A password with the default user name, which Azure DevOps ignores.
    #[must_use]
    pub(crate) fn password(token: AccessToken) -> Self {
        Self::Password { username: SESSION_USERNAME.to_owned(), token }
    }

    /// Classifies a token of unknown type: a JSON Web Token is a bearer, unless Azure DevOps issued it (a session
    /// token, or a pipeline's SYSTEM_ACCESSTOKEN); anything else is a personal access token.
    #[must_use]
    pub(crate) fn of_unknown_sort(token: AccessToken) -> Self {
        match token.claims() {
            Some(claims) if !is_issued_by_azure_devops(&claims) => Self::Bearer(token),
            _ => Self::password(token),
        }
    }
}

/// The issuer of Azure DevOps' own tokens is `app.vstoken.visualstudio.com`.
fn is_issued_by_azure_devops(claims: &Claims) -> bool {
    claims.text("iss").is_some_and(|issuer| {
        let host = issuer.trim_start_matches("https://").trim_end_matches('/');
        host == "app.vstoken.visualstudio.com"
    })
}

/// A provider that needs no tenant, asked before any request is made.
type Local = &'static dyn TokenProvider<Feed, Grant>;

/// A provider that signs in to a tenant of Entra ID.
type Entra = &'static dyn TokenProvider<Tenant, Grant>;

/// The local providers, in order of precedence.
const LOCAL: [Local; 5] =
    [&env_var::EnvVar, &feed_endpoints::FeedEndpoints, &feed_identity::FeedIdentity, &pat::Pat, &az_devops::AzDevops];

/// The providers of Entra ID, in order of precedence after the local ones: configured applications, then the user's
/// logins, that of ringbearer first, then the machine's identity.
const ENTRA: [Entra; 9] = [
    &client_secret::ClientSecret,
    &client_certificate::ClientCertificate,
    &workload_identity::WorkloadIdentity,
    &azure_pipelines::AzurePipelines,
    &login::Login,
    &azure_cli::AzureCli,
    &ado_auth_helper::AdoAuthHelper,
    &azd::Azd,
    &managed_identity::ManagedIdentity,
];

/// The host that a lookup asks after discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextHost {
    /// The login host: an application signs in.
    Login,
    /// The login host, and then the token authority: a user's login is refreshed.
    Refresh,
    /// The token authority: a user's token is exchanged.
    Authority,
}

type IsConfigured = fn(&dyn System) -> bool;

/// Which providers are configured, as far as that is known without asking them, and the host that each leads to. A managed
/// identity leads to neither.
const NEXT_HOSTS: [(&str, IsConfigured, NextHost); 8] = [
    ("client_secret", client_secret::is_configured, NextHost::Login),
    ("client_certificate", client_certificate::is_configured, NextHost::Login),
    ("workload_identity", workload_identity::is_configured, NextHost::Login),
    ("azure_pipelines", azure_pipelines::is_configured, NextHost::Login),
    (login::NAME, login::is_configured, NextHost::Refresh),
    ("azure_cli", azure_cli::is_configured, NextHost::Authority),
    ("ado_auth_helper", |system| ado_auth_helper::program(system).is_some(), NextHost::Authority),
    ("azd", |system| system.find_program("azd").is_some(), NextHost::Authority),
];

/// Selects several providers: those of the library that artifacts-keyring-nofuss 1.3.3 used.
const AZURE_IDENTITY: &str = "azure_identity";

/// The providers that `azure_identity` selects.
const AZURE_IDENTITY_MEMBERS: [&str; 4] =
    ["client_secret", "client_certificate", "workload_identity", "managed_identity"];

/// Selects one provider.
const CHOICE_VARIABLE: &str = "ARTIFACTS_KEYRING_NOFUSS_PROVIDER";

/// The maximum size of keyring's configuration file in bytes.
const CONFIGURATION_CAP: usize = 256 * 1024;

/// The providers to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    forced: Option<String>,
}

impl Choice {
    /// Reads the choice from the variable, else from keyring's configuration file (`[artifacts_keyring_nofuss]
    /// provider`). An unknown name is an error that lists the valid ones. One provider chosen by name has no
    /// successor, so that its failure is final; `azure_identity` is a chain of four.
    pub(crate) fn read(system: &dyn System) -> Result<Self> {
        let (source, name) = match system.setting(CHOICE_VARIABLE) {
            Some(name) => (CHOICE_VARIABLE.to_owned(), name),
            None => match configured(system)? {
                Some((path, name)) => (path.display().to_string(), name),
                None => return Ok(Self { forced: None }),
            },
        };
        if name != AZURE_IDENTITY && !names().any(|known| known == name) {
            let valid: Vec<_> = names().chain([AZURE_IDENTITY]).collect();
            let name = truncate(&name, LONGEST_NAME);
            let valid = valid.join(" ");
            let what = format!("{source} names an unknown provider, {name:?} (valid: {valid})");
            return Err(Error::new(Kind::Configuration, what)
                .with_hint("correct or remove it; `ringbearer doctor URL` shows all names"));
        }
        Ok(Self { forced: Some(name) })
    }

    /// The files that may hold the choice.
    #[must_use]
    pub(crate) fn files(system: &dyn System) -> Vec<PathBuf> {
        let folders = [places::default_config(system), places::user_config(system)];
        let mut files: Vec<_> = folders.into_iter().flatten().map(|folder| folder.join("python_keyring")).collect();
        files.dedup();
        files.into_iter().map(|folder| folder.join("keyringrc.cfg")).collect()
    }

    /// The chosen name; empty if all providers are asked.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        self.forced.as_deref().unwrap_or_default()
    }

    /// The local providers to ask, in order.
    #[must_use]
    pub(crate) fn local_providers(&self) -> Vec<Local> {
        LOCAL.into_iter().filter(|provider| self.includes(provider.name())).collect()
    }

    /// The providers of Entra ID to ask, in order.
    #[must_use]
    pub(crate) fn entra_providers(&self) -> Vec<Entra> {
        ENTRA.into_iter().filter(|provider| self.includes(provider.name())).collect()
    }

    /// The host that the first configured provider of Entra ID leads to.
    #[must_use]
    pub(crate) fn next_host(&self, system: &dyn System) -> Option<NextHost> {
        let mut chosen = NEXT_HOSTS.iter().filter(|(name, ..)| self.includes(name));
        chosen.find(|(_, is_configured, _)| is_configured(system)).map(|(.., host)| *host)
    }

    fn includes(&self, name: &str) -> bool {
        match self.forced.as_deref() {
            None => true,
            Some(AZURE_IDENTITY) => AZURE_IDENTITY_MEMBERS.contains(&name),
            Some(forced) => forced == name,
        }
    }
}

/// Every provider's name, in order.
fn names() -> impl Iterator<Item = &'static str> {
    LOCAL.iter().map(|provider| provider.name()).chain(ENTRA.iter().map(|provider| provider.name()))
}

/// The choice in keyring's configuration file: below the home directory, where artifacts-keyring-nofuss looks, or
/// XDG_CONFIG_HOME, where keyring looks. A file that cannot be read is an error, since it may hold the choice.
fn configured(system: &dyn System) -> Result<Option<(PathBuf, String)>> {
    for path in Choice::files(system) {
        let content = match system.read_file(&path, CONFIGURATION_CAP) {
            Ok(content) => content,
            // Container runtimes create a directory for a mounted file that does not exist on the host.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidInput) =>
            {
                continue;
            }
            Err(error) => {
                let message = format!("{} cannot be read: {}", path.display(), io_message(&error));
                return Err(Error::new(Kind::Configuration, message)
                    .with_hint(format!("repair the file, or set {CHOICE_VARIABLE}"))
                    .with_source(&error));
            }
        };
        let configuration = Ini::parse(&String::from_utf8_lossy(&content));
        if let Some(name) = configuration.value("artifacts_keyring_nofuss", "provider") {
            return Ok(Some((path, name.to_owned())));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        auth::jwt::token_of,
        registry::azure::login::logins::Logins,
        system::fake::{FakeSystem, absolute},
    };

    fn choice(system: &FakeSystem) -> Vec<&'static str> {
        let choice = Choice::read(system).unwrap();
        let local = choice.local_providers().into_iter().map(TokenProvider::name);
        local.chain(choice.entra_providers().into_iter().map(TokenProvider::name)).collect()
    }

    #[test]
    fn by_default_every_provider_is_asked_in_the_documented_order() {
        assert_eq!(
            choice(&FakeSystem::default()),
            [
                "env_var",
                "feed_endpoints",
                "feed_identity",
                "pat",
                "az_devops",
                "client_secret",
                "client_certificate",
                "workload_identity",
                "azure_pipelines",
                "login",
                "azure_cli",
                "ado_auth_helper",
                "azd",
                "managed_identity"
            ]
        );
    }

    /// The file that artifacts-keyring-nofuss reads, on every platform.
    const FILE: &str = "/home/user/.config/python_keyring/keyringrc.cfg";

    fn user() -> FakeSystem {
        FakeSystem::default().home("/home/user")
    }

    #[test]
    fn the_variable_beats_the_file() {
        let file = "[artifacts_keyring_nofuss]\nprovider = azd\n";
        let configured = || user().file(FILE, file);
        assert_eq!(choice(&configured()), ["azd"]);
        assert_eq!(choice(&configured().variable(CHOICE_VARIABLE, " pat ")), ["pat"]);
        let elsewhere = FakeSystem::default()
            .variable("XDG_CONFIG_HOME", &absolute("/configuration"))
            .file("/configuration/python_keyring/keyringrc.cfg", file);
        assert_eq!(choice(&elsewhere), ["azd"]);
    }

    #[test]
    fn an_unreadable_file_is_an_error_unless_the_variable_chooses() {
        for fake in [user().unreadable(FILE), user().file(FILE, &" ".repeat(CONFIGURATION_CAP + 1))] {
            let error = Choice::read(&fake).unwrap_err();
            assert_eq!(error.kind(), Kind::Configuration);
            assert!(error.message().starts_with(&format!("{} cannot be read: ", absolute(FILE))), "{error}");
            assert_eq!(choice(&fake.variable(CHOICE_VARIABLE, "pat")), ["pat"]);
        }
    }

    #[test]
    fn azure_identity_means_the_providers_of_that_library() {
        assert_eq!(choice(&FakeSystem::default().variable(CHOICE_VARIABLE, AZURE_IDENTITY)), AZURE_IDENTITY_MEMBERS);
    }

    #[test]
    fn the_next_host_is_that_of_the_first_configured_provider() {
        let secret = [("AZURE_CLIENT_ID", "robot"), ("AZURE_CLIENT_SECRET", "s")];
        let certificate = [("AZURE_CLIENT_ID", "robot"), ("AZURE_CLIENT_CERTIFICATE_PATH", "/c.pem")];
        let job = [("AZURE_CLIENT_ID", "robot"), ("RINGBEARER_AZURE_OIDC_TOKEN", "t")];
        let pipelines = [
            ("SYSTEM_OIDCREQUESTURI", "https://pipelines.example/"),
            ("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "c"),
            ("AZURESUBSCRIPTION_CLIENT_ID", "robot"),
        ];
        let with = |variables: &[(&str, &str)]| {
            variables.iter().fold(user(), |fake, (name, value)| fake.variable(name, value))
        };
        let az = |fake: FakeSystem| fake.run("az", &[], 0, "", "");
        let with_login = |fake: FakeSystem| {
            fake.write(&Logins::file(&fake).unwrap().display().to_string(), b"{}");
            fake
        };
        for (fake, next) in [
            (user(), None),
            (az(user()), Some(NextHost::Authority)),
            (user().run("azd", &[], 0, "", ""), Some(NextHost::Authority)),
            (az(with(&secret)), Some(NextHost::Login)),
            (az(with(&secret[1..])), Some(NextHost::Authority)),
            (az(with(&certificate)), Some(NextHost::Login)),
            (az(with(&job)), Some(NextHost::Login)),
            (az(with(&job[..1])), Some(NextHost::Authority)),
            (az(with(&pipelines)), Some(NextHost::Login)),
            (az(with(&secret)).variable(CHOICE_VARIABLE, "azure_cli"), Some(NextHost::Authority)),
            (az(with_login(user())), Some(NextHost::Refresh)),
            (with_login(user()).variable("RINGBEARER_LOGIN_STORE", "off"), None),
            (with_login(with(&secret)), Some(NextHost::Login)),
            (az(user()).variable(CHOICE_VARIABLE, "managed_identity"), None),
        ] {
            assert_eq!(Choice::read(&fake).unwrap().next_host(&fake), next);
        }
    }

    #[test]
    fn an_unknown_name_is_reported_with_the_valid_ones() {
        let error = Choice::read(&FakeSystem::default().variable(CHOICE_VARIABLE, "azure-cli")).unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(error.to_string().contains("azure_cli") && error.to_string().contains("azure_identity"), "{error}");
    }

    #[test]
    fn tokens_of_unknown_type_are_classified() {
        let is_bearer =
            |text: &str| matches!(Grant::of_unknown_sort(AccessToken::parse(text).unwrap()), Grant::Bearer(_));
        assert!(is_bearer(&token_of(&json!({"iss": "https://sts.windows.net/t/"}))));
        assert!(is_bearer(&token_of(&json!({"upn": "ada"}))));
        assert!(!is_bearer(&token_of(&json!({"iss": "app.vstoken.visualstudio.com"}))));
        assert!(!is_bearer("abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnop"));
    }
}
