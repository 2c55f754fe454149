"""Reverse mode through compiled functions: one program forward, one back."""

from __future__ import annotations

from typing import Any

import numpy as np

import fgrad
from fgrad import grad, hessian, jit, jvp, scan, tree, value_and_grad, vjp, vmap

RNG = np.random.default_rng(0)
W, U, X = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 4)), RNG.normal(size=(5, 3))


def loss(w: Any, u: Any, x: Any) -> Any:
    return np.sum(np.tanh(np.tanh(x @ w) @ u))


def close(got: Any, want: Any) -> None:
    for y, z in zip(tree.leaves(got), tree.leaves(want), strict=True):
        assert (np.shape(y), np.result_type(y)) == (np.shape(z), np.result_type(z))
        np.testing.assert_allclose(y, z, rtol=1e-10, atol=1e-12)


def programs(f: Any, kind: str) -> list[Any]:
    """The compiled functions of a kind that were made of a compiled function."""
    return [made for key, made in f._derived.items() if key[0][0] == kind]


def test_the_forward_pass_runs_once() -> None:
    f = jit(loss)
    for _ in range(3):
        close(value_and_grad(f, (0, 1))(W, U, X), value_and_grad(loss, (0, 1))(W, U, X))
    (forward,) = programs(f, "ahead")
    assert not programs(f, "vjp")
    assert forward.source(W, U, X).count(" tanh(") == 2
    pullback = forward(W, U, X)[3]
    assert "tanh" not in str(pullback.graph)
    assert "matmul" in str(pullback.graph)


def test_operands_and_views_are_no_residuals() -> None:
    f = jit(loss)
    grad(f)(W, U, X)
    (forward,) = programs(f, "ahead")
    _, _, residuals, back = forward(W, U, X)
    assert [y.shape for y in residuals] == [(5, 4), (5, 4)]
    assert sorted(k for k in back.sources if k >= 0) == [0, 1, 2]


def test_only_the_cotangents_that_are_asked_for_are_computed() -> None:
    f = jit(loss)
    grad(f, 1)(W, U, X)
    (forward,) = programs(f, "ahead")
    pullback = forward(W, U, X)[3]
    (back,) = pullback._made.values()
    assert back._specs[0].root.source.count(".dot(") == 1


def test_paths_have_pullbacks_of_their_own() -> None:
    def f(x: Any) -> Any:
        return np.sum(np.sin(x)) if np.sum(x) > 0 else np.sum(np.exp(x) * x)

    compiled = grad(jit(f))
    for scale in (1.0, -1.0, 2.0, -2.0):
        x = np.array([1.0, 0.5]) * scale
        close(compiled(x), grad(f)(x))


def test_a_way_back_that_asks_for_values() -> None:
    """It computes the function again, where that can be compiled."""

    @fgrad.custom_vjp
    def clipped(x: Any) -> Any:
        return np.sin(x)

    clipped.defvjp(
        lambda x: (np.sin(x), x),
        lambda x, g: (g * np.cos(x) if np.sum(g) > 1 else g * 0.0,),
    )

    def f(x: Any, s: Any) -> Any:
        return np.sum(clipped(x) * s)

    x = np.array([1.0, 2.0])
    compiled = jit(f)
    for s in (3.0, 0.1, 3.0):
        close(grad(compiled)(x, s), grad(f)(x, s))
    (forward,) = programs(compiled, "ahead")
    assert forward(x, 3.0)[3] is None


def test_a_captured_array_is_read_at_each_call() -> None:
    data = np.ones(3)
    f = grad(jit(lambda w: np.sum(np.tanh(w * data))))
    plain = grad(lambda w: np.sum(np.tanh(w * data)))
    w = np.arange(3.0)
    for k in range(3):
        data[:] = k + 1
        close(f(w), plain(w))


def test_a_pullback_outlives_what_it_has_read() -> None:
    data = np.ones(3)
    _, pullback = vjp(jit(lambda w: np.sum(np.tanh(w * data))), np.arange(3.0))
    want = vjp(lambda w: np.sum(np.tanh(w)), np.arange(3.0))[1](1.0)
    data[:] = 7.0
    close(pullback(1.0), want)
    close(pullback(1.0), want)


def test_higher_orders_and_batches() -> None:
    def f(v: Any) -> Any:
        return np.sum(np.tanh(v @ U) ** 2) * np.sum(v)

    g, v = jit(f), RNG.normal(size=4)
    rows = RNG.normal(size=(3, 4))
    for _ in range(2):
        close(hessian(g)(v), hessian(f)(v))
        close(jvp(grad(g), (v,), (v,)), jvp(grad(f), (v,), (v,)))
        close(vmap(grad(g))(rows), vmap(grad(f))(rows))
        close(grad(lambda v: np.sum(vmap(grad(g))(rows * v)))(v),
              grad(lambda v: np.sum(vmap(grad(f))(rows * v)))(v))  # fmt: skip
        close(vmap(hessian(g))(rows), vmap(hessian(f))(rows))
        close(grad(lambda v: grad(lambda v: np.sum(grad(g)(v)))(v)[0])(v),
              grad(lambda v: grad(lambda v: np.sum(grad(f)(v)))(v)[0])(v))  # fmt: skip


def test_loops() -> None:
    def f(u: Any, xs: Any) -> Any:
        return np.sum(scan(lambda h, x: (np.tanh(h @ u + x), h), np.zeros(4), xs)[1])

    xs = RNG.normal(size=(6, 4))
    g = jit(f)
    for _ in range(2):
        close(grad(g, (0, 1))(U, xs), grad(f, (0, 1))(U, xs))
        close(hessian(lambda s: g(U * s, xs))(1.0), hessian(lambda s: f(U * s, xs))(1.0))


def test_results_and_arguments_of_all_kinds() -> None:
    def f(params: Any, n: int, name: str) -> Any:
        a, b = params["a"], params["b"]
        return {"loss": np.sum(np.sin(a)) * b * n, "count": n, "name": name, "half": a[:1] * b}

    def value(f: Any) -> Any:
        def total(params: Any) -> Any:
            out = f(params, 3, "x")
            assert out["name"] == "x"
            return out["loss"] + np.sum(out["half"]) * out["count"]

        return total

    params = {"a": np.ones(2, np.float32), "b": 2.0}
    for _ in range(2):
        close(value_and_grad(value(jit(f)))(params), value_and_grad(value(f))(params))


def test_unused_arguments_and_results_without_derivatives() -> None:
    def f(x: Any, y: Any) -> Any:
        return np.sum(x) * 2.0, np.argmax(x)

    x = np.array([1.0, 3.0])
    for _ in range(2):
        (value, place), pull = vjp(jit(f), x, x)
        assert (value, place) == (8.0, 1)
        close(pull((1.0, 0)), (np.full(2, 2.0), np.zeros(2)))
