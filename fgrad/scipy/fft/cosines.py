"""Cosine and sine transforms, along one axis or several.

There are two primitives, for cosines and for sines, each along any axes. The transpose of a
transform of type II is one of type III, and types I and IV are their own, but for the weights with
which the entries at the ends are counted where the transform is not made orthogonal:

    type I    y_k = x_0 + (-1)^k x_N + 2 sum of x_n cos(pi k n / N), n from 1 to N - 1
    type II   y_k = 2 sum of x_n cos(pi k (2n + 1) / 2N)
    type III  y_k = x_0 + 2 sum of x_n cos(pi (2k + 1) n / 2N), n from 1
    type IV   y_k = 2 sum of x_n cos(pi (2k + 1)(2n + 1) / 4N)

and likewise for sines, whose type I has no such entry and whose types II and III count the last.
Source: Britanak, Yip and Rao, Discrete Cosine and Sine Transforms (2007), chapter 2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import fft as sp

from ...arrays import from_end, is_a, ndim_of, shape_of
from ...core import Array
from ...doors import offers
from ...numpy import asarray
from ...rules import cast, linear

_BACK = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
_INVERSE = {1: 1, 2: 3, 3: 2, 4: 4}


# ------------------------------------------------------------------ the primitives
def _ends(x: Any, axis: int, first: float, last: float) -> Array:
    """x with the entries at the two ends of an axis times these factors."""
    weights = np.ones(shape_of(x)[axis], np.real(np.zeros(0, x.dtype)).dtype)
    weights[0] *= first
    weights[-1] *= last
    return x * weights.reshape((-1, *(1,) * (-axis - 1)))


def _transform(fn: Any, name: str, ends: tuple[float, float]) -> Any:
    """A transform of any axes; `ends` is where types II and III count an entry twice."""

    def transpose(
        g: Array, x: Any, *, type: int, axes: tuple[int, ...], norm: str, orthogonalize: bool
    ) -> Array:
        once, twice = [], []  # what the ends are multiplied by before, and after
        if not orthogonalize and type == 1 and fn is sp.dctn:
            once, twice = [2.0, 2.0], [0.5, 0.5]
        elif not orthogonalize and type in (2, 3):
            once, twice = (
                ([*ends], [1.0, 1.0]) if type == 2 else ([1.0, 1.0], [1 / e for e in ends])
            )
        for axis in axes if once else ():
            g = _ends(g, axis, *once)
        c = front(g, _INVERSE[type], axes, norm, orthogonalize)
        for axis in axes if twice else ():
            c = _ends(c, axis, *twice)
        return cast(c, x.dtype)

    def impl(x: Any, *, type: int, axes: Any, norm: str, orthogonalize: bool) -> Any:
        return fn(x, type, axes=axes, norm=norm, orthogonalize=orthogonalize)

    @linear(fn, transpose, impl=impl, name=name)
    def front(x: Any, type: int, axes: Any, norm: str, orthogonalize: bool) -> Any:
        params = {"type": type, "axes": axes, "norm": norm, "orthogonalize": orthogonalize}
        return (x,), params

    return front


_cosines = _transform(sp.dctn, "scipy.fft.dctn", (2.0, 1.0))
_sines = _transform(sp.dstn, "scipy.fft.dstn", (1.0, 2.0))


# ------------------------------------------------------------------ as SciPy calls them
def _fitted(x: Any, n: int, axis: int) -> Any:
    """x cut or padded with zeros to length n."""
    have = shape_of(x)[axis]
    if n < have:
        return x[(..., slice(n), *(slice(None),) * (-axis - 1))]
    widths = [(0, 0)] * ndim_of(x)
    widths[axis] = (0, n - have)
    return np.pad(x, widths) if n > have else x


def _call(
    front: Any, inverse: bool, x: Any, type: int, lengths: Any, axes: Any, norm: Any,
    orthogonalize: bool | None,
) -> Any:  # fmt: skip
    if norm not in (None, *_BACK):
        raise ValueError(f'Invalid norm value {norm!r}, should be "backward", "ortho" or "forward"')
    if type not in _INVERSE:
        raise ValueError(f"invalid value for type: {type!r}; should be 1, 2, 3 or 4")
    for n, axis in zip(lengths, axes, strict=True):
        if n is not None and n < 1:
            raise ValueError(f"invalid number of data points ({n}) specified")
        x = x if n is None else _fitted(x, int(n), axis)
    norm = norm or "backward"
    if orthogonalize is None or x.dtype.kind == "c":  # of complex numbers SciPy doesn't ask
        orthogonalize = norm == "ortho"
    if inverse:
        type, norm = _INVERSE[type], _BACK[norm]
    x = x if x.dtype.kind in "fc" else x.astype(np.float64)
    return front(x, type, axes, norm, bool(orthogonalize)) if axes else x


def _one(fn: Any, front: Any, inverse: bool) -> Any:
    def transform(
        x: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: Any = None,
        overwrite_x: bool = False, workers: Any = None, orthogonalize: bool | None = None,
    ) -> Any:  # fmt: skip
        x = asarray(x)
        axes = (from_end(axis, ndim_of(x)),)
        return _call(front, inverse, x, type, (n,), axes, norm, orthogonalize)

    return offers(fn)(transform)


def _several(fn: Any, front: Any, inverse: bool) -> Any:
    def transform(
        x: Any, type: int = 2, s: Any = None, axes: Any = None, norm: Any = None,
        overwrite_x: bool = False, workers: Any = None, *, orthogonalize: bool | None = None,
    ) -> Any:  # fmt: skip
        x = asarray(x)
        lengths, places = shape_and_axes(x, s, axes)
        return _call(front, inverse, x, type, lengths, places, norm, orthogonalize)

    return offers(fn)(transform)


def shape_and_axes(x: Any, s: Any, axes: Any) -> tuple[list[Any], tuple[int, ...]]:
    """The lengths (None for what there is) and axes, counted from the end, of a call."""
    s = [s] if is_a(s, (int, np.integer)) else s
    if axes is None:
        axes = range(ndim_of(x)) if s is None else range(-len(s), 0)
    axes = [axes] if is_a(axes, (int, np.integer)) else axes
    places = tuple(from_end(i, ndim_of(x)) for i in axes)
    if len(set(places)) != len(places):
        raise ValueError("all axes must be unique")
    if s is None:
        return [None] * len(places), places
    if len(s) != len(places):
        raise ValueError("when given, axes and shape arguments have to be of the same length")
    return [None if n == -1 else n for n in s], places


dct, idct = _one(sp.dct, _cosines, False), _one(sp.idct, _cosines, True)
dst, idst = _one(sp.dst, _sines, False), _one(sp.idst, _sines, True)
dctn, idctn = _several(sp.dctn, _cosines, False), _several(sp.idctn, _cosines, True)
dstn, idstn = _several(sp.dstn, _sines, False), _several(sp.idstn, _sines, True)
