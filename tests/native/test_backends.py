"""Which backend a program is made by, and what is said of it."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest

import fgrad
from fgrad import jit, jit_backend
from fgrad.compiler import auto, backends, report
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
    assert "  left to NumPy: 2 for too little to be worth a call; 1 for argsort" in text
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


def settle(g, *calls) -> None:
    """Call until one of the two has been chosen."""
    for k in range(30):
        for xs in calls:
            assert np.allclose(g(*xs), g.__wrapped__(*xs), rtol=1e-13)
        for t in threading.enumerate():
            if t.name == "fgrad native":
                t.join()
        if k > 2 * auto.TRIALS:
            return


def branching(x):
    """Three ways through truth values."""
    y = np.tanh(x) * x + np.exp(-x)
    if x[0] > 0:
        return np.sum(y * y) - np.sum(np.cos(y) * x)
    if x[1] > 0:
        return np.sum(np.sqrt(1 + y * y)) + np.max(y)
    return np.sum(np.sin(y)) * np.sum(x)


WAYS = [(np.full(300, -2.0),), (np.full(300, 3.0),), (np.linspace(-1, 300, 300),)]


def test_auto_follows_paths(monkeypatch):
    monkeypatch.setattr(auto, "WORTH", 0.0)
    monkeypatch.setattr(auto, "median", lambda ratios: 0.5)
    g = jit(branching, backend="auto")
    settle(g, *WAYS[:2])
    (spec,) = g._specs
    assert spec.auto.said == "machine code, which is faster"
    assert "paths through truth values: 2" in g.explain()
    assert "machine code: " in g.explain()
    settle(g, *WAYS, WAYS[0])  # one that is compiled when it is first taken
    assert spec.paths == 3
    assert sum(len(s.native.kernels) for _, s in report.segments(spec.root)) >= 3


def test_auto_keeps_numpy_where_that_is_faster(monkeypatch):
    monkeypatch.setattr(auto, "WORTH", 0.0)
    monkeypatch.setattr(auto, "median", lambda ratios: 2.0)
    g = jit(branching, backend="auto")
    settle(g, *WAYS)
    (spec,) = g._specs
    assert spec.auto.said == "NumPy, which is faster"
    assert all(s.native is None for _, s in report.segments(spec.root))


def test_a_path_that_is_taken_first_while_machine_code_is_on_trial(monkeypatch):
    monkeypatch.setattr(auto, "WORTH", 0.0)
    monkeypatch.setattr(auto, "TRIALS", 9)
    monkeypatch.setattr(auto, "median", lambda ratios: 0.5)
    g = jit(branching, backend="auto")
    settle(g, WAYS[0])
    h = jit(branching, backend="auto")
    for xs in (WAYS[0], WAYS[0], WAYS[0]):
        h(*xs)
    settle(h, WAYS[1], WAYS[2])
    (spec,) = h._specs
    assert spec.paths == 3
    assert len(spec._trees) == 1


def test_auto_does_effects_once(monkeypatch):
    monkeypatch.setattr(auto, "WORTH", 0.0)
    seen = []

    def g(x):
        y = np.exp(x) * x
        fgrad.debug.callback(seen.append, np.sum(y))
        return np.sum(np.tanh(y) * x + y)

    h = jit(g, backend="auto")
    for k in range(1, 12):
        h(X)
        assert len(seen) == k
        for t in threading.enumerate():
            if t.name == "fgrad native":
                t.join()
    assert "which is faster" in h._specs[0].auto.said
