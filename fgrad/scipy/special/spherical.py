"""The spherical Bessel functions, spherical harmonics, and JAX's `bessel_jn`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from ...arrays import is_a
from ...doors import offers
from ...errors import ArgumentError, NoRuleError
from ...fronts import given
from ...rules import line_up, primitive
from .declare import function, integers, whole


# ------------------------------------------------------------------ Bessel functions
def _spherical(fn: Callable[..., Any], down: int, up: int) -> Callable[..., Any]:
    """Declare a function whose derivative is (down n f_n-1 + up (n + 1) f_n+1) / (2n + 1).

    DLMF 10.51.2 and 10.51.5, which don't divide by z.
    """

    def slope(ans: Any, n: Any, z: Any) -> Any:
        before = down * n * value(np.maximum(n - 1, 0), z)
        return (before + up * (n + 1) * value(n + 1, z)) / (2 * n + 1)

    value = function(fn, whole(fn.__name__), slope)

    def front(n: Any, z: Any, derivative: bool = False) -> Any:
        return slope(None, integers(n), z) if derivative else value(n, z)

    return offers(fn)(front)


spherical_jn = _spherical(special.spherical_jn, 1, -1)
spherical_yn = _spherical(special.spherical_yn, 1, -1)
spherical_in = _spherical(special.spherical_in, 1, 1)
spherical_kn = _spherical(special.spherical_kn, -1, -1)


def bessel_jn(z: Any, *, v: int, n_iter: int = 50) -> Any:
    """The Bessel functions of the first kind of the orders 0 to v, as `jax.scipy.special` has it.

    >>> bessel_jn(1.0, v=2).round(3)
    array([0.765, 0.44 , 0.115])

    Args:
        z: where to compute them, real.
        v: the highest order, a whole number.
        n_iter: JAX's number of steps; not needed here, where SciPy computes the values.

    Returns:
        An array of the shape ``(v + 1, *shape(z))``.
    """
    if is_a(v, bool) or not is_a(v, (int, np.integer)) or v < 0:
        raise ArgumentError(
            "`bessel_jn` wants its highest order as a whole number.",
            f"v={v!r}",
            "pass v=2, or call scipy.special.jv(v, z) for one order",
        )
    return np.stack([special.jv(float(k), z) for k in range(v + 1)])


# ------------------------------------------------------------------ spherical harmonics
def _theta_slope(n: Any, m: Any, theta: Any, phi: Any) -> Any:
    """The ladder: what raises and what lowers m, with no division by sin(theta)."""
    # Where m would leave -n..n its factor is 0; SciPy gives 0 there, too.
    up = np.sqrt(np.maximum((n - m) * (n + m + 1), 0))
    down = np.sqrt(np.maximum((n + m) * (n - m + 1), 0))
    turn = np.exp(1j * phi)
    raised = _harmonic(n, m + 1, theta, phi) * np.conj(turn)
    return 0.5 * (up * raised - down * (_harmonic(n, m - 1, theta, phi) * turn))


def _harmonic_jvp(ts: Any, ans: Any, n: Any, m: Any, theta: Any, phi: Any) -> Any:
    out: Any = None
    if ts[2] is not None:
        out = _theta_slope(n, m, theta, phi) * ts[2]
    if ts[3] is not None:
        turned = 1j * m * ans * ts[3]
        out = turned if out is None else out + turned
    return out


def _harmonic_theta(g: Any, ans: Any, n: Any, m: Any, theta: Any, phi: Any) -> Any:
    return g * _theta_slope(n, m, theta, phi)


def _harmonic_phi(g: Any, ans: Any, n: Any, m: Any, theta: Any, phi: Any) -> Any:
    return g * (1j * m * ans)


_harmonic = primitive(
    special.sph_harm_y,
    jvp=_harmonic_jvp,
    vjp=[None, None, _harmonic_theta, _harmonic_phi],
    batch=line_up,
    name="scipy.special.sph_harm_y",
)(lambda n, m, theta, phi: ((integers(n), integers(m), theta, phi), {}))


@offers(special.sph_harm_y)
def sph_harm_y(n: Any, m: Any, theta: Any, phi: Any, *, diff_n: int = 0, **kwargs: Any) -> Any:
    """`scipy.special.sph_harm_y`, with derivatives in theta and phi."""
    given(**kwargs)
    if diff_n:
        raise NoRuleError(
            "`sph_harm_y` of traced values gives no derivatives itself.",
            f"diff_n={diff_n!r}",
            "leave diff_n away and differentiate with fgrad.jvp or fgrad.jacfwd",
        )
    return _harmonic(n, m, theta, phi)
