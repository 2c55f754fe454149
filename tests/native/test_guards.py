"""Machine code gets no array that it wasn't compiled for: each is checked, copied, or refused."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fgrad
from fgrad.compiler.native import kernels as kernels_module

from .laws_of_native import close, kernels


def f(x, y):
    return np.tanh(x) * y + np.exp(-x), np.sum(x * y, axis=0)


SHAPE = (6, 5)
G = fgrad.jit(f, backend="native")
X, Y = (np.random.default_rng(k).normal(size=SHAPE) for k in range(2))
G(X, Y)


class Sub(np.ndarray):
    """A class of arrays that the machine code doesn't know."""


def strange(kind: str, x: np.ndarray) -> np.ndarray:
    """An array of the same values that lies otherwise."""
    if kind == "fortran":
        return np.asfortranarray(x)
    if kind == "strided":
        wide = np.zeros((12, 10))
        wide[::2, ::2] = x
        return wide[::2, ::2]
    if kind == "backwards":
        return x[::-1, ::-1].copy()[::-1, ::-1]
    if kind == "misaligned":
        raw = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float64).reshape(x.shape)
        raw[...] = x
        return raw
    if kind == "readonly":
        y = x.copy()
        y.flags.writeable = False
        return y
    if kind == "swapped":
        return x.astype(x.dtype.newbyteorder())
    if kind == "subclass":
        return x.copy().view(Sub)
    if kind == "tagged":
        return x.astype(np.dtype(np.float64, metadata={"unit": "m"}))
    if kind == "borrowed":
        return np.frombuffer(bytearray(x.tobytes()), x.dtype).reshape(x.shape)
    if kind == "broadcast":
        return np.broadcast_to(x[:1], x.shape)
    assert kind == "single"
    return x.astype(np.float32)


KINDS = ["fortran", "strided", "backwards", "misaligned", "readonly", "swapped", "subclass",
         "tagged", "borrowed", "broadcast", "single"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_that_lie_otherwise_are_copied_or_compiled_for(kind):
    x, y = strange(kind, X), strange(kind, Y)
    for pair in ((x, Y), (X, y), (x, y)):
        want = f(*map(np.array, pair))
        for _ in range(3):
            for a, b in zip(G(*pair), want, strict=True):
                close(a, b, 16 if kind != "single" else 2.0**34)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(KINDS), max_size=3), st.lists(st.sampled_from(KINDS), max_size=3))
def test_in_any_composition(left, right):
    x, y = X, Y
    for kind in left:
        x = strange(kind, x)
    for kind in right:
        y = strange(kind, y)
    for a, b in zip(G(x, y), f(np.array(x), np.array(y)), strict=True):
        close(a, b, 2.0**34 if "single" in (*left, *right) else 16)


def arguments(kernel):
    """Arrays that a kernel takes."""
    out = []
    for p in kernel.parameters:
        x = np.empty(p.shape, p.dtype, "C" if p.steps() == np.empty(p.shape, p.dtype).strides
                     else "F")  # fmt: skip
        x.fill(1)
        out.append(x)
    return out


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("readonly", "borrowed")])
def test_a_kernel_refuses_them_and_writes_nothing(kind):
    (kernel,) = [k for k in kernels(G) if k.parameters[0].dtype == np.float64][:1]
    args = arguments(kernel)
    assert kernel.function(*args)
    for i, p in enumerate(kernel.parameters):
        if p.shape != SHAPE or p.dtype != np.float64:
            continue
        wrong = arguments(kernel)
        before = [x.copy() for x in wrong]
        wrong[i] = strange(kind, wrong[i])
        assert kernel.function(*wrong) is False
        for j, (x, y) in enumerate(zip(wrong, before, strict=True)):
            assert j == i or np.array_equal(x, y)


def test_a_kernel_does_not_write_into_what_is_readonly():
    (kernel,) = kernels(G)[:1]
    for i, p in enumerate(kernel.parameters):
        if p.written:
            args = arguments(kernel)
            args[i].flags.writeable = False
            assert kernel.function(*args) is False


@pytest.mark.parametrize(
    "wrong", [None, 1.0, "x", [1.0], object(), np.float64(1), X[0], X.T, X[:5]]
)
def test_a_kernel_refuses_what_is_no_such_array(wrong):
    (kernel,) = kernels(G)[:1]
    for i in range(len(kernel.parameters)):
        args = arguments(kernel)
        args[i] = wrong
        if kernel.parameters[i].fits(wrong):
            continue
        assert kernel.function(*args) is False
    assert kernel.function() is False
    assert kernel.function(*arguments(kernel), X) is False


def test_what_another_part_of_the_program_made_wrong_is_refused_in_words():
    (kernel,) = kernels(G)[:1]
    args = arguments(kernel)
    args[0] = args[0][:3]
    with pytest.raises(RuntimeError, match=r"wants float64\[6, 5\], got float64\[3, 5\]"):
        kernel.again(*args)


def test_arguments_that_overlap():
    base = np.random.default_rng(2).normal(size=100)
    x, y = base[:30].reshape(SHAPE), base[10:40].reshape(SHAPE)
    before = base.copy()
    for a, b in zip(G(x, y), f(x.copy(), y.copy()), strict=True):
        close(a, b, 16)
    for a, b in zip(G(x, x), f(x, x), strict=True):
        close(a, b, 16)
    assert np.array_equal(base, before)


def test_arguments_that_are_gone_are_not_read():
    outs = []
    for k in range(20):
        x = np.full(SHAPE, float(k))
        outs.append(G(x, x)[1])
        del x
        gc.collect()
    assert [float(y[0]) for y in outs] == [6.0 * k * k for k in range(20)]


def test_several_threads_at_once():
    g = fgrad.jit(fgrad.value_and_grad(lambda x, w: np.sum(np.tanh(x @ w) ** 2), 1),
                  backend="native")  # fmt: skip
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 40))
    ws = [rng.normal(size=(40, 30)) for _ in range(8)]
    g(x, ws[0])
    wants = [g(x, w) for w in ws]
    wrong: list[int] = []

    def work(k: int) -> None:
        for _ in range(20):
            value, slope = g(x, ws[k])
            if value != wants[k][0] or not np.array_equal(slope, wants[k][1]):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_a_program_that_is_too_large_runs_as_numpy(monkeypatch):
    monkeypatch.setattr(kernels_module, "LARGEST", 3)
    g = fgrad.jit(f, backend="native")
    for _ in range(2):
        for a, b in zip(g(X, Y), f(X, Y), strict=True):
            close(a, b, 16)
    assert not kernels(g)
    assert "more than 3 statements" in g.explain()
