"""Images at points between their pixels, as in `scipy.ndimage`."""

from __future__ import annotations

from .filters import spline_filter as spline_filter
from .filters import spline_filter1d as spline_filter1d
from .points import map_coordinates as map_coordinates
