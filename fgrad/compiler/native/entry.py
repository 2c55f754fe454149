"""From a call in Python to machine code: a built-in function object on a compiled address.

A compiled program is a function of pointers, ``void kernel(ptr, ptr, ...)``. `wrapper` prints a
second function around it, of the signature that CPython calls built-in functions by
(``METH_FASTCALL``): it takes the arguments apart itself, in a few nanoseconds for each. It
reads NumPy's record of an array (`PyArrayObject`) where NumPy's C interface says that things are;
`layout_holds` looks whether they are there, and where they aren't, `make_callable` goes through
`ctypes`.

Machine code that gets a wrong array corrupts memory. So the wrapper compares type, dtype, shape,
strides and alignment of each array with what the kernel was made for, and returns False
without calling it where something differs.
"""

from __future__ import annotations

import ctypes
import functools
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

#: Of any object: the size of its head, and where its type stands in it, as its last part.
HEAD, TYPE = object.__basicsize__, object.__basicsize__ - 8
#: Where NumPy's record of an array has its parts, in bytes from the beginning of the object.
DATA, NDIM, SHAPE, STRIDES, _BASE, DTYPE, FLAGS = (HEAD + 8 * i for i in range(7))
ALIGNED, WRITEABLE = 0x100, 0x400
METH_FASTCALL = 0x80
#: Microseconds of work from which on the interpreter lock is worth letting go of.
RELEASE_FROM = 20.0

#: Types of scalars that are passed as they are; their values stand right behind the head.
SCALARS: dict[type, np.dtype[Any]] = {
    float: np.dtype("f8"), np.float64: np.dtype("f8"), np.float32: np.dtype("f4"),
}  # fmt: skip


@dataclass(frozen=True)
class Array:
    """An argument that must be exactly a `numpy.ndarray`, of this form.

    Attributes:
        dtype: ``float64`` and so on, in the byte order of this machine.
        shape: its shape.
        strides: in bytes; None for rows first and dense, as `numpy.empty` makes them.
        written: whether the kernel writes into it.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None = None
    written: bool = False

    def __post_init__(self) -> None:
        if not self.dtype.isnative:
            raise ValueError(f"no kernel reads {self.dtype!r}, which has the other byte order")
        # Equal dtypes may be several objects; wrappers compare with the one that NumPy gives out.
        object.__setattr__(self, "dtype", np.dtype(self.dtype.name))

    def fits(self, x: Any) -> bool:
        """Whether an argument has this form."""
        return (
            type(x) is np.ndarray
            and x.dtype is self.dtype
            and x.shape == self.shape
            and all(
                a == b for a, b, n in zip(x.strides, self.steps(), x.shape, strict=True) if n > 1
            )
            and x.flags.aligned
            and (x.flags.writeable or not self.written)
        )

    def steps(self) -> tuple[int, ...]:
        """The strides in bytes."""
        if self.strides is not None:
            return self.strides
        steps, step = [], self.dtype.itemsize
        for n in reversed(self.shape):
            steps.append(step)
            step *= n
        return tuple(reversed(steps))


@dataclass(frozen=True)
class Scalar:
    """An argument that must be exactly of a type of `SCALARS`; the kernel gets its address."""

    type: type

    def fits(self, x: Any) -> bool:
        """Whether an argument has this form."""
        return type(x) is self.type


class Code(Protocol):
    """Machine code that has been loaded, `engine.Compiled`."""

    def address(self, name: str) -> int:
        """Where the function of this name begins."""


class Method(ctypes.Structure):
    """CPython's record of a built-in function (`PyMethodDef`)."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


def _symbols() -> dict[str, int]:
    """What wrappers refer to by name: objects that live as long as Python, and its functions."""
    found = {"fgrad_true": id(True), "fgrad_false": id(False), "fgrad_ndarray": id(np.ndarray)}
    found |= {f"fgrad_type_{_name(t)}": id(t) for t in SCALARS}
    # NumPy has more than one dtype of some names; the one that it makes by default is meant.
    names = {np.dtype(c).name for c in np.typecodes["AllInteger"] + np.typecodes["Float"] + "?"}
    found |= {f"fgrad_dtype_{name}": id(np.dtype(name)) for name in names}
    for name, function in (
        ("fgrad_incref", ctypes.pythonapi.Py_IncRef),
        ("fgrad_release", ctypes.pythonapi.PyEval_SaveThread),
        ("fgrad_retake", ctypes.pythonapi.PyEval_RestoreThread),
    ):
        address = ctypes.cast(function, ctypes.c_void_p).value
        assert address is not None
        found[name] = address
    found["fgrad_main_thread"] = threading.main_thread().ident or 0
    return found


