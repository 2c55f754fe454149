"""Rows of functions that change shapes, join, split, pad and choose."""

from __future__ import annotations

import numpy as np

import fgrad.numpy as fnp

from .row import B, P, R, linear, multilinear, row

CHOICE = np.array([[True, False, True], [False, False, True]])
BELOW, ABOVE = P(2, 3), R(2, 3, low=-2, high=-0.3)
FILL = R(2, 3)


def _weighted(x, p, q):
    f = fnp.vectorize(lambda u, p, q: u * p[0] + q, excluded={1}, otypes=[float])
    return f(x, p, q=q)


ROWS = [
    linear(np.reshape, [(2, 6)], lambda x: np.reshape(x, (3, -1))),
    linear(np.reshape, [(2, 3)], lambda x: np.reshape(x, 6, order="F")),
    linear(np.reshape, [(2, 3)], lambda x: x.reshape(3, 2)),
    linear(np.reshape, [(0, 3)], lambda x: x.reshape(-1, 3)),
    linear(np.reshape, [()], lambda x: np.reshape(x, (1, 1))),
    linear(np.ravel, [(2, 3)]),
    linear(np.ravel, [(2, 3)], lambda x: x.flatten("F")),
    linear(np.transpose, [(2, 3, 4)]),
    linear(np.transpose, [(2, 3, 4)], lambda x: np.transpose(x, (1, -1, 0))),
    linear(np.transpose, [(2, 3)], lambda x: x.T),
    linear(np.transpose, [(2, 3, 4)], lambda x: x.transpose(2, 0, 1)),
    linear(np.transpose, [(3,)]),
    linear(np.swapaxes, [(2, 3, 4)], lambda x: np.swapaxes(x, 0, -1)),
    linear(np.moveaxis, [(2, 3, 4)], lambda x: np.moveaxis(x, (0, -1), (1, 0))),
    linear(np.rollaxis, [(2, 3, 4)], lambda x: np.rollaxis(x, 2)),
    linear(np.rollaxis, [(2, 3, 4)], lambda x: np.rollaxis(x, 0, 3)),
    linear(np.matrix_transpose, [(2, 3, 4)], lambda x: x.mT),
    linear(np.linalg.matrix_transpose, [(2, 3)]),
    linear(np.expand_dims, [(2, 3)], lambda x: np.expand_dims(x, (0, -1))),
    linear(np.expand_dims, [(2, 3)], lambda x: np.expand_dims(x, 1)),
    linear(np.squeeze, [(1, 3, 1)]),
    linear(np.squeeze, [(1, 3, 1)], lambda x: np.squeeze(x, axis=-1)),
    linear(np.squeeze, [(2, 3)]),
    *(linear(np.atleast_1d, [s], np.atleast_1d) for s in ((), (2, 3))),
    linear(np.atleast_2d, [(3,), (2, 3)]),
    *(linear(np.atleast_3d, [s], np.atleast_3d) for s in ((), (3,), (2, 3), (1, 2, 3))),
    linear(np.broadcast_to, [(2, 1)], lambda x: np.broadcast_to(x, (4, 2, 3))),
    linear(np.broadcast_to, [()], lambda x: np.broadcast_to(x, 3)),
    linear(np.broadcast_arrays, [(2, 1), (3,), ()], lambda *xs: np.broadcast_arrays(*xs)),
    linear(np.transpose, [(2, 3, 4)], lambda x: np.transpose(x, [-1, -3, -2])),
    linear(np.permute_dims, [(2, 3)], lambda x: np.permute_dims(x, axes=(-1, 0))),
    linear(np.rollaxis, [(2, 3, 4)], lambda x: np.rollaxis(x, 0, -1)),
    linear(
        np.broadcast_arrays,
        [(2, 1)],
        lambda x: np.broadcast_arrays(x, [1.0, 2.0, 3.0]),
        kind="smooth",
    ),
    linear(np.atleast_3d, [(2,)], lambda x: np.atleast_3d(x, 2.0), kind="smooth"),
    # Arrays of traced values, by the names in fgrad.numpy.
    linear(np.array, [(2,), ()], lambda x, y: fnp.array([[x[0], y], [1.0, x[1]]]), kind="smooth"),
    linear(np.array, [(2,)], lambda x: fnp.array([x, x], dtype=np.complex128, ndmin=3)),
    linear(np.asarray, [(2,)], lambda x: (fnp.asarray([x, x]), fnp.asarray(x, np.complex128))),
    linear(np.asanyarray, [(2,)], lambda x: fnp.asanyarray(x)),
    linear(np.ascontiguousarray, [()], lambda x: fnp.ascontiguousarray(x)),
    linear(np.asfortranarray, [(2, 3)], lambda x: fnp.asfortranarray(x)),
    linear(np.full, [(3,)], lambda x: fnp.full((2, 3), x)),
    linear(np.full, [(), ()], lambda x, y: fnp.full((2, 2), [x, y], dtype=np.complex128)),
    linear(np.array, [(2,), ()], lambda x, y: fnp.r_[x, 0, 1:3, y, -1:1:3j], kind="smooth"),
    linear(np.array, [(2, 3), (3,)], lambda x, y: (fnp.r_["0,2", x, y], fnp.r_["1,2,0", y, y])),
    linear(np.array, [(2, 3), (2,)], lambda x, y: fnp.r_["1,3", y, x[:, :2]]),
    linear(np.array, [(2, 2), (2,)], lambda x, y: (fnp.c_[x, y], fnp.c_[y, y], fnp.r_[y])),
    row(np.array, [(2, 3)], lambda x: fnp.vectorize(lambda u, v: u * v + 1)(x, [1.0, 2.0, 3.0])),
    row(np.array, [(2, 3)], lambda x: _weighted(x, [3.0], q=2.0)),
    row(
        np.array,
        [(2, 2), (2,)],
        lambda x, y: fnp.vectorize(lambda u, v: (u @ v, u * v[0]), signature="(n),(n)->(),(n)")(
            x, y
        ),
        bits=False,
    ),
    # Joining and splitting.
    linear(
        np.stack, [(2,)], lambda x: np.stack([x, [1.0, 2.0]], dtype=np.complex128), kind="smooth"
    ),
    linear(np.column_stack, [(3,)], lambda x: np.column_stack([x, [1.0, 2.0, 3.0]]), kind="smooth"),
    linear(np.append, [(3,)], lambda x: np.append([1.0], x), kind="smooth"),
    linear(np.split, [(5,)], lambda x: np.split(x, [-2, 7])),
    linear(np.concatenate, [(2, 3), (1, 3)], lambda *xs: np.concatenate(xs)),
    linear(np.concatenate, [(2, 3), (2, 0), (2, 1)], lambda *xs: np.concatenate(xs, axis=-1)),
    linear(np.concatenate, [(2, 3), (4,)], lambda *xs: np.concatenate(xs, axis=None)),
    linear(
        np.concatenate, [(2, 3)], lambda x: np.concatenate([x, np.ones((1, 3)), x]), kind="smooth"
    ),
    linear(np.stack, [(2, 3), (2, 3)], lambda *xs: np.stack(xs)),
    linear(np.stack, [(2, 3), (2, 3)], lambda *xs: np.stack(xs, axis=-1)),
    linear(np.stack, [(), ()], lambda x, y: np.stack([x, 1.0, y]), kind="smooth"),
    linear(np.vstack, [(3,), (2, 3)], lambda *xs: np.vstack(xs)),
    linear(np.hstack, [(2,), (3,)], lambda *xs: np.hstack(xs)),
    linear(np.hstack, [(2, 1), (2, 3)], lambda *xs: np.hstack(xs)),
    linear(np.dstack, [(2, 3), (2, 3)], lambda *xs: np.dstack(xs)),
    linear(np.column_stack, [(2,), (2, 3)], lambda *xs: np.column_stack(xs)),
    linear(np.append, [(2, 3), (4,)]),
    linear(np.append, [(2, 3), (1, 3)], lambda x, y: np.append(x, y, axis=0)),
    linear(np.split, [(4, 3)], lambda x: np.split(x, 2)),
    linear(np.split, [(2, 5)], lambda x: np.split(x, [1, 3], axis=-1)),
    linear(np.array_split, [(5, 2)], lambda x: np.array_split(x, 3)),
    linear(np.vsplit, [(4, 3)], lambda x: np.vsplit(x, 2)),
    linear(np.hsplit, [(2, 4)], lambda x: np.hsplit(x, [1])),
    linear(np.dsplit, [(2, 1, 4)], lambda x: np.dsplit(x, 2)),
    # Flipping, rolling, padding, repeating.
    linear(np.flip, [(2, 3)]),
    linear(np.flip, [(2, 3)], lambda x: np.flip(x, axis=(0,))),
    linear(np.flipud, [(2, 3)]),
    linear(np.fliplr, [(2, 3)]),
    linear(np.roll, [(2, 3)], lambda x: np.roll(x, 2)),
    linear(np.roll, [(2, 3)], lambda x: np.roll(x, (1, -1), axis=(0, 1))),
    linear(np.pad, [(2, 3)], lambda x: np.pad(x, 1)),
    linear(np.pad, [(2, 3)], lambda x: np.pad(x, ((0, 1), (2, 0)))),
    linear(np.pad, [(2, 3)], lambda x: np.pad(x, (1, 2), constant_values=3.0), kind="smooth"),
    linear(
        np.pad, [(2, 3)], lambda x: np.pad(x, 1, constant_values=((1, 2), (3, 4))), kind="smooth"
    ),
    *(
        linear(np.pad, [(2, 3)], lambda x, m=m: np.pad(x, (1, 2), mode=m))
        for m in ("edge", "wrap", "reflect", "symmetric")
    ),
    linear(np.pad, [(2,)], lambda x: np.pad(x, (5, 3), mode="reflect")),
    *(
        linear(
            np.pad, [(3,)], lambda x, m=m: np.pad(x, (7, 2), mode=m, reflect_type="odd"), bits=False
        )
        for m in ("reflect", "symmetric")
    ),
    linear(
        np.pad,
        [(2, 3)],
        lambda x: np.pad(x, (2, 1), mode="linear_ramp", end_values=(1, 2)),
        bits=False,
        kind="smooth",
    ),
    linear(np.pad, [(3, 4)], lambda x: np.pad(x, ((2, 1), (0, 3)), "mean"), bits=False),
    *(
        row(np.pad, [(3, 4)], lambda x, m=m: np.pad(x, ((2, 1), (0, 3)), m, stat_length=2))
        for m in ("maximum", "minimum", "median")
    ),
    linear(np.pad, [(2, 3), (2,)], lambda x, v: fnp.pad(x, 1, constant_values=v)),
    linear(np.tile, [(2, 3)], lambda x: np.tile(x, 2)),
    linear(np.tile, [()], lambda x: np.tile(x, np.array([2, 2]))),
    linear(np.tile, [(3,)], lambda x: np.tile(x, (2, 1, 2))),
    linear(np.tile, [(2, 1, 3)], lambda x: np.tile(x, (2, 2))),
    linear(np.repeat, [(2, 3)], lambda x: np.repeat(x, 2)),
    linear(np.repeat, [(2, 3)], lambda x: x.repeat([2, 0, 1], axis=-1)),
    # Choosing.
    linear(np.where, [B(2, 3), (2, 3), (2, 3)]),
    linear(np.where, [B(3), (2, 1), ()]),
    linear(np.where, [(2, 3)], lambda x: np.where(CHOICE, x, 0.0)),
    linear(
        np.where,
        [(2, 3)],
        lambda x: np.where([True, False, True], x, [1.0, 2.0, 3.0]),
        kind="smooth",
    ),
    linear(np.where, [(), (2, 1)], lambda x, y: np.where(CHOICE, x, y)),
    row(np.where, [(2, 3)], lambda x: np.where(x > 0, x * x, 2)),
    multilinear(np.where, [(3,), (2, 3)], lambda x, y: np.where(CHOICE, x * y, 0)),
]
