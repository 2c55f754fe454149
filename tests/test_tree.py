"""Laws of fgrad.tree on drawn trees, and the text of each of its errors."""

from __future__ import annotations

import copy
import operator
import pickle
import re
import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import optree
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fgrad import tree
from fgrad.errors import ArgumentError, DtypeError, FgradError, ShapeError, TreeError


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


class Test_register:
    def test_rest_must_be_hashable(self) -> None:
        with pytest.raises(ArgumentError, match="`Pair` as a pytree wants hashable data") as caught:
            tree.flatten([Pair(1, 2, ["list"])])
        assert "is a list (unhashable type: 'list')" in caught.value.came

    @pytest.mark.parametrize("cls", [Pair, Dense, tree.FrozenDict, list, "Pair"])
    def test_twice(self, cls: Any) -> None:
        with pytest.raises(ArgumentError, match="one that is not a node of pytrees already"):
            tree.register(cls, lambda p: ((), None), lambda rest, children: cls())

    def test_class_decorator(self) -> None:
        @tree.register_class
        class Box:
            def __init__(self, inside: Any) -> None:
                self.inside = inside

            def tree_flatten(self) -> tuple[tuple[Any], str]:
                return (self.inside,), "rest"

            @classmethod
            def tree_unflatten(cls, rest: str, children: Any) -> Box:
                assert rest == "rest"
                return cls(*children)

        assert tree.leaves(Box([1, 2])) == [1, 2]
        assert tree.map(operator.neg, Box([1, 2])).inside == [-1, -2]


class Test_dataclass:
    def test_static_fields_belong_to_the_structure(self) -> None:
        leaves, structure = tree.flatten(Dense(1, 2, "relu"))
        assert leaves == [1, 2]
        assert structure != tree.structure(Dense(1, 2))
        assert Dense(3, 4, "relu") == tree.unflatten(structure, [3, 4])

    def test_static_field_must_be_hashable(self) -> None:
        with pytest.raises(ArgumentError, match="its static field 'activation' is a list"):
            tree.leaves(Dense(1, 2, []))

    def test_rebuilt_without_init_and_post_init(self) -> None:
        calls = []

        @tree.dataclass(kw_only=True, slots=True)
        class Checked:
            w: Any
            size: int = tree.field(default=3, static=True, metadata={"unit": "cm"})
            double: Any = tree.field(init=False)

            def __post_init__(self) -> None:
                calls.append(self.w)
                object.__setattr__(self, "double", 2 * self.w)

        one = Checked(w=1)
        assert tree.leaves(one) == [1, 2]
        new = tree.replace(tree.map(str, one), "w", "any")
        assert (new.w, new.double, new.size) == ("any", "2", 3)
        assert calls == [1]
        with pytest.raises(TypeError):
            Checked(1)  # type: ignore[misc]

    def test_is_frozen_and_replaces(self) -> None:
        dense = Dense(1, 2)
        with pytest.raises(AttributeError):
            dense.w = 3  # type: ignore[misc]
        assert Dense(1, 5) == dense.replace(b=5)  # type: ignore[attr-defined]
        assert Dense(1, 2) == dense
        with pytest.raises(ArgumentError, match="makes frozen classes only"):
            tree.dataclass(frozen=False)(type("Thawed", (), {}))

    def test_field_of_the_name_replace(self) -> None:
        @tree.dataclass
        class Odd:
            replace: Any

        assert tree.map(lambda x: 2 * x, Odd(1)).replace == 2

    def test_pickle_and_copy(self) -> None:
        dense = Dense([1], tree.FrozenDict(a=2))
        assert dense == pickle.loads(pickle.dumps(dense)) == copy.deepcopy(dense)


