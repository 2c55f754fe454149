"""Rows of reductions, running sums and products, sorting."""

from __future__ import annotations

import numpy as np

from .row import P, R, constant, linear, multilinear, row

MASK = np.array([[True, False, True, True], [False, True, False, True], [True, True, True, False]])
AXES = [None, 0, -1, (0, 1), (-1, 0), (1,)]


def _over(fn, **keywords):
    return lambda x: fn(x, **keywords)


ROWS = [
    # One row for each way of naming axes.
    *(linear(np.sum, [(3, 4)], _over(np.sum, axis=axis)) for axis in AXES),
    *(linear(np.mean, [(3, 4)], _over(np.mean, axis=axis)) for axis in AXES),
    *(row(np.prod, [(3, 4)], _over(np.prod, axis=axis), complex=True) for axis in AXES),
    *(row(np.max, [(3, 4)], _over(np.max, axis=axis)) for axis in AXES),
    linear(np.sum, [()]),
    linear(np.sum, [(2, 3, 2)], lambda x: np.sum(x, axis=(0, 2), keepdims=True)),
    linear(np.sum, [(3, 4)], lambda x: np.sum(x, axis=0, where=MASK)),
    linear(np.sum, [(3, 4)], lambda x: x.sum(1, initial=2.0), kind="smooth"),
    linear(np.sum, [(3, 4)], lambda x: np.sum(x, dtype=np.complex128)),
    linear(np.sum, [(3, 0)], lambda x: np.sum(x, axis=1)),
    linear(np.sum, [(3, 4)], lambda x: np.add.reduce(x)),
    linear(np.sum, [(3, 4)], lambda x: np.add.reduce(x, axis=(0, 1), keepdims=True)),
    linear(np.sum, [(3, 4)], sum),
    linear(np.mean, [(3, 4)], lambda x: np.mean(x, axis=1, keepdims=True)),
    linear(np.mean, [(3, 4)], lambda x: np.mean(x, axis=0, where=MASK)),
    linear(np.mean, [(3, 4)], lambda x: x.mean()),
    linear(np.mean, [()]),
    row(np.prod, [(2, 3, 2)], lambda x: np.prod(x, axis=(0, 2), keepdims=True)),
    row(np.prod, [(3, 4)], lambda x: np.prod(x, axis=0, where=MASK, initial=2.0)),
    row(np.prod, [(3, 0)], lambda x: np.prod(x, axis=1)),
    row(np.prod, [(3, 4)], lambda x: np.multiply.reduce(x)),
    row(np.prod, [()]),
    row(np.min, [(3, 4)]),
    row(np.min, [(3, 4)], lambda x: np.min(x, axis=1, keepdims=True)),
    row(np.min, [(3, 4)], lambda x: np.minimum.reduce(x, axis=1)),
    row(np.max, [(3, 4)], lambda x: np.maximum.reduce(x)),
    row(np.max, [(3, 4)], lambda x: np.max(x, axis=0, where=MASK, initial=-3.0)),
    row(np.max, [(3, 4)], lambda x: x.max(axis=0, initial=0.5)),
    row(np.amax, [(3, 4)], lambda x: np.amax(x, 0)),
    row(np.amin, [(3, 4)], lambda x: np.amin(x, 0)),
    row(np.max, [()]),
    row(np.ptp, [(3, 4)], lambda x: np.ptp(x, axis=0)),
    *(
        row(np.var, [(3, 4)], _over(np.var, **kw), complex=True, bits=False)
        for kw in (
            {},
            {"axis": 0},
            {"axis": (0, 1), "ddof": 1, "keepdims": True},
            {"correction": 1},
            {"axis": 0, "where": MASK},
        )
    ),
    row(
        np.var,
        [(3, 4)],
        lambda x: x.var(axis=-1, mean=np.mean(x, axis=-1, keepdims=True)),
        bits=False,
    ),
    row(np.std, [(3, 4)], lambda x: np.std(x, axis=0, ddof=1), complex=True, bits=False),
    row(np.std, [(3, 4)], lambda x: x.std(), bits=False),
    # Running sums and products.
    *(linear(np.cumsum, [(3, 4)], _over(np.cumsum, axis=axis)) for axis in (None, 0, -1)),
    *(
        row(np.cumprod, [(3, 5)], _over(np.cumprod, axis=axis), complex=True)
        for axis in (None, 0, -1)
    ),
    row(np.cumprod, [(3, 0)], lambda x: np.cumprod(x, axis=1)),
    row(np.cumprod, [(3, 1)], lambda x: np.multiply.accumulate(x, axis=1)),
    linear(np.cumsum, [(3, 4)], lambda x: np.add.accumulate(x)),
    # Differences, integrals, averages, sorting.
    linear(np.diff, [(3, 4)]),
    linear(np.diff, [(4, 3)], lambda x: np.diff(x, 2, axis=0)),
    linear(
        np.diff, [(3, 4)], lambda x: np.diff(x, prepend=0.0, append=np.ones((3, 2))), kind="smooth"
    ),
    linear(np.ediff1d, [(2, 3)]),
    linear(
        np.ediff1d, [(4,)], lambda x: np.ediff1d(x, to_end=[1.0, 2.0], to_begin=0.0), kind="smooth"
    ),
    linear(np.linspace, [(2,), (2,)], lambda x, y: np.linspace(x, y, 4), bits=False),
    linear(
        np.linspace, [()], lambda x: np.linspace(0, x, 3, endpoint=False), bits=False, kind="smooth"
    ),
    linear(np.linspace, [(2,), ()], lambda x, y: np.linspace(x, y, 3, axis=-1), bits=False),
    linear(np.meshgrid, [(2,), (3,)], np.meshgrid),
    linear(np.meshgrid, [(2,), (3,), (2,)], lambda *xs: np.meshgrid(*xs, indexing="ij")),
    linear(np.meshgrid, [(2,), (3,)], lambda *xs: np.meshgrid(*xs, sparse=True)),
    linear(np.trapezoid, [(3, 4)]),
    linear(np.trapezoid, [(3, 4)], lambda y: np.trapezoid(y, dx=0.5, axis=0)),
    multilinear(np.trapezoid, [(3, 4), (4,)], np.trapezoid),
    multilinear(np.trapezoid, [(4, 3), (4,)], lambda y, x: np.trapezoid(y, x, axis=0)),
    multilinear(np.trapezoid, [(4, 3), (4, 3)], lambda y, x: np.trapezoid(y, x, axis=0)),
    linear(np.average, [(3, 4)], lambda x: np.average(x, axis=0)),
    row(np.average, [(3, 4), P(3, 4)], lambda x, w: np.average(x, weights=w)),
    row(np.average, [(3, 4), P(3)], lambda x, w: np.average(x, axis=0, weights=w, keepdims=True)),
    row(
        np.average,
        [(2, 3, 2), P(2, 3)],
        lambda x, w: np.average(x, axis=(2, 1), weights=w, returned=True),
    ),
    *(row(np.sort, [(3, 4)], _over(np.sort, axis=axis)) for axis in (None, 0, -1)),
    linear(np.compress, [(3, 4)], lambda x: np.compress([True, False, True], x, axis=0)),
    # The answer is constant.
    *(
        constant(f, [(3, 4)], _over(f, **kw))
        for f in (np.argmax, np.argmin)
        for kw in ({}, {"axis": 0}, {"axis": -1, "keepdims": True})
    ),
    *(constant(f, [(3, 4)], _over(f, axis=axis)) for f in (np.argsort,) for axis in (None, 0, -1)),
    *(
        constant(f, [R(3, 4, low=-1, high=1)], lambda x, f=f: f(x > 0, axis=1, keepdims=True))
        for f in (np.any, np.all)
    ),
    *(constant(f, [P(3, 4)], f) for f in (np.any, np.all, np.count_nonzero)),
    *(
        constant(f, [R(6, 2, low=0)], lambda x, f=f: f(np.floor(x), axis=1))
        for f in (np.any, np.all, np.count_nonzero)
    ),
    constant(np.all, [P(3, 4)], lambda x: np.logical_and.reduce(x)),
]
