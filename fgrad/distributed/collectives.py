"""Operations that all ranks do together, on trees of arrays: sums, copies, each other's values."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import tree
from ..arrays import NUMBERS, is_a, ndim_of, shape_of
from ..core import Primitive, bind, is_traceable
from ..errors import ArgumentError, DtypeError, ShapeError, describe
from ..tracebacks import boundary
from .communicator import Communicator
from .primitives import BARRIER, BROADCAST, GATHER, PMAX, PMIN, PPERMUTE, PSUM, SCATTER, Meeting

PyTree = Any


def checked(x: PyTree, comm: Any, name: str, refused: str = "") -> tuple[list[Any], Any]:
    """The leaves of a tree as arrays, and its structure."""
    if not isinstance(comm, Communicator):
        raise ArgumentError(
            f"fgrad.distributed.{name} wants a communicator.",
            describe(comm),
            "pass fgrad.distributed.world(); for a mapped axis call fgrad's function of that name",
        )
    leaves, structure = tree.flatten(x)
    out = []
    for i, leaf in enumerate(leaves):
        y = leaf if hasattr(leaf, "dtype") or not is_traceable(leaf) else np.asarray(leaf)
        if not is_traceable(y) or y.dtype.kind not in NUMBERS or y.dtype.kind in refused:
            raise DtypeError(
                f"{name} wants pytrees of arrays of {'real ' * ('c' in refused)}numbers.",
                describe(leaf) + _at(structure, i),
                "leave out what is none",
            )
        out.append(y)
    return out, structure


def _together(
    p: Primitive, x: PyTree, comm: Any, *, refused: str = "", root: int = 0,
    perm: tuple[tuple[int, int], ...] = (), each: Callable[[Any, Any], Any] | None = None,
) -> PyTree:  # fmt: skip
    """Apply an operation to all leaves at once; ``each(leaf, at)`` prepares one."""
    leaves, structure = checked(x, comm, p.name, refused)
    if each is not None:
        leaves = [each(y, lambda i=i: _at(structure, i)) for i, y in enumerate(leaves)]
    if not leaves:
        return x
    meeting = Meeting(comm, structure, tuple(range(len(leaves))), root, perm)
    return tree.unflatten(structure, bind(p, leaves, {"meeting": meeting}))


# ------------------------------------------------------------------ reductions
@boundary
def psum(x: PyTree, comm: Communicator) -> PyTree:
    """The sum over the ranks, on all of them.

    >>> from fgrad.distributed import world
    >>> comm = world()  # run by itself, one rank
    >>> psum({"w": np.ones(2), "n": 3}, comm)
    {'w': array([1., 1.]), 'n': np.int64(3)}

    All leaves are moved together, small ones of a dtype in one message. Under `vmap` each element
    has its sum; derivatives are those of the sum of what all ranks compute, as in `jax.pmap`: the
    adjoint of psum is psum.

    Args:
        x: a pytree of arrays, of the same structure, shapes and dtypes on all ranks. Booleans are
            counted, as integers; float16 is added up in float32.
        comm: the ranks; see `world`.

    Returns:
        A tree of new arrays, the same on all ranks to the last bit.

    Raises:
        CommunicationError: ranks disagree on the operation, or on a shape or dtype; all of them
            raise it. Or others didn't come in time.
        DtypeError: a leaf is no array of numbers.
    """
    return _together(PSUM, x, comm, each=_counted)


def _counted(y: Any, at: Any) -> Any:
    """Booleans as integers, which can be added up."""
    return y.astype(np.intp) if y.dtype.kind == "b" else y


@boundary
def pmean(x: PyTree, comm: Communicator) -> PyTree:
    """The mean over the ranks, on all of them; see `psum`.

    >>> from fgrad.distributed import world
    >>> pmean(np.arange(3.0), world())
    array([0., 1., 2.])
    """
    total = psum(x, comm)
    return tree.map(lambda y: y / comm.size, total)


@boundary
def pmax(x: PyTree, comm: Communicator) -> PyTree:
    """The maximum over the ranks, on all of them; NaN where one has NaN. See `psum`.

    >>> from fgrad.distributed import world
    >>> pmax(np.arange(3.0), world())
    array([0., 1., 2.])

    Ranks that tie share its derivative. Complex numbers have no order and are refused.
    """
    return _together(PMAX, x, comm, refused="c")


@boundary
def pmin(x: PyTree, comm: Communicator) -> PyTree:
    """The minimum over the ranks, on all of them; see `pmax`."""
    return _together(PMIN, x, comm, refused="c")


# ------------------------------------------------------------------ values of others
@boundary
def all_gather(x: PyTree, comm: Communicator, *, axis: int = 0, tiled: bool = False) -> PyTree:
    """The values of all ranks, on all of them.

    >>> from fgrad.distributed import world
    >>> all_gather(np.arange(3.0), world())
    array([[0., 1., 2.]])
    >>> all_gather(np.arange(3.0), world(), tiled=True)
    array([0., 1., 2.])

    Args:
        x, comm: see `psum`.
        axis: where the axis of the ranks is put.
        tiled: put the values one after the other along ``axis``, instead of along a new one.

    The adjoint is `reduce_scatter`.
    """

    def placed(y: Any) -> Any:
        if not tiled:
            return y if axis == 0 else np.moveaxis(y, 0, axis)
        k = axis % (ndim_of(y) - 1)
        y = np.moveaxis(y, 0, k)
        shape = shape_of(y)
        return np.reshape(y, (*shape[:k], shape[k] * shape[k + 1], *shape[k + 2 :]))

    def fits(y: Any, at: Any) -> Any:
        least = ndim_of(y) + (not tiled)
        if not -least <= axis < least:
            raise ShapeError(
                f"all_gather wants an axis within the rank of the result, {least}.",
                f"axis={axis} for {describe(y)}{at()}",
                "choose one of its axes" + ", or tiled=False" * tiled,
            )
        return y

    return tree.map(placed, _together(GATHER, x, comm, each=fits))


@boundary
def reduce_scatter(x: PyTree, comm: Communicator, *, axis: int = 0, tiled: bool = False) -> PyTree:
    """The sum over the ranks, of which each rank gets a part. In JAX it is `psum_scatter`.

    >>> from fgrad.distributed import world
    >>> reduce_scatter(np.ones((1, 3)), world())
    array([1., 1., 1.])

    Args:
        x, comm: see `psum`.
        axis: the axis that is divided. Its length is the number of ranks, and it is left out of
            the result; or with ``tiled`` a multiple of that, of which each rank gets an equal part.
        tiled: see ``axis``.

    Raises:
        ShapeError: an axis has another length.

    The adjoint is `all_gather`.
    """
    size = getattr(comm, "size", 1)

    def divided(y: Any, at: Any) -> Any:
        shape = shape_of(y)
        fits = -len(shape) <= axis < len(shape) and (
            shape[axis] % size == 0 if tiled else shape[axis] == size
        )
        if not fits:
            raise ShapeError(
                f"reduce_scatter wants an axis {axis} of length "
                + (f"a multiple of {size}." if tiled else f"{size}, the number of ranks."),
                f"{describe(y)}{at()}",
                "pad it" if tiled else "reshape it, or pass tiled=True for a multiple",
            )
        y, k = _counted(y, at), axis % len(shape)
        if tiled:
            y = np.reshape(y, (*shape[:k], size, shape[k] // size, *shape[k + 1 :]))
        return y if k == 0 else np.moveaxis(y, k, 0)

    return _together(SCATTER, x, comm, each=divided)


@boundary
def broadcast(x: PyTree, comm: Communicator, root: int = 0) -> PyTree:
    """The values of one rank, on all of them.

    >>> from fgrad.distributed import world
    >>> broadcast({"w": np.arange(2.0)}, world())
    {'w': array([0., 1.])}

    Args:
        x: a pytree of arrays, of the same structure, shapes and dtypes on all ranks; the values
            of those but one don't count.
        comm: see `psum`.
        root: the rank whose values they are.

    The adjoint adds up the cotangents of all ranks on the root; the others' are zero.
    """
    return _together(BROADCAST, x, comm, root=rank_of(root, comm, "broadcast", "root"))


@boundary
def ppermute(x: PyTree, comm: Communicator, perm: Iterable[tuple[int, int]]) -> PyTree:
    """Send values from ranks to ranks.

    >>> from fgrad.distributed import world
    >>> comm = world()
    >>> ring = [(i, (i + 1) % comm.size) for i in range(comm.size)]
    >>> ppermute(np.arange(3.0), comm, ring)
    array([0., 1., 2.])

    Args:
        x, comm: see `psum`.
        perm: pairs (source, destination), the same on all ranks; no rank is a source or a
            destination twice.

    Returns:
        What has come, of the shapes of ``x``; zeros on ranks that are nobody's destination.

    Raises:
        ArgumentError: a pair is not one of ranks, or a rank comes twice.

    The adjoint sends cotangents the other way.
    """
    pairs = tuple(
        (rank_of(a, comm, "ppermute", "source"), rank_of(b, comm, "ppermute", "destination"))
        for a, b in perm
    )
    for side, name in ((0, "source"), (1, "destination")):
        ranks = [pair[side] for pair in pairs]
        if len(set(ranks)) < len(ranks):
            raise ArgumentError(
                f"ppermute wants each rank at most once as a {name}.",
                f"perm={list(pairs)}",
                "leave one of its pairs away, or call ppermute once for each",
            )
    return _together(PPERMUTE, x, comm, perm=pairs)


@boundary
def barrier(x: PyTree, comm: Communicator) -> PyTree:
    """``x``, when all ranks have come this far: what is computed of the result comes after it.

    >>> from fgrad.distributed import world
    >>> barrier(np.ones(2), world())
    array([1., 1.])

    For code that isn't traced, ``comm.barrier()`` does as well.
    """
    return _together(BARRIER, x, comm)


def _at(structure: Any, i: int) -> str:
    """Where a leaf is, for messages."""
    text = tree.path_str(structure.accessors()[i])
    return f" at {text}" if text else ""


def rank_of(value: Any, comm: Any, name: str, what: str) -> int:
    """A rank, checked."""
    size = getattr(comm, "size", 1)
    try:
        rank = operator.index(value)
    except TypeError:
        rank = -1
    if not 0 <= rank < size or is_a(value, bool):
        raise ArgumentError(
            f"{name} wants a rank from 0 to {size - 1} as {what}.",
            describe(value),
            "pass the number of one of comm.size ranks",
        )
    return rank
