"""A device that computes nothing: the real CuPy on a machine without a GPU.

CuPy's extension modules call CUDA through capsules that hold addresses of functions. Those of the
runtime and the driver are pointed at functions of Python's before CuPy is imported: memory is the
host's, copies are copies, and a launch is noted down instead of done. So types, shapes, dtypes,
refusals and the order of calls are CuPy's own, and the numbers are whatever was in the memory.

It needs the one version of CuPy whose private functions it knows (`VERSION`), and `stubs.build`.
"""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

VERSION = "14.2.0"

_C_TYPES: dict[str, Any] = {
    "int": ctypes.c_int, "size_t": ctypes.c_size_t, "intptr_t": ctypes.c_ssize_t,
    "unsigned int": ctypes.c_uint, "PyObject *": ctypes.py_object, "float": ctypes.c_float,
    "uintmax_t": ctypes.c_size_t, "CUdevice": ctypes.c_int, "cudaMemcpyKind": ctypes.c_int,
}  # fmt: skip

#: cudaMemcpyKind, and what a copy of each kind is counted as.
COPIES = {1: "to device", 2: "to host", 3: "on device"}

#: Attributes of the device: compute capability 8.0, and limits of such a card.
ATTRIBUTES = {75: 8, 76: 0, 1: 1024, 16: 108, 10: 32}
PROPERTIES = {
    "name": b"null", "warpSize": 32, "major": 8, "minor": 0, "multiProcessorCount": 108,
    "maxThreadsPerBlock": 1024, "sharedMemPerBlock": 49152,
}  # fmt: skip


