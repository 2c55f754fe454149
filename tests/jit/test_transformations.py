"""Every public transformation around compiled functions, and inside of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import fgrad
import fgrad.scipy.linalg
import fgrad.scipy.special
import fgrad_nn
from fgrad import grad, jit, jvp, random, tree, vmap

X = np.array([0.5, -1.0, 2.0])
M = np.random.default_rng(0).normal(size=(3, 3))


def value(x):
    return np.sum(np.sin(x) * x**2)


def vector(x):
    return np.tanh(x) * x[::-1]


jumps = fgrad.custom_jvp(lambda x: np.sin(x) * 2)
jumps.defjvp(lambda p, t: (jumps(*p), t[0] * np.cos(p[0]) * 2))
pulls = fgrad.custom_vjp(lambda x: np.sin(x) * 3)
pulls.defvjp(lambda x: (pulls(x), x), lambda x, g: (g * np.cos(x) * 3,))
mine = fgrad.custom_gradient(lambda x: (np.sin(x), lambda g: (g * 5,)))


def cubic(z, a):
    return z**3 + z - a


#: Name -> a function of what wraps the inner function, and an argument; what it gives.
CASES: dict[str, Any] = {
    "grad": lambda J, x: grad(J(value))(x),
    "value_and_grad": lambda J, x: fgrad.value_and_grad(J(value))(x),
    "jvp": lambda J, x: jvp(J(vector), (x,), (x,)),
    "vjp": lambda J, x: fgrad.vjp(J(vector), x)[1](x),
    "vmap": lambda J, x: vmap(J(value))(x * M),
    "hessian": lambda J, x: fgrad.hessian(J(value))(x),
    "jacfwd": lambda J, x: fgrad.value_and_jacfwd(J(vector))(x),
    "jacrev": lambda J, x: fgrad.value_and_jacrev(J(vector))(x),
    "jacobian": lambda J, x: fgrad.jacobian(J(vector))(x),
    "hvp": lambda J, x: fgrad.hvp(J(value), (x,), (x,)),
    "value_grad_hvp": lambda J, x: fgrad.value_grad_hvp(J(value), (x,), (x,)),
    "hessian_diagonal": lambda J, x: fgrad.hessian_diagonal(J(value))(x),
    "laplacian": lambda J, x: fgrad.laplacian(J(value))(x),
    "value_and_hessian": lambda J, x: fgrad.value_and_hessian(J(value))(x),
    "elementwise_grad": lambda J, x: fgrad.elementwise_grad(J(lambda x: np.sin(x) * x))(x),
    "linearize": lambda J, x: fgrad.linearize(J(vector), x)[1](x),
    "linear_transpose": lambda J, x: fgrad.linear_transpose(J(lambda t: 3 * t[::-1]), x)(x),
    "jet": lambda J, x: fgrad.jet(J(value), (x,), ((x, x),)),
    "checkpoint": lambda J, x: grad(J(fgrad.checkpoint(J(value))))(x),
    "make_graph": lambda J, x: fgrad.make_graph(J(vector))(x)(x * 2),
    "scan": lambda J, x: grad(lambda x: fgrad.scan(J(lambda c, t: (c * t + 1, c)), 1.0, x)[0])(x),
    "while_loop": lambda J, x: fgrad.while_loop(
        J(lambda c: np.sum(c**2) < 50), J(lambda c: c * 2 + 1), x),
    "fori_loop": lambda J, x: grad(
        lambda x: np.sum(fgrad.fori_loop(0, 4, J(lambda i, c: np.sin(c) * 2 + i), x)))(x),
    "cond": lambda J, x: grad(
        lambda x: np.sum(fgrad.cond(np.sum(x) > 0, J(np.sin), J(np.cos), x)))(x),
    "mapped cond": lambda J, x: vmap(
        lambda r: fgrad.cond(np.sum(r) > 0, J(np.sin), J(np.cos), r))(M * x),
    "switch": lambda J, x: fgrad.switch(np.argmax(x), [J(np.sin), J(np.cos), J(np.tanh)], x),
    "select": lambda J, x: fgrad.select(x > 0, J(np.sin), J(np.cos), x),
    "associative_scan": lambda J, x: fgrad.associative_scan(J(lambda a, b: a * b + a), x),
    "map": lambda J, x: fgrad.map(J(value), x * M),
    "psum": lambda J, x: grad(lambda x: np.sum(
        vmap(J(lambda r: np.sin(r) * fgrad.psum(r, "i")), axis_name="i")(x * M)))(x),
    "pmax": lambda J, x: vmap(J(
        lambda r: fgrad.pmax(r, "i") + fgrad.all_gather(r, "i")[0]), axis_name="i")(x * M),
    "random": lambda J, x: J(lambda k, x: random.normal(k, (3,)) * x)(random.key(3), x),
    "gamma": lambda J, x: grad(J(
        lambda a: np.sum(random.gamma(random.key(2), np.exp(a)))))(x),
    "keys": lambda J, x: vmap(J(lambda k: random.normal(k, (2,))))(random.split(random.key(0), 3)),
    "permutation": lambda J, x: J(lambda x: random.permutation(random.key(0), x))(x),
    "fixed_point": lambda J, x: grad(lambda a: np.sum(
        fgrad.fixed_point(J(lambda z, a: np.cos(z) * a), np.full(3, 0.5), a)))(x * 0.3),
    "root": lambda J, x: grad(lambda a: np.sum(fgrad.root(J(cubic), np.zeros(3), a)))(x),
    "argmin": lambda J, x: grad(lambda a: np.sum(
        fgrad.argmin(J(lambda z, a: np.sum((z - a) ** 2 + 0.1 * z**4)), np.zeros(3), a)))(x),
    "solve": lambda J, x: grad(J(lambda x: np.sum(np.linalg.solve(np.eye(3) * 3 + M @ M.T, x))))(x),
    "eigh": lambda J, x: grad(J(lambda x: np.sum(np.linalg.eigh(x * M + (x * M).T)[0] ** 3)))(x),
    "svd": lambda J, x: J(np.linalg.svd)(x * M),
    "fft": lambda J, x: grad(J(lambda x: np.sum(np.abs(np.fft.rfft(x)) ** 2)))(x),
    "einsum": lambda J, x: grad(J(lambda x: np.sum(np.einsum("ij,jk->i", x * M, M) ** 2)))(x),
    "logsumexp": lambda J, x: grad(J(fgrad.scipy.special.logsumexp))(x),
    "expm": lambda J, x: J(fgrad.scipy.linalg.expm)(x * M),
    "at": lambda J, x: grad(J(lambda x: np.sum(fgrad.at(x)[np.array([0, 0, 2])].add(x) ** 2)))(x),
    "sort": lambda J, x: J(lambda x: (np.sort(x), np.argsort(x), np.median(x), np.pad(x, 1)))(x),
    "stop_gradient": lambda J, x: grad(J(lambda x: np.sum(fgrad.stop_gradient(x) * x)))(x),
    "pure_callback": lambda J, x: vmap(J(
        lambda x: fgrad.pure_callback(lambda y: y**2, np.empty(3), x)))(x * M),
    "custom_jvp": lambda J, x: jvp(J(jumps), (x,), (x,)),
    "custom_vjp": lambda J, x: vmap(grad(J(pulls)))(x),
    "custom_gradient": lambda J, x: grad(J(lambda x: np.sum(mine(x))))(x),
    "sequential_vmap": lambda J, x: vmap(J(fgrad.sequential_vmap(value)))(x * M),
    "activations": lambda J, x: grad(J(lambda x: np.sum(
        fgrad_nn.gelu(x) + fgrad_nn.softmax(x) + fgrad_nn.relu(x))))(x),
    "complex": lambda J, x: J(lambda x: np.abs(np.exp(1j * x) * x) + np.angle(x + 1j))(x),
}  # fmt: skip


def itself(f: Any) -> Any:
    return f


@pytest.mark.parametrize("name", CASES)
def test_around_and_inside(name: str) -> None:
    case = CASES[name]
    plain = partial(case, itself)
    for compiled in (partial(case, jit), jit(plain), jit(partial(case, jit))):
        for x in (X, X, X * 1.1):
            got, want = compiled(x), plain(x)
            assert tree.structure(got) == tree.structure(want)
            for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
                assert (np.shape(a), np.result_type(a)) == (np.shape(b), np.result_type(b))
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
