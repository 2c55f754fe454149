"""Code: what a function's bytecode reads and writes, and what stands in containers and objects."""

from __future__ import annotations

import builtins
import dis
import functools
import sys
from collections.abc import Sequence
from types import CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

from .. import tree
from ..arguments import Selection

#: Packages whose functions read no values of the user's, but those in their closures.
LIBRARIES = frozenset({"numpy", "scipy", "fgrad", "fgrad_nn", "cupy", "optree"}) | frozenset(
    sys.stdlib_module_names
)

_EXTENDED, _LOAD = dis.opmap["EXTENDED_ARG"], dis.opmap["LOAD_GLOBAL"]
_GLOBALS = frozenset({dis.opmap["STORE_GLOBAL"], dis.opmap["DELETE_GLOBAL"]})
_CELLS = frozenset({dis.opmap["STORE_DEREF"], dis.opmap["DELETE_DEREF"]})
_IMPORT = dis.opmap["IMPORT_NAME"]


def _nested(code: CodeType) -> list[CodeType]:
    return [const for const in code.co_consts if isinstance(const, CodeType)]


@functools.lru_cache(maxsize=1024)
def names_in(code: CodeType) -> tuple[str, ...]:
    """The names that a code reads, those in strings and in functions defined in it included."""
    names = [*code.co_names]
    names += [s for s in code.co_consts if isinstance(s, str) and s.isidentifier()]
    for inner in _nested(code):
        names += names_in(inner)
    return tuple(dict.fromkeys(names))


@functools.lru_cache(maxsize=1024)
def runs_as_it_is(code: CodeType) -> bool:
    """Whether a copy of the function would do something else.

    It would assign to copies of globals and closed-over variables, or list those of the copy.
    """
    return "globals" in names_in(code) or _writes_globals(code) or bool(_written(code))


def _writes_globals(code: CodeType) -> bool:
    return not _GLOBALS.isdisjoint(code.co_code[::2]) or any(map(_writes_globals, _nested(code)))


def _written(code: CodeType) -> set[str]:
    """The variables of functions around it that a code assigns to."""
    written = set().union(*map(_written, _nested(code)))
    if not _CELLS.isdisjoint(code.co_code[::2]):
        written |= {i.argval for i in dis.get_instructions(code) if i.opcode in _CELLS}
    return written & {*code.co_freevars}


@functools.lru_cache(maxsize=1024)
def globals_in(code: CodeType) -> tuple[str, ...]:
    """The names that a code looks up as globals."""
    names = []
    number = 0
    for op, low in zip(code.co_code[::2], code.co_code[1::2], strict=True):
        number = number << 8 | low
        if op == _LOAD:
            names.append(code.co_names[number >> 1])
        if op != _EXTENDED:
            number = 0
    for inner in _nested(code):
        names += globals_in(inner)
    return tuple(dict.fromkeys(names))


def absent_globals(code: CodeType, space: dict[str, Any]) -> list[str]:
    """The globals that a code looks up and would not find."""
    return [n for n in globals_in(code) if n not in space and not hasattr(builtins, n)]


def imported(code: CodeType) -> list[ModuleType]:
    """The modules that a code imports when it runs."""
    found = []
    if _IMPORT in code.co_code[::2]:
        for i in dis.get_instructions(code):
            if i.opcode == _IMPORT:
                parts = i.argval.split(".")
                names = [".".join(parts[: k + 1]) for k in range(len(parts))]
                found += [sys.modules[name] for name in names if name in sys.modules]
    for inner in _nested(code):
        found += imported(inner)
    return found


def unwrapped(value: Any) -> tuple[list[FunctionType], list[Any]]:
    """The functions that a function, a partial application or a method is; and what else it is."""
    if isinstance(value, FunctionType):
        return [value], []
    if isinstance(value, functools.partial):
        functions, others = unwrapped(value.func)
        return functions, [*others, value.args, value.keywords]
    if isinstance(value, Selection):  # what `grad` and its like know of their function
        return unwrapped(value.f)
    if isinstance(value, MethodType):
        functions, others = unwrapped(value.__func__)
        return functions, [*others, value.__self__]
    return [], [value]


def of_library(x: Any) -> bool:
    """Whether a function, module or object belongs to a library rather than to the user."""
    root: Any
    if isinstance(x, ModuleType):
        root = x.__name__
    elif isinstance(x, FunctionType):
        # Not __module__: what wraps a user's function has the user's.
        root = x.__globals__.get("__name__", "")
    else:
        root = getattr(x if isinstance(x, type) else type(x), "__module__", None)
    return _is_library(str(root).partition(".")[0])


@functools.lru_cache(maxsize=1024)
def _is_library(package: str) -> bool:
    """Whether a package is one of those above, or one that is installed, and not being written."""
    if package == "__main__":
        return False
    file = getattr(sys.modules.get(package), "__file__", None) or ""
    return package in LIBRARIES or "site-packages" in file or "dist-packages" in file


# ------------------------------------------------------------------ containers and objects
def contents_of(x: Any) -> list[Any]:
    """What is in a container."""
    if isinstance(x, dict):
        return list(dict.values(x))
    return [] if isinstance(x, bytearray) or hasattr(x, "typecode") else list(x)


def is_node(x: Any) -> bool:
    """Whether a value is a pytree with parts, and no leaf."""
    leaves = tree.leaves(x)
    return not (len(leaves) == 1 and leaves[0] is x)


def dictionary(x: Any) -> Any:
    """The attributes that an object has for itself, or None."""
    if isinstance(x, type):
        return vars(x)
    try:
        return object.__getattribute__(x, "__dict__")
    except AttributeError:
        return None


def slots(x: Any) -> set[str]:
    """The slots of an object of the user's."""
    if isinstance(x, (type, ModuleType)):
        return set()
    return {
        key
        for cls in type(x).__mro__
        if not of_library(cls)
        for key, value in vars(cls).items()
        if isinstance(value, MemberDescriptorType)
    }


def functions_of(descriptor: Any) -> Sequence[Any]:
    """The functions behind a property or another of Python's descriptors."""
    if isinstance(descriptor, property):
        return [descriptor.fget]
    if isinstance(descriptor, (classmethod, staticmethod)):
        return [descriptor.__func__]
    return [descriptor.func]  # a cached property, a partial method
