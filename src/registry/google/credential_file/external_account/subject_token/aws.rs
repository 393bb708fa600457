//! A subject token of AWS: a signed request for the identity of the caller, which Google's service sends to AWS.
//! <https://google.aip.dev/auth/4117#determining-the-subject-token-in-aws>

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use url::Url;
use zeroize::Zeroizing;

use super::SubjectToken;
use crate::{
    auth::{access_token::AccessToken, chain::Attempt},
    aws::{
        keys::Keys,
        region::Region,
        sources::{environment, instance},
        sts,
    },
    error::{Error, Kind, Result},
    registry::google::location::Location,
    secret::Secret,
    system::{System, http::Request},
};

/// The variables that name the region.
const REGION_VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// The only version of this kind of source.
const ENVIRONMENT: &str = "aws1";

/// The query of the request.
const QUERY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// The header that binds the request to a provider, so that no other can use it.
const TARGET: &str = "x-goog-cloud-target-resource";

/// The characters that are encoded, as by Python's `urllib.parse.quote`.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The access key of this workload at AWS.
#[derive(Debug)]
pub(in crate::registry::google) struct Aws {
    /// The address of STS, with `{region}` in it.
    verification_url: String,
    /// The address of EC2's metadata service, if it may be asked.
    instance: Option<Url>,
}

/// The request in a subject token. The order of the members is that of their names.
#[derive(Serialize)]
struct Signed<'all> {
    headers: Vec<Header<'all>>,
    method: &'static str,
    url: &'all str,
}

#[derive(Serialize)]
struct Header<'all> {
    key: String,
    value: &'all str,
}

impl Aws {
    /// Reads the document. Each of `addresses`, with the field that it is in, must be that of EC2's metadata service.
    pub(super) fn read(
        environment: &str,
        addresses: [(&str, Option<String>); 3],
        verification_url: Option<String>,
        location: &Location,
    ) -> Result<Self> {
        let broken = |why: &str| location.broken(&format!("has a credential_source {why}"));
        if environment != ENVIRONMENT {
            return Err(broken("with an environment_id other than aws1"));
        }
        let mut instance = None;
        for (field, address) in addresses {
            let Some(address) = address.filter(|address| !address.is_empty()) else { continue };
            let url = Url::parse(&address).ok().filter(instance::has_usual_address);
            let url =
                url.ok_or_else(|| broken(&format!("whose {field} is not the address of EC2's metadata service")))?;
            instance.get_or_insert(url);
        }
        let verification_url = verification_url.ok_or_else(|| broken("without regional_cred_verification_url"))?;
        Ok(Self { verification_url, instance })
    }

    /// The subject token for a provider.
    pub(super) fn token(&self, system: &dyn System, audience: &str, location: &Location) -> Result<SubjectToken> {
        let region = self.region(system)?;
        let url = self.url(&region).ok_or_else(|| {
            let sts = format!("https://sts.{region}.{}", region.partition().suffix);
            location.broken(&format!("has a regional_cred_verification_url that is not {sts}?{QUERY}"))
        })?;
        let keys = self.keys(system)?;
        let request = Request::post_empty(url).header(TARGET, audience);
        let request = sts::signed(system, request, &keys, &region);
        let token = AccessToken::parse(subject_token(&request)?.as_bytes())
            .map_err(|_| Error::new(Kind::Configuration, "the access key of AWS cannot be sent"))?;
        Ok(SubjectToken { token, secrets: secrets(&request) })
    }

    fn region(&self, system: &dyn System) -> Result<Region> {
        let mut variables = REGION_VARIABLES.into_iter();
        if let Some((variable, name)) = variables.find_map(|variable| Some((variable, system.setting(variable)?))) {
            return Region::parse(&name)
                .ok_or_else(|| Error::new(Kind::Configuration, format!("{variable} does not name a region")));
        }
        let missing = |why: &str| {
            let message = format!("the region of AWS is not known: {why}");
            Error::new(Kind::Configuration, message).with_hint("set AWS_REGION")
        };
        let address = self.instance.as_ref().ok_or_else(|| missing("no AWS_REGION, and no region_url"))?;
        match instance::expected(system, address)?.region(system)? {
            Attempt::Token(region) => Ok(region),
            Attempt::NotConfigured(why) => Err(missing(&why)),
        }
    }

    fn keys(&self, system: &dyn System) -> Result<Keys> {
        if let Some(keys) = environment::read(system)? {
            return Ok(keys);
        }
        let missing = |why: &str| {
            let message = format!("there is no access key of AWS: {why}");
            Error::new(Kind::Configuration, message).with_hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        };
        let address =
            self.instance.as_ref().ok_or_else(|| missing("no AWS_ACCESS_KEY_ID, and no url in credential_source"))?;
        match instance::expected(system, address)?.keys(system)? {
            Attempt::Token(keys) => Ok(keys),
            Attempt::NotConfigured(why) => Err(missing(&why)),
        }
    }

