"""Schur and Hessenberg forms.

In all rules omega is z^H dz, which is anti-Hermitian. From a = z t z^H follows, with e = z^H da z,

    dt = e + t omega - omega t.

Where dt must be 0 this fixes omega's lower part, from its first column on; the rest of dt follows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

from ...arrays import shape_of
from ...core import Array
from ...doors import offers
from ...ops.equal import mH
from ...ops.update import at
from ...rules import primitive
from .solving import triangular
from .tools import arrays, over_batch, product, stacked, transposes


def _column(x: Array, j: int) -> Array:
    return x[..., j : j + 1]


def _moved(e: Array, t: Array, omega: Array) -> Array:
    """dt."""
    return e + np.matmul(t, omega) - np.matmul(omega, t)


def _expanded(x: Array) -> Array:
    """The anti-Hermitian matrix with this strict lower triangle."""
    return x - mH(x)


# ------------------------------------------------------------------ Schur, complex
def _lower_part(t: Array, e: Array) -> Array:
    """The strict lower x for which e + t x - x t is upper triangular, as t is.

    Column by column, each a triangular system. Where two eigenvalues are equal it is NaN; a
    factor NaN, so that the transpose is too.
    """
    n = shape_of(t)[-1]
    w = np.diagonal(t, 0, -2, -1)
    limit = 8 * n * float(np.finfo(t.dtype).eps) * np.max(np.abs(w), axis=-1, keepdims=True)
    columns: list[Any] = []
    for j in range(n - 1):
        right = _column(e, j)[..., j + 1 :, :]
        for k, x in enumerate(columns):
            right = right - x[..., j - k - 1 + 1 :, :] * t[..., k : k + 1, j : j + 1]
        gap = _column(w, j) - w[..., j + 1 :]
        same = np.less_equal(np.abs(gap), limit)
        m = n - j - 1
        system = np.where(np.eye(m, dtype=bool), np.expand_dims(np.where(same, 1, gap), -1),
                          -np.triu(t[..., j + 1 :, j + 1 :], 1))  # fmt: skip
        right = right * np.where(np.expand_dims(same, -1), np.nan, 1).astype(e.dtype)
        columns.append(triangular(system, right))
    lead = shape_of(e)[:-2]
    padded = [
        np.concatenate([np.zeros((*lead, j + 1, 1), e.dtype), x], axis=-2)
        for j, x in enumerate([*columns, np.zeros((*lead, 0, 1), e.dtype)])
    ]
    return np.concatenate(padded, axis=-1)


def _schur_complex(t: Array, z: Array, e: Array) -> Any:
    """Phases of the vectors turn no further than they must, as those of `eig`."""
    omega = _expanded(_lower_part(t, e))
    return np.triu(_moved(e, t, omega)), np.matmul(z, omega)


# ------------------------------------------------------------------ Schur, real
def _schur_real(t: Array, z: Array, e: Array) -> Any:
    """Below the blocks as in the complex form of t; inside a block its diagonal stays equal."""
    n = shape_of(t)[-1]
    w: Any
    tc, w = _complex_form(*stacked([t, np.eye(n, dtype=t.dtype)], (2, 2)))
    low = np.real(product(w, _lower_part(tc, product(mH(w), e, w)), mH(w)))
    below = np.diagonal(t, -1, -2, -1)
    pair = np.not_equal(below, 0)
    inside = np.eye(n, k=-1, dtype=bool) & _spread(pair, n)
    omega = _expanded(np.where(inside, 0, np.tril(low, -1)))
    rest = np.diagonal(_moved(e, t, omega), 0, -2, -1)
    # Blocks [[a, b], [c, a]]: turning one by an angle parts its diagonal by 2 (b + c) angles.
    slope = np.diagonal(t, 1, -2, -1) + below
    apart = rest[..., 1:] - rest[..., :-1]
    lost = np.logical_and(pair, np.equal(slope, 0))
    angle = np.where(pair, apart, 0) / np.where(np.logical_and(pair, slope != 0), 2 * slope, 1)
    angle = angle + apart * np.where(lost, np.nan, 0).astype(t.dtype)
    omega = omega + _expanded(np.where(inside, _spread(angle, n), 0))
    upper = np.logical_or(np.tri(n, dtype=bool).T, inside)
    return np.where(upper, _moved(e, t, omega), 0), np.matmul(z, omega)


def _spread(x: Array, n: int) -> Array:
    """n - 1 numbers as rows 1 to n - 1 of a matrix, row 0 being that of the first."""
    return np.expand_dims(np.concatenate([x[..., :1], x], axis=-1), -1)


def _schur_jvp(ts: Any, ans: Any, a: Any, *, sort: Any) -> Any:
    t, z = ans[:2]
    e = product(mH(z), ts[0], z)
    if shape_of(t)[-1] < 2:
        return e, np.zeros_like(z), None
    moved = (_schur_complex if t.dtype.kind == "c" else _schur_real)(t, z, e)
    return (*moved, None)


def _schur_impl(a: Any, *, sort: Any) -> Any:
    out = linalg.schur(a, output="real", sort=sort, check_finite=False)
    return out if sort is not None else (*out, np.array(0))


@primitive(
    linalg.schur, jvp=_schur_jvp, vjp=transposes(_schur_jvp), several=True,
    impl=over_batch(_schur_impl),
)  # fmt: skip
def _schur(a: Any, sort: Any) -> Any:
    return (a,), {"sort": sort}


@offers(linalg.schur)
def schur(
    a: Any, output: str = "real", lwork: Any = None, overwrite_a: bool = False, sort: Any = None,
    check_finite: bool = True,
) -> Any:  # fmt: skip
    """`scipy.linalg.schur`, of matrices whose eigenvalues differ."""
    if output not in ("real", "complex", "r", "c"):
        raise ValueError("argument must be 'real', or 'complex'")
    a = arrays(a, check_finite=check_finite)
    if output[0] == "c" and a.dtype.kind != "c":
        a = a.astype(np.result_type(a.dtype, np.complex64))
    t, z, count = _schur(a, sort)
    return (t, z) if sort is None else (t, z, count)


@offers(linalg.rsf2csf)
def rsf2csf(T: Any, Z: Any, check_finite: bool = True) -> Any:
    """`scipy.linalg.rsf2csf`."""
    return _complex_form(*stacked(arrays(T, Z, check_finite=check_finite), (2, 2)))


def _complex_form(t: Array, z: Array) -> tuple[Array, Array]:
    """A rotation for each block of the real form, from the last on.

    G. Golub and C. Van Loan, Matrix Computations, section 7.4.
    """
    dtype = np.result_type(t.dtype, np.complex64)
    t, z = t.astype(dtype), z.astype(dtype)
    n = shape_of(t)[-1]
    eps = float(np.finfo(np.float64).eps)
    for m in range(n - 1, 0, -1):
        a, b = t[..., m - 1, m - 1], t[..., m - 1, m]
        c, d = t[..., m, m - 1], t[..., m, m]
        rotates = np.greater(np.abs(c), eps * (np.abs(a) + np.abs(d)))
        half = (a - d) / 2
        root = np.sqrt(np.where(rotates, half * half + b * c, 1))
        # LAPACK's first eigenvalue: of a complex pair that above the axis.
        root = np.where(np.real(np.conj(root) * half) < -eps * np.abs(root * half), -root, root)
        root = np.where(np.logical_and(np.imag(root) < 0, np.real(half) == 0), -root, root)
        first = np.where(rotates, half + root, 1)
        low = np.where(rotates, c, 0)
        r = np.hypot(np.abs(first), np.abs(low))
        cos, sin = first / r, low / r
        g = np.stack([np.stack([np.conj(cos), sin], -1), np.stack([-sin, cos], -1)], -2)
        pair = slice(m - 1, m + 1)
        t = at(t)[..., pair, m - 1 :].set(np.matmul(g, t[..., pair, m - 1 :]))
        t = at(t)[..., : m + 1, pair].set(np.matmul(t[..., : m + 1, pair], mH(g)))
        z = at(z)[..., :, pair].set(np.matmul(z[..., :, pair], mH(g)))
        t = at(t)[..., m, m - 1].set(np.zeros_like(c))
    return t, z


# ------------------------------------------------------------------ Hessenberg
def _hessenberg_jvp(ts: Any, ans: Any, a: Any) -> Any:
    """The implicit Q theorem, differentiated: q's first column stays, the others follow in turn.

    LAPACK's reflections keep the subdiagonal real.
    """
    h, q = ans
    e = product(mH(q), ts[0], q)
    n = shape_of(h)[-1]
    if n < 3:
        return e, np.zeros_like(q)
    lead = shape_of(e)[:-2]
    columns: list[Any] = [np.zeros((*lead, n, 1), e.dtype)]
    for j in range(n - 1):
        right = _column(e, j) + np.matmul(h, columns[j])
        for k in range(1, j + 1):
            right = right - columns[k] * h[..., k : k + 1, j : j + 1]
        new = right / h[..., j + 1 : j + 2, j : j + 1]
        above = [-np.conj(columns[k][..., j + 1 : j + 2, :]) for k in range(j + 1)]
        own = new[..., j + 1 : j + 2, :]
        own = 1j * np.imag(own) if own.dtype.kind == "c" else np.zeros_like(own)
        columns.append(np.concatenate([*above, own, new[..., j + 2 :, :]], axis=-2))
    omega = np.concatenate(columns, axis=-1)
    return np.triu(_moved(e, h, omega), -1), np.matmul(q, omega)


def _hessenberg_impl(a: Any) -> Any:
    h, q = linalg.hessenberg(a, calc_q=True, check_finite=False)
    return h, q.astype(h.dtype)


@primitive(
    linalg.hessenberg, jvp=_hessenberg_jvp, vjp=transposes(_hessenberg_jvp), several=True,
    impl=over_batch(_hessenberg_impl),
)  # fmt: skip
def _hessenberg(a: Any) -> Any:
    return (a,), {}


@offers(linalg.hessenberg)
def hessenberg(
    a: Any, calc_q: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """`scipy.linalg.hessenberg`, of matrices that no reflection leaves alone."""
    h, q = _hessenberg(arrays(a, check_finite=check_finite))
    return (h, q) if calc_q else h
