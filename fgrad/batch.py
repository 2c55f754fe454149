"""vmap: every operation does a whole batch at once; the batch axis is always in front."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any, NoReturn

import numpy as np

from . import tree
from .arrays import (
    NUMBERS,
    PYTHON_SCALARS,
    aval,
    check_operand,
    is_cupy,
    ndarray,
    shape_of,
)
from .axes import (
    chunk_length,
    common_length,
    path_of,
    spread,
    spread_over_arguments,
    to_front,
)
from .broadcasting import leading, line_up
from .checks import run
from .core import (
    Params,
    Primitive,
    Trace,
    Tracer,
    bind,
    check_function,
    is_traceable,
    refuse_captured,
    refuse_finished,
    watcher,
)
from .errors import ArgumentError, ShapeError, TracerConversionError, describe, name_of
from .tracebacks import boundary
from .tracer import ArrayTracer, class_below

#: The traces of the mapped axes that have names, around the code that is running.
AXES: ContextVar[dict[Hashable, Any]] = ContextVar("AXES", default={})  # noqa: B039  never written


class BatchTracer(ArrayTracer):
    """One element of a batch, to the function; `value` holds all of them, batch axis in front."""

    __slots__ = ()
    HIDES = True

    @property  # type: ignore[misc]  # mypy wants a setter
    def __class__(self) -> type[Any]:
        """That of one element, as a loop over them finds it: of a number, NumPy's scalar."""
        kind = class_below(self)
        return kind if self.ndim or not issubclass(kind, np.ndarray) else self.dtype.type

    # What stands below has a batch axis, so it is no Python number and knows its shape and dtype.
    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one element."""
        shape: tuple[int, ...] = self.value.shape
        return shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self.value.dtype
        return dtype

    @property
    def ndim(self) -> int:
        return len(self.value.shape) - 1

    def __bool__(self) -> NoReturn:
        raise TracerConversionError(
            "Inside vmap a value is a whole batch, so it has no single truth value.",
            repr(self),
            "write the `if` as fgrad.cond(condition, f, g, x), the loop as fgrad.while_loop; or "
            "choose between arrays with np.where(condition, x, y)",
        )


def mapped(trace: Trace, value: Any) -> BatchTracer:
    """A value with its batch axis in front, as one element to the function of a trace."""
    x = BatchTracer()
    x.owner, x.value, x.slot = trace, value, None
    return x


class Batch(Trace):
    """The interpreter of vmap.

    Attributes:
        size: how many elements there are.
        near: what is mapped, where the axis has a name: arrays made for it are on their device.
    """

    def __init__(self, name: str, fn: Callable[..., Any], size: int) -> None:
        super().__init__(name, fn)
        self.size = size
        self.near: Sequence[Any] = ()

    def tracer(self, value: Any) -> BatchTracer:
        """`mapped`, by this trace."""
        return mapped(self, value)

    # The two short ways do for plain arrays what `process` does for all: the same rules, without
    # the lists and without asking `bind` who else wants the operation. An operation takes 1 µs
    # above NumPy's time, where `process` takes 5; so `mapped` is written out.
    def unary(self, p: Primitive, x: Tracer, params: Params | None) -> Any:
        a, rule = x.value, p.batch
        if type(a) is not ndarray or p.several or p.both is not None or p.collect is not None:
            return self.process(p, (x,), params or {})
        if rule is line_up or rule is leading:
            ans = p.impl(a, **params) if params else p.impl(a)
        else:
            ans = rule(p, self.size, (a,), (True,), params or {})
        out = BatchTracer()
        out.owner, out.value, out.slot = self, a.view() if ans is a else ans, None
        return out

    def binary(self, p: Primitive, x: Any, y: Any) -> Any:
        in_x = type(x) is BatchTracer and x.owner is self
        in_y = type(y) is BatchTracer and y.owner is self
        a, b = x.value if in_x else x, y.value if in_y else y
        rule = p.batch
        if type(a) is ndarray and type(b) is ndarray:
            if a.dtype is not b.dtype and not (a.dtype.kind in NUMBERS and b.dtype.kind in NUMBERS):
                return bind(p, (x, y), {})
            gap = a.ndim - b.ndim
            if rule is line_up and (gap == 0 if in_x and in_y else gap > 0 if in_x else gap < 0):
                ans = p.impl(a, b)  # NumPy lines them up as they are
            else:
                ans = rule(p, self.size, (a, b), (in_x, in_y), {})
        elif rule is line_up and (
            (type(a) is ndarray and type(b) in PYTHON_SCALARS)
            or (type(b) is ndarray and type(a) in PYTHON_SCALARS)
        ):
            ans = p.impl(a, b)
        else:
            return bind(p, (x, y), {})
        out = BatchTracer()
        out.owner, out.value, out.slot = self, ans, None
        return out

    def process(self, p: Primitive, operands: Sequence[Any], params: Params) -> Any:
        below, batched = [], []
        for x in operands:
            mine = type(x) is BatchTracer and x.owner is self
            batched.append(mine)
            if not isinstance(x, Tracer):
                check_operand(x, p.name)
            below.append(x.value if mine else x)
        rule = p.batch
        if p.collect is not None and params["over"] is self:
            rule = p.collect
        if p.both is None:
            ans = rule(p, self.size, below, batched, params)
        else:
            # A function inside is mapped anew: by our name it would find the wrong axis.
            token = AXES.set({k: t for k, t in AXES.get().items() if t is not self})
            try:
                ans = rule(p, self.size, below, batched, params)
            finally:
                AXES.reset(token)
            refuse_captured(p, ans, self)
        if p.several:
            return tuple(mapped(self, _no_operand(y, below)) for y in ans)
        return mapped(self, _no_operand(ans, below))


def _no_operand(ans: Any, operands: Sequence[Any]) -> Any:
    """The answer, or a view of it if it is one of the operands: a tape tells by its base.

    An answer that owns its memory belongs to nobody else, so it isn't copied when it is saved.
    """
    if (type(ans) is ndarray or is_cupy(ans)) and any(ans is x for x in operands):
        return ans.view()
    return ans


def _run_named(trace: Batch, name: Hashable, f: Any, args: Any, kwargs: Any) -> Any:
    """`run`, with a name for the mapped axis.

    A function of its own, because a mapped one that cloudpickle writes must not read `AXES` itself.
    """
    token = AXES.set({**AXES.get(), name: trace})
    try:
        return run(trace, f, args, kwargs)
    finally:
        AXES.reset(token)


@boundary
def vmap(
    f: Callable[..., Any],
    in_axes: Any = 0,
    out_axes: Any = 0,
    *,
    axis_size: int | None = None,
    axis_name: Hashable = None,
    chunk_size: int | str | None = None,
) -> Callable[..., Any]:
    """Map a function over an axis of its arguments, all elements at once.

    >>> import numpy as np
    >>> X = np.arange(6.0).reshape(3, 2)
    >>> vmap(lambda x: x @ x)(X)
    array([ 1., 13., 41.])
    >>> vmap(lambda x, w: x * w, in_axes=(0, None), out_axes=1)(X, np.array([1.0, 10.0]))
    array([[ 0.,  2.,  4.],
           [10., 30., 50.]])

    Args:
        f: a function of arrays in pytrees; it sees each array without its mapped axis.
        in_axes: the axis to map of each argument: an integer (may be negative), None for an
            argument that is the same for all elements, or a tuple with one entry per positional
            argument, each an integer, None or a pytree prefix of these. Arguments passed by
            keyword are mapped over axis 0.
        out_axes: where the mapped axis stands in the results: an integer, None for results that
            don't depend on the element, or a pytree prefix of these.
        axis_size: the number of elements; needed only if no argument is mapped.
        axis_name: a name for the mapped axis, by which `psum` and its like refer to it inside.
        chunk_size: the number of elements to compute at once, which bounds the memory; "auto"
            takes as many as have mapped arguments of 16 MiB together. All by default. In JAX,
            `jax.lax.map` has it, as ``batch_size``.

    Returns:
        A function of the same arguments that returns what ``f`` returns, with the mapped axis.

    Raises:
        ArgumentError: ``in_axes`` or ``out_axes`` don't fit the arguments or results.
        ShapeError: mapped axes differ in length, or an array has no such axis.
    """
    check_function(f, "vmap")

    @boundary
    @functools.wraps(f)
    def vmap_f(*args: Any, **kwargs: Any) -> Any:
        if (watch := watcher()) and (out := watch(vmap_f, args, kwargs)) is not NotImplemented:
            return out
        axes = tuple(in_axes) if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise ArgumentError(
                "vmap wants one entry of in_axes for each positional argument.",
                f"{len(axes)} entries, in_axes={in_axes!r}, for {len(args)} arguments",
                "give in_axes as one integer for all, or as a tuple of that many entries",
            )
        leaves, structure = tree.flatten((args, kwargs))
        flat_axes = spread_over_arguments(axes, args, kwargs, len(leaves))
        moving = [i for i, axis in enumerate(flat_axes) if axis is not None]
        path = partial(path_of, args, kwargs)
        size = common_length(leaves, flat_axes, moving, path, axis_size)
        fronts = [to_front(leaves[i], flat_axes[i]) for i in moving]

        def part(start: int, stop: int) -> tuple[list[Any], Any, list[int | None]]:
            trace = Batch("vmap", f, stop - start)
            whole = stop - start == size
            tracers = list(leaves)
            for i, x in zip(moving, fronts, strict=True):
                tracers[i] = mapped(trace, x if whole else x[start:stop])
            new_args, new_kwargs = tree.unflatten(structure, tracers)
            try:
                if axis_name is None:
                    out = run(trace, f, new_args, new_kwargs)
                else:
                    trace.near = fronts
                    out = _run_named(trace, axis_name, f, new_args, new_kwargs)
            finally:
                trace.finish()
            outs, out_structure = tree.flatten(out)
            axes = spread(out_axes, out, len(outs), "out_axes")
            results = [_result(trace, y, axis) for y, axis in zip(outs, axes, strict=True)]
            return results, out_structure, axes

        chunk = max(size, 1)
        if chunk_size is not None:
            octets = sum(aval(x).nbytes for x in fronts)
            chunk = chunk_length(chunk_size, size, octets // chunk, "vmap")
        if axis_name is not None and chunk < size:
            raise ArgumentError(
                "vmap wants all elements at once where they have a named axis to meet on.",
                f"axis_name={axis_name!r} and chunk_size={chunk_size!r} for {size} elements",
                "leave one of the two away",
            )
        parts = [part(i, min(i + chunk, size)) for i in range(0, max(size, 1), chunk)]
        results, out_structure, places = parts[0]
        if len(parts) > 1:
            columns = zip(*(p[0] for p in parts), strict=True)
            results = [
                ys[0] if axis is None else np.concatenate(ys, axis)
                for ys, axis in zip(columns, places, strict=True)
            ]
        return tree.unflatten(out_structure, _separate(results, leaves))

    return vmap_f


def _separate(ys: list[Any], xs: Sequence[Any]) -> list[Any]:
    """Results that share no memory, and are no arguments: who writes into one changes no other.

    The smallest program that fails without: ``dx, dy = vmap(grad(lambda x, y: x + y, (0, 1)))(X, Y)
    ; dx += 1``, where rules hand the same cotangent to both.
    """
    arguments, seen = set(map(id, xs)), set()
    for k, y in enumerate(ys):
        if type(y) is ndarray or is_cupy(y):
            owner = id(y if y.base is None else y.base)
            if owner in seen or id(y) in arguments:
                ys[k] = y.copy("K")
            seen.add(owner)
    return ys


def _result(trace: Batch, y: Any, axis: int | None) -> Any:
    """One result with its batch axis where out_axes wants it."""
    mine = type(y) is BatchTracer and y.owner is trace
    if mine and axis == 0:
        return y.value
    if not is_traceable(y):
        raise ArgumentError(
            f"vmap wants a function that returns arrays in pytrees; {name_of(trace.fn)} does not.",
            f"a result that is {describe(y)}",
            "return arrays only; None is allowed and stands for nothing",
        )
    if not mine:
        refuse_finished(y, "vmap")
    if axis is None:
        if mine:
            raise ArgumentError(
                "vmap wants out_axes=None only for results that are the same for all elements.",
                f"a mapped result, {y!r}",
                "set its out_axes to an integer",
            )
        return y
    if not mine:
        y = np.broadcast_to(y, (trace.size, *shape_of(y)))
        y = np.copy(y) if not isinstance(y, Tracer) else y
    else:
        y = y.value
    ndim = len(shape_of(y))
    if not -ndim <= axis < ndim:
        raise ShapeError(
            f"vmap wants out_axes within the rank of the result, {ndim} with the mapped axis.",
            f"out_axes {axis} for {describe(y)}",
            f"give an integer from {-ndim} to {ndim - 1}",
        )
    return y if axis == 0 else np.moveaxis(y, 0, axis)
