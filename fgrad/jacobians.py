"""Jacobians: one vmap over a basis of the arguments or of the results.

The Jacobian of a function from pytrees to pytrees is a tree of blocks: in the place of each array
of the result stands a tree like the argument, which has for each leaf a block of shape
``(*result.shape, *leaf.shape)``.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arguments import Selection, check_differentiable
from .arrays import Aval, aval, is_a, shape_of
from .axes import chunk_length
from .batch import BatchTracer, vmap
from .checks import pair
from .core import R, Refusing, Tracer, home, watcher
from .derivatives import pull_back, push_forward
from .errors import DtypeError, describe, name_of
from .kinds import alike
from .tracebacks import boundary

#: Function -> which way its derivatives take.
_WAYS = {"jacfwd": "forward", "jacrev": "reverse", "jacobian": "choose"}


class Point:
    """A function at one point, seen as a function of the leaves that are differentiated."""

    def __init__(
        self, name: str, selection: Selection, options: Any, args: Any, kwargs: Any
    ) -> None:
        self.name, self.selection, self.args, self.kwargs = name, selection, args, kwargs
        self.__wrapped__ = selection.f  # errors name the user's function
        self.has_aux, self.holomorphic, allow_int, self.chunk_size = options
        chosen = selection.take(args, kwargs)
        self.leaves, self.structure = tree.flatten(chosen)
        active = check_differentiable(self.leaves, chosen, name, allow_int, self.holomorphic)
        self.active = range(len(self.leaves)) if active is None else active
        self.xs = [self.leaves[i] for i in self.active]
        self.avals = [aval(x) for x in self.xs]
        self.value: Any = None
        self.aux: Any = None

    def __call__(self, *xs: Any) -> Any:
        """The result of the function, for other values of the leaves."""
        leaves = list(self.leaves)
        for i, x in zip(self.active, xs, strict=True):
            leaves[i] = x
        args, kwargs = self.selection.put(
            self.args, self.kwargs, tree.unflatten(self.structure, leaves)
        )
        out = self.selection.f(*args, **kwargs)
        return pair(out, self.name) if self.has_aux else (out, None)

    def blocks(self, found: Sequence[Any]) -> Any:
        """A tree like the argument of the blocks for its leaves; None where there are none."""
        all_blocks: list[Any] = [None] * len(self.leaves)
        for i, block in zip(self.active, found, strict=True):
            all_blocks[i] = block
        return tree.unflatten(self.structure, all_blocks)

    def check_real(self) -> None:
        """Refuse complex leaves, unless the function is holomorphic."""
        complex_leaf = next((x for x, a in zip(self.xs, self.avals, strict=True)
                             if a.dtype.kind == "c"), None)  # fmt: skip
        if complex_leaf is not None and not self.holomorphic:
            raise DtypeError(
                f"{self.name} wants real arguments: a complex one moves in two directions.",
                describe(complex_leaf),
                "set holomorphic=True for the derivative of a holomorphic function; use "
                "fgrad.jacrev for a real function of complex arguments",
            )

    # ------------------------------------------------------------------ forward
    def forward(self) -> Any:
        """Push all unit tangents forward at once; they come back along the last axis."""
        self.check_real()

        def push(*ts: Any) -> Any:
            self.value, tangent, self.aux = push_forward(self.name, self, self.xs, ts, has_aux=True)
            return tangent

        columns = self.along(self.avals, push, -1)
        if _total(self.avals):
            self.value, self.aux = tree.map(of_one, (self.value, self.aux))
        else:  # there is no direction with which the value could have come
            self.value, self.aux = self(*self.xs)

        def of_result(y: Any) -> Any:
            if self.holomorphic and y.dtype.kind != "c":
                raise _wants(self, "complex", y)
            return self.blocks(self.split(y))

        return tree.map(of_result, columns)

    # ------------------------------------------------------------------ reverse
    def reverse(self, only_if_smaller: bool = False) -> Any:
        """Pull all unit cotangents back at once; with ``only_if_smaller`` None if they are many."""
        self.value, pullback, self.aux = pull_back(self.name, self, self.xs, has_aux=True)
        outs, structure = tree.flatten(self.value)
        ys = [aval(y) for y in outs]
        if (
            only_if_smaller
            and (_total(ys) > _total(self.avals) or any(y.dtype.kind == "c" for y in ys))
            and (self.holomorphic or not any(a.dtype.kind == "c" for a in self.avals))
        ):
            return None
        for y in ys:
            if y.dtype.kind != ("c" if self.holomorphic else "f"):
                raise _wants(self, "complex" if self.holomorphic else "real", y)
        rows = self.along(ys, lambda *gs: pullback(tree.unflatten(structure, gs)), 0)
        return tree.unflatten(structure, [
            self.blocks([
                _finish(np.reshape(row[start:stop], (*y.shape, *a.shape)), a, x)
                for row, a, x in zip(rows, self.avals, self.xs, strict=True)
            ])
            for y, (start, stop) in zip(ys, _segments(ys), strict=True)
        ])  # fmt: skip

    def split(self, y: Any) -> list[Any]:
        """A block for each leaf, of what has all numbers of the leaves along its last axis."""
        return [
            _finish(np.reshape(y[..., start:stop], (*shape_of(y)[:-1], *a.shape)), a, x)
            for a, x, (start, stop) in zip(self.avals, self.xs, _segments(self.avals), strict=True)
        ]

    def along(self, avals: Sequence[Aval], linear: Callable[..., Any], axis: int) -> Any:
        """A linear map of all unit vectors, stacked along an axis, some of them at a time."""
        n = _total(avals)
        octets = sum(a.nbytes for a in (*self.avals, *avals))
        chunk = chunk_length(self.chunk_size, n, octets, self.name)
        parts = [
            vmap(linear, out_axes=axis, axis_size=min(chunk, n - i))(
                *_units(avals, i, min(i + chunk, n), home(*self.xs))
            )
            for i in range(0, max(n, 1), chunk)
        ]
        if len(parts) == 1:
            return parts[0]
        return tree.map(lambda *ys: np.concatenate(ys, axis), *parts)


def of_one(x: Any) -> Any:
    """The value with the first direction, of one that depends on it (the vectors of `eigh`)."""
    if isinstance(x, BatchTracer) and isinstance(x.owner, Refusing):
        return x.value[0].copy()
    return x


def _wants(point: Point, kind: str, y: Any) -> DtypeError:
    to_do = (
        "set holomorphic=False"
        if kind == "complex"
        else "return floating-point numbers; for complex results of real arguments use "
        "fgrad.jacfwd, for a holomorphic function set holomorphic=True"
    )
    return DtypeError(
        f"{point.name} wants a function that returns {kind} arrays; "
        f"{name_of(point.selection.f)} does not.",
        describe(y),
        to_do,
    )


def _total(avals: Sequence[Aval]) -> int:
    return sum(math.prod(a.shape) for a in avals)


def _segments(avals: Sequence[Aval]) -> list[tuple[int, int]]:
    """Where each array begins and ends in the vector of them all."""
    ends = list(itertools.accumulate((math.prod(a.shape) for a in avals), initial=0))
    return list(itertools.pairwise(ends))


def _units(avals: Sequence[Aval], first: int, last: int, host: Any) -> list[Any]:
    """Some unit vectors of a list of arrays, stacked along a new first axis."""
    out = []
    for a, (start, stop) in zip(avals, _segments(avals), strict=True):
        unit = host.eye(last - first, stop - start, first - start, a.dtype)
        out.append(unit.reshape((last - first, *a.shape)))
    return out


def _finish(block: Any, a: Aval, x: Any) -> Any:
    """A block in the dtype of its leaf (complex if the result is); a float for two floats."""
    dtype = a.dtype
    if getattr(block, "dtype", dtype).kind == "c" and dtype.kind != "c":
        dtype = np.result_type(dtype, np.complex64)
    if block.dtype != dtype:
        block = block.astype(dtype)
    if isinstance(x, Tracer) or isinstance(block, Tracer):
        return alike(x, block) if block.shape == () and dtype == a.dtype else block
    if is_a(block, np.ndarray):
        if block.shape == () and not is_a(x, np.ndarray):
            return type(x)(block) if is_a(x, (float, complex)) else block[()]
        return block if block.base is None else block.copy()
    return block


def transformation(
    name: str, f: Callable[..., Any], argnums: Any, argnames: Any, *options: Any, like: str = ""
) -> Any:
    """A function that returns the Jacobian of ``f``, with its value where the name says so.

    Args:
        name: the function that users know.
        f, argnums, argnames, options: see `jacfwd`.
        like: the function of this module that it does the work of; itself by default.
    """
    selection = Selection(f, argnums, argnames, name)
    like = like or name
    with_value = like.startswith("value_and_")
    way = _WAYS[like.removeprefix("value_and_")]

    @boundary
    @functools.wraps(f)
    def jacobian_f(*args: Any, **kwargs: Any) -> Any:
        if (watch := watcher()) and (out := watch(jacobian_f, args, kwargs)) is not NotImplemented:
            return out
        point = Point(name, selection, options, args, kwargs)
        found = None
        if way != "forward":
            found = point.reverse(only_if_smaller=way == "choose")
        if found is None:
            found = point.forward()
        if with_value:
            return ((point.value, point.aux) if point.has_aux else point.value), found
        return (found, point.aux) if point.has_aux else found

    return jacobian_f


@boundary
def jacfwd(
    f: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    chunk_size: int | str | None = None,
) -> Callable[..., Any]:
    """Make a function that returns the Jacobian of ``f``, column by column (forward mode).

    The right choice if the results are more numbers than the arguments.

    >>> import numpy as np
    >>> jacfwd(lambda x: np.array([1.0, 2.0, 3.0]) * x[0] + x[1])(np.array([4.0, 5.0]))
    array([[1., 1.],
           [2., 1.],
           [3., 1.]])

    Args:
        f: a function of real arrays in pytrees that returns a pytree of arrays.
        argnums: the positions of the arguments to differentiate in; the first by default.
        argnames: the names of further arguments to differentiate in.
        has_aux: ``f`` returns ``(result, aux)``; aux isn't differentiated.
        holomorphic: ``f`` is a holomorphic function of complex arguments.
        allow_int: let arguments have leaves that are no real or complex arrays; their blocks are
            None.
        chunk_size: how many columns to compute at once, which bounds the memory; "auto" takes as
            many as fit into 16 MiB. All by default.

    Returns:
        A function of the same arguments that returns the result's tree with a tree like the
        argument in the place of each array: blocks of shape ``(*result.shape, *leaf.shape)``, in
        the dtype of the leaf. With ``has_aux`` the pair of it and aux. JAX gives the blocks the
        dtype of the result.

    Raises:
        DtypeError: a leaf can't be differentiated in, or is complex without ``holomorphic``.
    """
    options = (has_aux, holomorphic, allow_int, chunk_size)
    return transformation("jacfwd", f, argnums, argnames, *options)


@boundary
def jacrev(
    f: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    chunk_size: int | str | None = None,
) -> Callable[..., Any]:
    """Make a function that returns the Jacobian of ``f``, row by row (reverse mode).

    The right choice if the arguments are more numbers than the results.

    >>> import numpy as np
    >>> jacrev(lambda w, x: {"y": w @ x}, argnums=1)(np.ones((2, 3)), np.arange(3.0))
    {'y': array([[1., 1., 1.],
           [1., 1., 1.]])}

    Args, Returns: see `jacfwd`. Arguments may be complex where results are real: as in `grad`,
        the derivative is then df/dx - i df/dy.

    Raises:
        DtypeError: a leaf can't be differentiated in, or a result isn't real (with
            ``holomorphic``, complex).
    """
    options = (has_aux, holomorphic, allow_int, chunk_size)
    return transformation("jacrev", f, argnums, argnames, *options)


@boundary
def jacobian(
    f: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    chunk_size: int | str | None = None,
) -> Callable[..., Any]:
    """Make a function that returns the Jacobian of ``f`` by `jacrev` or `jacfwd`.

    It takes reverse mode unless the results are more numbers than the arguments, which it finds
    out by running ``f``. JAX's is another name for its jacrev.

    >>> import numpy as np
    >>> jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])

    Args, Returns, Raises: see `jacfwd`.
    """
    options = (has_aux, holomorphic, allow_int, chunk_size)
    return transformation("jacobian", f, argnums, argnames, *options)


@boundary
def value_and_jacfwd(
    f: Callable[..., R],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    chunk_size: int | str | None = None,
) -> Callable[..., tuple[R, Any]]:
    """Make a function that returns the value of ``f`` and its Jacobian by `jacfwd`.

    >>> import numpy as np
    >>> value_and_jacfwd(lambda x: x**2)(np.array([1.0, 2.0]))
    (array([1., 4.]), array([[2., 0.],
           [0., 4.]]))

    Args, Raises: see `jacfwd`.

    Returns:
        A function of the same arguments that returns ``(value, Jacobian)``, with ``has_aux``
        ``((value, aux), Jacobian)``, as `value_and_grad`. ``f`` runs once (for each chunk).
    """
    options = (has_aux, holomorphic, allow_int, chunk_size)
    return transformation("value_and_jacfwd", f, argnums, argnames, *options)


@boundary
def value_and_jacrev(
    f: Callable[..., R],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Sequence[str] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    chunk_size: int | str | None = None,
) -> Callable[..., tuple[R, Any]]:
    """Make a function that returns the value of ``f`` and its Jacobian by `jacrev`.

    >>> import numpy as np
    >>> value_and_jacrev(lambda x: x[:1] * x[1])(np.array([3.0, 2.0]))
    (array([6.]), array([[2., 3.]]))

    Args, Raises: see `jacrev`.

    Returns:
        A function of the same arguments that returns ``(value, Jacobian)``, with ``has_aux``
        ``((value, aux), Jacobian)``, as `value_and_grad`. ``f`` runs once.
    """
    options = (has_aux, holomorphic, allow_int, chunk_size)
    return transformation("value_and_jacrev", f, argnums, argnames, *options)