class Test_ravel:
    @settings(max_examples=60)
    @given(trees(LEAVES))
    def test_round_trip(self, t: Any) -> None:
        vector, unravel = tree.ravel(t)
        sizes = [np.size(x) for x in tree.leaves(t)]
        assert (sum(sizes),) == vector.shape
        if sizes:
            assert np.result_type(*tree.leaves(t)) == vector.dtype
            flat = np.concatenate([np.ravel(x) for x in tree.leaves(t)])
            np.testing.assert_array_equal(flat, vector)
        assert tree.structure(t) == tree.structure(unravel(vector))
        same_leaves(t, unravel(vector))

    def test_vector_of_another_dtype_is_cast(self) -> None:
        t = {"w": np.ones((2, 1), np.float32), "n": np.int16(3), "p": 0.5}
        vector, unravel = tree.ravel(t)
        assert np.float32 == vector.dtype
        same_leaves(t, unravel(vector.astype(np.float64)))

    def test_vector_does_not_alias_a_leaf(self) -> None:
        x = np.zeros(3)
        tree.ravel([x])[0][:] = 1.0
        np.testing.assert_array_equal(x, np.zeros(3))

    def test_order_of_memory_does_not_matter(self) -> None:
        x = np.asfortranarray(np.arange(6.0).reshape(2, 3))
        vector, unravel = tree.ravel(x)
        np.testing.assert_array_equal(np.arange(6.0), vector)
        np.testing.assert_array_equal(x, unravel(vector))

    def test_empty(self) -> None:
        vector, unravel = tree.ravel({"a": [None]})
        assert vector.shape == (0,)
        assert unravel(vector) == {"a": [None]}

    @pytest.mark.parametrize("shape", [(2,), (4,), (3, 1), ()])
    def test_wrong_shape(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ShapeError, match=r"vector of shape \(3,\)") as caught:
            tree.ravel([1.0, np.zeros(2)])[1](np.zeros(shape))
        assert f"of shape {shape}" in caught.value.came
        with pytest.raises(ShapeError, match="a list"):
            tree.ravel([1.0, np.zeros(2)])[1]([1.0, 2.0, 3.0])

    def test_complex_vector_for_real_leaves(self) -> None:
        text = r"real numbers for the float64 leaf at \['w'\](.|\n)*It got: a complex128 array"
        with pytest.raises(DtypeError, match=text):
            tree.ravel({"w": np.zeros(2)})[1](np.zeros(2, complex))
        mixed = {"z": np.zeros(1, complex), "w": 1.0}
        with pytest.raises(DtypeError, match=text):
            tree.ravel(mixed)[1](np.array([1j, 1j]))
        assert tree.ravel(mixed)[1](np.array([1j, 2]))["w"] == 2.0

    @pytest.mark.parametrize(
        "leaf", ["text", object(), np.array(["a"]), np.array([{}]), np.dtype, abs]
    )
    def test_leaf_that_is_no_number(self, leaf: Any) -> None:
        with pytest.raises(DtypeError, match=r"arrays of numbers(.|\n)*at \['a'\]\[1\]: "):
            tree.ravel({"a": [1.0, leaf]})

    def test_works_on_values_that_are_not_arrays(self) -> None:
        """Only what a tracer answers is asked of leaves and of the vector."""
        x, y = Traced(np.arange(4.0).reshape(2, 2)), Traced(np.float32([7]))
        vector, unravel = tree.ravel({"x": x, "y": y, "one": 1.0})
        assert isinstance(vector, Traced)
        np.testing.assert_array_equal([0, 1, 2, 3, 7, 1], vector.value)
        back = unravel(vector)
        np.testing.assert_array_equal(x.value, back["x"].value, strict=True)
        np.testing.assert_array_equal(y.value, back["y"].value, strict=True)
        assert isinstance(back["one"], Traced)
        assert back["one"].shape == ()


