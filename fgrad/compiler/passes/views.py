"""Views: transposes, reshapes, broadcasts and indices that do nothing, or that one view can do."""

from __future__ import annotations

from math import prod
from typing import Any

from ..program import SHORT, Builder, Node, Rule, Shape


def same_view(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``x.reshape(x.shape)``, ``np.broadcast_to(x, x.shape)``."""
    return ins[0] if ins[0].shape == shape else None


def same_axes(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``x.transpose(0, 1)``."""
    return ins[0] if meta == tuple(range(len(meta))) else None


def transposed_twice(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``x.T.T``."""
    (x,) = ins
    if x.kind == "transpose":
        return b.transpose(x.ins[0], [x.meta[i] for i in meta])
    return None


def reshaped_twice(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``x.reshape(2, 3).reshape(6)``."""
    (x,) = ins
    return b.reshape(x.ins[0], shape) if x.kind == "reshape" else None


def reshaped_number(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """A broadcast number of another shape is the number, broadcast to that shape."""
    (x,) = ins
    if x.kind == "broadcast" and x.ins[0].ndim == 0:
        return b.broadcast(x.ins[0], shape)
    return None


def vector_of_ones(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """A transpose that moves axes of length one only is a reshape, which can be taken away."""
    (x,) = ins
    if [n for n in x.shape if n != 1] == [n for n in shape if n != 1] and x.fortran is False:
        kept = [i for i in meta if x.shape[i] != 1]
        return b.reshape(x, shape) if kept == sorted(kept) else None
    return None


def broadcast_twice(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``np.broadcast_to(np.broadcast_to(x, s), t)``; new axes in front need no reshape."""
    (x,) = ins
    if x.kind == "broadcast":
        return b.broadcast(x.ins[0], shape)
    if x.kind == "reshape" and x.shape[-x.ins[0].ndim :] == x.ins[0].shape and x.ins[0].ndim:
        return b.broadcast(x.ins[0], shape)
    if x.kind == "reshape" and x.size == 1 and x.ins[0].ndim == 0:
        return b.broadcast(x.ins[0], shape)
    return None


def whole(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``x[:]``, ``x[...]``; an index that adds axes of length one is a reshape."""
    (x,) = ins
    if all(s is None or s is Ellipsis or s == slice(None) for s in meta.spec):
        return b.reshape(x, shape)
    return None


def element_of_one(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``x[:, 0]`` of a column."""
    (x,) = ins
    if x.size == 1 and not shape and x.kind == "broadcast" and x.ins[0].ndim == 0:
        return x.ins[0]
    if x.size and prod(shape) == x.size and not _reverses(meta.spec):
        return b.reshape(x, shape) if shape else None
    return None


def across(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``f(x.T, y)`` is ``f(x, y.T).T``, where that makes long rows of short ones."""
    if len(shape) != 2 or shape[1] > SHORT or shape[0] < 8 * shape[1] or meta.signature:
        return None
    if any(x.shape not in ((), shape) for x in ins):
        return None
    if not any(x.kind == "transpose" and x.ins[0].fortran is False for x in ins):
        return None
    turned = [b.transpose(x, (1, 0)) if x.shape else x for x in ins]
    return b.transpose(b.make("ufunc", turned, meta, shape[::-1], dtype), (1, 0))


def _reverses(spec: tuple[Any, ...]) -> bool:
    return any(isinstance(s, slice) and (s.step or 1) < 0 for s in spec)


RULES: dict[str, list[Rule]] = {
    "reshape": [same_view, reshaped_twice, reshaped_number],
    "broadcast": [same_view, broadcast_twice],
    "transpose": [same_axes, transposed_twice, reshaped_number, vector_of_ones],
    "index": [whole, element_of_one],
    "ufunc": [across],
}
