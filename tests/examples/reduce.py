"""Rows of reductions, running sums and products, sorting."""

from __future__ import annotations

import numpy as np

import fgrad.numpy as fnp

from .row import B, I, P, R, constant, linear, multilinear, row

MASK = np.array([[True, False, True, True], [False, True, False, True], [True, True, True, False]])
ROWS_MASK = np.array([[True], [False], [True]])
AXES = [None, 0, -1, (0, 1), (-1, 0), (1,)]


def _over(fn, **keywords):
    return lambda x: fn(x, **keywords)


def _masked(fn, x, mask):
    mask = np.logical_or(mask, np.array([True, False, True, False]))  # something counts
    return getattr(fnp, fn.__name__)(x, axis=1, where=mask)


def _started(fn, x, y):
    return getattr(fnp, fn.__name__)(x, axis=0, initial=y)


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
    # Masks, starts, dtypes, and no axes at all.
    linear(
        np.sum,
        [(3, 4)],
        _over(np.sum, where=ROWS_MASK, initial=1.5, keepdims=True),
        kind="smooth",
        bits=False,
    ),
    *(linear(f, [(3, 4)], _over(f, axis=())) for f in (np.sum, np.mean)),
    linear(np.mean, [(3, 4)], _over(np.mean, axis=(1, 0), where=MASK[:1]), bits=False),
    row(np.prod, [(3, 4)], _over(np.prod, where=ROWS_MASK, keepdims=True), complex=True),
    row(np.prod, [(3, 4)], _over(np.prod, axis=-1, initial=2, dtype=np.float64)),
    row(np.max, [(3, 4)], _over(np.max, where=ROWS_MASK, initial=-5, keepdims=True)),
    row(np.min, [(3, 4)], _over(np.min, where=MASK, initial=0.1, axis=1)),
    row(np.max, [(3, 4)], np.max, complex=True),
    row(np.min, [(3, 4)], _over(np.min, axis=1), complex=True),
    row(np.ptp, [(3, 4)], _over(np.ptp, axis=(0, 1), keepdims=True)),
    row(np.var, [(3, 4)], _over(np.var, where=ROWS_MASK, axis=0, keepdims=True), bits=False),
    row(np.var, [(3, 4)], _over(np.var, axis=()), bits=False),
    row(np.std, [(3, 4)], _over(np.std, where=MASK, axis=1, ddof=1), bits=False),
    row(
        np.std, [(3, 4), (3, 1)], lambda x, m: fnp.std(x, axis=1, mean=m, keepdims=True), bits=False
    ),
    *(
        row(f, [(3, 4), B(3, 1)], lambda x, m, f=f: _masked(f, x, m), bits=False)
        for f in (np.sum, np.prod, np.mean, np.var)
    ),
    *(
        row(f, [(3, 4), ()], lambda x, y, f=f: _started(f, x, y), bits=False)
        for f in (np.sum, np.prod, np.max, np.min)
    ),
    constant(np.any, [R(3, 4), B(3, 4)], lambda x, m: fnp.any(x > 1, axis=1, where=m)),
    *(
        constant(f, [I(3, 4)], _over(f, axis=1, dtype=np.int32))
        for f in (np.sum, np.prod, np.cumsum, np.cumprod)
    ),
    linear(np.cumsum, [(3, 4)], _over(np.cumsum, axis=1, dtype=np.complex128)),
    constant(np.any, [(3, 4)], lambda x: np.any(x > 1, axis=0, where=MASK)),
    constant(np.all, [(3, 4)], lambda x: np.all(x > -1, (0, 1), where=ROWS_MASK, keepdims=True)),
    constant(np.allclose, [(3, 4)], lambda x: np.allclose(x, x + 1e-3, 0, 1e-2, equal_nan=True)),
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
    linear(np.diff, [(3, 4)], _over(np.diff, n=5)),
    linear(np.diff, [(3, 4), ()], lambda x, p: fnp.diff(x, 2, prepend=p)),
    linear(np.linspace, [(), ()], lambda x, y: np.linspace(x, y, 4, retstep=True)),
    linear(np.linspace, [(), ()], lambda x, y: np.linspace(x, y, 1, endpoint=False)),
    linear(np.linspace, [(2,)], lambda x: np.linspace(x, [1.0, 2.0], 3), kind="smooth"),
    constant(np.linspace, [(2,)], lambda x: np.linspace(x, 5, 3, dtype=int)),
    row(np.logspace, [(), ()], lambda x, y: np.logspace(x, y, 4)),
    row(
        np.logspace,
        [(2,), ()],
        lambda x, y: np.logspace(x, y, 4, False, base=2, axis=-1),
        complex=True,
    ),
    row(np.logspace, [(2, 1), (), P(2)], lambda x, y, b: fnp.logspace(x, y, 3, base=b)),
    row(np.geomspace, [P(2), P()], lambda x, y: np.geomspace(x, y, 4), complex=True, bits=False),
    row(
        np.geomspace, [P(2), P()], lambda x, y: np.geomspace(-x, -y, 3, False, axis=-1), bits=False
    ),
    linear(np.trapezoid, [(3, 4)]),
    linear(np.trapezoid, [(3, 4)], lambda y: np.trapezoid(y, [0.0, 1.0, 3.0, 4.0])),
    multilinear(np.trapezoid, [(3, 4), ()], lambda y, d: fnp.trapezoid(y, dx=d, axis=0)),
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
    row(np.average, [(3, 4)], lambda x: np.average(x, weights=[1, 2, 3, 4], axis=1), complex=True),
    *(
        multilinear(np.convolve, shapes, lambda a, v, m=m: np.convolve(a, v, m), bits=False)
        for shapes in ([(4,), (2,)], [(2,), (3,)])
        for m in ("full", "same", "valid")
    ),
    multilinear(np.convolve, [(4,)], lambda a: np.convolve(a, [1.0, 2.0, 3.0]), bits=False),
    row(np.sort, [(2, 3, 2)], _over(np.sort, axis=1, stable=True), complex=True),
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
