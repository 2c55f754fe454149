"""CuPy's kernels of the user's own code, in the stand-in: the code is compiled for the host.

What is launched on the device is a loop of CuPy's around the code; here it is a loop of ours. The
code must be C as well as CUDA.
"""

from __future__ import annotations

import ctypes
import functools
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from fgrad.arrays import is_a

from .array import SCALARS, checked_dtype, ndarray, wrap

#: What CUDA has and C lacks.
SHIM = """\
#include <stdbool.h>
#include <tgmath.h>
#define __device__ static inline
#define FGRAD_INF INFINITY
#define FGRAD_NAN NAN
"""

TYPES = {"bool": "bool", "float32": "float", "float64": "double"}
TYPES |= {f"{u}int{n}": f"{u}int{n}_t" for u in ("", "u") for n in (8, 16, 32, 64)}


def parameters(text: str) -> list[tuple[str, str]]:
    """Types and names."""
    return [(kind, name) for kind, name in (p.split() for p in text.split(","))]


@functools.lru_cache(maxsize=4096)
def compiled(preamble: str, ins: str, outs: str, operation: str) -> Any:
    """A loop over entries, ``run(n, pointers)``, around an operation."""
    reads = [f"{TYPES[kind]} {name} = (({TYPES[kind]} *)p[{k}])[i];"
             for k, (kind, name) in enumerate(parameters(ins))]  # fmt: skip
    first = len(reads)
    places = parameters(outs)
    holds = [f"{TYPES[kind]} {name};" for kind, name in places]
    writes = [f"(({TYPES[kind]} *)p[{first + k}])[i] = {name};"
              for k, (kind, name) in enumerate(places)]  # fmt: skip
    body = "\n    ".join([*reads, *holds, f"{operation};", *writes])
    code = f"{SHIM}#include <stdint.h>\n{preamble}\nvoid run(long n, void **p) {{\n" \
           f"  for (long i = 0; i < n; i++) {{\n    {body}\n  }}\n}}\n"  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "k.c"), Path(folder, "k.so")
        source.write_text(code)
        command = ["gcc", "-O0", "-w", "-shared", "-fPIC", "-o", str(library), str(source), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{code}"
        return ctypes.CDLL(str(library)).run


class _Kernel:
    def __init__(self, ins: str, outs: str, name: str, preamble: str) -> None:
        self.ins, self.outs, self.name, self.preamble = ins, outs, name, preamble

    def _map(self, args: Any, outs: str, operation: str) -> list[np.ndarray]:
        values = []
        for x, (kind, _) in zip(args, parameters(self.ins), strict=True):
            if is_a(x, ndarray):
                if x.dtype != np.dtype(kind):
                    raise TypeError(f"Type is mismatched. {self.name}: {x.dtype} for {kind}")
                values.append(x._a)
            elif is_a(x, SCALARS):
                values.append(np.asarray(x, checked_dtype(kind)))
            else:
                raise TypeError(f"Unsupported type {type(x)}")
        shape = np.broadcast_shapes(*(v.shape for v in values))
        arrays = [np.ascontiguousarray(np.broadcast_to(v, shape)) for v in values]
        answers = [np.empty(shape, kind) for kind, _ in parameters(outs)]
        run = compiled(self.preamble, self.ins, outs, operation)
        pointers = [y.ctypes.data for y in (*arrays, *answers)]
        run(ctypes.c_long(int(np.prod(shape))), (ctypes.c_void_p * len(pointers))(*pointers))
        return answers


class ElementwiseKernel(_Kernel):
    """CuPy's, of its keywords those that are used."""

    def __init__(self, in_params: str, out_params: str, operation: str, name: str = "kernel", *,
                 preamble: str = "", options: tuple[str, ...] = ()) -> None:  # fmt: skip
        super().__init__(in_params, out_params, name, preamble)
        self.operation = operation

    def __call__(self, *args: Any) -> Any:
        n = len(parameters(self.ins))
        answers = self._map(args[:n], self.outs, self.operation)
        if len(args) > n:
            for x, y in zip(args[n:], answers, strict=True):
                if x.shape != y.shape or x.dtype != y.dtype:
                    raise ValueError(f"Out shape is mismatched: {x.shape}, {y.shape}")
                x._a[...] = y
            return args[n] if len(answers) == 1 else args[n:]
        out = tuple(map(wrap, answers))
        return out[0] if len(out) == 1 else out


class ReductionKernel(_Kernel):
    """CuPy's, for sums."""

    def __init__(self, in_params: str, out_params: str, map_expr: str, reduce_expr: str,
                 post_map_expr: str, identity: str, name: str = "reduce_kernel", *,
                 preamble: str = "", options: tuple[str, ...] = ()) -> None:  # fmt: skip
        super().__init__(in_params, out_params, name, preamble)
        assert (reduce_expr, post_map_expr, identity) == ("a + b", "y0 = a", "0")
        self.map_expr = map_expr

    def __call__(self, *args: Any, out: Any = None, axis: Any = None, keepdims: bool = False,
                 stream: Any = None) -> Any:  # fmt: skip
        (mapped,) = self._map(args, self.outs, f"y0 = {self.map_expr}")
        y = np.sum(mapped, axis, keepdims=keepdims)
        if out is None:
            return wrap(y)
        if out.shape != y.shape:
            raise ValueError("Out shape is mismatched")
        out._a[...] = y
        return out
