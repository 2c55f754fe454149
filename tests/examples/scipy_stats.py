"""Rows of scipy.stats."""

from __future__ import annotations

from .row import Row

ROWS: list[Row] = []
