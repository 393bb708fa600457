//! Regions.

use std::fmt;

use super::partition::Partition;

/// The longest name of a region: a label of a host name.
const LONGEST: usize = 63;

/// A region of AWS, by its name: `eu-central-1`. New regions need no release of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Region(String);

impl Region {
    /// Reads the name of a region: words of lower-case letters and a number at the end, joined by hyphens.
    #[must_use]
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (words, number) = name.rsplit_once('-')?;
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let is_name = name.len() <= LONGEST && is_number && words.contains('-') && words.split('-').all(is_word);
        is_name.then(|| Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// The partition that it belongs to.
    #[must_use]
    pub(crate) fn partition(&self) -> &'static Partition {
        Partition::of(&self.0)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_belongs_to_one_partition() {
        for (name, partition) in [
            ("eu-central-1", "aws"),
            ("ap-southeast-12", "aws"),
            ("us-east-2", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("eusc-de-east-1", "aws-eusc"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
        ] {
            assert_eq!(Region::parse(name).map(|region| region.partition().id), Some(partition), "{name}");
        }
    }

    #[test]
    fn other_words_are_no_region() {
        for name in [
            "",
            "-",
            "-1",
            "eu-1",
            "eu-central",
            "eu-central-",
            "EU-central-1",
            "eu--central-1",
            "eu.central-1",
            "eu-central-1a",
        ] {
            assert_eq!(Region::parse(name), None, "{name}");
        }
    }
}
