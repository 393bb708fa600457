//! Microsoft Entra ID: tenants, login hosts, tokens and refusals.

use serde::Deserialize;
use url::Url;

use super::{
    is_guid,
    remedy::{self, Identity, Remedy},
    retries::attempts,
    sign_in_command::SignInCommand,
};
use crate::{
    auth::{access_token::AccessToken, clock_skew::ClockSkew, jwt::Claims, oauth},
    error::{Error, Kind, LONGEST_NAME, Result, quote, without_middle},
    system::{System, http::Response},
};

/// The application ID of Azure DevOps, the resource of every token request.
/// <https://learn.microsoft.com/azure/devops/integrate/get-started/authentication/service-principal-managed-identity>
pub(crate) const AZURE_DEVOPS: &str = "499b84ac-1321-427f-aa17-267ca6975798";

/// The tenant for feeds in organisations of personal Microsoft accounts.
pub(crate) const ANY_ORGANISATION: &str = "organizations";

/// Overrides the login host, as in Azure's own SDKs.
const AUTHORITY_VARIABLE: &str = "AZURE_AUTHORITY_HOST";

/// Overrides the tenant that the feed names, as in Azure's own SDKs.
pub(crate) const TENANT_VARIABLE: &str = "AZURE_TENANT_ID";

/// The application (or user-assigned identity) to sign in as, as in Azure's own SDKs.
pub(crate) const CLIENT_VARIABLE: &str = "AZURE_CLIENT_ID";

/// The host names of the public cloud's login service.
const PUBLIC_LOGIN_HOSTS: [&str; 3] = ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com"];

/// The name that stands for all of them.
pub(super) const PUBLIC_LOGIN_HOST: &str = PUBLIC_LOGIN_HOSTS[0];

/// The login hosts of the clouds of the US government and China.
const OTHER_LOGIN_HOSTS: [&str; 2] = ["login.microsoftonline.us", "login.partner.microsoftonline.cn"];

/// A tenant and its login host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tenant {
    /// A GUID, a domain, or `organizations`.
    pub(crate) id: String,
    /// One of the known login hosts.
    pub(crate) login_host: &'static str,
}

impl Tenant {
    /// A tenant on the public cloud's login host.
    pub(crate) fn new(id: &str) -> Result<Self> {
        let well_formed = id.len() <= 253
            && id.starts_with(|character: char| character.is_ascii_alphanumeric())
            && id.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '.'));
        if !well_formed {
            // The tenant becomes part of URLs and argument lists, so only a GUID or a domain is accepted.
            return Err(Error::new(Kind::Protocol, "the tenant is neither a GUID nor a domain"));
        }
        Ok(Self { id: id.to_owned(), login_host: PUBLIC_LOGIN_HOST })
    }

    /// The tenant that an `authorization_uri` names: https, a known login host, the default port, no user information,
    /// one path segment.
    pub(crate) fn from_authorization_uri(uri: &str) -> Result<Self> {
        let url = Url::parse(uri).map_err(|_| untrusted(uri))?;
        let login_host = login_host(&url).ok_or_else(|| untrusted(uri))?;
        let mut segments = url.path().trim_matches('/').split('/');
        match (segments.next(), segments.next()) {
            (Some(id), None) if !id.is_empty() => Ok(Self { login_host, ..Self::new(id)? }),
            _ => Err(untrusted(uri)),
        }
    }

    /// The same tenant, at the login host in AZURE_AUTHORITY_HOST if that is set.
    pub(crate) fn at_configured_login_host(self, system: &dyn System) -> Result<Self> {
        let Some(value) = system.setting(AUTHORITY_VARIABLE) else {
            return Ok(self);
        };
        // Azure's SDKs accept it with and without a scheme.
        let url = if value.contains("://") { value } else { format!("https://{value}") };
        let host = Url::parse(&url).ok().filter(|url| url.path().trim_matches('/').is_empty());
        let login_host = host.as_ref().and_then(login_host).ok_or_else(|| {
            Error::new(Kind::Configuration, format!("{AUTHORITY_VARIABLE} is not a login host of Microsoft"))
                .with_hint(format!("unset it, or choose one of {}", known_login_hosts().collect::<Vec<_>>().join(", ")))
        })?;
        Ok(Self { login_host, ..self })
    }

    /// The same tenant, or the one in AZURE_TENANT_ID, which applies to applications.
    pub(crate) fn of_application(&self, system: &dyn System) -> Result<Self> {
        let Some(id) = system.setting(TENANT_VARIABLE) else {
            return Ok(self.clone());
        };
        self.named(&id).map_err(|error| {
            Error::new(Kind::Configuration, format!("{TENANT_VARIABLE}: {}", error.message())).with_source(error)
        })
    }

    /// Another tenant on the same login host.
    pub(crate) fn named(&self, id: &str) -> Result<Self> {
        Ok(Self { login_host: self.login_host, ..Self::new(id)? })
    }

    /// The `authorization_uri` that names it.
    #[must_use]
    pub(crate) fn authorization_uri(&self) -> String {
        format!("https://{}/{}", self.login_host, self.id)
    }

    /// The token endpoint.
    pub(crate) fn token_endpoint(&self) -> Result<Url> {
        self.endpoint("token")
    }

    /// An endpoint of the tenant: `authorize`, `devicecode` or `token`.
    pub(super) fn endpoint(&self, name: &str) -> Result<Url> {
        Url::parse(&format!("https://{}/{}/oauth2/v2.0/{name}", self.login_host, self.id))
            .map_err(|_| Error::new(Kind::Internal, "the endpoint of the tenant is not a URL"))
    }

    /// The command line that signs a person in to this tenant.
    #[must_use]
    pub(super) fn login(&self, command: SignInCommand) -> String {
        command.text(Some(self.id.as_str()).filter(|id| *id != ANY_ORGANISATION))
    }

    /// What a person does about an error code.
    #[must_use]
    pub(super) fn advice(&self, remedy: &Remedy, command: SignInCommand) -> String {
        remedy.next.replace("{login}", &self.login(command)).replace("{resource}", AZURE_DEVOPS)
    }

    /// Whether a token certainly belongs to another tenant. False unless both are known by GUID.
    #[must_use]
    pub(crate) fn differs_from(&self, claims: &Claims) -> bool {
        claims.text("tid").is_some_and(|tid| is_guid(tid) && is_guid(&self.id) && !tid.eq_ignore_ascii_case(&self.id))
    }
}

