"""Formulas of unit quaternions (x, y, z, w), along the last axis, smooth where rotations are.

A formula with the angle in a denominator is, near the rotation by nothing, its power series in the
angle's square, so that derivatives of any order are right there. Sources: Shuster (1993), A survey
of attitude representations; Bernardes and Viollet (2022), Quaternion to Euler angles conversion.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...ops.casts import stop_gradient_leaf
from ...ops.index import take_along_axis


def parts(q: Any) -> tuple[Any, ...]:
    """The four numbers."""
    return tuple(q[..., i] for i in range(4))


def series(factors: list[float], u: Any) -> Any:
    """The polynomial with these factors, the lowest power first."""
    y = np.full_like(u, factors[-1])
    for a in reversed(factors[:-1]):
        y = y * u + a
    return y


def product(p: Any, q: Any) -> Any:
    """Hamilton's product: first q, then p."""
    a, b, c, d = parts(p)
    e, f, g, h = parts(q)
    return np.stack([
        d * e + a * h + b * g - c * f, d * f + b * h + c * e - a * g,
        d * g + c * h + a * f - b * e, d * h - a * e - b * f - c * g,
    ], axis=-1)  # fmt: skip


def conjugate(q: Any) -> Any:
    """The inverse of a unit quaternion."""
    return q * np.array([-1.0, -1.0, -1.0, 1.0])


def unit(q: Any) -> Any:
    """q over its length."""
    return q / np.sqrt(np.sum(np.square(q), axis=-1, keepdims=True))


def positive(q: Any) -> Any:
    """1, or -1 where the last number is negative: the sign of the same rotation's short way."""
    return np.where(stop_gradient_leaf(q[..., 3:]) < 0, -1.0, 1.0)


# ------------------------------------------------------------------ rotation vectors
#: sin(a / 2) / a and cos(a / 2) in powers of a ** 2.
_SINE = [(-1) ** k / (2 * 4**k * math.factorial(2 * k + 1)) for k in range(9)]
_COSINE = [(-1) ** k / (4**k * math.factorial(2 * k)) for k in range(9)]


def from_rotvec(v: Any) -> Any:
    """The quaternion of the rotation around v by its length."""
    u = np.sum(np.square(v), axis=-1, keepdims=True)
    near = stop_gradient_leaf(u) < 0.25
    small, angle = np.where(near, u, 0.0), np.sqrt(np.where(near, 1.0, u))
    sine = np.where(near, series(_SINE, small), np.sin(angle / 2) / angle)
    cosine = np.where(near, series(_COSINE, small), np.cos(angle / 2))
    return np.concatenate([v * sine, cosine], axis=-1)


#: arctan(s) / s in powers of s ** 2.
_ARCTAN = [(-1) ** k / (2 * k + 1) for k in range(12)]


def to_rotvec(q: Any) -> Any:
    """The vector around which the short way goes, as long as the angle."""
    q = q * positive(q)
    v, w = q[..., :3], q[..., 3:]
    u = np.sum(np.square(v), axis=-1, keepdims=True)
    near = stop_gradient_leaf(u) < 0.01 * stop_gradient_leaf(w * w)
    over = np.where(near, w, 1.0)
    small, sine = np.where(near, u, 0.0), np.sqrt(np.where(near, 1.0, u))
    short = series(_ARCTAN, small / (over * over)) / over
    return 2 * v * np.where(near, short, np.arctan2(sine, w) / sine)


def magnitude(q: Any) -> Any:
    """The angle, from 0 to pi."""
    return 2 * np.arctan2(np.linalg.norm(q[..., :3], axis=-1), np.abs(q[..., 3]))


