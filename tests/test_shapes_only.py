"""`eval_shape` and `ShapeDtypeStruct`: shapes are those of the call, and nothing is computed."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad import ShapeDtypeStruct, errors, eval_shape, tree

from . import laws
from .examples import TABLE

S = ShapeDtypeStruct
HUGE = S((200_000, 200_000), np.float64)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_shapes_and_dtypes_are_those_of_the_call(dtype):
    for row in TABLE[::3]:
        if dtype is np.complex128 and not row.complex:
            continue
        xs = row.arguments(0, dtype)
        with laws.quiet():
            want = row.call(*xs)
            got = eval_shape(row.call, *(S(x.shape, x.dtype) for x in xs))
        for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
            assert (a.shape, a.dtype) == (np.shape(b), np.asarray(b).dtype), row


TRANSFORMED = [
    (lambda a: np.linalg.svd(a @ a.T)[1], S((200_000,), "f8")),
    (fgrad.grad(lambda a: np.mean(np.tanh(a @ a) ** 2)), HUGE),
    (fgrad.value_and_grad(lambda a: np.linalg.slogdet(a)[1]), (S((), "f8"), HUGE)),
    (lambda a: fgrad.jvp(np.exp, (a,), (a,)), (HUGE, HUGE)),
    (lambda a: fgrad.vjp(np.exp, a)[1](a), (HUGE,)),
    (lambda a: fgrad.hvp(lambda a: np.sum(np.tanh(a)), (a,), (a,)), HUGE),
    (fgrad.vmap(lambda x: np.outer(x, x)), S((200_000, 200_000, 200_000), "f8")),
    (lambda a: fgrad.jet(np.sin, (a,), ([a, a],)), (HUGE, [HUGE, HUGE])),
    (lambda a: a.astype(np.float32)[:3, None] > 0, S((3, 1, 200_000), "bool")),
]


@pytest.mark.parametrize(("f", "want"), TRANSFORMED)
def test_there_is_no_memory_for_the_results(f, want):
    assert eval_shape(f, HUGE) == want  # of 300 GiB and more


def test_python_numbers_are_what_they_are():
    single = S(3, "f4")
    assert eval_shape(lambda x, s: s * x, single, 2.0) == single
    assert eval_shape(lambda x, s: s * x, single, S((), "f8")) == S(3, "f8")
    assert eval_shape(lambda x, *, n: np.zeros(n) * x, S((), "f8"), n=4) == S(4, "f8")
    assert eval_shape(lambda x: {"n": 3, "c": np.ones(2)}, single)["n"] == S((), int)


def test_control_flow_and_randomness():
    x = S(5, "f4")
    zero = np.float32(0)
    sums = eval_shape(lambda x: fgrad.scan(lambda c, y: (c + y, c), zero, x), x)
    assert sums == (S((), "f4"), x)
    assert eval_shape(lambda x: fgrad.cond(x[0] > 0, np.sin, np.cos, x), x) == x
    assert eval_shape(lambda x: fgrad.while_loop(lambda c: c[0] < 3, lambda c: c + 1, x), x) == x
    key = fgrad.random.key(0)
    assert eval_shape(lambda k: fgrad.random.gamma(k, 2.0, (3,)), key) == S(3, "f8")


def test_inside_of_other_transformations():
    seen = []

    def f(x):
        seen.append(eval_shape(lambda y: np.outer(x, y), x))
        return np.sum(x)

    fgrad.grad(f)(np.ones(3))
    fgrad.vmap(f)(np.ones((2, 3)))
    fgrad.make_graph(f)(np.ones(3))
    assert seen == [S((3, 3), "f8")] * 3


def test_structs_are_values():
    a = S(shape=(2, np.int64(3)), dtype="float32")
    assert (a.shape, a.dtype, a.ndim, a.size, a.nbytes, len(a)) == (
        (2, 3), np.dtype("f4"), 2, 6, 24, 2
    )  # fmt: skip
    assert a == S([2, 3], np.float32)
    assert a != S((2, 3), np.float64)
    assert a != "a"
    assert len({a, S((2, 3), "f4")}) == 1
    assert repr(a) == "ShapeDtypeStruct(shape=(2, 3), dtype=float32)"
    assert tree.leaves({"w": a}) == [a]
    with pytest.raises(TypeError, match="unsized"):
        len(S((), "f4"))
    # Wherever only shapes and dtypes matter it is as good as an array.
    y = fgrad.linear_transpose(lambda x: 2.0 * x, S(2, "f8"))(np.ones(2))
    np.testing.assert_array_equal(y[0], [2.0, 2.0])


ONE = S(3, "f8")
REFUSED = [
    (lambda: eval_shape(3, ONE), errors.ArgumentError, "eval_shape wants a function"),
    (lambda: eval_shape(lambda x: x if x[0] > 0 else -x, ONE), errors.TracerConversionError,
     "doesn't ask for values"),
    (lambda: eval_shape(lambda x: float(np.sum(x)), ONE), errors.TracerConversionError, "ask for"),
    (lambda: eval_shape(np.nonzero, ONE), errors.TracerConversionError, "ask for values"),
    (lambda: eval_shape(np.unique, ONE), errors.TracerConversionError, "ask for values"),
    (lambda: eval_shape(lambda x: x[x > 0], ONE), errors.TracerConversionError, "ask for values"),
    (lambda: eval_shape(fgrad.external(np.sin), ONE), errors.ShapeError, "result's shape"),
    (lambda: eval_shape(lambda x: {"a": "b"}, ONE), errors.DtypeError, "returns arrays in pytrees"),
    (lambda: eval_shape(np.sin, {"a": "b"}), errors.DtypeError, "arrays of numbers"),
    (lambda: eval_shape(lambda *, o: 1, o="x"), errors.DtypeError, "arrays of numbers"),
    (lambda: S((-1,), "f8"), errors.ArgumentError, "wants a shape and a dtype"),
    (lambda: S((1.5,), "f8"), errors.ArgumentError, "wants a shape and a dtype"),
    (lambda: S((1,), None), errors.ArgumentError, "wants a shape and a dtype"),
    (lambda: S((1,), "spam"), errors.ArgumentError, "wants a shape and a dtype"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "text"), REFUSED)
def test_refused(call, kind, text):
    with pytest.raises(kind, match=text) as caught:
        call()
    assert caught.value.came
    assert caught.value.to_do


def test_the_path_of_a_bad_argument_is_named():
    with pytest.raises(errors.DtypeError) as caught:
        eval_shape(lambda x, *, o: x, ONE, o={"a": "b"})
    assert "kwargs['o']['a']" in caught.value.came


def test_an_external_function_that_says_its_shape():
    f = fgrad.external(np.sin, result_shape=S(3, "f8"))
    assert eval_shape(f, ONE) == ONE
    np.testing.assert_array_equal(f(np.ones(3)), np.sin(np.ones(3)))
