"""Every transformation of arrays on the device: the host's numbers, without asking the host."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

import fgrad
from fgrad import tree

from . import laws
from .array import ndarray
from .library import LIBRARY
from .traffic import counted

X = np.arange(1.0, 7.0).reshape(2, 3) / 4
W = np.ones((3, 3)) / 2


def f(x):
    return np.sum(np.tanh(x) ** 3)


@fgrad.custom_vjp
def product(x, y):
    return x * y


product.defvjp(lambda x, y: (x * y, (x, y)), lambda saved, g: (g * saved[1], None))


@fgrad.custom_jvp
def double(x):
    return x * 2


double.defjvp(lambda primals, tangents: (primals[0] * 2, tangents[0] * 2))


def rolled(w, x):
    last, steps = fgrad.scan(lambda c, v: (np.tanh(c @ w + v), c), x[0], x)
    return np.sum(last) + np.sum(steps)


CASES = {
    "grad": lambda x, w: fgrad.grad(f)(x),
    "value_and_grad": lambda x, w: fgrad.value_and_grad(f)(x),
    "grad of a tree": lambda x, w: fgrad.grad(lambda p: f(p["a"] @ p["b"][0]))({"a": x, "b": [w]}),
    "jvp": lambda x, w: fgrad.jvp(f, (x,), (x,)),
    "vjp": lambda x, w: fgrad.vjp(np.tanh, x)[1](x),
    "hessian": lambda x, w: fgrad.hessian(f)(x),
    "jacrev": lambda x, w: fgrad.jacrev(np.tanh)(x),
    "jacfwd": lambda x, w: fgrad.jacfwd(np.tanh)(x),
    "hvp": lambda x, w: fgrad.hvp(f, (x,), (x,)),
    "linearize": lambda x, w: fgrad.linearize(np.tanh, x)[1](x),
    "linear_transpose": lambda x, w: fgrad.linear_transpose(lambda v: v @ w, x)(x),
    "elementwise_grad": lambda x, w: fgrad.elementwise_grad(np.tanh)(x),
    "jet": lambda x, w: fgrad.jet(np.tanh, (x,), ((x, x),)),
    "vmap": lambda x, w: fgrad.vmap(fgrad.grad(lambda v: np.sum(np.tanh(v @ w))))(x),
    "vmap, matrices": lambda x, w: fgrad.vmap(lambda v: w @ v, out_axes=1)(x),
    "psum": lambda x, w: fgrad.vmap(lambda v: v / fgrad.psum(v, "i"), axis_name="i")(x),
    "graph": lambda x, w: fgrad.make_graph(fgrad.grad(f))(x)(x * 2),
    "checkpoint": lambda x, w: fgrad.grad(fgrad.checkpoint(f))(x),
    "scan": lambda x, w: fgrad.grad(rolled, (0, 1))(w, x),
    "fori_loop": lambda x, w: fgrad.grad(
        lambda v: np.sum(fgrad.fori_loop(0, 3, lambda i, c: np.sin(c), v)))(x),
    "while_loop": lambda x, w: fgrad.while_loop(
        lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] * 2), (0, x))[1],
    "cond": lambda x, w: fgrad.grad(
        lambda v: np.sum(fgrad.cond(True, np.sin, np.cos, v)))(x),
    "map": lambda x, w: fgrad.map(lambda v: v * 2, x),
    "associative_scan": lambda x, w: fgrad.associative_scan(np.multiply, x),
    "custom_vjp": lambda x, w: fgrad.grad(lambda v: np.sum(product(v, v)))(x),
    "custom_jvp": lambda x, w: fgrad.vmap(fgrad.grad(lambda v: np.sum(double(v))))(x),
    "stop_gradient": lambda x, w: fgrad.grad(lambda v: np.sum(v * fgrad.stop_gradient(v)))(x),
    "ravel": lambda x, w: tree.ravel({"x": x, "w": w})[0],
    "aux": lambda x, w: fgrad.grad(lambda v: (f(v), {"y": np.exp(v), "x": v}), has_aux=True)(x),
    "jit": lambda x, w: fgrad.jit(fgrad.grad(lambda v: f(v @ w)))(x),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_transformations_stay_on_the_device(cupy, name):
    want = CASES[name](X, W)
    x, w = cupy.asarray(X), cupy.asarray(W)
    with counted() as traffic:
        got = CASES[name](x, w)
    arrays = [y for y in tree.leaves(got) if not isinstance(y, int)]
    assert all(isinstance(y, ndarray) for y in arrays)
    looks = int(name == "jit")  # once, at a constant that is compiled
    assert (traffic.syncs, traffic.to_host) == (looks, looks)
    laws.close(laws.back(got), want, name)
    np.testing.assert_array_equal(x._a, X)


def test_a_condition_on_the_device_is_asked_once(cupy):
    x = cupy.asarray(X)
    with counted() as traffic:
        fgrad.grad(lambda v: np.sum(fgrad.cond(v[0, 0] < 1, np.sin, np.cos, v)))(x)
    assert traffic.syncs <= 1


def test_values_are_shown(cupy):
    seen = []
    fgrad.grad(lambda v: seen.append(str(v)) or np.sum(v))(cupy.asarray(X[0]))
    assert "0.25" in seen[0]


# ------------------------------------------------------------------ compiled functions
def test_a_compiled_function_sees_arrays_that_change(cupy):
    x, c = cupy.asarray(X), cupy.asarray(X)
    of_argument = fgrad.jit(lambda v: np.sum(v * 2))
    of_captured = fgrad.jit(lambda s: s * np.sum(c))
    of_nothing = fgrad.jit(lambda: np.sum(c))
    of_number = fgrad.jit(lambda: float(np.sum(c)))
    for scale in (1.0, 3.0):
        x[...], c[...] = cupy.asarray(scale * X), cupy.asarray(scale * X)
        assert of_argument(x).item() == 2 * scale * X.sum()
        assert of_captured(2.0).item() == 2 * scale * X.sum()
        assert of_nothing().item() == scale * X.sum()
        with pytest.warns(RuntimeWarning, match="Python float") if scale == 1 else nullcontext():
            assert of_number() == scale * X.sum()


def test_a_compiled_function_serves_both_devices(cupy):
    step = fgrad.jit(fgrad.grad(f))
    want = fgrad.grad(f)(X)
    for _ in range(2):
        assert isinstance(step(cupy.asarray(X)), ndarray)
        laws.close(step(X), want, "host")
        laws.close(laws.back(step(cupy.asarray(X))), want, "device")


@pytest.mark.parametrize("transform", [fgrad.grad, lambda f: fgrad.vmap(fgrad.grad(f))])
def test_a_compiled_function_is_transformed(cupy, transform):
    compiled = transform(fgrad.jit(f))
    laws.close(laws.back(compiled(cupy.asarray(X))), transform(f)(X), "jit inside")


@pytest.mark.parametrize("which", [True, False])
def test_a_branchs_result_that_nobody_reads_has_zeros_of_the_device(which):
    def first(x, y):
        condition = np.sum(x) > 0 if which else np.sum(x) < 0
        a, _ = fgrad.cond(condition, lambda x, y: (x * y, x + y), lambda x, y: (y, x), x, y)
        return np.sum(a * a)

    xs = np.arange(3.0), np.full(3, 2.0)
    there = [LIBRARY.asarray(x) for x in xs]
    recorded = fgrad.make_graph(first)(*there)  # in which the branch is one operation
    got = fgrad.grad(recorded, (0, 1))(*there)
    for found, wanted in zip(got, fgrad.grad(first, (0, 1))(*xs), strict=True):
        assert isinstance(found, ndarray)
        np.testing.assert_array_equal(found.get(), wanted)
