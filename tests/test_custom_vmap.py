"""`custom_vmap` and `sequential_vmap`: which rule runs where, and what rules may return."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad import custom_vmap, errors, grad, jvp, sequential_vmap, vmap
from fgrad.testing import CheckError, check_vmap

from . import laws

X, Y = np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 4.0])


def plain(x, y):
    return np.sin(x) * y * y


def noted():
    """The function with a rule, and a list of what the rule was called with."""
    calls = []

    @custom_vmap
    def f(x, y):
        calls.append("f")
        return plain(x, y)

    @f.def_vmap
    def rule(axis_size, in_batched, x, y):
        calls.append((axis_size, in_batched))
        return plain(x, y), True

    return f, calls


def test_vmap_takes_the_rule_and_nothing_else_does():
    f, calls = noted()
    np.testing.assert_array_equal(vmap(f)(X, Y), plain(X, Y))
    assert calls == [(3, (True, True))]
    calls.clear()
    np.testing.assert_array_equal(vmap(f, (0, None))(X, 2.0), plain(X, 2.0))
    assert calls == [(3, (True, False))]
    calls.clear()
    assert f(0.1, y=2.0) == plain(0.1, 2.0)
    assert grad(f)(0.1, 2.0) == grad(plain)(0.1, 2.0)
    assert set(calls) == {"f"}


NESTINGS = [
    lambda f: lambda x, y: vmap(grad(f, (0, 1)))(x, y),
    lambda f: lambda x, y: vmap(grad(f, (0, 1)), (0, None))(x, y[1]),
    lambda f: grad(lambda x, y: np.sum(vmap(f)(x, y) * X), (0, 1)),
    lambda f: grad(lambda x, y: np.sum(vmap(f, (0, None))(x, y[0])), (0, 1)),
    lambda f: lambda x, y: vmap(lambda x, y: jvp(f, (x, y), (1.0, 2.0)))(x, y),
    lambda f: lambda x, y: vmap(lambda x: jvp(f, (x, 2.0), (1.0, 2.0)))(x),
    lambda f: lambda x, y: jvp(vmap(f), (x, y), (y, x)),
    lambda f: vmap(grad(grad(f))),
    lambda f: vmap(lambda x, y: jvp(grad(f, (0, 1)), (x, y), (1.0, 0.5))),
    lambda f: vmap(grad(lambda x, y: jvp(f, (x, y), (1.0, 0.5))[1])),
    lambda f: vmap(fgrad.hessian(f)),
    lambda f: vmap(vmap(f, (None, 0)), (0, None)),
    lambda f: vmap(vmap(grad(f), (None, 0)), (0, None)),
    lambda f: lambda x, y: fgrad.make_graph(vmap(grad(f)))(y, x)(x, y),
    lambda f: lambda x, y: vmap(fgrad.make_graph(grad(f))(x[0], y[0]))(x, y),
    lambda f: lambda x, y: vmap(lambda x, y: fgrad.jet(f, (x, y), ((1.0, 0.5), (2.0, 0.0))))(x, y),
    lambda f: fgrad.jit(vmap(f)),
]


@pytest.mark.parametrize("nesting", NESTINGS)
def test_derivatives_of_a_batch_are_those_of_the_rule(nesting):
    f, calls = noted()
    laws.close(nesting(f)(X, Y), nesting(plain)(X, Y), "with a rule = without")
    assert any(call != "f" for call in calls), "the rule was called"


def test_the_rule_decides_also_where_it_is_not_the_function():
    # Nobody should write such a rule; here it shows that no derivative goes past it.
    f = custom_vmap(lambda x: x)
    f.def_vmap(lambda axis_size, in_batched, x: (3.0 * x, True))
    np.testing.assert_array_equal(vmap(f)(X), 3 * X)
    np.testing.assert_array_equal(vmap(grad(f))(X), np.full(3, 3.0))
    np.testing.assert_array_equal(vmap(lambda x: jvp(f, (x,), (1.0,))[1])(X), np.full(3, 3.0))
    assert grad(f)(1.0) == 1.0


def test_trees_integers_and_what_is_the_same_for_all():
    @custom_vmap
    def f(d, k):
        return {"y": d["x"] * k, "n": k, "c": np.ones(2)}

    @f.def_vmap
    def rule(axis_size, in_batched, d, k):
        assert in_batched == ({"x": True}, False)
        return {"y": d["x"] * k, "n": k, "c": np.ones(2)}, {"y": True, "n": False, "c": False}

    out = vmap(f, (0, None))({"x": X}, 2)
    np.testing.assert_array_equal(out["y"], 2 * X)
    np.testing.assert_array_equal(out["n"], [2, 2, 2])
    assert out["c"].shape == (3, 2)
    got = vmap(grad(lambda d, k: np.sum(f(d, k)["y"])), (0, None))({"x": X}, 2)
    np.testing.assert_array_equal(got["x"], [2, 2, 2])


def test_nondiff_arguments_are_left_alone():
    f = custom_vmap(lambda name, x: x if name == "id" else -x, nondiff_argnums=0)

    @f.def_vmap
    def rule(axis_size, in_batched, name, x):
        assert in_batched == (False, True)
        return f(name, x), True

    np.testing.assert_array_equal(vmap(lambda x: f("neg", x))(X), -X)


def test_sequential_vmap_calls_for_each_element():
    f = sequential_vmap(lambda x, y: x + y if x > 0 else -x * x)
    x = np.array([-3.0, 2.0])
    np.testing.assert_array_equal(vmap(f, (0, None))(x, 1.0), [-9.0, 3.0])
    np.testing.assert_array_equal(vmap(grad(f), (0, None))(x, 1.0), [6.0, 1.0])
    np.testing.assert_array_equal(vmap(vmap(f))(x[None], x[None]), [[-9.0, 4.0]])
    total = grad(lambda x: np.sum(vmap(f, (0, None))(x, 1.0)))
    np.testing.assert_array_equal(total(x), [6.0, 1.0])
    assert vmap(sequential_vmap(np.sin))(np.zeros((0, 3))).shape == (0, 3)


def with_rule(rule):
    f = custom_vmap(lambda x: {"y": x})
    f.def_vmap(rule)
    return lambda: vmap(f)(X)


REFUSED = [
    (lambda: custom_vmap(3), errors.ArgumentError, "custom_vmap wants a function"),
    (lambda: custom_vmap(lambda x: x)(1.0), errors.NoRuleError, "wants a rule"),
    (lambda: vmap(noted()[0])(X, "a"), errors.DtypeError, "array of numbers"),
    (lambda: noted()[0](1.0, "a"), errors.DtypeError, "pytrees of arrays as its arguments"),
    (with_rule(lambda n, b, x: x), errors.ArgumentError, "wants to return a pair"),
    (with_rule(lambda n, b, x: ({"y": x}, {"z": True})), errors.ArgumentError, "in the structure"),
    (with_rule(lambda n, b, x: ({"y": x}, {"y": 1})), errors.DtypeError,
     r"True or False as its second result at \['y'\]"),
    (with_rule(lambda n, b, x: ({"y": x[1:]}, True)), errors.ShapeError,
     r"a first axis of length 3 at \['y'\]"),
    (with_rule(lambda n, b, x: ({"y": 1.0}, True)), errors.ShapeError, "of length 3"),
    (with_rule(lambda n, b, x: ({"y": "a"}, False)), errors.DtypeError, "arrays in pytrees"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "text"), REFUSED)
def test_refused(call, kind, text):
    with pytest.raises(kind, match=text) as caught:
        call()
    assert caught.value.came
    assert caught.value.to_do


@pytest.mark.parametrize("wrong", [lambda x: (x, x), lambda x: {"z": x}, lambda x: {"y": 2 * x}])
def test_the_kit_sees_a_rule_that_does_something_else(wrong):
    f = custom_vmap(lambda x: {"y": x})
    f.def_vmap(lambda n, b, x: (wrong(x), True))
    with pytest.raises(CheckError, match="f that is wrong") as caught:
        check_vmap(f, (np.float64(0.5),), err_msg="f that is wrong")
    assert caught.value.came
    f.def_vmap(lambda n, b, x: ({"y": x}, True))
    check_vmap(f, (np.float64(0.5),))


def test_what_the_function_closes_over_is_no_argument():
    def g(x):
        f = custom_vmap(lambda y: x * y)
        f.def_vmap(lambda n, b, y: (x * y, True))
        return f(2.0 * x)

    with pytest.raises(errors.TracerConversionError, match="closes over a value"):
        grad(g)(1.0)
