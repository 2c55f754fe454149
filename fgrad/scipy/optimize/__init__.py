"""Minima and roots over pytrees, as in `scipy.optimize`, differentiated implicitly."""

from __future__ import annotations

from .minima import minimize as minimize
from .roots import fsolve as fsolve
from .roots import root as root
from .scalars import bisect as bisect
from .scalars import brenth as brenth
from .scalars import brentq as brentq
from .scalars import minimize_scalar as minimize_scalar
from .scalars import newton as newton
from .scalars import ridder as ridder
from .scalars import root_scalar as root_scalar
from .scalars import toms748 as toms748
from .squares import curve_fit as curve_fit
from .squares import least_squares as least_squares
from .squares import nnls as nnls
