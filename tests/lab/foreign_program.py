"""Runs in the client's environment, as a process of its own: asks for foreign services, each backend and the
chain, and prints the outcomes as JSON. With ``traced`` it asks each once, between two marks for strace.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time

# The directory of this file: keyring must not import its modules.
del sys.path[0]

from ringbearer import backends  # noqa: E402

import keyring  # noqa: E402

#: The names of the index backends, and the hosts that they claim.
INDEX_BACKENDS, HOSTS = json.loads(sys.argv[2])

#: Names that contain a claimed host and are foreign.
AROUND = [
    "https://{}.evil.example/contoso/",
    "https://evil.example/{}/contoso/",
    "https://evil.example/https://{}/",
    "https://evil.example/#{}/contoso/",
    "https://evil.example?{}/contoso/",
    "https://{}@evil.example/contoso/",
    "https://{}:x@evil.example/contoso/",
    "https://evil.example\\@{}/contoso/",
    "https://{}\\.evil.example/contoso/",
    "https://evil.example\\.{}/contoso/",
    "https://{}%2eevil.example/contoso/",
    "https://{}%00.evil.example/contoso/",
    "https://%61{}/contoso/",
    "https://{}\t.evil.example/contoso/",
    "https://evil.example {}/contoso/",
    "https://..{}/x",
    "https://{}..evil.example/",
    "https://\u0430.{}/contoso/",
    "https://\ud800.{}/",
    "https://{}/\ud800/",
    "http://{}/contoso/_packaging/tools/pypi/simple/",
    "http://{}:443/contoso/",
    "ftp://{}/contoso/",
    "file://{}/contoso/",
    "git+https://{}/contoso/",
    "https:{}/contoso/",
    "https:/{}/contoso/",
    "https:///{}/contoso/",
    "https:////{}/contoso/",
    "///{}/contoso/",
    "//{}/contoso/",
    "https://{}:8443/contoso/",
    "https://{}:80/contoso/",
    "https://{}:99999/contoso/",
    "https://{}:-443/contoso/",
    "{}:8080",
    "user@evil.example/{}",
]
#: Hosts similar to claimed ones.
NEARLY = [
    *("dev.azure.com", "contoso.visualstudio.com", "vssps.dev.azure.com", "feeds.dev.azure.com", "xpkgs.dev.azure.com"),
    *("evil-pkgs.dev.azure.com", "notpkgs.visualstudio.com", "pkgs.dev.azure.co", "dev.azure.com.pkgs"),
    *("cgr.dev", ".cgr.dev", "evilcgr.dev", "evil-cgr.dev", "libraries.cgr.de", "libraries.cgr.dev.com", "cgr.dev.cgr"),
    *("issuer.enforce.dev", "console-api.enforce.dev", "amazonaws.com", "s3.amazonaws.com", "api.example.menda.cloud"),
    *("codeartifact.eu-west-1.amazonaws.com", "menda.d.codeartifact.eu-west-1.amazonaws.com"),
    *("menda-05826416951.d.codeartifact.eu-west-1.amazonaws.com", "-058264169513.d.codeartifact.a.amazonaws.com"),
    *("a.b-058264169513.d.codeartifact.eu-west-1.amazonaws.com", "m-058264169513.d.codeartifact.a.b.amazonaws.com"),
    *("m-058264169513.d.codeartifact..amazonaws.com", "m-058264169513.x.codeartifact.eu-west-1.amazonaws.com"),
    *("m-058264169513.d.codeartifact.eu-west-1.amazonaws.co", "m-058264169513.d.codeartifact.x.amazonaws.com.x"),
    *("ring-111122223333.d.codeartifact.eu-west-1.on.aws", "ring-111122223333.codeartifact.eu-west-1.amazonaws.com"),
    *("r-111122223333.codeartifact.cn-north-1.on.aws", "r-111122223333.codeartifact.eu-west-1.evilon.aws"),
    *("pkg.dev", "python.pkg.dev", "-python.pkg.dev", "us-docker.pkg.dev", "us-pypi.pkg.dev", "us-python.pkg.dev.x"),
    *(
        "evil.us-python.pkg.dev",
        "us-pythonpkg.dev",
        "us-python.evilpkg.dev",
        "us-python-x.pkg.dev",
        "us_-python.pkg.dev",
    ),
    *("python.us-east1.pkg.dev", "python.rep.pkg.dev", "docker.us-east1.rep.pkg.dev", "python.a.b.rep.pkg.dev"),
    *("oauth2.googleapis.com", "sts.googleapis.com", "us-python\uff0epkg.dev", "us-python.pkg.d\u0435v"),
    *("pkgs\u3002dev\u3002azure\u3002com", "pkgs.dev.azure.\u0441om", "libraries\uff0ecgr\uff0edev"),
    *("/%70kgs.dev.azure.com", "/libraries%2ecgr.dev", "/libraries\uff0ecgr\uff0edev", "//libraries.cgr.dev"),
    *("registry.example", "upload.example", "localhost", "127.0.0.1", "[::1]", "[::1", "%70kgs.dev.azure.com"),
]
#: Services that tools probe with, and invalid ones.
NAMES = [
    *("python-poetry-check", "poetry-repository-contoso", "poetry-repository-azure", "main", "test", "pypi", "system"),
    *("", " ", "\n", "\0", "/", "//", "://", "https://", "http://", "https:///x", "not-a-url", "\udcff", "\U0001f600"),
    *("%s", "{}", "$HOME", "~", "..", "C:\\", "-", "--help", "a b"),
]
#: So large that copying it takes measurable time.
LARGE = [
    "https://pkgs.dev.azure.com/" + "x" * 1_000_000,
    "https://libraries.cgr.dev/" + "x" * 1_000_000,
    "https://" + "a." * 100_000 + "pkgs.dev.azure.com/",
    "https://" + "a." * 100_000 + "libraries.cgr.dev/",
    *("x" * 10_000_000, "://" * 100_000, "@" * 100_000, "%" * 100_000, "\u00e9" * 1_000_000),
]
TEXTS = [template.format(host) for template in AROUND for host in HOSTS]
TEXTS += [form.format(host) for host in NEARLY for form in ("https://{}/contoso/", "{}")] + NAMES + LARGE
NO_TEXTS = [None, True, 0, 7, 1.5, b"", b"https://pkgs.dev.azure.com/contoso/", bytearray(b"x"), object(), [], {}, ()]
NO_TEXTS += [type, ["https://libraries.cgr.dev/python/simple/"]]
#: User names that Poetry, flit, hatch and PDM pass, and odd ones.
USERS = ["python-poetry", "__poetry_source_empty_username__", "__token__", "aws", "_token", "", None, 7, b"x", "\ud800"]
ALL = [getattr(backends, name) for name in (*INDEX_BACKENDS, "NoStoreKeyring")]


def _threads() -> int:
    return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1


def _shown(service: object) -> str:
    return ascii(service[:60] if isinstance(service, str) else service)


def _median(ask: object, service: object) -> float:
    """Microseconds."""
    seconds = []
    for _ in range(5 if isinstance(service, str) and len(service) > 10_000 else 15):
        started = time.perf_counter()
        ask(service, "alice")
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds) * 1e6


def _ask_for_all(ask_text: list, ask_any: list) -> list:
    """The answers other than None, with their questions."""
    asked = [(ask, text, user) for ask in ask_text for text in TEXTS for user in USERS if text not in LARGE]
    asked += [(ask, one, user) for ask in ask_any for one in NO_TEXTS for user in USERS]
    asked += [(ask, text, "alice") for ask in ask_text for text in LARGE]
    found = ((_shown(service), ascii(user), ask(service, user)) for ask, service, user in asked)
    return [[*names, str(answer)] for *names, answer in found if answer is not None]


def main(mode: str) -> None:
    """Ask."""
    made = [kind() for kind in ALL]
    by_backend = [ask for backend in made for ask in (backend.get_credential, backend.get_password)]
    by_chain = [keyring.get_credential, keyring.get_password]
    for ask in by_backend + by_chain:
        ask("something", "alice")
    if mode == "traced":
        os.path.exists("/the-beginning")
        for ask in by_backend + by_chain:
            for service in TEXTS if ask in by_chain else TEXTS + NO_TEXTS:
                ask(service, "alice")
        os.path.exists("/the-end")
        return
    threads = _threads()
    answers = _ask_for_all(by_backend + by_chain, by_backend)
    costs = [[_shown(service), _median(ask, service)] for ask in by_backend for service in TEXTS + NO_TEXTS]
    costs += [[_shown(service), _median(ask, service)] for ask in by_chain for service in TEXTS]
    result = {"answers": answers, "count": len(TEXTS), "threads": _threads() - threads}
    print(json.dumps({**result, "slow": [cost for cost in costs if cost[1] >= 100]}))


main(sys.argv[1])
