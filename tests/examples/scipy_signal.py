"""Rows of scipy.signal, fft, ndimage, interpolate, spatial and cluster."""

from __future__ import annotations

from .row import Row

ROWS: list[Row] = []
