"""Opening: a copy of a function that finds other values in its closure and among its globals."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from copy import copy
from types import CellType, FunctionType, MethodType
from typing import Any

from ..arguments import Selection
from .captured import EMPTY, Captured, Read, contents
from .codes import globals_in, of_library, unwrapped


class _Overlay(dict[str, Any]):
    """Globals of a copy: a few of its own, the rest those of the original, as they are now."""

    def __init__(self, space: dict[str, Any]) -> None:
        known = ("__name__", "__package__", "__spec__", "__builtins__")
        super().__init__({key: space[key] for key in known if key in space})
        self.space = space

    def __missing__(self, key: str) -> Any:
        return self.space[key]


def opened(captured: Captured, f: Any, replaced: Callable[[Read], Any]) -> Any:
    """A copy of the function that finds other values in the places with arrays."""
    new = {r.id: replaced(r) for r in captured.arrays()}
    touched = _touched(captured, set(new))
    if not touched:
        return f
    spaces: dict[int, _Overlay] = {}
    copies: dict[int, FunctionType] = {}
    cells = {
        id(cell): CellType()
        for fn in touched.values()
        for cell in fn.__closure__ or ()
        if (id(cell), "") in new or _changes(contents(cell), touched)
    }
    for key, fn in touched.items():
        space = spaces.setdefault(id(fn.__globals__), _Overlay(fn.__globals__))
        closure = tuple(cells.get(id(cell), cell) for cell in fn.__closure__ or ())
        new_fn = FunctionType(fn.__code__, space, fn.__name__, fn.__defaults__, closure)
        new_fn.__kwdefaults__, new_fn.__qualname__ = fn.__kwdefaults__, fn.__qualname__
        new_fn.__dict__.update(fn.__dict__)
        copies[key] = new_fn
    for fn in touched.values():
        for old in fn.__closure__ or ():
            if id(old) in cells:
                value = new.get((id(old), ""), EMPTY)
                cells[id(old)].cell_contents = (
                    _copied(contents(old), copies) if value is EMPTY else value
                )
        space = spaces[id(fn.__globals__)]
        for name in () if of_library(fn) else globals_in(fn.__code__):
            place = id(fn.__globals__), name
            if place in new:
                space[name] = new[place]
            elif name in fn.__globals__ and _changes(fn.__globals__[name], touched):
                space[name] = _copied(fn.__globals__[name], copies)
    return _copied(f, copies)


def _touched(captured: Captured, places: set[tuple[int, str]]) -> dict[int, FunctionType]:
    """The functions that read these places, and those that read such functions."""
    touched: dict[int, FunctionType] = {}
    grown = True
    while grown:
        grown = False
        for key, fn in captured.functions.items():
            if key in touched or key in captured.fixed:
                continue
            names = () if of_library(fn) else globals_in(fn.__code__)
            cells = fn.__closure__ or ()
            if (
                any((id(c), "") in places or _changes(contents(c), touched) for c in cells)
                or any((id(fn.__globals__), n) in places for n in names)
                or any(_changes(x, touched) for x in _found(fn, names))
            ):
                touched[key] = fn
                grown = True
    return touched


def _found(fn: FunctionType, names: Any) -> Iterator[Any]:
    return (fn.__globals__[n] for n in names if n in fn.__globals__)


def _changes(x: Any, touched: dict[int, FunctionType]) -> bool:
    """Whether something is, or applies, one of these functions."""
    return any(id(fn) in touched for fn in unwrapped(x)[0])


def _copied(x: Any, copies: dict[int, FunctionType]) -> Any:
    if isinstance(x, functools.partial):
        return functools.partial(_copied(x.func, copies), *x.args, **x.keywords)
    if isinstance(x, Selection):
        new = copy(x)
        new.f = _copied(x.f, copies)
        return new
    if isinstance(x, MethodType):
        return MethodType(_copied(x.__func__, copies), x.__self__)
    return copies.get(id(x), x)
