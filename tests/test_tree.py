"""Laws of fgrad.tree on drawn trees: flatten, map, structures and paths."""

from __future__ import annotations

import operator
import re
import threading
from collections import OrderedDict, defaultdict, deque
from typing import Any

import numpy as np
import optree
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgrad import tree
from fgrad.errors import ArgumentError, TreeError
from tests.trees import (
    KEYS,
    NUMBERS,
    Dense,
    Pair,
    Point,
    shape_of,
    trees,
)


class Test_flatten:
    @given(trees(NUMBERS))
    def test_unflatten_is_its_inverse(self, t: Any) -> None:
        leaves, structure = tree.flatten(t)
        back = tree.unflatten(structure, iter(leaves))
        assert back == t
        assert shape_of(back) == shape_of(t)
        assert tree.flatten(back) == (leaves, structure)
        assert hash(tree.structure(back)) == hash(structure)

    @given(trees(NUMBERS))
    def test_parts_agree(self, t: Any) -> None:
        leaves, structure = tree.flatten(t)
        assert tree.leaves(t) == leaves
        assert tree.structure(t) == structure
        assert structure.num_leaves == len(leaves)
        assert not any(x is None for x in leaves)

    @given(st.dictionaries(KEYS, NUMBERS), st.sampled_from([dict, OrderedDict, tree.FrozenDict]))
    def test_order_of_keys_is_kept(self, items: dict[Any, int], kind: Any) -> None:
        assert tree.leaves(kind(items)) == list(items.values())
        assert list(tree.map(lambda x: x, kind(items))) == list(items)

    def test_zam(self) -> None:
        items = {"z": 1, "a": 2, "m": 3}
        for d in (items, OrderedDict(items), defaultdict(int, items), tree.FrozenDict(items)):
            assert tree.leaves(d) == [1, 2, 3]
            assert list(tree.map(abs, d)) == ["z", "a", "m"]

    def test_other_namespaces_of_optree_still_sort(self) -> None:
        assert optree.tree_leaves({"z": 1, "a": 2}) == [2, 1]
        assert optree.tree_leaves({"z": 1, "a": 2}, namespace="elsewhere") == [2, 1]

    def test_order_holds_in_threads(self) -> None:
        start, seen = threading.Barrier(8), []

        def work() -> None:
            start.wait()
            for _ in range(200):
                leaves, structure = tree.flatten({"z": 1, "a": {"q": 2, "b": 3}})
                seen.append((*leaves, *tree.unflatten(structure, leaves)))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(seen) == 1600
        assert {(1, 2, 3, "z", "a")} == set(seen)

    def test_is_leaf_by_position_and_by_name(self) -> None:
        def is_pair(x: Any) -> bool:
            return isinstance(x, tuple)

        assert tree.flatten([(1, 2), 3], is_pair)[0] == [(1, 2), 3]
        assert tree.leaves([(1, 2), 3], is_leaf=is_pair) == [(1, 2), 3]
        assert tree.map(lambda x: x[::-1] if is_pair(x) else x, [(1, 2), 3], is_leaf=is_pair) == [
            (2, 1),
            3,
        ]

    @pytest.mark.parametrize(("leaves", "came"), [([1], "1 leaves"), ([1, 2, 3], "3 leaves")])
    def test_wrong_number_of_leaves(self, leaves: list[int], came: str) -> None:
        with pytest.raises(TreeError, match=rf"each of the 2 places(.|\n)*It got: {came}"):
            tree.unflatten(tree.structure((0, 0)), leaves)
        with pytest.raises(TreeError, match=r"Too (few|many) leaves"):
            tree.unflatten(tree.structure((0, 0)), iter(leaves))

    def test_errors_of_a_users_unflatten_pass(self) -> None:
        class Picky:
            pass

        def refuse(rest: Any, children: Any) -> Any:
            raise ValueError("mine")

        tree.register(Picky, lambda p: ((1,), None), refuse)
        with pytest.raises(ValueError, match=r"^mine$"):
            tree.map(abs, Picky())


