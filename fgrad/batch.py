"""vmap: every operation does a whole batch at once; the batch axis is always in front."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from contextvars import ContextVar
from typing import Any, NoReturn

import numpy as np

from . import tree
from .arrays import aval, check_operand, shape_of
from .checks import run
from .core import (
    Params,
    Primitive,
    Trace,
    Tracer,
    check_function,
    is_traceable,
    refuse_captured,
    refuse_finished,
)
from .errors import (
    ArgumentError,
    DtypeError,
    ShapeError,
    TracerConversionError,
    describe,
    name_of,
)
from .tracer import ArrayTracer

_FLOAT = np.dtype(float)


#: The traces of the mapped axes that have names, around the code that is running.
AXES: ContextVar[dict[Hashable, Any]] = ContextVar("AXES", default={})  # noqa: B039  never written


class BatchTracer(ArrayTracer):
    """One element of a batch, to the function; `value` holds all of them, batch axis in front."""

    __slots__ = ()
    HIDES = True

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one element."""
        return shape_of(self.value)[1:]

    def __bool__(self) -> NoReturn:
        raise TracerConversionError(
            "Inside vmap a value is a whole batch, so it has no single truth value.",
            repr(self),
            "choose between arrays with np.where(condition, x, y), or take the `if` out of the "
            "function that is mapped",
        )


