"""`check_vmap`, `check_staging` and `check_dtypes`: what transformations leave as it is."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fgrad import tree
from fgrad.batch import vmap
from fgrad.core import check_function
from fgrad.derivatives import jvp, vjp
from fgrad.errors import ArgumentError, name_of
from fgrad.stage import make_graph

from ..arrays import namespace
from ..moving import host_array
from ..tracebacks import boundary
from .comparing import check_close, check_like
from .leaves import Opened, dtype_of, like, moves, numbers, random_like
from .remainders import ROUNDING

DTYPES = ("float16", "float32", "float64")
_COMPLEX = {"float16": "complex64", "float32": "complex64", "float64": "complex128"}


def is_operand(x: Any) -> bool:
    """Whether a leaf is data: an array, or a number that has a derivative."""
    return moves(x) or (hasattr(x, "dtype") and x.dtype.kind in "biu")


@boundary
def check_vmap(
    f: Callable[..., Any],
    args: Sequence[Any],
    in_axes: Any = 0,
    *,
    sizes: Sequence[int] = (0, 1, 3),
    calls: Sequence[Sequence[Any]] | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    err_msg: str = "",
) -> None:
    """Check that vmap of a function is the stack of its calls.

    >>> import numpy as np
    >>> check_vmap(np.matmul, (np.ones((2, 3)), np.ones(3)))
    >>> check_vmap(np.cumsum, (np.ones((2, 3)),), in_axes=-1)

    Args:
        f: a function of arrays in pytrees.
        args: a tuple of the arguments of one call, without a batch axis.
        in_axes: as in `fgrad.vmap`: which arguments are mapped, and where the batch axis goes.
            Every choice of them is tried (with more than four: all, and each alone). Python numbers
            are not mapped.
        sizes: the lengths of the batch axis.
        calls: the arguments of further calls, to fill a batch with. None makes them of ``args``,
            with smaller numbers, and the numbers of an array in reverse.
        atol: numbers may differ by so much.
        rtol: or by this part of the largest number of the same leaf. None for both stands for
            rounding: 64 units in the last place, 1e-11 in float64.
        err_msg: what to call the function in the message.

    Raises:
        CheckError: structure, shapes, dtypes or numbers differ; it names the mapped arguments.
    """
    check_function(f, "check_vmap")
    what = err_msg or name_of(f)
    axes = tuple(in_axes) if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
    if len(axes) != len(args):
        raise ArgumentError(
            "check_vmap wants one entry of in_axes for each argument.",
            f"{len(axes)} entries, in_axes={in_axes!r}, for {len(args)} arguments",
            "give in_axes as one integer for all, or as a tuple of that many entries",
        )
    # A Python number has no axis, and takes its dtype from the array beside it.
    point = Opened(f, args, lambda x: is_operand(x) and hasattr(x, "dtype"))
    owner = point.spread([(i,) * len(tree.leaves(a)) for i, a in enumerate(args)])
    axis = point.spread([tree.broadcast_prefix(axes[i], a) for i, a in enumerate(args)])
    mapped = sorted({i for i, a in zip(owner, axis, strict=True) if a is not None})
    samples = _samples(point, max(sizes, default=0), calls)
    for chosen in _choices(mapped):
        flags = [i in chosen and a is not None for i, a in zip(owner, axis, strict=True)]
        for size in sizes if len(chosen) == len(mapped) else (max(sizes),):
            names = " and ".join(f"args[{i}]" for i in chosen)
            said = f"vmap of {what} over {names}, {size} elements,"
            _check_batch(point, samples[:size], flags, axis, said, (atol, rtol))


def _choices(mapped: Sequence[int]) -> list[tuple[int, ...]]:
    """All ways to map some arguments; of many, all and each."""
    if len(mapped) > 4:
        return [tuple(mapped), *((i,) for i in mapped)]
    counts = range(len(mapped), 0, -1)
    return [c for n in counts for c in itertools.combinations(mapped, n)]


def _samples(point: Opened, n: int, calls: Sequence[Sequence[Any]] | None) -> list[list[Any]]:
    """The leaves of the first call and n - 1 more."""
    if calls is not None:
        found = [point.of(tuple(c), "calls") for c in calls]
        return [point.xs, *itertools.islice(itertools.cycle(found or [point.xs]), max(n - 1, 0))]
    return [[vary(x, k) for x in point.xs] for k in range(n)]


def vary(x: Any, k: int) -> Any:
    """Other data of the same kind: smaller numbers, and in reverse order, as integers are too.

    Positive numbers stay positive, and positive definite matrices positive definite.
    """
    back = k % 4 in (1, 2) and np.ndim(x) > 0
    if moves(x):
        new = host_array(x) * (1 - (k % 7) / 8)
        return like((np.flip(new) if back else new).astype(dtype_of(x)), x)
    return np.flip(x) if back else x


def _check_batch(
    point: Opened,
    samples: Sequence[Sequence[Any]],
    flags: Sequence[bool],
    axes: Sequence[Any],
    what: str,
    given: tuple[float | None, float | None],
) -> None:
    """vmap on stacked leaves against the stack of calls."""
    args, in_axes = [], []
    for i, (x, flag, axis) in enumerate(zip(point.xs, flags, axes, strict=True)):
        rows = [s[i] for s in samples] or [x]
        if flag:
            stack = np.stack([host_array(r) for r in rows], axis)
            stack = stack if samples else np.take(stack, np.zeros(0, int), axis)
            args.append(namespace(x).asarray(np.ascontiguousarray(stack)))
        else:
            args.append(x)
        in_axes.append(axis if flag else None)
    with np.errstate(all="ignore"):
        got = vmap(point.call, tuple(in_axes))(*args)
        each = [
            point.call(*(s if m else x for x, s, m in zip(point.xs, row, flags, strict=True)))
            for row in samples or [point.xs]
        ]
    want = tree.map(lambda *ys: np.stack([host_array(y) for y in ys]), *each)
    want = want if samples else tree.map(lambda y: y[:0], want)
    check_like(want, got, what, "result", "the stack of the calls")
    check_close(want, got, what, "the stack of the calls", point.xs, *given)


@boundary
def check_staging(
    f: Callable[..., Any],
    args: Sequence[Any],
    *,
    calls: Sequence[Sequence[Any]] | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    err_msg: str = "",
) -> None:
    """Check that a graph recorded at one place is the function at others, too.

    >>> import numpy as np
    >>> check_staging(lambda x: np.sum(x * np.ones(3)), (np.arange(3.0),))

    Args:
        f: a function of arrays in pytrees that does not look at values.
        args: a tuple of arguments, to record it with.
        calls: other arguments to call the graph with; None makes them as `check_vmap` does.
        atol, rtol, err_msg: as for `check_vmap`.

    Raises:
        CheckError: the graph gives something else than the function.
        TracerConversionError: the function looks at values, as in ``if x > 0``.
    """
    check_function(f, "check_staging")
    point = Opened(f, args, is_operand)
    with np.errstate(all="ignore"):
        graph = make_graph(point.call)(*point.xs)
        graph.check()
        for xs in _samples(point, 2 if calls is None else 1 + len(calls), calls):
            want = tree.map(host_array, point.call(*xs))
            got = tree.map(host_array, graph(*xs))
            what = f"graph of {err_msg or name_of(f)}"
            check_like(want, got, what, "result", "the function's")
            check_close(want, got, what, "the function", xs, atol, rtol)


@boundary
def check_dtypes(
    f: Callable[..., Any],
    args: Sequence[Any],
    dtypes: Sequence[Any] = DTYPES,
    *,
    err_msg: str = "",
    seed: int = 0,
) -> None:
    """Check that a value keeps its dtype under derivatives, and a derivative has its primal's.

    In float16 and float32 the cotangents must also be those of float64, up to rounding.

    >>> import numpy as np
    >>> check_dtypes(lambda x: np.log1p(np.exp(x)) * np.float64(2.0), (np.ones(3),))

    Args:
        f: a function of arrays in pytrees.
        args: a tuple of arguments; their real leaves are converted to each dtype, complex ones to
            the complex dtype of so many digits. Python numbers stay what they are.
        dtypes: float dtypes. One for which ``f`` itself raises a TypeError is left out.
        err_msg: what to call the function in the message.
        seed: for the cotangents.

    Raises:
        CheckError: a dtype or a shape is wrong, or digits are lost.
    """
    check_function(f, "check_dtypes")
    point = Opened(f, args)
    exact = None
    for dtype in sorted(map(np.dtype, dtypes), key=lambda d: -d.itemsize):
        xs = [_as(x, dtype.name) for x in point.xs]
        with np.errstate(all="ignore"):
            try:
                want = point.call(*xs)
            except TypeError:  # NumPy has no such function: linalg of float16
                continue
            what = f"{err_msg or name_of(f)} of {dtype}"
            ts = random_like(xs, np.random.default_rng(seed))
            value, t = jvp(point.call, tuple(xs), tuple(ts))
            check_like(want, value, what, "value under jvp", "the value")
            check_like(want, t, what, "tangent", "the value", derivative=True)
            value, pullback = vjp(point.call, *xs)
            check_like(want, value, what, "value under vjp", "the value")
            cts = list(pullback(_cotangents(value, np.random.default_rng(seed))))
        check_like(xs, cts, what, "cotangent", "the arguments")
        if dtype == np.float64:
            exact = cts
        elif exact is not None and dtype.char in ROUNDING:
            size = max((float(np.max(np.abs(y), initial=0.0)) for y in numbers(want)), default=0.0)
            room = 64 * float(np.finfo(dtype).eps) * max(size, 1.0)
            said = "the cotangents in float64"
            check_close(exact, cts, what, said, xs, room, ROUNDING[dtype.char])


def _as(x: Any, dtype: str) -> Any:
    """A leaf with as many digits as a dtype."""
    if not hasattr(x, "dtype"):
        return x
    return x.astype(_COMPLEX.get(dtype, dtype) if x.dtype.kind == "c" else dtype)


def _cotangents(value: Any, rng: np.random.Generator) -> Any:
    """Cotangents with numbers that are the same in all dtypes."""

    def one(y: Any) -> Any:
        v = rng.integers(-8, 9, np.shape(y)) / 8
        return like(np.asarray(v).astype(dtype_of(y)), y) if moves(y) else np.zeros_like(y)

    return tree.map(one, value)
