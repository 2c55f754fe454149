"""`jit`: functions compiled to straight NumPy code."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Iterable
from typing import Any, overload

import numpy as np

from .. import tree
from ..arrays import is_a
from ..batch import AXES
from ..core import P, R, Tracer, check_function, refuse_finished, watcher
from ..errors import ArgumentError, TracerConversionError, describe, name_of
from ..graph import Graph
from ..libraries import WATCHED
from ..shapes import ShapeDtypeStruct
from ..stage import make_graph
from ..tracebacks import hide_frames
from . import report
from .backends import check_backend, resolved
from .cupy.calls import Uncompiled, recorded
from .passes import Options
from .paths import Recording
from .pullbacks import is_recorded
from .recording import OuterValue
from .signature import Signature, check_static, positional
from .specs import ELSEWHERE, Spec, elsewhere
from .transformed import Flat, is_given_up, transformed
from .typed import Compiled

#: So many paths through truth values are compiled before the rest is left to run as it is.
PATHS = 64

#: So many programs are kept; beyond, those that were made first are forgotten.
PROGRAMS = 256

#: A function that is compiled for so many calls in a row is not worth compiling.
RETRACES = 16


class Jitted:
    """A compiled function; made by `jit`."""

    def __init__(
        self, f: Callable[..., Any], static: frozenset[Any], strict: bool, options: Options,
        max_paths: int,
    ) -> None:  # fmt: skip
        functools.update_wrapper(self, f)
        self._f, self._static, self._strict = f, static, strict
        self._name = name_of(f)  # for warnings; of a derivative, the function that it is of
        self._options, self._max_paths = options, max_paths
        self._specs: list[Spec] = []
        self._misses: list[str] = []
        self._in_a_row = 0
        self._lock = threading.RLock()
        self._derived: dict[Any, Any] = {}
        self._as_written = False
        self._found: Spec | None = None
        self._run: Callable[..., Any] = elsewhere

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's result."""
        if (watch := watcher()) and (out := watch(self, args, kwargs)) is not NotImplemented:
            return out
        try:
            out = self._run(*args, **kwargs)
            return out if out is not ELSEWHERE else self._search(args, kwargs)
        except BaseException as e:
            hide_frames(e)
            raise

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __repr__(self) -> str:
        return f"<jit of {name_of(self._f)}>"

    def __reduce__(self) -> Any:
        options = self._f, self._static, self._strict, self._options, self._max_paths
        return Jitted, options

    # ------------------------------------------------------------------ other kinds of calls
    def _search(self, args: Any, kwargs: Any) -> Any:
        """Run another program that is made for such a call, or make one."""
        known = len(self._misses)
        for spec in reversed([*self._specs]):
            out = spec.code(*args, **kwargs)
            if out is not ELSEWHERE:
                self._in_a_row = 0
                if spec is self._found:  # twice in a row: from now on it is asked first
                    self._run = spec.code
                self._found = spec
                return out
        return self._miss(args, kwargs, known)

    def _miss(self, args: Any, kwargs: Any, known: int) -> Any:
        """Record, compile, and give the result of the recorded run."""
        if self._as_written:
            return self._f(*args, **kwargs)
        leaves, structure = tree.flatten((args, kwargs))
        traced = [x for x in leaves if isinstance(x, Tracer)]
        if traced:
            for x in traced:
                refuse_finished(x, "jit")
            # It is a part of the program that is being made; or it may ask for a named axis, which
            # only the code that runs inside of the axis can see.
            if any(map(is_recorded, traced)) or AXES.get() or is_given_up(self):
                return self._f(*args, **kwargs)
            return transformed(Flat(self, args, kwargs, leaves, structure))
        if AXES.get():
            return self._f(*args, **kwargs)
        try:
            signature, recording, result = self._recorded(args, kwargs)
        except OuterValue:
            return self._f(*args, **kwargs)
        except Uncompiled as e:
            result = self._f(*args, **kwargs)
            self._give_up(e.reason)
            return result
        if WATCHED.get() is not None and signature.library is not None:
            return result
        with self._lock:
            # Another thread may have been here since this one searched.
            if known == len(self._misses) or not any(s.takes(args, kwargs) for s in self._specs):
                self._enter(signature, recording)
        return result

    def _enter(self, signature: Signature, recording: Recording) -> None:
        spec = Spec(
            self._f, signature, recording, resolved(self._options, self._strict),
            self._max_paths, self._strict, self._lock,
        )  # fmt: skip
        self._note(signature)
        self._specs.append(spec)
        if len(self._specs) > PROGRAMS:
            del self._specs[0]
        self._run = self._watched(spec)

    def _watched(self, spec: Spec) -> Callable[..., Any]:
        """The program's code, until it is used: then the count of calls without use starts anew."""

        def first(*args: Any, **kwargs: Any) -> Any:
            out = spec.code(*args, **kwargs)
            if out is not ELSEWHERE:
                self._in_a_row = 0
                if self._run is first:
                    self._run = spec.code
            return out

        return first

    def _recorded(self, args: Any, kwargs: Any) -> Any:
        signature = Signature(self._f, args, kwargs, self._static, True)
        if signature.opened and not signature.unseen:
            try:
                return signature, *recorded(self._f, signature)
            except TracerConversionError:
                # It asks for the values of an array that it captures, as it may.
                signature = Signature(self._f, args, kwargs, self._static, False)
        return signature, *recorded(self._f, signature)

    def _give_up(self, reason: str) -> None:
        """From now on, run the function as it is written; say so, once."""
        wanted = "jit wants a function of CuPy's arrays that can be compiled."
        came = f"{self._name}, with {reason}"
        to_do = (
            "pass arrays that it reads as arguments, keep numbers on the device (np.sin(x), not "
            "math.sin(x)), or leave out jit"
        )
        if self._strict:
            raise TracerConversionError(wanted, came, to_do)
        self._as_written = True
        warnings.warn(
            f"{wanted}\n  It got: {came}; it runs as it is written.\n  To do: {to_do}",
            RuntimeWarning,
            stacklevel=5,
        )

    def _note(self, signature: Signature) -> None:
        """Remember why this program was made; warn of a function that never gets to use one."""
        self._misses.append(report.reason(self._specs, signature))
        self._in_a_row += 1
        if self._in_a_row == RETRACES:
            warnings.warn(
                f"{name_of(self._f)} was compiled for {RETRACES} calls in a row; the last time "
                f"because of {self._misses[-1]}. Its method explain() tells each time.",
                RuntimeWarning,
                stacklevel=6,
            )

    # ------------------------------------------------------------------ what it did
    def graph(self, *args: Any, **kwargs: Any) -> Graph:
        """The operations of the function, before they are simplified, as `make_graph` has them.

        Where some arguments are static, it is a graph of the others' leaves.
        """
        flat = Flat(self, args, kwargs)
        if not flat.static and len(flat.places) == len(flat.leaves):
            return make_graph(self._f)(*args, **kwargs)
        f = flat.function()
        return make_graph(lambda *xs: f(*xs)[0])(*(flat.leaves[i] for i in flat.places))

    def compile(self, *args: Any, **kwargs: Any) -> Jitted:
        """Make the program for such arguments now, so that no later call waits for it.

        Args:
            args, kwargs: as for a call; `ShapeDtypeStruct` may stand for an array, and then the
                function is recorded on ones.

        Returns:
            The compiled function itself.
        """

        def example(x: Any) -> Any:
            return np.ones(x.shape, x.dtype) if isinstance(x, ShapeDtypeStruct) else x

        self(*tree.map(example, args), **tree.map(example, kwargs))
        return self

    def source(self, *args: Any, **kwargs: Any) -> str:
        """The code that runs for these arguments; it is compiled for them if need be."""
        return report.source(self._spec_for(args, kwargs))

    def explain(self) -> str:
        """What is compiled, why, what the passes took away, and how much memory is kept."""
        return report.text(self, self._specs, self._misses)

    def _spec_for(self, args: Any, kwargs: Any) -> Spec:
        self(*args, **kwargs)
        for spec in reversed(self._specs):
            if spec.takes(args, kwargs):
                return spec
        raise ArgumentError(
            "source wants arguments for which the function is compiled.",
            ", ".join(map(describe, args)),
            "pass plain arrays, outside of other transformations",
        )

    def clear(self) -> None:
        """Forget all programs."""
        with self._lock:
            self._specs, self._misses, self._run = [], [], elsewhere
            self._as_written = False
            self._derived.clear()


