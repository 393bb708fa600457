//! The state that the Azure CLI keeps between runs: the account that is logged in, and its tokens. Only read, never
//! written.
//!
//! `az account get-access-token` takes half a second to print a token that is in its file already. The file is MSAL's,
//! with the schema that all of Microsoft's libraries share.
//! <https://github.com/AzureAD/microsoft-authentication-library-for-python/blob/dev/msal/token_cache.py>

use std::{
    borrow::Cow,
    collections::HashMap,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use crate::{
    auth::{access_token::AccessToken, private_file::read_own, timestamp},
    registry::azure::{
        entra::{AZURE_DEVOPS, Tenant},
        is_guid,
    },
    secret::Secret,
    system::{System, places},
};

/// `off` runs `az` each time.
const VARIABLE: &str = "RINGBEARER_AZURE_CLI_CACHE";

/// The maximum size of either file in bytes. A token has a few thousand bytes, and an account may have hundreds.
const CAP: usize = 8 * 1024 * 1024;

/// The minimum remaining lifetime of a token: `az` renews it earlier too.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// The application ID of `az`, for logins of users.
/// <https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in>
const AZURE_CLI: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";

/// The names of the public cloud in the file.
const PUBLIC_CLOUD: [&str; 4] =
    ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"];

/// The folder of `az`.
pub(in crate::registry::azure) fn folder(system: &dyn System) -> Option<PathBuf> {
    let folder = match system.setting("AZURE_CONFIG_DIR") {
        // As az does, except for a path relative to the working directory, which is never read here.
        Some(named) => places::named(system, &named)?,
        None => places::home(system)?.join(".azure"),
    };
    folder.is_absolute().then_some(folder)
}

/// The file that states who is logged in.
pub(crate) fn profile(system: &dyn System) -> Option<PathBuf> {
    Some(folder(system)?.join("azureProfile.json"))
}

/// The files with the tokens. The second one is encrypted, and only `az` can read it.
pub(crate) fn tokens(system: &dyn System) -> Vec<PathBuf> {
    let Some(folder) = folder(system) else { return Vec::new() };
    ["msal_token_cache.json", "msal_token_cache.bin"].map(|name| folder.join(name)).to_vec()
}

/// The token that `az` would print for a tenant without a request; or why `az` has to run.
pub(in crate::registry::azure) fn token(system: &dyn System, tenant: &Tenant) -> Result<AccessToken, &'static str> {
    if system.setting(VARIABLE).is_some_and(|value| value == "off") {
        return Err("RINGBEARER_AZURE_CLI_CACHE is off");
    }
    if !is_guid(&tenant.id) {
        return Err("the tenant is known by no GUID");
    }
    let profile = profile(system).ok_or("no home directory is known")?;
    let [plain, encrypted] = &tokens(system)[..] else { return Err("no home directory is known") };
    if system.details(encrypted).is_ok() {
        return Err("its tokens are encrypted");
    }
    // Who can write the first file chooses the account; who can read the second has its tokens already.
    let account = Account::read(&read_own(system, &profile, CAP, 0o022)?).ok_or("its default account is not clear")?;
    let content = read_own(system, plain, CAP, 0o066)?;
    find(&content, &account, tenant, system.now()).ok_or("it has no token that serves")
}

/// The account that `az` uses.
enum Account {
    /// A person, by the user name.
    Person(String),
    /// An application, by its ID.
    Application(String),
}

impl Account {
    /// The account of the default subscription; `None` for another type, or if several clouds have a default.
    fn read(profile: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Profile {
            subscriptions: Vec<Subscription>,
        }
        #[derive(Deserialize)]
        struct Subscription {
            #[serde(rename = "isDefault", default)]
            is_default: bool,
            user: User,
        }
        #[derive(Deserialize)]
        struct User {
            name: String,
            #[serde(rename = "type")]
            kind: String,
            #[serde(flatten)]
            more: Map<String, Value>,
        }
        // az writes a byte order mark in front.
        let profile = profile.strip_prefix(b"\xef\xbb\xbf").unwrap_or(profile);
        let profile: Profile = serde_json::from_slice(profile).ok()?;
        let mut defaults = profile.subscriptions.into_iter().filter(|subscription| subscription.is_default);
        let User { name, kind, more } = defaults.next().filter(|_| defaults.next().is_none())?.user;
        // Managed identities and the Cloud Shell have these types too, with further fields.
        match kind.as_str() {
            _ if !more.is_empty() || name.is_empty() => None,
            "user" => Some(Self::Person(name)),
            "servicePrincipal" => Some(Self::Application(name)),
            _ => None,
        }
    }

    fn client(&self) -> &str {
        match self {
            Self::Person(_) => AZURE_CLI,
            Self::Application(id) => id,
        }
    }
}

