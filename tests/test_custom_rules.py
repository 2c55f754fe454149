"""custom_jvp and custom_vjp: in every mode, with every kind of argument, and misused."""

import functools

import numpy as np
import pytest

import fgrad
from fgrad import custom_jvp, custom_vjp, grad, hessian, jacfwd, jvp, make_graph, tree, vjp, vmap
from fgrad.errors import (
    ArgumentError,
    DtypeError,
    NoRuleError,
    ShapeError,
    TracerConversionError,
    TreeError,
)
from fgrad.testing import check_grads

X = np.array([0.5, -1.0, 2.0])
T = np.array([1.0, 2.0, -1.0])


def plain(p, x):
    return {"y": np.sin(p["a"] * x), "n": (np.sum(x) * p["b"],)}


def point():
    return {"a": X + 1, "b": 1.5}, X


def by_jvp(calls):
    """`plain` with a jvp rule that notes that it was called."""

    @custom_jvp
    def f(p, x):
        return plain(p, x)

    @f.defjvp
    def rule(primals, tangents):
        calls.append("jvp")
        (p, x), (tp, tx) = primals, tangents
        c = np.cos(p["a"] * x)
        ty = c * (tp["a"] * x + p["a"] * tx)
        return f(p, x), {"y": ty, "n": (np.sum(tx) * p["b"] + np.sum(x) * tp["b"],)}

    return f


def by_vjp(calls):
    """`plain` with a vjp rule that notes that it was called."""

    @custom_vjp
    def f(p, x):
        return plain(p, x)

    def forward(p, x):
        calls.append("forward")
        return f(p, x), (p, x)

    def backward(residuals, g):
        calls.append("backward")
        p, x = residuals
        c = g["y"] * np.cos(p["a"] * x)
        ct = {"a": c * x, "b": np.sum(x) * g["n"][0]}
        return ct, c * p["a"] + g["n"][0] * p["b"]

    f.defvjp(forward, backward)
    return f


KINDS = pytest.mark.parametrize("make", [by_jvp, by_vjp])


def same(a, b):
    assert tree.structure(a) == tree.structure(b)
    for x, y in zip(tree.leaves(a), tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)
        assert np.shape(x) == np.shape(y)


@KINDS
def test_in_every_mode_it_is_the_function_with_its_own_rule(make):
    calls = []
    f, (p, x) = make(calls), point()
    same(f(p, x), plain(p, x))
    same(f(p, x=x), plain(p, x))
    assert not calls
    t = tree.map(lambda y: np.asarray(y) * 0.5 if np.ndim(y) else 0.5, p)
    same(jvp(f, (p, x), (t, T)), jvp(plain, (p, x), (t, T)))
    assert calls
    calls.clear()
    y, pullback = vjp(f, p, x)
    same(y, plain(p, x))
    g = {"y": T, "n": (2.0,)}
    same(pullback(g), vjp(plain, p, x)[1](g))
    assert calls
    # Only one of the arguments and of the results.
    for of in (lambda h: lambda x: h(p, x)["y"], lambda h: lambda x: h({"a": x, "b": 2.0}, X)["n"]):
        for jac in (jacfwd, fgrad.jacrev):
            same(jac(of(f))(x), jac(of(plain))(x))


def total(f):
    def loss(p, x):
        out = f(p, x)
        return np.sum(out["y"] ** 2) * out["n"][0]

    return loss


@KINDS
def test_second_order_in_all_nestings(make):
    f, (p, x) = total(make([])), point()
    g = total(plain)
    same(hessian(f, (0, 1))(p, x), hessian(g, (0, 1))(p, x))
    rev = grad(lambda x: np.sum(grad(f, 1)(p, x) * T))(x)
    np.testing.assert_allclose(rev, grad(lambda x: np.sum(grad(g, 1)(p, x) * T))(x))
    fwd = jvp(lambda x: jvp(lambda x: f(p, x), (x,), (T,))[1], (x,), (T,))
    same(fwd, jvp(lambda x: jvp(lambda x: g(p, x), (x,), (T,))[1], (x,), (T,)))
    same(
        grad(lambda x: jvp(lambda x: f(p, x), (x,), (T,))[1])(x),
        grad(lambda x: jvp(lambda x: g(p, x), (x,), (T,))[1])(x),
    )


@KINDS
@pytest.mark.parametrize("axes", [(None, 0), (0, None), (0, 0), ({"a": 0, "b": None}, 0)])
def test_mapped(make, axes):
    f, (p, x) = make([]), point()
    many = {"a": np.stack([p["a"], 2 * p["a"]]), "b": np.array([1.5, 2.0])}
    first = {None: p, 0: many}[axes[0]] if axes[0] in (None, 0) else {**many, "b": 1.5}
    args = (first, x if axes[1] is None else np.stack([x, 2 * x]))

    def transformed(h):
        mapped = vmap(h, axes)
        return [
            mapped(*args),
            vmap(grad(total(h), (0, 1)), axes)(*args),
            grad(lambda p, x: np.sum(vmap(total(h), axes)(p, x)), (0, 1))(*args),
            vmap(lambda p, x: jvp(lambda x: h(p, x), (x,), (T,)), axes)(*args),
            jvp(lambda x: mapped(args[0], x), args[1:], args[1:]),
        ]

    same(transformed(f), transformed(plain))


