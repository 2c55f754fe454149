"""Convolutions of any number of dimensions: three products that are each other's transposes.

    convolve(x, w)          outputs, from inputs and weight
    convolve_back(g, w)     inputs, from outputs and weight (a transposed convolution)
    correlate_windows(x, g) weight, from inputs and outputs

Each is linear in both operands, and the transpose of one is another one, so derivatives of any
order stay among the three. Inputs are (batch, *lengths, channels), outputs (batch, *places,
features), weights (*window, channels / groups, features); as in most of this field, windows are
not reversed. The work is done by products of matrices whose rows are windows (`unrolled`), for so
many windows at a time as fit into the processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fgrad
from fgrad.arrays import namespace

from ..masks import given
from .depthwise import back_depthwise, convolve_depthwise, correlate_depthwise
from .products import multiply, multiply_transposed, small
from .unrolled import matrices
from .windows import Form, chunks, pad, under


# ------------------------------------------------------------------ what computes them
def _rows(y: Any, where: tuple[slice, slice], groups: int) -> Any:
    """A chunk of outputs as (groups, rows, features of a group)."""
    part = y[where]
    return np.moveaxis(part.reshape(-1, groups, part.shape[-1] // groups), 1, 0)


def _by_group(w: Any, groups: int) -> Any:
    """A weight as (groups, entries of a window, features of a group)."""
    flat = w.reshape(-1, groups, w.shape[-1] // groups)
    return namespace(w).ascontiguousarray(np.moveaxis(flat, 1, 0))


def _convolve(x: Any, w: Any, *, form: Form, lengths: Any, window: Any, out: Any = None) -> Any:
    places = form.places(x.shape[1:-1], window)
    features, groups = w.shape[-1], form.groups
    if math.prod(window) == 1 == groups and set(form.strides) == {1} and places == x.shape[1:-1]:
        flat = None if out is None else out.reshape(-1, features)
        product = multiply(x.reshape(-1, x.shape[-1]), w.reshape(-1, features), small(x), flat)
        return product.reshape(*x.shape[:-1], features)
    if w.shape[-2] == 1 and groups > 1:
        return given(convolve_depthwise(x, w, form, window), out)
    if out is None:
        out = np.empty_like(x, order="C", shape=(x.shape[0], *places, features))
    weight, most = _by_group(w, groups), small(x)
    for where, matrix in matrices(x, window, form):
        if groups == 1:
            multiply(matrix[0], weight[0], most, out[where].reshape(-1, features))
        else:
            part = out[where]
            product = np.moveaxis(multiply(matrix, weight, most), 0, 1)
            part[...] = product.reshape(part.shape)
    return out


def _convolve_back(
    g: Any, w: Any, *, form: Form, lengths: Any, window: Any, out: Any = None
) -> Any:
    n, groups = len(window), form.groups
    channels = w.shape[-2]
    if set(form.strides) == {1}:
        # Without strides it is a convolution of the outputs with the reversed windows.
        reach = [d * (k - 1) for k, d in zip(window, form.dilation, strict=True)]
        padding = tuple((r - lo, r - hi) for r, (lo, hi) in zip(reach, form.padding, strict=True))
        turned = np.flip(w, tuple(range(n))).reshape(*window, channels, groups, -1)
        turned = np.moveaxis(turned, -1, -3)  # (*window, features, channels, groups)
        turned = np.moveaxis(turned, -1, -2).reshape(*window, -1, groups * channels)
        back = Form(form.strides, padding, form.dilation, groups)
        return _convolve(g, turned, form=back, lengths=None, window=window, out=out)
    if channels == 1 and groups > 1:
        return given(back_depthwise(g, w, form, lengths, window), out)
    wide = [m + lo + hi for m, (lo, hi) in zip(lengths, form.padding, strict=True)]
    room = np.zeros_like(g, order="C", shape=(g.shape[0], *wide, groups * channels))
    weight = np.swapaxes(_by_group(w, groups), -1, -2)
    split = room.reshape(*room.shape[:-1], groups, channels)
    places = g.shape[1:-1]
    item, most = w.size // w.shape[-1] * groups * g.dtype.itemsize, small(g)
    for where in chunks(g.shape[0], places, item, g):
        rows = multiply(_rows(g, where, groups), weight, most)
        part = rows.reshape(groups, *g[where].shape[:-1], *window, channels)
        part = np.moveaxis(part, 0, -2)
        into = split[where[0]]
        for k in np.ndindex(*window):
            spots = under(k, where[1], places, form)
            into[(slice(None), *spots)] += part[(..., *k, slice(None), slice(None))]
    cut = [(-lo, -hi) for lo, hi in form.padding]
    return given(namespace(g).ascontiguousarray(pad(room, cut)), out)


def _correlate_windows(x: Any, g: Any, *, form: Form, lengths: Any, window: Any) -> Any:
    groups = form.groups
    each, features = x.shape[-1] // groups, g.shape[-1] // groups
    if each == 1 and groups > 1:
        return correlate_depthwise(x, g, form, window)
    most = small(x)
    total = np.zeros_like(x, order="C", shape=(groups, math.prod(window) * each, features))
    for where, matrix in matrices(x, window, form):
        total += multiply_transposed(matrix, _rows(g, where, groups), most)
    return np.moveaxis(total, 0, 1).reshape(*window, each, groups * features)


# ------------------------------------------------------------------ vmap
def _merge(x: Any) -> Any:
    """A batch axis in front goes into the batch."""
    return np.reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:]))


def _front_to_groups(x: Any) -> Any:
    """A batch axis in front goes into the last axis, as groups of it."""
    x = np.moveaxis(x, 0, -2)
    return np.reshape(x, (*x.shape[:-2], x.shape[-2] * x.shape[-1]))


def _groups_to_front(x: Any, size: int) -> Any:
    x = np.reshape(x, (*x.shape[:-1], size, x.shape[-1] // size))
    return np.moveaxis(x, -2, 0)


def _front_to_features(x: Any, groups: int) -> Any:
    """A batch axis in front goes into the features of each group."""
    x = np.reshape(x, (*x.shape[:-1], groups, x.shape[-1] // groups))
    x = np.moveaxis(x, 0, -2)
    return np.reshape(x, (*x.shape[:-3], math.prod(x.shape[-3:])))


def _features_to_front(x: Any, groups: int, size: int) -> Any:
    x = np.reshape(x, (*x.shape[:-1], groups, size, x.shape[-1] // groups // size))
    x = np.moveaxis(x, -2, 0)
    return np.reshape(x, (*x.shape[:-2], x.shape[-2] * x.shape[-1]))


def _batch(
    p: Any, size: int, xs: Sequence[Any], batched: Sequence[bool], params: dict[str, Any]
) -> Any:
    """Vmapped operands become images of one batch, features of one weight, or groups."""
    (x, y), (bx, by) = xs, batched
    call = {
        "convolve": convolve, "convolve_back": convolve_back,
        "correlate_windows": correlate_windows,
    }[p.name]  # fmt: skip
    form = params["form"]
    if call is not correlate_windows and not by:
        out = call(_merge(x), y, **params)
        return np.reshape(out, (size, x.shape[1], *out.shape[1:]))
    if call is not convolve_back and not bx:
        out = call(x, _front_to_features(y, form.groups), **params)
        return _features_to_front(out, form.groups, size)
    x = x if bx else np.broadcast_to(x, (size, *x.shape))
    y = y if by else np.broadcast_to(y, (size, *y.shape))
    params = {**params, "form": form._replace(groups=size * form.groups)}
    return _groups_to_front(call(_front_to_groups(x), _front_to_groups(y), **params), size)


# ------------------------------------------------------------------ the three products
def _canonical(x: Any, y: Any, *, form: Form, lengths: Any, window: Any) -> Any:
    return (x, y), {"form": form, "lengths": lengths, "window": window}


convolve: Callable[..., Any] = fgrad.multilinear(
    _convolve,
    lambda g, ans, x, w, **params: convolve_back(g, w, **params),
    lambda g, ans, x, w, **params: correlate_windows(x, g, **params),
    batch=_batch, name="convolve", writes=True,
)(_canonical)  # fmt: skip
convolve_back: Callable[..., Any] = fgrad.multilinear(
    _convolve_back,
    lambda c, ans, g, w, **params: convolve(c, w, **params),
    lambda c, ans, g, w, **params: correlate_windows(c, g, **params),
    batch=_batch, name="convolve_back", writes=True,
)(_canonical)  # fmt: skip
correlate_windows: Callable[..., Any] = fgrad.multilinear(
    _correlate_windows,
    lambda c, ans, x, g, **params: convolve_back(g, c, **params),
    lambda c, ans, x, g, **params: convolve(x, c, **params),
    batch=_batch, name="correlate_windows",
)(_canonical)  # fmt: skip
