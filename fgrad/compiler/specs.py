"""Specs: the programs of a function for one kind of call, as a tree of paths."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..arrays import is_a, is_cupy, ndarray
from ..checks import run
from ..core import Tracer, refuse_finished
from ..errors import DtypeError, TracerConversionError, describe, name_of
from ..graph import Const
from ..kinds import kind_of
from .auto import Auto
from .cupy.recording import REFUSALS, DevicePath
from .cupy.segments import DeviceSegment, device_options
from .lowering import constants_of
from .native import native_options
from .passes import Options
from .paths import Recording, Segment
from .program import happens
from .recording import OuterValue, Path, PathTracer, changed
from .scope import Scope
from .signature import OTHERWISE, Signature


def record(
    f: Callable[..., Any], signature: Signature, path: type[Path] = Path
) -> tuple[Recording, Any]:
    """Run the function on the values of a call: what it did, and its result.

    Args:
        path: the interpreter that records, of NumPy's arrays.

    Raises:
        OuterValue: it reads a value of a transformation around it.
        TracerConversionError: it asks for a number, or changes an array that it has captured.
    """
    recording, values, moved = _recorded(f, signature, path, copying=False)
    if moved:
        # It may have filled an array of its own after reading it. One that it finds changed
        # again is not its own.
        again, values, still = _recorded(f, signature, path, copying=True)
        held = {id(x) for x in moved}
        for x in still:
            if id(x) in held:
                raise TracerConversionError(
                    "jit wants a function that doesn't write into arrays that it captures.",
                    f"{describe(x)}, changed while {name_of(f)} ran",
                    "return the new values, and pass them as an argument to the next call",
                )
        recording = again
    recording.find_lonely()
    if signature.library is not None:  # all of the device's that it reads are copies of its own
        recording.lonely.update(
            id(a.value) for a in constants_of(recording.equations) if is_cupy(a.value)
        )
    return recording, values


def _recorded(
    f: Callable[..., Any], signature: Signature, path: type[Path], copying: bool
) -> tuple[Recording, Any, list[Any]]:
    trace = path(f, copying) if signature.library is None else DevicePath(f, copying)
    leaves = signature.leaves
    tracers = [trace.tracer(leaf.value) for leaf in leaves]
    trace.names = {x.slot: leaf.path for x, leaf in zip(tracers, leaves, strict=True)}
    fn, args, kwargs = signature.traced(tracers)
    try:
        out = run(trace, fn, args, kwargs)
    finally:
        trace.finish()
    flat, structure = tree.flatten(out)
    outputs: list[Any] = []
    values: list[Any] = []
    for y in flat:
        mine = type(y) is PathTracer and y.owner is trace
        if not mine:
            refuse_finished(y, "jit")
            if isinstance(y, Tracer):
                raise OuterValue
            check_result(y, f)
        number = is_a(y, np.generic) and y.dtype.kind in "fciub"
        array = number or is_a(y, ndarray) or is_cupy(y)
        outputs.append(y.slot if mine else Const(y) if array else (y,))
        values.append(y.value if mine else y)
    moved = changed(trace)
    trace.read.clear()  # from here on, only the recording holds what the function made
    recording = Recording(
        [x.slot for x in tracers], trace.equations, trace.guards, outputs, structure,
        [_order(leaf.value) for leaf in leaves], [leaf.name for leaf in leaves], trace.errors,
        there=frozenset(trace.there), library=signature.library, kept=trace.kept,
        numbers=trace.numbers,
    )  # fmt: skip
    if signature.library is None:
        recording.kinds = [kind_of(y) for y in values]
    held = {id(leaf.value) for leaf in leaves}
    held |= {id(a.value) for e in trace.equations for a in e.operands if isinstance(a, Const)}
    held |= {id(y.value) for y in outputs if isinstance(y, Const)}
    return recording, tree.unflatten(structure, _fresh(values, held)), moved


def check_result(y: Any, f: Callable[..., Any]) -> None:
    """Refuse a result that later calls couldn't give again."""
    objects = is_a(y, ndarray) and y.dtype.hasobject
    if objects or hasattr(type(y), "__next__") or isinstance(y, (Awaitable, AsyncIterable)):
        raise DtypeError(
            "jit wants a function that returns arrays of numbers in pytrees, or other values that "
            "are the same at each call.",
            f"{describe(y)}, returned by {name_of(f)}",
            "return np.stack(...) for an array of objects, list(...) for a generator",
        )


