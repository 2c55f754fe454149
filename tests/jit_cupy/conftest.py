"""The stand-in is CuPy while a test of this folder runs."""

from __future__ import annotations

from ..cupy.conftest import cupy

__all__ = ["cupy"]
