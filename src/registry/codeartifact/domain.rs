//! The domains of CodeArtifact, by the hosts and paths of their repositories.
//! <https://docs.aws.amazon.com/codeartifact/latest/ug/python-configure-pip.html>

use percent_encoding::percent_decode_str;

use crate::{aws::region::Region, service::Service};

/// A domain: what a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Domain {
    /// Its name.
    pub(super) name: String,
    /// The account that owns it: twelve digits, of which the first may be zeros.
    pub(super) owner: String,
    /// The region that it is in.
    pub(super) region: Region,
    /// Whether the host has IPv6.
    pub(super) is_dual_stack: bool,
    /// The repository in the path, if the path names one.
    pub(super) repository: Option<String>,
}

impl Domain {
    /// Its name, account and region in one word, whatever host it is asked for at.
    pub(super) fn id(&self) -> String {
        format!("{}-{}.{}", self.name, self.owner, self.region)
    }

    /// The domain of a service; `None` for a host of anybody else, another scheme or port, and for a bare VPC endpoint, whose
    /// host does not name the domain.
    pub(super) fn of(service: &Service) -> Option<Self> {
        let (label, rest) = service.host()?.split_once(INFIX)?;
        if !service.is_https_on_default_port() {
            return None;
        }
        let (region, suffix) = rest.split_once('.')?;
        let region = Region::parse(region)?;
        let form = Form::of(label, suffix, &region)?;
        let mut segments = service.url()?.path_segments()?.filter(|segment| !segment.is_empty());
        // The first segment is the format of the packages: `pypi`, `npm`.
        let _format = segments.next();
        let label = match form {
            Form::Domain { label, .. } => label,
            Form::VpcEndpoint => segments.next().filter(|segment| *segment == "d").and_then(|_| segments.next())?,
        };
        let (name, owner) = label.rsplit_once('-')?;
        if !is_name(name) || owner.len() != OWNER_LENGTH || !owner.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            owner: owner.to_owned(),
            region,
            is_dual_stack: matches!(form, Form::Domain { is_dual_stack: true, .. }),
            repository: segments.next().map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned()),
        })
    }
}

/// What precedes the region in every host.
const INFIX: &str = ".codeartifact.";

/// The domain of dual-stack hosts, in the partitions that have one.
const DUAL_STACK_SUFFIX: &str = "on.aws";

/// The number of digits of an account.
const OWNER_LENGTH: usize = 12;

/// The longest name of a domain.
/// <https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_CreateDomain.html>
const LONGEST_NAME: usize = 50;

/// The forms of hosts.
enum Form<'host> {
    /// `DOMAIN-OWNER.d.codeartifact.REGION.SUFFIX`, dual-stack `DOMAIN-OWNER.codeartifact.REGION.on.aws`.
    Domain { label: &'host str, is_dual_stack: bool },
    /// `vpce-ID.d.codeartifact.REGION.vpce.SUFFIX`, with `/FORMAT/d/DOMAIN-OWNER/REPOSITORY/` as the path: an endpoint of a VPC
    /// without private DNS.
    /// <https://docs.aws.amazon.com/codeartifact/latest/ug/create-vpc-endpoints.html>
    VpcEndpoint,
}

impl<'host> Form<'host> {
    /// The form of a host, by what precedes [`INFIX`] and what follows the region, which decides the suffix.
    fn of(before: &'host str, suffix: &str, region: &Region) -> Option<Self> {
        let partition = region.partition();
        if suffix == DUAL_STACK_SUFFIX {
            let has_ipv6 = partition.dual_stack_suffix == Some("api.aws");
            return has_ipv6.then_some(Self::Domain { label: before, is_dual_stack: true });
        }
        let label = before.strip_suffix(".d")?;
        if suffix == partition.suffix {
            return Some(Self::Domain { label, is_dual_stack: false });
        }
        let is_endpoint = suffix.strip_prefix("vpce.") == Some(partition.suffix);
        let is_id = |id: &str| !id.is_empty() && !id.ends_with('-') && is_label(id);
        (is_endpoint && label.strip_prefix("vpce-").is_some_and(is_id)).then_some(Self::VpcEndpoint)
    }
}

fn is_name(name: &str) -> bool {
    (2..=LONGEST_NAME).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && is_label(name)
}