def _name(scalar: type) -> str:
    return f"{scalar.__module__}_{scalar.__name__}"


SYMBOLS = _symbols()


@functools.cache
def layout_holds() -> bool:
    """Whether arrays and scalars are laid out in memory as wrappers read them."""
    whole = np.arange(60.0).reshape(3, 4, 5)
    frozen = whole[:, ::-2]
    frozen.flags.writeable = False
    single = np.ones((2, 0), np.float32)
    arrays = (whole, frozen, whole.T, single, np.array(1), whole.view(np.uint8)[..., 1:])

    def word(x: Any, offset: int, kind: Any = ctypes.c_size_t) -> int:
        found: int = kind.from_address(id(x) + offset).value
        return found

    def numbers(x: Any, offset: int) -> tuple[int, ...]:
        return tuple((ctypes.c_ssize_t * x.ndim).from_address(word(x, offset)))

    return all(
        word(x, TYPE) == id(np.ndarray)
        and word(x, DATA) == x.__array_interface__["data"][0]
        and word(x, NDIM, ctypes.c_int) == x.ndim
        and numbers(x, SHAPE) == x.shape
        and numbers(x, STRIDES) == x.strides
        and word(x, DTYPE) == id(x.dtype)
        and bool(word(x, FLAGS, ctypes.c_int) & ALIGNED) == x.flags.aligned
        and bool(word(x, FLAGS, ctypes.c_int) & WRITEABLE) == x.flags.writeable
        for x in arrays
    ) and all(
        np.frombuffer(ctypes.string_at(id(x) + HEAD, d.itemsize), d)[0] == x
        for x, d in ((t(1.5), d) for t, d in SCALARS.items())
    )


def name(kernel: str) -> str:
    """The name of the wrapper of a kernel."""
    return f"{kernel}_entry"


def wrapper(kernel: str, parameters: Sequence[Array | Scalar], *, release: bool = False) -> str:
    """The text of a function that checks the arguments of a kernel and calls it.

    It returns True, or False where an argument hasn't the form that its parameter wants.
    `declarations` must stand in the same module once.

    Args:
        kernel: a function of the module that takes as many pointers as there are parameters.
        parameters: what they point to, in this order.
        release: whether the interpreter lock is let go of meanwhile; see `RELEASE_FROM`. Other
            threads may then call the same program, which must have no memory of its own.
    """
    if re.fullmatch(r"\w+", kernel, re.ASCII) is None:
        raise ValueError(f"{kernel!r} can't be the name of a kernel")
    checks = "".join(_check(i, p, i + 1) for i, p in enumerate(parameters))
    count = len(parameters)
    given = ", ".join(f"ptr %data{i}" for i in range(count))
    call = f"  call void @{kernel}({given})\n"
    if release:
        call = (
            f"  %thread = call ptr @fgrad_release()\n{call}  call void @fgrad_retake(ptr %thread)\n"
        )
    return f"""\
define ptr @{name(kernel)}(ptr %self, ptr %arguments, i64 %count) {{
  %complete = icmp eq i64 %count, {count}
  br i1 %complete, label %check0, label %wrong
{checks}check{count}:
{call}  br label %end
wrong:
  br label %end
end:
  %answer = phi ptr [ @fgrad_true, %check{count} ], [ @fgrad_false, %wrong ]
  call void @fgrad_incref(ptr %answer)
  ret ptr %answer
}}
"""


def declarations(parameters: Sequence[Array | Scalar]) -> str:
    """The text of what `wrapper` refers to, for all parameters of a module."""
    named = {"fgrad_true", "fgrad_false"}
    for p in parameters:
        if isinstance(p, Array):
            named |= {"fgrad_ndarray", f"fgrad_dtype_{p.dtype.name}"}
        else:
            named.add(f"fgrad_type_{_name(p.type)}")
    unknown = sorted(named - SYMBOLS.keys())
    if unknown:
        raise ValueError(f"arguments can't be of {', '.join(unknown)}")
    return "".join(f"@{n} = external global i8\n" for n in sorted(named)) + (
        "declare void @fgrad_incref(ptr)\n"
        "declare ptr @fgrad_release()\n"
        "declare void @fgrad_retake(ptr)\n"
    )


