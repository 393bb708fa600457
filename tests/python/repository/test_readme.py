"""The README matches the code."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for folder, pattern in (("src", "**/*.rs"), ("python", "**/*.py"))
    for path in sorted((ROOT / folder).glob(pattern))
)


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = re.split(r"\n###? ", README.split(f"\n## {heading}\n")[1])[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_provider_table_has_the_order_of_the_code() -> None:
    shown = [row[0].split("`")[1] for row in rows("Where the login comes from")]
    listed = re.findall(
        r"&([a-z_]+)::[A-Z]", (ROOT / "src/registry/azure/providers/mod.rs").read_text(encoding="utf-8")
    )
    assert shown == listed


def test_chainguard_table_has_the_order_of_the_code() -> None:
    folder = ROOT / "src/registry/chainguard"
    named = {}
    for path in folder.glob("*.rs"):
        found = re.findall(r"for (\w+) \{\s+fn name\(&self\) -> &'static str \{\s+\"(\w+)\"", path.read_text())
        named.update({(path.stem, kind): name for kind, name in found})
    listed = re.findall(r"&([a-z_]+)::(\w+),", (folder / "mod.rs").read_text().split("const SOURCES")[1].split("];")[0])
    assert [row[0].split("`")[1] for row in rows("Chainguard Libraries")] == [named[one] for one in listed]


def test_every_variable_of_the_tables_is_read_by_the_code() -> None:
    cells = [row[1] for heading in ("Where the login comes from", "Chainguard Libraries") for row in rows(heading)]
    cells += [row[0] for row in rows("Environment variables")]
    named = {name for cell in cells for name in re.findall(r"`([A-Z][A-Z_]{4,})(?:=\w+)?`", cell)}
    assert len(named) > 30
    assert sorted(name for name in named if name not in SOURCES) == []


def test_troubleshooting_messages_are_in_the_code() -> None:
    unknown = []
    for row in rows("Troubleshooting"):
        for message in re.findall(r"`([^`]+)`", row[0]):
            for fragment in message.split("..."):
                # The code has placeholders in braces; provider names are joined elsewhere.
                words = re.sub(r"^REQUESTS_CA_BUNDLE |^azure_cli failed \(|[:;,)( ]+$|^[:;,)( ]+", "", fragment)
                if len(words) > 3 and words not in SOURCES:
                    unknown.append(message)
    assert unknown == []


def test_nothing_is_left_to_be_filled_in() -> None:
    assert re.findall(r"^[A-Z]{4,}$|\bTODO\b|\bTBD\b", README, re.MULTILINE) == []
