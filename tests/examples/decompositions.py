"""Rows of decompositions, and of what is made of them, at matrices whose values are apart."""

from __future__ import annotations

import numpy as np

import fgrad

from .row import constant, multilinear, row

SHIFT = np.array([[1.0, 0.3, 0.0], [0.0, 2.5, -0.4], [0.2, 0.0, 5.0]])


def _positive(x):
    """A Hermitian positive matrix."""
    return np.matmul(x, np.conj(np.swapaxes(x, -1, -2))) + np.eye(x.shape[-1], dtype=x.dtype)


def _hermitian(x):
    """A Hermitian matrix with eigenvalues apart."""
    return (x + np.conj(np.swapaxes(x, -1, -2))) / 8 + (SHIFT.T @ SHIFT).astype(x.dtype)


def _apart(x):
    """A square matrix with real eigenvalues (for real x) apart."""
    return x / 10 + SHIFT.astype(x.dtype)


def _wide(x):
    """A matrix with singular values apart."""
    rows, columns = x.shape[-2:]
    return x / 5 + (np.eye(rows, columns) * np.arange(2, 2 + columns)).astype(x.dtype)


def _sizes(*parts):
    """What does not depend on the phases of vectors."""
    return [np.real(y * np.conj(y)) for y in parts]


def _projectors(f):
    def call(x):
        w, v = f(x)
        return w, np.expand_dims(v, -2) * np.expand_dims(np.conj(v), -3)

    return call


def _svd_of(x):
    u, s, vh = np.linalg.svd(_wide(x), full_matrices=False)
    return s, np.matmul(u, vh), *_sizes(u, vh)


def _full_spaces(x):
    """Of a full decomposition: the projectors on the vectors that it adds, and the values."""
    u, s, vh = np.linalg.svd(_wide(x))
    k = s.shape[-1]
    more_u, more_v = u[..., k:], np.conj(np.swapaxes(vh[..., k:, :], -1, -2))
    return s, *(np.matmul(y, np.conj(np.swapaxes(y, -1, -2))) for y in (more_u, more_v))


def _cofactors(x):
    """The gradient of a determinant, which the primitive `linalg.adjugate` computes."""
    return fgrad.vjp(np.linalg.det, x)[1](np.ones_like(x[..., 0, 0]))[0]