fn is_label(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, owner, region, whether the host has IPv6, and repository.
    type Parts<'all> = (&'all str, &'all str, &'all str, bool, Option<&'all str>);

    fn check(url: &str, expected: Option<Parts<'_>>) {
        let domain = Domain::of(&Service::parse(url));
        let found = domain.as_ref().map(|domain| {
            let Domain { name, owner, region, is_dual_stack, repository } = domain;
            (name.as_str(), owner.as_str(), region.name(), *is_dual_stack, repository.as_deref())
        });
        assert_eq!(found, expected, "{url}");
    }

    #[test]
    fn hosts_and_paths_name_the_domain() {
        const VPC: &str = "vpce-0a1b2c3d-5e6f.d.codeartifact.us-west-2.vpce.amazonaws.com";
        let plain = |repository| Some(("plugins-of-ada", "012345678901", "eu-central-1", false, repository));
        let dual_stack = |repository| Some(("plugins-of-ada", "012345678901", "eu-central-1", true, repository));
        let host = "plugins-of-ada-012345678901.d.codeartifact.eu-central-1.amazonaws.com";
        let other = "plugins-of-ada-012345678901.codeartifact.eu-central-1.on.aws";
        for (url, expected) in [
            (format!("https://{host}/pypi/plugins/simple/"), plain(Some("plugins"))),
            (format!("https://{host}/pypi/plugins/"), plain(Some("plugins"))),
            (format!("https://{host}/pypi/plugins"), plain(Some("plugins"))),
            (format!("https://{host}/pypi/a.B_c-1/simple/ring/1.0/ring.whl"), plain(Some("a.B_c-1"))),
            (format!("https://{host}/pypi/plug%2Dins/simple/"), plain(Some("plug-ins"))),
            (format!("https://{host}//pypi//plugins//simple/"), plain(Some("plugins"))),
            (format!("https://{host}/npm/plugins/ring"), plain(Some("plugins"))),
            (format!("https://{host}/pypi/d/simple/"), plain(Some("d"))),
            (format!("https://{host}/pypi/"), plain(None)),
            (format!("https://{host}/"), plain(None)),
            (host.to_owned(), plain(None)),
            (format!("{host}:443"), plain(None)),
            (format!("https://aws:x@{}.:443/?a=b#c", host.to_uppercase()), plain(None)),
            (format!("https://{other}/pypi/plugins/simple/"), dual_stack(Some("plugins"))),
            (other.to_owned(), dual_stack(None)),
            (
                format!("https://{VPC}/pypi/d/plugins-of-ada-012345678901/plugins/simple/"),
                Some(("plugins-of-ada", "012345678901", "us-west-2", false, Some("plugins"))),
            ),
            (
                format!("https://{}/pypi/d/a1-000000000000", VPC.replace("5e6f", "5e6f-us-west-2a")),
                Some(("a1", "000000000000", "us-west-2", false, None)),
            ),
            (
                "https://vpce-0a.d.codeartifact.cn-north-1.vpce.amazonaws.com.cn/pypi/d/ab-012345678901/x/".to_owned(),
                Some(("ab", "012345678901", "cn-north-1", false, Some("x"))),
            ),
            (
                "a-1-012345678901-111122223333.d.codeartifact.us-east-1.amazonaws.com".to_owned(),
                Some(("a-1-012345678901", "111122223333", "us-east-1", false, None)),
            ),
            (
                format!("{}-111122223333.d.codeartifact.us-east-1.amazonaws.com", "d".repeat(50)),
                Some((&"d".repeat(50), "111122223333", "us-east-1", false, None)),
            ),
        ] {
            check(&url, expected);
        }
    }

    #[test]
    fn a_region_has_the_suffix_of_its_partition_alone() {
        let suffixes = [
            ("us-east-1", "amazonaws.com"),
            ("cn-northwest-1", "amazonaws.com.cn"),
            ("us-gov-west-1", "amazonaws.com"),
            ("eusc-de-east-1", "amazonaws.eu"),
            ("us-iso-east-1", "c2s.ic.gov"),
            ("us-isob-east-1", "sc2s.sgov.gov"),
            ("eu-isoe-west-1", "cloud.adc-e.uk"),
            ("us-isof-south-1", "csp.hci.ic.gov"),
        ];
        for (region, own) in suffixes {
            for (_, suffix) in suffixes {
                let expected = (suffix == own).then_some(("contoso", "012345678901", region, false, None));
                check(&format!("contoso-012345678901.d.codeartifact.{region}.{suffix}"), expected);
            }
            let has_ipv6 = own == "amazonaws.com";
            let expected = has_ipv6.then_some(("contoso", "012345678901", region, true, None));
            check(&format!("contoso-012345678901.codeartifact.{region}.on.aws"), expected);
        }
    }

    #[test]
    fn look_alikes_are_refused() {
        let host = "contoso-012345678901.d.codeartifact.us-east-1.amazonaws.com";
        for url in [
            format!("http://{host}/pypi/x/simple/"),
            format!("https://{host}:8443/pypi/x/simple/"),
            format!("https://{host}:80/"),
            format!("ftp://{host}/"),
            format!("https://{host}.evil.example/"),
            format!("https://{host}@evil.example/"),
            format!("https://evil.example/?{host}"),
            format!("https://evil.example/{host}/"),
            format!("https://evil.example#{host}"),
            format!("https://evil.{host}/"),
            format!("https://{host}.cn/"),
            format!("https://x{host}x/"),
            format!("https://{}/", host.replace("amazonaws", "amazonaws-")),
            format!("https://{}/", host.replace(".amazonaws", ".x.amazonaws")),
            format!("https://{}/", host.replace(".amazonaws", "amazonaws")),
            format!("https://{}/", host.replace(".com", ".co")),
            format!("https://{}/", host.replace(".d.", ".")),
            format!("https://{}/", host.replace(".d.", ".e.")),
            format!("https://{}/", host.replace(".d.", ".d.d.")),
            format!("https://{}/", host.replace("amazonaws.com", "on.aws")),
            format!("https://{}/", host.replace("codeartifact", "codeartifact-fips")),
            format!("https://{}/", host.replace("codeartifact", "codeartifacts")),
            format!("https://{}/", host.replace("us-east-1", "useast1")),
            format!("https://{}/", host.replace("us-east-1.", "")),
            format!("https://{}/", host.replace("us-east-1", "us-east-1.us-east-1")),
            format!("https://{}/", host.replace("us-east-1", "us_east-1")),
            format!("https://{}/", host.replace("contoso-", "")),
            format!("https://{}/", host.replace("contoso", "s")),
            format!("https://{}/", host.replace("contoso", "1contoso")),
            format!("https://{}/", host.replace("contoso", "contoso-")),
            format!("https://{}/", host.replace("contoso", "the.con")),
            format!("https://{}/", host.replace("contoso", "the_contoso")),
            format!("https://{}/", host.replace("contoso", &"s".repeat(51))),
            format!("https://{}/", host.replace("012345678901", "01234567890")),
            format!("https://{}/", host.replace("-012345678901", "-0123456789012")),
            format!("https://{}/", host.replace("012345678901", "01234567890a")),
            format!("https://{}/", host.replace("-0", "_0")),
            "https://contoso-012345678901.codeartifact.us-east-1.on.aws.example/".to_owned(),
            "https://contoso-012345678901.x.codeartifact.us-east-1.on.aws/".to_owned(),
            "https://contoso-012345678901.codeartifact.us-east-1.amazonaws.com/".to_owned(),
            "https://contoso-012345678901.codeartifact.us-east-1.api.aws/".to_owned(),
            "https://codeartifact.us-east-1.amazonaws.com/v1/authorization-token".to_owned(),
            "https://s3.us-east-1.amazonaws.com/".to_owned(),
            "https://amazonaws.com/".to_owned(),
            "codeartifact".to_owned(),
        ] {
            check(&url, None);
        }
    }

    #[test]
    fn a_vpc_endpoint_needs_the_domain_in_the_path() {
        let host = "vpce-0a1b-2c3d.d.codeartifact.us-east-1.vpce.amazonaws.com";
        let path = "pypi/d/contoso-012345678901/plugins/simple/";
        for url in [
            host.to_owned(),
            format!("https://{host}/"),
            format!("https://{host}/pypi/plugins/simple/"),
            format!("https://{host}/pypi/d/"),
            format!("https://{host}/pypi/d/plugins/simple/"),
            format!("https://{host}/pypi/e/contoso-012345678901/plugins/"),
            format!("https://{host}/d/contoso-012345678901/plugins/"),
            format!("https://{host}/pypi/d/Shire-012345678901/plugins/"),
            format!("https://{host}/pypi/d/contoso%2D012345678901/plugins/"),
            format!("http://{host}/{path}"),
            format!("https://{host}:444/{path}"),
            format!("https://{host}.cn/{path}"),
            format!("https://{}/{path}", host.replace("vpce-", "vpcx-")),
            format!("https://{}/{path}", host.replace("0a1b-2c3d", "")),
            format!("https://{}/{path}", host.replace("0a1b-2c3d", "0a1b-")),
            format!("https://{}/{path}", host.replace("0a1b-2c3d", "0a1b.2c3d")),
            format!("https://{}/{path}", host.replace(".d.", ".api.")),
            format!("https://{}/{path}", host.replace(".d.", ".")),
            format!("https://{}/{path}", host.replace(".vpce.", ".vpc.")),
            format!("https://{}/{path}", host.replace("vpce.amazonaws.com", "vpce.on.aws")),
            format!("https://{}/{path}", host.replace("us-east-1", "cn-north-1")),
        ] {
            check(&url, None);
        }
    }

    #[test]
    fn all_hosts_of_a_domain_have_one_id() {
        for url in [
            "contoso-012345678901.d.codeartifact.us-east-1.amazonaws.com",
            "contoso-012345678901.codeartifact.us-east-1.on.aws",
            "https://vpce-0a.d.codeartifact.us-east-1.vpce.amazonaws.com/pypi/d/contoso-012345678901/x/simple/",
        ] {
            assert_eq!(Domain::of(&Service::parse(url)).unwrap().id(), "contoso-012345678901.us-east-1");
        }
    }
}
