//! The URLs of AWS's services, and the settings that change them.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html>

use std::collections::HashMap;

use url::Url;

use super::{config::Profile, region::Region};
use crate::{
    error::{Error, Kind, Result},
    system::{System, http::is_loopback},
};

/// A service of AWS.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Api {
    /// Its name in the scope of a signature.
    pub(crate) signing_name: &'static str,
    /// The beginning of its host names; that of hosts with FIPS 140 has `-fips` at its end.
    pub(crate) host: &'static str,
    /// The variable that names another address.
    pub(crate) endpoint_variable: &'static str,
    /// Its key in a `services` section of the configuration file.
    pub(crate) services_key: &'static str,
}

/// The service that exchanges identities for access keys.
pub(crate) static STS: Api =
    Api { signing_name: "sts", host: "sts", endpoint_variable: "AWS_ENDPOINT_URL_STS", services_key: "sts" };

/// The portal of IAM Identity Center, which hands out the access keys of roles.
pub(crate) static SSO: Api = Api {
    signing_name: "awsssoportal",
    host: "portal.sso",
    endpoint_variable: "AWS_ENDPOINT_URL_SSO",
    services_key: "sso",
};

/// The token service of IAM Identity Center.
pub(crate) static SSO_OIDC: Api = Api {
    signing_name: "sso-oauth",
    host: "oidc",
    endpoint_variable: "AWS_ENDPOINT_URL_SSO_OIDC",
    services_key: "sso_oidc",
};

/// The service that renews the logins of `aws login`. Its usual hosts are in a domain of their own.
pub(crate) static SIGN_IN: Api = Api {
    signing_name: "signin",
    host: "signin",
    endpoint_variable: "AWS_ENDPOINT_URL_SIGNIN",
    services_key: "signin",
};

/// The variable that names the address of every service, and the beginning of the names of those for one service.
const ENDPOINT_VARIABLE: &str = "AWS_ENDPOINT_URL";

/// The settings that change the URLs of services: those of the environment, then those of a profile.
#[derive(Clone, Default)]
pub(crate) struct Endpoints {
    /// The setting that asks for hosts with FIPS 140.
    fips: Option<&'static str>,
    /// The setting that asks for hosts with IPv6.
    dual_stack: Option<&'static str>,
    /// The addresses of services in variables.
    variables: HashMap<String, String>,
    /// The profile, if it may name addresses of services.
    profile: Option<Profile>,
}

