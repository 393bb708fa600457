//! The hosts of Python repositories.
//! <https://cloud.google.com/artifact-registry/docs/repositories/repo-locations>

use super::{DOMAIN, endpoint::is_name};
use crate::service::{Service, subdomain_of};

/// Whether a service is a Python repository or its bare host: `LOCATION-python.pkg.dev`, or the regional endpoint
/// `python.LOCATION.rep.pkg.dev`. Hosts of other formats, such as `LOCATION-docker.pkg.dev`, are not claimed. The path does not
/// matter: files have other paths than their index.
#[must_use]
pub(super) fn is_claimed(service: &Service) -> bool {
    let labels = service.host().and_then(|host| subdomain_of(host, DOMAIN)).unwrap_or_default();
    let labels: Vec<&str> = labels.split('.').collect();
    let location = match *labels {
        [label] => label.strip_suffix("-python"),
        ["python", location, "rep"] => Some(location),
        _ => None,
    };
    // New regions need no release of this program.
    service.is_https_on_default_port() && location.is_some_and(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_python_repositories_are_claimed() {
        for service in [
            "us-python.pkg.dev",
            "https://us-python.pkg.dev/",
            "https://europe-west1-python.pkg.dev/project/repository/simple/",
            "https://EUROPE-WEST1-Python.Pkg.Dev/project/repository/simple/package/",
            "https://us-python.pkg.dev:443/example.com/project/repository/simple/",
            "https://ada@us-central1-python.pkg.dev/project/repository/package/package-1.0-py3-none-any.whl",
            "python.us-east1.rep.pkg.dev",
            "https://python.us-east1.rep.pkg.dev/project/repository/",
        ] {
            assert!(is_claimed(&Service::parse(service)), "{service}");
        }
    }

    #[test]
    fn other_hosts_schemes_and_ports_are_not() {
        for service in [
            "http://us-python.pkg.dev/project/repository/simple/",
            "https://us-python.pkg.dev:8443/project/repository/simple/",
            "https://pkg.dev/",
            "https://python.pkg.dev/",
            "https://-python.pkg.dev/",
            "https://us-pypi.pkg.dev/",
            "https://us-docker.pkg.dev/",
            "https://us-npm.pkg.dev/",
            "https://us-python-docker.pkg.dev/",
            "https://uspython.pkg.dev/",
            "https://1-python.pkg.dev/",
            "https://us_1-python.pkg.dev/",
            "https://us--python.pkg.dev/",
            "https://a.us-python.pkg.dev/",
            "https://us-python.pkg.dev.example/",
            "https://us-python.xpkg.dev/",
            "https://us-python-pkg.dev/",
            "https://python.rep.pkg.dev/",
            "https://docker.us-east1.rep.pkg.dev/",
            "https://us-east1-python.rep.pkg.dev/",
            "https://python.us.east1.rep.pkg.dev/",
            "https://us-python.pkg.dev@attacker.example/",
            "https://attacker.example/us-python.pkg.dev",
        ] {
            assert!(!is_claimed(&Service::parse(service)), "{service}");
        }
    }
}
