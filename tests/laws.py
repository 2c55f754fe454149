"""The laws that every function obeys, stated for a row of the table `examples`.

Each law takes a row and raises AssertionError with the row's name and what was compared. Where
`fgrad.testing` has the law for any function, the row's is that.
A function below is a function ``h`` of differentiable arrays ``xs`` alone; derivatives of it are
such functions too, which is how the laws reach the second order.
"""

from __future__ import annotations

import functools
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy
import scipy.cluster.vq
import scipy.sparse.linalg
import scipy.spatial.transform

import fgrad
import fgrad.numpy
import fgrad.scipy.cluster.vq
import fgrad.scipy.sparse.linalg
import fgrad.scipy.spatial.transform
from fgrad import tree
from fgrad.testing import check_jvp

from .examples import Row

F = Callable[..., Any]


# ------------------------------------------------------------------ tools
def vector(out: Any) -> np.ndarray:
    """All numbers of a pytree of arrays as one real vector."""
    parts = [np.asarray(y).ravel() for y in tree.leaves(out)]
    parts = [np.concatenate([y.real, y.imag]) if y.dtype.kind == "c" else y for y in parts]
    return np.concatenate([np.zeros(0), *parts]).astype(np.float64)


def random_like(out: Any, rng: np.random.Generator) -> Any:
    """Random arrays of the shapes and dtypes of a pytree."""

    def one(y: Any) -> Any:
        y = np.asarray(y)
        v = rng.uniform(-1, 1, y.shape)
        v = v + 1j * rng.uniform(-1, 1, y.shape) if y.dtype.kind == "c" else v
        return np.asarray(v).astype(y.dtype)

    return tree.map(one, out)


def close(got: Any, want: Any, what: str, rtol: float = 1e-11) -> None:
    """Equal up to ``rtol`` of the largest number, or rounding of the dtype, shapes included."""
    for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
        assert np.shape(a) == np.shape(b), f"{what}: shape {np.shape(a)}, not {np.shape(b)}"
    kinds = [np.asarray(b).dtype for b in tree.leaves(want)]
    rtol = max([rtol, *(64 * float(np.finfo(d).eps) for d in kinds if d.kind in "fc")])
    a, b = vector(got), vector(want)
    scale = max(1.0, np.max(np.abs(b[np.isfinite(b)]), initial=0.0))
    with np.errstate(invalid="ignore"):
        near = np.all(np.abs(a - b) <= rtol * scale)
    if not near:  # then slowly: NaN, infinity, and a report
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * scale, err_msg=what)


def same_bits(got: Any, want: Any, what: str) -> None:
    """Equal in dtype, shape, and every bit, the signs of zeros and NaNs included."""
    for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert (a.dtype, a.shape) == (b.dtype, b.shape), (
            f"{what}: {a.dtype}{a.shape}, not {b.dtype}{b.shape}"
        )
        if a.tobytes() != b.tobytes():
            np.testing.assert_array_equal(a, b, err_msg=what)
            raise AssertionError(f"{what}: the signs of zeros or NaNs differ: {a} and {b}")


@contextmanager
def unchanged(xs: Sequence[Any]) -> Iterator[None]:
    """No transformation writes into its arguments, or leaves them read-only."""
    before = [(x.tobytes(), x.flags.writeable) for x in xs]
    yield
    assert [(x.tobytes(), x.flags.writeable) for x in xs] == before, "an argument was changed"


def derivatives(h: F, xs: Sequence[Any], rng: np.random.Generator) -> list[F]:
    """The pushforward and the pullback of h in random directions, as functions of xs."""
    ts, g = random_like(list(xs), rng), random_like(h(*xs), rng)
    return [lambda *us: fgrad.jvp(h, us, ts)[1], lambda *us: fgrad.vjp(h, *us)[1](g)]


# ------------------------------------------------------------------ 1 and 2: first order
def forward(row: Row, h: F, xs: Sequence[Any], seed: int = 1) -> None:
    """Law 1: forward is what differences give, and the Taylor remainder falls with slope 2."""
    check_jvp(h, None, tuple(xs), err_msg=f"jvp of {row}", seed=seed)


def forward_exact(row: Row, h: F, xs: Sequence[Any], rng: np.random.Generator) -> None:
    """Law 1 for (multi)linear functions: a difference with step one, exact up to rounding."""
    ts = random_like(list(xs), rng)
    y, t = fgrad.jvp(h, xs, ts)
    same_like(y, t, f"{row}: a tangent is like its primal")
    want = np.zeros_like(vector(y))
    for i, u in enumerate(ts):
        moved = [x + u if i == j else x for j, x in enumerate(xs)]
        want += vector(h(*moved)) - vector(y)
    close(vector(t), want, f"{row}: forward = difference with step one", rtol=1e-13)


