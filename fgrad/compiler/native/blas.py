"""Matrix products by the BLAS that is in the process already: NumPy's, or else SciPy's.

The inner loop of `numpy.matmul`, found in the ufunc's own record, calls NumPy's BLAS: it gives the
bits that NumPy gives, with the threads that NumPy has. Should NumPy's record have another form one
day, SciPy's BLAS is called, whose addresses SciPy hands out for Cython. `definitions` prints a
function of LLVM's language that hides which one it is.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
from collections.abc import Iterable
from typing import Any

import numpy as np

_LETTERS = {"f64": "d", "f32": "s"}
_TYPES = {"f64": "double", "f32": "float"}


class Ufunc(ctypes.Structure):
    """The head of NumPy's record of a ufunc, as its C interface defines it (`PyUFuncObject`)."""

    _fields_ = (
        ("counts", ctypes.c_int * 4),
        ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("ntypes", ctypes.c_int),
        ("reserved", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("types", ctypes.c_void_p),
    )


def symbol(kind: str) -> str:
    """The name of the product of two matrices of ``f64`` or ``f32``.

    In LLVM's language it takes ``(ptr a, ptr b, ptr c, i64 m, i64 n, i64 k, i64 lda, i64 ldb,
    i64 ldc, i1 ta, i1 tb, i1 add)`` and sets the m x n matrix ``c`` to ``a @ b``, or adds that
    to it. Matrices are stored by rows, with ``ld`` elements from one row to the next; where ``ta``
    holds ``a`` is stored transposed, as k x m, and so for ``tb``. All sizes are at least 1 and
    below 2**31, and ``c`` overlaps neither ``a`` nor ``b``.

    >>> symbol("f64")
    'fgrad_gemm_f64'
    """
    return f"fgrad_gemm_{kind}"


def definitions(kinds: Iterable[str]) -> str:
    """The text of the functions `symbol` for these kinds, once for a module."""
    written = _from_numpy if _matmul_loop("f64") is not None else _from_scipy
    return "\n".join(written(kind) for kind in sorted(set(kinds)))


def address(name: str) -> int | None:
    """Where a function of BLAS or NumPy's loop begins; None if it isn't found."""
    *_, which, kind = name.split("_")
    if name.startswith("fgrad_matmul_"):
        return _matmul_loop(kind)
    if not name.startswith("fgrad_blas_") or _scipy() is None:
        return None
    capsule = _scipy().__pyx_capi__[_LETTERS[kind] + which]
    python, given = ctypes.pythonapi, ctypes.py_object
    name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, given)(("PyCapsule_GetName", python))
    prototype = ctypes.PYFUNCTYPE(ctypes.c_void_p, given, ctypes.c_char_p)
    found: int = prototype(("PyCapsule_GetPointer", python))(capsule, name_of(capsule))
    return found


@functools.cache
def _scipy() -> Any:
    """SciPy's module of BLAS functions, if it has the two that are called, with C's ints."""
    try:
        module = importlib.import_module("scipy.linalg.cython_blas")
    except ImportError:
        return None
    found = module.__pyx_capi__
    good = all(
        f"{letter}{name}" in found and ", int *, " in repr(found[f"{letter}{name}"])
        for letter in _LETTERS.values()
        for name in ("gemm", "gemv")
    )
    return module if good else None


def _matmul_loop(kind: str) -> int | None:
    """The address of NumPy's loop over matrix products of a kind."""
    record = Ufunc.from_address(id(np.matmul) + object.__basicsize__)
    types = np.matmul.types
    good = list(record.counts[:3]) == [2, 1, 3] and record.ntypes >= len(types)
    if not (good and record.name == b"matmul"):
        return None
    letter = {"f64": "d", "f32": "f"}[kind]
    found: int | None = record.functions[types.index(f"{letter}{letter}->{letter}")]
    return found


_SIGNATURE = (
    "ptr %a, ptr %b, ptr %c, i64 %m, i64 %n, i64 %k, i64 %lda, i64 %ldb, i64 %ldc, "
    "i1 %ta, i1 %tb, i1 %add"
)


