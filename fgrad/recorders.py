"""The short way onto the tape: recording functions made for one primitive each.

`Tape.unary` and `Tape.binary` say what recording means, for every kind of operand. The functions
made here do the same for plain arrays of one dtype, with all that is known of the primitive bound
when the package is imported. They save a third of the cost of ``x + y`` on small arrays; in any
case that they don't know they hand over to the tape.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy import empty, float32, float64

from .arrays import aval, ndarray, ndim_of
from .batch import Batch, BatchTracer, mapped
from .core import PRIMITIVES, Primitive
from .cotangents import fitted
from .kinds import scalar
from .ops.reduce import ALL, spread
from .reverse import LINEAR, NONE, UNARY, TapeTracer
from .rules import ones
from .tracer import OPERATED, ArrayTracer
from .vocabulary import BINARY_OPERATORS


def binary_recorder(p: Primitive) -> Callable[[Any, Any], Any]:
    """``record(x, y)`` for a tracer x and anything that it may meet."""
    impl, shaped = p.impl, p.shaped
    pull_left, pull_right = (pull for pull in p.pull if pull is not None)
    left, _, both = p.keep
    both_ans, both_x, both_y = both
    left_ans, left_x, left_y = left
    is_add = p.name == "add"
    record_mapped = mapped_recorder(p)

    def record(x: Any, y: Any) -> Any:
        try:
            tape, a = x.owner, x.value
            if type(a) is not ndarray and type(a) is not float64:
                return record_mapped(x, y)  # a traced value of an outer transformation
            nodes = tape.nodes
            i, slot = x.slot, len(nodes)
            pull_x, pull_y = pull_left, pull_right
            if type(y) is TapeTracer and y.owner is tape:
                b, j = y.value, y.slot
                if (type(b) is not ndarray and type(b) is not float64) or a.dtype is not b.dtype:
                    return record_mapped(x, y)
                kept_x = kept_y = None
                if both_x:
                    kept_x = tape.keep(a) if i < tape.inputs or a.base is not None else a
                if both_y:
                    kept_y = tape.keep(b) if j < tape.inputs or b.base is not None else b
                ans = impl(a, b)
                if not shaped:
                    shape_x, shape_y = a.shape, b.shape
                    if shape_x != shape_y:
                        shape = ans.shape
                        if shape_x != shape:
                            pull_x = partial(fitted, pull_x, shape_x, a.dtype)
                        if shape_y != shape:
                            if is_add and shape_y == (shape[0], 1) and len(shape) == 2:
                                pull_y = _sum_columns
                            else:
                                pull_y = partial(fitted, pull_y, shape_y, b.dtype)
                kept = ans if both_ans else None
            else:
                kept_y, j = y, NONE
                if type(y) is ndarray and a.dtype is y.dtype:
                    foreign = left_x and (i < tape.inputs or a.base is not None)
                    ans = impl(a, y)
                    if not shaped and a.shape != y.shape and a.shape != ans.shape:
                        pull_x = partial(fitted, pull_x, a.shape, a.dtype)
                    kept_y = tape.keep(y) if left_y else None
                elif type(y) is float:
                    foreign = left_x and (i < tape.inputs or a.base is not None)
                    ans = impl(a, y)
                else:
                    return record_mapped(x, y)
                kept_x = a
                if not left_x:
                    kept_x = aval(a) if shaped else None
                elif foreign:
                    kept_x = tape.keep(a)
                kept = ans if left_ans else None
            nodes.append((i, j, pull_x, pull_y, kept, kept_x, kept_y))
        except (AttributeError, TypeError):  # a tape that has ended, an operand that is no array
            return tape.binary(p, x, y)
        out = TapeTracer()
        out.owner, out.value, out.slot = tape, ans, slot
        return out

    return record


def mapped_recorder(p: Primitive) -> Callable[[Any, Any], Any]:
    """`record` for operands that are mapped by a vmap around, one of them or both."""
    impl, rule, shaped = p.impl, p.batch, p.shaped
    left, _, both = p.keep

    def record(x: Any, y: Any) -> Any:
        tape, a, i = x.owner, x.value, x.slot
        b, j, keep = y, NONE, left
        if type(y) is TapeTracer and y.owner is tape:
            b, j, keep = y.value, y.slot, both
        in_a, in_b = type(a) is BatchTracer, type(b) is BatchTracer
        u, v = a.value if in_a else a, b.value if in_b else b
        if type(u) is not ndarray or type(v) is not ndarray or u.dtype is not v.dtype:
            return tape.binary(p, x, y)
        trace = a.owner if in_a else b.owner if in_b else None
        if (
            type(trace) is not Batch
            or trace.level > tape.level
            or (in_a and in_b and b.owner is not trace)
        ):
            return tape.binary(p, x, y)
        pull_x, pull_y = p.pull
        if shaped:
            ans = rule(p, trace.size, (u, v), (in_a, in_b), {})
        elif (u.shape[1:] if in_a else u.shape) == (v.shape[1:] if in_b else v.shape):
            ans = impl(u, v)
        else:
            return tape.binary(p, x, y)
        keep_ans, keep_x, keep_y = keep
        if not keep_x:
            a = aval(a) if shaped else None
        elif i < tape.inputs or u.base is not None:
            a = tape.keep(a)
        if not keep_y:
            b = aval(b) if shaped else None
        elif j < tape.inputs or v.base is not None:
            b = tape.keep(b)
        value = BatchTracer()
        value.owner, value.value, value.slot = trace, ans, None
        nodes = tape.nodes
        out = TapeTracer()
        out.owner, out.value, out.slot = tape, value, len(nodes)
        nodes.append((i, j, pull_x, pull_y, value if keep_ans else None, a, b))
        return out

    return record


def reflected_recorder(p: Primitive) -> Callable[[Any, Any], Any]:
    """``record(y, x)`` for x + y, a tracer y and, in most cases, a Python float x."""
    impl, pull = p.impl, p.pull[1]
    keep_ans, _, keep_y = p.keep[1]

    def record(y: Any, x: Any) -> Any:
        tape, b = y.owner, y.value
        nodes = tape.nodes
        if type(x) is not float or nodes is None or type(b) is not ndarray:
            return tape.binary(p, x, y)
        ans = impl(x, b)
        if ans.dtype is not b.dtype:
            return tape.binary(p, x, y)
        if keep_y and (y.slot < tape.inputs or b.base is not None):
            b = tape.keep(b)
        out = TapeTracer()
        out.owner, out.value, out.slot = tape, ans, len(nodes)
        kept = b if keep_y else None
        nodes.append((-1, y.slot, None, pull, ans if keep_ans else None, x, kept))
        return out

    return record


def _sum_columns(g: Any, ans: Any, x: Any, y: Any) -> Any:
    """The cotangent of a bias of one column."""
    if type(g) is not ndarray:
        return np.sum(g, axis=1, keepdims=True)
    return g.dot(ones(g.shape[1], 1, g.dtype))


def unary_recorder(p: Primitive, other: Callable[[Any], Any] | None = None) -> Callable[[Any], Any]:
    """``record(x)`` for a tracer x; ``other(x)`` if it doesn't stand for an array."""
    impl: Callable[..., Any] = p.impl
    pull: Any = p.pull[0]
    keep_ans, keep_x = p.keep[0]
    other = other or (lambda x: x.owner.unary(p, x, None))
    reads = keep_ans or keep_x

    def record_mapped(x: Any, a: Any, u: Any) -> Any:
        ans, tape, trace = impl(u), x.owner, a.owner
        if ans.dtype is not u.dtype:
            return tape.unary(p, x, None)
        kept = None
        if keep_x:
            kept = tape.keep(u) if x.slot < tape.inputs or u.base is not None else u
        pull_back = partial(_pull_mapped, trace, pull) if reads else pull
        nodes = tape.nodes
        out = TapeTracer()
        out.owner, out.value, out.slot = tape, mapped(trace, ans), len(nodes)
        nodes.append((x.slot, UNARY, pull_back, None, ans if keep_ans else None, kept, None))
        return out

    def record(x: Any) -> Any:
        tape, a = x.owner, x.value
        nodes = tape.nodes
        if nodes is None or (type(a) is not ndarray and type(a) is not float64):
            if nodes is None or type(a) is not BatchTracer or type(a.owner) is not Batch:
                return other(x)
            return record_mapped(x, a, a.value) if type(a.value) is ndarray else other(x)
        ans = impl(a)
        if ans.dtype is not a.dtype:
            return tape.unary(p, x, None)
        if keep_x:
            if x.slot < tape.inputs or a.base is not None:
                a = tape.keep(a)
        else:
            a = None
        out = TapeTracer()
        out.owner, out.value, out.slot = tape, ans, len(nodes)
        nodes.append((x.slot, UNARY, pull, None, ans if keep_ans else None, a, None))
        return out

    return record


