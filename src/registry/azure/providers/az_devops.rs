//! The personal access tokens that `az devops login` keeps where the machine has no keyring.
//! <https://github.com/Azure/azure-devops-cli-extension/blob/master/azure-devops/azext_devops/dev/common/credential_store.py>

use std::path::PathBuf;

use log::debug;
use zeroize::Zeroizing;

use super::{Feed, Grant, azure_cli::state};
use crate::{
    auth::{
        access_token::AccessToken,
        chain::{Attempt, Origin, TokenProvider},
        private_file::read_own,
    },
    error::{Error, Kind, Result},
    ini::Ini,
    service::{Service, subdomain_of},
    system::System,
};

/// Moves the configuration directory of the extension.
const DIRECTORY_VARIABLE: &str = "AZURE_DEVOPS_EXT_CONFIG_DIR";

/// The maximum size of the file in bytes. An entry has a few hundred.
const CAP: usize = 256 * 1024;

/// Permission bits of other users, which the extension leaves to the umask.
const OTHERS: u32 = 0o066;

/// What precedes an organisation's URL in the name of a section. The section `azdevops-cli: default` names none; its token
/// is not used, since it may be that of another organisation.
const PREFIX: &str = "azdevops-cli:";

/// The key of a token in its section.
const KEY: &str = "Personal Access Token";

/// The provider.
pub(crate) struct AzDevops;

impl TokenProvider<Feed, Grant> for AzDevops {
    fn name(&self) -> &'static str {
        "az_devops"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Found
    }

    fn token(&self, system: &dyn System, feed: &Feed) -> Result<Attempt<Grant>> {
        let path = file(system).filter(|path| system.details(path).is_ok());
        let Some(path) = path else { return Ok(Attempt::not_configured("`az devops login` left no token in a file")) };
        // Permissions matter only if the file has a token for this feed: other feeds get no warning.
        let content = match read_own(system, &path, CAP, 0) {
            Ok(content) => content,
            Err(why) => {
                return Ok(Attempt::not_configured(format!("the file of `az devops login` is not read: {why}")));
            }
        };
        let Some(token) = find(&content, feed) else {
            return Ok(Attempt::not_configured(format!("`az devops login` has no token for {}", feed.organisation())));
        };
        if system.details(&path).is_ok_and(|details| details.mode.is_some_and(|mode| mode & OTHERS != 0)) {
            let message = format!("other users have access to {}", path.display());
            return Err(Error::new(Kind::Configuration, message).with_hint(format!("chmod 600 {}", path.display())));
        }
        let token = AccessToken::parse(&*token).map_err(|malformed| {
            let message = format!("{} holds {malformed} for {}", path.display(), feed.portal());
            Error::new(Kind::Configuration, message)
                .with_hint(format!("run `az devops login --organization {}`", feed.portal()))
        })?;
        debug!(step = "az_devops", outcome = "found"; "the token for {} in {}", feed.organisation(), path.display());
        Ok(Attempt::Token(Grant::password(token)))
    }
}

/// The file with the tokens.
#[must_use]
pub(crate) fn file(system: &dyn System) -> Option<PathBuf> {
    let folder = match system.setting(DIRECTORY_VARIABLE) {
        // As the extension does, except for a path relative to the working directory, which is never read here.
        Some(named) => Some(PathBuf::from(named)).filter(|folder| folder.is_absolute()),
        None => state::folder(system).map(|folder| folder.join("azuredevops")),
    };
    folder.map(|folder| folder.join("personalAccessTokens"))
}

/// The text in the first section of the feed's organisation that holds a token.
pub(in crate::registry::azure) fn find(content: &[u8], feed: &Feed) -> Option<Zeroizing<String>> {
    let text = Zeroizing::new(String::from_utf8_lossy(content).into_owned());
    let tokens = Ini::parse(&text);
    let is_of_feed = |section: &&str| {
        let organisation = section.strip_prefix(PREFIX).and_then(organisation);
        organisation.is_some_and(|organisation| organisation == feed.organisation_key())
    };
    let token = tokens.sections().filter(is_of_feed).find_map(|section| tokens.value(section, KEY))?;
    Some(Zeroizing::new(token.to_owned()))
}