/// The parts of the file that are read. All others, refresh tokens above all, are skipped.
#[derive(Deserialize)]
struct Content<'all> {
    #[serde(rename = "AccessToken", borrow)]
    tokens: HashMap<Cow<'all, str>, &'all RawValue>,
    #[serde(rename = "Account", borrow, default)]
    accounts: HashMap<Cow<'all, str>, &'all RawValue>,
}

/// A token in the file.
#[derive(Deserialize)]
struct Entry {
    secret: Secret,
    home_account_id: Option<String>,
    environment: String,
    client_id: String,
    /// Its scopes, separated by spaces.
    target: String,
    realm: String,
    token_type: Option<String>,
    /// Seconds since 1970, in digits.
    expires_on: String,
}

/// A user who is logged in.
#[derive(Deserialize)]
struct Person {
    home_account_id: String,
    environment: String,
    username: String,
}

/// The token of an account for Azure DevOps in a tenant that is valid for at least [`MARGIN`]; the one that expires
/// last.
fn find(content: &[u8], account: &Account, tenant: &Tenant, now: SystemTime) -> Option<AccessToken> {
    let content: Content<'_> = serde_json::from_slice(content).ok()?;
    let home = match account {
        Account::Person(name) => Some(content.home_of(name, tenant)?),
        Account::Application(_) => None,
    };
    let target = format!("{AZURE_DEVOPS}/.default");
    let serves = |found: &Entry| {
        let home_of_token = found.home_account_id.as_deref().filter(|home| !home.is_empty());
        let kind = found.token_type.as_deref().unwrap_or("Bearer");
        home_of_token == home.as_deref()
            && is_of_cloud(&found.environment, tenant)
            && found.client_id.eq_ignore_ascii_case(account.client())
            && found.realm.eq_ignore_ascii_case(&tenant.id)
            && kind.eq_ignore_ascii_case("Bearer")
            && found.target.split(' ').any(|word| word.eq_ignore_ascii_case(&target))
    };
    let found = content.tokens.values().filter_map(|entry| serde_json::from_str::<Entry>(entry.get()).ok());
    let alive = found.filter(serves).filter_map(|found| {
        let stated = timestamp::unix(found.expires_on.parse().ok()?)?;
        let token = AccessToken::parse(found.secret.expose()).ok()?.expiring(Some(stated));
        let is_alive = token.expires()? >= now + MARGIN;
        let is_of_tenant = !token.claims().is_some_and(|claims| tenant.differs_from(&claims));
        (is_alive && is_of_tenant).then_some(token)
    });
    alive.max_by_key(AccessToken::expires)
}

impl Content<'_> {
    /// The ID of the user with a name in a cloud; `None` if there is none, or several.
    fn home_of(&self, name: &str, tenant: &Tenant) -> Option<String> {
        let people = self.accounts.values().filter_map(|entry| serde_json::from_str::<Person>(entry.get()).ok());
        let mut homes: Vec<_> = people
            .filter(|person| person.username.to_lowercase() == name.to_lowercase())
            .filter(|person| is_of_cloud(&person.environment, tenant))
            .map(|person| person.home_account_id)
            .collect();
        homes.sort();
        homes.dedup();
        homes.pop().filter(|home| homes.is_empty() && !home.is_empty())
    }
}