def _pull_mapped(trace: Any, pull: Callable[..., Any], g: Any, ans: Any, x: Any) -> Any:
    """A formula of an elementwise function, on all elements of a vmap at once where it can be."""
    rank = (x if ans is None else ans).ndim
    if type(g) is BatchTracer and g.owner is trace:
        u = g.value
        if type(u) is ndarray and u.ndim == rank:
            return mapped(trace, pull(u, ans, x))
    elif type(g) is ndarray and g.ndim == rank - 1:  # the same for all elements
        c = pull(g, ans, x)
        return mapped(trace, c) if ndim_of(c) == rank else c
    return pull(g, *(y if y is None else mapped(trace, y) for y in (ans, x)))


def _array_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    record = RECORDERS.get(ufunc)
    if record is not None and method == "__call__" and not kwargs and type(inputs[0]) is TapeTracer:
        out = record(*inputs)
        kind = type(out.value)
        if kind is ndarray or kind is float64 or ufunc not in OPERATED:
            return out
        return scalar(out)  # of a Python number: only Python's operators make another
    return ArrayTracer.__array_ufunc__(self, ufunc, method, *inputs, **kwargs)


def _array_function(self: Any, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    total = func is np.sum
    if not (total or func is np.mean) or kwargs or len(args) != 1:
        return ArrayTracer.__array_function__(self, func, types, args, kwargs)
    tape, a = self.owner, self.value
    nodes = tape.nodes
    if type(a) is BatchTracer:
        return tape.unary(_SUM if total else _MEAN, self, ALL[a.ndim])
    if nodes is None or type(a) is not ndarray or a.dtype.char not in "fd" or not a.size:
        return ArrayTracer.__array_function__(self, func, types, args, kwargs)
    out = TapeTracer()
    ans = _add_up(a, None)
    out.owner, out.value, out.slot = tape, ans if total else ans / a.size, len(nodes)
    pull = _pull_sum if total else _pull_mean
    nodes.append((self.slot, UNARY, pull, None, None, aval(a), None))
    return out


_add_up = np.add.reduce
_MEAN, _SUM = PRIMITIVES["mean"], PRIMITIVES["sum"]


def _pull_sum(g: Any, ans: Any, x: Any) -> Any:
    if type(g) is not float64 and type(g) is not float32:
        return spread(g, x, (), True)
    out = empty(x.shape, x.dtype)
    out.fill(g)
    return out


def _pull_mean(g: Any, ans: Any, x: Any) -> Any:
    if type(g) is not float64 and type(g) is not float32:
        return spread(g / x.size, x, (), True)
    out = empty(x.shape, x.dtype)
    out.fill(g / out.size)
    return out


_BASIC = frozenset((int, slice, type(None), type(...)))


def _getitem(self: Any, index: Any) -> Any:
    tape, a = self.owner, self.value
    nodes = tape.nodes
    if type(index) is slice:
        spec: Any = (index,)
    else:
        spec = index if type(index) is tuple else (index,)
        if not _BASIC.issuperset(map(type, spec)):
            return ArrayTracer.__getitem__(self, index)
    if nodes is None or type(a) is not ndarray:
        return ArrayTracer.__getitem__(self, index)
    out = TapeTracer()
    out.owner, out.value, out.slot = tape, a[spec], len(nodes)
    nodes.append((self.slot, LINEAR, _pull_getitem, None, None, aval(a), {"spec": spec}))
    return out


_pull_getitem = PRIMITIVES["getitem"].pull[0]


def _transposed(self: Any) -> Any:
    tape, a = self.owner, self.value
    nodes = tape.nodes
    if nodes is None or (type(a) is not ndarray and type(a) is not BatchTracer) or a.ndim != 2:
        return ArrayTracer.T.fget(self)  # type: ignore[attr-defined]
    out = TapeTracer()
    out.owner, out.value, out.slot = tape, a.T, len(nodes)
    nodes.append((self.slot, UNARY, _pull_transposed, None, None, None, None))
    return out


def _pull_transposed(g: Any, ans: Any, x: Any) -> Any:
    # What follows mixes it with arrays in C order, which costs more than to copy it once.
    if type(g) is ndarray and 64 < g.size <= 65536 and g.flags.c_contiguous:
        return g.T.copy()
    return g.T


def _power(self: Any, y: Any, mod: Any = None) -> Any:
    if type(y) is int and y == 2 and mod is None:
        return _square(self)
    return ArrayTracer.__pow__(self, y, mod)


#: Ufunc -> recording function, for elementwise primitives with a partial for each operand.
RECORDERS: dict[Any, Callable[..., Any]] = {}


def _install() -> None:
    """Give the tracers of a tape their operators and ufuncs."""
    for p in PRIMITIVES.values():
        fn = getattr(np, p.name, None)
        if isinstance(fn, np.ufunc) and p.pull and None not in p.pull and len(p.pull) == fn.nin:
            record = unary_recorder(p) if len(p.pull) == 1 else binary_recorder(p)
            RECORDERS[fn] = record
            stem = BINARY_OPERATORS.get(fn)
            if stem is not None and stem != "pow":
                setattr(TapeTracer, f"__{stem}__", record)
                if not p.shaped and len(p.pull) == 2:
                    setattr(TapeTracer, f"__r{stem}__", reflected_recorder(p))
    TapeTracer.__array_ufunc__ = _array_ufunc  # type: ignore[method-assign]
    TapeTracer.__array_function__ = _array_function  # type: ignore[method-assign]
    TapeTracer.__getitem__ = _getitem  # type: ignore[method-assign]
    TapeTracer.__pow__ = _power  # type: ignore[method-assign]
    TapeTracer.T = property(_transposed)  # type: ignore[assignment, method-assign]


def _square_of_other(x: Any) -> Any:
    if type(x.value) is BatchTracer and x.dtype.kind in "fc":
        return x.owner.unary(_SQUARE, x, None)
    return ArrayTracer.__pow__(x, 2)


_SQUARE = PRIMITIVES["square"]
_square = unary_recorder(_SQUARE, _square_of_other)
_install()