class Test_map:
    @given(trees(NUMBERS))
    def test_identity(self, t: Any) -> None:
        assert tree.map(lambda x: x, t) == t
        assert shape_of(tree.map(lambda x: x, t)) == shape_of(t)

    @given(trees(NUMBERS))
    def test_composes_and_agrees_with_leaves(self, t: Any) -> None:
        twice = tree.map(operator.add, t, t)
        assert [2 * x for x in tree.leaves(t)] == tree.leaves(twice)
        assert tree.map(lambda x: -2 * x, t) == tree.map(operator.neg, twice)

    @given(trees(NUMBERS))
    def test_with_path_sees_the_same_leaves(self, t: Any) -> None:
        pairs = tree.leaves_with_path(t)
        assert tree.leaves(t) == [x for _, x in pairs]
        paths = tree.map_with_path(lambda path, x, y: (tree.path_str(path), x - y), t, t)
        assert [(tree.path_str(p), 0) for p, _ in pairs] == tree.leaves(
            paths, lambda x: type(x) is tuple and len(x) == 2 and isinstance(x[0], str)
        )
        assert len({path for path, _ in pairs}) == len(pairs)

    def test_dicts_are_matched_by_key(self) -> None:
        assert tree.map(lambda *xs: xs, {"a": 1, "b": 2}, OrderedDict(b=2, a=1)) == {
            "a": (1, 1),
            "b": (2, 2),
        }

    def test_a_leaf_stands_for_a_subtree(self) -> None:
        assert tree.map(lambda *xs: xs, [1, 4], [[2, 3], None]) == [(1, [2, 3]), (4, None)]

    @pytest.mark.parametrize("call", [tree.map, tree.map_with_path])
    def test_errors_of_f_pass_unchanged(self, call: Any) -> None:
        mine = ValueError("mine")

        def fail(*xs: Any) -> None:
            raise mine

        for args in ([[1, 2]], [[1, 2], [3, 4]]):
            with pytest.raises(ValueError, match="mine") as caught:
                call(fail, *args)
            assert caught.value is mine

    def test_stop_iteration_of_f_is_not_lost(self) -> None:
        with pytest.raises(StopIteration):
            tree.map(lambda x: next(iter(())), [1, 2])

    @pytest.mark.parametrize("again", [True, False])
    def test_errors_of_a_users_flatten_pass(self, again: bool) -> None:
        """Also when the search for a difference, which flattens once more, finds none."""
        fails = iter([False, True, again])

        class Broken:
            pass

        def flatten(obj: Any) -> Any:
            if next(fails):
                raise ValueError("mine")
            return (), None

        tree.register(Broken, flatten, lambda rest, children: Broken())
        with pytest.raises(ValueError, match=r"^mine$") as caught:
            tree.map(operator.add, [Broken()], [Broken()])
        assert type(caught.value) is ValueError

    def test_reduce_and_all(self) -> None:
        t = {"z": "z", "a": ["a", None, ("m",)]}
        assert tree.reduce(operator.add, t) == "zam"
        assert tree.reduce(operator.add, t, "_") == "_zam"
        assert tree.reduce(operator.add, {}, initializer=7) == 7
        assert tree.all({"a": [True, None]})
        assert tree.all(())
        assert not tree.all({"a": [True, 0]})
        with pytest.raises(ArgumentError, match="wants a tree with leaves, or an initializer"):
            tree.reduce(operator.add, [None])


