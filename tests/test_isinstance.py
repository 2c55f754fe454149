"""`isinstance` goes by what a tracer stands for, so users' code runs as it does without fgrad."""

from __future__ import annotations

import copy
import functools
import math
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import fgrad
from fgrad.core import Tracer
from fgrad.errors import EscapedTracerError, TracerConversionError
from fgrad.sparse import sparsity

NUMBERS = {
    "array": np.array([0.5, 2.0]),
    "float32 array": np.array([0.5, 2.0], np.float32),
    "complex array": np.array([0.5, 2.0 + 1j]),
    "matrix": np.array([[0.5, 2.0], [1.0, 3.0]]),
    "array without axes": np.array(0.5),
    "NumPy scalar": np.float64(0.5),
    "float32 scalar": np.float32(0.5),
    "float": 0.5,
}


def values(x: Any) -> Iterator[tuple[str, Any]]:
    """Values of every kind that a program of NumPy comes by."""
    yield "x", x
    yield "twice", 2.0 * x
    yield "sine", np.sin(x)
    yield "sum", np.sum(x)
    yield "mean, kept", np.mean(x, keepdims=True)
    yield "a number times the sum", 2 * np.sum(x)
    yield "float32", np.float32(2) * np.real(x)
    if np.ndim(x):
        yield "row", x[0]
        yield "part", x[:1]
        yield "stacked", np.stack([x, x])
        yield "product", x @ x
        yield "element", x.reshape(-1)[0]


def classes(x: Any) -> dict[str, type]:
    """What `isinstance` goes by, of each."""
    return {name: v.__class__ for name, v in values(x)}


def noting(wanted: dict[str, type], seen: list[Any]) -> Callable[[Any], Any]:
    """A function with a derivative that compares what it sees with what it would see alone."""

    def f(x: Any) -> Any:
        seen.append(x)
        assert classes(x) == wanted
        for name, v in values(x):
            assert isinstance(v, wanted[name])
        return np.sum(np.real(x) ** 2)

    return f


def expected(x: Any) -> dict[str, type]:
    return {name: type(v) for name, v in values(x)}


TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    "grad": lambda f: lambda x: fgrad.grad(f)(x),
    "value_and_grad": lambda f: lambda x: fgrad.value_and_grad(f)(x),
    "jvp": lambda f: lambda x: fgrad.jvp(f, (x,), (x,)),
    "vjp": lambda f: lambda x: fgrad.vjp(f, x),
    "forward over reverse": lambda f: lambda x: fgrad.jvp(fgrad.grad(f), (x,), (x,)),
    "reverse over forward": lambda f: (
        lambda x: fgrad.grad(lambda y: np.sum(np.real(fgrad.jvp(f, (y,), (y,))[1])))(x)
    ),
    "hessian": lambda f: lambda x: fgrad.hessian(f)(x),
    "jacfwd": lambda f: lambda x: fgrad.jacfwd(f)(x),
    "linearize": lambda f: lambda x: fgrad.linearize(f, x),
    "jet": lambda f: lambda x: fgrad.jet(f, (x,), ([x],)),
    "make_graph": lambda f: lambda x: fgrad.make_graph(f)(x),
    "jit": lambda f: lambda x: fgrad.jit(f)(x),
    "jit of grad": lambda f: lambda x: fgrad.jit(fgrad.grad(f))(x),
    "grad of jit": lambda f: lambda x: fgrad.grad(fgrad.jit(f))(x),
    "checkpoint": lambda f: lambda x: fgrad.grad(fgrad.checkpoint(f))(x),
    "explain_nonfinite": lambda f: lambda x: fgrad.explain_nonfinite(f, x),
}


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_as_without_the_transformation(name: str, kind: str) -> None:
    x, seen = NUMBERS[kind], []
    if np.iscomplexobj(x) and name in ("hessian", "jacfwd", "jet"):
        return  # of real arguments alone
    TRANSFORMS[name](noting(expected(x), seen))(x)
    assert any(isinstance(y, Tracer) and type(y) is not x.__class__ for y in seen)


