"""One case of the fault matrix: a lookup, and everything that is wrong with its outcome."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from lab import tokens
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.messages import Request
from support.fault_flows import Situation

#: The outcomes: a credential; none, with one warning; none, silently.
SERVED, WARNED, SILENT = "served", "warned", "silent"
#: Seconds for a transient fault, including three attempts and their pauses.
LONGEST = 5.0
#: Allowance for a busy machine beyond the limit of the lookup.
GRACE = 5.0
#: The prefixes of the practice cloud's tokens that are not JSON Web Tokens; those of AWS and Google are their own.
_OPAQUE = re.compile(
    r"(menda-access-|refresh-|1\.practice-refresh-token-|practice-(device|authorization)-code-)[\w-]{8,}"
    r"|IQoJb3JpZ2lu[\w/%-]{4,}|(ao[ar]AAAAA|rt1\.)[\w-]{8,}"
    r"|ya29\.(\w\.)?\w{3}[\w-]{5,}|1(//|%2F%2F)0[\w-]{8,}"
)
#: The secrets of AWS's access keys.
_SECRET_KEY = re.compile(r"[0-9a-f]{36}(/|\+|%2F|%2B|\\/){2}[0-9a-f]{2}", re.IGNORECASE)
#: Not in the middle of a word: AWS's tokens are random, and may contain these letters.
_TOKEN = re.compile(r"(?<![\w-])eyJ[\w-]{6,}(\.[\w-]+)*")
_PIECE_NAME = "no token"
#: The beginning of a token; it counts as a leak too.
_PIECE = re.compile(r"eyJ[\w-]{6,}|" + _OPAQUE.pattern)

#: (secret, host, path, place in the request)
Sighting = tuple[str, str, str, str]


@dataclass
class Cell:
    """The outcome of one case."""

    name: str
    expected: str
    #: A warning must name one of these.
    blamed: tuple[str, ...]
    #: It must contain one of these hints.
    advice: tuple[str, ...] = ("; ",)
    #: Whether a credential comes with a warning too.
    warns_when_served: bool = False
    #: Descriptions of everything that is wrong.
    wrong: list[str] = field(default_factory=list)
    #: The name of the password, if there is one.
    password: str = ""
    sightings: set[Sighting] = field(default_factory=set)
    #: All hosts that received a request.
    hosts: set[str] = field(default_factory=set)
    seconds: float = 0

    def compare(self, usual: Cell) -> None:
        """With any fault, the token is the usual one, and no secret is sent where it usually is not."""
        if self.password and self.password != usual.password:
            self.wrong.append(f"gave {self.password} in place of {usual.password}")
        # A truncated or changed token may go where the whole one goes.
        places = {one[1:] for one in usual.sightings}
        astray = [
            one for one in sorted(self.sightings - usual.sightings) if one[0] != _PIECE_NAME or one[1:] not in places
        ]
        if astray:
            self.wrong.append(f"sent {astray}")
        # After a failed sign-in, a machine's identity may serve, which needs no secret.
        if not self.hosts <= usual.hosts | {"imds"}:
            self.wrong.append(f"asked {self.hosts - usual.hosts}")


def run(cell: Cell, made: Situation, native: Client, limit: str, debug: bool) -> Cell:
    """Ask the native `keyring`, and judge."""
    variables = {"RINGBEARER_TIMEOUT": limit, "RINGBEARER_DEBUG": "1" if debug else None}
    command = [*made.before, native.program("keyring"), "--mode", "creds", "get", made.service]
    ended = native.run(command, made.environment(**variables), timeout=60)
    cell.seconds = ended.duration
    lines = ended.stderr.splitlines()
    warnings = [line for line in lines if not debug or " WARNING " in line or line.startswith("ringbearer: ")]
    judge(cell, ended.code, ended.stdout, warnings)
    look_around(cell, made, ended.stdout, ended.stderr, limit)
    return cell


def look_around(cell: Cell, made: Situation, stdout: str, shown: str, limit: str) -> None:
    """Record the answer and the requests, and check duration and output."""
    if cell.seconds > min(float(limit), LONGEST) + GRACE:
        cell.wrong.append(f"took {cell.seconds:.1f} s")
    if made.cloud.faults.unmet:
        cell.wrong.append("did not meet the trouble")
    cell.wrong += [f"shows {secret}" for secret in leaks(made.secrets, shown)]
    cell.password = kind_of(made.cloud, stdout)
    cell.sightings = sightings(made.cloud, made.secrets)
    cell.hosts = {one.host for one in everything(made.cloud)}


def judge(cell: Cell, code: int, stdout: str, warnings: list[str]) -> None:
    """Compare outcome and warnings with the expected ones."""
    served = code == 0 and stdout != ""
    if served != (cell.expected == SERVED) or (not served and (code, stdout) != (1, "")):
        # Its output is not shown, since it may be a token.
        cell.wrong.append(f"exit code {code}, {len(stdout)} characters, said {warnings}")
    if len(warnings) != (cell.expected == WARNED or (cell.expected == SERVED and cell.warns_when_served)):
        cell.wrong.append(f"said {warnings}")
    for line in warnings[:1]:
        if not any(one in line for one in cell.advice):
            cell.wrong.append(f"names no next step, or a wrong one: {line}")
        if not any(re.search(r"(?<![\w.-])" + re.escape(one), line) for one in cell.blamed):
            cell.wrong.append(f"names no culprit: {line}")
        if len(line) > 1500:
            cell.wrong.append(f"says {len(line)} characters")


def leaks(secrets: dict[str, str], shown: str) -> list[str]:
    """The secrets in the output."""
    found = [name for name, secret in secrets.items() if any(form in shown for form in forms(secret))]
    found += ["a token, or a piece of one"] if _PIECE.search(shown) else []
    return found + (["the secret of an access key"] if _SECRET_KEY.search(shown) else [])


def forms(secret: str) -> set[str]:
    """The encodings of a secret."""
    return {secret, quote(secret, safe=""), quote(secret), quote_plus(secret)}


def kind_of(cloud: PracticeCloud, stdout: str) -> str:
    """The user name, and the name of the token, which is unknown if the token was truncated or changed."""
    if not stdout:
        return ""
    user, _, password = stdout.rstrip("\n").partition("\n")
    return f"{user} with {_sort(cloud, password)}"


def _sort(cloud: PracticeCloud, secret: str) -> str:
    if secret in cloud.menda.registry_tokens:
        return "a registry's token"
    if secret in cloud.menda.access_tokens:
        return "an access token of Menda's"
    if secret in cloud.codeartifact.authorization_tokens.issued:
        [key] = [
            one.tokens[secret][0] for one in cloud.codeartifact.authorization_tokens.domains if secret in one.tokens
        ]
        return f"a token of CodeArtifact for {key.caller}"
    if cloud.google.tokens.principal(secret):
        return f"a token of Google for {cloud.google.tokens.principal(secret)}"
    if login := cloud.google.accounts.find_login(secret):
        return f"a refresh token of Google for {login.email}"
    claims = tokens.read_genuine(secret)
    if claims is None:
        # The assertion that a client signs with its own certificate or key has another key.
        claims = tokens.read(secret) or {}
        issuer = claims.get("iss")
        return f"a token by {issuer}" if issuer and claims.get("sub", issuer) == issuer else _PIECE_NAME
    return " ".join(f"{name}={claims[name]}" for name in ("iss", "aud", "sub", "scp", "oid") if name in claims)


def everything(cloud: PracticeCloud) -> list[Request]:
    """All requests, including those to the proxy."""
    return [*cloud.log.requests(), *cloud.log.requests(method="CONNECT")]


def sightings(cloud: PracticeCloud, secrets: dict[str, str]) -> set[Sighting]:
    """The secrets that were sent, with host, path and place in the request."""
    found: set[Sighting] = set()
    for request in everything(cloud):
        body = request.body.decode("utf-8", "replace")
        places = {"address": request.target, "body": body}
        places.update({f"header {name.lower()}": value for name, value in request.headers})
        for place, text in places.items():
            readings = (text, unquote(text), unquote_plus(text))
            names = {name for name, secret in secrets.items() if any(secret in reading for reading in readings)}
            for pattern in (_TOKEN, _OPAQUE, _SECRET_KEY):
                names |= {_sort(cloud, match.group()) for match in pattern.finditer(unquote(text))}
            found |= {(name, request.host, request.path, place) for name in names}
    return found
