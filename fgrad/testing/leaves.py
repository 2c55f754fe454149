"""Pytrees of numbers as the checks see them: what moves, in which direction, as one real vector."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fgrad import tree
from fgrad.errors import ArgumentError, describe

from ..arrays import is_a, is_cupy, namespace
from ..moving import host_array

_WIDE = {"float16": "float64", "float32": "float64", "complex64": "complex128"}


def dtype_of(x: Any) -> np.dtype[Any]:
    """The dtype of an array, a tracer or a Python number."""
    dtype = getattr(x, "dtype", None)
    return np.result_type(type(x)) if dtype is None else dtype


def moves(x: Any) -> bool:
    """Whether a leaf has a derivative: a real or complex array, scalar, or Python number.

    >>> moves(1.0), moves(np.ones(2, complex)), moves(1), moves(np.arange(2)), moves("sum")
    (True, True, False, False, False)
    """
    dtype = getattr(x, "dtype", None)
    if dtype is None:
        return is_a(x, (float, complex))
    return dtype.kind in "fc"


class Opened:
    """Arguments, and a function of those of their leaves that a flag chooses.

    Attributes:
        xs: the chosen leaves.
        call: the function of the chosen leaves alone; the others are fixed.
    """

    def __init__(
        self, f: Callable[..., Any], args: Sequence[Any], chosen: Callable[[Any], bool] = moves
    ) -> None:
        if not isinstance(args, (tuple, list)):
            raise ArgumentError(
                "A check wants the arguments of the function as a tuple.",
                describe(args),
                "for a single argument write (x,)",
            )
        self._leaves, self._structure = tree.flatten(tuple(args))
        self._places = [i for i, x in enumerate(self._leaves) if chosen(x)]
        self.xs = [self._leaves[i] for i in self._places]
        self.call: Callable[..., Any] = lambda *xs: f(*self.args(xs))

    def derived(self, call: Callable[..., Any]) -> Opened:
        """Another function of the same leaves."""
        new = copy.copy(self)
        new.call = call
        return new

    @property
    def paths(self) -> list[str]:
        """Where the leaves are: ``args[0]['w']``."""
        paths = self._structure.accessors()
        return [f"args{tree.path_str(paths[i])}" for i in self._places]

    def spread(self, per_argument: Sequence[Sequence[Any]]) -> list[Any]:
        """What is given for each leaf of each argument, for the chosen leaves."""
        flat = [v for values in per_argument for v in values]
        return [flat[i] for i in self._places]

    def args(self, xs: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments with other values for the chosen leaves."""
        return self._build(self._leaves, xs)

    def tangents(self, ts: Sequence[Any]) -> tuple[Any, ...]:
        """A tree like the arguments with a tangent for each chosen leaf, and None for others."""
        return self._build([None] * len(self._leaves), ts)

    def _build(self, leaves: Sequence[Any], new: Sequence[Any]) -> tuple[Any, ...]:
        leaves = list(leaves)
        for i, x in zip(self._places, new, strict=True):
            leaves[i] = x
        out: Any = self._structure.unflatten(leaves)
        return tuple(out)

    def of(self, like_args: Any, what: str) -> list[Any]:
        """The leaves of a tree like the arguments that stand in the chosen places."""
        found = tree.flatten_up_to(
            self._structure, like_args,
            what=f"A check wants {what} with the structure of the arguments.",
            to_do="pass a tuple with an entry for each argument; None for what has no derivative",
        )  # fmt: skip
        return [found[i] for i in self._places]


def random_like(xs: Sequence[Any], rng: np.random.Generator) -> list[Any]:
    """A direction: numbers of sizes 1/4 to 1 and random signs, in the shapes and dtypes of xs.

    None is so small that a wrong rule could hide behind it.
    """

    def part(shape: tuple[int, ...]) -> Any:
        u = rng.uniform(-1.0, 1.0, shape)
        return 0.75 * u + np.copysign(0.25, u)

    out = []
    for x in xs:
        shape, dtype = np.shape(x), dtype_of(x)
        v = part(shape)
        v = v + 1j * part(shape) if dtype.kind == "c" else v
        out.append(like(np.asarray(v).astype(dtype), x))
    return out


def like(v: Any, x: Any) -> Any:
    """An array as what ``x`` is: a Python number, a NumPy scalar, or an array on its device."""
    if not hasattr(x, "dtype"):
        return complex(v) if is_a(x, complex) else float(v)
    if is_cupy(x):
        return namespace(x).asarray(v)
    return v[()] if is_a(x, np.generic) else np.asarray(v)


def cast(v: Any, x: Any) -> Any:
    """A constant in the dtype of x, which may be traced."""
    return v.astype(dtype_of(x)) if hasattr(v, "astype") and hasattr(x, "dtype") else v


def wide(x: Any) -> Any:
    """A leaf with the digits of float64."""
    dtype = _WIDE.get(str(getattr(x, "dtype", None)))
    return x if dtype is None else x.astype(dtype)


def numbers(out: Any) -> list[Any]:
    """The leaves of a result that have derivatives, as arrays of the host's."""
    return [host_array(y) for y in tree.leaves(out) if moves(y)]


def vector(ys: Sequence[Any]) -> np.ndarray:
    """Arrays as one real vector, imaginary parts after real ones."""
    parts = []
    for y in ys:
        y = host_array(y).ravel()
        parts.append(np.concatenate([y.real, y.imag]) if y.dtype.kind == "c" else y)
    if not parts:
        return np.zeros(0)
    out: np.ndarray = (parts[0] if len(parts) == 1 else np.concatenate(parts)).astype(np.float64)
    return out


def spans(ys: Sequence[Any]) -> np.ndarray:
    """For each number of `vector`, the number of the leaf that it is from."""
    sizes = [np.size(y) * (2 if dtype_of(y).kind == "c" else 1) for y in ys]
    return np.repeat(np.arange(len(ys)), sizes)


def place(out: Any, i: int) -> str:
    """Where number i of the vector of a result stands: ``result['w'][1, 0]``."""
    for path, y in tree.leaves_with_path(out):
        if not moves(y):
            continue
        y = host_array(y)
        size = y.size * (2 if y.dtype.kind == "c" else 1)
        if i < size:
            part = "" if y.dtype.kind != "c" else ".real" if i < y.size else ".imag"
            index = ", ".join(map(str, np.unravel_index(i % y.size, y.shape)))
            return f"result{tree.path_str(path)}{f'[{index}]' if index else ''}{part}"
        i -= size
    return "result"


def epsilon(ys: Sequence[Any]) -> float:
    """The rounding of the coarsest floating-point dtype among arrays."""
    dtypes = [dtype_of(y) for y in ys]
    fine = float(np.finfo(float).eps)
    return max([fine, *(float(np.finfo(d).eps) for d in dtypes if d.kind in "fc")])


def inner(gs: Sequence[Any], ts: Sequence[Any]) -> tuple[float, float]:
    """The pairing of cotangents and tangents, real(sum(g t)), and the sum of its absolute terms."""
    total = size = 0.0
    for g, t in zip(gs, ts, strict=True):
        terms = host_array(g).astype(_wide_dtype(g)) * host_array(t).astype(_wide_dtype(t))
        total += float(np.sum(terms.real))
        size += float(np.sum(np.abs(terms)))
    return total, size


def _wide_dtype(x: Any) -> Any:
    return complex if dtype_of(x).kind == "c" else float


def show(x: Any, most: int = 6) -> str:
    """An array in a line."""
    text = np.array2string(host_array(x), precision=4, separator=", ", threshold=most, edgeitems=2)
    return " ".join(text.split())
