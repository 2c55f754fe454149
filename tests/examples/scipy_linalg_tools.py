"""Matrices for the rows of scipy.linalg, made from any."""

from __future__ import annotations

import numpy as np

SHIFT = np.array([[1.0, 0.3, 0.0], [0.0, 2.5, -0.4], [0.2, 0.0, 5.0]])


def adjoint(x):
    """The conjugate transpose."""
    return np.conj(np.swapaxes(x, -1, -2))


def solution_and_residues(found):
    """Of what lstsq returns; SciPy 1.18 gives complex residues of complex equations."""
    return found[0], np.real(found[1])


def well(x):
    """A matrix that is far from singular, for any shape."""
    rows, columns = x.shape[-2:]
    base = np.eye(rows, columns) * np.arange(3, 3 + columns) + np.eye(rows, columns, -1)
    return x / 5 + base.astype(x.dtype)


def definite(x):
    """A Hermitian matrix with positive eigenvalues."""
    return np.matmul(x, adjoint(x)) / 4 + np.eye(x.shape[-2], dtype=x.dtype)


def symmetric(x):
    """A Hermitian matrix with eigenvalues apart."""
    return (x + adjoint(x)) / 8 + (SHIFT.T @ SHIFT).astype(x.dtype)


def apart(x):
    """A square matrix with positive eigenvalues (for real x) apart."""
    n = x.shape[-1]
    return x / 10 + SHIFT[:n, :n].astype(x.dtype)


def phases_away(parts):
    """What does not depend on the phases of vectors."""
    return [np.real(y * np.conj(y)) for y in parts]


def turning(x):
    """A matrix with two complex eigenvalues and real ones."""
    n = x.shape[-1]
    base = np.diag(np.arange(1.0, n + 1) * 2)
    base[:2, :2] = [[1.0, 3.0], [-1.5, 0.8]]
    return x / 10 + base.astype(x.dtype)


def oriented(t, z):
    """A real Schur form whose first block is the same from any algorithm, without signs."""
    order = [1, 0, 2]
    turned = np.abs(t[..., 1:2, :1]) > np.abs(t[..., :1, 1:2])
    t = np.where(turned, t[..., order, :][..., order], t)
    return [t * t, np.where(turned, z[..., order], z) ** 2]


def projectors(w, v):
    """Values, and vectors without their phases."""
    return [w, np.expand_dims(v, -2) * np.expand_dims(np.conj(v), -3)]


def heavy(ab, main):
    """Bands of a definite matrix whose main diagonal is the row of this number."""
    weight = np.where(np.arange(ab.shape[-2]) == main, 5.0, 0.0)[:, None]
    step = np.arange(ab.shape[-1]) * weight
    return ab / 3 + (weight + step).astype(ab.dtype)


def ahead(c):
    """A column whose first entry outweighs the others."""
    return c / 4 + (np.arange(c.shape[-1]) == 0).astype(c.dtype) * 3


def wide(x):
    """In double precision."""
    return x.astype(np.result_type(x.dtype, np.float64))
