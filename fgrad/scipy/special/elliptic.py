"""Elliptic integrals and functions, the arithmetic-geometric mean, and Lambert's W."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from ...doors import door
from ...rules import elementwise, line_up, primitive, total
from .declare import weighted
from .quadrature import integral
from .series import removable

# ------------------------------------------------------------------ complete integrals
# The squares of (2k - 1)!! / (2k)!!, DLMF 19.5.1 and 19.5.2.
_SQUARES = [(math.comb(2 * k, k) / 4**k) ** 2 * math.pi / 2 for k in range(20)]
_K_SLOPE = [k * c for k, c in enumerate(_SQUARES)][1:]
_E_SLOPE = [-k * c / (2 * k - 1) for k, c in enumerate(_SQUARES)][1:]


def _k_slope(m: Any) -> Any:
    """The derivative of ellipk, DLMF 19.4.1; a power series near 0, where it is 0 / 0."""

    def far(m: Any) -> Any:
        k = special.ellipk(np.where(np.equal(m, 1), 0, m))
        return (special.ellipe(m) / (1 - m) - k) / (2 * m)

    return removable(m, 0.1, _K_SLOPE, far)


def _e_slope(m: Any) -> Any:
    return removable(m, 0.1, _E_SLOPE, lambda m: (special.ellipe(m) - special.ellipk(m)) / (2 * m))


def _km1_slope(p: Any) -> Any:
    """The derivative of ellipkm1, with the digits that a small p has."""

    def far(m: Any) -> Any:
        k = special.ellipkm1(np.where(np.equal(p, 0), 1, p))
        return (special.ellipe(m) / p - k) / (2 * m)

    return -removable(1 - p, 0.1, _K_SLOPE, far)


elementwise(special.ellipk, lambda ans, m: _k_slope(m))
elementwise(special.ellipe, lambda ans, m: _e_slope(m))
elementwise(special.ellipkm1, lambda ans, p: _km1_slope(p))


def _agm_a(ans: Any, a: Any, b: Any) -> Any:
    # agm(a, b) = pi / 4 (a + b) / K(1 - p), DLMF 19.8.5.
    s = a + b
    p = 4 * (a / s) * (b / s)
    return ans * (1 / s - _km1_slope(p) / special.ellipkm1(p) * 4 * (b / s) * ((b - a) / s) / s)


elementwise(special.agm, _agm_a, lambda ans, a, b: _agm_a(ans, b, a))


# ------------------------------------------------------------------ incomplete integrals
def _f_m(phi: Any, m: Any) -> Any:
    """The derivative of ellipkinc(phi, m) in m: the integral of its integrand's derivative."""
    turns = np.rint(phi / math.pi)
    phi = phi - math.pi * turns

    def f(u: Any, phi: Any, m: Any) -> Any:
        square = np.square(np.sin(phi * u))
        root = 1 - m * square
        return square / (2 * root * np.sqrt(root))

    whole = np.where(np.equal(turns, 0), 0.0, 2 * turns * _k_slope(np.where(turns == 0, 0.0, m)))
    return whole + phi * integral(f, (0.0, np.ones_like(phi + m)), phi, m)


def _e_m(phi: Any, m: Any) -> Any:
    """The derivative of ellipeinc(phi, m) in m."""
    turns = np.rint(phi / math.pi)
    phi = phi - math.pi * turns

    def f(u: Any, phi: Any, m: Any) -> Any:
        square = np.square(np.sin(phi * u))
        return -square / (2 * np.sqrt(1 - m * square))

    whole = np.where(np.equal(turns, 0), 0.0, 2 * turns * _e_slope(np.where(turns == 0, 0.0, m)))
    return whole + phi * integral(f, (0.0, np.ones_like(phi + m)), phi, m)


elementwise(
    special.ellipkinc,
    lambda ans, phi, m: 1 / np.sqrt(1 - m * np.square(np.sin(phi))),
    lambda ans, phi, m: _f_m(phi, m),
)
elementwise(
    special.ellipeinc,
    lambda ans, phi, m: np.sqrt(1 - m * np.square(np.sin(phi))),
    lambda ans, phi, m: _e_m(phi, m),
)


# ------------------------------------------------------------------ elliptic functions
def _j_u(ans: Any, m: Any) -> tuple[Any, ...]:
    sn, cn, dn, _ = ans
    return cn * dn, -sn * dn, -m * sn * cn, dn


def _j_m(ans: Any, m: Any) -> tuple[Any, ...]:
    # ellipkinc(ph, m) stays u.
    sn, cn, dn, ph = ans
    slope = -dn * _f_m(ph, m)
    return cn * slope, -sn * slope, -sn * (0.5 * sn + m * cn * slope) / dn, slope


def _ellipj_jvp(ts: Any, ans: Any, u: Any, m: Any) -> Any:
    parts = [
        [t * d for d in slopes(ans, m)]
        for t, slopes in zip(ts, (_j_u, _j_m), strict=True)
        if t is not None
    ]
    return tuple(total(terms) for terms in zip(*parts, strict=True))


def _ellipj_u(g: Any, ans: Any, u: Any, m: Any) -> Any:
    return weighted(g, _j_u(ans, m))


def _ellipj_m(g: Any, ans: Any, u: Any, m: Any) -> Any:
    return weighted(g, _j_m(ans, m))


primitive(special.ellipj, jvp=_ellipj_jvp, vjp=[_ellipj_u, _ellipj_m], batch=line_up, several=True)(
    lambda u, m: ((u, m), {})
)


# ------------------------------------------------------------------ Lambert's W
def _w_slope(w: Any) -> Any:
    """1 / (exp(w) + z), which is 1 at z = 0."""
    return np.exp(-w) / (1 + w)


@primitive(
    special.lambertw,
    jvp=lambda ts, ans, z, k, tol: ts[0] * _w_slope(ans),
    vjp=[lambda g, ans, z, k, tol: g * _w_slope(ans), None],
    batch=line_up,
)
def _lambertw(z: Any, k: Any = 0, tol: float = 1e-8) -> Any:
    return (z, k), {"tol": tol}


lambertw = door(special.lambertw, _lambertw)
elementwise(special.wrightomega, lambda ans, z: ans / (1 + ans))
