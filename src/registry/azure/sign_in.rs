//! `ringbearer login` for Azure Artifacts: discovery, one of the flows of [`login`](super::login), the exchange at the feed, and
//! the list of logins.

use std::time::{Duration, SystemTime};

use log::debug;

use super::{
    AzureArtifacts, REGISTRY, bare_host, credprovider,
    entra::Tenant,
    feed::Feed,
    is_guid,
    login::{
        browser, client, device_code,
        flow::{self, Flow, Show},
        logins::{Account, Logins, Place},
        method, storage,
        token::{Owner, Tokens},
    },
    minting::Minting,
    providers::{self, Choice},
};
use crate::{
    error::{Error, Kind, Result},
    registry::sign_in::{Login, Method, SignIn, SignedIn, Step, Wanted},
    secret::Secret,
    service::Service,
    system::System,
};

/// The step in debug output.
const STEP: &str = "sign_in";

/// The variables that artifacts-credprovider's build tasks set. Beside one of them it signs nobody in.
const OF_BUILD_TASKS: [&str; 5] = [
    "ARTIFACTS_CREDENTIALPROVIDER_ACCESSTOKEN",
    "VSS_NUGET_ACCESSTOKEN",
    "ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS",
    "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS",
    "ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS",
];

impl SignIn for AzureArtifacts {
    fn sign_in(&self, system: &dyn System, wanted: &Wanted<'_>, show: Show<'_>) -> Result<SignedIn> {
        let feed = feed(wanted.service)?;
        let client_id = client::id(system)?;
        // Before the person signs in: a login that cannot be kept is an error first.
        let place = storage::place(system, wanted.must_be_kept)?;
        if place.is_some() {
            Logins::change(system, |_| ())?;
        }
        let minting = Minting::new(system, &feed, &self.organisations);
        let (shown, organisation) = (feed.shown(), feed.organisation_key());
        let of_feed = minting.tenant().map_err(|error| error.no_credential_for(&shown))?;
        let tenant = tenant(system, wanted, &of_feed)?;
        show(&Step::Begins { index: &shown, organisation: &organisation, tenant: &tenant.id });
        let hint = wanted.account.map(str::to_owned).or_else(|| credprovider::login_hint(system));
        let flow = Flow {
            system,
            client_id: &client_id,
            tenant: &tenant,
            organisation: &organisation,
            account: wanted.account,
            hint: hint.as_deref(),
            is_fresh: wanted.is_fresh,
            limit: credprovider::sign_in_limit(system).unwrap_or(flow::LIMIT),
        };
        let finish = |tokens, owner| {
            let login = keep_new(&flow, &feed, place, &tokens, owner)?;
            let credential = minting
                .of_sign_in(tokens.access_token)
                .map_err(|error| if place.is_some() { error.with_note("the login is kept") } else { error })?;
            self.remember(system, &feed, &credential);
            Ok(SignedIn { login, credential })
        };
        match method::choose(system, wanted.method) {
            Method::Browser => browser::sign_in(&flow, show, finish),
            Method::DeviceCode => {
                let (tokens, owner) = device_code::sign_in(&flow, show)?;
                finish(tokens, owner)
            }
        }
    }

    fn never_prompts(&self, system: &dyn System) -> Option<String> {
        if credprovider::is_non_interactive(system) {
            return Some(format!("{} is true", credprovider::NON_INTERACTIVE));
        }
        if let Some(name) = OF_BUILD_TASKS.iter().find(|name| system.secret_setting(name).is_some()) {
            return Some(format!("{name} is set"));
        }
        let choice = Choice::read(system).ok()?;
        let is_login = matches!(choice.name(), "" | providers::login::NAME);
        (!is_login).then(|| "another source is chosen".to_owned())
    }

    fn has_approved(&self, system: &dyn System, service: &Service) -> bool {
        let (Some(feed), Ok(logins)) = (Feed::from_service(service), Logins::read(system)) else { return false };
        let organisation = feed.organisation_key();
        logins.accounts().iter().any(|account| account.organisations.contains(&organisation))
    }

    fn logins(&self, system: &dyn System) -> Result<Vec<Login>> {
        Ok(Logins::read(system)?.accounts().iter().map(of_account).collect())
    }

    fn sign_out(&self, system: &dyn System, account: Option<&str>) -> Result<Vec<Login>> {
        let is_meant = |of: &Account| account.is_none_or(|name| of.is_named(name));
        let logins = Logins::read(system)?;
        let meant: Vec<_> = logins.accounts().iter().filter(|account| is_meant(account)).collect();
        for account in &meant {
            storage::remove(system, account)?;
        }
        if !meant.is_empty() {
            Logins::change(system, |accounts| accounts.retain(|account| !is_meant(account)))?;
        }
        Ok(meant.into_iter().map(of_account).collect())
    }
}

