"""Rows of scipy.linalg."""

from __future__ import annotations

from .row import Row

ROWS: list[Row] = []
