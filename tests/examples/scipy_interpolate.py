"""Rows of `scipy.interpolate`: boundary conditions, axes, derivatives, points and data."""

from __future__ import annotations

import numpy as np
import scipy.interpolate as sp
from scipy.sparse.linalg import spsolve

from fgrad.scipy import interpolate

from .row import P, R, linear, row

X = np.array([0.0, 0.7, 1.2, 2.1, 2.9])
#: Points off the breakpoints, outside on both sides.
Z = np.array([-0.4, 0.3, 2.5, 3.3])

POINTS = np.array([[0.3, 1.4], [-0.2, 0.9], [2.0, 3.1]])
#: SciPy solves for the splines of a grid by iteration, unless it is told otherwise.
EXACT = {"cubic": {"solver": spsolve}}


def _spline(name, x=X, nu=0, **keywords):
    """At given points, as a function of the data."""
    return lambda y: getattr(interpolate, name)(x, y, **keywords)(Z, nu)


def _points(name, **keywords):
    """As a function of points too, which are near 0, 0.3 and 2.5."""
    return lambda y, z: getattr(interpolate, name)(X, y, **keywords)(
        np.array([-0.4, 0.3, 2.5]) + 0.02 * z
    )


def _breaks(name, n=5, **keywords):
    """As a function of the breakpoints, the data and the points."""
    return lambda x, y: getattr(interpolate, name)(np.cumsum(x), y, **keywords)(Z[1:3])


BOUNDARIES = [
    ("not-a-knot", X), ("natural", X[:3]), (((1, 0.5), (2, 0.3)), X[:4]), ("clamped", X[:2]),
    ("not-a-knot", X[:3]), ("not-a-knot", X[:2]),
]  # fmt: skip