def _from_scipy(kind: str) -> str:
    """``gemm`` and ``gemv`` of Fortran, for which a matrix by rows is its transpose."""
    t = _TYPES[kind]
    sizes = ("m", "n", "k", "lda", "ldb", "ldc")
    return (
        f"""\
declare void @fgrad_blas_gemm_{kind}({", ".join(["ptr"] * 13)})
declare void @fgrad_blas_gemv_{kind}({", ".join(["ptr"] * 11)})
define internal void @{symbol(kind)}({_SIGNATURE}) noinline {{
  %letter.a = alloca i8
  %letter.b = alloca i8
  %i.one = alloca i32
  store i32 1, ptr %i.one
  %one = alloca {t}
  store {t} 1.0, ptr %one
  %beta = alloca {t}
  %kept = select i1 %add, {t} 1.0, {t} 0.0
  store {t} %kept, ptr %beta
  %code.a = select i1 %ta, i8 84, i8 78
  %code.b = select i1 %tb, i8 84, i8 78
"""
        + "".join(
            f"  %i.{s} = alloca i32\n  %short.{s} = trunc i64 %{s} to i32\n"
            f"  store i32 %short.{s}, ptr %i.{s}\n"
            for s in sizes
        )
        + f"""\
  %column = icmp eq i64 %n, 1
  br i1 %column, label %one.column, label %many.columns
one.column:
  ; by columns the stored matrix a is its own transpose: the letters are swapped
  %flipped.a = select i1 %ta, i8 78, i8 84
  store i8 %flipped.a, ptr %letter.a
  %rows.a = select i1 %ta, ptr %i.m, ptr %i.k
  %columns.a = select i1 %ta, ptr %i.k, ptr %i.m
  %step.b = select i1 %tb, ptr %i.one, ptr %i.ldb
  call void @fgrad_blas_gemv_{kind}(ptr %letter.a, ptr %rows.a, ptr %columns.a, ptr %one, ptr %a, \
ptr %i.lda, ptr %b, ptr %step.b, ptr %beta, ptr %c, ptr %i.ldc)
  ret void
many.columns:
  %row = icmp eq i64 %m, 1
  br i1 %row, label %one.row, label %product
one.row:
  store i8 %code.b, ptr %letter.b
  %rows.b = select i1 %tb, ptr %i.k, ptr %i.n
  %columns.b = select i1 %tb, ptr %i.n, ptr %i.k
  %step.a = select i1 %ta, ptr %i.lda, ptr %i.one
  call void @fgrad_blas_gemv_{kind}(ptr %letter.b, ptr %rows.b, ptr %columns.b, ptr %one, ptr %b, \
ptr %i.ldb, ptr %a, ptr %step.a, ptr %beta, ptr %c, ptr %i.one)
  ret void
product:
  store i8 %code.a, ptr %letter.a
  store i8 %code.b, ptr %letter.b
  call void @fgrad_blas_gemm_{kind}(ptr %letter.b, ptr %letter.a, ptr %i.n, ptr %i.m, ptr %i.k, \
ptr %one, ptr %b, ptr %i.ldb, ptr %a, ptr %i.lda, ptr %beta, ptr %c, ptr %i.ldc)
  ret void
}}
"""
    )


def _from_numpy(kind: str) -> str:
    """The loop of `numpy.matmul`: pointers, sizes, steps in bytes. What is added goes by a copy."""
    t, size = _TYPES[kind], {"f64": 8, "f32": 4}[kind]
    # dimensions: number of products, m, k, n; steps: from product to product, then of a, b and c
    numbers = ["1", "%m", "%k", "%n"]
    steps = ["0", "0", "0", "%row.a", "%column.a", "%row.b", "%column.b", "%row.c", str(size)]

    def stored(name: str, values: list[str], kind: str) -> str:
        text = f"  %{name} = alloca [{len(values)} x {kind}]\n"
        for i, value in enumerate(values):
            text += f"  %{name}.{i} = getelementptr {kind}, ptr %{name}, i64 {i}\n"
            text += f"  store {kind} {value}, ptr %{name}.{i}\n"
        return text

    return (
        f"""\
declare void @fgrad_matmul_{kind}(ptr, ptr, ptr, ptr)
declare ptr @malloc(i64)
declare void @free(ptr)
define internal void @{symbol(kind)}({_SIGNATURE}) noinline {{
  %bytes.a = mul i64 %lda, {size}
  %bytes.b = mul i64 %ldb, {size}
  %bytes.c = mul i64 %ldc, {size}
  %bytes.n = mul i64 %n, {size}
  %row.a = select i1 %ta, i64 {size}, i64 %bytes.a
  %column.a = select i1 %ta, i64 %bytes.a, i64 {size}
  %row.b = select i1 %tb, i64 {size}, i64 %bytes.b
  %column.b = select i1 %tb, i64 %bytes.b, i64 {size}
  %row.c = select i1 %add, i64 %bytes.n, i64 %bytes.c
  br i1 %add, label %borrow, label %start
borrow:
  %all = mul i64 %bytes.n, %m
  %room = call ptr @malloc(i64 %all)
  br label %start
start:
  %into = phi ptr [ %c, %0 ], [ %room, %borrow ]
"""
        + stored("arrays", ["%a", "%b", "%into"], "ptr")
        + stored("sizes", numbers, "i64")
        + stored("steps", steps, "i64")
        + f"""\
  call void @fgrad_matmul_{kind}(ptr %arrays, ptr %sizes, ptr %steps, ptr null)
  br i1 %add, label %rows, label %end
rows:
  %i = phi i64 [ 0, %start ], [ %i.next, %row.end ]
  br label %columns
columns:
  %j = phi i64 [ 0, %rows ], [ %j.next, %columns ]
  %here = mul i64 %i, %n
  %from = add i64 %here, %j
  %there = mul i64 %i, %ldc
  %to = add i64 %there, %j
  %p = getelementptr {t}, ptr %into, i64 %from
  %q = getelementptr {t}, ptr %c, i64 %to
  %x = load {t}, ptr %p
  %y = load {t}, ptr %q
  %z = fadd {t} %x, %y
  store {t} %z, ptr %q
  %j.next = add i64 %j, 1
  %j.more = icmp ult i64 %j.next, %n
  br i1 %j.more, label %columns, label %row.end
row.end:
  %i.next = add i64 %i, 1
  %i.more = icmp ult i64 %i.next, %m
  br i1 %i.more, label %rows, label %done
done:
  call void @free(ptr %into)
  br label %end
end:
  ret void
}}
"""
    )
