"""Any nesting to any order, and perturbation confusion in every mix."""

import dataclasses
import itertools

import numpy as np
import pytest

import fgrad
from fgrad import grad, hessian, jacfwd, jacrev, jit, jvp, make_graph, vjp, vmap
from fgrad.core import PRIMITIVES
from fgrad.reverse import Tape


def by_grad(f):
    return grad(f)


def by_jvp(f):
    return lambda x: jvp(f, (x,), (1.0 + 0 * x,))[1]


def by_vjp(f):
    return lambda x: vjp(f, x)[1](1.0 + 0 * x)[0]


def by_jacfwd(f):
    return jacfwd(f)


def by_jacrev(f):
    return jacrev(f)


def by_graph(f):
    return lambda x: grad(make_graph(f)(x))(x)


DERIVATIVES = [by_grad, by_jvp, by_vjp, by_jacfwd, by_jacrev, by_graph]


def plain(f):
    return f


def mapped(f):
    """The same function, computed as one element of a batch."""
    return lambda x: vmap(f)(np.stack([x + 0.0, x + 1.0]))[0]


def mapped_over_nothing(f):
    return lambda x: vmap(f, in_axes=None, axis_size=2)(x)[1]


def staged(f):
    return lambda x: make_graph(f)(x)(x)


WRAPPERS = [plain, mapped, mapped_over_nothing, staged]


@pytest.mark.parametrize("outer", DERIVATIVES)
@pytest.mark.parametrize("inner", DERIVATIVES)
@pytest.mark.parametrize("wrap", WRAPPERS)
def test_perturbation_confusion(outer, inner, wrap):
    """d/dx x (d/dy (x + y)) = 1 and d/dx x (d/dy x y) = 2 x, whatever computes the two."""

    def first(x):
        return x * wrap(inner(lambda y: x + y))(1.0)

    def second(x):
        return x * wrap(inner(lambda y: x * y))(4.0)

    assert outer(first)(1.0) == 1.0
    assert outer(second)(4.0) == 8.0
    assert wrap(outer(second))(4.0) == 8.0


@pytest.mark.parametrize("modes", list(itertools.product([by_grad, by_jvp, by_vjp], repeat=3)))
def test_third_derivatives(modes):
    f = np.sin
    for mode in modes:
        f = mode(f)
    assert f(0.7) == pytest.approx(-np.cos(0.7))
    xs = np.linspace(0.1, 1.0, 4)
    np.testing.assert_allclose(vmap(f)(xs), -np.cos(xs))


@pytest.mark.parametrize("modes", list(itertools.product([by_grad, by_jvp], repeat=2)))
def test_a_derivative_inside_a_batch_inside_a_derivative(modes):
    a, b = modes

    def f(x):
        ys = np.stack([x, 2 * x, 3 * x])
        return np.sum(vmap(b(lambda y: np.sin(x * y)))(ys))  # sum of x cos(k x x)

    x = 0.3
    want = sum(np.cos(k * x * x) - 2 * k * x * x * np.sin(k * x * x) for k in (1, 2, 3))
    assert a(f)(x) == pytest.approx(want)


def test_grad_of_vmap_of_jvp_of_vjp():
    w = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])

    def f(x, row):
        def inner(y):
            value, pullback = vjp(lambda z: np.sum(np.sin(z * row)) * np.sum(z), y)
            return pullback(1.0 + 0 * value)[0]

        return np.sum(jvp(inner, (x,), (row,))[1])

    def total(x):
        return np.sum(vmap(f, in_axes=(None, 0))(x, w))

    def loop(x):
        return sum(f(x, row) for row in w)

    x = np.array([0.3, -0.2])
    np.testing.assert_allclose(grad(total)(x), grad(loop)(x))
    h = 1e-6
    numeric = [(loop(x + e) - loop(x - e)) / (2 * h) for e in h * np.eye(2)]
    np.testing.assert_allclose(grad(total)(x), numeric, rtol=1e-6)


def test_closures_over_tracers_of_every_level():
    def f(a):
        def g(b):
            def h(c):
                return a * b**2 * c**3

            return grad(h)(2.0) + b * a

        return grad(g)(3.0) * a

    # h' = 3 a b^2 c^2; g = 12 a b^2 + a b; g' = 24 a b + a; f = a (72 a + a)
    assert f(5.0) == pytest.approx(73 * 25)
    assert grad(f)(5.0) == pytest.approx(73 * 10)


@pytest.mark.parametrize("transform", ["grad", "jvp", "vjp", "vmap", "make_graph"])
def test_an_exception_passes_and_leaves_nothing_behind(transform):
    class OwnError(Exception):
        pass

    def fails(x):
        raise OwnError("mine")

    x = np.array([1.0, 2.0])
    calls = {
        "grad": lambda f: grad(f)(x),
        "jvp": lambda f: jvp(f, (x,), (x,)),
        "vjp": lambda f: vjp(f, x),
        "vmap": lambda f: vmap(f)(x),
        "make_graph": lambda f: make_graph(f)(x),
    }
    for call in (calls[transform], lambda f: calls[transform](grad(lambda y: np.sum(f(y))))):
        with pytest.raises(OwnError, match="mine") as info:
            call(fails)
        assert info.traceback[-1].name == "fails"
        assert info.value.__cause__ is None
        assert not hasattr(info.value, "__notes__")
        np.testing.assert_array_equal(grad(lambda x: np.sum(x**2))(x), 2 * x)


