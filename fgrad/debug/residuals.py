"""What reverse mode keeps: the arrays that stay in memory between the way there and back."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import CellType, FunctionType
from typing import Any

import numpy as np

from .. import tree
from ..arguments import check_differentiable
from ..arrays import aval, is_a, is_array
from ..checks import run
from ..core import Primitive, Tracer, check_function
from ..derivatives import Pullback
from ..reverse import GENERAL, PART, Tape
from ..tracebacks import boundary

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


@dataclass(frozen=True, eq=False)
class Residual:
    """An array that reverse mode keeps.

    Attributes:
        shape, dtype, nbytes: those of the array.
        operation: the name of the operation whose way back reads it.
        origin: where it comes from: an argument, a constant, or the answer of an operation.
        where: file and line in which the operation was called.
        owner: a number for the memory that it lies in; views of one array share it.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    nbytes: int
    operation: str
    origin: str
    where: str
    owner: int

    def __str__(self) -> str:
        text = f"{self.dtype}[{','.join(map(str, self.shape))}] {self.nbytes} bytes: "
        return f"{text}{self.origin}, for `{self.operation}` at {self.where}"


@boundary
def saved_residuals(f: Callable[..., Any], *args: Any, **kwargs: Any) -> list[Residual]:
    """The arrays that reverse mode keeps of a call, to go back.

    >>> import numpy as np
    >>> w, x = np.ones((3, 2)), np.ones(2)
    >>> for r in saved_residuals(lambda w: np.sum(np.tanh(w @ x)), w):
    ...     print(r.shape, r.nbytes, r.operation, "|", r.origin)
    (2,) 16 matmul | a constant
    (3,) 24 tanh | the answer of `tanh`

    Args:
        f: a function of arrays in pytrees that returns a pytree of arrays.
        args: the arguments that are differentiated, all of them.
        kwargs: keyword arguments, which aren't.

    Returns:
        A list in the order of the operations. An array that several operations read is there
        once, with the first of them. Numbers (arrays of shape ()) are there too; Python's aren't.
        `fgrad.checkpoint` shows as one operation that keeps what it begins with.
    """
    check_function(f, "saved_residuals", direct=True)
    leaves, structure = tree.flatten(args)
    check_differentiable(leaves, args, "saved_residuals")
    names = [f"the argument {tree.path_str(path)}" for path in structure.accessors()]
    tape = Tape("saved_residuals", f)
    notes = _Notes()
    tape.nodes = notes
    try:
        out = run(tape, f, tree.unflatten(structure, tape.watch(leaves)), kwargs)
        del out
        tape.finish()
        found = list(_residuals(tape.record, notes.notes, names, leaves))
    finally:
        if tape.nodes is not None:
            tape.finish()
        tape.release()
    return found


@boundary
def print_saved_residuals(f: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Print what `saved_residuals` finds, and the memory of all.

    >>> import numpy as np
    >>> print_saved_residuals(np.exp, np.zeros(3))
    float64[3] 24 bytes: the answer of `exp`, for `exp` at ...
    24 bytes in 1 array

    Args: see `saved_residuals`.
    """
    found = saved_residuals(f, *args, **kwargs)
    for r in found:
        print(r)
    memory: dict[int, int] = {}
    for r in found:
        memory[r.owner] = max(memory.get(r.owner, 0), r.nbytes)
    print(f"{sum(memory.values())} bytes in {len(memory)} array{'s' * (len(memory) != 1)}")


class _Notes(list):  # type: ignore[type-arg]
    """The records of a tape, and for each the operation and the line of the user's."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[tuple[str, str]] = []

    def extend(self, records: Any) -> None:
        for record in records:
            super().append(record)
            self.notes.append(("", ""))

    def append(self, record: Any) -> None:
        super().append(record)
        # Who records an operation has it as `p`, or is made for one alone.
        recorder = sys._getframe(1)
        p, name = recorder.f_locals.get("p"), recorder.f_code.co_name
        operation = p.name if isinstance(p, Primitive) else _SPECIAL.get(name, name)
        self.notes.append((operation, _caller()))


#: Functions of `recorders` that are made for one operation.
_SPECIAL = {"_array_function": "mean", "_getitem": "getitem", "_transposed": "transpose"}


def _caller() -> str:
    frame = sys._getframe(1)
    while frame.f_back is not None:
        name = frame.f_code.co_filename
        if not (name.startswith((_PACKAGE, _NUMPY)) or name.startswith("<__array_function__")):
            break
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


_NUMPY = os.path.dirname(os.path.abspath(np.__file__)) + os.sep


def _residuals(
    records: Sequence[Any], notes: Sequence[tuple[str, str]], names: Sequence[str], leaves: Any
) -> Iterator[Residual]:
    made = list(names)
    for record, (name, _) in zip(records[len(names) :], notes[len(names) :], strict=True):
        made.append(made[record[0]] if record[1] == PART else f"the answer of `{name}`")
    known = {id(x): name for x, name in zip(leaves, names, strict=True)}
    seen: dict[int, Any] = {}
    for record, note, answer in zip(records, notes, made, strict=True):
        for origin, x in kept(record, answer, made) if record is not None else ():
            if id(x) not in seen:
                seen[id(x)] = x
                a = aval(x)
                origin = known.get(id(x), origin)
                yield Residual(a.shape, a.dtype, a.nbytes, note[0], origin, note[1], owner(x))


def kept(record: Any, answer: str, made: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """The arrays that a record of a tape holds, and where they come from."""

    def of(slot: int) -> str:
        return made[slot] if slot >= 0 else "a constant"

    i, j, p, sources, ans, x, y = record
    if j == PART:
        return
    if j == GENERAL and p.record is not None:
        answer = f"a residual of `{p.name}`"
    yield from ((answer, z) for z in _arrays(ans))
    if j == GENERAL:
        parents = dict(zip(*sources, strict=True))
        for n, operand in enumerate(x):
            yield from ((of(parents.get(n, -1)), z) for z in _arrays(operand))
    else:
        yield from ((of(i), z) for z in _arrays(x))
    yield from ((of(j), z) for z in _arrays(y))  # of params j is negative


def owner(x: Any) -> int:
    """A number for the memory that an array lies in; views share it."""
    while is_a(getattr(x, "base", None), np.ndarray):
        x = x.base
    return id(x)


def _arrays(x: Any, functions: frozenset[int] = frozenset()) -> Iterator[Any]:
    """The arrays within what a record holds, also those that a function in it closes over."""
    if isinstance(x, Tracer):
        x = (x.value, x.slot)
    elif isinstance(x, Pullback):
        x = x._tape.record
    elif isinstance(x, functools.partial):
        x = (x.args, x.keywords)
    elif isinstance(x, FunctionType) and id(x) not in functions:
        functions |= {id(x)}
        x = [c.cell_contents for c in x.__closure__ or () if c != CellType()]
    if isinstance(x, dict):
        x = list(x.values())
    if isinstance(x, (tuple, list)):
        for z in x:
            yield from _arrays(z, functions)
    elif is_array(x) and hasattr(x, "dtype"):
        yield x