@KINDS
def test_staged(make):
    calls = []
    f, (p, x) = make(calls), point()
    graph = make_graph(f)(p, x)
    assert str(graph).count(" f(") == 1
    same(graph(p, 2 * x), plain(p, 2 * x))
    assert not calls
    same(jacfwd(lambda x: graph(p, x))(2 * x), jacfwd(lambda x: plain(p, x))(2 * x))
    assert calls
    same(make_graph(grad(total(f)))(p, x)(p, 2 * x), grad(total(plain))(p, 2 * x))


def test_the_rule_decides_and_not_the_function():
    @custom_jvp
    def f(x):
        return x * x

    f.defjvp(lambda primals, tangents: (f(*primals), 100 * tangents[0]))
    assert (grad(f)(3.0), jvp(f, (3.0,), (1.0,))[1]) == (100, 100)
    f.defjvps(lambda t, ans, x: t * ans)
    assert (grad(f)(3.0), grad(grad(f))(3.0)) == (9, 9 * 1)

    @custom_vjp
    def clip(x):
        return x

    clip.defvjp(lambda x: (x, None), lambda _, g: (np.clip(g, -1, 1),))
    np.testing.assert_array_equal(grad(lambda x: 5 * np.sum(clip(x)))(X), np.ones(3))


def test_jvps_with_none_and_several_arguments():
    f = custom_jvp(lambda x, y, z: x * y + z)
    f.defjvps(lambda t, ans, x, y, z: t * y, None, lambda t, ans, x, y, z: t)
    assert grad(f, (0, 1, 2))(2.0, 3.0, 4.0) == (3.0, 0.0, 1.0)
    assert jvp(f, (2.0, 3.0, 4.0), (1.0, 1.0, 1.0))[1] == 4.0
    f.defjvps(None)
    with pytest.raises(ArgumentError, match="defjvps wants a rule for each argument"):
        grad(f)(1.0, 2.0, 3.0)


def test_nondiff_arguments():
    @functools.partial(custom_jvp, nondiff_argnums=(0, 2))
    def power(n, x, how):
        assert how == "fast"
        return x**n

    @power.defjvp
    def rule(n, how, primals, tangents):
        return power(n, *primals, how), n * primals[0] ** (n - 1) * tangents[0]

    np.testing.assert_allclose(grad(lambda x: power(3, x, "fast").sum())(X), 3 * X**2)
    np.testing.assert_allclose(grad(lambda x: power(3, x, how="fast").sum())(X), 3 * X**2)
    with pytest.raises(TracerConversionError, match="untraced values as its nondiff argument 0"):
        grad(lambda n: power(n, 2.0, "fast"))(3.0)

    f = custom_vjp(lambda x, f: f(x), nondiff_argnames="f")
    f.defvjp(lambda x, f: (f(x), x), lambda f, x, g: (g * f(x),))
    np.testing.assert_allclose(grad(lambda x: f(x, np.exp).sum())(X), np.exp(X))
    np.testing.assert_allclose(vmap(grad(lambda x: f(x, np.exp)))(X), np.exp(X))
    with pytest.raises(ArgumentError, match=r"among the parameters(.|\n)*they are x, f"):
        custom_vjp(lambda x, f: f(x), nondiff_argnames="g")
    with pytest.raises(DtypeError, match=r"'spam' \(a str\) at \[0\](.|\n)*nondiff_argnums"):
        power(3, "spam", "fast")


def test_integers_methods_and_python_floats():
    @custom_vjp
    def pick(x, i):
        return x[i], i

    pick.defvjp(
        lambda x, i: (pick(x, i), (x, i)),
        lambda res, g: (fgrad.at(np.zeros(3))[res[1]].add(g[0]), None),
    )
    np.testing.assert_array_equal(grad(lambda x: pick(x, np.array(1))[0])(X), [0, 1, 0])
    y, t = jvp(lambda x: pick(x, np.array(1)), (X,), (T,))
    assert (y, t[0]) == ((-1.0, 1), 2.0)

    class Model:
        scale = 3.0

        @functools.partial(custom_jvp, nondiff_argnums=0)
        def f(self, x):
            return self.scale * x

    Model.f.defjvp(lambda self, primals, tangents: (self.f(*primals), 100 * tangents[0]))
    assert (Model().f(2.0), grad(Model().f)(2.0)) == (6.0, 100.0)
    f = custom_vjp(lambda x, y: x * y)
    f.defvjp(lambda x, y: (x * y, (x, y)), lambda r, g: (g * r[1], g * r[0]))
    assert type(grad(f)(2.0, 3.0)) is float
    g = grad(f)(np.float32(2), np.float32(3))
    assert g.dtype == np.float32


