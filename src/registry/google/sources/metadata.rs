//! The metadata server of Google's machines and containers.
//! <https://cloud.google.com/compute/docs/metadata/overview>
//!
//! The first request asks for the account, which needs no other service, and has to be answered at once; so a machine
//! without the server costs [`LIMIT`], and a server that is slow to create a token has longer.

use std::{path::Path, time::Duration};

use log::debug;
use url::Url;

use crate::{
    auth::{
        cache_policy::CachePolicy,
        chain::{Attempt, Origin, TokenProvider},
        metadata, oauth,
        refusal::Refusal,
    },
    error::{Error, Kind, Result},
    registry::google::{
        credential_file::SCOPE,
        gcloud::configuration::Configuration,
        grant::{Grant, LONGEST_ACCOUNT},
        variables::{CONTAINERS, METADATA_HOST, NO_METADATA},
    },
    system::{
        Platform, System,
        http::{ATTEMPTS, Request, Response},
        retry,
    },
};

/// The usual host.
const HOST: &str = "metadata.google.internal";

/// The path of the service account.
const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/";

/// The header of every request and every answer, against other servers at the address.
const FLAVOR: (&str, &str) = ("Metadata-Flavor", "Google");

/// The limit of the first answer, with name resolution and connection.
const LIMIT: Duration = Duration::from_millis(500);

/// The limit of the answer with the token, which on Kubernetes other services create.
const TOKEN_LIMIT: Duration = Duration::from_secs(5);

/// The sign of a Google machine: a file, and the start of its content.
const SIGN: (&str, &str) = ("/sys/class/dmi/id/product_name", "Google");

/// The most bytes of that file: Linux states a page for it.
const SIGN_CAP: usize = 64 * 1024;

/// The source.
pub(super) struct Metadata;

impl TokenProvider<Configuration, Grant> for Metadata {
    fn name(&self) -> &'static str {
        "metadata"
    }

    fn origin(&self, _system: &dyn System) -> Origin {
        Origin::Found
    }

    fn cache_policy(&self, _system: &dyn System) -> CachePolicy {
        CachePolicy::Session
    }

    fn token(&self, system: &dyn System, _configuration: &Configuration) -> Result<Attempt<Grant>> {
        if system.setting(NO_METADATA).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(Attempt::not_configured(format!("{NO_METADATA} is true")));
        }
        match Server::find(system)? {
            Some(server) => server.grant(system),
            None => Ok(Attempt::not_configured("this machine is not one of Google's")),
        }
    }
}

/// The server at one address.
struct Server {
    base: Url,
    /// The variable that names the address; `None` for the usual one.
    named_by: Option<&'static str>,
}

impl Server {
    /// The server that a variable names, or the usual one if there are signs of it.
    fn find(system: &dyn System) -> Result<Option<Self>> {
        let named = METADATA_HOST.into_iter().find_map(|variable| Some((variable, system.setting(variable)?)));
        if let Some((variable, host)) = named {
            return Ok(Some(Self { base: address(variable, &host)?, named_by: Some(variable) }));
        }
        if !has_signs(system) {
            return Ok(None);
        }
        let base = Url::parse(&format!("http://{HOST}/"));
        let base = base.map_err(|_| Error::new(Kind::Internal, "the metadata address is not a URL"))?;
        Ok(Some(Self { base, named_by: None }))
    }

    fn grant(&self, system: &dyn System) -> Result<Attempt<Grant>> {
        let Some(first) = metadata::probe(system, &self.request("email")?.with_limits(LIMIT, LIMIT))? else {
            return self.absent("does not answer");
        };
        let account = match first.status {
            _ if !is_of_google(&first) => return self.absent("is not the metadata server of Google"),
            404 => return Ok(unattached()),
            200 => account(&first),
            status => {
                debug!(step = "metadata", outcome = "noted"; "the account is not known (HTTP {status})");
                None
            }
        };
        let mut request = self.request("token")?.with_limits(LIMIT, TOKEN_LIMIT).with_attempts(ATTEMPTS);
        request.url.query_pairs_mut().append_pair("scopes", SCOPE);
        let response = retry::send(system, &request)?;
        if !is_of_google(&response) {
            return self.absent("is not the metadata server of Google");
        }
        match response.status {
            404 => return Ok(unattached()),
            200 => {}
            status => {
                let what = format!("the metadata server of Google refused a token (HTTP {status})");
                let hint = "check the service account of this machine, on GKE also its roles/iam.workloadIdentityUser";
                return Err(Refusal::read(&response, &[]).into_error(what, Some(hint.into())));
            }
        }
        let token = oauth::read_token(system, &response, &[])?;
        Ok(Attempt::Token(Grant { token, account, may_change_unnoticed: false }))
    }