def test_an_error_inside_is_caught_inside():
    def f(x):
        try:
            return grad(lambda y: y * x * undefined)(x)  # noqa: F821
        except NameError:
            return grad(lambda y: y * y * x)(x)  # 2 x^2

    assert grad(f)(3.0) == 12.0
    np.testing.assert_array_equal(vmap(grad(f))(np.array([1.0, 2.0])), [4.0, 8.0])


def test_hessians_of_a_program_agree_in_all_four_orders():
    w = np.random.default_rng(0).normal(size=(3, 3))

    def f(x):
        return np.sum(np.tanh(w @ x) ** 2) * np.exp(x[0])

    x = np.array([0.1, -0.4, 0.7])
    hessians = [a(b(f))(x) for a, b in itertools.product([jacfwd, jacrev], repeat=2)]
    for h in hessians:
        np.testing.assert_allclose(h, hessians[0], atol=1e-12)
        np.testing.assert_allclose(h, h.T, atol=1e-12)
    np.testing.assert_allclose(vmap(hessian(f))(np.stack([x, x]))[1], hessians[0])


def test_stop_gradient_under_every_transformation():
    def f(x):
        return x * fgrad.stop_gradient(x)

    assert grad(f)(3.0) == 3.0
    assert jvp(f, (3.0,), (1.0,))[1] == 3.0
    assert grad(grad(f))(3.0) == 0.0
    np.testing.assert_array_equal(vmap(grad(f))(np.array([1.0, 2.0])), [1.0, 2.0])
    graph = make_graph(f)(3.0)
    assert graph(3.0) == 9.0
    assert grad(graph)(3.0) == 3.0
    assert grad(lambda p: fgrad.stop_gradient(p)["a"] * p["a"])({"a": 2.0}) == {"a": 2.0}


@pytest.mark.parametrize(
    "f", [lambda y, z: y * z, lambda y, z: y / z, np.hypot, lambda y, z: np.hypot(y, np.ones(3))]
)
def test_a_nested_operation_is_recorded_once(f):
    """The short way onto the tape must not compute an answer before it hands over."""

    def inner(x):
        return np.sum(f(np.sin(x), np.cos(x)))

    graph = str(make_graph(grad(inner))(np.ones(3))).splitlines()
    before_the_sum = graph[1 : next(i for i, line in enumerate(graph) if " = sum(" in line)]
    assert len(before_the_sum) == 3  # sin, cos and f


def test_second_derivatives_of_many_rows():
    """Rows that a loop has read are put together in one go, by a traced backward pass too."""
    x = np.linspace(0, 1, 12)

    def f(x):
        return sum(x[i] * x[i] * x[i - 1] for i in range(12)) + np.sum(x[2:] ** 2)

    expected = jacfwd(jacfwd(f))(x)
    np.testing.assert_allclose(hessian(f)(x), expected)
    np.testing.assert_allclose(jacrev(jacrev(f))(x), expected)
    np.testing.assert_allclose(vmap(grad(f))(np.stack([x, x + 1]))[1], grad(f)(x + 1))
    np.testing.assert_allclose(make_graph(grad(f))(x)(x + 1), grad(f)(x + 1))
    rows = np.arange(24.0).reshape(12, 2)
    twice = jvp(grad(lambda X: sum(np.sum(r**3) for r in X)), (rows,), (np.ones((12, 2)),))[1]
    np.testing.assert_allclose(twice, 6 * rows)
    assert str(make_graph(grad(f))(x)).count("index_add") < 4


def test_stacking_asks_no_questions_for_each_pair_of_operands():
    asked = []
    spy = dataclasses.replace(
        PRIMITIVES["concatenate"], needs=lambda i, k: bool(asked.append((i, k)))
    )
    tape = Tape("test", np.stack)
    tape.process(spy, tape.watch([np.ones(1)] * 50), {"axis": -1})
    assert 0 < len(asked) <= 100


def test_tracers_say_which_transformations_they_belong_to():
    seen = []

    def look(x):
        seen.append((repr(x), str(x)))
        return np.sum(np.sin(x))

    grad(look)(np.ones(2))
    vmap(grad(look))(np.ones((3, 2)))
    grad(lambda x: np.sum(vmap(look)(x)))(np.ones((3, 2)))
    jit(grad(grad(look)))(1.0)
    reprs, texts = zip(*seen, strict=True)
    assert reprs == (
        "<grad tracer: float64[2]>",
        "<grad tracer inside vmap: float64[2]>",
        "<vmap tracer inside grad: float64[2]>",
        "<grad tracer inside grad inside jit: float64[]>",
    )
    assert texts == ("<grad tracer: float64[2] = [1. 1.]>", *reprs[1:])
