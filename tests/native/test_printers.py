"""What is printed: LLVM's language and C say the same, nets are printed once, nothing is loose."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import fgrad
from fgrad.compiler.native import c, llvm

from .laws_of_native import kernels

RNG = np.random.default_rng(4)


def network(params, x):
    for w, b in params:
        x = np.tanh(x @ w + b)
    return np.sum(x * x)


def elementwise(x, y):
    b = x > y
    z = np.where(b & (x < 1), np.exp(x), np.maximum(x, y)) + np.rint(y) * b
    return np.sum(z, axis=0), np.max(z, axis=1), np.fmin(x, y), np.sign(x), ~b, np.sqrt(y * y)


def loop(x, xs):
    def more(state):
        return np.sum(state[0]) < 50

    def step(c, x):
        c = fgrad.cond(np.sum(c) > 0, lambda c: c - x, lambda c: c * 0.5 + x * x, c)
        return c, c * 2

    c, ys = fgrad.scan(step, x, xs)
    return c, ys, fgrad.while_loop(more, lambda s: (s[0] * 1.5 + 1,), (np.abs(c),))


CASES = {
    "network": (
        fgrad.value_and_grad(network),
        ([(RNG.normal(size=(9, 20)), RNG.normal(size=20)),
          (RNG.normal(size=(20, 30)), RNG.normal(size=30))], RNG.normal(size=(40, 9))),
    ),
    "elementwise": (elementwise, (RNG.normal(size=(7, 9)), RNG.normal(size=(7, 9)))),
    "single": (
        elementwise,
        (RNG.normal(size=(7, 9)).astype("f4"), RNG.normal(size=(7, 9)).astype("f4")),
    ),
    "loop": (loop, (RNG.normal(size=12), RNG.normal(size=(5, 12)))),
}  # fmt: skip


def compiled(name):
    f, args = CASES[name]
    g = fgrad.jit(f, backend="native")
    g(*args)
    return kernels(g)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no compiler of C")
@pytest.mark.parametrize("name", CASES)
def test_c_is_of_the_same_opinion(name, tmp_path: Path):
    for kernel in compiled(name):
        (tmp_path / "k.c").write_text(c.text(kernel.loops, "kernel"))
        options = ["-O1", "-ffp-contract=off", "-fwrapv", "-shared", "-fPIC", "-Wall", "-Werror",
                   "-Wno-unused", "-o"]  # fmt: skip
        command = ["gcc", *options, str(tmp_path / "k.so"), str(tmp_path / "k.c"), "-lm"]
        subprocess.run(command, check=True)
        ours, theirs = [], []
        for p in kernel.parameters:
            x = np.zeros(p.shape, p.dtype)
            if not p.written:
                x[...] = RNG.normal(size=p.shape)
            ours.append(x)
            theirs.append(x.copy())
        assert kernel.function(*ours)
        library = ctypes.CDLL(str(tmp_path / "k.so"))
        library.kernel(*[ctypes.c_void_p(x.ctypes.data) for x in theirs])
        for x, y, p in zip(ours, theirs, kernel.parameters, strict=True):
            if p.dtype != np.uint8:  # the workspace may hold anything
                rtol = 1e-5 if p.dtype == np.float32 else 1e-12
                np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol)


def test_equal_nests_are_one_function():
    def f(x):
        for _ in range(30):
            x = np.tanh(x @ W)
        return np.sum(x)

    g = fgrad.jit(fgrad.grad(f), backend="native")
    g(RNG.normal(size=(16, 16)))
    (kernel,) = kernels(g)
    assert len(kernel.loops.functions) < 16


W = RNG.normal(size=(16, 16)) / 4


def test_the_text_is_the_same_each_time_and_nothing_in_it_is_fast():
    for name in CASES:
        texts = [[llvm.text(k.loops, "kernel") for k in compiled(name)] for _ in range(2)]
        assert texts[0] == texts[1]
        for text in texts[0]:
            words = set(text.replace(",", " ").split())
            assert not words & {"fast", "nnan", "ninf", "nsz", "arcp", "afn"}
