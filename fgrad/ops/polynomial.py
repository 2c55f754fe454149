"""Polynomials by their coefficients, the highest power first."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..arrays import ndim_of, shape_of
from ..core import home
from ..rules import primitive
from ..tracer import register
from .casts import known
from .creation import as_array
from .index import getitem


def _vector(x: Any, like: Any = None) -> Any:
    return np.atleast_1d(as_array(x, like))


def polyval(p: Any, x: Any) -> Any:
    """`numpy.polyval`: Horner's rule."""
    x, p = as_array(x, p), as_array(p, x)
    y = np.zeros_like(x)
    for i in range(shape_of(p)[0]):
        y = y * x + p[i]
    return y


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """`numpy.vander`."""
    x = as_array(x)
    if ndim_of(x) != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    n = shape_of(x)[0]
    columns = n if N is None else N
    x = np.reshape(x.astype(np.promote_types(x.dtype, int)), (n, 1))
    powers = np.cumprod(np.broadcast_to(x, (n, max(columns - 1, 0))), axis=1)
    y = np.concatenate([np.ones_like(x), powers], axis=1) if columns else powers
    return y if increasing else np.flip(y, 1)


def polyadd(a1: Any, a2: Any) -> Any:
    """`numpy.polyadd`."""
    x, y = _vector(a1, a2), _vector(a2, a1)
    missing = shape_of(x)[0] - shape_of(y)[0]
    return np.pad(x, (max(-missing, 0), 0)) + np.pad(y, (max(missing, 0), 0))


def polysub(a1: Any, a2: Any) -> Any:
    """`numpy.polysub`."""
    return polyadd(a1, -_vector(a2, a1))


def _trimmed(p: Any) -> Any:
    """Without leading zeros, where the values are known; the last coefficient stays."""
    values = known(p)
    if values is None:
        return p
    places = np.flatnonzero(values)
    return p[places[0] if places.size else shape_of(p)[0] - 1 :]


def polymul(a1: Any, a2: Any) -> Any:
    """`numpy.polymul`; under vmap and in graphs leading zeros stay, as values aren't known."""
    return np.convolve(_trimmed(_vector(a1, a2)), _trimmed(_vector(a2, a1)))


def polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    """`numpy.polydiv`; under vmap and in graphs the remainder has the degree of any remainder."""
    u, v = _vector(u, v) + 0.0, _vector(v, u) + 0.0
    dtype = np.result_type(u, v)
    m, n = shape_of(u)[0], shape_of(v)[0]
    rest, gone, quotient, scale = u.astype(dtype), [], [], 1.0 / v[0]
    for _ in range(m - n + 1):
        factor = scale * rest[:1]
        quotient.append(factor)
        gone.append(rest[:1] - factor * v[:1])  # zero, or its rounding
        rest = np.concatenate([rest[1:n] - factor * v[1:], rest[n:]])
    if known(rest) is not None:
        rest = np.concatenate([*gone, rest])
        places = np.flatnonzero(~np.isclose(known(rest), 0, rtol=1e-14))
        rest = rest[places[0] if places.size else shape_of(rest)[0] - 1 :]
    elif shape_of(rest)[0] == 0:
        rest = np.zeros_like(u, shape=(1,), dtype=dtype)
    if not quotient:
        return np.zeros_like(u, shape=(1,), dtype=dtype), rest
    return np.concatenate(quotient).astype(dtype), rest


def polyder(p: Any, m: int = 1) -> Any:
    """`numpy.polyder`."""
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    p = as_array(p)
    for _ in range(int(m)):
        n = shape_of(p)[0] - 1
        p = getitem(p, slice(None, -1)) * home(p).arange(n, 0, -1) if n >= 0 else p
    return p


def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """`numpy.polyint`, in the coefficients and in the constants of integration."""
    m = int(m)
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    k = home(p).zeros(max(m, 1)) if k is None else _vector(k, p)
    if shape_of(k)[0] == 1:
        k = np.broadcast_to(k, (max(m, 1),))
    if shape_of(k)[0] < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    y = as_array(p)
    for i in range(m):
        powers = home(y).arange(shape_of(y)[0], 0, -1)
        y = np.concatenate([y / powers, k[i : i + 1]])
    return y


def poly(seq_of_zeros: Any) -> Any:
    """`numpy.poly`; under vmap and in graphs complex roots give complex coefficients."""
    roots = _vector(seq_of_zeros)
    if ndim_of(roots) == 2 and shape_of(roots)[0] == shape_of(roots)[1] != 0:
        roots = _eigenvalues(roots)
    elif ndim_of(roots) != 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    roots = roots.astype(np.float64) if roots.dtype.char not in "fdFD" else roots
    a = np.ones_like(roots, shape=(1,))
    for i in range(shape_of(roots)[0]):
        zero = np.zeros_like(a[:1])
        a = np.concatenate([a, zero]) - roots[i] * np.concatenate([zero, a])
    values = known(roots) if roots.dtype.kind == "c" else None
    if values is not None and np.all(np.sort(values) == np.sort(values.conj())):
        a = np.real(a)
    return a


