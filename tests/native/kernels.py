"""Small kernels for the tests: one function over arrays, written directly in LLVM's language."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from fgrad.compiler.native import engine, vectors
from fgrad.compiler.native.vectors.text import LLVM_TYPES

DTYPES = {"f64": np.dtype("f8"), "f32": np.dtype("f4")}


def numpys(name: str) -> Callable[..., Any]:
    """The function of NumPy or SciPy that ours stands for."""
    found: Callable[..., Any] = getattr(np, name, None) or getattr(scipy.special, name)
    return found


def loop(name: str, kind: str, lanes: int) -> str:
    """A loop that calls a function on so many numbers at a time; with 1, LLVM chooses."""
    count, t = vectors.ARITY[name], LLVM_TYPES[kind]
    width = t if lanes == 1 else f"<{lanes} x {t}>"
    pointers = "".join(f"ptr noalias %a{i}, " for i in range(count))
    loads = "".join(
        f"  %p{i} = getelementptr {t}, ptr %a{i}, i64 %i\n"
        f"  %x{i} = load {width}, ptr %p{i}, align {DTYPES[kind].itemsize}\n"
        for i in range(count)
    )
    given = ", ".join(f"{width} %x{i}" for i in range(count))
    return f"""\
{vectors.declarations({(name, kind)})}
define void @loop({pointers}ptr noalias %o, i64 %n) {{
  br label %body
body:
  %i = phi i64 [ 0, %0 ], [ %next, %body ]
{loads}  %q = getelementptr {t}, ptr %o, i64 %i
  %y = call {width} @{vectors.symbol(name, kind, lanes)}({given}) nounwind willreturn memory(none)
  store {width} %y, ptr %q, align {DTYPES[kind].itemsize}
  %next = add nuw nsw i64 %i, {lanes}
  %more = icmp ult i64 %next, %n
  br i1 %more, label %body, label %end
end:
  ret void
}}
"""


@functools.cache
def compiled(name: str, kind: str, lanes: int = 1) -> engine.Compiled:
    """The loop as machine code."""
    return engine.compile_module(loop(name, kind, lanes))


def call(name: str, *arrays: Any, kind: str = "f64", lanes: int = 1) -> Any:
    """A function of ours on arrays of one length, which is a multiple of the lanes."""
    count = len(arrays)
    prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (count + 1), ctypes.c_int64)
    function = prototype(compiled(name, kind, lanes).address("loop"))
    given = [np.ascontiguousarray(x, DTYPES[kind]) for x in arrays]
    out = np.empty_like(given[0])
    assert out.ndim == 1
    assert out.size
    assert out.size % lanes == 0
    function(*(x.ctypes.data for x in given), out.ctypes.data, out.size)
    return out


def ulps(found: Any, wanted: Any) -> Any:
    """How far numbers are apart, in units of the last place; 0 for equal ones, NaN included."""
    with np.errstate(all="ignore"):
        apart = np.abs(found.astype(np.longdouble) - wanted) / np.spacing(np.abs(wanted))
    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    return np.where(same, 0.0, np.nan_to_num(apart, nan=np.inf))
