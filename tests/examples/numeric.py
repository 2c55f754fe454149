"""Rows of functions made of others: polynomials, choices, NaNs, order statistics, samples."""

from __future__ import annotations

import numpy as np

import fgrad.numpy as fnp

from .row import B, I, P, R, constant, linear, multilinear, row

MASK = np.array([[True, False, True, True], [False, True, False, True], [True, True, True, False]])
HOLES = np.where(MASK, 0.0, np.nan)
WEIGHTS = np.arange(12.0).reshape(3, 4) % 5
BINS = np.array([-2.0, -0.7, 0.3, 2.0])
TWO, CUBIC, SPREAD = np.array([2.0]), np.array([-7.0, 14.0, -8.0]), np.diag([1.0, 5.0])
DISCRETE = ("inverted_cdf", "averaged_inverted_cdf", "closest_observation")
KNOTS = np.array([-2.5, -1.1, 0.13, 0.9, 2.6])


def _holes(fn, **keywords):
    """A function of an array in which some entries are NaN."""
    return lambda x: fn(np.where(MASK, x, np.nan), **keywords)


ROWS = [
    row(np.polyval, [(3,), (2, 2)], np.polyval, complex=True),
    row(np.polyval, [(4,)], lambda x: np.polyval([1.0, -2.0, 3.0], x)),
    row(np.vander, [(3,)], np.vander, complex=True),
    row(np.vander, [(3,)], lambda x: np.vander(x, 4, increasing=True)),
    linear(np.polyadd, [(2,), (4,)]),
    linear(np.polysub, [(4,), (2,)]),
    linear(np.polyder, [(5,)], lambda p: np.polyder(p, 2)),
    linear(np.polyint, [(3,)], np.polyint),
    linear(np.polyint, [(3,), (2,)], lambda p, k: fnp.polyint(p, 2, k)),
    linear(np.polyint, [(3,), ()], lambda p, k: fnp.polyint(p, 3, k)),
    multilinear(np.polymul, [(3,), (2,)], np.polymul, bits=False),
    multilinear(np.polymul, [(3,)], lambda a: np.polymul(a, [0, 0, 1, 2]), bits=False),
    *(row(np.polydiv, [(n,), P(2)], lambda u, v: np.polydiv(u, np.concatenate([TWO, v])),
          bits=False, complex=n == 5) for n in (2, 3, 5)),
    linear(np.polydiv, [(3,)], lambda u: np.polydiv(u, [2.0])),
    row(np.poly, [(3,)], np.poly, complex=True, bits=False),
    row(np.poly, [R(2, 2, low=-0.3, high=0.3)], lambda x: np.poly(x + x.T + SPREAD), bits=False),
    row(np.roots, [R(3, low=-0.05, high=0.05)],
        lambda p: np.sort(np.roots(np.concatenate([TWO / 2, p + CUBIC]))), bits=False),
    row(np.roots, [P(2)], np.roots, bits=False),
    row(np.polyfit, [(6,), (6,)], lambda x, y: np.polyfit(x, y, 2), bits=False),
    row(np.polyfit, [(6,), (6, 2), P(6)], lambda x, y, w: np.polyfit(x, y, 1, w=w), bits=False),
    row(np.polyfit, [(6,), (6,), P(6)], lambda x, y, w: np.polyfit(x, y, 1, w=w, cov=True),
        bits=False),
    row(np.polyfit, [(6,), (6, 2)], lambda x, y: np.polyfit(x, y, 1, cov="unscaled"), bits=False),
    row(np.polyfit, [(6,), (6,)], lambda x, y: np.polyfit(x, y, 1, full=True)[:2], bits=False),
    # Histograms: constant in the samples, but for the edges that the least and greatest give.
    constant(np.histogram, [(8,)], lambda x: np.histogram(x, BINS)[0]),
    constant(np.histogram, [I(6)], lambda x: np.histogram(x, 2, range=(0, 3))[0]),
    row(np.histogram, [(8,)], lambda x: np.histogram(x, 4)),
    row(np.histogram, [(8,)], lambda x: np.histogram(x, 3, density=True)[0], bits=False),
    row(np.histogram, [(2, 4), (2, 4)], lambda x, w: np.histogram(x, BINS, weights=w)[0],
        complex=False, bits=False),
    linear(np.histogram, [(5,)], lambda w: fnp.histogram(np.arange(5.0), BINS, weights=w)[0],
           bits=False),
    row(np.histogram, [(8,), P(8)],
        lambda x, w: np.histogram(x, 3, (-1, 1.5), weights=w, density=True)[0], bits=False),
    row(np.histogram, [P(3)],
        lambda d: fnp.histogram(np.arange(5.0), np.cumsum(d), density=True)[0], bits=False),
    linear(np.histogramdd, [(8,)],
           lambda w: fnp.histogramdd(np.arange(16.0).reshape(8, 2) % 5, [2, 3], weights=w)[0],
           complex=False),
    row(np.histogramdd, [(6, 2), P(6)],
        lambda x, w: np.histogramdd(x, 2, weights=w, density=True)[0], bits=False),
    row(np.histogramdd, [(6,), (6,)], lambda x, y: np.histogramdd([x, y], [BINS, 2])[1]),
    row(np.histogram2d, [(6,), (6,)], lambda x, y: np.histogram2d(x, y, [2, 3])),
    constant(np.histogram2d, [(6,), (6,)], lambda x, y: np.histogram2d(x, y, BINS)[0]),
    constant(np.histogram2d, [(6,), (6,)],
             lambda x, y: np.histogram2d(x, y, [BINS, 2], range=[[0, 1], [-1, 1]])[0]),
    # Choices.
    row(np.select, [(4,), (2, 4)], lambda x, y: np.select([x > 1, y > 0], [x * y, y], x)),
    linear(np.select, [B(3), (3,), (3,)], lambda c, x, y: np.select([c, ~c], [x, y])),
    linear(np.choose, [I(2, 3), (3,), (2, 3), ()], lambda i, *xs: np.choose(i, xs)),
    constant(np.choose, [I(3)], lambda i: i.choose(np.arange(9.0).reshape(3, 3))),
    linear(np.choose, [(3, 4)], lambda x: np.choose([0, 5, -1, 2], x, mode="wrap")),
    linear(np.extract, [(3, 4)], lambda x: np.extract(MASK, x)),
    linear(np.nan_to_num, [(3, 4)], _holes(np.nan_to_num)),
    linear(np.nan_to_num, [(3, 4)],
           lambda x: np.nan_to_num(np.where(MASK, x, np.array([[np.inf], [-np.inf], [np.nan]])),
                                   posinf=1.0, neginf=-2.0),
           complex=False, kind="smooth"),
    linear(np.select, [(3,), (3,)],
           lambda x, y: np.select([[True, False, False], [True, True, False]], [x, y], 7.0),
           kind="smooth"),
    linear(np.ix_, [(2,), (3,)], np.ix_),
    row(np.piecewise, [(6,)],
        lambda x: np.piecewise(x, [x < -0.5, x > 0.5], [lambda v: v * v, np.sqrt, 3.0])),
    row(np.piecewise, [(6,)],
        lambda x: np.piecewise(x, [x < -0.5, x > 0.5], [-1, lambda v, k: k * v * v], 2.0)),
    row(np.piecewise, [()], lambda x: np.piecewise(x, x > 0, [lambda v: v * v, lambda v: -v])),
    row(np.piecewise, [(4,)], lambda x: np.piecewise(x, x > 0, [lambda v: v * v])),
    row(np.piecewise, [(2, 3)], lambda x: np.piecewise(x, [x > 0, x < -1], [np.log, np.exp])),
    linear(np.real_if_close, [(3,)], np.real_if_close, complex=False),
    # Cutting out, putting in.
    linear(np.insert, [(4,), (2,)], lambda x, v: np.insert(x, np.array([1, 3]), v)),
    linear(np.insert, [(4,)], lambda x: np.insert(x, 2, [1.0, 2.0]), kind="smooth"),
    linear(np.delete, [(3, 4)], lambda x: np.delete(x, [True, False, True], axis=0)),
    *(linear(np.delete, [(3, 4)], lambda x, i=i, axis=axis: np.delete(x, i, axis))
      for i, axis in ((1, None), ([0, 2], 1), (slice(1, 3), 0), (-1, -1))),
    *(linear(np.insert, [(3, 4), s], lambda x, v, i=i, axis=axis: np.insert(x, i, v, axis))
      for i, axis, s in ((1, 1, ()), (1, 1, (3,)), ([1, 3, 1], None, (3,)), ([0, 2], 0, (2, 4)),
                         ([1], 1, (3, 2)), (slice(0, 2), 1, ()))),
    linear(np.resize, [(2, 3)], lambda x: np.resize(x, (2, 2, 2))),
    linear(np.resize, [(2, 3)], lambda x: np.resize(x, 4)),
    *(linear(np.rot90, [(2, 3)], lambda x, k=k: np.rot90(x, k)) for k in range(4)),
    linear(np.rot90, [(2, 3, 2)], lambda x: np.rot90(x, -1, axes=(2, 0))),
    linear(np.block, [(2, 2), (2, 1), (3,)], lambda x, y, z: np.block([[x, y], [z]])),
    linear(np.block, [(2,), ()], lambda x, y: np.block([x, y, 3.0]), kind="smooth"),
    linear(np.diagflat, [(2, 2)], lambda x: np.diagflat(x, 1)),
    row(np.apply_along_axis, [(2, 3, 2)],
        lambda x: np.apply_along_axis(lambda v: np.stack([v * v, v]), 1, x)),
    row(np.apply_along_axis, [(3, 4)], lambda x: np.apply_along_axis(np.prod, 0, x)),
    linear(np.apply_over_axes, [(2, 3, 2)], lambda x: np.apply_over_axes(np.sum, x, [0, -1])),
    linear(np.unwrap, [R(3, 4, low=-9, high=9)], np.unwrap, complex=False, kind="smooth",
           bits=False),
    linear(np.unwrap, [R(4, 2, low=-9, high=9)],
           lambda x: np.unwrap(x, axis=0, period=4.0, discont=2.5), complex=False, kind="smooth",
           bits=False),
    # NaNs.
    *(linear(np.nansum, [(3, 4)], _holes(np.nansum, axis=axis)) for axis in (None, 0, (0, 1))),
    linear(np.nansum, [(3, 4)], lambda x: np.nansum(x + HOLES, axis=1, keepdims=True, initial=1.0,
                                                    where=x < 9), complex=False, kind="smooth"),
    linear(np.nanmean, [(3, 4)], _holes(np.nanmean, axis=0)),
    linear(np.nanmean, [(3, 4)], _holes(np.nanmean, axis=(0, -1), keepdims=True)),
    linear(np.nanmean, [(3, 4)], _holes(np.nanmean, axis=1, where=MASK[::-1])),
    row(np.nanprod, [(3, 4)], _holes(np.nanprod, axis=1), complex=True),
    linear(np.nancumsum, [(3, 4)], _holes(np.nancumsum, axis=0)),
    row(np.nancumprod, [(3, 4)], _holes(np.nancumprod, axis=0)),
    *(row(f, [(3, 4)], _holes(f, axis=axis))
      for f in (np.nanmax, np.nanmin) for axis in (None, 0, (1, 0))),
    row(np.nanmax, [(3, 4)], _holes(np.nanmax, axis=1, initial=0.3, keepdims=True)),
    *(row(np.nanvar, [(3, 4)], _holes(np.nanvar, **kw), complex=True, bits=False)
      for kw in ({}, {"axis": 0, "ddof": 1}, {"axis": (0, 1), "keepdims": True},
                 {"axis": 1, "where": MASK[::-1]})),
    row(np.nanstd, [(3, 4)], _holes(np.nanstd, axis=1), bits=False),
    constant(np.nanargmax, [(3, 4)], _holes(np.nanargmax, axis=1)),
    constant(np.nanargmin, [(3, 4)], _holes(np.nanargmin)),
    # Order statistics.
    *(row(np.median, [s], lambda x, axis=axis: np.median(x, axis=axis))
      for s, axis in (((3, 4), None), ((3, 4), 0), ((2, 3, 2), (0, -1)))),
    row(np.median, [(3, 4)], lambda x: np.median(x, axis=1, keepdims=True)),
    *(row(np.quantile, [(3, 4)],
          lambda x, m=m: np.quantile(x, [0.1, 0.45, 0.8, 1.0], axis=1, method=m), bits=False)
      for m in (*DISCRETE, "linear", "lower", "higher", "nearest", "midpoint", "hazen", "weibull",
                "median_unbiased", "normal_unbiased", "interpolated_inverted_cdf")),
    row(np.quantile, [(2, 3, 2)], lambda x: np.quantile(x, 0.3, axis=(0, 2), keepdims=True),
        bits=False),
    row(np.quantile, [(5,), R(2, low=0.05, high=0.95)], np.quantile, bits=False),
    row(np.quantile, [(3, 4)],
        lambda x: np.quantile(x, [0.0, 0.4], 0, method="inverted_cdf", weights=[1.0, 2.0, 3.0])),
    row(np.quantile, [(3, 4)],
        lambda x: np.quantile(x, 0.4, method="inverted_cdf", weights=MASK, keepdims=True)),
    row(np.nanquantile, [(3, 4)],
        _holes(np.nanquantile, q=0.6, axis=1, method="inverted_cdf", weights=WEIGHTS)),
    row(np.percentile, [(3, 4)], lambda x: np.percentile(x, [[10, 70]], axis=0), bits=False),
    row(np.percentile, [(6,)], lambda x: np.percentile(x, 40), bits=False),
    *(row(np.nanmedian, [(3, 4)], _holes(np.nanmedian, **kw), bits=False)
      for kw in ({}, {"axis": 0}, {"axis": (1, 0), "keepdims": True})),
    *(row(np.nanquantile, [(3, 4)],
          _holes(np.nanquantile, q=[0.1, 0.7], axis=1, method=m), bits=False)
      for m in ("linear", "higher", "weibull")),
    row(np.nanquantile, [(3, 4), R(low=0.1, high=0.9)],
        lambda x, q: np.nanquantile(np.where(MASK, x, np.nan), q, keepdims=True), bits=False),
    row(np.nanpercentile, [(3, 4)], _holes(np.nanpercentile, q=30, axis=0), bits=False),
    linear(np.partition, [(3, 4)], lambda x: np.partition(x, 2, axis=1)[:, 2], complex=False,
           kind="smooth"),
    linear(np.partition, [(3, 4)], lambda x: np.partition(x, (1, 4), axis=None)[4], complex=False,
           kind="smooth"),
    constant(np.argpartition, [(3, 4)], lambda x: np.argpartition(x, 1, axis=0)[1]),
    constant(np.searchsorted, [(2, 3)], lambda v: np.searchsorted(KNOTS, v, side="right")),
    constant(np.searchsorted, [(5,), (3,)], lambda a, v: np.searchsorted(np.sort(a), v)),
    constant(np.searchsorted, [(5,)], lambda a: fnp.searchsorted(a, 0.3, sorter=np.argsort(a))),
    constant(np.lexsort, [I(4), (4,)], lambda a, b: fnp.lexsort((b, a))),
    constant(np.lexsort, [(2, 3, 2)], lambda a: np.lexsort(a, axis=0)),
    constant(np.unravel_index, [I(3, high=23)], lambda i: np.unravel_index(i, (2, 3, 4))),
    constant(np.unravel_index, [I(3, high=23)],
             lambda i: np.unravel_index(i, (2, 3, 4), order="F")),
    row(np.sort_complex, [(4,)], np.sort_complex, complex=True),
    constant(np.searchsorted, [(5,)], lambda a: np.sort(a).searchsorted(0.3, side="right")),
    constant(np.digitize, [(2, 3)], lambda x: np.digitize(x, KNOTS)),
    constant(np.digitize, [(3,)], lambda b: np.digitize([0.1, -0.5], np.sort(b))),
    constant(np.digitize, [(2, 3), (4,)],
             lambda x, b: np.digitize(x, np.sort(b)[::-1], right=True)),
    constant(np.isin, [I(2, 3)], lambda x: np.isin(x, [0, 2], invert=True)),
    constant(np.isin, [I(2, 3), I(2)], np.isin),
    linear(np.bincount, [(4,)], lambda w: np.bincount([0, 3, 1, 3], w, minlength=6), complex=False),
    # Samples.
    *(linear(np.gradient, [s], lambda x, kw=kw: np.gradient(x, **kw))
      for s, kw in (((4,), {}), ((3, 4), {}), ((3, 4), {"axis": 1, "edge_order": 2}),
                    ((3, 4, 3), {"axis": (0, -1)}))),
    row(np.gradient, [(3, 4), P()], lambda x, h: np.gradient(x, h, axis=1, edge_order=2)),
    *(row(np.gradient, [(3, 4), P(3)],
          lambda x, h, o=o: np.gradient(x, np.cumsum(h), axis=0, edge_order=o), bits=False)
      for o in (1, 2)),
    row(np.interp, [(2, 3), R(5, low=-0.1, high=0.1), (5,)],
        lambda x, xp, fp: np.interp(x, KNOTS + xp, fp), bits=False),
    row(np.interp, [(6,), (5,)],
        lambda x, fp: np.interp(2 * x, KNOTS, fp, left=-1.0, right=3.0), bits=False),
    row(np.interp, [(6,), (), ()],
        lambda x, a, b: fnp.interp(2 * x, KNOTS, KNOTS**2, left=a, right=b), bits=False),
    row(np.interp, [R(4, low=-9, high=9), (5,)],
        lambda x, fp: np.interp(x, KNOTS, fp, period=6.0), bits=False),
    *(row(np.cov, [(2, 4)], lambda x, kw=kw: np.cov(x, **kw), complex=True, bits=False)
      for kw in ({}, {"rowvar": False, "bias": True}, {"ddof": 0}, {"fweights": [1, 2, 3, 1]})),
    row(np.cov, [(4,), (2, 4), P(4)], lambda x, y, w: np.cov(x, y, aweights=w), bits=False),
    row(np.cov, [(4,)], np.cov, bits=False),
    row(np.corrcoef, [(2, 4)], np.corrcoef, complex=True, bits=False),
    row(np.corrcoef, [(4,), (4,)], np.corrcoef, bits=False),
    *(multilinear(np.correlate, shapes, lambda a, v, m=m: np.correlate(a, v, m), bits=False)
      for shapes in ([(5,), (2,)], [(3,), (4,)])
      for m in ("valid", "same", 2)),
    multilinear(np.correlate, [(4,)], lambda a: np.correlate([1, 2.0], a, 1), bits=False),
    *(constant(f, [(3, 4)], lambda x, f=f: f(x / 1), complex=c)
      for f, c in ((np.isposinf, False), (np.isneginf, False), (np.isreal, True),
                   (np.iscomplex, True))),
    constant(np.isposinf, [(6,)], lambda x: np.isposinf(np.where(x > 0, np.inf, x))),
    constant(np.isneginf, [(6,)], lambda x: np.isneginf(np.where(x > 0, -np.inf, x))),
    row(np.sinc, [(3, 4)], np.sinc, complex=True),
    row(np.sinc, [R(5, low=-0.4, high=0.4)], np.sinc),
]  # fmt: skip