SQUARE = [(3, 3), (2, 3, 3)]
ROWS = [
    *(row(np.linalg.cholesky, [s], lambda x: np.linalg.cholesky(_positive(x)), complex=True)
      for s in SQUARE),
    row(np.linalg.cholesky, [(3, 3)], lambda x: np.linalg.cholesky(_positive(x), upper=True),
        complex=True),
    *(row(np.linalg.qr, [s], lambda x, m=m: np.linalg.qr(_wide(x), m), complex=True)
      for s, m in (((3, 3), "reduced"), ((4, 3), "reduced"), ((2, 2, 3), "complete"),
                   ((2, 4, 3), "r"))),
    row(np.linalg.qr, [(4, 2)], lambda x: np.linalg.qr(_wide(x)).Q),
    *(row(np.linalg.eigh, [s], lambda x: np.linalg.eigh(_hermitian(x))) for s in SQUARE),
    row(np.linalg.eigh, [(3, 3)], _projectors(lambda x: np.linalg.eigh(_hermitian(x), "U")),
        complex=True),
    *(row(np.linalg.eigvalsh, [s], lambda x: np.linalg.eigvalsh(_hermitian(x)), complex=True)
      for s in SQUARE),
    row(np.linalg.eig, [(3, 3)], lambda x: np.linalg.eig(_apart(x))),
    row(np.linalg.eig, [(2, 3, 3)],
        lambda x: np.linalg.eig(_apart(x) + 0j).eigenvalues, complex=True),
    row(np.linalg.eig, [(3, 3)],
        lambda x: _sizes(*np.linalg.eig(_apart(x) + 1j * SHIFT[::-1])), complex=True, bits=False),
    row(np.linalg.eigvals, [(2, 3, 3)], lambda x: np.linalg.eigvals(_apart(x)), bits=False),
    row(np.linalg.svd, [(3, 3)], lambda x: np.linalg.svd(_wide(x))),
    *(row(np.linalg.svd, [s], _svd_of, complex=True) for s in ((4, 3), (2, 2, 3), (3, 3))),
    row(np.linalg.svd, [(2, 3)], lambda x: np.linalg.svd(_wide(x), full_matrices=False).Vh),
    row(np.linalg.svd, [(2, 3)], lambda x: np.linalg.svd(_wide(x), compute_uv=False), complex=True),
    row(np.linalg.svd, [(3, 3)],
        lambda x: np.linalg.svd(_hermitian(x), hermitian=True), bits=False),
    row(np.linalg.svd, [(3, 3)],
        lambda x: np.linalg.svd(_hermitian(x), compute_uv=False, hermitian=True), bits=False),
    row(np.linalg.svdvals, [(2, 3, 2)], lambda x: np.linalg.svdvals(_wide(x)), complex=True),
    *(row(np.linalg.svd, [s], _full_spaces, complex=True) for s in ((3, 1), (1, 2, 3))),
    *(row(np.linalg.qr, [s], lambda x, m=m: np.linalg.qr(_wide(x), m), complex=True, bits=False)
      for s, m in (((4, 2), "complete"), ((3, 2), "raw"), ((2, 3), "raw"),
                   ((1, 3, 1), "complete"))),
    row(np.linalg.det, [(2, 2, 2)], _cofactors, complex=True),
    # What is made of them.
    *(row(np.linalg.pinv, [s], lambda x: np.linalg.pinv(_wide(x)), complex=True)
      for s in ((3, 3), (2, 4, 2), (2, 3))),
    row(np.linalg.pinv, [(3, 2)],
        lambda x: np.linalg.pinv(np.matmul(_wide(x), np.swapaxes(_wide(x), -1, -2)), 1e-9)),
    row(np.linalg.pinv, [(3, 3)],
        lambda x: np.linalg.pinv(_hermitian(x), hermitian=True, rtol=1e-9)),
    *(row(np.linalg.lstsq, s, lambda a, b: np.linalg.lstsq(_wide(a), b)[:2], complex=True,
          bits=False)
      for s in ([(4, 2), (4,)], [(4, 2), (4, 3)])),
    row(np.linalg.lstsq, [(2, 3), (2,)], lambda a, b: np.linalg.lstsq(_wide(a), b, rcond=1e-9)[0],
        bits=False),
    row(np.linalg.lstsq, [(4, 2), (4,)], lambda a, b: np.linalg.lstsq(_wide(a), b)[3], bits=False),
    constant(np.linalg.lstsq, [(4, 2), (4,)], lambda a, b: np.linalg.lstsq(_wide(a), b)[2],
             bits=False),
    *(row(np.linalg.matrix_power, [(2, 2, 2)],
          lambda x, n=n: np.linalg.matrix_power(x / 3 + np.eye(2, dtype=x.dtype) * 2, n),
          complex=True)
      for n in (1, 2, 3, 5, -2)),
    constant(np.linalg.matrix_power, [(2, 2, 2)], lambda x: np.linalg.matrix_power(x, 0)),
    *(multilinear(np.linalg.multi_dot, s, lambda *xs: np.linalg.multi_dot(xs))
      for s in ([(2, 3), (3,)], [(3,), (3, 2), (2,)], [(2, 3), (3, 1), (1, 4), (4, 2)],
                [(3,), (3, 2), (2, 3)])),
    *(row(np.linalg.cond, [(2, 3, 3)], lambda x, p=p: np.linalg.cond(_wide(x), p), bits=False)
      for p in (None, -2, 1, np.inf, "fro", "nuc")),
    constant(np.linalg.matrix_rank, [(2, 3, 4)], lambda x: np.linalg.matrix_rank(x, 2.2)),
    constant(np.linalg.matrix_rank, [(3, 3)], lambda x: np.linalg.matrix_rank(x, rtol=0.3)),
    constant(np.linalg.matrix_rank, [(3,)], np.linalg.matrix_rank),
    row(np.linalg.tensorsolve, [(2, 3, 6), (2, 3)],
        lambda a, b: np.linalg.tensorsolve(a + 9 * np.eye(6, dtype=a.dtype).reshape(2, 3, 6), b),
        complex=True),
    row(np.linalg.tensorsolve, [(2, 6, 3), (2, 3)],
        lambda a, b: np.linalg.tensorsolve(
            a + 9 * np.eye(6).reshape(2, 3, 6).swapaxes(1, 2), b, axes=(1,))),
    row(np.linalg.tensorinv, [(6, 2, 3)],
        lambda a: np.linalg.tensorinv(a + 9 * np.eye(6, dtype=a.dtype).reshape(6, 2, 3), 1),
        complex=True),
]  # fmt: skip
