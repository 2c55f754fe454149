"""Strategies for hypothesis: arrays, trees of arrays, directions, axes, einsum subscripts.

Numbers come from a grid of about a thousand in the domain, so that they are the same in every
dtype, never too small to matter, and shrink to simple ones; shapes are small and shrink to none.
"""

from __future__ import annotations

import math
import string
from collections import namedtuple
from collections.abc import Sequence
from typing import Any

import numpy as np

from fgrad import tree
from fgrad.errors import ArgumentError

from .leaves import dtype_of, like, moves

try:
    from hypothesis import given as given
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp
    from hypothesis.strategies import tuples as tuples
except ImportError as error:  # pragma: no cover - the tests need hypothesis themselves
    raise ImportError(
        "fgrad.testing.strategies and fgrad.testing.laws want hypothesis.\n"
        f"  It got: {error}\n"
        "  To do: python -m pip install hypothesis"
    ) from error

Strategy = Any
Shape = tuple[int, ...]

#: How many numbers a domain has, about.
GRID = 1024
Pair = namedtuple("Pair", ["first", "second"])


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 1, max_side: int = 3) -> Strategy:
    """Shapes of small arrays; min_side=0 lets them be empty."""
    return hnp.array_shapes(
        min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side
    )


def _numbers(low: float, high: float, away_from: Sequence[float], gap: float) -> Strategy:
    """Numbers of the grid between two bounds that keep a distance from some points."""
    step = 2.0 ** math.floor(math.log2((high - low) / GRID))
    edges = [low, *(e for k in sorted(away_from) for e in (k - gap, k + gap)), high]
    parts = []
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        first, last = math.ceil(max(a, low) / step), math.floor(min(b, high) / step)
        if first <= last:
            parts.append((first, last))
    if not parts:
        raise ArgumentError(
            "arrays wants a domain with room beside the points to stay away from.",
            f"domain=({low}, {high}), away_from={tuple(away_from)}, gap={gap}",
            "make the domain larger, or the gap smaller",
        )
    # The parts that are nearest to zero come first: hypothesis shrinks to these.
    parts.sort(key=lambda p: (0 if p[0] <= 0 <= p[1] else min(map(abs, p)), p[1] < 0))
    return st.one_of([st.integers(*p) for p in parts]).map(step.__mul__)


@st.composite
def arrays(
    draw: Any,
    /,
    dtype: Any = np.float64,
    shape: Any = None,
    domain: tuple[float, float] = (-2.0, 2.0),
    away_from: Sequence[float] = (),
    gap: float | None = None,
    distinct: bool = False,
) -> Any:
    """Arrays of a dtype, with numbers in a domain, away from kinks.

    >>> from hypothesis import find
    >>> find(arrays(away_from=(0.0,)), lambda x: x.size > 1)
    array([0.0625, 0.0625])

    Args:
        draw: given by hypothesis.
        dtype: a dtype, or a strategy for one; of complex numbers both parts are in the domain.
        shape: a shape, or a strategy for one, such as `shapes` with other bounds.
        domain: the lowest and the highest number. For integers, both are drawn.
        away_from: points that no number comes near, where the function has kinks.
        gap: how near is near; a 64th of the domain if not given.
        distinct: no two numbers are equal, as functions that sort or compare them want.
    """
    dtype = np.dtype(draw(dtype) if isinstance(dtype, st.SearchStrategy) else dtype)
    shape = draw(shapes() if shape is None else shape) if not isinstance(shape, tuple) else shape
    low, high = domain
    size = math.prod(shape)
    if dtype.kind == "b":
        return np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)), dtype).reshape(
            shape
        )
    if dtype.kind in "iu":
        numbers = st.integers(math.ceil(low), math.floor(high))
    else:
        numbers = _numbers(low, high, away_from, (high - low) / 64 if gap is None else gap)
    many = st.lists(numbers, min_size=size, max_size=size, unique=distinct)
    x = np.array(draw(many), float if dtype.kind == "c" else dtype)
    if dtype.kind == "c":
        x = (x + 1j * np.array(draw(many))).astype(dtype)
    return x.reshape(shape)


@st.composite
def broadcastable(
    draw: Any, /, n: int = 2, max_dims: int = 3, max_side: int = 3, **options: Any
) -> Any:
    """Tuples of n arrays whose shapes broadcast with each other.

    Args:
        draw: given by hypothesis.
        n: how many.
        max_dims, max_side: the bounds of their shapes.
        **options: those of `arrays`, but ``shape``.
    """
    found = draw(
        hnp.mutually_broadcastable_shapes(
            num_shapes=n, max_dims=max_dims, min_side=1, max_side=max_side
        )
    )
    return tuple(draw(arrays(shape=s, **options)) for s in found.input_shapes)


