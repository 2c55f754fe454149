"""Histograms: the counts are constant in the samples and linear in the weights.

Edges that NumPy places between the least and the greatest sample move with these two.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import namespace, ndim_of, shape_of
from ..core import full_lower
from ..errors import TracerConversionError
from ..tracer import register
from .casts import known, stop_gradient_leaf
from .creation import as_array
from .update import at


def _outer_edges(a: Any, range_: Any) -> tuple[Any, Any]:
    """Where the bins begin and end."""
    if range_ is not None:
        first, last = range_
        if first > last:
            raise ValueError("max must be larger than min in range parameter.")
    elif np.size(a) == 0:
        first, last = 0, 1
    else:
        first, last = np.min(a), np.max(a)
    first, last = as_array(first, a), as_array(last, a)
    if any(not np.isfinite(known(x)) for x in (first, last) if known(x) is not None):
        raise ValueError(f"the range [{known(first)}, {known(last)}] is not finite")
    kind = np.result_type(first, last)
    # An interval of no length is made one of length 1.
    half = np.where(np.equal(first, last), 0.5, 0.0).astype(
        kind if kind.kind == "f" else np.float64
    )
    return first - half, last + half


def _edges(a: Any, bins: Any, range_: Any, weights: Any, name: str) -> Any:
    """The edges of the bins along one axis; ``bins`` is their number, the edges, or a rule."""
    if isinstance(bins, str):
        values = known(a)
        if values is None or weights is not None:
            raise TracerConversionError(
                f"`np.{name}` with bins={bins!r} wants samples whose values are known, and no "
                "weights: they fix the number of bins.",
                repr(a),
                "give the number of the bins, or their edges",
            )
        bins = len(np.histogram_bin_edges(values, bins, range_)) - 1
    if ndim_of(as_array(bins)):
        edges = as_array(bins, a)
        steps = known(np.diff(stop_gradient_leaf(edges)))
        if steps is not None and np.any(steps < 0):
            raise ValueError("`bins` must increase monotonically, when an array")
        return edges
    count = bins.__index__()
    if count < 1:
        raise ValueError("`bins` must be positive, when an integer")
    first, last = _outer_edges(a, range_)
    dtype = np.result_type(first, last, a)
    dtype = dtype if dtype.kind == "f" else np.result_type(dtype, float)
    return np.linspace(first, last, count + 1, dtype=dtype)


def _bin_of(a: Any, edges: Any) -> Any:
    """The number of the bin of each sample; the number of all bins where there is none for it."""
    a, edges = stop_gradient_leaf(a), stop_gradient_leaf(edges)
    n = shape_of(edges)[0] - 1
    place = np.searchsorted(edges, a, side="right") - 1
    place = np.where(np.equal(a, edges[-1]), n - 1, place)  # the last bin has both of its edges
    return np.where(place < 0, n, place)


def _counts(place: Any, weights: Any, n: int, dtype: Any) -> Any:
    host = namespace(full_lower(place))
    if weights is None:
        return at(host.zeros(n + 1, dtype))[place].add(host.ones(shape_of(place), dtype))[:n]
    wide = np.promote_types(dtype, np.float64) if dtype.kind in "fc" else dtype
    return at(host.zeros(n + 1, wide))[place].add(weights.astype(wide))[:n].astype(dtype)


def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, Any]:
    """`numpy.histogram`, in the weights, the range of the samples, and edges that are given."""
    a = as_array(a)
    if weights is not None:
        weights = as_array(weights)
        if shape_of(weights) != shape_of(a):
            raise ValueError("weights should have the same shape as a.")
        weights = np.ravel(weights)
    a = np.ravel(a)
    a = a.astype(np.uint8) if a.dtype == bool else a
    edges = _edges(a, bins, range, weights, "histogram")
    dtype = np.dtype(np.intp) if weights is None else weights.dtype
    n = _counts(_bin_of(a, edges), weights, shape_of(edges)[0] - 1, dtype)
    if density:
        n = n / np.diff(edges).astype(float) / np.sum(n)
    return n, edges


def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """`numpy.histogram_bin_edges`."""
    return _edges(np.ravel(as_array(a)), bins, range, weights, "histogram_bin_edges")


def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, list[Any]]:
    """`numpy.histogramdd`, in the weights, the range of the samples, and edges that are given."""
    if hasattr(sample, "dtype") and ndim_of(sample) == 2:
        columns = [sample[:, i] for i in np.arange(shape_of(sample)[1])]
    else:
        sample = np.atleast_2d(as_array(sample))
        columns = [sample[i] for i in np.arange(shape_of(sample)[0])]
    d = len(columns)
    each = [bins] * d if ndim_of(bins) == 0 and not isinstance(bins, (list, tuple)) else bins
    if len(each) != d:
        raise ValueError("The dimension of bins must be equal to the dimension of the sample x.")
    ranges = [None] * d if range is None else range
    if len(ranges) != d:
        raise ValueError("range argument must have one entry per dimension")
    edges = [
        _edges(x, b, r, None, "histogramdd") for x, b, r in zip(columns, each, ranges, strict=True)
    ]
    shape = tuple(shape_of(e)[0] - 1 for e in edges)
    total = int(np.prod(shape))
    place: Any = 0
    outside: Any = False
    for x, e, n in zip(columns, edges, shape, strict=True):
        here = _bin_of(x, e)
        place = place * n + here
        outside = np.logical_or(outside, np.equal(here, n))
    weights = None if weights is None else as_array(weights)
    counts = _counts(np.where(outside, total, place), weights, total, np.dtype(float))
    counts = np.reshape(counts, shape)
    if density:
        whole = np.sum(counts)
        for i, e in enumerate(edges):
            counts = counts / np.reshape(np.diff(e), (-1, *(1,) * (d - 1 - i)))
        counts = counts / whole
    return counts, edges


def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, Any, Any]:
    """`numpy.histogram2d`, in the weights, the range of the samples, and edges that are given."""
    x, y = as_array(x, y), as_array(y, x)
    if shape_of(x)[0] != shape_of(y)[0]:
        raise ValueError("x and y must have the same length.")
    if (ndim_of(bins) or isinstance(bins, (list, tuple))) and len(bins) not in (1, 2):
        bins = [as_array(bins, x)] * 2
    dtype = np.result_type(x, y)
    sample = np.stack([x.astype(dtype), y.astype(dtype)], axis=1)
    counts, edges = histogramdd(sample, bins, range, density, weights)
    return counts, *edges


for _fn in (histogram, histogram_bin_edges, histogramdd, histogram2d):
    register(getattr(np, _fn.__name__), _fn)
