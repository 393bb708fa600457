"""Tiny pure-Python distributions, made in memory: wheels (PEP 427) and source archives (PEP 517, PEP 518)."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Package:
    """A distribution file and its metadata."""

    name: str
    version: str
    file_name: str
    content: bytes = field(repr=False)
    metadata: bytes = field(repr=False, default=b"")

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


def sdist(name: str, version: str = "1.0", build_requires: Sequence[str] = ()) -> Package:
    """A source archive that builds itself. The build fails unless each of the ``build_requires`` can be imported."""
    made = wheel(name, version)
    backend = "".join(f"import {normalize(one).replace('-', '_')}\n" for one in build_requires) + _BACKEND
    project = "[build-system]\nrequires = [{}]\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    files = {
        "PKG-INFO": made.metadata,
        "pyproject.toml": project.format(", ".join(repr(one) for one in build_requires)).encode(),
        "backend.py": backend.encode(),
        made.file_name: made.content,
    }
    directory = f"{normalize(name).replace('-', '_')}-{version}"
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(f"{directory}/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return Package(name, version, directory + ".tar.gz", stream.getvalue(), made.metadata)


#: The build only copies the wheel inside the archive.
_BACKEND = """
import glob
import shutil


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    [made] = glob.glob("*.whl")
    shutil.copy(made, wheel_directory)
    return made
"""


def _record_hash(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return "sha256=" + digest.decode()
