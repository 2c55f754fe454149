"""From LLVM's text to machine code in this process, by `llvmlite` alone.

`compile_module` reads a module, optimises it for the processor it runs on, and links it; what it
calls of ours, the functions of `vectors`, BLAS and Python, is found by name. No subprocess runs,
and no file is written unless the user asks for a cache (`disk`). All of it may be called by several
threads at once; the interpreter lock is free while LLVM works.

Loops are vectorised; superword vectorisation and unrolling are off, since on the programs that
we print they cost half of the compile time and gain nothing. Floating-point numbers keep their
meaning: no fast-math flag is set here, and none changes the state of the processor.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import threading
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import blas, disk, entry, vectors

#: Seconds that compiling may take: by estimate before it begins, and by the clock in its course,
#: which can be stopped only between LLVM's two stages.
LONGEST = 20.0
#: Seconds for a character and for a conditional branch; vectorised loops are what takes time.
SECONDS_EACH = (1e-6, 5e-3)
#: LLVM's first release that knows all that we print.
OLDEST_LLVM = 20
#: How all names begin that a module may use without defining them.
OURS = "fgrad_"


class NativeRefused(Exception):
    """A program isn't compiled; the message says why. It runs another way."""


@dataclass(frozen=True)
class Compiled:
    """Machine code; it stays in memory as long as this object lives.

    Attributes:
        addresses: of the functions that the module defines for the outside.
        calls: the functions of ours that it calls, after LLVM has vectorised its loops.
        seconds: what compiling took.
        cached: whether it came from the disk.
    """

    addresses: Mapping[str, int]
    calls: tuple[str, ...]
    seconds: float
    cached: bool
    keep: Any = field(repr=False)

    def address(self, name: str) -> int:
        """Where the function of this name begins."""
        return self.addresses[name]


def available() -> str | None:
    """Why nothing can be compiled here; None if it can."""
    try:
        _binding()
    except ImportError:
        return "llvmlite isn't installed"
    unfit = _unfit()
    if unfit is not None:
        return unfit
    try:
        _machine()
    except RuntimeError as error:
        return f"LLVM makes no code in this process: {error}"
    return None


def compile_module(ir: str, *, level: int = 2) -> Compiled:
    """Machine code for a module of LLVM's language.

    Args:
        ir: its text. Functions without ``internal`` can be asked for by name. It may call what
            `vectors.declarations`, `blas.definitions` and `entry.declarations` declare.
        level: how hard LLVM tries, 0 to 3.

    Raises:
        NativeRefused: without llvmlite, where the program is too large, or LLVM can't read it.
    """
    reason = available()
    if reason is not None:
        raise NativeRefused(reason)
    expected = len(ir) * SECONDS_EACH[0] + ir.count("br i1") * SECONDS_EACH[1]
    if expected > LONGEST:
        raise NativeRefused(
            f"the program is too large: compiling it would take about {expected:.0f} s"
        )
    return _machine().load(ir, level)


@functools.cache
def _binding() -> Any:
    """LLVM's own interface, made ready once."""
    binding = importlib.import_module("llvmlite.binding")
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding


@functools.cache
def _unfit() -> str | None:
    """What this processor or LLVM lacks."""
    llvm = _binding()
    if llvm.llvm_version_info[0] < OLDEST_LLVM:
        found = ".".join(map(str, llvm.llvm_version_info))
        return f"llvmlite is too old: it has LLVM {found}, {OLDEST_LLVM} is wanted"
    _, features = processor()
    if llvm.get_process_triple().startswith("x86_64"):
        if "+fma" not in features.split(","):
            return "this processor has no fused multiply-add"
    elif not llvm.get_process_triple().startswith(("aarch64", "arm64")):
        return f"no code is made for {llvm.get_process_triple()}"
    return None


@functools.cache
def processor() -> tuple[str, str]:
    """Name and features of the processor that code is made for: this one.

    The variable ``FGRAD_NATIVE_CPU`` names another one of the same family, such as ``haswell``,
    whose code this one must be able to run: for measurements.
    """
    llvm = _binding()
    other = os.environ.get("FGRAD_NATIVE_CPU", "")
    if other:
        return other, "+fma" if llvm.get_process_triple().startswith("x86_64") else ""
    # Vectors of 512 bits gain more on our loops than the lower clock that LLVM fears costs.
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten() + ",-prefer-256-bit"


@functools.cache
def width() -> int:
    """Bytes of a vector of this processor's; 0 where that isn't known."""
    name, features = processor()
    if "+avx512f" in features.split(","):
        return 64
    return 32 if "+avx2" in features.split(",") or name == "haswell" else 0


@functools.cache
def _machine() -> Machine:
    return Machine()


