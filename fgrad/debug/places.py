"""Where an operation runs: the line of the user's, and what fgrad is doing around it.

All of it is read from the stack of the call, so nothing is noted while nobody looks. The frames of
the interpreters (`Tape.backward` and its like) tell by their variables which operation of the
forward pass a rule belongs to.
"""

from __future__ import annotations

import functools
import linecache
import os
import sys
import sysconfig
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

import numpy as np
import optree

from ..batch import Batch
from ..control.bodies import Body
from ..core import Primitive
from ..forward import Pushforward
from ..graph import Graph
from ..reverse import Tape


@dataclass(frozen=True)
class Line:
    """A line of the user's source, within a call.

    Attributes:
        file, line, function: where it is.
    """

    file: str
    line: int
    function: str

    @property
    def source(self) -> str:
        """The text of the line; empty where there is no file to read."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        return f"{os.path.basename(self.file)}:{self.line}"


@dataclass(frozen=True, eq=False)
class Node:
    """A record of a tape: the level of the tape and the number of the record on it.

    Attributes:
        operation: the primitive that is being recorded; None of a record that is pulled.
        operands: the operands as the tape has them.
        depth: how many of the user's frames are nearer than the tape's.
        cotangent: what is pulled back through the record, if it is.
    """

    level: int
    slot: int
    operation: Primitive | None = None
    operands: tuple[Any, ...] = ()
    depth: int = 0
    cotangent: Any = None

    @property
    def key(self) -> tuple[int, int]:
        """What finds the record."""
        return self.level, self.slot


@dataclass(frozen=True, eq=False)
class Source:
    """What an operation of a graph says of where it was written.

    Attributes:
        operation: the user's operation.
        phase: "forward", or "backward" or "tangent" if it belongs to a rule of that.
        stack: the user's lines, the nearest first.
        inside: the function with rules of the user's that it is a part of.
    """

    operation: str
    phase: str
    stack: tuple[Line, ...]
    inside: str = ""


@dataclass(frozen=True, eq=False)
class Pushed:
    """An operation whose tangent is computed.

    Attributes:
        operation, operands: the primitive and the values that it is applied to.
        depth: how many of the user's frames are nearer.
    """

    operation: Primitive
    operands: tuple[Any, ...]
    depth: int


@dataclass(frozen=True, eq=False)
class Whereabouts:
    """What the stack says of an operation.

    Attributes:
        stack: the user's lines, the nearest first.
        recording: the records that tapes are about to make of it, the nearest first.
        pulled: the record that a tape is walking back over, if it is.
        beneath: how many of the user's lines are inside of the walk back (in a rule of theirs).
        pushed: the operation whose tangent is being computed, if one is.
        batches: the sizes of the mapped axes in front, the outermost first.
        tape: the tape that is walked back over; the outermost of several.
        source: that of the operation of a graph which is being run.
        around: the records that outer tapes are walking back over, the nearest first.
    """

    stack: tuple[Line, ...]
    recording: tuple[Node, ...]
    pulled: Node | None
    beneath: int
    pushed: Pushed | None
    batches: tuple[int, ...]
    tape: Tape | None
    source: Source | None
    around: tuple[Node, ...] = ()


_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_LIBRARIES = tuple(
    folder + os.sep
    for folder in (
        _HERE, os.path.dirname(np.__file__), os.path.dirname(optree.__file__),
        os.path.join(os.path.dirname(os.path.dirname(np.__file__)), "scipy"),
    )
)  # fmt: skip
_STANDARD = sysconfig.get_paths()["stdlib"] + os.sep


@functools.lru_cache(maxsize=4096)
def is_users(file: str) -> bool:
    """Whether a file is neither of fgrad, NumPy, SciPy or optree, nor of Python's library.

    >>> is_users(__file__), is_users("model.py")
    (False, True)
    """
    if file.startswith(("<__array_function__", "<fgrad.jit", "<frozen")):
        return False
    if file.startswith(_LIBRARIES):
        return False
    return not file.startswith(_STANDARD) or "site-packages" in file


_RECORDING = frozenset(f.__code__ for f in (Tape.unary, Tape.binary, Tape.process))
_PUSHING = frozenset(f.__code__ for f in (Pushforward.unary, Pushforward.process))
_MAPPING = frozenset(f.__code__ for f in (Batch.unary, Batch.binary, Batch.process))
_BACKWARD = Tape.backward.__code__


def whereabouts(until: CodeType) -> Whereabouts:
    """Read the stack, from the caller out to the frame of some code."""
    stack: list[Line] = []
    recording: list[Node] = []
    pulled: Node | None = None
    pushed: Pushed | None = None
    source: Source | None = None
    beneath, own, tape = 0, 0, None
    around: list[Node] = []
    batches: dict[int, int] = {}
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code is until:
            break
        if code in _RECORDING:
            if pulled is None:
                recording.append(_node(frame.f_locals, len(stack)))
        elif code is _BACKWARD:
            names = frame.f_locals
            tape = names["self"]
            if pulled is None:
                pulled = Node(tape.level, len(names["nodes"]), cotangent=names.get("g"))
                beneath = len(stack) if own else 0
            else:
                around.append(Node(tape.level, len(names["nodes"])))
        elif code in _PUSHING:
            names = frame.f_locals
            # The answer is there, so what is computed is the tangent.
            if pushed is None and pulled is None and ("ans" in names or names["p"].both):
                operands = names["primals"] if "primals" in names else (names["a"],)
                pushed = Pushed(names["p"], tuple(operands), len(stack))
        elif code in _MAPPING:
            if not stack and pulled is None:
                trace = frame.f_locals["self"]
                batches[trace.level] = trace.size
        elif code is _BODY or code is _GRAPH:
            found = _source(frame.f_locals)
            if found is not None:
                source = source or found
                stack += [line for line in found.stack if line not in stack]
        elif is_users(code.co_filename):
            own += 1
            stack.append(Line(code.co_filename, frame.f_lineno, code.co_name))
        frame = frame.f_back
    sizes = tuple(batches[k] for k in sorted(batches))
    return Whereabouts(
        tuple(stack), tuple(recording), pulled, beneath, pushed, sizes, tape, source, tuple(around)
    )  # fmt: skip


_BODY, _GRAPH = Body.__call__.__code__, Graph.__call__.__code__


def _source(names: dict[str, Any]) -> Source | None:
    """That of the operation which a graph's loop over operations has come to."""
    if "eqn" in names:
        return names["eqn"].source
    body, outs = names["self"], names.get("outs")
    steps = zip(body.sources, body._steps, strict=True)
    return next((source for source, step in steps if step[4] is outs), None)


def _node(names: dict[str, Any], depth: int) -> Node:
    if "operands" in names:
        operands = tuple(names["operands"])
    else:
        operands = (names["x"], names["y"]) if "y" in names else (names["x"],)
    tape = names["self"]
    return Node(tape.level, len(tape.nodes or ()), names["p"], operands, depth)
