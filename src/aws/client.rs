//! Requests to AWS's services: to the right host, with the right certificate authorities, signed, and sent again where
//! AWS asks for that.

use std::{
    borrow::Cow,
    cell::Cell,
    time::{Duration, SystemTime},
};

use log::debug;
use url::Url;

use super::{
    config::Profile,
    endpoint::{Api, Endpoints},
    keys::Keys,
    refusal::Refusal,
    region::Region,
    signature, variables,
};
use crate::{
    auth::clock_skew::ClockSkew,
    error::{Error, Kind, Result},
    system::{
        System,
        http::{CaBundle, Request, Response},
        places, retry,
    },
};

/// The difference between clocks beyond which a signature may be refused for it: AWS tolerates five minutes.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(4 * 60);

/// The largest correction of the clock: a time zone in the wrong place is 14 hours. A signature for a later time could be
/// kept, and used when that has come.
const LARGEST_CORRECTION: Duration = Duration::from_secs(24 * 60 * 60);

/// How AWS's services are reached.
pub(crate) struct Client {
    endpoints: Endpoints,
    ca_bundle: Option<CaBundle>,
    /// The host of the last request of this lookup, to which a connection is opened while another host is asked.
    last: Cell<Option<Url>>,
}

/// An answer, and how far this machine's clock is from that of the service, where that mattered.
pub(crate) struct Answer {
    /// The answer, of any status.
    pub(crate) response: Response,
    /// Set if the request was signed with the time of the service, whether or not that helped.
    pub(crate) used_skew: Option<ClockSkew>,
}

impl Answer {
    /// How far this machine's clock is from that of the service, if that is too far for a signature. A skew of more than a day
    /// is not corrected, and known from the answer alone.
    pub(crate) fn skew(&self, system: &dyn System) -> Option<ClockSkew> {
        self.used_skew.or_else(|| ClockSkew::beyond(CLOCK_TOLERANCE, system, &self.response))
    }
}

impl Client {
    /// A client with the settings of the environment and of a profile. `ca_bundle` has precedence over theirs.
    pub(crate) fn new(system: &dyn System, profile: Option<&Profile>, ca_bundle: Option<CaBundle>) -> Result<Self> {
        let ca_bundle = match ca_bundle {
            Some(ca_bundle) => Some(ca_bundle),
            None => configured_ca_bundle(system, profile)?,
        };
        Ok(Self { endpoints: Endpoints::read(system, profile), ca_bundle, last: Cell::default() })
    }

    /// Sets the URL of the last request of the lookup.
    #[must_use]
    pub(crate) fn ending_at(self, last: Url) -> Self {
        Self { last: Cell::new(Some(last)), ..self }
    }

    /// The URL of a path, without `/` at its beginning, at a service in a region.
    pub(crate) fn url(&self, api: &Api, region: &Region, path: &str) -> Result<Url> {
        below(&self.endpoints.url(api, region, false)?, path)
    }

    /// The URL of a path at a service in a region, at a host with IPv6.
    pub(crate) fn dual_stack_url(&self, api: &Api, region: &Region, path: &str) -> Result<Url> {
        below(&self.endpoints.url(api, region, true)?, path)
    }

    /// Sends a request without a signature. Any status is `Ok`.
    pub(crate) fn send(&self, system: &dyn System, request: Request) -> Result<Response> {
        let request = self.prepare(system, request);
        retry::send_anew(system, || Cow::Borrowed(&request), is_transient)
    }

    /// Sends a signed request. Any status is `Ok`. Where the service refuses the signature because of this machine's
    /// clock, it is signed once more with the time of the service.
    pub(crate) fn send_signed(
        &self,
        system: &dyn System,
        request: Request,
        keys: &Keys,
        api: &Api,
        region: &Region,
    ) -> Result<Answer> {
        let request = self.prepare(system, request);
        let send = |time: &dyn Fn() -> SystemTime| {
            let sign = || signature::sign(request.clone(), keys, api.signing_name, region.name(), time());
            retry::send_anew(system, || Cow::Owned(sign()), is_transient)
        };
        let response = send(&|| system.now())?;
        let is_refused = !response.is_success() && Refusal::read(&response, &[]).is_of_signature();
        let skew = ClockSkew::beyond(CLOCK_TOLERANCE, system, &response);
        match skew.filter(|skew| is_refused && skew.length() <= LARGEST_CORRECTION) {
            Some(skew) => {
                debug!(
                    step = "clock", outcome = "noted";
                    "{skew}; the request to {} is signed with the time of the service", response.host
                );
                let response = send(&|| skew.service_time(system.now()))?;
                Ok(Answer { response, used_skew: Some(skew) })
            }
            None => Ok(Answer { response, used_skew: None }),
        }
    }

