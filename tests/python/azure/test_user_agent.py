"""The User-Agent header, by which Conditional Access knows the platform."""

from __future__ import annotations

import platform

from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_token
from lab.look_up import LookUp, Lookups

SYSTEMS = {"Darwin": "macOS"}
MACHINES = {"AMD64": "x86_64", "arm64": "aarch64", "ARM64": "aarch64"}


def test_every_host_of_a_sign_in_sees_system_and_processor(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    azure = cloud.azure
    fake_programs.az(*az_token(azure.directory.user_token(azure.user)))
    builder = azure.directory.application("builder", azure.tenant, secret="mellon")
    application = {"AZURE_CLIENT_ID": builder.client_id, "AZURE_CLIENT_SECRET": "mellon"}
    url = azure.feed.url()
    served = [answer.served for answer in look_up.all([LookUp(url), LookUp(url, environment=application)])]
    assert served == ["azure_cli", "client_secret"]
    system = SYSTEMS.get(platform.system(), platform.system())
    expected = f" ({system}; {MACHINES.get(platform.machine(), platform.machine())})"
    for host in ("pkgs.dev.azure.com", "login.microsoftonline.com", "vssps.dev.azure.com"):
        agents = {request.header("User-Agent") or "" for request in cloud.log.requests(host)}
        assert len(agents) == 1, (host, agents)
        program, _, version = agents.pop().removesuffix(expected).partition("/")
        assert program == "ringbearer" and version.replace(".", "").isdigit(), (host, version)