DIFFERENT = {
    "arity": (
        [0, [1, 2]],
        [0, [1, 2, 3]],
        "at [1]: a list of 3 items, where a list of 2 items was",
    ),
    "one": ([1, 2], [1], "at the root: a list of 1 item, where a list of 2 items was wanted"),
    "kind": ({"a": [1]}, {"a": (1,)}, "at ['a']: a tuple of 1 item, where a list of 1 item was"),
    "missing": ({"a": 1, "b": 2}, {"a": 1}, "at ['b']: key missing"),
    "extra": ([{"a": 1}], [{"a": 1, "c": 2}], "at [0]: the key 'c', which is not in the other"),
    "leaf": ([[1]], [1.5], "at [0]: 1.5 (a float), where a list of 1 item was wanted"),
    "array": (
        Point(0, Dense(1, {"k": 2})),
        Point(0, Dense(1, np.ones((2, 3)))),
        "at .y.b: a float64 array of shape (2, 3), where a dict of 1 key was wanted",
    ),
    "none": ({"a": None}, {"a": 1}, "at ['a']: 1 (an int), where None was wanted"),
    "type": ((Dense(1, 2),), (Point(1, 2),), "at [0]: a Point, where a Dense was wanted"),
    "static": (
        [Dense(1, 2)],
        [Dense(1, 2, "relu")],
        "at [0]: a Dense with the static data ('relu',), where the static data ('tanh',) was",
    ),
    "first": ([[1], [2]], [(1,), (2,)], "at [0]: a tuple"),
    "child": (Pair(0, [1]), Pair(0, (1,)), "at [<flat index 1>]: a tuple of 1 item"),
}
STRICT = {
    "subtree": ([1, 2], [1, (2, 3)], "at [1]: a tuple of 2 items, where a leaf was wanted"),
    "none": ([1, 2], [1, None], "at [1]: None, where a leaf was wanted"),
    "order": (
        {"a": 1, "b": 2},
        {"b": 2, "a": 1},
        "at the root: the keys in the order ['b', 'a'], where ['a', 'b'] was wanted",
    ),
    "dicts": ({"a": 1}, OrderedDict(a=1), "an OrderedDict of 1 key, where a dict of 1 key was"),
    "factory": (
        defaultdict(int, a=1),
        defaultdict(list, a=1),
        "with the static data (<class 'list'>, ['a']), where the static data (<class 'int'>",
    ),
    "maxlen": (deque([1], 4), deque([1], 5), "the static data 5, where the static data 4"),
}


class Test_check_same_structure:
    @given(trees(NUMBERS), trees(NUMBERS))
    def test_raises_if_and_only_if_they_differ(self, a: Any, b: Any) -> None:
        tree.check_same_structure(a, tree.map(str, a), what="these", to_do="nothing")
        tree.check_same_structure(tree.structure(a), a, what="these", to_do="nothing")
        if shape_of(tree.map(lambda x: 0, a)) != shape_of(tree.map(lambda x: 0, b)):
            with pytest.raises(TreeError, match=r"It got: at .*(wanted|missing|other tree)\n"):
                tree.check_same_structure(a, b, what="these", to_do="nothing")

    @pytest.mark.parametrize("case", [*DIFFERENT.values(), *STRICT.values()])
    def test_names_the_first_difference(self, case: tuple[Any, Any, str]) -> None:
        expected, got, came = case
        for want in (expected, tree.structure(expected)):
            with pytest.raises(TreeError, match=re.escape(came)) as caught:
                tree.check_same_structure(want, got, what="tangents and primals", to_do="mend it")
            assert caught.value.wanted == "tangents and primals must have the same structure."
            assert caught.value.to_do == "mend it"

    @pytest.mark.parametrize("case", DIFFERENT.values(), ids=DIFFERENT)
    def test_map_raises_the_same(self, case: tuple[Any, Any, str]) -> None:
        expected, got, came = case
        for call in (tree.map, tree.map_with_path):
            with pytest.raises(TreeError, match=re.escape(came)):
                call(lambda *xs: xs, expected, got)

    @pytest.mark.parametrize("name", ["subtree", "none", "order", "dicts", "factory", "maxlen"])
    def test_map_allows_these(self, name: str) -> None:
        expected, got, _ = STRICT[name]
        assert tree.structure(expected) == tree.structure(tree.map(lambda *xs: 0, expected, got))

    def test_map_passes_over_what_it_allows(self) -> None:
        expected, got = [deque([1], 4), {"a": 1, "b": [2]}], [deque([1], 5), {"b": (2,), "a": 1}]
        with pytest.raises(TreeError, match=re.escape("at [1]['b']: a tuple of 1 item")):
            tree.map(operator.add, expected, got)