@pytest.mark.parametrize("inner", ["vmap", "grad", "jit"])
@pytest.mark.parametrize("xs", [np.ones((2, 3)), np.ones(3), np.ones((2, 3, 3), np.float32)])
def test_vmap_as_a_loop_over_the_elements(xs: Any, inner: str) -> None:
    seen: list[Any] = []
    f = noting(expected(xs[0]), seen)
    transforms = {"vmap": lambda f: f, "grad": fgrad.grad, "jit": fgrad.jit}
    fgrad.vmap(transforms[inner](f))(xs)
    assert seen


def test_vmap_of_vmap() -> None:
    seen: list[Any] = []
    fgrad.vmap(fgrad.vmap(noting(expected(np.float64(1)), seen)))(np.ones((2, 3)))
    fgrad.vmap(fgrad.vmap(noting(expected(np.ones(4)), seen)))(np.ones((2, 3, 4)))
    assert len(seen) == 2


def test_shapes_only_and_sparsity() -> None:
    seen: list[Any] = []
    fgrad.eval_shape(noting(expected(np.ones(3)), seen), fgrad.ShapeDtypeStruct(3, np.float64))
    sparsity(noting(expected(np.ones(3)), seen))(np.ones(3))
    assert len(seen) == 2


def test_integers_and_truth_values() -> None:
    def f(x: Any, n: Any) -> Any:
        assert isinstance(n, int)
        assert not isinstance(n, (float, np.ndarray))
        assert isinstance(x > 0, np.ndarray)
        assert isinstance(np.argmax(x), np.integer)
        assert isinstance(x[0] > 0, np.bool_)
        assert not isinstance(x[0] > 0, bool)
        return np.sum(x**n)

    for call in (f, fgrad.jit(f), fgrad.grad(f), fgrad.make_graph(f), fgrad.jit(fgrad.grad(f))):
        call(np.ones(3), 2)

    def g(i: Any) -> Any:
        assert isinstance(i, np.int64)
        assert not isinstance(i, (int, np.ndarray))
        return i

    fgrad.vmap(g)(np.arange(3))


def test_inside_of_loops_and_branches() -> None:
    def body(c: Any, x: Any) -> Any:
        assert isinstance(c, np.ndarray)
        assert isinstance(x, np.ndarray)
        return c + x, np.sum(x)

    def f(x: Any) -> Any:
        c, ys = fgrad.scan(body, np.zeros(3), x)
        c = fgrad.while_loop(lambda c: np.sum(c) < 9, lambda c: _checked(c) * 2, c)
        return np.sum(fgrad.cond(np.sum(c) > 0, _checked, lambda c: -c, c)) + np.sum(ys)

    def _checked(c: Any) -> Any:
        assert isinstance(c, np.ndarray)
        return c

    x = np.ones((2, 3))
    for call in (f, fgrad.grad(f), fgrad.jit(f), fgrad.jit(fgrad.grad(f)), fgrad.make_graph(f)):
        call(x)


def test_compiled_functions_tell_numbers_from_arrays() -> None:
    @fgrad.jit
    def f(x: Any) -> Any:
        if isinstance(x, np.ndarray):
            return x + 1
        if isinstance(x, np.generic):
            return x + 20 if isinstance(x, float) else x + 300
        return x + (4000 if isinstance(x, int) else 50000)

    kinds = [np.array(0.0), np.float64(0), np.float32(0), 0, 0.0]
    wanted = [1, 20, 300, 4000, 50000]
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]):
        for i in order:
            assert f(kinds[i]) == wanted[i]


SCALE = np.array([1.0, 2.0])


def test_captured_arrays_of_compiled_functions() -> None:
    local = np.array([3.0, 4.0])

    def f(x: Any) -> Any:
        assert isinstance(SCALE, np.ndarray)
        assert isinstance(local, np.ndarray)
        return np.sum(x * SCALE * local)

    np.testing.assert_array_equal(fgrad.jit(fgrad.grad(f))(np.ones(2)), [3.0, 8.0])


