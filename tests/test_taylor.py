"""`jet`: against nested `jvp`, known series, and itself; what it costs; what it refuses."""

from __future__ import annotations

import warnings
from math import comb, factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fgrad
from fgrad import errors, jet, series, tree

from . import laws
from .examples import TABLE, ufuncs
from .examples.special import SPECIAL

ORDER = 3
ROWS = [row for row in (*ufuncs.ROWS, *TABLE[::37]) if row.kind != "constant"]


def along(h, xs, rows, order):
    """The derivatives of h along a curve, by nested jvp in its parameter."""

    def d(t):
        moved = [
            x + sum(c * (t**k / factorial(k)) for k, c in enumerate(row, 1))
            for x, row in zip(xs, rows, strict=True)
        ]
        return h(*moved)

    out = []
    for _ in range(order):
        d = (lambda f: lambda t: fgrad.jvp(f, (t,), (1.0,))[1])(d)
        out.append(tree.leaves(d(0.0)))
    return out


def directions(xs, order, dtype=None, size=0.3):
    rng = np.random.default_rng(5)
    return [
        [np.asarray(size * rng.uniform(-1, 1, np.shape(x)), dtype or x.dtype) for _ in range(order)]
        for x in xs
    ]


def lists(value, rates):
    return tree.flatten_up_to(tree.structure(value), rates, what="", to_do="")


# ------------------------------------------------------------------ the numbers
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_jet_is_nested_jvp(row):
    h, xs = row.fix(row.arguments())
    rows = directions(xs, ORDER)
    with laws.quiet():
        value, rates = jet(h, xs, rows)
        want = along(h, xs, rows, ORDER)
        laws.close(value, row.call(*row.arguments()), "the value")
    for i, got in enumerate(lists(value, rates)):
        for k in range(ORDER):
            laws.close(got[k], want[k][i], f"{row}: derivative {k + 1}", rtol=1e-9)


@pytest.mark.parametrize(("f", "args", "want"), SPECIAL)
def test_kinks_and_ties_are_those_of_jvp(f, args, want):
    xs = [np.array(x) for x in args]
    rows = directions(xs, 1, size=1.0)
    with laws.quiet():
        value, rates = jet(f, xs, rows)
        want = fgrad.jvp(f, xs, [row[0] for row in rows])[1]
    for got, w in zip(lists(value, rates), tree.leaves(want), strict=True):
        np.testing.assert_allclose(got[0], w, 1e-13)


