"""Operations that are called for their effect: they answer nothing, and happen once.

The operands are the traced values among what the user passes; the rest goes along as it is. Under
`vmap` one operation stands for those of all elements, so a graph has one equation for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import tree
from .arrays import PYTHON_SCALARS, is_a, is_array
from .core import EFFECTS, Params, Primitive, Tracer, bind

#: The length of a mapped axis, and which operands have it in front.
Axis = tuple[int, tuple[bool, ...]]


@dataclass(frozen=True, eq=False)
class Action:
    """What an operation does: ``do(axes, operands)``, with the mapped axes, the innermost first."""

    do: Callable[[Sequence[Axis], Sequence[Any]], None]
    name: str
    axes: tuple[Axis, ...] = ()

    def __repr__(self) -> str:
        return self.name


def elements(
    axes: Sequence[Axis], xs: Sequence[Any], place: tuple[int, ...] = ()
) -> Iterator[tuple[tuple[int, ...], list[Any]]]:
    """The operands of each element, with its place in the batch, in order.

    >>> [place for place, _ in elements([(3, (True,)), (2, (True,))], [np.zeros((2, 3))])]
    [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    """
    if not axes:
        yield place, list(xs)
        return
    size, batched = axes[-1]
    for i in range(size):
        mine = [x[i] if b else x for x, b in zip(xs, batched, strict=True)]
        yield from elements(axes[:-1], mine, (*place, i))


def perform(p: Primitive, do: Callable[..., None], name: str, x: Any) -> None:
    """Have ``do(axes, tree)`` done with the values of a tree: now, or when a graph is run.

    ``do`` gets the mapped axes and a function; that takes operands to the tree that holds them.
    """
    leaves, structure = tree.flatten(x)
    traced = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tracer)]
    fixed = [own(leaf) for leaf in leaves]

    def whole(xs: Sequence[Any]) -> Any:
        new = list(fixed)
        for i, value in zip(traced, xs, strict=True):
            new[i] = own(value)
        return tree.unflatten(structure, new)

    action = Action(lambda axes, xs: do(axes, xs, whole), name)
    bind(p, [leaves[i] for i in traced], {"action": action})


def own(x: Any) -> Any:
    """A copy of an array, which the receiver may keep or change."""
    return x.copy() if is_array(x) and not is_a(x, (np.generic, *PYTHON_SCALARS)) else x


def declare(name: str) -> Primitive:
    """An operation whose params hold the `Action`."""
    return Primitive(name, _impl, None, None, _batch, several=True, effect=True)


def _impl(*xs: Any, action: Action) -> tuple[()]:
    if EFFECTS.get() == "now":
        action.do(action.axes, xs)
    return ()


def _batch(
    p: Primitive, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    action = params["action"]
    more = replace(action, axes=(*action.axes, (size, tuple(batched))))
    return bind(p, xs, {"action": more})
