"""Signatures: how a call's arguments, and what a function captures, become inputs of a program."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from .. import tree
from ..arrays import digest, is_a, is_cupy, ndarray
from ..errors import ArgumentError, describe, name_of
from ..libraries import WATCHED
from .captured import EMPTY, Captured, Read, parts, snapshot
from .codes import dictionary
from .opening import opened
from .scope import Scope
from .unpacking import Leaf, Unpacker, is_dynamic

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

OTHERWISE = "return elsewhere"


class Signature:
    """One kind of call.

    Attributes:
        unpacker: the code that takes a call apart and checks it, and the traced leaves.
        opened: the captured places whose arrays are inputs.
        places: the other places, in which there must be the same objects.
        contents: the containers and arrays in them, what is to be inside, and its parts.
        fixed: the static arguments, by name.
    """

    def __init__(
        self, f: Callable[..., Any], args: Any, kwargs: Any, static: frozenset[Any], openly: bool,
    ) -> None:  # fmt: skip
        self.f, self.args, self.kwargs, self.names_of_static = f, args, kwargs, static
        self.scope = Scope()
        self.unpacker = u = Unpacker(self.scope, OTHERWISE)
        keys = tuple(kwargs)
        rest = f"(*kwargs,) == {keys!r}" if keys else "not kwargs"
        u.lines.append(f"if not (len(args) == {len(args)} and {rest}): {OTHERWISE}")
        parameters = positional(f, len(args))
        self.static = static_flags(f, args, kwargs, static)
        paths = [*parameters, *keys]
        names = [u.name(path) for path in paths]
        if args:
            u.lines.append(f"{', '.join(names[: len(args)])}{',' * (len(args) == 1)} = args")
        u.lines += [f"{n} = kwargs[{k!r}]" for n, k in zip(names[len(args) :], keys, strict=True)]
        self.fixed: list[tuple[str, Any]] = []
        for name, path, x, fixed in zip(
            names, paths, (*args, *kwargs.values()), self.static, strict=True
        ):
            if fixed:
                u.static(x, name)
                self.fixed.append((path, x))
            else:
                u.take(x, name, path)
        self.arguments = len(u.leaves)
        self._captured: Any = Captured(f, u.fixed)
        captured: Captured = self._captured
        self.opened: list[tuple[Read, int, int]] = []
        arrays = captured.arrays() if openly else []
        inputs = {read.id for read in arrays}
        for read in captured.reads:
            self._capture(read, read.id in inputs)
        self.places = [read for read in captured.reads if read.id not in inputs]
        #: The class of CuPy's arrays, if there are some among the inputs.
        self.library: type | None = next(
            (type(leaf.value) for leaf in u.leaves if is_cupy(leaf.value)), None
        )
        #: Whether the function reads some whose values nobody checks: it can't be compiled.
        self.unseen = captured.on_device or any(
            is_cupy(x) for read in self.places for x in read.inside
        )
        if self.library is not None:  # who looks at each operation, looks at the function's own
            u.check(f"{self.scope.bind(WATCHED, 'watched')}.get() is None")
        self.contents = [(x, snapshot(x), parts(x)) for x in captured.contents(arrays)]

    def _capture(self, read: Read, opened: bool) -> None:
        u, scope = self.unpacker, self.scope
        now = self._now(read)
        if opened:
            u.flush()
            name = u.name(read.name)
            u.lines.append(f"{name} = {now}")
            before = len(u.leaves)
            u.take(read.value, name, read.name, _is_array)
            self.opened.append((read, before, len(u.leaves)))
        elif now:
            u.check(f"{now} is {scope.bind(read.value, 'static')}")

    def _now(self, read: Read) -> str:
        """The expression of what is in a place."""
        scope, key = self.scope, read.key
        if read.kind == "cell":
            empty = read.value is EMPTY
            return "" if empty else f"{scope.bind(read.place, 'cell')}.cell_contents"
        if read.kind == "defaults":
            return f"{scope.bind(read.place, 'function')}.{key}"
        if read.kind in ("class", "slot"):
            return f"getattr({scope.bind(read.place, 'place')}, {key!r}, {self._empty})"
        space = read.place if read.kind == "global" else dictionary(read.place)
        rest = f", {self._empty}" if read.value is None or read.value is EMPTY else ""
        return f"{scope.bind(space, 'place')}.get({key!r}{rest})"

    @property
    def _empty(self) -> str:
        return self.scope.bind(EMPTY, "empty")

    def _check_contents(self, x: Any) -> str:
        """The expression of what a container or an array has inside."""
        scope = self.scope
        name = scope.bind(x, "held")
        identity = f"*map({scope.bind(id, 'identity')}, {name})"
        if type(x) in (list, deque):
            return f"[{identity}]"
        if type(x) is dict:
            return f"[{identity}, {identity[:-1]}.values())]"
        if is_a(x, ndarray) and not x.dtype.hasobject:
            return f"{scope.bind(digest, 'digest')}({name})"
        return f"{scope.bind(snapshot, 'snapshot')}({name})"

    def settle(self) -> None:
        """End the checks, when the function has run.

        Containers and arrays must have the contents that they had; not the containers that the
        function itself has changed, such as a list in which it notes its calls.
        """
        self.contents = [
            (x, before, inside) for x, before, inside in self.contents
            if is_a(x, ndarray) or snapshot(x) == before
        ]  # fmt: skip
        for x, before, _ in self.contents:
            same = f"{self._check_contents(x)} == {self.scope.bind(before, 'before')}"
            self.unpacker.check(same)
        self.unpacker.flush()
        # The arrays that it was called with, and those that are inputs, are not kept.
        self.args = self.kwargs = self._captured = None
        self.opened = [(replace(read, value=None, inside=[]), a, b) for read, a, b in self.opened]
        for leaf in self.leaves:
            leaf.said, leaf.value = describe(leaf.value), None

    @property
    def leaves(self) -> list[Leaf]:
        return self.unpacker.leaves

    def traced(self, tracers: Sequence[Any]) -> tuple[Callable[..., Any], Any, Any]:
        """The function and the arguments with tracers in the places of the leaves."""
        queue = iter(tracers)
        values = [
            x if fixed else _replaced(x, queue, is_dynamic)
            for x, fixed in zip((*self.args, *self.kwargs.values()), self.static, strict=True)
        ]
        n = len(self.args)
        new = {
            read.id: _replaced(read.value, iter(tracers[a:b]), _is_array)
            for read, a, b in self.opened
        }
        f = opened(self._captured, self.f, lambda read: new[read.id]) if new else self.f
        return f, values[:n], dict(zip(self.kwargs, values[n:], strict=True))


def _is_array(x: Any) -> bool:
    return (is_a(x, ndarray) or is_cupy(x)) and is_dynamic(x)


def _replaced(x: Any, queue: Any, dynamic: Callable[[Any], bool]) -> Any:
    leaves, structure = tree.flatten(x)
    return tree.unflatten(structure, [next(queue) if dynamic(y) else y for y in leaves])


def positional(f: Callable[..., Any], n: int) -> list[str]:
    """The names of the first n parameters."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):  # some functions of C have none
        parameters = {}.values()
    names = [p.name for p in parameters if p.kind in _POSITIONAL]
    return [names[i] if i < len(names) else f"x{i}" for i in range(n)]