def adjoint(row: Row, h: F, xs: Sequence[Any], rng: np.random.Generator) -> None:
    """Law 2: reverse is the adjoint of forward, and its results are new arrays."""
    ts = random_like(list(xs), rng)
    y, pullback = fgrad.vjp(h, *xs)
    t = fgrad.jvp(h, xs, ts)[1]
    g = random_like(y, rng)
    cts = pullback(g)
    same_like(xs, cts, f"{row}: a cotangent is like its primal")
    pairs = [
        (np.asarray(a), np.asarray(b)) for a, b in zip(tree.leaves(g), tree.leaves(t), strict=True)
    ]
    left = sum(float(np.sum(np.real(a * b))) for a, b in pairs)
    right = sum(float(np.sum(np.real(c * u))) for c, u in zip(cts, ts, strict=True))
    size = sum(float(np.sum(np.abs(a * b))) for a, b in pairs)
    eps = max([1e-13, *(float(np.finfo(a.dtype).eps) for a, _ in pairs if a.dtype.kind in "fc")])
    assert abs(left - right) <= 8 * eps * (1 + size), (
        f"{row}: reverse = adjoint: {left} and {right}"
    )
    others = [*xs, *tree.leaves(g)]
    for i, c in enumerate(cts):
        for x in [*others, *cts[:i]]:
            assert not np.may_share_memory(c, x), f"{row}: cotangent {i} shares memory"


def same_like(primal: Any, derivative: Any, what: str) -> None:
    """Shapes and dtypes are the primal's."""
    for x, d in zip(tree.leaves(primal), tree.leaves(derivative), strict=True):
        want, got = (np.shape(x), np.asarray(x).dtype), (np.shape(d), np.asarray(d).dtype)
        assert want == got, f"{what}: {got}, not {want}"


def first_order(row: Row, dtype: Any = np.float64) -> None:
    """Laws 1 and 2 at the row's arguments."""
    xs = row.arguments(0, dtype)
    rng = np.random.default_rng(1)
    h, moving = row.fix(xs)
    with unchanged(xs):
        if row.kind == "smooth":
            forward(row, h, moving)
        else:
            forward_exact(row, h, moving, rng)
        adjoint(row, h, moving, rng)


# ------------------------------------------------------------------ 3: second order
def second_order(row: Row, dtype: Any = np.float64) -> None:
    """Law 3: laws 1 and 2 for both derivatives: forward and reverse over forward and reverse."""
    xs = row.arguments(0, dtype)
    rng = np.random.default_rng(2)
    h, moving = row.fix(xs)
    with unchanged(xs):
        for d in derivatives(h, moving, rng):
            forward(row, d, moving, seed=2)
            adjoint(row, d, moving, rng)


# ------------------------------------------------------------------ 5: staging
def staging(row: Row, dtype: Any = np.float64) -> None:
    """Law 5: a graph recorded on one set of data is the function on another, derivatives too."""
    first, other = row.arguments(0, dtype), row.arguments(1, dtype)
    graph = fgrad.make_graph(row.call)(*first)
    graph.check()
    assert str(graph)
    same_bits(graph(*other), row_on_tape(row, other), f"{row}: staged = eager on other data")
    if row.kind == "constant":
        return
    rng = np.random.default_rng(4)
    h, moving = row.fix(first)
    for d in derivatives(h, moving, rng):
        graph = fgrad.make_graph(d)(*moving)
        graph.check()
        new = row.fix(
            [o if x.kind == "f" else f for x, o, f in zip(row.operands, other, first, strict=True)]
        )[1]
        close(graph(*new), d(*new), f"{row}: staged derivative = eager")
        eager, staged = (derivatives(k, new, np.random.default_rng(5)) for k in (d, graph))
        for e, s in zip(eager, staged, strict=True):
            close(s(*new), e(*new), f"{row}: derivative of the staged derivative")


def row_on_tape(row: Row, xs: Sequence[Any]) -> Any:
    """The row's value as the tape computes it."""
    h, moving = row.fix(xs)
    return fgrad.vjp(h, *moving)[0] if moving else row.call(*xs)


# ------------------------------------------------------------------ 6: dtypes
DTYPES = ("float16", "float32", "float64", "complex64", "complex128")


def dtypes(row: Row) -> None:
    """Law 6: value like NumPy's, derivatives like their primals, in each dtype that NumPy takes."""
    for dtype in DTYPES:
        if dtype.startswith("complex") and not row.complex:
            continue
        xs = row.arguments(0, dtype)
        try:
            want = row.call(*xs)
        except (TypeError, ValueError, RuntimeError, DeprecationWarning):  # not of this dtype
            continue
        h, moving = row.fix(xs)
        value, t = fgrad.jvp(h, moving, moving)
        same_like(want, value, f"{row}: {dtype} value")
        same_like(want, t, f"{row}: {dtype} tangent")
        value, pullback = fgrad.vjp(h, *moving)
        same_like(want, value, f"{row}: {dtype} value")
        g = tree.map(lambda y: np.asarray(y), value)
        cts = pullback(g)
        same_like(moving, cts, f"{row}: {dtype} cotangent")
        if dtype in ("float32", "complex64"):  # no rule loses digits
            wide = [
                x.astype(np.result_type(x.dtype, "float64")) if x.dtype.kind in "fc" else x
                for x in xs
            ]
            k, far = row.fix(wide)
            value, pullback = fgrad.vjp(k, *far)
            exact = pullback(
                tree.map(lambda y, v: np.asarray(y).astype(np.asarray(v).dtype), g, value)
            )
            close(cts, exact, f"{row}: {dtype} cotangents are right", rtol=3e-5)