    fn request(&self, name: &str) -> Result<Request> {
        let url = self.base.join(&format!("{PATH}{name}"));
        let url = url.map_err(|_| Error::new(Kind::Internal, "the metadata address is not a URL"))?;
        Ok(Request::get(url).over_metadata().header(FLAVOR.0, FLAVOR.1))
    }

    /// The outcome if the server is not at the address: an error only if a variable says that it is.
    fn absent(&self, what: &str) -> Result<Attempt<Grant>> {
        let Some(variable) = self.named_by else { return Ok(Attempt::not_configured(format!("{HOST} {what}"))) };
        let host = self.base.authority();
        Err(Error::new(Kind::Network, format!("{variable} names {host}, which {what}"))
            .with_hint(format!("correct or unset {variable}")))
    }
}

/// The address of a host, with or without a port. It must be the usual host or a local one, since the server chooses the account.
fn address(variable: &str, host: &str) -> Result<Url> {
    let is_plain = !host.contains(['/', '\\', '?', '#', '@']) && !host.contains(char::is_whitespace);
    let url = Url::parse(&format!("http://{host}/")).ok().filter(|_| is_plain);
    let is_near = |url: &Url| url.host_str() == Some(HOST) || metadata::check_address(variable, url).is_ok();
    url.filter(is_near).ok_or_else(|| {
        Error::new(Kind::Configuration, format!("{variable} is neither {HOST} nor a local address"))
            .with_hint(format!("correct or unset {variable}"))
    })
}

/// Whether this machine may have a metadata server. Elsewhere the request would only wait for its limit.
fn has_signs(system: &dyn System) -> bool {
    let (path, start) = SIGN;
    let begins = || system.read_file(Path::new(path), SIGN_CAP).is_ok_and(|text| text.starts_with(start.as_bytes()));
    CONTAINERS.into_iter().any(|variable| system.setting(variable).is_some())
        || system.platform() == Platform::Linux && begins()
}

/// Whether an answer is that of the server, and not of a portal or another cloud.
fn is_of_google(response: &Response) -> bool {
    response.header_values(FLAVOR.0).any(|value| value.trim() == FLAVOR.1)
}

/// The account that the server names: an e-mail address, on Kubernetes also the name of a pool.
fn account(response: &Response) -> Option<String> {
    let text = std::str::from_utf8(&response.body).ok()?.trim();
    let is_one_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    (is_one_word && text.len() <= LONGEST_ACCOUNT).then(|| text.to_owned())
}

