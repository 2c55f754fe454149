"""The rotation next to a matrix, and the mean of rotations."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import transform as sp

from ...core import Array
from ...ops.casts import stop_gradient_leaf
from ...rules import primitive


# ------------------------------------------------------------------ the next rotation
# With S = R' M, which is symmetric, a change dM turns R by R hat(k), where k solves
# (trace(S) I - S) k = vee(R' dM - dM' R). That has no pole where singular values are equal.
def _hat(k: Array) -> Array:
    """The matrix of the cross product with k."""
    x, y, z = (k[..., i] for i in range(3))
    o = np.zeros_like(x)
    rows = [[o, -z, y], [z, o, -x], [-y, x, o]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _turn(r: Array, m: Array, change: Array) -> Array:
    s = np.matmul(np.swapaxes(r, -1, -2), m)
    c = np.matmul(np.swapaxes(r, -1, -2), change)
    c = c - np.swapaxes(c, -1, -2)
    v = np.stack([c[..., 2, 1], c[..., 0, 2], c[..., 1, 0]], axis=-1)
    trace = s[..., 0, 0] + s[..., 1, 1] + s[..., 2, 2]
    a = trace[..., None, None] * np.eye(3) - s
    return np.matmul(r, _hat(np.linalg.solve(a, np.expand_dims(v, -1))[..., 0]))


def _impl(m: Any) -> Any:
    u, _, v = np.linalg.svd(m)
    flip = np.ones(m.shape[:-1])
    flip[..., 2] = np.linalg.det(u) * np.linalg.det(v)
    return (u * flip[..., None, :]) @ v


@primitive(
    sp.Rotation, impl=_impl, name="scipy.spatial.transform.next_rotation",
    jvp=lambda ts, ans, m: _turn(ans, m, ts[0]), vjp=[lambda g, ans, m: _turn(ans, m, g)],
)  # fmt: skip
def next_rotation(m: Any) -> Any:
    """The rotation whose matrix is next to m, in the sum of squares."""
    return (m,), {}


# ------------------------------------------------------------------ the mean
def mean_quaternion(q: Any, w: Any) -> Any:
    """The quaternions that turn least against q, of shape (..., n, 4), weighted by w (..., n).

    It belongs to the greatest eigenvalue of sum of w q q' (Markley and others, 2007, Averaging
    quaternions). Newton's method starts at the answer, so it does nothing but give it derivatives:
    after two steps those of first to third order.
    """
    k = np.matmul(np.swapaxes(q * np.expand_dims(w, -1), -1, -2), q)
    x = stop_gradient_leaf(np.linalg.eigh(stop_gradient_leaf(k))[1][..., -1:])
    for _ in range(2):
        turned = np.matmul(k, x)
        value = np.sum(x * turned, axis=-2, keepdims=True)
        # On what is orthogonal to x this is k - value; along x the step is zero.
        a = k - value * np.eye(4) - x * np.swapaxes(x, -1, -2)
        x = x - np.linalg.solve(a, turned - value * x)
        x = x / np.sqrt(np.sum(np.square(x), axis=-2, keepdims=True))
    return x[..., 0]
