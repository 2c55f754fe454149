"""What a row of the table is: a function, and arrays to call it with."""

from __future__ import annotations

import itertools
import types
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Operand:
    """A random array: its shape, the range of its values, and its kind of dtype (f, i or b)."""

    shape: tuple[int, ...]
    low: float = -2.0
    high: float = 2.0
    kind: str = "f"

    def sample(self, rng: np.random.Generator, dtype: Any = np.float64) -> np.ndarray:
        """Values apart from each other, and from the middle of the range, where kinks are."""
        size = int(np.prod(self.shape, dtype=int))
        if self.kind == "i":
            return np.asarray(rng.integers(int(self.low), int(self.high), self.shape))
        if self.kind == "b":
            return np.asarray(rng.random(self.shape) < 0.5)
        dtype = np.dtype(dtype)
        x = self._spread(size, rng)
        if dtype.kind == "c":
            x = x + 1j * self._spread(size, rng)
        return np.asarray(x.reshape(self.shape).astype(dtype))

    def _spread(self, size: int, rng: np.random.Generator) -> np.ndarray:
        grid = (rng.permutation(size) + rng.uniform(0.6, 0.9, size)) / max(size, 1)
        return self.low + (self.high - self.low) * grid


def R(*shape: int, low: float = -2.0, high: float = 2.0) -> Operand:
    """A real (or complex) operand."""
    return Operand(shape, low, high)


def P(*shape: int) -> Operand:
    """A positive operand."""
    return Operand(shape, 0.4, 2.0)


def I(*shape: int, low: int = 0, high: int = 3) -> Operand:  # noqa: E743
    """An operand of integers, which has no derivative."""
    return Operand(shape, low, high, "i")


def B(*shape: int) -> Operand:
    """An operand of booleans, which has no derivative."""
    return Operand(shape, kind="b")


@dataclass(frozen=True)
class Row:
    """A function of arrays, for the laws.

    Attributes:
        of: NumPy's function that the row is about.
        operands: the arrays it is called with.
        call: the call.
        kind: smooth, linear (in all operands together), multilinear (in each), or constant.
        complex: whether it takes complex arrays.
        bits: whether its value is NumPy's bit for bit (else to rounding).
    """

    of: Callable[..., Any]
    operands: tuple[Operand, ...]
    call: Callable[..., Any]
    kind: str = "smooth"
    complex: bool = False
    bits: bool = True
    number: int = field(default_factory=itertools.count().__next__)

    def __str__(self) -> str:
        name = getattr(self.of, "__qualname__", None) or getattr(self.of, "__name__", "at")
        if isinstance(self.of, types.MethodType):  # of a distribution, which is an object
            name = f"{type(self.of.__self__).__name__.removesuffix('_gen')}.{self.of.__name__}"
        shapes = ",".join("x".join(map(str, x.shape)) or "0d" for x in self.operands)
        return f"{name}({shapes})#{self.number}"

    def arguments(self, seed: int = 0, dtype: Any = np.float64) -> list[np.ndarray]:
        """Arrays to call it with."""
        rng = np.random.default_rng([seed, zlib.crc32(str(self.operands).encode())])
        return [x.sample(rng, dtype) for x in self.operands]

    def fix(self, xs: Sequence[Any]) -> tuple[Callable[..., Any], list[Any]]:
        """The function of its differentiable operands alone, and these."""
        moving = [i for i, x in enumerate(self.operands) if x.kind == "f"]

        def h(*new: Any) -> Any:
            args = list(xs)
            for i, x in zip(moving, new, strict=True):
                args[i] = x
            return self.call(*args)

        return h, [xs[i] for i in moving]


def row(
    of: Any, operands: Sequence[Any], call: Any = None, kind: str = "smooth", **flags: Any
) -> Row:
    """A `Row`; shapes stand for real operands, and the call is ``of`` itself if not given."""
    spec = tuple(x if isinstance(x, Operand) else R(*x) for x in operands)
    return Row(of, spec, call or of, kind, **flags)


def linear(of: Any, operands: Sequence[Any], call: Any = None, **flags: Any) -> Row:
    """A row of a function that is linear in its operands together, complex ones too."""
    return row(of, operands, call, **{"kind": "linear", "complex": True, **flags})


def multilinear(of: Any, operands: Sequence[Any], call: Any = None, **flags: Any) -> Row:
    """A row of a function that is linear in each operand, complex ones too."""
    return row(of, operands, call, **{"kind": "multilinear", "complex": True, **flags})


def constant(of: Any, operands: Sequence[Any], call: Any = None, **flags: Any) -> Row:
    """A row of a piecewise constant function."""
    return row(of, operands, call, **{"kind": "constant", **flags})