impl Endpoints {
    /// Reads the settings.
    pub(crate) fn read(system: &dyn System, profile: Option<&Profile>) -> Self {
        let set_by = |variable: &'static str, key: &'static str| {
            let (name, value) = match system.setting(variable) {
                Some(value) => (variable, value),
                None => (key, profile?.value(key)?.to_owned()),
            };
            value.eq_ignore_ascii_case("true").then_some(name)
        };
        let settings = Self {
            fips: set_by("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
            dual_stack: set_by("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
            ..Self::default()
        };
        if set_by("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls").is_some() {
            return settings;
        }
        let variables = system.variables_with_prefix(ENDPOINT_VARIABLE).into_iter();
        let variables = variables.filter_map(|name| system.setting(&name).map(|value| (name, value))).collect();
        Self { variables, profile: profile.cloned(), ..settings }
    }

    /// The URL of a service in a region. Its path ends with `/`, and is longer only where a setting names another
    /// address. `is_dual_stack` asks for a host with IPv6 whatever the settings say, unless one names another address.
    pub(crate) fn url(&self, api: &Api, region: &Region, is_dual_stack: bool) -> Result<Url> {
        if let Some((named_by, address)) = self.configured(api) {
            if let Some(setting) = self.fips.or(self.dual_stack) {
                return Err(Error::new(Kind::Configuration, format!("{named_by} and {setting} exclude each other"))
                    .with_hint("unset one of them"));
            }
            return parse(&named_by, address);
        }
        let host = usual_host(api, region, self.fips.is_some(), self.dual_stack.is_some() || is_dual_stack)?;
        Url::parse(&format!("https://{host}/"))
            .map_err(|_| Error::new(Kind::Internal, format!("{host} is not the name of a host")))
    }

    /// The address that the settings name for a service, and where they do.
    fn configured(&self, api: &Api) -> Option<(String, &str)> {
        let variables = [api.endpoint_variable, ENDPOINT_VARIABLE];
        if let Some((name, address)) = variables.iter().find_map(|name| self.variables.get_key_value(*name)) {
            return Some((name.clone(), address));
        }
        let profile = self.profile.as_ref()?;
        let named_by = |key: &str| format!("{key} of profile {}", profile.name());
        if let Some(address) = profile.service_endpoint(api.services_key) {
            return Some((named_by(&format!("endpoint_url for {}", api.services_key)), address));
        }
        Some((named_by("endpoint_url"), profile.value("endpoint_url")?))
    }
}

/// Reads a configured address: https, or http on this machine.
fn parse(named_by: &str, address: &str) -> Result<Url> {
    let is_usable = |url: &Url| {
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
        let is_plain = url.username().is_empty() && url.password().is_none();
        is_safe && is_plain && url.query().is_none() && url.fragment().is_none()
    };
    let mut url = Url::parse(address.trim()).ok().filter(is_usable).ok_or_else(|| {
        // It may hold a password: only the setting is named.
        Error::new(Kind::Configuration, format!("{named_by} is not the https address of a service"))
            .with_hint("write it as https://HOST/PATH (http on a loopback address only)")
    })?;
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// The host of a service that no setting names.
fn usual_host(api: &Api, region: &Region, is_fips: bool, is_dual_stack: bool) -> Result<String> {
    let partition = region.partition();
    let is_gov_cloud = partition.id == "aws-us-gov";
    let lacks = |what: &str| Error::new(Kind::Configuration, format!("region {region} has no {what}"));
    if is_dual_stack {
        let suffix = partition.dual_stack_suffix.ok_or_else(|| {
            lacks("dual-stack hosts").with_hint("unset AWS_USE_DUALSTACK_ENDPOINT and use_dualstack_endpoint")
        })?;
        let fips = if is_fips { "-fips" } else { "" };
        return Ok(format!("{}{fips}.{region}.{suffix}", api.host));
    }
    if *api == SIGN_IN {
        let suffix = partition.sign_in_suffix.ok_or_else(|| lacks("host for `aws login`"))?;
        return Ok(match (is_fips, is_gov_cloud) {
            (false, _) => format!("{region}.{suffix}"),
            (true, false) => format!("signin-fips.{region}.{}", partition.suffix),
            (true, true) => "signin-fips.amazonaws-us-gov.com".to_owned(),
        });
    }
    // The usual hosts of these in GovCloud have FIPS 140.
    let has_fips = is_gov_cloud && [&STS, &SSO, &SSO_OIDC].contains(&api);
    let fips = if is_fips && !has_fips { "-fips" } else { "" };
    Ok(format!("{}{fips}.{region}.{}", api.host, partition.suffix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::config::Config,
        system::fake::{FakeSystem, absolute},
    };

    type Variables<'all> = &'all [(&'all str, &'all str)];

    const FIPS: (&str, &str) = ("AWS_USE_FIPS_ENDPOINT", "True");
    const DUAL_STACK: (&str, &str) = ("AWS_USE_DUALSTACK_ENDPOINT", "true");

    static CODEARTIFACT: Api = Api {
        signing_name: "codeartifact",
        host: "codeartifact",
        endpoint_variable: "AWS_ENDPOINT_URL_CODEARTIFACT",
        services_key: "codeartifact",
    };

    /// The endpoints with variables, and with a configuration file whose profile `ada` applies.
    fn endpoints(variables: Variables<'_>, config: &str) -> Endpoints {
        let path = absolute("/home/ada/.aws/config");
        let system = FakeSystem::default().home("/home/ada").file(&path, config);
        let system = variables.iter().fold(system, |system, (name, value)| system.variable(name, value));
        Endpoints::read(&system, Config::read(&system).unwrap().profile("ada"))
    }

    /// The URL, or the error's message.
    fn shown(endpoints: &Endpoints, api: &Api, region: &str, is_dual_stack: bool) -> String {
        let url = endpoints.url(api, &Region::parse(region).unwrap(), is_dual_stack);
        url.map_or_else(|error| error.message().to_owned(), String::from)
    }

    /// A service, a region, and the hosts: plain, with FIPS 140, dual-stack, and with both.
    type Row = (&'static Api, &'static str, [&'static str; 4]);

    static HOSTS: [Row; 12] = [
        (
            &CODEARTIFACT,
            "eu-west-1",
            [
                "codeartifact.eu-west-1.amazonaws.com",
                "codeartifact-fips.eu-west-1.amazonaws.com",
                "codeartifact.eu-west-1.api.aws",
                "codeartifact-fips.eu-west-1.api.aws",
            ],
        ),
        (
            &CODEARTIFACT,
            "us-gov-west-1",
            [
                "codeartifact.us-gov-west-1.amazonaws.com",
                "codeartifact-fips.us-gov-west-1.amazonaws.com",
                "codeartifact.us-gov-west-1.api.aws",
                "codeartifact-fips.us-gov-west-1.api.aws",
            ],
        ),
        (
            &STS,
            "cn-north-1",
            [
                "sts.cn-north-1.amazonaws.com.cn",
                "sts-fips.cn-north-1.amazonaws.com.cn",
                "sts.cn-north-1.api.amazonwebservices.com.cn",
                "sts-fips.cn-north-1.api.amazonwebservices.com.cn",
            ],
        ),
        (
            &STS,
            "us-gov-west-1",
            [
                "sts.us-gov-west-1.amazonaws.com",
                "sts.us-gov-west-1.amazonaws.com",
                "sts.us-gov-west-1.api.aws",
                "sts-fips.us-gov-west-1.api.aws",
            ],
        ),
        (
            &SSO,
            "us-east-1",
            [
                "portal.sso.us-east-1.amazonaws.com",
                "portal.sso-fips.us-east-1.amazonaws.com",
                "portal.sso.us-east-1.api.aws",
                "portal.sso-fips.us-east-1.api.aws",
            ],
        ),
        (
            &SSO,
            "us-gov-east-1",
            [
                "portal.sso.us-gov-east-1.amazonaws.com",
                "portal.sso.us-gov-east-1.amazonaws.com",
                "portal.sso.us-gov-east-1.api.aws",
                "portal.sso-fips.us-gov-east-1.api.aws",
            ],
        ),
        (
            &SSO_OIDC,
            "eusc-de-east-1",
            [
                "oidc.eusc-de-east-1.amazonaws.eu",
                "oidc-fips.eusc-de-east-1.amazonaws.eu",
                "oidc.eusc-de-east-1.api.amazonwebservices.eu",
                "oidc-fips.eusc-de-east-1.api.amazonwebservices.eu",
            ],
        ),
        (
            &SSO_OIDC,
            "us-gov-west-1",
            [
                "oidc.us-gov-west-1.amazonaws.com",
                "oidc.us-gov-west-1.amazonaws.com",
                "oidc.us-gov-west-1.api.aws",
                "oidc-fips.us-gov-west-1.api.aws",
            ],
        ),
        (
            &SIGN_IN,
            "us-east-1",
            [
                "us-east-1.signin.aws.amazon.com",
                "signin-fips.us-east-1.amazonaws.com",
                "signin.us-east-1.api.aws",
                "signin-fips.us-east-1.api.aws",
            ],
        ),
        (
            &SIGN_IN,
            "cn-north-1",
            [
                "cn-north-1.signin.amazonaws.cn",
                "signin-fips.cn-north-1.amazonaws.com.cn",
                "signin.cn-north-1.api.amazonwebservices.com.cn",
                "signin-fips.cn-north-1.api.amazonwebservices.com.cn",
            ],
        ),
        (
            &SIGN_IN,
            "us-gov-west-1",
            [
                "us-gov-west-1.signin.amazonaws-us-gov.com",
                "signin-fips.amazonaws-us-gov.com",
                "signin.us-gov-west-1.api.aws",
                "signin-fips.us-gov-west-1.api.aws",
            ],
        ),
        (
            &SIGN_IN,
            "eusc-de-east-1",
            [
                "eusc-de-east-1.signin.amazonaws-eusc.eu",
                "signin-fips.eusc-de-east-1.amazonaws.eu",
                "signin.eusc-de-east-1.api.amazonwebservices.eu",
                "signin-fips.eusc-de-east-1.api.amazonwebservices.eu",
            ],
        ),
    ];

    #[test]
    fn hosts_are_those_of_botocore() {
        let settings: [Variables<'_>; 4] = [&[], &[FIPS], &[DUAL_STACK], &[FIPS, DUAL_STACK]];
        for (api, region, hosts) in &HOSTS {
            for (variables, host) in settings.into_iter().zip(hosts) {
                let url = format!("https://{host}/");
                assert_eq!(shown(&endpoints(variables, ""), api, region, false), url, "{variables:?}");
            }
            let implied =
                [shown(&endpoints(&[], ""), api, region, true), shown(&endpoints(&[FIPS], ""), api, region, true)];
            assert_eq!(implied, [format!("https://{}/", hosts[2]), format!("https://{}/", hosts[3])]);
        }
    }

    #[test]
    fn isolated_partitions_have_no_dual_stack_and_no_login() {
        for (region, suffix) in [
            ("us-iso-east-1", "c2s.ic.gov"),
            ("us-isob-east-1", "sc2s.sgov.gov"),
            ("eu-isoe-west-1", "cloud.adc-e.uk"),
            ("us-isof-south-1", "csp.hci.ic.gov"),
        ] {
            let plain = endpoints(&[], "");
            assert_eq!(shown(&plain, &STS, region, false), format!("https://sts.{region}.{suffix}/"));
            assert_eq!(shown(&plain, &STS, region, true), format!("region {region} has no dual-stack hosts"));
            assert_eq!(shown(&plain, &SIGN_IN, region, false), format!("region {region} has no host for `aws login`"));
        }
    }

    #[test]
    fn only_true_is_true_and_a_variable_precedes_the_profile() {
        let (usual, fips) = ("https://sts.eu-west-1.amazonaws.com/", "https://sts-fips.eu-west-1.amazonaws.com/");
        for (value, profile, expected) in [
            (" TRUE ", "", fips),
            ("true", "false", fips),
            ("false", "true", usual),
            ("1", "", usual),
            ("yes", "", usual),
            ("", "True", fips),
            ("", "1", usual),
        ] {
            let config = format!("[profile ada]\nuse_fips_endpoint = {profile}\n");
            let endpoints = endpoints(&[("AWS_USE_FIPS_ENDPOINT", value)], &config);
            assert_eq!(shown(&endpoints, &STS, "eu-west-1", false), expected, "{value:?} {profile:?}");
        }
        let profile = endpoints(&[], "[profile ada]\nuse_dualstack_endpoint = true\n");
        assert_eq!(shown(&profile, &STS, "eu-west-1", false), "https://sts.eu-west-1.api.aws/");
    }

    const CONFIG: &str = "[profile ada]\nservices = mine\nendpoint_url = https://profile.example/\n\
                          [services mine]\nsts =\n  endpoint_url = https://services.example\n";

    #[test]
    fn configured_addresses_have_an_order() {
        let usual = "https://oidc.eu-west-1.amazonaws.com/";
        let service = ("AWS_ENDPOINT_URL_STS", "https://sts.example/base");
        let every = ("AWS_ENDPOINT_URL", "http://localhost:4566");
        let ignore = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE");
        let rows: [(Variables<'_>, &str, &str, &str); 8] = [
            (&[service, every], CONFIG, "https://sts.example/base/", "http://localhost:4566/"),
            (&[service], CONFIG, "https://sts.example/base/", "https://profile.example/"),
            (&[every], CONFIG, "http://localhost:4566/", "http://localhost:4566/"),
            (&[], CONFIG, "https://services.example/", "https://profile.example/"),
            (
                &[("AWS_ENDPOINT_URL_STS", " "), ("AWS_ENDPOINT_URL", "")],
                "",
                "https://sts.eu-west-1.amazonaws.com/",
                usual,
            ),
            (&[service, every, ignore], CONFIG, "https://sts.eu-west-1.amazonaws.com/", usual),
            (
                &[service],
                "[profile ada]\nignore_configured_endpoint_urls = true\n",
                "https://sts.eu-west-1.amazonaws.com/",
                usual,
            ),
            (
                &[service, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false")],
                "[profile ada]\nignore_configured_endpoint_urls = true\n",
                "https://sts.example/base/",
                usual,
            ),
        ];
        for (variables, config, sts, oidc) in rows {
            let endpoints = endpoints(variables, config);
            for (api, url) in [(&STS, sts), (&SSO_OIDC, oidc)] {
                assert_eq!(shown(&endpoints, api, "eu-west-1", false), url, "{variables:?}");
                assert_eq!(
                    shown(&endpoints, api, "eu-west-1", true) == url,
                    url.contains("example") || url.contains("localhost")
                );
            }
        }
    }

    #[test]
    fn an_address_is_https_or_on_this_machine() {
        for (address, is_usable) in [
            ("https://vpce-1.api.codeartifact.eu-west-1.vpce.amazonaws.com", true),
            ("http://127.0.0.1:4566", true),
            ("http://[::1]:4566/aws", true),
            ("http://localhost", true),
            ("http://a.example", false),
            ("http://localhost.a.example", false),
            ("ftp://localhost", false),
            ("a.example", false),
            ("https://", false),
            ("https://ada:x-secret@a.example", false),
            ("https://a.example/?x", false),
            ("https://a.example/#x", false),
        ] {
            let variable = endpoints(&[("AWS_ENDPOINT_URL_STS", address)], "");
            let url = variable.url(&STS, &Region::parse("eu-west-1").unwrap(), false);
            assert_eq!(url.is_ok(), is_usable, "{address}");
            if let Err(error) = url {
                assert_eq!(error.kind(), Kind::Configuration);
                assert_eq!(error.message(), "AWS_ENDPOINT_URL_STS is not the https address of a service");
            }
        }
        let config = CONFIG.replace("https://", "http://");
        let profile = endpoints(&[], &config);
        for (api, named_by) in [(&STS, "endpoint_url for sts of profile ada"), (&SSO, "endpoint_url of profile ada")] {
            let message = format!("{named_by} is not the https address of a service");
            assert_eq!(shown(&profile, api, "eu-west-1", false), message);
        }
    }

    #[test]
    fn an_address_excludes_fips_and_dual_stack() {
        let address = ("AWS_ENDPOINT_URL", "https://a.example");
        let profile = "[profile ada]\nuse_fips_endpoint = true\n";
        let rows: [(Variables<'_>, &str, &str); 3] = [
            (&[address, FIPS], "", "AWS_ENDPOINT_URL and AWS_USE_FIPS_ENDPOINT exclude each other"),
            (&[address, DUAL_STACK], "", "AWS_ENDPOINT_URL and AWS_USE_DUALSTACK_ENDPOINT exclude each other"),
            (&[address], profile, "AWS_ENDPOINT_URL and use_fips_endpoint exclude each other"),
        ];
        for (variables, config, message) in rows {
            assert_eq!(shown(&endpoints(variables, config), &STS, "eu-west-1", false), message);
        }
    }
}