def axes(ndim: int, none: bool = True, several: bool = True) -> Strategy:
    """What NumPy takes for ``axis`` of an array: an integer, None, or a tuple of distinct axes.

    Args:
        ndim: the rank of the array.
        none: whether None is drawn too.
        several: whether tuples are drawn too, of any length and order; () among them.
    """
    one = st.integers(-ndim, ndim - 1) if ndim else st.nothing()
    kinds: list[Strategy] = [st.none()] if none else []
    kinds.append(one)
    if several:
        signs = st.lists(st.booleans(), min_size=ndim, max_size=ndim)
        kinds.append(st.builds(_some, st.permutations(range(ndim)), signs, st.integers(0, ndim)))
    return st.one_of(kinds)


def _some(order: Sequence[int], negative: Sequence[bool], n: int) -> tuple[int, ...]:
    """The first n axes of an order, some counted from the end."""
    ndim = len(order)
    return tuple(a - ndim if s else a for a, s in zip(order, negative, strict=True))[:n]


@st.composite
def einsum_subscripts(
    draw: Any,
    /,
    max_operands: int = 3,
    max_letters: int = 4,
    max_side: int = 3,
    diagonal: bool = True,
) -> Any:
    """Pairs of subscripts for `np.einsum` and the shapes of its operands.

    >>> from hypothesis import find
    >>> find(einsum_subscripts(), lambda s: len(s[1]) == 2 and "->" in s[0])
    (',->', [(), ()])

    Args:
        draw: given by hypothesis.
        max_operands: how many operands, at most.
        max_letters: how many different letters, at most.
        max_side: the greatest length of an axis.
        diagonal: whether one operand may have a letter twice.
    """
    letters = string.ascii_lowercase[: draw(st.integers(1, max_letters))]
    sides = {c: draw(st.integers(1, max_side)) for c in letters}
    one = st.lists(st.sampled_from(letters), max_size=3, unique=not diagonal).map("".join)
    operands = draw(st.lists(one, min_size=1, max_size=max_operands))
    used = sorted(set("".join(operands)))
    text = ",".join(operands)
    if draw(st.booleans()):
        out = draw(st.lists(st.sampled_from(used), max_size=3, unique=True)) if used else []
        text = f"{text}->{''.join(out)}"
    return text, [tuple(sides[c] for c in term) for term in operands]


def trees(like: Any = None, leaves: Strategy | None = None, **options: Any) -> Strategy:
    """Trees of arrays: of the structure, shapes and dtypes of another, or any.

    >>> from hypothesis import find
    >>> find(trees(like={"w": np.ones(2), "n": 3}), lambda p: True)
    {'w': array([0., 0.]), 'n': 3}

    Args:
        like: a tree; its real and complex leaves are drawn anew, others stay. None for free trees
            of lists, tuples, dicts, named tuples and None.
        leaves: a strategy for the leaves of free trees; `arrays` if not given.
        **options: those of `arrays`, for the leaves.
    """
    if like is not None:
        found, structure = tree.flatten(like)
        return st.tuples(*(_as_leaf(x, options) for x in found)).map(structure.unflatten)
    leaf = arrays(**options) if leaves is None else leaves

    def nodes(children: Strategy) -> Strategy:
        some = st.lists(children, min_size=1, max_size=3)
        keys = st.sampled_from(["w", "b", "c", 0])
        return st.one_of(
            some,
            some.map(tuple),
            st.dictionaries(keys, children, min_size=1, max_size=3),
            st.builds(Pair, children, children | st.none()),
        )

    return st.recursive(leaf, nodes, max_leaves=5)


def _as_leaf(x: Any, options: Any) -> Strategy:
    """A strategy for a leaf that can stand in for another."""
    if not moves(x):
        return st.just(x)
    new = arrays(dtype=dtype_of(x), shape=np.shape(x), **options)
    return new.map(lambda v: like(v, x))


def tangents(like: Any) -> Strategy:
    """Directions at a tree: of its structure, shapes and dtypes, with None for integers.

    >>> from hypothesis import find
    >>> find(tangents(like=(1.0, 3)), lambda t: t[0] > 0.5)
    (0.501953125, None)
    """
    found, structure = tree.flatten(like)
    ones = [_as_leaf(x, {"domain": (-1.0, 1.0)}) if moves(x) else st.none() for x in found]
    return st.tuples(*ones).map(structure.unflatten)
