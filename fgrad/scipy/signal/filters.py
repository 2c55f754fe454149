"""Recursive filters: a signal divided by a polynomial, forwards, and back again.

A filter with numerator b and denominator a gives the y with a * y = b * x, where * is convolution.
So its numerator is a convolution, and what is left is one primitive, the division by a. A state
``zi`` is what earlier inputs still add: a * y = b * x + a[0] zi.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import signal as sp

from ...arrays import from_end, ndim_of, shape_of
from ...core import Array
from ...doors import offers
from ...errors import NoRuleError, ShapeError
from ...numpy import asarray
from ...rules import line_up, primitive, unbroadcast
from .convolution import convolution, reverse
from .spectra import extended


# ------------------------------------------------------------------ division by a polynomial
def _divided_impl(a: Any, x: Any) -> Any:
    one = np.ones(1, np.result_type(a, x))
    if a.size == a.shape[-1]:
        return sp.lfilter(one, a.reshape(-1), x) if x.size else np.zeros_like(x, one.dtype)
    lead = np.broadcast_shapes(a.shape[:-1], x.shape[:-1])
    a, x = (np.broadcast_to(v, (*lead, v.shape[-1])) for v in (a, x))
    out = np.zeros(x.shape, one.dtype)
    for i in np.ndindex(lead):
        out[i] = sp.lfilter(one, a[i], x[i])
    return out


def _divided_jvp(ts: Any, ans: Array, a: Array, x: Array) -> Array:
    right = ts[1]
    if ts[0] is not None:
        change = convolution(ts[0], ans, (0,), shape_of(ans)[-1:], "direct")
        right = -change if right is None else right - change
    t = divided(a, right)
    return np.broadcast_to(t, shape_of(ans)) if shape_of(t) != shape_of(ans) else t


def _turned(a: Array, g: Array) -> Array:
    return reverse(divided(a, reverse(g, 1)), 1)


def _x_vjp(g: Array, ans: Array, a: Array, x: Any) -> Array:
    return unbroadcast(_turned(a, g), x.shape, x.dtype)


def _a_vjp(g: Array, ans: Array, a: Array, x: Any) -> Array:
    n = shape_of(ans)[-1]
    c = convolution(_turned(a, g), reverse(ans, 1), (n - 1,), shape_of(a)[-1:], "direct")
    return unbroadcast(-c, a.shape, a.dtype)


@primitive(
    sp.lfilter, jvp=_divided_jvp, vjp=[_a_vjp, _x_vjp], impl=_divided_impl, batch=line_up,
    name="scipy.signal.divided",
)  # fmt: skip
def divided(a: Any, x: Any) -> Any:
    """The y whose convolution with a starts with x, along the last axis."""
    return (a, x), {}


# ------------------------------------------------------------------ filters
def _inexact(*xs: Any) -> list[Any]:
    arrays = [asarray(x) for x in xs]
    return [x if x.dtype.kind in "fc" else x.astype(np.float64) for x in arrays]


def _filtered(b: Any, a: Any, x: Any, zi: Any) -> tuple[Any, Any]:
    """The filtered last axis of x, and the state in which it leaves the filter."""
    n, k = shape_of(x)[-1], max(shape_of(a)[0], shape_of(b)[0]) - 1
    if zi is None:
        return divided(a, convolution(b, x, (0,), (n,), "direct")), None
    size = (n + k,)
    total = convolution(b, x, (0,), size, "direct")
    lead = [(0, 0)] * (ndim_of(zi) - 1)
    total = total + a[0] * np.pad(zi, [*lead, (0, n + k - shape_of(zi)[-1])])
    y = divided(a, total[..., :n])
    rest = total - convolution(a, y, (0,), size, "direct")
    return y, rest[..., n:] / a[0]


@offers(sp.lfilter)
def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """`scipy.signal.lfilter`, in the filter, the signal and the state."""
    b, a, x = _inexact(np.atleast_1d(asarray(b)), np.atleast_1d(asarray(a)), x)
    if ndim_of(x) == 0 or ndim_of(a) != 1 or ndim_of(b) != 1 or not shape_of(x)[axis]:
        raise ShapeError(
            "lfilter wants two vectors of coefficients and a signal with entries.",
            f"shapes {shape_of(b)}, {shape_of(a)} and {shape_of(x)}",
            "pass a filter at a time, and signals along an axis",
        )
    axis = from_end(axis, ndim_of(x))
    x = np.moveaxis(x, axis, -1)
    if zi is None:
        return np.moveaxis(_filtered(b, a, x, None)[0], -1, axis)
    zi = asarray(zi)
    if ndim_of(zi) != ndim_of(x):
        raise ValueError("Dimensions of parameters x and zi must match.")
    y, zf = _filtered(b, a, x, np.moveaxis(zi, axis, -1))
    return np.moveaxis(y, -1, axis), np.moveaxis(zf, -1, axis)


@offers(sp.lfilter_zi)
def lfilter_zi(b: Any, a: Any) -> Any:
    """`scipy.signal.lfilter_zi`: the state that a constant input of one leads to."""
    b, a = _inexact(np.atleast_1d(asarray(b)), np.atleast_1d(asarray(a)))
    n = max(shape_of(a)[0], shape_of(b)[0])
    b, a = (np.pad(v / a[0], (0, n - shape_of(v)[0])) for v in (b, a))
    gain = b[1:] - a[1:] * b[0]
    first = np.sum(gain) / np.sum(a)
    before = np.concatenate([np.zeros_like(gain[:1]), np.cumsum(gain[:-1])])[: n - 1]
    return np.cumsum(a[:-1]) * first - before


@offers(sp.sosfilt)
def sosfilt(sos: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """`scipy.signal.sosfilt`, in the sections, the signal and the states."""
    sos, x = _inexact(sos, x)
    if ndim_of(sos) != 2 or shape_of(sos)[1] != 6:
        raise ValueError("sos array must be shape (n_sections, 6)")
    axis = from_end(axis, ndim_of(x))
    y, states = np.moveaxis(x, axis, -1), []
    for i in range(shape_of(sos)[0]):
        z = None if zi is None else np.moveaxis(asarray(zi)[i], axis, -1)
        y, state = _filtered(sos[i, :3], sos[i, 3:], y, z)
        states.append(state)
    y = np.moveaxis(y, -1, axis)
    return y if zi is None else (y, np.moveaxis(np.stack(states), -1, axis))


@offers(sp.sosfilt_zi)
def sosfilt_zi(sos: Any) -> Any:
    """`scipy.signal.sosfilt_zi`."""
    (sos,) = _inexact(sos)
    out, scale = [], 1.0
    for i in range(shape_of(sos)[0]):
        out.append(scale * lfilter_zi(sos[i, :3], sos[i, 3:]))
        scale = scale * np.sum(sos[i, :3]) / np.sum(sos[i, 3:])
    return np.stack(out)


# ------------------------------------------------------------------ forwards and back
def _longer(x: Any, padtype: str | None, padlen: int | None, ntaps: int) -> tuple[Any, int]:
    """The last axis continued at both ends, and by how much."""
    if padtype not in ("even", "odd", "constant", None):
        raise ValueError(f"Unknown value '{padtype}' given to padtype. padtype must be 'even', "
                         "'odd', 'constant', or None.")  # fmt: skip
    edge = 0 if padtype is None else ntaps * 3 if padlen is None else padlen
    if shape_of(x)[-1] <= edge:
        raise ValueError(
            f"The length of the input vector x must be greater than padlen, which is {edge}."
        )
    return extended(x, edge, padtype), edge


@offers(sp.filtfilt)
def filtfilt(
    b: Any, a: Any, x: Any, axis: int = -1, padtype: str | None = "odd", padlen: int | None = None,
    method: str = "pad", irlen: int | None = None,
) -> Any:  # fmt: skip
    """`scipy.signal.filtfilt`, in the filter and the signal."""
    if method != "pad":
        raise NoRuleError(
            f"filtfilt has no rule for method={method!r}.", "a traced array",
            "use method='pad'",
        )  # fmt: skip
    b, a, x = _inexact(np.atleast_1d(asarray(b)), np.atleast_1d(asarray(a)), x)
    axis = from_end(axis, ndim_of(x))
    ntaps = max(shape_of(a)[0], shape_of(b)[0])
    y, edge = _longer(np.moveaxis(x, axis, -1), padtype, padlen, ntaps)
    zi = lfilter_zi(b, a)
    for _ in range(2):
        y = np.flip(_filtered(b, a, y, zi * y[..., :1])[0], -1)
    y = y[..., edge : shape_of(y)[-1] - edge]
    return np.moveaxis(y, -1, axis)


@offers(sp.sosfiltfilt)
def sosfiltfilt(
    sos: Any, x: Any, axis: int = -1, padtype: str | None = "odd", padlen: int | None = None
) -> Any:
    """`scipy.signal.sosfiltfilt`, in the sections and the signal."""
    sos, x = _inexact(sos, x)
    axis = from_end(axis, ndim_of(x))
    n = shape_of(sos)[0]
    # Coefficients at infinity that are zero in both polynomials don't count.
    zeros = [np.sum(np.equal(sos[:, i], 0)) for i in (2, 5)] if padlen is None else [0, 0]
    ntaps = 2 * n + 1 - int(min(zeros))
    y, edge = _longer(np.moveaxis(x, axis, -1), padtype, padlen, ntaps)
    zi = sosfilt_zi(sos)
    for _ in range(2):
        first = y[..., :1]
        for i in range(n):
            y = _filtered(sos[i, :3], sos[i, 3:], y, zi[i] * first)[0]
        y = np.flip(y, -1)
    return np.moveaxis(y[..., edge : shape_of(y)[-1] - edge], -1, axis)
