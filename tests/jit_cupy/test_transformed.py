"""Compiled functions of CuPy's arrays under other transformations: compiled themselves."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import fgrad
from fgrad import jit, tree

from ..cupy import laws
from ..cupy.array import ndarray
from ..cupy.traffic import counted

RNG = np.random.default_rng(0)
X, W = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 3))


def loss(x, w):
    return np.sum(np.tanh(np.tanh(x @ w) * 2) ** 2)


TRANSFORMS = {
    "grad": lambda f: fgrad.grad(f, (0, 1)),
    "value_and_grad": fgrad.value_and_grad,
    "jvp": lambda f: lambda x, w: fgrad.jvp(f, (x, w), (x, w)),
    "vmap": lambda f: fgrad.vmap(lambda x, w: f(x[None], w), (0, None)),
    "vmap of grad": lambda f: fgrad.vmap(fgrad.grad(lambda x, w: f(x[None], w)), (0, None)),
    "hessian": fgrad.hessian,
    "grad of grad": lambda f: fgrad.grad(lambda x, w: np.sum(fgrad.grad(f)(x, w) ** 2)),
    "jacfwd": fgrad.jacfwd,
    "linearize": lambda f: lambda x, w: fgrad.linearize(lambda x: f(x, w), x)[1](x),
    "jit of grad": lambda f: jit(fgrad.grad(f)),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_numbers_are_the_hosts_and_nothing_waits(cupy, name):
    want = TRANSFORMS[name](loss)(X, W)
    compiled = jit(loss, strict=True)
    transformed = TRANSFORMS[name](compiled)
    for _ in range(3):
        x, w = cupy.asarray(X), cupy.asarray(W)
        with counted() as traffic:
            got = transformed(x, w)
    assert all(isinstance(y, ndarray) for y in tree.leaves(got))
    assert (traffic.syncs, traffic.to_host, traffic.to_device) == (0, 0, 0)
    laws.close(laws.back(got), want, name)


def test_forward_and_back_are_compiled_once(cupy):
    calls = []

    def f(x, w):
        calls.append(1)
        return loss(x, w)

    gradient = fgrad.grad(jit(f))
    for k in range(3):
        gradient(cupy.asarray(X * k), cupy.asarray(W))
    assert len(calls) == 1


def test_captured_arrays_are_read_at_each_call(cupy):
    here, there = np.ones(3), cupy.ones(3)
    gradient = fgrad.grad(jit(lambda x: np.sum(np.tanh(x) * there)))
    for scale in (1.0, 3.0):
        here[...] = scale
        there[...] = cupy.asarray(here)
        want = fgrad.grad(lambda x: np.sum(np.tanh(x) * here))(X)
        for _ in range(2):
            laws.close(laws.back(gradient(cupy.asarray(X))), want, "captured")


def test_truth_values_are_followed(cupy):
    f = jit(lambda x: np.sin(x) if np.sum(x) > 0 else np.cos(x))
    for sign in (1, -1, 1, -1):
        x = sign * np.abs(X)
        got = fgrad.grad(lambda x: np.sum(f(x)))(cupy.asarray(x))
        laws.close(laws.back(got), np.cos(x) if sign > 0 else -np.sin(x), "a branch")


class Holder:
    """An object with an array, which nobody sees change."""

    def __init__(self, scale):
        self.scale = scale

    def __call__(self, x, w):
        return np.sum(np.tanh(x @ w) * self.scale)


@pytest.mark.parametrize("name", ["grad", "jvp", "vmap", "hessian"])
def test_what_cannot_be_compiled_says_so_once_and_by_name(cupy, name):
    want = TRANSFORMS[name](Holder(np.full(3, 2.0)))(X, W)
    transformed = TRANSFORMS[name](jit(Holder(cupy.full(3, 2.0))))
    with pytest.warns(RuntimeWarning, match="`Holder`.*finds in objects") as said:
        got = transformed(cupy.asarray(X), cupy.asarray(W))
    assert len(said) == 1
    laws.close(laws.back(got), want, name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        laws.close(laws.back(transformed(cupy.asarray(X), cupy.asarray(W))), want, name)
