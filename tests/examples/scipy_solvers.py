"""Rows of scipy.integrate and scipy.sparse.linalg."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.integrate as si
import scipy.sparse
import scipy.sparse.linalg as sl

from fgrad.scipy import integrate
from fgrad.scipy.sparse import linalg as sparse_linalg

from .row import P, R, Row, linear, row


#: Places that grow, at distances that depend on the operand.
def _like(y, out):
    """A result in the dtype of y: SciPy before 1.18 gives float64 for an even number of points."""
    return out.astype(y.dtype)


_rising = np.cumsum


def _tight(x: Any) -> float:
    """As exactly as a dtype allows."""
    return 8 * float(np.finfo(np.promote_types(x.dtype, np.float32)).eps)


def _definite(x: Any) -> Any:
    """A Hermitian matrix with positive eigenvalues."""
    return x @ np.conj(np.transpose(x)) + 4.0 * np.eye(3, dtype=x.dtype)


def _regular(x: Any) -> Any:
    """A matrix far from being singular."""
    return x + 6.0 * np.eye(3, dtype=x.dtype)


_LAPLACE = scipy.sparse.diags_array([-1.0, 3.0, -1.0], offsets=(-1, 0, 1), shape=(3, 3))
_HALF = scipy.sparse.diags_array([0.5, 0.4, 0.5])

ROWS: list[Row] = [
    row(si.trapezoid, [(2, 3), (3,)], integrate.trapezoid, bits=False, complex=True),
    row(si.trapezoid, [(2, 3), (2, 3)], lambda y, x: integrate.trapezoid(y, x, axis=0), bits=False),
    row(si.trapezoid, [(2, 3), ()], lambda y, h: integrate.trapezoid(y, dx=h), bits=False),
    linear(si.trapezoid, [(3, 2)], lambda y: integrate.trapezoid(y, np.arange(3.0) ** 2, axis=0),
           bits=False),
    row(si.cumulative_trapezoid, [(2, 3), P(3)],
        lambda y, h: integrate.cumulative_trapezoid(y, _rising(h), initial=0), bits=False),
    row(si.cumulative_trapezoid, [(3, 2), R(3, 2)],
        lambda y, x: integrate.cumulative_trapezoid(y, x, axis=0), bits=False),
    linear(si.cumulative_trapezoid, [(2, 3)], lambda y: integrate.cumulative_trapezoid(y, dx=0.5),
           bits=False),
    row(si.simpson, [(2, 5), P(5)], lambda y, h: _like(y, integrate.simpson(y, _rising(h))),
        bits=False),
    row(si.simpson, [(4, 2), P(4, 2)],
        lambda y, h: _like(y, integrate.simpson(y, _rising(h, axis=0), axis=0)), bits=False),
    row(si.simpson, [(2, 4), P()], lambda y, h: _like(y, integrate.simpson(y, dx=h)), bits=False),
    linear(si.simpson, [(4,)], lambda y: _like(y, integrate.simpson(y)), bits=False),
    linear(si.simpson, [(3,)], lambda y: integrate.simpson(y, dx=0.5), bits=False),
    linear(si.simpson, [(2,)], lambda y: integrate.simpson(y), bits=False),
    row(si.simpson, [(2,), (2,)], lambda y, x: integrate.simpson(y, x), bits=False),
    row(si.cumulative_simpson, [(2, 5), P(5), P(2, 1)],
        lambda y, h, c: integrate.cumulative_simpson(y, x=_rising(h), initial=c), bits=False),
    row(si.cumulative_simpson, [(4, 2), P()],
        lambda y, h: integrate.cumulative_simpson(y, dx=h, axis=0), bits=False),
    linear(si.cumulative_simpson, [(2,)], lambda y: integrate.cumulative_simpson(y, dx=2.0),
           bits=False),
    row(si.romb, [(2, 5), ()], lambda y, h: integrate.romb(y, h), bits=False, complex=False),
    linear(si.romb, [(3, 2)], lambda y: integrate.romb(y, axis=0), bits=False),
    row(sl.cg, [(3, 3), (3,)],
        lambda a, b: sparse_linalg.cg(_definite(a), b, rtol=_tight(b))[0],
        bits=False, complex=True),
    row(sl.gmres, [(3, 3), (3,)],
        lambda a, b: sparse_linalg.gmres(_regular(a), b, rtol=_tight(b))[0],
        bits=False, complex=True),
    row(sl.bicgstab, [(3, 3), (3,)],
        lambda a, b: sparse_linalg.bicgstab(_regular(a), b, rtol=_tight(b))[0],
        bits=False, complex=True),
    row(sl.cg, [(3,)], lambda b: sparse_linalg.cg(_LAPLACE, b, rtol=_tight(b), M=_HALF)[0],
        bits=False),
]  # fmt: skip