@overload
def jit(
    f: np.ufunc,
    *,
    static_argnums: int | Iterable[int] = ...,
    static_argnames: str | Iterable[str] = ...,
    strict: bool = ...,
    reassociate: bool = ...,
    max_paths: int = ...,
    threads: int | None = ...,
    backend: str | None = ...,
) -> Compiled[..., Any]: ...
@overload
def jit(
    f: Callable[P, R],
    *,
    static_argnums: int | Iterable[int] = ...,
    static_argnames: str | Iterable[str] = ...,
    strict: bool = ...,
    reassociate: bool = ...,
    max_paths: int = ...,
    threads: int | None = ...,
    backend: str | None = ...,
) -> Compiled[P, R]: ...
@overload
def jit(
    f: None = None,
    *,
    static_argnums: int | Iterable[int] = ...,
    static_argnames: str | Iterable[str] = ...,
    strict: bool = ...,
    reassociate: bool = ...,
    max_paths: int = ...,
    threads: int | None = ...,
    backend: str | None = ...,
) -> Callable[[Callable[P, R]], Compiled[P, R]]: ...
def jit(
    f: Callable[..., Any] | None = None,
    *,
    static_argnums: int | Iterable[int] = (),
    static_argnames: str | Iterable[str] = (),
    strict: bool = False,
    reassociate: bool = True,
    max_paths: int = PATHS,
    threads: int | None = None,
    backend: str | None = None,
) -> Any:
    """Compile a function to straight NumPy code that reuses its memory.

    The first call with arguments of new shapes and dtypes runs the function and records what it
    does; later calls run the simplified record. Python code in it, such as printing, runs while it
    is recorded only.

    >>> import numpy as np
    >>> from fgrad import grad
    >>> slope = jit(grad(lambda x: np.sum(np.tanh(x) ** 2)))
    >>> slope(np.zeros(3)), slope(np.ones(3))
    (array([0., 0., 0.]), array([0.63970001, 0.63970001, 0.63970001]))

    `if` and `while` on values are followed: the program is a tree, of which a new branch is
    recorded when it is first taken. Arrays that the function captures are read at each call.
    Of CuPy's arrays the code calls CuPy, with a kernel for operations on entries that belong
    together; a function that can't be compiled for them runs as it is written, after a warning.

    Args:
        f: a function of pytrees of arrays; without it, `jit` makes a decorator.
        static_argnums, static_argnames: positions and names of arguments that the function needs
            to know, such as a number of steps. There is a program for each of their values, which
            must be hashable. What is no array or number is static by itself; so are bools.
        strict: raise an error where otherwise, after a warning, code runs that isn't compiled.
        reassociate: whether last bits may change: sums as products with ones, factors gathered.
            Without it the recorded operations are computed as they are; under `grad` they round
            otherwise than eager ones where these take a short way (sums over columns).
        max_paths: how many paths through truth values are compiled.
        threads: how many threads may share a loop over large arrays, of a hundred thousand numbers
            or more. Left out it is what the environment says in FGRAD_NUM_THREADS or
            OMP_NUM_THREADS, or else two where there are two cores. Only calls from the main thread
            use more than one. Results are the same, to the bit.
        backend: "numpy"; or "native" for machine code, which needs llvmlite, the extra ``native``:
            what it can't be made of runs as NumPy, and without llvmlite everything does, with a
            warning. Or "auto", which begins as NumPy, and compiles beside the calls once they have
            taken a second. Left out it is what `jit_backend` says, or the variable FGRAD_BACKEND in
            the environment, or else "numpy".

    Returns:
        A function like ``f``, with the methods ``compile(*args)``, ``source(*args)``,
        ``graph(*args)``, ``explain()`` and ``clear()``. Its results are new arrays.

    Raises, when it is called:
        TracerConversionError: the function asks for a number (``float(x)``, ``range(n)``), or
            writes into an array that it captures.
        ArgumentError: a static argument can't be hashed, or there is none of that name.
        DtypeError: a leaf is an array of objects, or a generator.
    """
    if f is None:
        return functools.partial(
            jit, static_argnums=static_argnums, static_argnames=static_argnames, strict=strict,
            reassociate=reassociate, max_paths=max_paths, threads=threads,
            backend=backend,
        )  # fmt: skip
    check_function(f, "jit")
    numbers = tuple(static_argnums) if isinstance(static_argnums, Iterable) else (static_argnums,)
    names = (static_argnames,) if isinstance(static_argnames, str) else static_argnames
    names = tuple(names) if isinstance(names, Iterable) else (names,)
    check_static(f, numbers, names)
    if not is_a(max_paths, int) or max_paths < 1:
        raise ArgumentError(
            "jit wants a number of paths, max_paths, of one or more.",
            repr(max_paths),
            "leave it out for 64; strict=True refuses what is not compiled",
        )
    if backend is not None:
        check_backend(backend, "jit wants")
    if threads is not None and (type(threads) is not int or threads < 1):
        raise ArgumentError(
            "jit wants a number of threads of one or more.",
            repr(threads),
            "leave it out for two where there are two cores; 1 for none besides the caller's",
        )
    known = positional(f, 1 + max([*numbers, -1]))
    static = frozenset([*numbers, *names, *(known[i] for i in numbers if i >= 0)])
    options = Options(reassociate, threads=threads, backend=backend)
    return Jitted(f, static, strict, options, max_paths)