class Traced:
    """What ravel may ask of a tracer, and no more: it is no array and converts to none."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: Any) -> None:
        self.value = value
        self.shape, self.dtype = value.shape, value.dtype
        self.size, self.ndim = value.size, value.ndim

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Traced:
        assert func in (np.ravel, np.reshape, np.concatenate, np.real)
        plain = [
            [getattr(x, "value", x) for x in arg] if isinstance(arg, list) else arg for arg in args
        ]
        return Traced(func(*(getattr(x, "value", x) for x in plain), **kwargs))

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("a tracer is no array")

    def __getitem__(self, index: Any) -> Traced:
        assert isinstance(index, slice)
        return Traced(self.value[index])

    def astype(self, dtype: Any) -> Traced:
        return Traced(self.value.astype(dtype))


def arrays_of(t: Any) -> Iterator[np.ndarray[Any, Any]]:
    return (x for x in tree.leaves(t) if isinstance(x, np.ndarray))


class Test_freeze:
    @settings(max_examples=60)
    @given(trees(LEAVES))
    def test_is_immutable_and_leaves_its_input_alone(self, t: Any) -> None:
        shape = shape_of(t)
        frozen = tree.freeze(t)
        same_leaves(t, frozen)
        assert shape_of(t) == shape
        assert all(x.flags.writeable for x in arrays_of(t))
        for x in arrays_of(frozen):
            with pytest.raises(ValueError, match="read-only"):
                x[...] = 0
        assert not kinds(frozen) & {list, dict, OrderedDict, defaultdict, deque}
        assert tree.structure(frozen) == tree.structure(tree.freeze(frozen))

    @given(trees(NUMBERS))
    def test_is_idempotent_and_hashable(self, t: Any) -> None:
        frozen = tree.freeze(t)
        assert frozen == tree.freeze(frozen)
        if Pair not in kinds(frozen):
            assert hash(frozen) == hash(tree.freeze(frozen))

    @settings(max_examples=60)
    @given(trees(LEAVES))
    def test_thaw_gives_fresh_writable_arrays(self, t: Any) -> None:
        frozen = tree.freeze(t)
        thawed = tree.thaw(frozen)
        same_leaves(frozen, thawed)
        assert tree.FrozenDict not in kinds(thawed)
        assert all(x.flags.writeable for x in arrays_of(thawed))
        assert tree.structure(frozen) == tree.structure(tree.freeze(thawed))

    def test_copies_once_only(self) -> None:
        x = np.asfortranarray(np.ones((2, 3)))
        frozen = tree.freeze(x)
        assert not np.shares_memory(x, frozen)
        assert frozen.flags.f_contiguous
        assert tree.freeze([frozen])[0] is frozen
        view = frozen[:1]
        assert tree.freeze(view) is not view

    def test_writes_to_the_original_do_not_show(self) -> None:
        x = np.zeros(2)
        view = x[:]
        view.flags.writeable = False
        frozen = tree.freeze({"a": x, "view": view})
        x[0] = 1.0
        assert 0.0 == frozen["a"][0] == frozen["view"][0]


def kinds(t: Any) -> set[type]:
    """The types of all nodes."""
    found: set[type] = set()
    tree.leaves(t, lambda x: found.add(type(x)))  # type: ignore[func-returns-value, arg-type]
    return found


class Test_FrozenDict:
    @given(st.dictionaries(KEYS, NUMBERS), st.dictionaries(KEYS, NUMBERS))
    def test_is_a_mapping_like_dict(self, a: dict[Any, int], b: dict[Any, int]) -> None:
        f = tree.FrozenDict(a)
        assert isinstance(f, Mapping)
        assert f == a
        assert a == f
        assert (f == b) == (a == b)
        assert (f != b) == (a != b)
        assert list(f) == list(a)
        assert len(f) == len(a)
        assert list(reversed(f)) == list(reversed(a))
        for union in (f | b, f | tree.FrozenDict(b), a | tree.FrozenDict(b)):
            assert isinstance(union, tree.FrozenDict)
            assert list((a | b).items()) == list(union.items())
        assert f == a
        assert hash(f) == hash(tree.FrozenDict(reversed(a.items())))
        assert f"FrozenDict({a!r})" == repr(f)
        assert f == pickle.loads(pickle.dumps(f)) == copy.deepcopy(f)
        assert copy.copy(f) is f

    def test_cannot_be_changed(self) -> None:
        items = {"a": 1}
        f = tree.FrozenDict(items)
        items["a"] = 2
        f.__init__(a=3)  # type: ignore[misc]
        with pytest.raises(TypeError):
            f["a"] = 4  # type: ignore[index]
        with pytest.raises(TypeError):
            del f["a"]  # type: ignore[attr-defined]
        with pytest.raises(AttributeError, match="cannot be changed"):
            f._items = {}
        with pytest.raises(AttributeError, match="cannot be changed"):
            del f._items
        with pytest.raises(TypeError):
            f |= 3  # type: ignore[operator]
        assert f == {"a": 1}

    def test_hash_needs_hashable_values(self) -> None:
        with pytest.raises(TypeError, match="unhashable"):
            hash(tree.FrozenDict(a=[1]))


def test_every_error_is_ours() -> None:
    """All of them can be caught as FgradError, and as what Python would have raised."""
    for error, builtin in [(TreeError, ValueError), (ArgumentError, TypeError)]:
        assert issubclass(error, FgradError)
        assert issubclass(error, builtin)