/// The organisation of a URL, in lower case: the first segment at `dev.azure.com`, or the subdomain of
/// `visualstudio.com`.
fn organisation(url: &str) -> Option<String> {
    let service = Service::parse(url);
    if !service.is_https_on_default_port() {
        return None;
    }
    let host = service.host()?;
    let organisation = match subdomain_of(host, "visualstudio.com") {
        Some(labels) => labels,
        None if host == "dev.azure.com" => service.url()?.path_segments()?.next()?,
        None => return None,
    };
    (!organisation.is_empty()).then(|| organisation.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::system::fake::{FakeSystem, absolute};

    const FEED: &str = "https://pkgs.dev.azure.com/Contoso/_packaging/feed/pypi/simple/";
    const FILE: &str = "/azure/azuredevops/personalAccessTokens";

    fn feed(service: &str) -> Feed {
        Feed::from_service(&Service::parse(service)).unwrap()
    }

    fn entry(url: &str, token: &str) -> String {
        format!("[azdevops-cli:{url}]\npersonal access token = {token}\n\n")
    }

    fn kept(content: &str) -> FakeSystem {
        FakeSystem::default().variable("AZURE_CONFIG_DIR", &absolute("/azure")).file(FILE, content)
    }

    fn ask(fake: &FakeSystem, service: &str) -> Result<Option<String>> {
        Ok(match AzDevops.token(fake, &feed(service))? {
            Attempt::Token(Grant::Password { token, .. }) => Some(token.secret().expose().to_owned()),
            _ => None,
        })
    }

    #[test]
    fn a_token_serves_its_organisation_in_both_spellings() {
        for (url, service, expected) in [
            ("https://dev.azure.com/contoso", FEED, true),
            ("https://DEV.azure.com/CONTOSO/", FEED, true),
            ("https://contoso.visualstudio.com", FEED, true),
            ("https://contoso.visualstudio.com/DefaultCollection", FEED, true),
            ("https://dev.azure.com/contoso", "https://CONTOSO.pkgs.visualstudio.com/_packaging/feed/", true),
            ("https://ada@dev.azure.com/contoso", FEED, true),
            ("https://dev.azure.com/contoso-evil", FEED, false),
            ("https://dev.azure.com/contoso", "https://pkgs.dev.azure.com/contoso-evil/_packaging/feed/", false),
            ("https://dev.azure.com/contoso", "https://pkgs.codedev.ms/contoso/_packaging/feed/", false),
            ("https://dev.azure.com/", FEED, false),
            ("http://dev.azure.com/contoso", FEED, false),
            ("https://dev.azure.com.evil.example/contoso", FEED, false),
            ("https://server.example/contoso", FEED, false),
            ("https://visualstudio.com/contoso", FEED, false),
            (" default", FEED, false),
            ("", FEED, false),
        ] {
            let found = ask(&kept(&entry(url, "personal")), service).unwrap();
            assert_eq!(found.is_some(), expected, "{url} {service}");
        }
    }

    #[test]
    fn the_first_section_with_a_token_serves() {
        let content = [
            "[azdevops-cli: default]\npersonal access token = default\n",
            &entry("https://dev.azure.com/fabrikam", "other"),
            &entry("https://dev.azure.com/contoso", ""),
            &entry("https://contoso.visualstudio.com", "100%-personal"),
        ]
        .concat();
        assert_eq!(ask(&kept(&content), FEED).unwrap().as_deref(), Some("100%-personal"));
    }

    #[test]
    fn the_extension_may_have_a_directory_of_its_own() {
        let content = entry("https://dev.azure.com/contoso", "personal");
        let moved = FakeSystem::default().variable(DIRECTORY_VARIABLE, &absolute("/extension"));
        assert_eq!(
            ask(&moved.file("/extension/personalAccessTokens", &content), FEED).unwrap().as_deref(),
            Some("personal")
        );
        let home = FakeSystem::default().home("/home/ada");
        let home = home.file("/home/ada/.azure/azuredevops/personalAccessTokens", &content);
        assert_eq!(ask(&home, FEED).unwrap().as_deref(), Some("personal"));
        assert_eq!(ask(&home.variable(DIRECTORY_VARIABLE, "relative"), FEED), Ok(None));
        assert_eq!(ask(&FakeSystem::default(), FEED), Ok(None));
    }

    #[test]
    fn a_file_open_to_others_is_an_error_for_its_organisation_alone() {
        let fake = kept(&entry("https://dev.azure.com/contoso", "x-secret")).mode(FILE, 0o644);
        let error = ask(&fake, FEED).unwrap_err();
        let path = absolute(FILE);
        assert_eq!(error.to_string(), format!("other users have access to {path}; chmod 600 {path}"));
        assert_eq!(ask(&fake, "https://pkgs.dev.azure.com/fabrikam/_packaging/feed/"), Ok(None));
    }

    #[test]
    fn text_that_is_not_a_token_is_an_error_and_not_quoted() {
        let error = ask(&kept(&entry("https://dev.azure.com/contoso", "x-secret two")), FEED).unwrap_err();
        assert!(error.message().contains("more than a token") && !error.to_string().contains("x-secret"), "{error}");
        assert!(error.hint().unwrap().contains("az devops login --organization https://dev.azure.com/"), "{error}");
    }

    proptest! {
        #[test]
        fn only_tokens_of_the_organisation_are_found(
            url in "(https://|http://)?(dev\\.azure\\.com/|[a-z.@]{0,6}visualstudio\\.com/?)(contoso|fabrikam)?[a-z./%-]{0,6}",
        ) {
            let is_found = find(entry(&url, "personal").as_bytes(), &feed(FEED)).is_some();
            prop_assert!(!is_found || url.contains("contoso"), "{}", url);
        }
    }
}