def _order(x: Any) -> bool | None:
    if not is_a(x, ndarray):
        return False
    return False if x.flags.c_contiguous else True if x.flags.f_contiguous else None


def _fresh(values: Sequence[Any], held: set[int]) -> list[Any]:
    """The values of a recorded run as results: arrays that nobody else holds."""
    out = []
    for y in values:
        if is_a(y, ndarray) or is_cupy(y):
            y = y.copy("K") if id(y) in held or y.base is not None else y
            held.add(id(y))
        out.append(y)
    return out


class Elsewhere:
    """The answer of a program to a call that it isn't made for."""


ELSEWHERE = Elsewhere()


def _segments(root: Segment) -> Iterator[Segment]:
    """A segment and all that follow."""
    yield root
    for child in root.children.values():
        yield from _segments(child)


def elsewhere(*args: Any, **kwargs: Any) -> Any:
    """The program that is made for no call."""
    return ELSEWHERE


class Spec:
    """The programs for one kind of call.

    Attributes:
        root: the first segment; its code is called as the function is.
        paths: how many ends the tree of segments has.
        calls: how often it had to be recorded again.
        full: there are as many paths as there may be.
    """

    def __init__(
        self, f: Callable[..., Any], signature: Signature, recording: Recording, options: Options,
        limit: int, strict: bool, lock: Any, segment: type[Segment] = Segment,
    ) -> None:  # fmt: skip
        there = signature.library is not None
        self.segment: type[Segment] = DeviceSegment if there else segment
        self.f, self.signature = f, signature
        self.options = options = device_options(options) if there else options
        self.limit, self.strict = limit, strict
        self.recordings: list[Recording] = []
        self.full = False
        self._lock = lock
        signature.settle()
        self.root = self._begun(recording, options)
        self._trees = [(self.root, options)]
        self._enter(recording)
        self.auto: Auto | None = None
        if options.backend == "auto":
            self.auto = Auto(self, ELSEWHERE)
        elif self.root.guard is None:  # no other path will ever be compared with it
            recording.equations.clear()

    @property
    def paths(self) -> int:
        return len(self.recordings)

    @property
    def code(self) -> Callable[..., Any]:
        """Called as the function is; gives `ELSEWHERE` for what it isn't made for."""
        return self.auto or self.root.code

    # ------------------------------------------------------------------ two trees, for a while
    def native(self) -> Segment | None:
        """The same tree as machine code, which grows beside the other; None if none of it is."""
        options = native_options(self.options)
        with self._lock:
            known = [*self.recordings]
        root = self._begun(known[0], options)
        for recording in known:
            self._grow(root, options, recording)
        if not any(x.native is not None and x.native.kernels for x in _segments(root)):
            return None
        with self._lock:
            for recording in self.recordings[len(known) :]:
                self._grow(root, options, recording)
            self._trees.append((root, options))
        return root

    def keep(self, root: Segment) -> None:
        """From now on there is this tree only."""
        with self._lock:
            self.root = root
            self._trees = [tree for tree in self._trees if tree[0] is root]
            if root.guard is None:
                self.recordings[0].equations.clear()

    @property
    def has_effects(self) -> bool:
        """Whether something happens in a call besides the computing of its result."""
        return any(happens(e.primitive, e.params) for r in self.recordings for e in r.equations)

    def _scope(self) -> Scope:
        scope = self.signature.scope.copy()
        scope.names["elsewhere"] = ELSEWHERE
        return scope

    def takes(self, args: Any, kwargs: Any) -> bool:
        """Whether the programs are made for such a call."""
        scope = self.signature.scope.copy()
        lines = [line.replace(OTHERWISE, "return False") for line in self.signature.unpacker.lines]
        body = "".join(f"    {line}\n" for line in [*lines, "return True"])
        exec(f"def takes(args, kwargs):\n{body}", scope.names)
        return bool(scope.names["takes"](args, kwargs))

    def _begun(self, recording: Recording, options: Options) -> Segment:
        """The first segment of a tree."""
        root = self.segment(recording, 0, [], options, self._absent)
        root.compile(self.signature.unpacker.lines, self._scope())
        return root

    def _enter(self, recording: Recording) -> bool:
        """Compile what is new in a recording, in all trees; whether there was anything."""
        new = [self._grow(root, options, recording) for root, options in self._trees]
        if any(new) and not self.full:
            self.recordings.append(recording)
        return any(new)

    def _grow(self, root: Segment, options: Options, recording: Recording) -> bool:
        """The same in one tree."""
        segment, new = root, not self.recordings
        while segment.guard is not None:
            if not recording.follows(segment.recording, segment.depth, segment.end):
                self.full = True  # it does other things at each call
                return True
            answer = recording.guards[segment.depth].answer
            if answer not in segment.children:
                new = True
                handed = segment.handed_to(recording)
                child = self.segment(recording, segment.depth + 1, handed, options, self._absent)
                child.compile()
                segment.attach(answer, child)
            segment = segment.children[answer]
        return new

    def _absent(self, segment: Segment, answer: bool, args: Any, kwargs: Any) -> Any:
        """What happens on a path that was never taken: it is recorded, and compiled from here."""
        if self.full:
            return self.f(*args, **kwargs)
        if self.paths >= self.limit:
            self._refuse()
            return self.f(*args, **kwargs)
        call = Signature(
            self.f, args, kwargs, self.signature.names_of_static, bool(self.signature.opened)
        )
        try:
            recording, result = record(self.f, call)
        except REFUSALS as e:
            if call.library is not None and not self.strict:
                self._run_as_written(e)
                return self.f(*args, **kwargs)
            if not call.opened or not isinstance(e, TracerConversionError):
                raise
            # Here it asks for the values of an array that it captures, as it may.
            call = Signature(self.f, args, kwargs, self.signature.names_of_static, False)
            self.full = True
            return record(self.f, call)[1]
        if recording.reads_others():
            self.full = True
            return result
        with self._lock:
            if not self._enter(recording) and answer not in segment.children:
                # The function itself goes another way than its compiled code: it isn't the same
                # function at each call, or a library rounds otherwise in another memory order.
                self.full = True
        return result

    def _run_as_written(self, e: Any) -> None:
        """Say, once, that the other paths of a function of CuPy's arrays aren't compiled."""
        self.full = True
        warnings.warn(
            f"{e.wanted}\n  It got: {e.came}; the paths that are not compiled yet run as they are "
            f"written.\n  To do: {e.to_do}",
            RuntimeWarning,
            stacklevel=4,
        )

    def _refuse(self) -> None:
        """Say, once, that there are too many paths."""
        wanted = (
            f"jit wants a function that takes at most {self.limit} ways through its truth values."
        )
        came = f"{name_of(self.f)}, which takes more"
        to_do = (
            "choose with np.where or fgrad.cond instead of `if`, loop with fgrad.while_loop; or "
            "raise max_paths"
        )
        if self.strict:
            raise TracerConversionError(wanted, came, to_do)
        self.full = True
        warnings.warn(
            f"{wanted}\n  It got: {came}; what is not compiled runs as it is.\n  To do: {to_do}",
            RuntimeWarning,
            stacklevel=4,
        )
