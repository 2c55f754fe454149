"""Which backend a program is made by, and what is said of it."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest

import fgrad
from fgrad import jit, jit_backend
from fgrad.compiler import auto, backends
from fgrad.errors import ArgumentError

from .laws_of_native import kernels

X = np.linspace(-1, 1, 50)


def f(x):
    return np.sum(np.tanh(x) * x + np.exp(x))


def is_native(g) -> bool:
    g(X)
    assert np.isclose(g(X), f(X), rtol=1e-14)
    return bool(kernels(g))


def test_numpy_is_the_default(monkeypatch):
    monkeypatch.delenv("FGRAD_BACKEND", raising=False)
    assert not is_native(jit(f))
    assert is_native(jit(f, backend="native"))


def test_the_environment_and_a_block_choose(monkeypatch):
    monkeypatch.setenv("FGRAD_BACKEND", "native")
    assert is_native(jit(f))
    assert not is_native(jit(f, backend="numpy"))
    with jit_backend("numpy"):
        assert not is_native(jit(f))
        with jit_backend("native"):
            assert is_native(jit(f))


def test_a_decorator_and_derivatives_keep_it():
    @jit(backend="native")
    def g(x):
        return f(x)

    assert is_native(g)
    assert np.allclose(fgrad.grad(g)(X), fgrad.grad(f)(X), rtol=1e-14)
    assert all(map(is_kernel, g._derived.values()))


def is_kernel(g) -> bool:
    return bool(kernels(g))


@pytest.mark.parametrize("name", ["c", "", 3])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(ArgumentError) as error:
        jit(f, backend=name)
    assert str(error.value) == (
        f'jit wants the name of a backend.\n  It got: {name!r}\n  To do: say "numpy", '
        '"native" (machine code, by llvmlite) or "auto" (which of both is faster)'
    )
    with pytest.raises(ArgumentError, match="jit_backend wants the name"), jit_backend(name):
        pass


def test_a_wrong_name_in_the_environment_is_refused(monkeypatch):
    monkeypatch.setenv("FGRAD_BACKEND", "cuda")
    with pytest.raises(ArgumentError, match="The variable FGRAD_BACKEND wants the name"):
        jit(f)(X)


def test_without_llvmlite_it_warns_once_and_strict_refuses(monkeypatch):
    monkeypatch.setattr(backends, "available", lambda: "llvmlite isn't installed")
    backends._warn.cache_clear()
    g = jit(f, backend="native")
    with pytest.warns(RuntimeWarning, match="run as NumPy, without machine code: llvmlite isn't"):
        g(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not is_native(jit(f, backend="native"))
        assert not is_native(jit(f, backend="auto"))
    with pytest.raises(ArgumentError) as error:
        jit(f, backend="native", strict=True)(X)
    assert str(error.value) == (
        'jit wants what machine code is made with, for backend="native".\n'
        "  It got: llvmlite isn't installed\n"
        '  To do: python -m pip install "fgrad[native]", or leave out strict=True to run as NumPy'
    )
    backends._warn.cache_clear()


def test_errors_of_numpy_are_wanted():
    def g(x):
        with np.errstate(divide="raise"):
            return np.sum(np.log(x) * x + np.exp(x))

    h = jit(g, backend="native")
    h(X + 2)
    assert not kernels(h)
    with pytest.raises(FloatingPointError):
        h(X * 0)


def test_paths_through_truth_values():
    def g(x):
        y = np.exp(x) * x + 1
        if np.sum(y) > 100:
            return np.sum(np.tanh(y) * x)
        return np.sum(np.cos(y) - x) * y

    h = jit(g, backend="native")
    for x in (X, X + 2, X, X + 3):
        np.testing.assert_allclose(h(x), g(x), rtol=1e-13)
    assert len(h.source(X).split("# ---- after the answers")) == 3


def test_explain_says_what_runs_where():
    g = jit(lambda x: np.sum(np.sort(np.exp(x) * 2 + x)), backend="native")
    g(X)
    g(X)
    text = g.explain()
    assert "machine code: 3 operations in 1 kernel, compiled in" in text
    assert "  left to NumPy: 1 for argsort; 1 for getitem" in text
    code = g.source(X)
    assert "native(" in code
    assert "for (int64_t" in code


def test_auto_becomes_machine_code(monkeypatch):
    monkeypatch.setattr(auto, "WORTH", 0.0)
    g = jit(f, backend="auto")
    for _ in range(3):
        assert np.isclose(g(X), f(X), rtol=1e-14)
    for t in threading.enumerate():
        if t.name == "fgrad native":
            t.join()
    for _ in range(8):
        assert np.isclose(g(X), f(X), rtol=1e-14)
    (spec,) = g._specs
    assert "which is faster" in spec.auto.said
    assert spec.auto.said in g.explain()
    assert g(X[:4]) == pytest.approx(f(X[:4]))  # another program


def test_auto_stays_where_there_is_nothing_to_lower(monkeypatch):
    monkeypatch.setattr(auto, "WORTH", 0.0)
    g = jit(np.sort, backend="auto")
    for _ in range(3):
        g(X)
    for t in threading.enumerate():
        if t.name == "fgrad native":
            t.join()
    g(X)
    assert "nothing in it" in g.explain()


def test_auto_with_paths_is_numpy():
    g = jit(lambda x: np.sum(x) if x[0] > 0 else np.sum(x * x), backend="auto")
    assert np.isclose(g(X), g(X))
    assert np.isclose(g(X), np.sum(X * X))
    assert g._specs[0].auto is None
