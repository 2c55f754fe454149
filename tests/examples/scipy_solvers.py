"""Rows of scipy.integrate, optimize and sparse.linalg."""

from __future__ import annotations

from .row import Row

ROWS: list[Row] = []