# ------------------------------------------------------------------ matrices
def to_matrix(q: Any) -> Any:
    """The matrix of the rotation."""
    x, y, z, w = parts(q)
    xx, yy, zz, ww = x * x, y * y, z * z, w * w
    xy, xz, yz, xw, yw, zw = x * y, x * z, y * z, x * w, y * w, z * w
    rows = [
        [xx - yy - zz + ww, 2 * (xy - zw), 2 * (xz + yw)],
        [2 * (xy + zw), yy - xx - zz + ww, 2 * (yz - xw)],
        [2 * (xz - yw), 2 * (yz + xw), zz - xx - yy + ww],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def from_matrix(m: Any) -> Any:
    """The quaternion of an orthogonal matrix, by its greatest number (Shepperd's method)."""
    a = [[m[..., i, j] for j in range(3)] for i in range(3)]
    trace = a[0][0] + a[1][1] + a[2][2]
    known = [stop_gradient_leaf(v) for v in (a[0][0], a[1][1], a[2][2], trace)]
    choice = np.argmax(np.stack(known, axis=-1), axis=-1)
    options = []
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        q: list[Any] = [None] * 3
        q[i], q[j], q[k] = 1 - trace + 2 * a[i][i], a[j][i] + a[i][j], a[k][i] + a[i][k]
        options.append(np.stack([*q, a[k][j] - a[j][k]], axis=-1))
    turn = [a[2][1] - a[1][2], a[0][2] - a[2][0], a[1][0] - a[0][1]]
    options.append(np.stack([*turn, 1 + trace], axis=-1))
    index = np.expand_dims(choice, (-1, -2))
    index = np.broadcast_to(index, (*np.shape(choice), 1, 4))
    return unit(take_along_axis(np.stack(options, axis=-2), index, -2)[..., 0, :])


# ------------------------------------------------------------------ modified Rodrigues parameters
def from_mrp(v: Any) -> Any:
    """The quaternion of the axis times tan(angle / 4)."""
    u = np.sum(np.square(v), axis=-1, keepdims=True)
    return np.concatenate([2 * v, 1 - u], axis=-1) / (1 + u)


def to_mrp(q: Any) -> Any:
    """The axis times tan(angle / 4) of the short way."""
    q = q * positive(q)
    return q[..., :3] / (1 + q[..., 3:])


# ------------------------------------------------------------------ Euler angles
def elementary(axis: int, angle: Any) -> Any:
    """The quaternion of a rotation around a coordinate axis."""
    q: list[Any] = [np.zeros_like(angle)] * 3
    q[axis] = np.sin(angle / 2)
    return np.stack([*q, np.cos(angle / 2)], axis=-1)


def to_euler(q: Any, axes: list[int], extrinsic: bool) -> tuple[Any, Any]:
    """The three angles, and where two of the axes fall together, so that the third angle is 0."""
    axes = axes if extrinsic else axes[::-1]
    i, j, k = axes
    proper = i == k  # the first axis again
    k = 3 - i - j if proper else k
    sign = float((i - j) * (j - k) * (k - i) // 2)
    x = parts(q)
    if proper:
        a, b, c, d = x[3], x[i], x[j], x[k] * sign
    else:
        a, b, c, d = x[3] - x[j], x[i] + x[k] * sign, x[j] + x[3], x[k] * sign - x[i]
    middle = 2 * np.arctan2(np.hypot(c, d), np.hypot(a, b))
    known = stop_gradient_leaf(middle)
    none, full = np.abs(known) <= 1e-7, np.abs(known - np.pi) <= 1e-7
    locked = np.logical_or(none, full)
    total, difference = np.arctan2(b, a), np.arctan2(d, c)
    first, third = total - difference, total + difference
    if not proper:
        third, middle = third * sign, middle - np.pi / 2
    if not extrinsic:
        first, third = third, first
    alone = np.where(none, 2 * total, 2 * difference * (-1.0 if extrinsic else 1.0))
    first, third = np.where(locked, alone, first), np.where(locked, 0.0, third)
    angles = np.stack([first, middle, third], axis=-1)
    turns = np.where(stop_gradient_leaf(angles) < -np.pi, 2 * np.pi, 0.0)
    turns = np.where(stop_gradient_leaf(angles) > np.pi, -2 * np.pi, turns)
    return angles + turns, locked
