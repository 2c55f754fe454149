"""Algebraic Riccati equations, of optimal control.

At the solution x the gain k is where the equation, as a function of k too, is stationary. So the
move of x solves a Lyapunov equation of the closed loop a - b k, with k held.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import linalg

from ...arrays import shape_of
from ...core import Array
from ...doors import offers
from ...ops.equal import mH
from ...rules import primitive, total
from .equations import discrete_lyapunov, sylvester
from .tools import arrays, over_batch, product, right_over, stacked, transposes


def _gain(x: Array, xs: Any, discrete: bool) -> Array:
    a, b, _, r, e, s = xs
    if discrete:
        return np.linalg.solve(r + product(mH(b), x, b), product(mH(b), x, a) + mH(s))
    return np.linalg.solve(r, product(mH(b), x, e) + mH(s))


def _right(ts: Any, x: Array, xs: Any, k: Array, loop: Array, discrete: bool) -> Array:
    """How far the equation is off when everything but x moves."""
    t_a, t_b, t_q, t_r, t_e, t_s = ts
    move = total([t_a, None if t_b is None else -np.matmul(t_b, k)])
    left = mH(loop) if discrete else mH(xs[4])
    half = [None if move is None else product(left, x, move)]
    half.append(None if t_s is None else -np.matmul(t_s, k))
    half.append(None if t_r is None else product(mH(k), t_r, k) / 2)
    half.append(None if t_q is None else t_q / 2)
    if t_e is not None:
        half.append(-product(mH(t_e), x, xs[4]) if discrete else product(mH(t_e), x, loop))
    y = total(half)
    return y + mH(y)


def _moved(discrete: bool) -> Callable[..., Any]:
    def jvp(ts: Any, x: Array, *xs: Any, **params: Any) -> Array:
        a, b, _, _, e, _ = xs
        k = _gain(x, xs, discrete)
        loop = a - np.matmul(b, k)
        right = _right(ts, x, xs, k, loop, discrete)
        loop, right = right_over(loop, e), right_over(np.linalg.solve(mH(e), right), e)
        if discrete:
            return discrete_lyapunov(mH(loop), right)
        return sylvester(mH(loop), loop, -right)

    return jvp


def _impl(fn: Callable[..., Any]) -> Callable[..., Any]:
    def impl(*xs: Any, general: bool, cross: bool, balanced: bool) -> Any:
        a, b, q, r, e, s = xs
        return fn(a, b, q, r, e if general else None, s if cross else None, balanced)

    each = over_batch(impl, (2,) * 6)

    def solved(a: Any, *rest: Any, **params: Any) -> Any:
        if a.size:
            return each(a, *rest, **params)
        return np.zeros(a.shape, np.result_type(a, np.float64))  # SciPy's, whatever comes

    return solved


def _declared(fn: Callable[..., Any], discrete: bool) -> Callable[..., Any]:
    def canonical(a: Any, b: Any, q: Any, r: Any, e: Any, s: Any, balanced: bool) -> Any:
        params = {"general": e is not None, "cross": s is not None, "balanced": balanced}
        given = [x for x in (a, b, q, r, e, s) if x is not None]
        a, b, q, r, *rest = arrays(*given)
        e = np.eye(shape_of(a)[-1], dtype=a.dtype) if e is None else rest.pop(0)
        s = np.zeros(shape_of(b)[-2:], b.dtype) if s is None else rest.pop(0)
        return stacked([a, b, q, r, e, s], (2,) * 6), params

    jvp = _moved(discrete)
    return primitive(fn, jvp=jvp, vjp=transposes(jvp, 6), impl=_impl(fn))(canonical)


_continuous = _declared(linalg.solve_continuous_are, discrete=False)
_discrete = _declared(linalg.solve_discrete_are, discrete=True)


@offers(linalg.solve_continuous_are)
def solve_continuous_are(
    a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None, balanced: bool = True
) -> Any:
    """`scipy.linalg.solve_continuous_are`; q and r count as their Hermitian parts."""
    return _continuous(a, b, q, r, e, s, balanced)


@offers(linalg.solve_discrete_are)
def solve_discrete_are(
    a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None, balanced: bool = True
) -> Any:
    """`scipy.linalg.solve_discrete_are`; q and r count as their Hermitian parts."""
    return _discrete(a, b, q, r, e, s, balanced)