    /// Adds the certificate authorities, and opens the connection of the last request while another host is asked.
    fn prepare(&self, system: &dyn System, request: Request) -> Request {
        let is_other = |last: &Url| last.scheme() == "https" && last.origin() != request.url.origin();
        // Taken, so that it is opened once.
        if let Some(last) = self.last.take().filter(is_other) {
            system.open_ahead(&last, self.ca_bundle.as_ref());
        }
        request.trusting(self.ca_bundle.clone())
    }
}

/// The URL of a path at a service, whose address may itself have one, which ends with `/`.
fn below(service: &Url, path: &str) -> Result<Url> {
    service.join(path).map_err(|_| Error::new(Kind::Internal, format!("{path} is not a path of a URL")))
}

/// Whether the same request may succeed a moment later.
fn is_transient(response: &Response) -> bool {
    !response.is_success() && Refusal::read(response, &[]).is_transient()
}

/// The CA bundle that a variable or a profile names.
fn configured_ca_bundle(system: &dyn System, profile: Option<&Profile>) -> Result<Option<CaBundle>> {
    let (named_by, path) =
        match (system.setting(variables::CA_BUNDLE), profile.and_then(|profile| profile.value("ca_bundle"))) {
            (Some(path), _) => (variables::CA_BUNDLE, path),
            (None, Some(path)) => ("ca_bundle of the AWS profile", path.to_owned()),
            (None, None) => return Ok(None),
        };
    match places::named(system, &path) {
        Some(path) => Ok(Some(CaBundle { named_by, path })),
        None => Err(Error::new(Kind::Configuration, format!("{named_by} is not an absolute path"))
            .with_hint("use an absolute path, or one that begins with `~/`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::{
            config::Config,
            endpoint::{SSO_OIDC, STS},
        },
        secret::Secret,
        system::{
            fake::{FakeSystem, absolute},
            http::Method,
        },
    };

    const STS_URL: &str = "https://sts.eu-west-1.amazonaws.com/";

    const LAST: &str = "https://codeartifact.eu-west-1.amazonaws.com/v1/authorization-token";

    /// Three hours before the time of the fake, which is 2026-11-22T00:00:00Z.
    const EARLIER: [(&str, &str); 2] =
        [("x-amzn-ErrorType", "InvalidSignatureException"), ("Date", "Sat, 21 Nov 2026 21:00:00 GMT")];

    fn region() -> Region {
        Region::parse("eu-west-1").unwrap()
    }

    fn client(system: &FakeSystem) -> Client {
        Client::new(system, None, None).unwrap()
    }

    fn keys() -> Keys {
        let (access_key_id, secret_access_key) = ("AKIDADA".to_owned(), Secret::new("x-secret".to_owned()));
        Keys { access_key_id, secret_access_key, session_token: None, expires: None }
    }

    fn request() -> Request {
        Request::post_form(Url::parse(STS_URL).unwrap(), &[("Action", "GetCallerIdentity")])
    }

    fn send_signed(system: &FakeSystem) -> Answer {
        client(system).send_signed(system, request(), &keys(), &STS, &region()).unwrap()
    }

    /// The times of the signatures that were sent.
    fn signing_times(system: &FakeSystem) -> Vec<String> {
        let requests = system.requests();
        let headers = requests.iter().flat_map(|request| &request.headers);
        headers.filter(|(name, _)| *name == "X-Amz-Date").map(|(_, time)| time.expose().to_owned()).collect()
    }

    #[test]
    fn only_signed_requests_have_a_signature() {
        let system =
            FakeSystem::default().answer(Method::Post, STS_URL, 200, "").answer(Method::Post, STS_URL, 403, "");
        assert_eq!(client(&system).send(&system, request()).unwrap().status, 200);
        let answer = send_signed(&system);
        assert_eq!((answer.response.status, answer.used_skew), (403, None));
        let requests = system.requests();
        let names = |sent: &Request| sent.headers.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&requests[0]), ["Content-Type"]);
        assert_eq!(names(&requests[1]), ["Content-Type", "X-Amz-Date", "Authorization"]);
        let scope = "AWS4-HMAC-SHA256 Credential=AKIDADA/20261122/eu-west-1/sts/aws4_request, \
                     SignedHeaders=content-type;host;x-amz-date, Signature=";
        assert!(requests[1].headers[2].1.expose().starts_with(scope));
    }

    #[test]
    fn throttling_is_retried_whatever_its_status() {
        let throttled = "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>";
        for (status, error_type, body, attempts) in [
            (429, "", "", 3),
            (500, "", "", 3),
            (502, "", "", 3),
            (503, "", "", 3),
            (504, "", "", 3),
            (400, "ThrottlingException:http://internal.example/", "", 3),
            (400, "", r#"{"__type":"com.example#TooManyRequestsException"}"#, 3),
            (400, "", throttled, 3),
            (400, "IDPCommunicationError", "", 3),
            (408, "RequestTimeoutException", "", 3),
            (400, "ValidationException", r#"{"message":"Throttling"}"#, 1),
            (403, "AccessDeniedException", "", 1),
            (501, "", "", 1),
            (200, "ThrottlingException", "", 1),
        ] {
            let headers = [("x-amzn-ErrorType", error_type)];
            let system = (0..attempts).fold(FakeSystem::default(), |system, _| {
                system.answer_with_headers(Method::Post, STS_URL, status, &headers, body)
            });
            assert_eq!(send_signed(&system).response.status, status);
            system.assert_done();
            let system = (0..attempts).fold(FakeSystem::default(), |system, _| {
                system.answer_with_headers(Method::Post, STS_URL, status, &headers, body)
            });
            assert_eq!(client(&system).send(&system, request()).unwrap().status, status);
            system.assert_done();
        }
    }

    #[test]
    fn every_attempt_is_signed_anew_after_the_pause_of_the_service() {
        let system = FakeSystem::default()
            .answer_with_headers(Method::Post, STS_URL, 429, &[("Retry-After", "7")], "")
            .failure(Method::Post, STS_URL, true)
            .answer(Method::Post, STS_URL, 200, "");
        assert!(send_signed(&system).response.is_success());
        system.assert_done();
        assert_eq!(system.pauses()[0], Duration::from_secs(7));
        let times = signing_times(&system);
        assert_eq!(times[..2], ["20261122T000000Z", "20261122T000007Z"]);
        assert_eq!(times.len(), 3);
    }

    #[test]
    fn a_refused_signature_is_made_once_more_by_the_services_clock() {
        for (second, status) in [("", 200), ("SignatureDoesNotMatch", 403)] {
            let headers = [("x-amzn-ErrorType", second), ("Date", EARLIER[1].1)];
            let system = FakeSystem::default()
                .answer_with_headers(Method::Post, STS_URL, 403, &EARLIER, "")
                .answer_with_headers(Method::Post, STS_URL, status, &headers, "");
            let answer = send_signed(&system);
            system.assert_done();
            assert_eq!(answer.response.status, status);
            assert_eq!(answer.used_skew.unwrap().to_string(), "this machine's clock is 3 h ahead");
            assert_eq!(signing_times(&system), ["20261122T000000Z", "20261121T210000Z"]);
        }
    }

    #[test]
    fn the_corrected_clock_goes_on_through_retries() {
        let system = FakeSystem::default()
            .answer_with_headers(Method::Post, STS_URL, 403, &EARLIER, "")
            .answer_with_headers(Method::Post, STS_URL, 503, &[("Retry-After", "5")], "")
            .answer(Method::Post, STS_URL, 200, "");
        assert!(send_signed(&system).used_skew.is_some());
        assert_eq!(signing_times(&system)[1..], ["20261121T210000Z", "20261121T210005Z"]);
    }

    #[test]
    fn the_clock_is_corrected_for_no_other_reason() {
        for (status, name, date) in [
            (403, "InvalidSignatureException", "Sun, 22 Nov 2026 00:04:00 GMT"),
            (403, "InvalidSignatureException", "soon"),
            (403, "InvalidSignatureException", "Mon, 23 Nov 2026 00:00:01 GMT"),
            (403, "InvalidSignatureException", "Fri, 20 Nov 2026 23:59:59 GMT"),
            (403, "InvalidSignatureException", "Fri, 31 Dec 9999 23:59:59 GMT"),
            (403, "AccessDeniedException", EARLIER[1].1),
            (403, "ExpiredTokenException", EARLIER[1].1),
            (200, "InvalidSignatureException", EARLIER[1].1),
        ] {
            let headers = [("x-amzn-ErrorType", name), ("Date", date)];
            let system = FakeSystem::default().answer_with_headers(Method::Post, STS_URL, status, &headers, "");
            assert_eq!(send_signed(&system).used_skew, None, "{name} {date}");
            system.assert_done();
        }
        let system = FakeSystem::default().answer_with_headers(Method::Post, STS_URL, 403, &EARLIER, "");
        assert_eq!(client(&system).send(&system, request()).unwrap().status, 403);
    }

    #[test]
    fn the_last_host_is_connected_to_once_while_another_is_asked() {
        for (last, opened) in [
            (LAST, vec![LAST]),
            (STS_URL, vec![]),
            ("http://localhost:4566/", vec![]),
            ("https://sts.eu-west-1.amazonaws.com:8443/", vec!["https://sts.eu-west-1.amazonaws.com:8443/"]),
        ] {
            let system =
                FakeSystem::default().answer(Method::Post, STS_URL, 200, "").answer(Method::Post, STS_URL, 200, "");
            let client = client(&system).ending_at(Url::parse(last).unwrap());
            assert!(system.opened_ahead().is_empty());
            client.send(&system, request()).unwrap();
            client.send_signed(&system, request(), &keys(), &STS, &region()).unwrap();
            assert_eq!(system.opened_ahead(), opened, "{last}");
        }
    }

    #[test]
    fn every_request_trusts_the_configured_authorities() {
        let bundle = |named_by, path: &str| CaBundle { named_by, path: absolute(path).into() };
        let argument = bundle("verify", "/ca/argument.pem");
        let config = format!("[profile ada]\nca_bundle = {}\n", absolute("/ca/profile.pem"));
        let below_home = "[profile ada]\nca_bundle = ~/ca.pem\n".to_owned();
        let named_by = "ca_bundle of the AWS profile";
        for (given, variable, config, expected) in [
            (Some(argument.clone()), "/ca/variable.pem", &config, Some(argument)),
            (None, "/ca/variable.pem", &config, Some(bundle("AWS_CA_BUNDLE", "/ca/variable.pem"))),
            (None, "~/ca.pem", &config, Some(bundle("AWS_CA_BUNDLE", "/home/ada/ca.pem"))),
            (None, " ", &config, Some(bundle(named_by, "/ca/profile.pem"))),
            (None, "", &below_home, Some(bundle(named_by, "/home/ada/ca.pem"))),
            (None, "", &String::new(), None),
        ] {
            let path = absolute("/home/ada/.aws/config");
            let system = FakeSystem::default().home("/home/ada").file(&path, config);
            let system = system.variable("AWS_CA_BUNDLE", &absolute(variable));
            let system = system.answer(Method::Post, STS_URL, 503, "").answer(Method::Post, STS_URL, 200, "");
            let system = system.answer(Method::Post, STS_URL, 200, "");
            let config = Config::read(&system).unwrap();
            let client = Client::new(&system, config.profile("ada"), given).unwrap();
            let client = client.ending_at(Url::parse(LAST).unwrap());
            client.send_signed(&system, request(), &keys(), &STS, &region()).unwrap();
            client.send(&system, request()).unwrap();
            assert!(system.requests().iter().all(|request| request.ca_bundle == expected), "{variable} {config:?}");
            assert_eq!(system.trusted_ahead(), [expected]);
        }
    }

    #[test]
    fn a_relative_bundle_is_an_error_that_names_its_setting() {
        let config = absolute("/home/ada/.aws/config");
        for (variable, profile, message) in [
            ("ca.pem", "", "AWS_CA_BUNDLE is not an absolute path"),
            ("~ada/ca.pem", "", "AWS_CA_BUNDLE is not an absolute path"),
            ("", "./ca.pem", "ca_bundle of the AWS profile is not an absolute path"),
        ] {
            let system = FakeSystem::default().home("/home/ada").variable("AWS_CA_BUNDLE", variable);
            let system = system.file(&config, &format!("[profile ada]\nca_bundle = {profile}\n"));
            let config = Config::read(&system).unwrap();
            let error = Client::new(&system, config.profile("ada"), None).err().unwrap();
            assert_eq!((error.kind(), error.message()), (Kind::Configuration, message));
        }
    }

    #[test]
    fn a_service_is_asked_in_its_region_and_by_the_wanted_stack() {
        let client = client(&FakeSystem::default());
        assert_eq!(client.url(&STS, &region(), "").unwrap().as_str(), STS_URL);
        let dual_stack = client.dual_stack_url(&SSO_OIDC, &region(), "").unwrap();
        assert_eq!(dual_stack.as_str(), "https://oidc.eu-west-1.api.aws/");
    }
}
