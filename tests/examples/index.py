"""Rows of indexing, changed copies and functions that index."""

from __future__ import annotations

import numpy as np

import fgrad
import fgrad.numpy
from fgrad.tracer import ArrayTracer

from .row import I, R, linear, multilinear, row

ROWS_MASK = np.array([True, False, True])
MASK = np.array(
    [[True, False, True, True], [False, False, True, False], [True, False, False, True]]
)
REPEATED = np.array([0, 2, 0, 1])

#: Indices of an array of shape (3, 4, 5).
INDICES = [
    1, -1, np.int64(2), (1, 2), (1, -1, 0), slice(None, None, 2), slice(None, None, -1),
    (slice(1, 3), 2), (slice(None), slice(4, 0, -2)), None, (None, 1, None), Ellipsis,
    (Ellipsis, 1), (0, Ellipsis, slice(1, 3)), (slice(0, 0),), (),
    REPEATED, [0, 0], [], np.array(1), np.array([[0, 1], [2, 0]]),
    (REPEATED, REPEATED), (slice(None), REPEATED), (Ellipsis, REPEATED),
    (REPEATED, slice(1, 3), REPEATED), (slice(None), REPEATED, REPEATED),
    (0, slice(None), REPEATED), (slice(None), 1, REPEATED), (REPEATED, None, 0),
    (np.array([[0], [2]]), np.array([1, 3])), (None, REPEATED, Ellipsis, 2),
    ROWS_MASK, MASK, (ROWS_MASK, 1), (slice(None), np.array([True, False, True, False])),
    (Ellipsis, np.array([True, False, True, False, True])), (MASK, 0), True, False,
]  # fmt: skip


def _get(index):
    return lambda x: x[index]


def _add(index):
    return lambda x, v: fgrad.at(x)[index].add(v)


def _set(index):
    return lambda x, v: fgrad.at(x)[index].set(v)


def _scalar(shape):
    return linear(ArrayTracer.__getitem__, [shape], lambda x: x[0])


ROWS = [
    *(linear(ArrayTracer.__getitem__, [(3, 4, 5)], _get(index)) for index in INDICES),
    _scalar((3,)),
    linear(ArrayTracer.__getitem__, [(3, 4)], lambda x: x[0] + x[2] + x[0, 1] + x[REPEATED][0]),
    linear(ArrayTracer.__getitem__, [(3, 4)], list),
    # Indices that are operands, and mapped too. A plain x can't take a traced index by x[i].
    linear(ArrayTracer.__getitem__, [(3, 4), I(2)], lambda x, i: fgrad.at(x)[i].get()),
    linear(ArrayTracer.__getitem__, [(3, 4), I()], lambda x, i: fgrad.at(x)[i].get()),
    linear(ArrayTracer.__getitem__, [(3, 4), I(2)], lambda x, i: fgrad.at(x)[1, i].get()),
    linear(ArrayTracer.__getitem__, [(4, 3), I(2)], lambda x, i: fgrad.at(x)[1:, i].get()),
    linear(
        ArrayTracer.__getitem__,
        [(3, 4, 3), I(2, 1), I(2)],
        lambda x, i, j: fgrad.at(x)[i, :, j].get(),
    ),
    linear(
        ArrayTracer.__getitem__,
        [(2, 3, 3), I(2), I(2)],
        lambda x, i, j: fgrad.at(x)[None, :, i, j].get(),
    ),
    linear(ArrayTracer.__getitem__, [(2, 3, 3), I(2)], lambda x, i: fgrad.at(x)[..., i, 0].get()),
    linear(ArrayTracer.__getitem__, [(2, 3, 3), I(2)], lambda x, i: fgrad.at(x)[0, :, i].get()),
    # Changed copies.
    *(linear(fgrad.at, [(3, 4, 5), ()], _add(index)) for index in INDICES),
    *(linear(fgrad.at, [(3, 4, 5), ()], _set(index)) for index in INDICES),
    linear(fgrad.at, [(3, 4), (4, 4)], _add(REPEATED)),
    linear(fgrad.at, [(3, 4), (2,)], _add((slice(1), slice(None, None, 2)))),
    linear(fgrad.at, [(3, 4), (4, 4)], _set(REPEATED)),
    linear(fgrad.at, [(3, 4), (3, 1)], _set(slice(None))),
    linear(fgrad.at, [(3, 4), (6,)], _set(MASK)),
    linear(fgrad.at, [(3, 4), (2, 4), I(2)], lambda x, v, i: fgrad.at(x)[i].add(v)),
    linear(fgrad.at, [(4, 3), (4, 2), I(2)], lambda x, v, i: fgrad.at(x)[:, i].add(v)),
    linear(fgrad.at, [(3, 4), (4,), I(2)], lambda x, v, i: fgrad.at(x)[i].set(v)),
    linear(fgrad.at, [(3, 4), (2, 4), I(2)], lambda x, v, i: fgrad.at(x)[i].set(v)),
    linear(
        fgrad.at, [(3, 2, 3), (2, 2), I(2), I(2)], lambda x, v, i, j: fgrad.at(x)[i, :, j].set(v)
    ),
    linear(fgrad.at, [(3, 4)], lambda x: fgrad.at(x)[0].set(1.0), kind="smooth"),
    linear(ArrayTracer.at, [(3, 4), ()], lambda x, v: fgrad.at(x)[1:].subtract(v)),
    linear(ArrayTracer.at, [(3, 4)], lambda x: fgrad.at(x)[1:].get()),
    multilinear(ArrayTracer.at, [(3, 4), (4,)], lambda x, v: fgrad.at(x)[1].multiply(v)),
    row(ArrayTracer.at, [(3, 4), (4, 1)], lambda x, v: fgrad.at(x)[REPEATED].multiply(v)),
    row(ArrayTracer.at, [(3, 4), (4, 4)], lambda x, v: fgrad.at(x)[REPEATED].max(v)),
    row(ArrayTracer.at, [(3, 4), (6,)], lambda x, v: fgrad.at(x)[MASK].min(v)),
    row(ArrayTracer.at, [(3, 4)], lambda x: fgrad.at(x)[x > 0].set(0.0)),
    # Functions that index.
    linear(np.take, [(3, 4)], lambda x: np.take(x, [[0, 5], [11, 0]])),
    linear(np.take, [(3, 4)], lambda x: np.take(x, -1, axis=1)),
    linear(np.take, [(3, 4), I(2)], lambda x, i: fgrad.numpy.take(x, i, axis=-1)),
    linear(np.take, [(3, 4)], lambda x: np.take(x, [-4, 7], axis=0, mode="wrap")),
    linear(np.take, [(3, 4)], lambda x: np.take(x, [-4, 7], axis=0, mode="clip")),
    linear(np.take_along_axis, [(3, 4), I(3, 2)], lambda x, i: np.take_along_axis(x, i, axis=1)),
    linear(np.take_along_axis, [(3, 4), I(2, 4)], lambda x, i: np.take_along_axis(x, i, 0)),
    linear(
        np.take_along_axis,
        [R(3, 4)],
        lambda x: np.take_along_axis(x, np.argsort(x, axis=0), axis=0),
        kind="smooth",
        complex=False,
    ),
]
