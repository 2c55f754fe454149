"""What the declarations of `scipy.linalg` share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...arrays import is_cupy, ndim_of, shape_of
from ...core import Array, Tracer
from ...derivatives import vjp
from ...numpy import asarray
from ...ops.casts import stop_gradient_leaf
from ...ops.contract import mT
from ...ops.equal import mH
from ...rules import cast


# ------------------------------------------------------------------ operands
def arrays(*xs: Any, check_finite: bool = True) -> Any:
    """The operands as LAPACK takes them: of one inexact dtype, and finite where SciPy asks.

    One array for one operand, else a list.
    """
    ys = [asarray(x) for x in xs]
    dtype = np.result_type(*(y.dtype for y in ys))
    if dtype.kind not in "fc":
        dtype = np.dtype(np.float64)
    elif dtype == np.float16:
        dtype = np.dtype(np.float32)
    ys = [y.astype(dtype) for y in ys]
    for y in ys if check_finite else ():
        known = stop_gradient_leaf(y)
        if is_cupy(known) or isinstance(known, Tracer):
            continue
        if not np.all(np.isfinite(known)):
            raise ValueError("array must not contain infs or NaNs")
    return ys if len(ys) > 1 else ys[0]


def stacked(xs: Sequence[Any], ranks: Sequence[int]) -> list[Any]:
    """Operands of these ranks with their batch axes broadcast to the same."""
    shapes = [shape_of(x) for x in xs]
    leads = [s[: len(s) - r] for s, r in zip(shapes, ranks, strict=True)]
    lead = np.broadcast_shapes(*leads)
    return [
        x if own == lead else np.broadcast_to(x, (*lead, *shape[len(own) :]))
        for x, own, shape in zip(xs, leads, shapes, strict=True)
    ]


def as_columns(solve: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """Solve for right sides that are the columns of b, or b itself where it is a vector."""
    if ndim_of(b) == 1:
        return solve(a, np.expand_dims(b, -1))[..., 0]
    return solve(a, b)


def mirrored(a: Any, lower: bool, turn: Callable[[Any], Any] = mH) -> Any:
    """The Hermitian matrix that one triangle of a fixes; its derivative is that of the whole a.

    With ``turn=mT`` the symmetric matrix, which for complex a is another.
    """
    whole = (a + turn(a)) / 2
    known, mean = stop_gradient_leaf(a), stop_gradient_leaf(whole)
    half = np.tril(known, -1) if lower else np.triu(known, 1)
    diagonal = np.tril(np.triu(known))
    diagonal = (diagonal + turn(diagonal)) / 2
    return whole + (half + turn(half) + diagonal - mean)


# ------------------------------------------------------------------ primitives
def over_batch(fn: Callable[..., Any], ranks: Sequence[int] = (2,)) -> Callable[..., Any]:
    """A function of single matrices (and vectors) for stacks of them, empty stacks too."""

    def impl(*xs: Any, **params: Any) -> Any:
        lead = xs[0].shape[: xs[0].ndim - ranks[0]]
        if not lead:
            return fn(*xs, **params)
        flat = [x.reshape(-1 if x.size else math.prod(lead), *x.shape[len(lead) :]) for x in xs]
        outs = [fn(*row, **params) for row in zip(*flat, strict=True)]
        empty = not outs
        if empty:
            outs = [fn(*(_sample(x.shape[len(lead) :], x.dtype) for x in xs), **params)]
        join = _joined(lead, empty)
        return (
            tuple(map(join, zip(*outs, strict=True))) if isinstance(outs[0], tuple) else join(outs)
        )

    return impl


def _joined(lead: tuple[int, ...], empty: bool) -> Callable[[Sequence[Any]], Any]:
    def join(ys: Sequence[Any]) -> Any:
        y = np.stack(ys)
        return np.reshape(y[:0] if empty else y, (*lead, *y.shape[1:]))

    return join


def _sample(shape: tuple[int, ...], dtype: Any) -> Any:
    """A well-behaved operand, for what a function's results look like."""
    if len(shape) == 2:
        rows, columns = shape
        return np.asarray(np.eye(rows, columns) * np.arange(1, columns + 1), dtype)
    return np.arange(1, math.prod(shape) + 1).reshape(shape).astype(dtype)


def transposes(jvp: Callable[..., Any], operands: int = 1) -> list[Callable[..., Any]]:
    """The reverse rules of a forward rule: its transposes in each operand's tangent.

    A forward rule is linear in the tangents, so reverse mode through it gives its transpose.
    """
    return [_transpose(jvp, i, operands) for i in range(operands)]


def _transpose(jvp: Callable[..., Any], i: int, operands: int) -> Callable[..., Any]:
    def rule(g: Any, ans: Any, *xs: Any, **params: Any) -> Any:
        several = isinstance(g, dict)
        parts = [k for k in g if ans[k].dtype.kind in "fc"] if several else [0]
        like = [ans[k] for k in parts] if several else [ans]
        if not parts:
            return None

        def forward(t: Any) -> Any:
            ts: list[Any] = [None] * operands
            ts[i] = t
            out = jvp(tuple(ts), ans, *xs, **params)
            out = [out[k] for k in parts] if several else [out]
            return [cast(u, y.dtype) for u, y in zip(out, like, strict=True)]

        zero = np.zeros(shape_of(xs[i]), xs[i].dtype)
        return vjp(forward, zero)[1]([g[k] for k in parts] if several else [g])[0]

    return rule


# ------------------------------------------------------------------ small matrices
def product(*xs: Array) -> Array:
    """The product of matrices, from the left."""
    out = xs[0]
    for x in xs[1:]:
        out = np.matmul(out, x)
    return out


def block(a: Array, e: Array) -> Array:
    """[[a, e], [0, a]], a function of which holds its derivative in the direction e.

    R. Mathias, A chain rule for matrix functions and applications, 1996.
    """
    upper = np.concatenate([a, e], axis=-1)
    lower = np.concatenate([np.zeros_like(a), a], axis=-1)
    return np.concatenate([upper, lower], axis=-2)


def corner(x: Array) -> Array:
    """The upper right quarter."""
    n = shape_of(x)[-1] // 2
    return x[..., :n, n:]


def right_over(x: Array, r: Array) -> Array:
    """x times the inverse of r."""
    return mT(np.linalg.solve(mT(r), mT(x)))