class Batch(Trace):
    """The interpreter of vmap."""

    def __init__(self, name: str, fn: Callable[..., Any], size: int) -> None:
        super().__init__(name, fn)
        self.size = size

    def tracer(self, value: Any) -> BatchTracer:
        """A value with its batch axis in front, as one element to the function."""
        x = BatchTracer()
        x.owner, x.value, x.slot = self, value, None
        return x

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
        return tuple(map(self.tracer, ans)) if p.several else self.tracer(ans)


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

    @functools.wraps(f)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        axes = tuple(in_axes) if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise ArgumentError(
                "vmap wants one entry of in_axes for each positional argument.",
                f"{len(axes)} entries, in_axes={in_axes!r}, for {len(args)} arguments",
                "give in_axes as one integer for all, or as a tuple of that many entries",
            )
        leaves, structure = tree.flatten((args, kwargs))
        flat_axes = _spread((axes, dict.fromkeys(kwargs, 0)), (args, kwargs), "in_axes")
        paths = [_path(path) for path, _ in tree.leaves_with_path((args, kwargs))]
        size = _size(leaves, flat_axes, paths, axis_size)
        fronts = [
            x if axis is None else _to_front(x, axis)
            for x, axis in zip(leaves, flat_axes, strict=True)
        ]
        moving = [axis is not None for axis in flat_axes]

        def part(start: int, stop: int) -> tuple[list[Any], Any, list[int | None]]:
            trace = Batch("vmap", f, stop - start)
            whole = stop - start == size
            tracers = [
                trace.tracer(x if whole else x[start:stop]) if m else x
                for x, m in zip(fronts, moving, strict=True)
            ]
            new_args, new_kwargs = tree.unflatten(structure, tracers)
            token = None
            if axis_name is not None:
                token = AXES.set({**AXES.get(), axis_name: trace})
            try:
                out = run(trace, f, new_args, new_kwargs)
            finally:
                trace.finish()
                if token is not None:
                    AXES.reset(token)
            outs, out_structure = tree.flatten(out)
            axes = _spread(out_axes, out, "out_axes")
            results = [_result(trace, y, axis) for y, axis in zip(outs, axes, strict=True)]
            return results, out_structure, axes

        octets = sum(aval(x).nbytes for x, m in zip(fronts, moving, strict=True) if m)
        chunk = chunk_length(chunk_size, size, octets // max(size, 1), "vmap")
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
        return tree.unflatten(out_structure, results)

    return mapped


#: What "auto" makes of the memory for the mapped arguments, in octets.
AUTO = 1 << 24


def chunk_length(chunk_size: int | str | None, size: int, octets: int, name: str) -> int:
    """How many of ``size`` elements, of so many octets each, to compute at once; at least 1."""
    if chunk_size is None:
        return max(size, 1)
    if chunk_size == "auto":
        return max(1, AUTO // max(octets, 1))
    if isinstance(chunk_size, bool) or not isinstance(chunk_size, (int, np.integer)):
        wrong = True
    else:
        wrong = chunk_size < 1
    if wrong:
        raise ArgumentError(
            f'{name} wants chunk_size as a number of elements, at least 1, or as "auto".',
            describe(chunk_size),
            "leave it away to compute all at once",
        )
    return int(chunk_size)


def _spread(prefix: Any, full: Any, name: str) -> list[int | None]:
    """One axis for each leaf of ``full``, from a pytree prefix of axes."""
    try:
        axes = tree.broadcast_prefix(prefix, full)
    except ValueError as e:
        raise ArgumentError(
            f"vmap wants {name} as an integer, None, or a pytree prefix of what it stands for.",
            f"{name}={prefix!r}: {e}",
            "give one integer for a whole subtree, or a container of the same kind and length",
        ) from None
    for axis in axes:
        if axis is not None and (isinstance(axis, bool) or not hasattr(axis, "__index__")):
            raise ArgumentError(
                f"vmap wants integers or None as the leaves of {name}.",
                describe(axis),
                "give the number of the axis, or None for what isn't mapped",
            )
    return axes


def _size(
    leaves: Sequence[Any], axes: Sequence[int | None], paths: Sequence[str], axis_size: int | None
) -> int:
    """The length of the mapped axes, which must be the same for all."""
    if axis_size is not None and (not isinstance(axis_size, (int, np.integer)) or axis_size < 0):
        raise ArgumentError(
            "vmap wants axis_size as a number of elements.",
            describe(axis_size),
            "give an integer from 0, or leave it away where an argument is mapped",
        )
    size, first = axis_size, "axis_size"
    for x, axis, path in zip(leaves, axes, paths, strict=True):
        if axis is None:
            continue
        shape = shape_of(x)
        refuse_finished(x, "vmap")
        _check_mapped(x, path)
        if not -len(shape) <= axis < len(shape):
            raise ShapeError(
                f"vmap wants an array with axis {axis} as {path}.",
                describe(x),
                "set its in_axes to None if it is the same for all elements; pass a list of "
                "numbers as np.array(...)",
            )
        if size is None:
            size, first = shape[axis], path
        elif shape[axis] != size:
            raise ShapeError(
                f"vmap wants all mapped axes of one length: {size}, as {first} has it.",
                f"length {shape[axis]} along axis {axis} of {path} ({describe(x)})",
                "map another axis with in_axes, or pass arrays of equal length",
            )
    if size is None:
        raise ArgumentError(
            "vmap wants at least one argument with a mapped axis.",
            "arguments without arrays, or in_axes None for all of them",
            "set in_axes for one of them, or give axis_size",
        )
    return size


def _check_mapped(x: Any, path: str) -> None:
    """Refuse to map over what is no array of numbers."""
    if not is_traceable(x) or getattr(x, "dtype", _FLOAT).kind not in "fcbiu":
        raise DtypeError(
            f"vmap wants an array of numbers as {path}.",
            describe(x),
            "set its in_axes to None if it is the same for all elements; convert it to an array "
            "of numbers otherwise",
        )


def _path(path: Any) -> str:
    """``args[0]['w']`` for a path in ``(args, kwargs)``."""
    text = tree.path_str(path)
    return f"args{text[3:]}" if text.startswith("[0]") else f"kwargs{text[3:]}"


def _to_front(x: Any, axis: int) -> Any:
    """The mapped axis in front, counted from the start of x."""
    return x if axis == 0 else np.moveaxis(x, axis, 0)


def _result(trace: Batch, y: Any, axis: int | None) -> Any:
    """One result with its batch axis where out_axes wants it."""
    if not is_traceable(y):
        raise ArgumentError(
            f"vmap wants a function that returns arrays in pytrees; {name_of(trace.fn)} does not.",
            f"a result that is {describe(y)}",
            "return arrays only; None is allowed and stands for nothing",
        )
    mine = type(y) is BatchTracer and y.owner is trace
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
