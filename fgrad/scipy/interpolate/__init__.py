"""Interpolation in one dimension and on grids, as in `scipy.interpolate`."""

from __future__ import annotations

from .bsplines import BSpline as BSpline
from .bsplines import make_interp_spline as make_interp_spline
from .cubics import Akima1DInterpolator as Akima1DInterpolator
from .cubics import CubicHermiteSpline as CubicHermiteSpline
from .cubics import CubicSpline as CubicSpline
from .cubics import PchipInterpolator as PchipInterpolator
from .grids import RegularGridInterpolator as RegularGridInterpolator
from .grids import interpn as interpn
from .lines import interp1d as interp1d
from .lines import pchip_interpolate as pchip_interpolate
from .pieces import PPoly as PPoly
