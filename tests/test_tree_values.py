"""Laws of fgrad.tree on drawn trees: classes, vectors, frozen trees; the text of its errors."""

from __future__ import annotations

import copy
import operator
import pickle
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fgrad import tree
from fgrad.errors import ArgumentError, DtypeError, FgradError, ShapeError, TreeError
from tests.trees import (
    KEYS,
    LEAVES,
    NUMBERS,
    Dense,
    Pair,
    same_leaves,
    shape_of,
    trees,
)


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
        assert func in (np.ravel, np.reshape, np.concatenate, np.real, np.full_like)
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
