"""What a function reads besides its arguments: closures, globals, attributes, found in its code.

A compiled program is right as long as these are what they were. Arrays that the function finds in
its closure or among its globals become inputs of the program, so that it reads them at each call,
whatever the function does with them::

    scale = np.ones(3)
    f = jit(lambda x: x * np.exp(scale))     # np.exp(scale) is a part of the program
    scale[0] = 2.0                           # and so is this

For that the function is recorded as a copy of itself with traced values in their places (see
`opening`). Of everything else the program checks, before it runs, that each place that the function
reads holds the same object, and that each container and array found there has the same contents.

Which places these are is read off the code: names of globals and of closed-over variables, and
attributes of objects whose names occur in it. What the code computes a name for (``globals()[a +
b]``), and the state of iterators and of compiled extensions, can't be found that way.
"""

from __future__ import annotations

import array
import functools
import weakref
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from .. import tree
from ..arguments import Selection
from ..arrays import digest, is_a, is_cupy, ndarray
from ..core import Primitive
from .codes import (
    absent_globals,
    contents_of,
    dictionary,
    functions_of,
    globals_in,
    imported,
    is_node,
    names_in,
    of_library,
    runs_as_it_is,
    slots,
    unwrapped,
)

#: What has contents that may change, besides arrays.
CONTAINERS = (list, dict, set, deque, bytearray, array.array)
#: What stands for a function in a class.
DESCRIPTORS = (
    property, classmethod, staticmethod, functools.cached_property, functools.partialmethod,
)  # fmt: skip


class Empty:
    """Stands for what isn't there."""

    def __repr__(self) -> str:
        return "nothing"


EMPTY = Empty()


@dataclass(frozen=True, eq=False)
class Read:
    """A place that a function reads.

    Attributes:
        kind: cell, global or attribute; class, if the attribute is looked up along the bases of a
            class; slot; defaults.
        place: the cell, the module's dictionary, or the object.
        key: the name in it.
        value: what is there.
        name: what the user calls it.
        inside: the containers and arrays in its value, if it is a container with arrays.
    """

    kind: str
    place: Any
    key: str
    value: Any
    name: str
    inside: list[Any] = field(default_factory=list)

    @property
    def id(self) -> tuple[int, str]:
        """What tells places apart."""
        return id(self.place), self.key


