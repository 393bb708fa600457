"""Tiny pure-Python wheels, built in memory (PEP 427)."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Package:
    """A distribution file and what an index tells about it."""

    name: str
    version: str
    file_name: str
    content: bytes = field(repr=False)
    metadata: bytes = field(repr=False, default=b"")
    requires_python: str = ""

    @property
    def sha256(self) -> str:
        """The digest that links carry (PEP 503)."""
        return hashlib.sha256(self.content).hexdigest()


def normalize(name: str) -> str:
    """A project's name as indexes spell it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wheel(name: str, version: str = "1.0", requires: Sequence[str] = (), source: str = "") -> Package:
    """A wheel with one module, which has a ``greeting`` unless a source is given."""
    module = normalize(name).replace("-", "_")
    directory = f"{module}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", "Name: " + name, "Version: " + version, "Summary: A practice package"]
    lines += ["Requires-Dist: " + requirement for requirement in requires]
    metadata = ("\n".join(lines) + "\n\nMade for practice.\n").encode()
    files = {
        module + ".py": (source or f"greeting = 'hello from {name} {version}'\n").encode(),
        directory + "/METADATA": metadata,
        directory + "/WHEEL": b"Wheel-Version: 1.0\nGenerator: lab\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},{_record_hash(content)},{len(content)}" for path, content in files.items()]
    record.append(directory + "/RECORD,,")
    files[directory + "/RECORD"] = ("\n".join(record) + "\n").encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            # A fixed date keeps the hash the same from run to run, which lock files rely on.
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), content)
    file_name = f"{module}-{version}-py3-none-any.whl"
    return Package(name, version, file_name, stream.getvalue(), metadata)


def _record_hash(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return "sha256=" + digest.decode()