def _real_impl(x: Any) -> Any:
    return x.real.copy() if x.dtype.kind == "c" and not x.imag.any() else x.copy()


def real_where_possible(x: Any) -> Any:
    """The eigenvalues of a real matrix, as real numbers if all of them are, as NumPy 2.4 had it."""
    return (x,), {}


def _same_kind(t: Any, ans: Any) -> Any:
    return np.real(t) if ans.dtype.kind == "f" and t.dtype.kind == "c" else t


_real_where_possible = primitive(
    real_where_possible, impl=_real_impl,
    jvp=lambda ts, ans, x: _same_kind(ts[0], ans),
    vjp=[lambda g, ans, x: g],
)(real_where_possible)  # fmt: skip


def _eigenvalues(a: Any) -> Any:
    found = np.linalg.eigvals(a)
    return _real_where_possible(found) if a.dtype.kind != "c" else found


def roots(p: Any) -> Any:
    """`numpy.roots`: the eigenvalues of the companion matrix.

    Under vmap and in graphs the first coefficient must not be zero.
    """
    p = _vector(p)
    if ndim_of(p) != 1:
        raise ValueError("Input must be a rank-1 array.")
    p = p if p.dtype.kind in "fc" else p.astype(np.float64)
    values, zeros = known(p), 0
    if values is not None:
        places = np.flatnonzero(values)
        if not places.size:
            return np.zeros(0)
        zeros = len(values) - 1 - int(places[-1])
        p = p[int(places[0]) : int(places[-1]) + 1]
    n = shape_of(p)[0] - 1
    if n < 1:
        return np.zeros(zeros)
    first = np.expand_dims(-p[1:] / p[0], 0)
    rows = home(p).eye(n, dtype=p.dtype)[:-1]
    found = _eigenvalues(np.concatenate([first, rows]))
    return np.concatenate([found, np.zeros(zeros, found.dtype)]) if zeros else found


def polyfit(
    x: Any, y: Any, deg: Any, rcond: Any = None, full: bool = False, w: Any = None,
    cov: Any = False,
) -> Any:  # fmt: skip
    """`numpy.polyfit`, in x, y and w, by least squares of scaled columns."""
    order = int(deg) + 1
    x, y = as_array(x, y) + 0.0, as_array(y, x) + 0.0
    if order < 1:
        raise ValueError("expected deg >= 0")
    for wrong, what in (
        (ndim_of(x) != 1, "1D vector for x"), (np.size(x) == 0, "non-empty vector for x"),
        (ndim_of(y) not in (1, 2), "1D or 2D array for y"),
        (shape_of(y)[:1] != shape_of(x), "x and y to have same length"),
    ):  # fmt: skip
        if wrong:
            raise TypeError(f"expected {what}")
    points = shape_of(x)[0]
    rcond = points * float(np.finfo(x.dtype).eps) if rcond is None else rcond
    left, right = vander(x, order), y
    if w is not None:
        weights = np.reshape(as_array(w, x) + 0.0, (-1, 1))
        if shape_of(weights)[0] != points or ndim_of(as_array(w)) != 1:
            raise TypeError("expected a 1-d array for weights, as long as y")
        left = left * weights
        right = right * (weights if ndim_of(y) == 2 else weights[:, 0])
    scale = np.sqrt(np.sum(left * left, axis=0))
    left = left / scale
    c, residuals, rank, s = np.linalg.lstsq(left, right, rcond)
    c = c / (scale if ndim_of(y) == 1 else np.expand_dims(scale, -1))
    if full:
        return c, residuals, rank, s, rcond
    if known(rank) is not None and rank != order:
        message = "Polyfit may be poorly conditioned"
        warnings.warn(message, np.exceptions.RankWarning, stacklevel=2)
    if not cov:
        return c
    spread = np.linalg.inv(np.matmul(np.transpose(left), left)) / np.outer(scale, scale)
    factor: Any = 1
    if cov != "unscaled":
        if points <= order:
            raise ValueError(
                "the number of data points must exceed order to scale the covariance matrix"
            )
        factor = residuals / (points - order)
    return c, (spread if ndim_of(y) == 1 else np.expand_dims(spread, -1)) * factor


for _fn in (
    polyval, vander, polyadd, polysub, polymul, polydiv, polyder, polyint, poly, roots, polyfit,
):  # fmt: skip
    register(getattr(np, _fn.__name__), _fn)