class Machine:
    """LLVM's linker, and our vector functions as far as they have been wanted."""

    def __init__(self) -> None:
        llvm = _binding()
        self._llvm = llvm
        self._target = llvm.Target.from_triple(llvm.get_process_triple())
        # Of LLVM's two linkers the one that checks distances between code and what it refers to.
        self._jit = llvm.create_lljit_compiler(use_jit_link=True, suppress_errors=True)
        self._numbers = itertools.count()
        self._functions: dict[str, Compiled] = {}
        self._lock = threading.RLock()
        self._cache = disk.folder()

    def load(self, ir: str, level: int, *, plain: bool = True) -> Compiled:
        """Link a module, from the disk or newly compiled; unless ``plain``, its text is optimal."""
        start = time.perf_counter()
        key = ""
        if self._cache is not None:
            key = disk.key(ir, str(level), *processor(), str(self._llvm.llvm_version_info))
            found = self._cache.get(key)
            if found is not None:
                return self._link(found, start, cached=True)
        image = self._object(ir, level, plain)
        if self._cache is not None:
            self._cache.put(key, image)
        return self._link(image, start, cached=False)

    def _object(self, ir: str, level: int, plain: bool) -> disk.Image:
        """Machine code as an object file's bytes, with the names it gives and takes."""
        begun = time.thread_time()  # which other work of the machine doesn't count in
        llvm, (cpu, features) = self._llvm, processor()
        # Constants are addressed from the code, which JITLink keeps beside them.
        machine = self._target.create_target_machine(
            cpu, features, level, reloc="pic", codemodel="small", jit=True
        )
        try:
            module = llvm.parse_assembly(ir, llvm.create_context())
            module.triple, module.data_layout = self._target.triple, str(machine.target_data)
            module.verify()
        except RuntimeError as error:
            # Our own mistake: what runs instead is right, but nobody would hear of it.
            warnings.warn(
                "fgrad wanted to make machine code.\n  It got: text that LLVM can't read; this "
                "part runs as NumPy, with the same results.\n  To do: please report it, with the "
                f"function and {error}",
                RuntimeWarning,
                stacklevel=2,
            )
            raise NativeRefused(f"LLVM can't read the program: {error}") from error
        if plain and level:
            tuning = llvm.create_pipeline_tuning_options(speed_level=level)
            tuning.loop_vectorization = level > 1
            tuning.slp_vectorization = tuning.loop_unrolling = False
            builder = llvm.create_pass_builder(machine, tuning)
            builder.getModulePassManager().run(module, builder)
            if " alwaysinline " in ir:  # the vectorised calls, which are there by now
                last = llvm.create_new_module_pass_manager()
                last.add_always_inliner_pass()
                last.add_instruction_combine_pass()
                last.run(module, builder)
        if time.thread_time() - begun > LONGEST:
            raise NativeRefused(f"compiling takes more than {LONGEST:.0f} s")
        code = machine.emit_object(module)
        given = [
            f.name
            for f in module.functions
            if not f.is_declaration and f.linkage.name == "external"
        ]
        named = [v.name for v in (*module.functions, *module.global_variables) if v.is_declaration]
        # What is declared and not used isn't in the object's table of names.
        wanted = [n for n in named if n.startswith(OURS) and n.encode() + b"\0" in code]
        return disk.Image(tuple(given), tuple(wanted), code)

    def _link(self, image: disk.Image, start: float, *, cached: bool) -> Compiled:
        library = self._llvm.JITLibraryBuilder().add_object_img(image.code)
        library.add_current_process()  # memset and its like, which LLVM calls by itself
        ours, keep = self._resolve(image.wanted)
        for name, address in ours.items():
            library.import_symbol(name, address)
        for name in image.given:
            library.export_symbol(name)
        try:
            tracker = library.link(self._jit, f"fgrad.{next(self._numbers)}")
        except RuntimeError as error:
            raise NativeRefused(f"LLVM can't link the program: {error}") from error
        addresses = {name: tracker[name] for name in image.given}
        seconds = time.perf_counter() - start
        return Compiled(addresses, image.wanted, seconds, cached, (tracker, keep))

    def _resolve(self, wanted: Iterable[str]) -> tuple[dict[str, int], Any]:
        """Where the functions are that a module calls, and what must live as long as it."""
        names = set(wanted)
        found = {name: entry.SYMBOLS[name] for name in names & entry.SYMBOLS.keys()}
        found |= {name: a for name in names if (a := blas.address(name)) is not None}
        missing = names - found.keys()
        unknown = sorted(name for name in missing if not vectors.is_symbol(name))
        if unknown:
            raise NativeRefused(f"not found: {', '.join(unknown)}")
        with self._lock:
            new = missing - self._functions.keys()
            if new:
                made = self.load(vectors.library(new), 2, plain=False)
                self._functions |= dict.fromkeys(made.addresses, made)
            kept = {name: self._functions[name] for name in missing}
        found |= {name: made.addresses[name] for name, made in kept.items()}
        return found, kept