    /// The address of STS in a region. Another host could use the request.
    fn url(&self, region: &Region) -> Option<Url> {
        let url = Url::parse(&self.verification_url.replace("{region}", region.name())).ok()?;
        let host = format!("sts.{region}.{}", region.partition().suffix);
        let expected = Url::parse(&format!("https://{host}?{QUERY}")).ok()?;
        (url == expected).then_some(url)
    }
}

/// The secret parts of a signed request: the signature, and the token of a session. The other ones are words that Google's
/// service may use in a refusal.
fn secrets(request: &Request) -> Vec<Secret> {
    let signature = request.headers.iter().filter_map(|(_, value)| value.expose().split_once("Signature="));
    let signature = signature.map(|(_, signature)| signature.to_owned());
    let session = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("x-amz-security-token"));
    let session = session
        .flat_map(|(_, token)| [token.expose().to_owned(), utf8_percent_encode(token.expose(), QUOTED).to_string()]);
    signature.chain(session).map(Secret::new).collect()
}

/// The subject token of a signed request: compact JSON, percent-encoded.
fn subject_token(request: &Request) -> Result<Zeroizing<String>> {
    let host = request.host();
    let mut headers = vec![Header { key: "host".to_owned(), value: host }];
    headers.extend(request.headers.iter().map(|(name, value)| {
        // As Google's own libraries write them.
        let key = if name == "Authorization" { name.to_string() } else { name.to_ascii_lowercase() };
        Header { key, value: value.expose() }
    }));
    headers.sort_by(|one, other| one.key.cmp(&other.key));
    let signed = Signed { headers, method: "POST", url: &format!("https://{host}?{QUERY}") };
    let document = serde_json::to_string(&signed).map(Zeroizing::new);
    let document = document.map_err(|_| Error::new(Kind::Internal, "a signed request cannot be written"))?;
    Ok(Zeroizing::new(utf8_percent_encode(&document, QUOTED).to_string()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::{
        super::{
            Source,
            tests::{location, source},
        },
        *,
    };
    use crate::system::{Clock, fake::FakeSystem, http::Method};

    const AUDIENCE: &str =
        "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/contoso/providers/aws";
    const ROLE_URL: &str = "http://169.254.169.254/latest/meta-data/iam/security-credentials";
    const ZONE_URL: &str = "http://169.254.169.254/latest/meta-data/placement/availability-zone";
    const TOKEN_URL: &str = "http://169.254.169.254/latest/api/token";
    const STS: &str = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";

    #[derive(Deserialize)]
    struct Vectors {
        cases: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        access_key_id: String,
        secret_access_key: String,
        session_token: Option<String>,
        region: String,
        unix_time: u64,
        audience: String,
        regional_cred_verification_url: String,
        subject_token: String,
    }

    fn document() -> Value {
        json!({
            "environment_id": "aws1", "region_url": ZONE_URL, "url": ROLE_URL,
            "regional_cred_verification_url": STS, "imdsv2_session_token_url": TOKEN_URL,
        })
    }

    fn token(system: &FakeSystem, document: &Value, audience: &str) -> Result<AccessToken> {
        let Source::Aws(aws) = source(document)? else { panic!("{document}") };
        aws.token(system, audience, &location()).map(|subject| subject.token)
    }

    #[test]
    fn the_signature_and_the_session_are_the_secrets() {
        let system = with_key(FakeSystem::default())
            .variable("AWS_SESSION_TOKEN", "session+secret")
            .variable("AWS_REGION", "eu-west-1");
        let Source::Aws(aws) = source(&document()).unwrap() else { panic!("it is one of AWS") };
        let subject = aws.token(&system, "audience", &location()).unwrap();
        let secrets: Vec<&str> = subject.secrets.iter().map(Secret::expose).collect();
        assert!(matches!(secrets[..], [signature, "session+secret", "session%2Bsecret"] if signature.len() == 64));
        assert!(
            secrets
                .iter()
                .all(|secret| *secret == "session+secret" || subject.token.secret().expose().contains(secret))
        );
    }

    fn with_key(system: FakeSystem) -> FakeSystem {
        system.variable("AWS_ACCESS_KEY_ID", "AKIDADA").variable("AWS_SECRET_ACCESS_KEY", "key-secret")
    }

    #[test]
    fn subject_tokens_are_those_of_google_auth() {
        let vectors = include_str!("../../../../../../tests/vectors/google-aws-subject-token.json");
        let vectors: Vectors = serde_json::from_str(vectors).unwrap();
        assert_eq!(vectors.cases.len(), 3);
        for case in vectors.cases {
            let mut system = FakeSystem::default()
                .variable("AWS_REGION", &case.region)
                .variable("AWS_ACCESS_KEY_ID", &case.access_key_id)
                .variable("AWS_SECRET_ACCESS_KEY", &case.secret_access_key);
            if let Some(token) = &case.session_token {
                system = system.variable("AWS_SESSION_TOKEN", token);
            }
            assert_eq!(system.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(case.unix_time));
            let mut document = document();
            document["regional_cred_verification_url"] = json!(case.regional_cred_verification_url);
            let token = token(&system, &document, &case.audience).unwrap();
            assert_eq!(token.secret().expose(), case.subject_token, "{}", case.name);
        }
    }

    #[test]
    fn an_instance_gives_its_region_and_the_key_of_its_role() {
        let keys = r#"{"Code":"Success","AccessKeyId":"ASIAADA","SecretAccessKey":"s","Token":"t",
            "Expiration":"2026-11-22T06:00:00Z"}"#;
        let system = FakeSystem::default()
            .answer(Method::Put, TOKEN_URL, 200, "imds-secret")
            .answer(Method::Get, ZONE_URL, 200, "eu-west-1b")
            .answer(Method::Put, TOKEN_URL, 200, "imds-secret")
            .answer(Method::Get, &format!("{ROLE_URL}/"), 200, "Reader")
            .answer(Method::Get, &format!("{ROLE_URL}/Reader"), 200, keys);
        let token = token(&system, &document(), AUDIENCE).unwrap();
        assert!(token.secret().expose().contains("Credential%3DASIAADA/20261122/eu-west-1/sts/aws4_request"));
        system.assert_done();
    }

    #[test]
    fn the_region_may_be_that_of_either_variable() {
        for (first, second, region) in [("eu-west-1", "us-east-1", "eu-west-1"), ("", "us-east-1", "us-east-1")] {
            let system = with_key(FakeSystem::default());
            let system = system.variable("AWS_REGION", first).variable("AWS_DEFAULT_REGION", second);
            let token = token(&system, &document(), AUDIENCE).unwrap();
            assert!(token.secret().expose().contains(&format!("https%3A//sts.{region}.amazonaws.com")), "{region}");
        }
        let error = token(&FakeSystem::default().variable("AWS_REGION", "x"), &document(), AUDIENCE).unwrap_err();
        assert_eq!(error.message(), "AWS_REGION does not name a region");
    }

    #[test]
    fn what_is_missing_is_named() {
        let bare = json!({"environment_id": "aws1", "regional_cred_verification_url": STS});
        let region = || FakeSystem::default().variable("AWS_REGION", "eu-west-1");
        let off = || FakeSystem::default().variable("AWS_EC2_METADATA_DISABLED", "true");
        let bare_instance = region().answer(Method::Put, TOKEN_URL, 403, "");
        for (system, document, message) in [
            (FakeSystem::default(), &bare, "the region of AWS is not known: no AWS_REGION, and no region_url"),
            (region(), &bare, "there is no access key of AWS: no AWS_ACCESS_KEY_ID, and no url in credential_source"),
            (bare_instance, &document(), "there is no access key of AWS: the metadata service of EC2 is turned off"),
            (off(), &document(), "the metadata service of EC2 is needed, and AWS_EC2_METADATA_DISABLED is true"),
            (
                region().variable("AWS_ACCESS_KEY_ID", "AKIDADA"),
                &document(),
                "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY",
            ),
        ] {
            assert_eq!(token(&system, document, AUDIENCE).unwrap_err().message(), message);
        }
    }

    #[test]
    fn other_addresses_and_environments_are_refused() {
        for (field, value) in [
            ("environment_id", "aws2"),
            ("environment_id", "azure1"),
            ("url", "http://192.0.2.1/x-secret"),
            ("url", "https://evil.example/"),
            ("region_url", "http://169.254.169.254.example/"),
            ("imdsv2_session_token_url", "http://127.0.0.1/"),
            (
                "regional_cred_verification_url",
                "https://sts.{region}.evil.example?Action=GetCallerIdentity&Version=2011-06-15",
            ),
            (
                "regional_cred_verification_url",
                "http://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
            ),
            (
                "regional_cred_verification_url",
                "https://sts.{region}.amazonaws.com?Action=GetSessionToken&Version=2011-06-15",
            ),
            (
                "regional_cred_verification_url",
                "https://sts.{region}.amazonaws.com:8443?Action=GetCallerIdentity&Version=2011-06-15",
            ),
            ("regional_cred_verification_url", "https://sts.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"),
            (
                "regional_cred_verification_url",
                "https://sts.{region}.amazonaws.com.cn?Action=GetCallerIdentity&Version=2011-06-15",
            ),
            ("regional_cred_verification_url", ""),
        ] {
            let mut document = document();
            document[field] = json!(value);
            let system = with_key(FakeSystem::default().variable("AWS_REGION", "eu-west-1"));
            let error = token(&system, &document, AUDIENCE).unwrap_err();
            assert!(error.kind() == Kind::Configuration && !error.to_string().contains("x-secret"), "{value}: {error}");
        }
    }

    #[test]
    fn the_address_may_be_that_of_ipv6() {
        let mut document = document();
        document["url"] = json!("http://[fd00:ec2::254]/latest/meta-data/iam/security-credentials");
        assert!(source(&document).is_ok());
    }
}