def test_wrong_rules_are_named():
    f = custom_jvp(lambda x: {"y": x})
    with pytest.raises(NoRuleError, match=r"wants a rule(.|\n)*\.defjvp"):
        f(X)
    x = {"y": X}
    cases = [
        (lambda p, t: x, ArgumentError, "wants to return a pair"),
        (lambda p, t: (x, X), TreeError, "tangent of the result's structure"),
        (lambda p, t: (x, {"y": X[:2]}), ShapeError, r"tangent of shape \(3,\) at \['y'\]"),
        (lambda p, t: (x, {"y": X.astype("f4")}), DtypeError, r"dtype float64 at \['y'\]"),
        (lambda p, t: ("spam", x), DtypeError, "return arrays in pytrees"),
    ]
    for rule, error, match in cases:
        f.defjvp(rule)
        for call in (lambda: jvp(f, (X,), (X,)), lambda: vjp(f, X)):
            with pytest.raises(error, match=match):
                call()
    f.defjvp(lambda p, t: (x, None))
    np.testing.assert_array_equal(jvp(f, (X,), (X,))[1]["y"], 0 * X)

    f = custom_vjp(lambda p: p["a"] * 2)
    with pytest.raises(NoRuleError, match=r"defvjp\(forward, backward\)"):
        f({"a": X})
    cases = [
        (lambda r, g: {"a": g}, ArgumentError, r"tuple with a cotangent(.|\n)*return \(ct,\)"),
        (lambda r, g: (g, g), ArgumentError, "for 1 arguments"),
        (lambda r, g: ({"b": g},), TreeError, "structure of argument 0"),
        (lambda r, g: ({"a": g[:2]},), ShapeError, r"cotangent of shape \(3,\) at \[0\]\['a'\]"),
        (lambda r, g: ({"a": g.astype("f4")},), DtypeError, r"dtype float64 at \[0\]\['a'\]"),
    ]
    for bwd, error, match in cases:
        f.defvjp(lambda p: (p["a"] * 2, None), bwd)
        for call in (lambda: vjp(f, {"a": X})[1](X), lambda: jvp(f, ({"a": X},), ({"a": X},))):
            with pytest.raises(error, match=match):
                call()
    f.defvjp(lambda p: (p["a"] * 2, None), lambda r, g: (None,))
    np.testing.assert_array_equal(vjp(f, {"a": X})[1](X)[0]["a"], 0 * X)
    f.defvjp(lambda p: p["a"], None)
    with pytest.raises(NoRuleError):
        f({"a": X})


def test_closing_over_traced_values():
    def outer(a, transform):
        f = custom_jvp(lambda x: a * x)
        f.defjvp(lambda p, t: (f(*p), a * t[0]))
        return transform(f, a)

    # Of an outer transformation: as any other value.
    assert grad(lambda a: outer(a, lambda f, a: grad(f)(2.0) * f(2.0)))(3.0) == 12.0
    for transform in (grad, lambda h: lambda a: jvp(h, (a,), (1.0,)), make_graph):
        with pytest.raises(TracerConversionError, match=r"closes over(.|\n)*pass the value as"):
            transform(lambda a: outer(a, lambda f, a: f(a)))(3.0)
    with pytest.raises(TracerConversionError, match="traced by the vmap around it"):
        vmap(lambda a: outer(a, lambda f, a: f(a)))(X)


def test_a_declared_function_of_two_operands_keeps_its_rule_in_every_nesting():
    times = fgrad.elementwise(
        lambda x, y: x * y, lambda ans, x, y: 10 * y, lambda ans, x, y: 10 * x, name="times"
    )
    assert grad(times)(2.0, 3.0) == 30
    inner = grad(lambda x: times(x, x * x))
    assert grad(lambda x: grad(lambda y: times(x, y) * y)(3.0))(2.0) == 3 * 10 + 30
    assert inner(2.0) == 10 * 4 + 10 * 2 * 4
    assert times.__name__ == "times"
    assert "times" not in fgrad.core.PRIMITIVES


def test_one_rule_for_all_operands_is_called_once():
    calls = []

    def pull(g, ans, x, y):
        calls.append(g)
        return g * y, g * x

    def push(ts, ans, x, y):
        return sum(t * z for t, z in zip(ts, (y, x), strict=True) if t is not None)

    @fgrad.primitive(lambda x, y: x * y, name="product", jvp=push, vjp=pull)
    def product(x, y):
        return (x, y), {}

    assert grad(product, (0, 1))(2.0, 3.0) == (3.0, 2.0)
    assert grad(product, 1)(2.0, 3.0) == 2.0
    assert len(calls) == 2
    check_grads(product, (X, X + 1.0), order=2)
    np.testing.assert_allclose(fgrad.jit(vmap(grad(product, (0, 1))))(X, X + 1.0), (X + 1.0, X))


def test_a_rule_with_too_few_arguments_is_refused_when_it_is_declared():
    declare = fgrad.primitive(
        lambda x, y: x * y, name="product", jvp=lambda ts, ans, x, y: ts[0] * y,
        vjp=[lambda g, ans, x, y: g * y, lambda g, x: g * x],
    )  # fmt: skip
    with pytest.raises(
        ArgumentError, match=r"rules of product.*4 arguments.*\n.*of 2: .*\n.*name all"
    ):
        declare(lambda x, y: ((x, y), {}))