def test_dispatch_by_class_in_users_code() -> None:
    @functools.singledispatch
    def f(x: Any) -> Any:
        raise AssertionError(type(x))

    @f.register
    def _(x: np.ndarray) -> Any:
        return np.sum(x) ** 2

    @f.register
    def _(x: float) -> Any:
        return 10 * x

    def g(x: Any) -> Any:
        match x:
            case np.ndarray():
                return np.sum(x) ** 2
            case float():
                return 10 * x
        raise AssertionError(type(x))

    for h in (f, g):
        for x in (np.array([1.0, 2.0]), 3.0, np.float64(3.0), np.array(3.0)):
            for t in (lambda h, x: fgrad.grad(h)(x), lambda h, x: fgrad.jit(fgrad.grad(h))(x)):
                np.testing.assert_array_equal(
                    t(h, x), np.full(np.shape(x), 6.0) if isinstance(x, np.ndarray) else 10.0
                )


class Layer(NamedTuple):
    w: Any
    b: Any


def test_leaves_of_containers() -> None:
    def f(layer: Layer) -> Any:
        assert isinstance(layer.w, np.ndarray)
        assert isinstance(layer.b, float)
        return np.sum(layer.w) * layer.b

    layer = Layer(np.ones(3), 2.0)
    for transform in (fgrad.grad, lambda f: fgrad.jit(fgrad.grad(f)), fgrad.jacfwd):
        g = transform(f)(layer)
        np.testing.assert_array_equal(g.w, np.full(3, 2.0))
        assert g.b == 3.0


# ------------------------------------------------------------------ what stays as it was


@pytest.mark.parametrize("x", [np.ones(3), 2.0, np.float64(2)])
def test_the_type_and_the_text_are_the_tracers(x: Any) -> None:
    def f(x: Any) -> Any:
        assert type(x).__name__ == "TapeTracer"
        assert isinstance(x, Tracer)
        assert re.fullmatch(r"<grad tracer: float64\[3?\]>", repr(x))
        assert "at" in dir(x)
        assert dir(x) == dir(type(x))
        assert copy.copy(x) is x
        assert copy.deepcopy([x])[0] is x
        return np.sum(x)

    fgrad.grad(f)(x)


@pytest.mark.parametrize(
    "use",
    [
        np.asarray,
        lambda x: np.array([x, x]),
        lambda x: np.array(x, dtype=object),
        lambda x: np.zeros(np.shape(x)).__setitem__(..., x),
        pickle.dumps,
        pickle._dumps,
        np.ma.array,
        np.random.default_rng(0).normal,
        lambda x: np.full(4, 1.0) @ np.asarray(x),
    ],
)
@pytest.mark.parametrize("x", [np.ones(3), 2.0, np.float64(2)])
def test_nothing_takes_one_for_an_array_of_cs(use: Any, x: Any) -> None:
    """NumPy's own code, and pickle, go by the type: what has no derivative is an error."""
    with pytest.raises(TracerConversionError):
        fgrad.grad(lambda x: np.sum(use(x)))(x)


@pytest.mark.parametrize("use", [float, int, complex, math.sin, range, "%.2f".__mod__])
def test_a_number_stays_no_number_of_pythons(use: Any) -> None:
    with pytest.raises(TracerConversionError):
        fgrad.grad(lambda x: use(x))(2.0)


@pytest.mark.parametrize("x", [np.ones(3), 2.0])
@pytest.mark.parametrize("name", ["grad", "vmap", "jvp", "make_graph"])
def test_escaped_tracers_are_refused(name: str, x: Any) -> None:
    kept: list[Any] = []

    def leaky(x: Any) -> Any:
        kept.append(x)
        return np.sum(x)

    transforms = {**TRANSFORMS, "vmap": lambda f: lambda x: fgrad.vmap(f, axis_size=2)(np.ones(2))}
    transforms[name](leaky)(x)
    assert isinstance(kept[0], (np.ndarray, float))
    with pytest.raises(EscapedTracerError):
        np.sin(kept[0])
