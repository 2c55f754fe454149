"""Rows of the methods of numpy.ndarray."""

from __future__ import annotations

from .row import Row

ROWS: list[Row] = []
