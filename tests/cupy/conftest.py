"""The stand-in is CuPy while a test of this folder runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .library import installed


@pytest.fixture(autouse=True)
def cupy() -> Iterator[Any]:
    """The module that stands in for CuPy."""
    with installed() as module:
        yield module
