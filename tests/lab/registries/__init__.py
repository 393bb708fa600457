"""The registries of the practice cloud. Every module here is one; no other file lists them.

A module, or a package, has one subclass of `lab.registry.Registry`. Its name is the name of the registry: the practice
cloud has the servers as the attribute of that name, and the generic tests run for it.
"""

from __future__ import annotations

import importlib
import pkgutil

from ..registry import Registry


def _registry_of(name: str) -> type[Registry]:
    module = importlib.import_module(f"{__name__}.{name}")
    [found] = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Registry) and value is not Registry
    ]
    found.name = name
    return found


#: The registries by their names.
REGISTRIES = {name: _registry_of(name) for name in sorted(module.name for module in pkgutil.iter_modules(__path__))}
