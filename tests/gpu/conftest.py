"""Tests that need a GPU: `python -m pytest -m gpu`. Without one, or without CuPy, they skip."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest


def _device() -> Any:
    """CuPy, if it is installed and has a device."""
    if importlib.util.find_spec("cupy") is None:
        return None
    cupy: Any = importlib.import_module("cupy")
    return cupy if cupy.cuda.is_available() else None


#: Found out once, while tests are collected: thousands of skipped tests would take seconds.
DEVICE = _device()


@pytest.fixture
def cupy() -> Any:
    """CuPy."""
    if DEVICE is None:
        pytest.skip("there is no GPU, or CuPy is not installed")
    return DEVICE


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test stands for all rows where there is no GPU to run them."""
    if "row" in metafunc.fixturenames:
        rows = metafunc.module.WORKING
        metafunc.parametrize("row", rows if DEVICE is not None else rows[:1], ids=str)