def static_flags(
    f: Callable[..., Any], args: Any, kwargs: Any, static: frozenset[Any]
) -> list[bool]:
    """Which arguments are static, by position or by name.

    Raises:
        ArgumentError: such an argument has no hash.
    """
    if not static:
        return [False] * (len(args) + len(kwargs))
    n, paths = len(args), [*positional(f, len(args)), *kwargs]
    flags = [
        p in static or (i < n and (i in static or i - n in static)) for i, p in enumerate(paths)
    ]
    for x, path, fixed in zip((*args, *kwargs.values()), paths, flags, strict=True):
        if fixed:
            check_hashable(x, path, f)
    return flags


def check_hashable(x: Any, path: str, f: Callable[..., Any]) -> None:
    """Refuse a static argument by which programs can't be told apart."""
    try:
        hash(x)
    except TypeError:
        raise ArgumentError(
            "jit wants static arguments that can be hashed: it makes a program for each value.",
            f"{describe(x)} for {path} of {name_of(f)}",
            "pass a tuple for a list; leave an array out of static_argnums and static_argnames",
        ) from None


def check_static(f: Callable[..., Any], numbers: Sequence[Any], names: Sequence[Any]) -> None:
    """Refuse positions and names of static arguments that the function doesn't have."""
    to_do = "give positions in static_argnums, and names of the function's arguments in "
    to_do += "static_argnames"
    for x, kind in (*((x, int) for x in numbers), *((x, str) for x in names)):
        if not is_a(x, kind) or is_a(x, bool):
            raise ArgumentError(
                f"jit wants static {'positions' if kind is int else 'names'} as {kind.__name__}.",
                repr(x),
                to_do,
            )
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):  # some functions of C have none
        return
    kinds = {p.kind for p in parameters}
    known = [p.name for p in parameters]
    plain = [p for p in parameters if p.kind in _POSITIONAL]
    unknown: list[Any] = []
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        unknown += [x for x in names if x not in known]
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        unknown += [i for i in numbers if not -len(plain) <= i < len(plain)]
    if unknown:
        raise ArgumentError(
            f"jit wants static arguments that {name_of(f)} has: {', '.join(known) or 'none'}.",
            ", ".join(map(repr, unknown)),
            to_do,
        )
