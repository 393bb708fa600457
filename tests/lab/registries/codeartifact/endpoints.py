"""The hosts of AWS's services in each partition.

https://docs.aws.amazon.com/general/latest/gr/rande.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: The services with the label that names each of them in its hosts.
_LABELS = {"codeartifact": "codeartifact", "sts": "sts", "sso": "portal.sso", "sso-oidc": "oidc", "signin": "signin"}
#: These have no FIPS hosts of their own in AWS GovCloud: all their hosts there are FIPS hosts.
_FIPS_ALWAYS_IN_GOVCLOUD = ("sts", "sso", "sso-oidc")


@dataclass(frozen=True)
class Partition:
    """A part of AWS with its own accounts."""

    name: str
    #: A pattern of its regions.
    regions: str
    suffix: str
    dual_stack_suffix: str
    #: The suffix of the sign-in hosts, ``REGION.signin.SUFFIX``.
    sign_in_suffix: str


PARTITIONS = (
    Partition("aws-us-gov", r"us-gov-\w+-\d+", "amazonaws.com", "api.aws", "amazonaws-us-gov.com"),
    Partition("aws-cn", r"cn-\w+-\d+", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "amazonaws.cn"),
    Partition("aws-eusc", r"eusc-de-\w+-\d+", "amazonaws.eu", "api.amazonwebservices.eu", "amazonaws-eusc.eu"),
    Partition("aws", r"(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+", "amazonaws.com", "api.aws", "aws.amazon.com"),
)


@dataclass(frozen=True)
class Endpoint:
    """A service in a region. Where the address was overridden, no region is known."""

    service: str
    region: str | None
    partition: Partition | None = None
    is_fips: bool = False
    is_dual_stack: bool = False


def partition_of(region: str) -> Partition | None:
    """The partition of a region."""
    return next((one for one in PARTITIONS if re.fullmatch(one.regions, region)), None)


def endpoint_of(host: str) -> Endpoint | None:
    """The endpoint at a host; None if AWS has no such host."""
    if host == "sts.amazonaws.com":
        return Endpoint("sts", "us-east-1", PARTITIONS[-1])
    for service, label in _LABELS.items():
        found = re.fullmatch(re.escape(label) + r"(?P<fips>-fips)?\.(?P<region>[a-z0-9-]+)\.(?P<suffix>.+)", host)
        partition = found and partition_of(found["region"])
        if partition and found["suffix"] in (partition.suffix, partition.dual_stack_suffix):
            endpoint = Endpoint(
                service,
                found["region"],
                partition,
                bool(found["fips"]),
                found["suffix"] == partition.dual_stack_suffix,
            )
            return endpoint if _exists(endpoint) else None
    return _sign_in_endpoint(host)


def patterns() -> list[str]:
    """The patterns of all these hosts. `endpoint_of` decides whether a host that matches exists."""
    found = {f"{label}*.{suffix}" for label in _LABELS.values() for one in PARTITIONS for suffix in _suffixes(one)}
    return sorted(found | {f"*.signin.{one.sign_in_suffix}" for one in PARTITIONS})


def _suffixes(partition: Partition) -> tuple[str, str]:
    return partition.suffix, partition.dual_stack_suffix


def _exists(endpoint: Endpoint) -> bool:
    if endpoint.is_dual_stack:
        return True
    if endpoint.service == "signin":
        return endpoint.is_fips and endpoint.partition.name != "aws-us-gov"
    is_govcloud = endpoint.partition.name == "aws-us-gov"
    return not (is_govcloud and endpoint.is_fips and endpoint.service in _FIPS_ALWAYS_IN_GOVCLOUD)


def _sign_in_endpoint(host: str) -> Endpoint | None:
    if host == "signin-fips.amazonaws-us-gov.com":
        return Endpoint("signin", None, PARTITIONS[0], is_fips=True)
    region, _, suffix = host.partition(".signin.")
    partition = partition_of(region)
    if partition is None or suffix != partition.sign_in_suffix:
        return None
    return Endpoint("signin", region, partition)