# ------------------------------------------------------------------ 7 and 8: NumPy, SciPy
#: The names of modules in the rows' calls -> ours and theirs.
LIBRARIES: dict[str, tuple[Any, Any]] = {
    "np": (fgrad.numpy, np),
    "fnp": (fgrad.numpy, np),  # where NumPy's own would not see the traced arguments
    "special": (fgrad.scipy.special, scipy.special),
    "linalg": (fgrad.scipy.linalg, scipy.linalg),
    "stats": (fgrad.scipy.stats, scipy.stats),
    "signal": (fgrad.scipy.signal, scipy.signal),
    "sfft": (fgrad.scipy.fft, scipy.fft),
    "ndimage": (fgrad.scipy.ndimage, scipy.ndimage),
    "interpolate": (fgrad.scipy.interpolate, scipy.interpolate),
    "transform": (fgrad.scipy.spatial.transform, scipy.spatial.transform),
    "vq": (fgrad.scipy.cluster.vq, scipy.cluster.vq),
    "integrate": (fgrad.scipy.integrate, scipy.integrate),
    "sparse_linalg": (fgrad.scipy.sparse.linalg, scipy.sparse.linalg),
}


def value(row: Row, dtype: Any = np.float64) -> None:
    """Law 7: the value under jvp and vjp is NumPy's own, or SciPy's own."""
    xs = row.arguments(0, dtype)
    want = by(row, 1)(*xs)
    h, moving = row.fix(xs)
    # Some of SciPy's functions answer float32 with float64: close as the arguments' dtype allows.
    rtol = max(1e-11, 64 * float(np.finfo(dtype).eps))
    equal = same_bits if row.bits else functools.partial(close, rtol=rtol)
    if not moving:
        close(fgrad.make_graph(row.call)(*xs)(*xs), want, f"{row}: the graph's value is NumPy's")
        return
    equal(fgrad.jvp(h, moving, moving)[0], want, f"{row}: value under jvp = NumPy's")
    equal(fgrad.vjp(h, *moving)[0], want, f"{row}: value under vjp = NumPy's")


def by(row: Row, which: int) -> F:
    """The row's call with the functions of our modules (0) or of theirs (1)."""
    call: Any = row.call
    if isinstance(call, types.FunctionType) and call.__module__.startswith("tests."):
        new = {k: v[which] for k, v in LIBRARIES.items() if k in call.__globals__}
        names = {**call.__globals__, **new}
        return types.FunctionType(
            call.__code__, names, call.__name__, call.__defaults__, call.__closure__
        )
    for modules in LIBRARIES.values():  # the function itself
        name = getattr(call, "__name__", "")
        if call in (getattr(m, name, None) for m in modules):
            return getattr(modules[which], name)
    return call


def protocols(row: Row, dtype: Any = np.float64) -> None:
    """Law 8: NumPy's functions on traced values = fgrad.numpy's, there and on plain arrays."""
    xs = row.arguments(0, dtype)
    ours = by(row, 0)
    h, moving = row.fix(xs)
    k, _ = Row(row.of, row.operands, ours).fix(xs)
    equal = same_bits if row.bits else close
    equal(ours(*xs), row.call(*xs), f"{row}: fgrad.numpy on plain arrays = NumPy")
    if moving:
        same_bits(fgrad.vjp(k, *moving)[0], fgrad.vjp(h, *moving)[0], f"{row}: fgrad.numpy = np")


def constant(row: Row) -> None:
    """The derivative of a piecewise constant function is zero."""
    xs = row.arguments(0)
    h, moving = row.fix(xs)
    if not moving:
        return
    y, t = fgrad.jvp(h, moving, moving)
    same_like(y, t, f"{row}: a tangent is like its primal")
    assert not np.any(vector(t)), f"{row}: the tangent of a constant is zero"
    y, pullback = fgrad.vjp(h, *moving)
    cts = pullback(tree.map(np.ones_like, y))
    same_like(moving, cts, f"{row}: a cotangent is like its primal")
    assert not np.any(vector(cts)), f"{row}: the cotangent of a constant is zero"


@contextmanager
def quiet() -> Iterator[None]:
    """Without NumPy's warnings, at special points."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def primitives_of(row: Row) -> set[str]:
    """The names of the primitives that a row calls."""
    return set(fgrad.make_graph(row.call)(*row.arguments()).count())