TANGENTS = [1, 0, 2, 0, 16, 0, 272, 0, 7936, 0, 353792]
KNOWN = [
    (np.exp, 0.0, [1.0] * 11),
    (np.log1p, 0.0, [(-1) ** k * factorial(k) for k in range(11)]),
    (np.tan, 0.0, TANGENTS),
    (np.tanh, 0.0, [t * (-1) ** (k // 2) for k, t in enumerate(TANGENTS)]),
    (lambda x: 1 / (1 - x), 0.0, [factorial(k) for k in range(1, 12)]),
    (lambda x: np.sqrt(1 + x), 0.0, [factorial(k) * (-1) ** (k - 1) * comb(2 * k, k)
                                     / (4**k * (2 * k - 1)) for k in range(1, 12)]),
    (lambda x: (2 + x) ** 3.0, 0.0, [12.0, 12.0, 6.0] + 8 * [0.0]),
    (lambda x: x * np.exp(x), 1.0, [(k + 1) * np.e for k in range(1, 12)]),
]  # fmt: skip


@pytest.mark.parametrize(("f", "x", "want"), KNOWN)
def test_known_series_to_order_eleven(f, x, want):
    got = jet(f, (x,), ([1.0, *[0.0] * 10],))[1]
    np.testing.assert_allclose(got, want, 1e-12, atol=1e-12)
    plain = jet(f, (x,), ([1.0, *[0.0] * 10],), factorial_scaled=False)[1]
    scale = [factorial(k) for k in range(1, 12)]
    np.testing.assert_allclose(plain, np.array(want) / scale, 1e-12, atol=1e-12)


@given(st.integers(1, 5), st.integers(0, 1000))
def test_chain_rule(order, seed):
    # The series of g(f(x)) are those of g along the series of f.
    rng = np.random.default_rng(seed)
    x, row = rng.uniform(-1, 1, 3), list(rng.uniform(-1, 1, (order, 3)))
    a = rng.uniform(-1, 1, (3, 3))

    def f(x):
        return {"y": np.sin(a @ x), "z": np.sum(x * x)}

    def g(d):
        return np.tanh(d["y"]) / (2 + d["z"]), np.sort(d["y"])

    value, rates = jet(f, (x,), (row,))
    laws.close(jet(g, (value,), (rates,)), jet(lambda x: g(f(x)), (x,), (row,)), "chain rule")


# ------------------------------------------------------------------ in any nesting
def f(x):
    return np.sin(x) * np.exp(x * x) / (1 + x)


def third(x):
    return jet(f, (x,), ((1.0, 0.0, 0.0),))[1][2]


def derivative(n, g=f):
    for _ in range(n):
        g = fgrad.grad(g)
    return g


def test_jet_composes_with_the_other_transformations():
    x, xs = 0.3, np.array([0.3, 0.4])
    d4 = derivative(4)(x)
    np.testing.assert_allclose(fgrad.grad(third)(x), d4)
    np.testing.assert_allclose(fgrad.jvp(third, (x,), (1.0,))[1], d4)
    np.testing.assert_allclose(fgrad.vmap(third)(xs), [derivative(3)(v) for v in xs])
    np.testing.assert_allclose(fgrad.make_graph(third)(0.1)(x), derivative(3)(x))
    np.testing.assert_allclose(fgrad.grad(lambda x: fgrad.grad(third)(x))(x), derivative(5)(x))
    ones = ((1.0, 0.0),)
    np.testing.assert_allclose(jet(fgrad.grad(f), (x,), ones)[1][1], derivative(3)(x))
    np.testing.assert_allclose(jet(third, (x,), ones)[1][1], derivative(5)(x))
    inner = jet(fgrad.vmap(f), (xs,), ([np.ones(2), np.zeros(2)],))[1]
    np.testing.assert_allclose(inner[1], [derivative(2)(v) for v in xs])


@fgrad.custom_jvp
def with_jvp(x):
    return np.exp(x) + x


@with_jvp.defjvp
def _with_jvp(primals, tangents):
    y = with_jvp(*primals)
    return y, (y - primals[0] + 1) * tangents[0]


@fgrad.custom_vjp
def with_vjp(x):
    return np.sin(x)


with_vjp.defvjp(lambda x: (with_vjp(x), x), lambda x, g: (g * np.cos(x),))

FUNCTIONS = [
    with_jvp,
    with_vjp,
    fgrad.external(np.sin, jvp=lambda ans, xs, ts: np.cos(xs[0]) * ts[0]),
    fgrad.checkpoint(lambda x: np.sin(x) * np.sin(np.sin(x))),
    lambda x: fgrad.cond(x > 0, np.sin, np.cos, x),
    lambda x: fgrad.scan(lambda c, a: (np.sin(c * a), c), x, np.array([1.0, 2.0]))[0],
    lambda x: fgrad.fori_loop(0, 3, lambda i, c: c * x + i, x),
    lambda x: fgrad.while_loop(lambda c: c < 9, lambda c: c * 2 * x, x + 1),
    lambda x: fgrad.fixed_point(lambda y: np.cos(x * y), 0.5),
    lambda x: np.sum(fgrad.vmap(lambda a: fgrad.psum(a * x, "i"), axis_name="i")(np.ones(2)) ** 3),
    lambda x: x * fgrad.stop_gradient(x),
    lambda x: np.where(x > 0, x**3, 0.0) + np.max(x * np.arange(3.0)),
    lambda x: np.linalg.det(np.eye(3) * x + 0.1 * x**2),
    lambda x: np.linalg.eigh(np.diag(np.arange(3.0)) + x * np.ones((3, 3)))[0][1],
]


@pytest.mark.parametrize("g", FUNCTIONS)
def test_custom_rules_and_control_flow(g):
    row = (1.0, 0.0, 0.0)
    want = [derivative(k, g)(0.8) for k in (1, 2, 3)]
    np.testing.assert_allclose(jet(g, (0.8,), (row,))[1], want, 1e-7, atol=1e-10)


@pytest.mark.parametrize("g", FUNCTIONS[:7])
def test_custom_rules_and_control_flow_in_graphs_and_batches(g):
    def second(x):
        return jet(g, (x,), ((1.0, 0.0),))[1][1]

    want = derivative(2, g)(0.8)
    np.testing.assert_allclose(fgrad.make_graph(second)(0.7)(0.8), want)
    np.testing.assert_allclose(fgrad.vmap(second)(np.array([0.8]))[0], want)


def test_equal_eigenvalues_move_along_their_direction():
    def values(a):
        return np.linalg.eigh(a)[0]

    t = np.array([[1.0, 2.0, 1.0], [2.0, 5.0, 0.0], [1.0, 0.0, 1.0]])
    row = [t, 0 * t, 0 * t]
    with laws.quiet():
        first, second, third = jet(values, (np.diag([1.0, 1.0, 3.0]),), (row,))[1]
    np.testing.assert_allclose(first[:2], np.linalg.eigvalsh(t[:2, :2]))
    # The rule holds at this matrix alone: where values are equal there is nothing more, and no 0.
    np.testing.assert_array_equal(np.isnan(second), [True, True, False])
    np.testing.assert_array_equal(np.isnan(third), [True, True, False])
    np.testing.assert_allclose(second[2], 1.0)  # 2 t_02**2 / (3 - 1)


def test_a_primitive_without_reverse_mode():
    @fgrad.primitive(lambda x: x**3, jvp=lambda ts, ans, x: 3 * x * x * ts[0], vjp=[None])
    def cube(x):
        """The third power."""
        return (x,), {}

    np.testing.assert_allclose(jet(cube, (2.0,), ((1.0, 0.0, 0.0),))[1], [12.0, 12.0, 6.0])


# ------------------------------------------------------------------ what goes in and out
def test_trees_and_dtypes():
    def g(p, q):
        return {"a": p["x"] * q, "i": np.argmax(p["x"]), "n": 3}

    one = np.ones(2, np.float32)
    args = {"x": one, "k": 1}, 2.0
    value, rates = jet(g, args, ({"x": [one, 0 * one], "k": None}, [1.0, 0.0]))
    assert value["a"].dtype == rates["a"][0].dtype == np.float32
    np.testing.assert_array_equal(rates["a"], [[3, 3], [2, 2]])
    assert rates["n"] == [0, 0]
    assert rates["i"] == [0, 0]
    half = np.float16(0.5)
    _, row = jet(np.exp, (half,), ([np.float16(1)] * 9,))
    assert {x.dtype for x in row} == {np.dtype("float16")}
    assert np.isfinite(row[-1])  # 9! is no float16, and is not needed as one
    z = 1.0 + 2.0j
    np.testing.assert_allclose(jet(np.exp, (z,), ((1j, 0j),))[1], [1j * np.exp(z), -np.exp(z)])
    assert jet(np.sin, (1.0,), ((),)) == (np.sin(1.0), [])
    assert jet(lambda x: x * x, (2.0,), ((1, 0),)) == (4.0, [4.0, 2.0])
    last = jet(np.exp, (0.0,), ([1.0] + [0.0] * 169,))[1][-1]
    np.testing.assert_allclose(last, 1.0)


def test_results_share_no_memory_and_arguments_stay():
    x, t = np.ones(3), np.ones(3)
    value, (first, second) = jet(lambda x: x, (x,), ([t, t],))
    for a in (first, second):
        assert not np.may_share_memory(a, t)
    assert not np.may_share_memory(first, second)
    first[:] = 7
    np.testing.assert_array_equal(t, np.ones(3))
    np.testing.assert_array_equal(value, x)
    value, (first,) = jet(lambda x: np.positive(x)[::-1], (x,), ([t],))
    assert not np.may_share_memory(first, t)


# ------------------------------------------------------------------ what it costs
COSTS = [
    np.exp, np.sin, np.tanh, np.log, np.sqrt, np.arctan, lambda x: x**2.5, lambda x: x**x,
    lambda x: np.sum(x) / (1 + x), lambda x: np.logaddexp(x, 2 * x), lambda x: np.outer(x, x) @ x,
    lambda x: np.max(np.exp(x)), lambda x: np.where(x > 1, np.sin(x), np.cos(x)),
    lambda x: np.linalg.det(np.outer(x, x) + np.eye(3)), np.cumprod, with_jvp,
    lambda x: np.linalg.solve(np.outer(x, x) + np.eye(3), x), lambda x: np.arctan2(x, x * x),
]  # fmt: skip


@pytest.mark.parametrize("g", COSTS)
def test_cost_is_a_polynomial_of_the_order(g, monkeypatch):
    # Twice the order is at most eight times the operations; for nested jvp it would be 32 times.
    calls = []
    upto = series.Operation.upto
    monkeypatch.setattr(series.Operation, "upto", lambda op, k: calls.append(k) or upto(op, k))

    def count(order):
        calls.clear()
        jet(g, (np.array([1.1, 1.2, 1.3]),), ([np.full(3, 0.1)] * order,))
        return len(calls)

    assert count(10) <= 8 * count(5) + 50


# ------------------------------------------------------------------ what it refuses
one = np.ones(2)
REFUSED = [
    (lambda: jet(3.0, (one,), ([one],)), errors.ArgumentError, "jet wants a function"),
    (lambda: jet(np.sin, one, ([one],)), errors.ArgumentError, "wants primals as a tuple"),
    (lambda: jet(np.sin, (one,), ()), errors.ArgumentError, "a series for each primal"),
    (lambda: jet(np.sin, (one,), (1.0,)), errors.ArgumentError, r"a list of derivatives at \[0\]"),
    (lambda: jet(np.sin, (one,), (None,)), errors.ArgumentError, r"a list of derivatives at \[0\]"),
    (lambda: jet(np.add, (one, one), ([one], [])), errors.ArgumentError, r"0 at \[1\]"),
    (lambda: jet(np.sin, (one,), ([one, 1.0],)), errors.ShapeError, r"derivative of shape \(2,\)"
                                                                    r" at \[0\]\[1\]"),
    (lambda: jet(np.sin, (one,), ([one.astype("f4")],)), errors.DtypeError, "of dtype float64"),
    (lambda: jet(np.sin, (1,), ([1],)), errors.DtypeError, "floating-point or complex"),
    (lambda: jet(np.sin, (1,), (None,)), errors.ArgumentError, "at least one argument with a"),
    (lambda: jet(lambda d: d["a"], ({"a": one},), ([one],)), errors.TreeError, "structure of the"),
    (lambda: jet(lambda x: "a", (one,), ([one],)), errors.DtypeError, "returns arrays in pytrees"),
    (lambda: jet(np.sin, (1.0,), ([1.0] * 171,)), errors.ArgumentError, "at most 170 derivatives"),
    (lambda: jet(fgrad.external(np.sin), (one,), ([one],)), errors.NoRuleError, "no derivative"),
    (lambda: jet(fgrad.external(np.sin, numeric=True), (one,), ([one] * 3,)), errors.NoRuleError,
     "differences lose all digits"),
    (lambda: jet(lambda x: fgrad.custom_vmap(lambda y: x * y)(x), (one,), ([one],)),
     errors.NoRuleError, "wants a rule"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "text"), REFUSED)
def test_refused(call, kind, text):
    with pytest.raises(kind, match=text) as caught:
        call()
    assert caught.value.came
    assert caught.value.to_do


def test_what_a_custom_function_closes_over_is_refused():
    def g(x):
        inner = fgrad.custom_jvp(lambda y: y * x)
        inner.defjvp(lambda xs, ts: (xs[0] * x, ts[0] * x))
        return inner(2.0 * x)

    with pytest.raises(errors.TracerConversionError, match="traced by the jet around it"):
        jet(g, (1.0,), ((1.0,),))


def test_escaped_tracers_are_refused():
    held = []
    jet(lambda x: held.append(x) or x, (1.0,), ((1.0,),))
    with pytest.raises(errors.EscapedTracerError, match="jet"):
        np.sin(held[0])


def test_numeric_differences_do_for_two_orders():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = jet(fgrad.external(np.sin, numeric=True), (0.3,), ((1.0, 0.0),))[1]
    np.testing.assert_allclose(got, [np.cos(0.3), -np.sin(0.3)], 1e-5)