class Captured:
    """All that a function reads besides its arguments, and in arguments that are no arrays.

    Attributes:
        reads: the places, each once.
        functions: the functions among what it reads, and the function itself.
        holds: for each function, the functions that stand in its cells and globals.
        fixed: functions that run as they are, as they are reached through a container or an
            object, or write into their cells or globals; in their copies that would be lost.
        on_device: whether it reads arrays of CuPy's in places that copies can't replace: nobody
            would see them change.
    """

    def __init__(self, f: Any, others: Iterable[Any] = ()) -> None:
        self.functions: dict[int, FunctionType] = {}
        self.holds: dict[int, set[int]] = {}
        self.fixed: set[int] = set()
        self._reads: dict[tuple[int, str], Read] = {}
        self._readers: dict[tuple[int, str], set[int]] = {}
        self._contents: dict[int, Any] = {}
        self._objects: dict[int, Any] = {}
        self._names = {"__call__": None}  # in order
        self._looked: dict[int, int] = {}
        self._todo: list[Any] = []
        self._seen: dict[int, Any] = {}
        self.on_device = False
        self._follow(f, None)
        for x in others:
            self._reach(x)
        while self._todo:
            while self._todo:
                self._visit(self._todo.pop())
            for x in [*self._objects.values()]:
                self._attributes(x)
        self.reads = list(self._reads.values())
        todo = [*self.fixed]
        while todo:  # what these hold, they call as it is
            for key in self.holds.get(todo.pop(), ()):
                if key not in self.fixed:
                    self.fixed.add(key)
                    todo.append(key)

    # ------------------------------------------------------------------ finding
    def _reach(self, value: Any) -> None:
        """Look at something, of which no copy can take the place."""
        if isinstance(value, FunctionType):
            self.fixed.add(id(value))
        self._todo.append(value)

    def _follow(self, value: Any, holder: int | None, library: bool = False) -> None:
        """Look at what stands in a cell or a global of a function; None is the call itself."""
        functions, others = unwrapped(value)
        for fn in functions:
            if holder is not None:
                self.holds.setdefault(holder, set()).add(id(fn))
            self._todo.append(fn)
        while others:
            x = others.pop()
            if library and isinstance(x, (*CONTAINERS, tuple)):
                if id(x) not in self._seen:  # a library's own containers may change as they like
                    self._seen[id(x)] = x
                    others += contents_of(x)
            else:
                self._reach(x)

    def _visit(self, value: Any) -> None:
        if id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if isinstance(value, FunctionType):
            self._function(value)
        elif is_a(value, ndarray):
            self._contents[id(value)] = value
        elif is_cupy(value):
            self.on_device = True
        elif isinstance(value, (*CONTAINERS, tuple, frozenset)):
            if isinstance(value, CONTAINERS):
                self._contents[id(value)] = value
            for x in contents_of(value):
                self._reach(x)
            if not of_library(value):
                self._object(value)
        elif isinstance(value, (functools.partial, MethodType, Selection)):
            functions, others = unwrapped(value)
            for x in (*functions, *others):
                self._reach(x)
        elif isinstance(value, BuiltinFunctionType):
            if not isinstance(value.__self__, (ModuleType, type)):
                self._reach(value.__self__)
        elif isinstance(value, weakref.ref):
            self._reach(value())
        else:
            self._object(value)

    def _function(self, fn: FunctionType) -> None:
        if fn.__code__.co_filename.startswith("<fgrad.jit"):
            return
        self.functions[id(fn)] = fn
        library, code = of_library(fn), fn.__code__
        if runs_as_it_is(code):
            self.fixed.add(id(fn))
        for name, cell in zip(code.co_freevars, fn.__closure__ or (), strict=True):
            self._note("cell", cell, "", contents(cell), name, fn, library)
        if fn.__defaults__ or fn.__kwdefaults__:
            self._defaults(fn, library)
        if library:
            return
        space = fn.__globals__
        self._names.update(dict.fromkeys(names_in(code)))
        for name in globals_in(code):
            if name in space:
                self._note("global", space, name, space[name], name, fn, False)
        for name in absent_globals(code, space):
            self._note("global", space, name, EMPTY, name, fn, False)
        for module in imported(code):
            self._reach(module)
        if vars(fn):
            self._objects[id(fn)] = fn

    def _defaults(self, fn: FunctionType, library: bool) -> None:
        for key in ("__defaults__", "__kwdefaults__"):
            value = getattr(fn, key)
            if value and not library:
                self._enter(Read("defaults", fn, key, value, f"defaults of {fn.__name__}"))
            self._reach(value)

    def _object(self, value: Any) -> None:
        library = of_library(value)
        if isinstance(value, DESCRIPTORS):
            for x in functions_of(value):
                self._reach(x)
        elif isinstance(value, (ModuleType, type)):
            if not library:
                self._objects[id(value)] = value
                if isinstance(value, type):
                    self._class(value)
        elif isinstance(value, Primitive):
            self._follow(value.impl if value.formula is True else value.formula, None)
            self._reach(value.jvp)
            self._reach(value.vjp)
        elif dictionary(value) is not None or slots(value):
            self._objects[id(value)] = value
            self._reach(type(value))
            if library:  # what it wraps
                for x in (dictionary(value) or {}).values():
                    if isinstance(x, (FunctionType, MethodType, functools.partial)):
                        self._reach(x)
            if is_node(value):
                self._contents[id(value)] = value
                for x in tree.leaves(value):
                    self._reach(x)

    def _class(self, cls: type) -> None:
        """What operators and calls of its objects run, and its bases and metaclass."""
        for key, x in vars(cls).items():
            if key[:2] == "__" and isinstance(x, (FunctionType, *DESCRIPTORS)):
                self._reach(x)
        for base in (*cls.__bases__, type(cls)):
            self._reach(base)

    def _attributes(self, value: Any) -> None:
        """Attributes of an object that have a name that occurs in the code."""
        alone = isinstance(value, (ModuleType, FunctionType))
        label = value.__name__ if alone or isinstance(value, type) else type(value).__name__
        found = dictionary(value)
        start, self._looked[id(value)] = self._looked.get(id(value), 0), len(self._names)
        names = [*islice(self._names, start, None)]
        if isinstance(value, type):
            for key in names:
                x = next((vars(c)[key] for c in value.__mro__ if key in vars(c)), EMPTY)
                if x is EMPTY and hasattr(type(value), key) and key[:2] != "__":
                    self._note("attribute", value, key, EMPTY, f"{label}.{key}")
                elif x is not EMPTY and (id(value), key) not in self._reads:
                    plain = isinstance(x, (FunctionType, property)) or not hasattr(x, "__get__")
                    if plain and type(value) is type:
                        self._note("class", value, key, x, f"{label}.{key}")
                    elif key in vars(value):
                        self._note("attribute", value, key, x, f"{label}.{key}")
            return
        every = not alone and hasattr(type(value), "__getattr__")
        for key in () if found is None else names:
            # What is found in the class, or made up, may come to be hidden by an attribute.
            hidden = not alone and key[:2] != "__" and (every or hasattr(type(value), key))
            if hidden or key in found:
                x = found.get(key, EMPTY)
                self._note("attribute", value, key, x, f"{label}.{key}")
        for key in slots(value).intersection(names):
            self._note("slot", value, key, getattr(value, key, EMPTY), f"{label}.{key}")

    def _note(
        self, kind: str, place: Any, key: str, value: Any, name: str,
        reader: FunctionType | None = None, library: bool = False,
    ) -> None:  # fmt: skip
        read = Read(kind, place, key, value, name)
        if reader is not None:
            self._readers.setdefault(read.id, set()).add(id(reader))
            self._follow_places(read, reader, library)
        elif read.id not in self._reads:
            self._reach(value)
        # What a library's own function closes over stays as it is, unless it was the user's.
        if not library or tree_has_arrays(value):
            self._enter(read)

    def _enter(self, read: Read) -> None:
        self._reads.setdefault(read.id, read)

    def _follow_places(self, read: Read, reader: FunctionType, library: bool) -> None:
        value = read.value
        if not tree_has_arrays(value):
            self._follow(value, id(reader), library)
            return
        if read.id in self._reads:
            return
        todo = [value]
        while todo:  # its arrays and containers may come to be inputs
            x = todo.pop()
            if is_a(x, ndarray) or is_cupy(x):
                read.inside.append(x)
            elif isinstance(x, (list, dict, tuple, deque)):
                read.inside.append(x)
                todo += contents_of(x)
            else:
                self._reach(x)

    # ------------------------------------------------------------------ results
    def arrays(self) -> list[Read]:
        """The places with arrays, alone or in containers, that copies can find others in."""
        return [
            r for r in self.reads
            if r.kind in ("cell", "global") and tree_has_arrays(r.value)
            and not self._readers.get(r.id, set()) & self.fixed
        ]  # fmt: skip

    def contents(self, opened: Iterable[Read]) -> list[Any]:
        """The containers and arrays whose contents must be what they were."""
        out = dict(self._contents)
        inputs = {r.id for r in opened}
        for read in self.reads:
            if read.id not in inputs:
                out.update((id(x), x) for x in read.inside if not isinstance(x, tuple))
        return list(out.values())


