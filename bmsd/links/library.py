"""Python-can, imported when an interface needs it, and without what it never uses for us: half of its memory."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, cast

_UNUSED = ("ssl", "_hashlib", "_asyncio", "wrapt", "bz2", "lzma", "asammdf")
"""It has parts for network servers, threads and files in many formats; none of them is used here."""


def python_can() -> Any:
    """Give the library."""
    try:
        with _without(_UNUSED):
            return import_module("can")
    except ImportError:
        return import_module("can")  # another version of it may need them


@contextlib.contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    """Import as where these modules are not installed: OpenSSL alone is 4 MiB of a process. Later they are there."""
    left_out = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(left_out, cast(ModuleType, None)))
    try:
        yield
    finally:
        for name in left_out:
            del sys.modules[name]