class NullDevice:
    """The device, and what it has been asked to do.

    Attributes:
        launches: the names of the kernels that were launched, in order.
        events: how often it was synchronised with, and copies of each kind were made.
        sources: the code of each kernel that CuPy would have compiled; `options`, how.
    """

    def __init__(self) -> None:
        self.launches: list[str] = []
        self.events: Counter[str] = Counter()
        self.sources: list[str] = []
        self.options: list[tuple[str, ...]] = []
        self._names: dict[int, str] = {}
        self._kept: list[Any] = []
        self._handle = count(1001).__next__
        self._capturing = 0
        libc = ctypes.CDLL(None)
        libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        libc.free.argtypes = [ctypes.c_void_p]
        self._malloc, self._free = libc.malloc, libc.free

    @contextmanager
    def counted(self) -> Iterator[Counter[str]]:
        """Counts of what happens inside: of launches, too."""
        launches, events = len(self.launches), Counter(self.events)
        inside: Counter[str] = Counter()
        try:
            yield inside
        finally:
            inside.update(self.events - events)
            inside["launches"] = len(self.launches) - launches

    # ------------------------------------------------------------------ what it does
    def synchronize(self, *stream: Any) -> None:
        self.events["syncs"] += 1

    def copy(self, to: int, source: int, size: int, kind: int = 0, *stream: Any) -> None:
        self.events[COPIES.get(kind, "copies")] += 1
        ctypes.memmove(to, source, size)

    def fill(self, to: int, value: int, size: int, *stream: Any) -> None:
        ctypes.memset(to, value, size)

    def launch(self, function: int, *how: Any) -> None:
        self.launches.append(self._names.get(function, str(function)))

    def function(self, module: int, name: str) -> int:
        handle = self._handle()
        self._names[handle] = name
        return handle

    def begin_capture(self, *how: Any) -> None:
        self._capturing = 1

    def end_capture(self, stream: int) -> int:
        self._capturing = 0
        return self._handle()

    # ------------------------------------------------------------------ what CUDA calls it
    def runtime(self) -> dict[str, Callable[..., Any]]:
        """The functions of CUDA's runtime."""

        def nothing(*args: Any) -> None:
            return None

        def handle(*args: Any) -> int:
            return self._handle()

        same: dict[str, Callable[..., Any]] = dict.fromkeys(
            ("setDevice", "freeHost", "streamDestroy", "streamQuery", "streamWaitEvent",
             "eventDestroy", "eventRecord", "eventSynchronize", "eventQuery", "graphDestroy",
             "graphExecDestroy", "graphUpload", "_deviceEnsurePeerAccess", "_ensure_context"),
            nothing,
        )  # fmt: skip
        same |= dict.fromkeys(
            ("streamCreate", "streamCreateWithFlags", "streamCreateWithPriority", "eventCreate",
             "eventCreateWithFlags", "graphInstantiate"),
            handle,
        )  # fmt: skip
        return same | {
            "getDevice": lambda: 0,
            "getDeviceCount": lambda: 1,
            "deviceGetAttribute": lambda name, device: ATTRIBUTES.get(name, 1024),
            "getDeviceProperties": lambda device: PROPERTIES,
            "driverGetVersion": lambda: 12090,
            "runtimeGetVersion": lambda: 12090,
            "memGetInfo": lambda: (1 << 34, 1 << 35),
            "pointerGetMemoryType": lambda pointer: 2,
            "deviceCanAccessPeer": lambda a, b: 1,
            "malloc": lambda size: self._malloc(size),
            "mallocAsync": lambda size, stream: self._malloc(size),
            "hostAlloc": lambda size, flags: self._malloc(size),
            "free": lambda pointer: self._free(pointer),
            "freeAsync": lambda pointer, stream: self._free(pointer),
            "memcpy": self.copy,
            "memcpyAsync": self.copy,
            "memset": self.fill,
            "memsetAsync": self.fill,
            "deviceSynchronize": self.synchronize,
            "streamSynchronize": self.synchronize,
            "streamIsCapturing": lambda stream: self._capturing,
            "streamBeginCapture": self.begin_capture,
            "streamEndCapture": self.end_capture,
            "graphLaunch": lambda graph, stream: self.launches.append("graph"),
        }

    def driver(self) -> dict[str, Callable[..., Any]]:
        """The functions of CUDA's driver."""
        return {
            "moduleLoadData": lambda image: self._handle(),
            "moduleUnload": lambda module: None,
            "moduleGetFunction": self.function,
            "moduleGetGlobal": lambda module, name: self._malloc(1 << 16),
            "launchKernel": self.launch,
            "ctxGetCurrent": lambda: self._handle(),
            "streamGetCtx": lambda stream: self._handle(),
            "funcSetAttribute": lambda function, name, value: None,
            "funcGetAttribute": lambda name, function: 1024,
            "occupancyMaxActiveBlocksPerMultiprocessor": lambda *how: 4,
            "occupancyMaxPotentialBlockSize": lambda *how: (108, 256),
        }

    def install(self) -> Any:
        """Point CuPy at this device, import it, and return it."""
        from cupy_backends.cuda.api import driver, runtime

        for module, functions in ((runtime, self.runtime()), (driver, self.driver())):
            for name, function in functions.items():
                self._point(module, name, function)
        import cupy
        from cupy.cuda import compiler
        from cupy.cuda import function as functions_of_modules

        if cupy.__version__ != VERSION:
            raise SystemExit(f"the null device is made for CuPy {VERSION}, not {cupy.__version__}")

        def compiled(source: str, *args: Any, **kwargs: Any) -> Any:
            self.sources.append(source)
            self.options.append(tuple(args[0]) if args else ())
            module = functions_of_modules.Module()
            module.load(b"x")
            return module

        compiler._compile_module_with_cache = compiled
        return cupy

    def _point(self, module: Any, name: str, function: Callable[..., Any]) -> None:
        """Make a capsule of an extension module hold the address of a function of Python's."""
        api = ctypes.pythonapi
        api.PyCapsule_GetName.restype = ctypes.c_char_p
        api.PyCapsule_GetName.argtypes = [ctypes.py_object]
        api.PyCapsule_SetPointer.argtypes = [ctypes.py_object, ctypes.c_void_p]
        capsule = module.__pyx_capi__[name]
        result, parameters, given = _signature(api.PyCapsule_GetName(capsule).decode())
        called = ctypes.PYFUNCTYPE(result, *parameters)(lambda *args: function(*args[:given]))
        self._kept.append(called)
        api.PyCapsule_SetPointer(capsule, ctypes.cast(called, ctypes.c_void_p))
        setattr(module, name, function)


def _signature(text: str) -> tuple[Any, list[Any], int]:
    """Types of result and parameters, and how many parameters are CUDA's, of a capsule's name."""
    match = re.match(r"(.+?)\s*\((.*)\)$", text)
    assert match is not None, text
    parameters = [p.strip() for p in match[2].split(",") if p.strip() != "void"]
    own = [p for p in parameters if "__pyx" not in p]
    return _c_type(match[1].strip()), [_c_type(p) for p in parameters], len(own)


def _c_type(text: str) -> Any:
    if text == "void":
        return None
    if "__pyx_skip_dispatch" in text:
        return ctypes.c_int
    return ctypes.c_void_p if "struct" in text and "*" in text else _C_TYPES[text]
