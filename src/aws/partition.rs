//! The partitions of AWS: separate clouds, each with its own regions and domains.
//!
//! Domains and the form of region names are those of botocore's `partitions.json`.
//! <https://github.com/boto/botocore/blob/1.44.8/botocore/data/partitions.json>

/// A partition.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    /// Its name in ARNs: `aws`, `aws-cn`.
    pub(crate) id: &'static str,
    /// The beginnings of the names of its regions, `-` and a number follow a word; empty for the partition `aws`, which has
    /// all the others.
    prefixes: &'static [&'static str],
    /// The domain of its services.
    pub(crate) suffix: &'static str,
    /// The domain of its dual-stack services, if there are any.
    pub(crate) dual_stack_suffix: Option<&'static str>,
    /// The domain of its sign-in service, below which each region has a host; `None` if there is none.
    pub(crate) sign_in_suffix: Option<&'static str>,
}

/// Every partition; the one that has the regions of no other is last.
static ALL: [Partition; 8] = [
    Partition {
        id: "aws-cn",
        prefixes: &["cn-"],
        suffix: "amazonaws.com.cn",
        dual_stack_suffix: Some("api.amazonwebservices.com.cn"),
        sign_in_suffix: Some("signin.amazonaws.cn"),
    },
    Partition {
        id: "aws-us-gov",
        prefixes: &["us-gov-"],
        suffix: "amazonaws.com",
        dual_stack_suffix: Some("api.aws"),
        sign_in_suffix: Some("signin.amazonaws-us-gov.com"),
    },
    Partition {
        id: "aws-eusc",
        prefixes: &["eusc-"],
        suffix: "amazonaws.eu",
        dual_stack_suffix: Some("api.amazonwebservices.eu"),
        sign_in_suffix: Some("signin.amazonaws-eusc.eu"),
    },
    isolated("aws-iso", &["us-iso-"], "c2s.ic.gov"),
    isolated("aws-iso-b", &["us-isob-"], "sc2s.sgov.gov"),
    isolated("aws-iso-e", &["eu-isoe-"], "cloud.adc-e.uk"),
    isolated("aws-iso-f", &["us-isof-", "eu-isof-"], "csp.hci.ic.gov"),
    Partition {
        id: "aws",
        prefixes: &[""],
        suffix: "amazonaws.com",
        dual_stack_suffix: Some("api.aws"),
        sign_in_suffix: Some("signin.aws.amazon.com"),
    },
];

const fn isolated(id: &'static str, prefixes: &'static [&'static str], suffix: &'static str) -> Partition {
    Partition { id, prefixes, suffix, dual_stack_suffix: None, sign_in_suffix: None }
}

impl Partition {
    /// The partition of a region.
    pub(super) fn of(region: &str) -> &'static Self {
        let has = |partition: &&Self| partition.prefixes.iter().any(|prefix| region.starts_with(prefix));
        ALL.iter().find(has).unwrap_or(&ALL[ALL.len() - 1])
    }
}
