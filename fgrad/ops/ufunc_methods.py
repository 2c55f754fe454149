"""What ufuncs have besides calls of operands: keywords, `reduce`, `accumulate`, `outer` and so on.

A traced array hands a call of these to the front of NumPy's method, `np.ufunc.reduce` and its
like, with the ufunc as first argument. Where NumPy has a function of its own for it, such as
`np.sum` for `np.add.reduce`, that is called; else the ufunc is applied to slices.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ..arrays import PYTHON_SCALARS, axes_from_end, from_end, is_a, ndim_of, shape_of
from ..core import FRONTS, Tracer, full_lower
from ..elsewhere import qualified
from ..errors import NoRuleError, TracerConversionError, describe
from ..fronts import given
from ..kinds import scalar
from ..tracer import register
from .casts import full_like
from .creation import as_array
from .cumulative import cut, running_max, running_min
from .reduce import NONE, joined, prepare

#: `np.add.reduce` and its like -> the function that does the same.
REDUCTIONS: dict[Any, Any] = {
    np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min,
    np.logical_and: np.all, np.logical_or: np.any,
}  # fmt: skip
ACCUMULATIONS: dict[Any, Any] = {
    np.add: np.cumsum, np.multiply: np.cumprod, np.maximum: running_max, np.minimum: running_min,
}  # fmt: skip
#: Ufuncs of which f(f(x, y), z) is f(x, f(y, z)): applied to halves, not to one after another.
ASSOCIATIVE = (
    np.add, np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp, np.logaddexp2,
    np.hypot, np.gcd, np.lcm, np.logical_and, np.logical_or, np.logical_xor, np.bitwise_and,
    np.bitwise_or, np.bitwise_xor,
)  # fmt: skip


# ------------------------------------------------------------------ keywords
def call(ufunc: Any, *operands: Any, **keywords: Any) -> Any:
    """A call with keywords: honour `dtype`, `signature` and `axes`; refuse `out` and `where`."""
    name, inputs = qualified(ufunc), list(operands)
    if keywords.get("where") is True:
        del keywords["where"]
    for word in ("casting", "order", "subok"):
        keywords.pop(word, None)
    dtype, signature = keywords.pop("dtype", None), keywords.pop("signature", None)
    axes, axis = keywords.pop("axes", None), keywords.pop("axis", None)
    keepdims = keywords.pop("keepdims", False)
    for word in keywords:
        letters = ", ".join("xyz"[: ufunc.nin])
        to_do = {
            "out": "leave `out` away and use the result; for a += x write a = a + x",
            "where": f"write np.where(mask, {name}({letters}), other): what NumPy leaves "
            "unwritten has no value; where the function is infinite or NaN outside of the mask, "
            "give it np.where(mask, x, 1) as operand too",
        }.get(word, "leave the keyword away")
        raise TracerConversionError(
            f"`{name}` on traced values takes operands and `dtype`, and nothing to write into.",
            f"the keyword {word}=",
            to_do,
        )
    if dtype is not None or signature is not None:
        inputs = _resolved(ufunc, inputs, dtype, signature)
    if axes is None and axis is None and not keepdims:
        return FRONTS[ufunc](*inputs)
    return _along_axes(ufunc, inputs, axes, axis, keepdims)


def _resolved(ufunc: Any, inputs: Any, dtype: Any, signature: Any) -> list[Any]:
    """The operands in the dtypes of the loop that NumPy would choose."""
    if signature is None:
        signature = (*(None,) * ufunc.nin, *(np.dtype(dtype),) * ufunc.nout)
    inputs = [as_array(x) if isinstance(x, (list, tuple)) else x for x in inputs]
    weak = [is_a(full_lower(x), PYTHON_SCALARS) for x in inputs]
    kinds = [type(full_lower(x)) if w else x.dtype for x, w in zip(inputs, weak, strict=True)]
    kinds = [np.dtype(bool) if kind is bool else kind for kind in kinds]
    loop = ufunc.resolve_dtypes((*kinds, *(None,) * ufunc.nout), signature=signature)
    return [
        as_array(x).astype(new) if w and not isinstance(x, Tracer) else np.astype(x, new)
        for x, new, w in zip(inputs, loop, weak, strict=False)
    ]


def _along_axes(ufunc: Any, inputs: Any, axes: Any, axis: Any, keepdims: bool) -> Any:
    """A product of vectors and matrices whose axes are not the last ones."""
    if ufunc.signature is None:
        raise TypeError(f"{ufunc.__name__}() got an unexpected keyword argument 'axes'")
    inputs = [as_array(x) for x in inputs]
    if axes is None:
        axes = [-1 if axis is None else axis] * len(inputs)
    places = [a if isinstance(a, (tuple, list)) else (a,) for a in axes]
    moved = [
        np.moveaxis(x, a, list(range(-len(a), 0))) for x, a in zip(inputs, places, strict=False)
    ]
    y = FRONTS[ufunc](*moved)
    if keepdims:
        return np.expand_dims(y, places[-1] if len(places) > len(inputs) else places[0])
    if len(places) > len(inputs):
        return np.moveaxis(y, list(range(-len(places[-1]), 0)), places[-1])
    return y


def _given_out(out: Any) -> Any:
    """NumPy hands the keyword over as a tuple."""
    return out[0] if isinstance(out, tuple) else out


# ------------------------------------------------------------------ reduce
def reduce(
    ufunc: Any, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None,
    keepdims: Any = False, initial: Any = NONE, where: Any = True,
) -> Any:  # fmt: skip
    """`numpy.ufunc.reduce`."""
    given(out=_given_out(out))
    x = prepare(as_array(array), dtype, NONE, 0)
    fn, more = REDUCTIONS.get(ufunc), {}
    if dtype is not None and fn in (np.sum, np.prod):
        more["dtype"] = dtype
    if initial is not NONE:
        more["initial"] = initial
    if where is not True and where is not NONE:
        more["where"] = where
    if fn is not None and not ("initial" in more and fn in (np.all, np.any)):
        return FRONTS[fn](x, axis=axis, keepdims=bool(keepdims), **more)
    _check_binary(ufunc, "reduce")
    if not ndim_of(x):
        x, axis = np.reshape(x, (1,)), (-1,) if axis in (0, -1, None) else axis
    axes = axes_from_end(axis, ndim_of(x))
    if len(axes) > 1 and ufunc not in ASSOCIATIVE:
        raise ValueError(
            f"reduction operation '{ufunc.__name__}' is not reorderable, so at most one axis may "
            "be specified"
        )
    start = ufunc.identity if initial is NONE else initial
    y = joined(x, axes)
    if "where" in more:
        if start is None:
            raise ValueError(
                f"reduction operation '{ufunc.__name__}' does not have an identity, so to use a "
                "where mask one has to specify 'initial'"
            )
        y = _masked(ufunc, y, joined(np.broadcast_to(as_array(where, x), shape_of(x)), axes), start)
    else:
        y = _folded(ufunc, y, start, own=initial is NONE)
    return np.expand_dims(y, axes) if keepdims and axes else scalar(y)


def _check_binary(ufunc: Any, method: str) -> None:
    if ufunc.nin != 2 or ufunc.nout != 1:
        raise ValueError(f"{method} only supported for binary functions")
    if ufunc not in FRONTS:
        raise NoRuleError(
            f"`{qualified(ufunc)}.{method}` has no rule in fgrad.",
            "a traced value as an argument of it",
            "write it with functions that fgrad has (see fgrad.numpy)",
        )


def _folded(ufunc: Any, x: Any, start: Any, own: bool) -> Any:
    """The entries of the last axis combined, one after another, or half with half.

    A start that is the ufunc's own identity matters only to a single entry: hypot(0, -3) is 3.
    """
    n = shape_of(x)[-1]
    first = None if start is None else full_like(x, start, shape=(*shape_of(x)[:-1], 1))
    if n == 0:
        if first is None:
            raise ValueError(
                f"zero-size array to reduction operation {ufunc.__name__} which has no identity"
            )
        return first[..., 0]
    if ufunc not in ASSOCIATIVE:
        y = x[..., 0] if first is None else ufunc(first[..., 0], x[..., 0])
        for i in range(1, n):
            y = ufunc(y, x[..., i])
        return y
    if first is not None and (n == 1 or not own):
        x, n = np.concatenate([first, x], axis=-1), n + 1
    while n > 1:
        half = n // 2
        pairs = ufunc(cut(x, -1, 0, half), cut(x, -1, half, 2 * half))
        x = np.concatenate([pairs, cut(x, -1, 2 * half, n)], axis=-1) if n % 2 else pairs
        n -= half
    return x[..., 0]


def _masked(ufunc: Any, x: Any, mask: Any, start: Any) -> Any:
    """`_folded` over the entries that a mask lets through."""
    y = full_like(x, start, shape=shape_of(x)[:-1])
    for i in range(shape_of(x)[-1]):
        here = mask[..., i]
        # What the mask leaves out must not be computed with: it may have an infinite derivative.
        y = np.where(here, ufunc(y, np.where(here, x[..., i], np.ones_like(x[..., i]))), y)
    return y


# ------------------------------------------------------------------ accumulate, reduceat, outer
def accumulate(ufunc: Any, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    """`numpy.ufunc.accumulate`."""
    given(out=_given_out(out))
    x = as_array(array)
    if ufunc in (np.add, np.multiply):
        return ACCUMULATIONS[ufunc](x, axis=axis, dtype=dtype)
    x = prepare(x, dtype, NONE, 0)
    axis = from_end(axis, ndim_of(x))
    if ufunc in ACCUMULATIONS:
        return ACCUMULATIONS[ufunc](x, axis)
    _check_binary(ufunc, "accumulate")
    n, step = shape_of(x)[axis], 1
    if ufunc not in ASSOCIATIVE:
        ys = [cut(x, axis, i, i + 1) for i in range(n)]
        for i in range(1, n):
            ys[i] = ufunc(ys[i - 1], ys[i])
        return np.concatenate(ys, axis=axis) if ys else x
    while step < n:  # each entry is combined with that which ends where it begins
        longer = ufunc(cut(x, axis, 0, n - step), cut(x, axis, step, n))
        x = np.concatenate([cut(x, axis, 0, step), longer], axis=axis)
        step *= 2
    return x


def reduceat(
    ufunc: Any, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None
) -> Any:
    """`numpy.ufunc.reduceat`; the indices must be known."""
    given(out=_given_out(out))
    x = as_array(array)
    axis = from_end(axis, ndim_of(x))
    n = shape_of(x)[axis]
    starts = [int(i) for i in indices]
    if any(not 0 <= i < n for i in starts):
        raise IndexError(f"index out of bounds in {ufunc.__name__}.reduceat [0, {n})")
    parts = [cut(x, axis, i, j if i < j else i + 1) for i, j in pairwise([*starts, n])]
    return np.concatenate(
        [reduce(ufunc, part, axis, dtype, keepdims=True) for part in parts], axis=axis
    )


def outer(ufunc: Any, A: Any, B: Any, /, **keywords: Any) -> Any:
    """`numpy.ufunc.outer`."""
    _check_binary(ufunc, "outer")
    x, y = as_array(A, B), as_array(B, A)
    x = np.reshape(x, (*shape_of(x), *(1,) * ndim_of(y)))
    return call(ufunc, x, y, **keywords) if keywords else FRONTS[ufunc](x, y)


def at(ufunc: Any, *inputs: Any, **keywords: Any) -> Any:
    """Refused: it writes into its first argument."""
    way = {
        np.add: "add", np.subtract: "subtract", np.multiply: "multiply", np.minimum: "min",
        np.maximum: "max",
    }.get(ufunc)  # fmt: skip
    raise TracerConversionError(
        f"`np.{ufunc.__name__}.at` writes into its first argument, which a traced function must "
        "not do.",
        f"np.{ufunc.__name__}.at(a, i, v) with " + ", ".join(map(describe, inputs)),
        f"make a changed copy: a = fgrad.at(a)[i].{way}(v)"
        if way
        else f"make a changed copy: a = fgrad.at(a)[i].set(np.{ufunc.__name__}(a[i], v)), "
        "where no index occurs twice",
    )


register(np.ufunc.__call__, call)
register(np.ufunc.reduce, reduce)
register(np.ufunc.accumulate, accumulate)
register(np.ufunc.reduceat, reduceat)
register(np.ufunc.outer, outer)
register(np.ufunc.at, at)
