"""Reading other keyrings, for ``ringbearer store import --from-keyring``."""

import configparser
import importlib
import sys
from collections.abc import Iterator
from typing import Any

import keyring.core
from keyring.backend import KeyringBackend

from ringbearer import errors

__all__ = ["read"]


def read(backend: str, names: "list[tuple[str, str]]") -> "list[tuple[str, str, str]]":
    """Service, user name and password of the named records; without names, of all that the keyring can list.

    Raises ConfigurationError if the keyring cannot be loaded, cannot list its records, or lacks a named one.
    """
    try:
        source: KeyringBackend = keyring.core.load_keyring(backend)
    except Exception as error:
        raise errors.ConfigurationError(
            f"the keyring {backend} cannot be loaded: {_line(error)}; `keyring --list-backends` names those that can be"
        ) from None
    try:
        wanted = names or list(_names(source, backend))
    except errors.ConfigurationError:
        raise
    except Exception as error:
        raise errors.ConfigurationError(f"{backend} does not list its records: {_line(error)}") from None
    found = []
    for service, username in wanted:
        try:
            password = source.get_password(service, username)
        # Not every backend raises only keyring's errors.
        except Exception as error:
            what = f"{backend} does not give the password of {username!r}: {_line(error)}"
            raise errors.ConfigurationError(what) from None
        if password is not None:
            found.append((service, username, password))
        elif names:
            raise errors.ConfigurationError(f"{backend} has no password of {username!r} for {service!r}")
    if len(found) < len(wanted):
        left_out = len(wanted) - len(found)
        print(f"{left_out} of the {len(wanted)} records that {backend} lists have no password there", file=sys.stderr)
    return found


def _line(error: Exception) -> str:
    """The error's message as one line without control characters."""
    words = "".join(character if character.isprintable() else " " for character in str(error))
    return " ".join(words.split())[:300] or type(error).__name__


def _names(source: Any, backend: str) -> "Iterator[tuple[str, str]]":
    """Service and user name of every record. keyring has no API for this; each backend needs its own."""
    if hasattr(source, "get_preferred_collection"):
        return _names_of_secret_service(source)
    if hasattr(source, "file_path"):
        return _names_of_file(source)
    raise errors.ConfigurationError(f"{backend} cannot list its records; name each with --name SERVICE USER")


def _names_of_secret_service(source: Any) -> "Iterator[tuple[str, str]]":
    for item in source.get_preferred_collection().get_all_items():
        attributes = item.get_attributes()
        if "service" in attributes and "username" in attributes:
            yield attributes["service"], attributes["username"]


def _names_of_file(source: Any) -> "Iterator[tuple[str, str]]":
    """The files of keyrings.alt: a section for each service, an option for each user, both escaped."""
    # The package that wrote the file, and so is installed; ringbearer itself does not depend on it.
    unescape = importlib.import_module("keyrings.alt.escape").unescape
    config = configparser.RawConfigParser()
    try:
        with open(source.file_path, encoding="utf-8") as stream:
            config.read_file(stream)
    except OSError as error:
        what = f"{source.file_path!r} cannot be read, nothing to import: {error.strerror}"
        raise errors.ConfigurationError(what) from None
    for section in config.sections():
        if unescape(section) == "keyring-setting":
            continue
        for option in config.options(section):
            yield unescape(section), unescape(option)
