"""The laws of the table, for arrays of the stand-in: what they do on NumPy's, and nothing else.

Each is computed with NumPy's arrays and with the stand-in's. The numbers are equal, derivatives are
arrays of the stand-in's, and between start and end nothing is copied to the host or waited for.
On a GPU the same is done with CuPy's own (`tests/gpu`), where nobody counts.
"""

from __future__ import annotations

import builtins
import types
from typing import Any

import numpy as np

import fgrad
from fgrad import tree

from ..examples import Row
from ..laws import close, random_like
from .library import LIBRARY
from .traffic import counted


def move(x: Any, library: Any = LIBRARY) -> Any:
    """Arrays to the device."""
    return tree.map(lambda y: library.asarray(y) if isinstance(y, np.ndarray) else y, x)


def back(x: Any) -> Any:
    """Arrays from the device."""
    return tree.map(lambda y: y.get() if hasattr(y, "get") else y, x)


def on_device(call: Any, library: Any) -> Any:
    """A row's call, with its constants on the device: NumPy's arrays in it are CuPy's."""
    if not isinstance(call, types.FunctionType) or not call.__module__.startswith("tests."):
        return call
    read = read_by(call.__code__)
    names = {k: moved(v, library) for k, v in call.__globals__.items() if k in read}
    names["__builtins__"] = builtins
    cells = tuple(types.CellType(moved(c.cell_contents, library)) for c in call.__closure__ or ())
    defaults = tuple(moved(x, library) for x in call.__defaults__ or ()) or None
    return types.FunctionType(call.__code__, names, call.__name__, defaults, cells or None)


def read_by(code: types.CodeType) -> set[str]:
    """The names that a function reads, and the functions in it."""
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return {*code.co_names}.union(*map(read_by, inner))


class Creating(types.ModuleType):
    """NumPy, but that it creates arrays on the device, as one who has CuPy's would."""

    def __init__(self, library: Any) -> None:
        super().__init__("numpy")
        self.library = library

    def __getattr__(self, name: str) -> Any:
        return getattr(self.library if name in CREATES else np, name)


CREATES = {"array", "asarray", "eye", "arange", "zeros", "ones", "full", "empty"}


def moved(x: Any, library: Any) -> Any:
    """A constant of a call: an array, a tuple of some, a module, or a function with constants."""
    if x is np:
        return Creating(library)
    if isinstance(x, types.FunctionType) and x.__module__.startswith("tests.examples"):
        return on_device(x, library)
    if isinstance(x, np.ndarray):
        return library.asarray(x)
    if type(x) in (tuple, list) and any(isinstance(y, np.ndarray) for y in x):
        return type(x)(moved(y, library) for y in x)
    if type(x) is dict:
        return {k: moved(v, library) for k, v in x.items()}
    return x


def on_there(row: Row, xs: list[Any], library: Any) -> tuple[Any, list[Any]]:
    """The row's function of its differentiable operands, and these, on the device."""
    call = on_device(row.call, library)
    there = Row(row.of, row.operands, call, row.kind, row.complex, row.bits)
    return there.fix(move(xs, library))


def first_order(h: Any, xs: list[Any], ts: Any, g: Any) -> Any:
    """The value with its tangent, and with the cotangents."""
    value, pullback = fgrad.vjp(h, *xs)
    return fgrad.jvp(h, tuple(xs), tuple(ts)), (value, pullback(g))


def second_order(h: Any, xs: list[Any], ts: Any, g: Any) -> Any:
    """Forward over reverse, and reverse over forward."""

    def backward(*us: Any) -> Any:
        return fgrad.vjp(h, *us)[1](g)

    def forward(*us: Any) -> Any:
        return fgrad.jvp(h, us, tuple(ts))[1]

    return fgrad.jvp(backward, tuple(xs), tuple(ts))[1], fgrad.vjp(forward, *xs)[1](g)


def batched(h: Any, xs: list[Any], ts: Any, g: Any) -> Any:
    """The same for two examples at once, and the tangents of both."""
    many = [np.stack([x, x]) for x in xs]

    def forward(*us: Any) -> Any:
        return fgrad.jvp(h, us, tuple(ts))[1]

    return fgrad.vmap(h)(*many), fgrad.vmap(forward)(*many)


def check(
    row: Row, mode: Any, waits: bool = False, dtype: Any = np.float64, library: Any = LIBRARY,
    rtol: float = 1e-11,
) -> None:  # fmt: skip
    """A mode's results on the device are those on the host, which it never asked.

    With ``waits`` it may ask: for a shape that the values decide.
    """
    xs = row.arguments(0, dtype)
    h, moving = row.fix(xs)
    rng = np.random.default_rng(1)
    ts = random_like(list(moving), rng)
    with np.errstate(all="ignore"):
        g = random_like(h(*moving), rng)
        want = mode(h, moving, ts, g)
    k, there = on_there(row, xs, library)
    ts, g = move(ts, library), move(g, library)
    with counted() as traffic:
        got = mode(k, there, ts, g)
    for leaf in tree.leaves(got):
        assert isinstance(leaf, library.ndarray), f"{row}: a result is {type(leaf)}"
    assert waits or (traffic.syncs, traffic.to_host) == (0, 0), f"{row}: {traffic}"
    close(back(got), want, f"{row}: on the device = on the host", rtol)