ROWS = [
    *(
        linear(sp.CubicSpline, [(len(x),)], _spline("CubicSpline", x, bc_type=bc), bits=False,
               complex=isinstance(bc, str), kind="linear" if isinstance(bc, str) else "smooth")
        for bc, x in BOUNDARIES
    ),
    linear(
        sp.CubicSpline, [(4, 2)], bits=False,
        call=lambda y: interpolate.CubicSpline(
            X, np.concatenate([y, y[:1]]), bc_type="periodic")(Z, 1),
    ),
    linear(
        sp.CubicSpline, [(2, 4)], bits=False,
        call=lambda y: interpolate.CubicSpline(X[:4], y, axis=1).antiderivative()(Z),
    ),
    linear(
        sp.CubicSpline, [(4,)], bits=False, complex=False,
        call=lambda y: interpolate.CubicSpline(X[:4], y).derivative(2).integrate(-0.5, 2.0),
    ),
    row(sp.CubicSpline, [(5,), (3,)], _points("CubicSpline"), bits=False),
    row(sp.CubicSpline, [P(4), (4,)], _breaks("CubicSpline"), bits=False),
    row(
        sp.CubicSpline, [P(4), (3,), ()], bits=False,
        call=lambda x, y, z: interpolate.CubicSpline(
            np.cumsum(x), np.concatenate([y, y[:1]]), bc_type="periodic")(3 * z + 1),
    ),
    row(
        sp.CubicSpline, [(), (4,), ()], bits=False,
        call=lambda a, y, b: interpolate.CubicSpline(X[:4], y, bc_type=((1, a), (2, b)))(Z),
    ),
    row(sp.PchipInterpolator, [(5,), (3,)], _points("PchipInterpolator"), bits=False),
    row(sp.PchipInterpolator, [P(4), (4, 2)], _breaks("PchipInterpolator"), bits=False),
    row(sp.Akima1DInterpolator, [(5,), (3,)], _points("Akima1DInterpolator", extrapolate=True),
        bits=False),
    row(sp.Akima1DInterpolator, [P(4), (4,)], _breaks("Akima1DInterpolator", method="makima",
        extrapolate=True), bits=False),
    row(
        sp.CubicHermiteSpline, [(3, 2), (3, 2), R(2, low=0.1, high=1.1)], bits=False,
        call=lambda y, d, z: interpolate.CubicHermiteSpline(X[:3], y, d)(z, 1),
    ),
    row(
        sp.PPoly, [(3, 2, 2), P(3), ()], bits=False,
        call=lambda c, x, z: interpolate.PPoly(c, np.cumsum(x), "periodic")(z),
    ),
    # B-splines.
    *(
        linear(
            sp.make_interp_spline, [(4,)], bits=False,
            call=lambda y, k=k, bc=bc: interpolate.make_interp_spline(
                X[:4], y, k, bc_type=bc)(Z, 1),
        )
        for k, bc in [(1, None), (3, None), (2, None), (3, "natural")]
    ),
    row(
        sp.make_interp_spline, [(4, 2), (2,)], bits=False,
        call=lambda y, d: interpolate.make_interp_spline(
            X[:4], y, bc_type=([(1, d)], [(2, 0 * d)]))(Z),
    ),
    row(
        sp.make_interp_spline, [P(4), (4,), R(2, low=1.1, high=1.4)], bits=False,
        call=lambda x, y, z: interpolate.make_interp_spline(np.cumsum(x), y, 2)(z),
    ),
    row(
        sp.BSpline, [P(6), (3, 2), R(2, low=1.0, high=2.0)], bits=False,
        call=lambda t, c, z: interpolate.BSpline(np.cumsum(t), c, 2)(z),
    ),
    row(
        sp.BSpline, [(4,), ()], bits=False,
        call=lambda c, b: interpolate.BSpline(
            np.array([0.0, 0, 0, 1, 3, 3, 3]), c, 2).antiderivative().derivative(2)(b),
    ),
    row(
        sp.BSpline, [(4,), P()], bits=False,
        call=lambda c, b: interpolate.BSpline(np.arange(7.0), c, 2, False).integrate(0.5, b + 2),
    ),
    # Grids.
    *(
        row(
            sp.RegularGridInterpolator, [(4, 5), R(3, 2, low=0.1, high=1.9)], bits=False,
            call=lambda v, z, m=m: interpolate.RegularGridInterpolator(
                (X[:4], X), v, m, **EXACT.get(m, {}))(z),
        )
        for m in ("linear", "pchip", "cubic")
    ),
    linear(
        sp.RegularGridInterpolator, [(4, 5)], bits=False,
        call=lambda v: interpolate.RegularGridInterpolator(
            (X[:4], X[::-1]), v, "nearest", False, None)(POINTS),
    ),
    linear(
        sp.RegularGridInterpolator, [(4, 5, 2)], bits=False, kind="smooth",
        call=lambda v: interpolate.RegularGridInterpolator(
            (X[:4], X), v, bounds_error=False, fill_value=1.5)(POINTS),
    ),
    row(
        sp.RegularGridInterpolator, [(4, 4)], bits=False,
        call=lambda v: interpolate.RegularGridInterpolator(
            (X[:4], X[:4]), v, "slinear", False, None, **EXACT["cubic"])(POINTS, nu=(1, 0)),
    ),
    row(
        sp.RegularGridInterpolator, [P(2), (2, 2), R(2, low=0.1, high=0.3)], bits=False,
        call=lambda g, v, z: interpolate.RegularGridInterpolator(
            (np.cumsum(g), X[:2]), v)(np.stack([g[0] + z, z], axis=-1)),
    ),
    row(
        sp.interpn, [(4, 5), R(2, low=0.1, high=1.9)], bits=False,
        call=lambda v, z: interpolate.interpn((X[:4], X), v, z),
    ),
    # Lines.
    row(
        sp.interp1d, [P(3), (2, 3), R(2, low=0.6, high=0.9)], bits=False,
        call=lambda x, y, z: interpolate.interp1d(np.cumsum(x), y)(z + x[0]),
    ),
    row(
        sp.interp1d, [(5,), R(3, low=0.1, high=2.8)], bits=False,
        call=lambda y, z: interpolate.interp1d(X[::-1], y, "quadratic")(z),
    ),
    linear(
        sp.interp1d, [(5,), ()], bits=False, complex=False,
        call=lambda y, a: interpolate.interp1d(
            X, y, "nearest", bounds_error=False, fill_value=(a, 2 * a))(Z),
    ),
    linear(
        sp.interp1d, [(5, 2)], bits=False,
        call=lambda y: interpolate.interp1d(
            X, y, "next", axis=0, bounds_error=False, fill_value=0.0)(Z),
    ),
    linear(
        sp.interp1d, [(5,)], bits=False,
        call=lambda y: interpolate.interp1d(X, y, fill_value="extrapolate")(Z),
    ),
    row(
        sp.pchip_interpolate, [(4,)], bits=False,
        call=lambda y: interpolate.pchip_interpolate(X[:4], y, Z[1:2], der=[0, 1]),
    ),
]  # fmt: skip
