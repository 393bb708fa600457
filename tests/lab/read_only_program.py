"""Runs in the client's environment, by its pytest: keyring's own tests of a backend, inverted for those that store
nothing. Each test that stores something is here under the same name, with the opposite expectation.
"""

from __future__ import annotations

import inspect
import os

import pytest
from keyring.testing.backend import UNICODE_CHARS, BackendBasicTests
from keyring.testing.util import random_string
from ringbearer import backends
from ringbearer import errors as ours

from keyring import backend, errors

#: Tests of keyring that hold unchanged, or with the helpers overridden here.
_AS_THEY_ARE = {"test_name_property", "test_set_properties", "test_new_with_properties"}
_BY_HELPERS = {"test_password_set_get", "test_difficult_chars", "test_unicode_chars", "test_unicode_and_ascii_chars"}


class ReadOnlyTests(BackendBasicTests):
    """For the backend that the class is named after."""

    #: The exception of a write, and its required base classes.
    raised: tuple = (ours.ReadOnlyError, errors.PasswordSetError, errors.PasswordDeleteError, NotImplementedError)

    def init_keyring(self):
        return getattr(backends, type(self).__name__[len("Test") :])()

    def check_error(self, act, *words):
        """A write raises with a one-line message that quotes no argument."""
        with pytest.raises(errors.KeyringError) as found:
            act(*words)
        assert [kind for kind in self.raised if not isinstance(found.value, kind)] == []
        text = str(found.value)
        assert len(text.splitlines()) == 1
        assert not words[-1] or words[-1] not in text

    def check_nothing(self, service, username, password="planted"):
        """Nothing is stored, before and after a write."""
        for _ in range(2):
            assert self.keyring.get_password(service, username) is None
            assert self.keyring.get_credential(service, username) is None
            assert self.keyring.get_credential(service, None) is None
            self.check_error(self.keyring.set_password, service, username, password)
            self.check_error(self.keyring.delete_password, service, username)

    def check_set_get(self, service, username, password):
        self.check_nothing(service, username, password)
        self.check_nothing(service, username, "")

    def random(self, characters):
        return [random_string(20, characters) for _ in range(3)]

    def test_set_after_set_blank(self):
        self.check_set_get(*self.random("xyz"))

    def test_delete_present(self):
        self.check_nothing(*self.random(self.DIFFICULT_CHARS))

    def test_delete_not_present(self):
        service, username, _ = self.random(self.DIFFICULT_CHARS)
        self.check_error(self.keyring.delete_password, service, username)

    def test_delete_one_in_group(self):
        service, *usernames = self.random(self.DIFFICULT_CHARS)
        for username in usernames:
            self.check_nothing(service, username)

    def test_different_user(self):
        for service in ("service1", "service2"):
            for username in ("user1", "user2"):
                self.check_nothing(service, username)

    def test_credential(self):
        self.check_nothing("service1", "user1")
        assert self.keyring.get_credential("service1", "nobody!") is None

    def test_wrong_username_returns_none(self):
        assert self.keyring.get_credential("test_wrong_username_returns_none", "nobody!") is None

    def test_empty_username(self):
        assert self.keyring.get_password("service1", "") is None
        with pytest.deprecated_call():
            self.check_error(self.keyring.set_password, "service1", "", "planted")
        self.check_error(self.keyring.delete_password, "service1", "")

    @pytest.mark.parametrize("word", ["\ud800", "\udcff", "x" * 1_000_000, UNICODE_CHARS * 100, "\0", "a\nb", "%s"])
    def test_odd_words(self, word):
        self.check_nothing(word, "user1")
        self.check_nothing("service", word)
        self.check_error(self.keyring.set_password, "service", "user1", word)

    @pytest.mark.parametrize("odd", [None, 7, b"bytes", object, ["list"], {}], ids=str)
    def test_what_is_no_text(self, odd):
        assert self.keyring.get_password(odd, odd) is None
        assert self.keyring.get_credential(odd, odd) is None
        with pytest.raises(self.raised[0]):
            self.keyring.delete_password(odd, odd)

    def test_text_form(self):
        kind = type(self.keyring)
        assert str(self.keyring) == f"ringbearer.backends.{kind.__name__} (priority: {kind.priority:g})"
        assert self.keyring.name == f"backends {kind.__name__}"
        assert kind.viable and 0 < kind.priority < 10

    def test_copies_are_read_only_too(self):
        for copy in (self.keyring.with_properties(foo="bar"), self.keyring.with_properties()):
            assert type(copy) is type(self.keyring) and copy is not self.keyring
            assert copy.get_password("service1", "user1") is None
            self.check_error(copy.set_password, "service1", "user1", "planted")

    def test_the_signatures_are_those_of_the_base(self):
        for name in ("get_password", "set_password", "delete_password", "get_credential"):
            of_base, of_ours = (
                list(inspect.signature(getattr(kind, name)).parameters)
                for kind in (backend.KeyringBackend, type(self.keyring))
            )
            assert of_ours == of_base

    def test_no_test_of_keyrings_is_left_out(self):
        names = {name for name in vars(BackendBasicTests) if name.startswith("test_")}
        assert len(names) >= 15
        assert names - _AS_THEY_ARE - _BY_HELPERS == names & set(vars(ReadOnlyTests))


for _name in os.environ["READ_ONLY_BACKENDS"].split():
    globals()[f"Test{_name}"] = type(f"Test{_name}", (ReadOnlyTests,), {})


class TestNoStoreKeyring(ReadOnlyTests):
    raised = (ours.NoStoreError, errors.NoKeyringError)
