"""The tested versions of the clients, as requirements."""

from __future__ import annotations

import sys

KEYRING = "keyring==25.7.0"
OLDEST_KEYRING = "keyring==23.9.0"
UV = "uv==0.13.9"
# The newest clients need Python 3.10; on 3.9 the newest that still runs there is the one its users have.
if sys.version_info >= (3, 10):
    PIP, PIP_26_1, TWINE = "pip==26.3", "pip==26.1", "twine==7.0.0"
else:
    PIP, PIP_26_1, TWINE = "pip>=26.0", "pip<26", "twine"
AZURE_CLI = "azure-cli==2.91.0"
#: AWS's own client, with the library that it needs for the logins of `aws login`.
BOTO3 = "boto3[crt]==1.44.8" if sys.version_info >= (3, 10) else "boto3[crt]"
#: Google's own library, with what it needs to send requests.
GOOGLE_AUTH = "google-auth[requests]==2.63.0" if sys.version_info >= (3, 10) else "google-auth[requests]"
PYTEST = "pytest==9.2.0" if sys.version_info >= (3, 10) else "pytest"
if sys.version_info >= (3, 10):
    POETRY, TOX, TOX_UV = "poetry==2.5.1", "tox==4.67.15", "tox-uv==1.37.0"
else:
    POETRY, TOX, TOX_UV = "poetry", "tox", "tox-uv"
FLIT = "flit==4.2.0" if sys.version_info >= (3, 10) else "flit"
#: It does not mask secrets in its logs, and keeps PATH as the environment sets it.
OLD_TOX = "tox==4.24.1"
#: It reads the same entry points, and has other hooks.
TOX_3 = "tox==3.28.0"
#: Pinned dependencies: it does not run with their newest versions.
PDM = "pdm[locked]==2.29.3" if sys.version_info >= (3, 10) else "pdm"
BUILD = "build==1.6.1" if sys.version_info >= (3, 10) else "build"
PIPX = "pipx==1.18.4" if sys.version_info >= (3, 11) else "pipx"
#: Clients that run the `keyring` on PATH, without keyring in their own environment.
CALLERS = {"pip": [PIP], "pip-26.1": [PIP_26_1], "pdm": [PDM], "build": [BUILD, PIP], "pipx": [PIPX]}
#: Other packages with keyring backends that run on this Python.
PEERS = {
    "alt": "keyrings.alt==5.0.2",
    "codeartifact": "keyrings.codeartifact==2.1.2",
    "chainguard": "keyrings-chainguard-libraries==0.2.0",
    "google": "keyrings.google-artifactregistry-auth==1.1.2",
}
if sys.version_info >= (3, 10):
    PEERS.update(nofuss="artifacts-keyring-nofuss==1.3.3", ssh_agent="ssh-agent-keyring==0.6.0")
if sys.version_info >= (3, 11):
    PEERS["menda"] = "menda-keyring==0.0.2"
