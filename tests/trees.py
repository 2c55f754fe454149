"""Trees of all kinds for the tests of fgrad.tree, and how to compare them."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fgrad import tree


class Point(NamedTuple):
    x: Any
    y: Any


@tree.dataclass
class Dense:
    w: Any
    b: Any
    activation: Any = tree.field(static=True, default="tanh")


class Pair:
    """A class with `register`; equality is by content, for the laws."""

    def __init__(self, a: Any, b: Any, name: Any = "pair") -> None:
        self.a, self.b, self.name = a, b, name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pair) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


tree.register(Pair, lambda p: ((p.a, p.b), p.name), lambda name, ab: Pair(*ab, name))

KEYS = st.text("abcxyz", min_size=1, max_size=2) | st.integers(0, 3)


def nodes(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(children, max_size=3)
    items = st.dictionaries(KEYS, children, max_size=3)
    return st.one_of(
        some,
        some.map(tuple),
        items,
        items.map(OrderedDict),
        items.map(lambda d: defaultdict(list, d)),
        items.map(tree.FrozenDict),
        some.map(lambda s: deque(s, maxlen=5)),
        st.builds(Point, children, children),
        st.builds(Dense, children, children, st.sampled_from(["tanh", ("relu", 1)])),
        st.builds(Pair, children, children),
    )


def trees(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(leaves | st.none(), nodes, max_leaves=8)


NUMBERS = st.integers(-9, 9)
DTYPES = st.sampled_from([np.int32, np.float32, np.float64, np.complex64, np.bool_])
ARRAYS = DTYPES.flatmap(
    lambda dtype: hnp.arrays(
        dtype, hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3), elements=ELEMENTS
    )
)
ELEMENTS = st.integers(0, 1)
LEAVES = ARRAYS | NUMBERS | st.sampled_from([0.5, True, 2j, np.float32(0.25), np.int8(3)])


def shape_of(node: Any) -> Any:
    """All types and keys of a tree in order, found without optree."""
    kind = type(node)
    if isinstance(node, Mapping):
        extra = getattr(node, "default_factory", None)
        return kind, extra, [(key, shape_of(value)) for key, value in node.items()]
    if isinstance(node, list | tuple | deque):
        return kind, getattr(node, "maxlen", None), [shape_of(value) for value in node]
    if isinstance(node, Dense | Pair):
        return kind, [(key, shape_of(value)) for key, value in vars(node).items()]
    return kind


def same_leaves(a: Any, b: Any) -> None:
    pairs = list(zip(tree.leaves(a), tree.leaves(b), strict=True))
    for x, y in pairs:
        assert type(x) is type(y)
        assert getattr(x, "dtype", None) == getattr(y, "dtype", None)
        np.testing.assert_array_equal(x, y, strict=True)