class Test_paths:
    def test_text(self) -> None:
        t = {"layers": [Dense(Point(1, 2), None), deque([3])], 4: tree.FrozenDict(k=(5,))}
        assert [tree.path_str(path) for path, _ in tree.leaves_with_path(t)] == [
            "['layers'][0].w.x",
            "['layers'][0].w.y",
            "['layers'][1][0]",
            "[4]['k'][0]",
        ]
        assert tree.path_str(("layers", 0, "w")) == "['layers'][0]['w']"
        assert "" == tree.path_str(()) == tree.path_str(tree.leaves_with_path(1)[0][0])

    @given(trees(NUMBERS).filter(tree.leaves), st.data())
    def test_replace_changes_one_place_only(self, t: Any, data: Any) -> None:
        before, shape = tree.leaves(t), shape_of(t)
        pairs = tree.leaves_with_path(t)
        i = data.draw(st.integers(0, len(pairs) - 1))
        new = tree.replace(t, pairs[i][0], "new")
        assert [*before[:i], "new", *before[i + 1 :]] == tree.leaves(new)
        assert tree.structure(t) == tree.structure(new)
        assert before == tree.leaves(t)
        assert shape_of(t) == shape
        plain = tuple(entry.entry for entry in pairs[i][0])
        assert new == tree.replace(t, plain, "new")

    @pytest.mark.parametrize(
        ("t", "path", "read"),
        [
            ({"a": [1], "b": [2]}, "b", lambda t: t["b"]),
            (OrderedDict(a=[1], b=[2]), ("b",), lambda t: t["b"]),
            (defaultdict(list, a=[1], b=[2]), "b", lambda t: t["b"]),
            (tree.FrozenDict(a=[1], b=[2]), "b", lambda t: t["b"]),
            ([[1], [2]], 1, operator.itemgetter(1)),
            (([1], [2]), -1, operator.itemgetter(1)),
            (Point([1], [2]), "y", lambda t: t.y),
            (Point([1], [2]), 1, lambda t: t.y),
            (Dense([1], [2]), "b", lambda t: t.b),
            (Pair([1], [2]), 1, lambda t: t.b),
        ],
    )
    def test_replace_in_every_kind_of_node(self, t: Any, path: Any, read: Any) -> None:
        new = tree.replace(t, path, {"sub": "tree"})
        assert type(t) is type(new)
        assert read(new) == {"sub": "tree"}
        assert read(t) == [2]
        children = optree.tree_leaves(t, is_leaf=lambda x: x is not t, namespace="fgrad")
        shared = optree.tree_leaves(new, is_leaf=lambda x: x is not new, namespace="fgrad")
        assert children[0] is shared[0]
        assert getattr(t, "default_factory", 0) is getattr(new, "default_factory", 0)

    def test_replace_the_root(self) -> None:
        assert tree.replace([1, 2], (), 3) == 3

    @pytest.mark.parametrize(
        ("path", "text"),
        [
            (
                ("layers", 0, "q"),
                "at ['layers'][0]: a Dense, without ['q']\n  To do: go on with .w, ",
            ),
            (
                ("layers", 2),
                "at ['layers']: a list of 2 items, without [2]\n  To do: go on with [0]",
            ),
            (("layers", -3), "at ['layers']: a list of 2 items, without [-3]"),
            (
                "x",
                "at the root: a dict of 2 keys, without ['x']\n  To do: go on with ['layers'], [",
            ),
            (("none", 0), "at ['none']: None, without [0]\n  To do: end the path there"),
            (("layers", 1, 0), "at ['layers'][1]: 7 (an int), without [0]\n  To do: end the path"),
        ],
    )
    def test_path_that_does_not_exist(self, path: Any, text: str) -> None:
        with pytest.raises(TreeError, match=re.escape(text)):
            tree.replace({"layers": [Dense(1, 2), 7], "none": None}, path, 0)