def _check(i: int, parameter: Array | Scalar, following: int) -> str:
    """The lines that look at an argument and leave the address of its data in ``%data``."""
    lines: list[str] = []

    def read(label: str, kind: str, base: str, offset: int) -> str:
        lines.append(f"  %{label}{i}.at = getelementptr i8, ptr {base}, i64 {offset}")
        lines.append(f"  %{label}{i} = load {kind}, ptr %{label}{i}.at")
        return f"%{label}{i}"

    def want(label: str, kind: str, found: str, value: str) -> str:
        lines.append(f"  %{label}{i}.good = icmp eq {kind} {found}, {value}")
        return f"%{label}{i}.good"

    def go_on(good: list[str], to: str) -> None:
        whole, *rest = good
        for j, one in enumerate(rest):
            lines.append(f"  %{to}.{j} = and i1 {whole}, {one}")
            whole = f"%{to}.{j}"
        lines.append(f"  br i1 {whole}, label %{to}, label %wrong")

    lines.append(f"check{i}:")
    x = read("x", "ptr", "%arguments", 8 * i)
    kind = read("kind", "ptr", x, TYPE)
    if isinstance(parameter, Scalar):
        lines.append(f"  %data{i} = getelementptr i8, ptr {x}, i64 {HEAD}")
        go_on(
            [want("kind", "ptr", kind, f"@fgrad_type_{_name(parameter.type)}")], f"check{following}"
        )
        return "\n".join(lines) + "\n"
    go_on([want("kind", "ptr", kind, "@fgrad_ndarray")], f"array{i}")
    lines.append(f"array{i}:")
    read("data", "ptr", x, DATA)
    flags = ALIGNED | (WRITEABLE if parameter.written else 0)
    lines.append(f"  %bits{i} = and i32 {read('flags', 'i32', x, FLAGS)}, {flags}")
    dtype = f"@fgrad_dtype_{parameter.dtype.name}"
    good = [
        want("ndim", "i32", read("ndim", "i32", x, NDIM), str(len(parameter.shape))),
        want("dtype", "ptr", read("dtype", "ptr", x, DTYPE), dtype),
        want("flags", "i32", f"%bits{i}", str(flags)),
    ]
    go_on(good, f"form{i}")
    lines.append(f"form{i}:")
    shape, strides = read("shape", "ptr", x, SHAPE), read("strides", "ptr", x, STRIDES)
    good = ["true"]
    for axis, (n, step) in enumerate(zip(parameter.shape, parameter.steps(), strict=True)):
        found = read(f"n{axis}.", "i64", shape, 8 * axis)
        good.append(want(f"n{axis}.", "i64", found, str(n)))
        if n > 1:
            found = read(f"step{axis}.", "i64", strides, 8 * axis)
            good.append(want(f"step{axis}.", "i64", found, str(step)))
    go_on(good, f"check{following}")
    return "\n".join(lines) + "\n"


def make_callable(
    code: Code, kernel: str, parameters: Sequence[Array | Scalar]
) -> Callable[..., bool]:
    """A Python function that calls a kernel with arrays and scalars in the order of its parameters.

    Returns:
        A function that returns True, or False where an argument hasn't the form that is wanted
        and nothing was done. It keeps the code in memory.
    """
    if not layout_holds():
        return _through_ctypes(code, kernel, parameters)
    method = Method(kernel.encode(), code.address(name(kernel)), METH_FASTCALL, None)
    # A prototype of our own, since those of `ctypes.pythonapi` belong to everybody.
    prototype = ctypes.PYFUNCTYPE(
        ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p
    )
    make = prototype(("PyCFunction_NewEx", ctypes.pythonapi))
    # The function holds the pair as its `self`, so code and record live as long as it does.
    made: Callable[..., bool] = make(ctypes.addressof(method), (code, method), None)
    return made


def _through_ctypes(
    code: Code, kernel: str, parameters: Sequence[Array | Scalar]
) -> Callable[..., bool]:
    """The same by Python alone, some microseconds slower."""
    parameters = tuple(parameters)
    prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(parameters))
    function = prototype(code.address(kernel))

    def call(*arguments: Any) -> bool:
        fitting = len(arguments) == len(parameters) and all(
            p.fits(x) for p, x in zip(parameters, arguments, strict=True)
        )
        if fitting:
            arrays = [
                x if isinstance(p, Array) else np.array(x, SCALARS[p.type])
                for p, x in zip(parameters, arguments, strict=True)
            ]
            function(*[x.__array_interface__["data"][0] for x in arrays])
        return fitting

    call.__dict__["code"] = code
    return call