/// The feed, or an error that says why nobody can sign in to a service.
fn feed(service: &Service) -> Result<Feed> {
    if let Some(feed) = Feed::from_service(service) {
        return Ok(feed);
    }
    if Feed::claims(service) {
        return Err(
            bare_host::without_organisation(service).with_hint(format!("run `ringbearer login {}`", REGISTRY.example))
        );
    }
    let host = service.host().unwrap_or("this URL");
    let error =
        Error::new(Kind::Configuration, format!("{host} is not a host of Azure Artifacts: nobody can sign in there"));
    Err(error.with_hint(
        "Azure DevOps Server needs a personal access token in ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS",
    ))
}

/// The tenant to sign in to: `--tenant`, else that of a variable or of the feed.
fn tenant(system: &dyn System, wanted: &Wanted<'_>, of_feed: &Tenant) -> Result<Tenant> {
    let tenant = client::tenant(system, of_feed)?;
    let Some(id) = wanted.tenant else { return Ok(tenant) };
    tenant.named(id).map_err(|error| Error::new(Kind::Usage, format!("--tenant: {}", error.message())))
}

/// Keeps a new login at `place`, if there is one.
fn keep_new(flow: &Flow<'_>, feed: &Feed, place: Option<Place>, tokens: &Tokens, owner: Owner) -> Result<Login> {
    debug!(step = STEP, outcome = "done"; "{} has signed in to tenant {}", owner.username, flow.tenant.id);
    let Some(place) = place else { return Ok(not_kept(flow.system, owner, feed)) };
    let account = account(flow, owner, feed, place)?;
    let refresh_token = tokens.refresh_token.as_ref().ok_or_else(|| {
        Error::new(Kind::Protocol, format!("{} gave no login that can be kept", flow.tenant.login_host))
    })?;
    keep_login(flow.system, &account, refresh_token)
}

/// The entry of a new login.
fn account(flow: &Flow<'_>, owner: Owner, feed: &Feed, place: Place) -> Result<Account> {
    let signed_in = flow.system.now().duration_since(SystemTime::UNIX_EPOCH);
    let signed_in = signed_in.map_err(|_| Error::new(Kind::Configuration, "this machine's clock is before 1970"))?;
    let id = flow.tenant.id.to_ascii_lowercase();
    Ok(Account {
        client_id: flow.client_id.to_owned(),
        home_id: owner.home_id,
        username: owner.username,
        login_host: flow.tenant.login_host.to_owned(),
        signed_in: signed_in.as_secs(),
        tenants: Some(id).filter(|id| is_guid(id)).into_iter().collect(),
        organisations: vec![feed.organisation_key()],
        place,
        ended: false,
    })
}

/// Keeps a login: its refresh token first, so that no entry lacks one. Replaces an older login of the same account, and keeps
/// the tenants and organisations of that.
fn keep_login(system: &dyn System, account: &Account, refresh_token: &Secret) -> Result<Login> {
    let is_same = |other: &Account| other.is_same_login(account);
    let older = Logins::read(system)?.accounts().iter().find(|other| is_same(other)).cloned();
    storage::write(system, account, refresh_token)?;
    let mut kept = account.clone();
    let listed = Logins::change(system, |accounts| {
        for other in accounts.iter().filter(|other| is_same(other)) {
            add_missing(&mut kept.tenants, &other.tenants);
            add_missing(&mut kept.organisations, &other.organisations);
        }
        accounts.retain(|other| !is_same(other));
        accounts.insert(0, kept.clone());
    });
    let obsolete = match &listed {
        Ok(()) => older.filter(|older| older.place != account.place),
        // At the same place, the new refresh token has replaced that of the older login, which is still listed.
        Err(_) if older.is_some_and(|older| older.place == account.place) => None,
        Err(_) => Some(account.clone()),
    };
    if let Some(Err(error)) = obsolete.map(|obsolete| storage::remove(system, &obsolete)) {
        debug!(step = STEP, outcome = "noted"; "a refresh token that is no longer used stays: {error}");
    }
    listed.map(|()| of_account(&kept))
}

fn add_missing(all: &mut Vec<String>, more: &[String]) {
    for one in more {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
}

/// A login as it is listed. An unused refresh token lives for 90 days.
/// <https://learn.microsoft.com/entra/identity-platform/refresh-tokens>
fn of_account(account: &Account) -> Login {
    let life = match account.place {
        _ if account.ended => "it has ended",
        Place::Store | Place::Keyring => "it ends after 90 days without use",
        Place::Session => "it ends with this session, after 90 days at most",
    };
    Login {
        account: account.username.clone(),
        organisations: account.organisations.clone(),
        kept_in: (!account.ended).then(|| account.place.to_string()),
        signed_in: SystemTime::UNIX_EPOCH
            .checked_add(Duration::from_secs(account.signed_in))
            .unwrap_or(SystemTime::UNIX_EPOCH),
        life: life.to_owned(),
    }
}

fn not_kept(system: &dyn System, owner: Owner, feed: &Feed) -> Login {
    Login {
        account: owner.username,
        organisations: vec![feed.organisation_key()],
        kept_in: None,
        signed_in: system.now(),
        life: "it serves this command only".to_owned(),
    }
}

#[cfg(test)]
mod tests;