/// The login host that a feed will probably name, or the configured one.
pub(crate) fn expected_login_host(system: &dyn System) -> Option<Url> {
    Tenant::new(ANY_ORGANISATION).ok()?.at_configured_login_host(system).ok()?.token_endpoint().ok()
}

fn known_login_hosts() -> impl Iterator<Item = &'static str> {
    PUBLIC_LOGIN_HOSTS.into_iter().chain(OTHER_LOGIN_HOSTS)
}

/// Whether a URL is of a login host, without query and the like.
#[must_use]
pub(super) fn is_of_login_host(url: &Url) -> bool {
    login_host(url).is_some()
}

/// The known login host of a URL without path, query and the like. All names of the public cloud's map to one, so that
/// one connection serves.
fn login_host(url: &Url) -> Option<&'static str> {
    if !is_clean_origin(url) {
        return None;
    }
    let host = url.host_str()?;
    let known = known_login_hosts().find(|known| *known == host)?;
    Some(if PUBLIC_LOGIN_HOSTS.contains(&known) { PUBLIC_LOGIN_HOST } else { known })
}

/// Whether a URL is https on the default port, without user information, query and fragment.
#[must_use]
pub(crate) fn is_clean_origin(url: &Url) -> bool {
    url.scheme() == "https"
        && url.port().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

fn untrusted(uri: &str) -> Error {
    // Only the host is shown: user information or query may hold secrets.
    let shown = Url::parse(uri).ok().and_then(|url| url.host_str().map(str::to_owned));
    Error::new(
        Kind::Protocol,
        format!("the feed names an untrusted authorization_uri ({})", shown.as_deref().unwrap_or("not a URL")),
    )
    .with_hint("no token was sent; something between here and the feed rewrites its answers")
}

/// Requests a token for an application. `proof` holds the form fields that authenticate it.
pub(crate) fn request_application_token(
    system: &dyn System,
    tenant: &Tenant,
    client_id: &str,
    proof: &[(&str, &str)],
) -> Result<AccessToken> {
    let scope = format!("{AZURE_DEVOPS}/.default");
    let mut fields = vec![("grant_type", "client_credentials"), ("client_id", client_id), ("scope", &scope)];
    fields.extend_from_slice(proof);
    oauth::request_token(system, &tenant.token_endpoint()?, &fields, attempts(system), |response, error| {
        explain_to(Identity::Application, system, response, error, |remedy| remedy.next.to_owned())
    })
}

/// Requests a token for an application that authenticates with a signed assertion.
/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>
pub(crate) fn request_token_by_assertion(
    system: &dyn System,
    tenant: &Tenant,
    client_id: &str,
    assertion: &str,
) -> Result<AccessToken> {
    let proof = [
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ];
    request_application_token(system, tenant, client_id, &proof)
}

/// Adds to the error of a person's sign-in what the codes of the answer mean, and what to do.
pub(super) fn explain(
    system: &dyn System,
    tenant: &Tenant,
    response: &Response,
    error: Error,
    command: SignInCommand,
) -> Error {
    explain_to(Identity::Person(command), system, response, error, |remedy| tenant.advice(remedy, command))
}

/// Adds to an error what the codes of the answer mean, and what to do by `advice`.
fn explain_to(
    identity: Identity,
    system: &dyn System,
    response: &Response,
    error: Error,
    advice: impl FnOnce(&Remedy) -> String,
) -> Error {
    #[derive(Deserialize)]
    struct Answer {
        error_codes: Vec<u64>,
    }
    let answer: Option<Answer> = serde_json::from_slice(&response.body).ok();
    let numbers = answer.map(|answer| answer.error_codes).unwrap_or_default();
    // The description may be in another language, and names the same code in front.
    let codes = remedy::codes(error.message()).map(str::to_owned);
    let codes = codes.chain(numbers.iter().map(u64::to_string));
    let found = codes.into_iter().find_map(|code| remedy::of_code(&code, identity).map(|remedy| (code, remedy)));
    let Some((code, remedy)) = found else {
        return error;
    };
    match ClockSkew::of(system, response).filter(|_| code == remedy::OUTSIDE_TIME_RANGE) {
        Some(skew) => skew.explain(error),
        None if remedy.next.is_empty() => error.with_hint(format!("{} (AADSTS{code})", remedy.meaning)),
        None => error.with_hint(format!("{} (AADSTS{code}): {}", remedy.meaning, advice(remedy))),
    }
}

/// Whether a bearer belongs to an application. Only users' tokens can be exchanged, so it is used as the password
/// directly. `idtyp` is the most reliable claim and comes first.
#[must_use]
pub(crate) fn is_service_principal(claims: &Claims) -> bool {
    match claims.text("idtyp") {
        Some("app") => true,
        Some("user") => false,
        _ => !claims.has("scp") && claims.has("roles"),
    }
}

/// The account that a bearer belongs to, for messages.
#[must_use]
pub(crate) fn account(claims: &Claims) -> Option<String> {
    ["upn", "unique_name", "oid"]
        .into_iter()
        .find_map(|name| claims.text(name))
        .map(|name| without_middle(&quote(name, &[]), LONGEST_NAME))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        auth::jwt::token_of,
        secret::Secret,
        system::{fake::FakeSystem, http::Method},
    };

    #[test]
    fn only_clean_authorization_uris_are_trusted() {
        for uri in [
            "https://login.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47",
            "https://login.microsoftonline.com/contoso.example/",
            "https://login.microsoftonline.us/72f988bf-86f1-41af-91ab-2d7cd011db47",
        ] {
            assert!(Tenant::from_authorization_uri(uri).is_ok(), "{uri}");
        }
        for uri in [
            "",
            "http://login.windows.net/t",
            "https://login.windows.net:8443/t",
            "https://user@login.windows.net/t",
            "https://login.windows.net.evil.com/t",
            "https://evil-login.windows.net/t",
            "https://evil.login.windows.net/t",
            "https://evil.com/login.windows.net/t",
            "https://login.windows.net/t/oauth2/authorize",
            "https://login.windows.net/",
            "https://login.windows.net/--tenant",
            "https://login.windows.net/t?x=y",
        ] {
            assert!(Tenant::from_authorization_uri(uri).is_err(), "{uri}");
        }
    }

    #[test]
    fn the_authority_host_must_be_known() {
        let tenant = || Tenant::new("t").unwrap();
        let host =
            |value: &str| tenant().at_configured_login_host(&FakeSystem::default().variable(AUTHORITY_VARIABLE, value));
        assert_eq!(host("https://login.microsoftonline.us/").unwrap().login_host, "login.microsoftonline.us");
        assert_eq!(host("login.windows.net").unwrap().login_host, "login.microsoftonline.com");
        for value in ["https://evil.example", "http://login.windows.net", "https://login.windows.net/x"] {
            assert_eq!(host(value).unwrap_err().kind(), Kind::Configuration, "{value}");
        }
    }

    #[test]
    fn claims_distinguish_applications_from_users() {
        for (claims, is_application) in [
            (json!({"idtyp": "app", "scp": "x"}), true),
            (json!({"idtyp": "user", "roles": []}), false),
            (json!({"scp": "user_impersonation", "roles": []}), false),
            (json!({"roles": []}), true),
            (json!({"upn": "ada@contoso.example"}), false),
            (json!({}), false),
        ] {
            let claims_of_token = Claims::read(&Secret::new(token_of(&claims))).unwrap();
            assert_eq!(is_service_principal(&claims_of_token), is_application, "{claims}");
        }
    }

    /// The error of a token request that is refused with this answer, at midnight by this machine.
    fn refused(body: &serde_json::Value, headers: &[(&str, &str)]) -> Error {
        let tenant = Tenant::new("contoso.example").unwrap();
        let endpoint = tenant.token_endpoint().unwrap();
        let fake = FakeSystem::default();
        let fake = fake.answer_with_headers(Method::Post, endpoint.as_str(), 400, headers, &body.to_string());
        request_token_by_assertion(&fake, &tenant, "builder", "assertion").unwrap_err()
    }

    /// The error of a person's sign-in that is refused with this answer.
    fn refused_person(body: &serde_json::Value, command: SignInCommand) -> Error {
        let tenant = Tenant::new("contoso.example").unwrap();
        let fake = FakeSystem::default().answer(Method::Post, "https://login.example/", 400, &body.to_string());
        let fields = [("grant_type", "refresh_token")];
        oauth::request_token(&fake, &Url::parse("https://login.example/").unwrap(), &fields, 1, |response, error| {
            explain(&fake, &tenant, response, error, command)
        })
        .unwrap_err()
    }

    #[test]
    fn every_code_is_explained_by_text_and_by_number() {
        let person = |command| (Identity::Person(command), Some(command));
        for (identity, command) in
            [(Identity::Application, None), person(SignInCommand::Az), person(SignInCommand::Ringbearer)]
        {
            for code in remedy::all_codes(identity) {
                let remedy = remedy::of_code(code, identity).unwrap();
                let number: u64 = code.parse().unwrap();
                for body in [
                    json!({"error": "invalid_grant", "error_description": format!("AADSTS{code}: Text. Trace ID: 1")}),
                    json!({"error": "invalid_grant", "error_description": "Un texte.", "error_codes": [1, number]}),
                ] {
                    let error = command.map_or_else(|| refused(&body, &[]), |command| refused_person(&body, command));
                    let hint = error.hint().unwrap_or_default();
                    assert!(hint.starts_with(remedy.meaning) && !hint.contains('{'), "{body}: {error}");
                    assert!(hint.contains(&format!("(AADSTS{code})")) && hint.chars().count() <= 174, "{hint}");
                }
            }
        }
        assert_eq!(refused(&json!({"error": "x", "error_codes": [50_076_000]}), &[]).hint(), None);
    }

    #[test]
    fn advice_names_the_command_that_signs_in() {
        let body = json!({"error": "invalid_grant", "error_codes": [50_076]});
        let hint = |command| refused_person(&body, command).hint().unwrap_or_default().to_owned();
        let required = "multi-factor authentication is required (AADSTS50076): run ";
        assert_eq!(hint(SignInCommand::Ringbearer), format!("{required}`ringbearer login URL`"));
        let az = "`az login --tenant contoso.example --allow-no-subscriptions --scope ";
        assert_eq!(hint(SignInCommand::Az), format!("{required}{az}{AZURE_DEVOPS}/.default`"));
        assert_eq!(refused(&body, &[]).hint(), None);
    }

    #[test]
    fn an_assertion_of_another_time_names_the_clock() {
        let body = json!({"error": "invalid_client", "error_description": "AADSTS700024: Not in its time range."});
        let ahead = [("Date", "Sat, 21 Nov 2026 21:00:00 GMT")];
        assert_eq!(refused(&body, &ahead).hint(), Some("this machine's clock is 3 h ahead: correct it"));
        let hint =
            "the assertion has expired or is not valid yet (AADSTS700024): renew it, or correct this machine's clock";
        assert_eq!(refused(&body, &[]).hint(), Some(hint));
        let other = json!({"error": "invalid_client", "error_description": "AADSTS7000222: Expired."});
        assert_eq!(
            refused(&other, &ahead).hint(),
            Some("the application's secret has expired (AADSTS7000222): create a new one")
        );
    }

    #[test]
    fn a_sign_in_command_names_the_tenant_if_there_is_one() {
        let login = |id: &str| Tenant::new(id).unwrap().login(SignInCommand::Az);
        assert_eq!(login("contoso.example"), "az login --tenant contoso.example --allow-no-subscriptions");
        assert_eq!(login(ANY_ORGANISATION), "az login --allow-no-subscriptions");
    }

    proptest! {
        #[test]
        fn reading_never_fails_otherwise_than_by_an_error(text in "(https://(login\\.windows\\.net)?)?\\PC{0,60}") {
            if let Ok(tenant) = Tenant::from_authorization_uri(&text) {
                prop_assert!(known_login_hosts().any(|host| host == tenant.login_host));
            }
        }
    }
}