def contents(cell: Any) -> Any:
    """What is in a cell."""
    try:
        return cell.cell_contents
    except ValueError:  # a variable that has no value yet
        return EMPTY


def tree_has_arrays(x: Any) -> bool:
    """Whether there are arrays of numbers in a container, or it is one.

    A container that holds itself is no pytree, and none of its arrays becomes an input.
    """
    if is_a(x, ndarray) or is_cupy(x):
        return x.dtype.kind in "fciub"
    if not isinstance(x, (list, tuple, dict)):
        return False
    try:
        leaves = tree.leaves(x)
    except RecursionError:
        return False
    return any((is_a(y, ndarray) or is_cupy(y)) and y.dtype.kind in "fciub" for y in leaves)


def snapshot(x: Any) -> Any:
    """What a container or an array has inside, to be compared later.

    Parts are compared by identity. They must be kept, or others may come to have their identities.
    """
    if is_a(x, ndarray):
        return [*map(id, x.flat)] if x.dtype.hasobject else digest(x)
    if isinstance(x, (bytearray, array.array)):
        return bytes(x)
    if isinstance(x, dict):
        return [*map(id, dict.keys(x)), *map(id, dict.values(x))]
    if isinstance(x, set):
        return {*map(id, x)}
    if isinstance(x, (list, deque)):
        return [*map(id, x)]
    leaves, structure = tree.flatten(x)
    return structure, [*map(id, leaves)]


def parts(x: Any) -> Any:
    """The objects that a snapshot is about."""
    if is_a(x, ndarray):
        return list(x.flat) if x.dtype.hasobject else None
    if isinstance(x, (bytearray, array.array)):
        return None
    if isinstance(x, dict):
        return [*dict.keys(x), *dict.values(x)]
    return list(x) if isinstance(x, CONTAINERS) else tree.leaves(x)