fn unattached() -> Attempt<Grant> {
    Attempt::not_configured("no service account is attached to this machine")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{
        Clock,
        fake::FakeSystem,
        http::{Method, Route},
    };

    const BASE: &str = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/";

    const LOCAL: &str = "http://127.0.0.1:41/computeMetadata/v1/instance/service-accounts/default/";

    const ACCOUNT: &str = "builder@p.iam.gserviceaccount.com";

    const TOKEN: &str = r#"{"access_token":"t","expires_in":3599,"token_type":"Bearer"}"#;

    fn ask(fake: &FakeSystem) -> Result<Attempt<Grant>> {
        Metadata.token(fake, &Configuration::read(fake))
    }

    fn skipped(fake: &FakeSystem) -> String {
        match ask(fake) {
            Ok(Attempt::NotConfigured(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    fn granted(fake: &FakeSystem) -> Grant {
        match ask(fake) {
            Ok(Attempt::Token(grant)) => grant,
            other => panic!("{other:?}"),
        }
    }

    fn linux() -> FakeSystem {
        FakeSystem::default().on(Platform::Linux)
    }

    fn machine() -> FakeSystem {
        linux().file("/sys/class/dmi/id/product_name", "Google Compute Engine\n")
    }

    fn named() -> FakeSystem {
        FakeSystem::default().variable("GCE_METADATA_HOST", "127.0.0.1:41")
    }

    /// Expects a request below a base, and answers as the server does.
    fn says(fake: FakeSystem, url: &str, status: u16, body: &str) -> FakeSystem {
        fake.answer_with_headers(Method::Get, url, status, &[("metadata-flavor", "Google")], body)
    }

    fn serving(fake: FakeSystem, base: &str) -> FakeSystem {
        let fake = says(fake, &format!("{base}email"), 200, &format!("{ACCOUNT}\n"));
        says(fake, &format!("{base}token"), 200, TOKEN)
    }

    #[test]
    fn the_first_answer_has_half_a_second_and_the_token_longer() {
        let fake = serving(machine(), BASE);
        let grant = granted(&fake);
        assert_eq!((grant.token.secret().expose(), grant.account.as_deref()), ("t", Some(ACCOUNT)));
        assert_eq!(grant.token.expires(), Some(fake.now() + Duration::from_secs(3599)));
        let half = Duration::from_millis(500);
        let sent = fake.requests();
        let limits: Vec<_> = sent.iter().map(|request| (request.connect_limit, request.limit)).collect();
        assert_eq!(limits, [(half, half), (half, Duration::from_secs(5))]);
        assert_eq!(sent[1].url.query(), Some("scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform"));
        for request in sent {
            let headers: Vec<_> = request.headers.iter().map(|(name, value)| (&**name, value.expose())).collect();
            assert_eq!((request.route, &headers[..]), (Route::Metadata, &[("Metadata-Flavor", "Google")][..]));
        }
    }

    #[test]
    fn only_machines_with_signs_of_google_ask() {
        for fake in [
            linux(),
            linux().file("/sys/class/dmi/id/product_name", "Standard PC\n"),
            machine().on(Platform::Windows),
            machine().on(Platform::MacOs),
            linux().variable("K_SERVICE", " "),
        ] {
            assert_eq!(skipped(&fake), "this machine is not one of Google's");
        }
        for variable in CONTAINERS {
            assert_eq!(granted(&serving(linux().variable(variable, "x"), BASE)).account.as_deref(), Some(ACCOUNT));
        }
        for value in ["true", "True"] {
            assert_eq!(skipped(&machine().variable(NO_METADATA, value)), "NO_GCE_CHECK is true");
        }
        assert!(ask(&serving(machine().variable(NO_METADATA, "false"), BASE)).is_ok());
    }

    #[test]
    fn a_host_that_is_named_is_asked_anywhere() {
        for platform in [Platform::Linux, Platform::MacOs, Platform::Windows] {
            assert!(matches!(ask(&serving(named().on(platform), LOCAL)), Ok(Attempt::Token(_))));
        }
        let old = linux().variable("GCE_METADATA_ROOT", "127.0.0.1:41");
        assert!(matches!(ask(&serving(old, LOCAL)), Ok(Attempt::Token(_))));
        let both = named().variable("GCE_METADATA_ROOT", "127.0.0.1:42");
        assert!(matches!(ask(&serving(both, LOCAL)), Ok(Attempt::Token(_))));
    }

    #[test]
    fn hosts_that_are_not_near_are_refused() {
        for host in [
            "169.254.169.254",
            "metadata.google.internal",
            "METADATA.google.internal:80",
            "[fd20:ce::254]",
            "10.0.0.1:8080",
        ] {
            assert!(address("GCE_METADATA_HOST", host).is_ok(), "{host}");
        }
        for host in [
            "192.0.2.1",
            "a.example",
            "a.example/x",
            "metadata.google.internal.a.example",
            "metadata.google.internal@a.example",
            "127.0.0.1/x",
            "127.0.0.1?x",
            "http://127.0.0.1",
            "ada:x-secret@127.0.0.1",
            "127.0.0.1:port",
            "127.0.0.1\t.a.example",
        ] {
            let error = ask(&linux().variable("GCE_METADATA_HOST", host)).unwrap_err();
            assert_eq!(
                error.to_string(),
                "GCE_METADATA_HOST is neither metadata.google.internal nor a local address; correct or unset GCE_METADATA_HOST"
            );
        }
    }

    #[test]
    fn silence_is_an_error_only_where_a_variable_names_the_host() {
        let email = |base: &str| format!("{base}email");
        let silent = machine().failure(Method::Get, &email(BASE), false);
        assert_eq!(skipped(&silent), "metadata.google.internal does not answer");
        let error = ask(&named().failure(Method::Get, &email(LOCAL), false)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "GCE_METADATA_HOST names 127.0.0.1:41, which does not answer; correct or unset GCE_METADATA_HOST"
        );
    }

    #[test]
    fn another_server_at_the_address_gets_no_further() {
        let what = "is not the metadata server of Google";
        for status in [200, 302, 404] {
            let fake = machine().answer(Method::Get, &format!("{BASE}email"), status, "x-secret");
            assert_eq!(skipped(&fake), format!("metadata.google.internal {what}"));
        }
        let fake = named().answer_with_headers(
            Method::Get,
            &format!("{LOCAL}email"),
            200,
            &[("Metadata-Flavor", "Other")],
            "x-secret",
        );
        assert_eq!(ask(&fake).unwrap_err().message(), format!("GCE_METADATA_HOST names 127.0.0.1:41, which {what}"));
        let later = says(named(), &format!("{LOCAL}email"), 200, ACCOUNT);
        let error = ask(&later.answer(Method::Get, &format!("{LOCAL}token"), 200, TOKEN)).unwrap_err();
        assert!(error.message().ends_with(what), "{error}");
    }

    #[test]
    fn a_machine_without_a_service_account_is_not_configured() {
        let unattached = "no service account is attached to this machine";
        assert_eq!(skipped(&says(machine(), &format!("{BASE}email"), 404, "")), unattached);
        let later = says(machine(), &format!("{BASE}email"), 200, ACCOUNT);
        assert_eq!(skipped(&says(later, &format!("{BASE}token"), 404, "")), unattached);
    }

    #[test]
    fn a_busy_server_is_asked_three_times() {
        let busy = |fake, status| says(fake, &format!("{BASE}token"), status, "busy");
        for status in [429, 500, 503] {
            let fake = busy(busy(says(machine(), &format!("{BASE}email"), status, "busy"), status), status);
            let fake = says(fake, &format!("{BASE}token"), 200, TOKEN);
            assert_eq!(granted(&fake).account, None);
            let fake = busy(busy(busy(says(machine(), &format!("{BASE}email"), 200, ACCOUNT), status), status), status);
            assert_eq!(ask(&fake).unwrap_err().hint(), Some("try again later"));
            fake.assert_done();
        }
    }

    #[test]
    fn refusals_are_explained_and_answers_not_shown() {
        let answer = |status, body: &str| {
            let fake = says(machine(), &format!("{BASE}email"), 200, ACCOUNT);
            ask(&says(fake, &format!("{BASE}token"), status, body)).unwrap_err()
        };
        let denied = answer(403, "Unable to generate access token: x-secret");
        assert_eq!(
            denied.to_string(),
            "the metadata server of Google refused a token (HTTP 403); check the service account of this machine, on GKE \
             also its roles/iam.workloadIdentityUser"
        );
        for body in ["", "x-secret", r#"{"access_token":"x-secret x"}"#, r#"{"access_token":""}"#, "<html>x-secret"] {
            let error = answer(200, body);
            assert!(error.kind() == Kind::Protocol && !error.to_string().contains("x-secret"), "{error}");
        }
    }

    #[test]
    fn an_account_is_one_word() {
        for (body, expected) in [
            (ACCOUNT.to_owned(), Some(ACCOUNT)),
            ("p.svc.id.goog\n".to_owned(), Some("p.svc.id.goog")),
            (String::new(), None),
            ("two words".to_owned(), None),
            ("a\u{7}b".to_owned(), None),
            ("a".repeat(LONGEST_ACCOUNT + 1), None),
        ] {
            let fake = says(machine(), &format!("{BASE}email"), 200, &body);
            assert_eq!(granted(&says(fake, &format!("{BASE}token"), 200, TOKEN)).account.as_deref(), expected);
        }
    }
}