/// Whether the name of a cloud in the file is that of the tenant's cloud.
fn is_of_cloud(environment: &str, tenant: &Tenant) -> bool {
    environment == tenant.login_host
        || (PUBLIC_CLOUD.contains(&environment) && PUBLIC_CLOUD.contains(&tenant.login_host))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::system::fake::{FakeSystem, absolute};

    const TENANT: &str = "11111111-2222-3333-4444-555555555555";
    const NOW: u64 = 1_795_305_600;

    fn profile(user: &Value) -> String {
        json!({"subscriptions": [
            {"isDefault": false, "user": {"name": "eve@contoso.example", "type": "user"}},
            {"isDefault": true, "user": user},
        ]})
        .to_string()
    }

    fn entry() -> Value {
        json!({
            "credential_type": "AccessToken", "secret": "kept", "home_account_id": "ada.home",
            "environment": "login.microsoftonline.com", "client_id": AZURE_CLI, "realm": TENANT,
            "target": format!("{AZURE_DEVOPS}/user_impersonation {AZURE_DEVOPS}/.default"),
            "token_type": "Bearer", "expires_on": (NOW + 301).to_string(),
        })
    }

    fn content(entry: &Value) -> Value {
        let account = json!({
            "home_account_id": "ada.home", "environment": "login.microsoftonline.com", "username": "Ada@contoso.example",
        });
        json!({"AccessToken": {"one": entry}, "Account": {"ada": account}, "RefreshToken": {"one": {"secret": "r"}}})
    }

    fn kept(user: &Value, content: &Value) -> Result<String, &'static str> {
        let fake = FakeSystem::default()
            .variable("AZURE_CONFIG_DIR", &absolute("/azure"))
            .file("/azure/azureProfile.json", &format!("\u{feff}{}", profile(user)))
            .file("/azure/msal_token_cache.json", &content.to_string());
        token(&fake, &Tenant::new(TENANT).unwrap()).map(|token| token.secret().expose().to_owned())
    }

    fn ada() -> Value {
        json!({"name": "ada@contoso.example", "type": "user"})
    }

    #[test]
    fn the_token_of_the_default_account_is_taken() {
        assert_eq!(kept(&ada(), &content(&entry())).as_deref(), Ok("kept"));
        let mut of_application = entry();
        of_application["client_id"] = json!("builder");
        of_application["home_account_id"] = Value::Null;
        let builder = json!({"name": "builder", "type": "servicePrincipal"});
        assert_eq!(kept(&builder, &content(&of_application)).as_deref(), Ok("kept"));
        assert!(kept(&ada(), &content(&of_application)).is_err());
        assert!(kept(&builder, &content(&entry())).is_err());
    }

    #[test]
    fn tokens_that_do_not_fit_are_left_to_az() {
        for (member, value) in [
            ("home_account_id", json!("eve.home")),
            ("home_account_id", Value::Null),
            ("environment", json!("login.microsoftonline.us")),
            ("client_id", json!("another")),
            ("realm", json!("99999999-2222-3333-4444-555555555555")),
            ("target", json!("https://management.core.windows.net//.default")),
            ("target", json!(format!("{AZURE_DEVOPS}/.default.evil"))),
            ("token_type", json!("ssh-cert")),
            ("expires_on", json!((NOW + 299).to_string())),
            ("expires_on", json!("soon")),
            ("secret", json!(7)),
        ] {
            let mut other = entry();
            other[member] = value.clone();
            assert_eq!(kept(&ada(), &content(&other)), Err("it has no token that serves"), "{member} {value}");
        }
        for user in [
            json!({"name": "nobody@contoso.example", "type": "user"}),
            json!({"name": "ada@contoso.example", "type": "user", "cloudShellID": true}),
            json!({"name": "ada@contoso.example", "type": "managedIdentity"}),
        ] {
            assert!(kept(&user, &content(&entry())).is_err(), "{user}");
        }
        let mut two_of_a_name = content(&entry());
        two_of_a_name["Account"]["guest"] = two_of_a_name["Account"]["ada"].clone();
        assert!(kept(&ada(), &two_of_a_name).is_ok());
        two_of_a_name["Account"]["guest"]["home_account_id"] = json!("ada.elsewhere");
        assert!(kept(&ada(), &two_of_a_name).is_err());
    }

    #[test]
    fn of_several_the_one_that_lives_longest_is_taken() {
        let (mut later, mut broken) = (entry(), entry());
        later["secret"] = json!("later");
        later["expires_on"] = json!((NOW + 4000).to_string());
        broken["expires_on"] = Value::Null;
        let mut all = content(&entry());
        all["AccessToken"]["later"] = later;
        all["AccessToken"]["broken"] = broken;
        assert_eq!(kept(&ada(), &all).as_deref(), Ok("later"));
    }

    #[test]
    fn claims_of_the_token_count_too() {
        let of = |claims: &Value| {
            let mut own = entry();
            own["secret"] = json!(crate::auth::jwt::token_of(claims));
            kept(&ada(), &content(&own)).is_ok()
        };
        assert!(of(&json!({"exp": NOW + 301, "tid": TENANT})));
        assert!(!of(&json!({"exp": NOW + 299, "tid": TENANT})));
        assert!(!of(&json!({"exp": NOW + 301, "tid": "99999999-2222-3333-4444-555555555555"})));
    }

    proptest! {
        #[test]
        fn files_that_are_damaged_are_left_to_az_or_give_the_same_token(
            at in 0_usize..2000, length in 0_usize..30, put in "\\PC{0,5}",
        ) {
            let mut text = content(&entry()).to_string().into_bytes();
            let at = at.min(text.len());
            text.splice(at..(at + length).min(text.len()), put.bytes());
            let account = Account::Person("ada@contoso.example".to_owned());
            let tenant = Tenant::new(TENANT).unwrap();
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
            if let Some(token) = find(&text, &account, &tenant, now) {
                prop_assert!(token.expires().is_some_and(|end| end >= now + MARGIN));
            }
            let _ = Account::read(&text);
        }
    }
}
