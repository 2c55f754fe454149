"""`pure_callback` and `io_callback`: JAX's names for calls of code that only takes plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from . import tree
from .arrays import Aval, aval, shape_of
from .blackbox import External
from .core import EFFECTS, Params, Primitive, check_function, home
from .customized import Call
from .errors import ArgumentError
from .tracebacks import boundary

_METHODS = (None, "sequential", "sequential_unrolled", "expand_dims", "broadcast_all")


@boundary
def pure_callback(
    callback: Callable[..., Any],
    result_shape_dtypes: Any,
    *args: Any,
    vmap_method: str | None = None,
    **kwargs: Any,
) -> Any:
    """Call a function of plain arrays, which fgrad can't look into, on values that are traced.

    >>> import numpy as np
    >>> from fgrad import make_graph, vmap
    >>> def f(x):
    ...     return pure_callback(np.linalg.matrix_rank, np.empty((), np.int64), x)
    >>> make_graph(f)(np.eye(2))(np.ones((2, 2)))
    np.int64(1)
    >>> vmap(f)(np.stack([np.eye(2), np.ones((2, 2))]))
    array([2, 1])

    It is `fgrad.external`, called at once. That takes rules too, so that it can be differentiated;
    this has no derivative.

    Args:
        callback: a function of pytrees of arrays that returns a pytree of arrays or numbers. It
            may be called any number of times, so it has no effect, and it doesn't write into its
            arguments.
        result_shape_dtypes: a pytree of what has the shape and dtype of each result, such as
            ``np.empty(3)`` or JAX's ``ShapeDtypeStruct``.
        args, kwargs: pytrees of arrays.
        vmap_method: how it is mapped: "sequential", one call for each element (the default; JAX
            wants to be told); or one call for all, of arrays with an axis in front, whose length
            for what is the same for all elements is 1 ("expand_dims") or that of the others
            ("broadcast_all"), with which the results have it too.

    Raises:
        NoRuleError: it is differentiated; see `fgrad.external`, `fgrad.custom_jvp`.
        ShapeError, TreeError: the result isn't what was announced.
    """
    check_function(callback, "pure_callback", direct=True)
    if vmap_method not in _METHODS:
        raise ArgumentError(
            "pure_callback wants a vmap_method that it knows.",
            repr(vmap_method),
            "give one of " + ", ".join(repr(m) for m in _METHODS),
        )
    if vmap_method in ("expand_dims", "broadcast_all"):
        return Whole(callback, result_shape_dtypes, vmap_method)(*args, **kwargs)
    return External(callback, _results(result_shape_dtypes), None, None, False)(*args, **kwargs)


@boundary
def io_callback(
    callback: Callable[..., Any],
    result_shape_dtypes: Any,
    *args: Any,
    ordered: bool = False,
    **kwargs: Any,
) -> Any:
    """Call a function that has an effect, on values that are traced, and go on with its result.

    >>> import numpy as np
    >>> from fgrad import make_graph
    >>> rng = np.random.default_rng(0)
    >>> draw = lambda x: io_callback(lambda x: rng.normal(x), np.empty(()), x)
    >>> graph = make_graph(draw)(0.0)
    >>> round(graph(0.0), 3), round(graph(0.0), 3)
    (0.126, -0.132)

    It is called once for each time that the function runs, in the order of the program; see
    `fgrad.debug.callback`, which is for functions without a result.

    Args:
        callback: a function of pytrees of arrays that returns a pytree of arrays or numbers.
        result_shape_dtypes: see `pure_callback`; None for a function that returns None.
        args, kwargs: pytrees of arrays.
        ordered: accepted as JAX has it; calls always come in order, under `vmap` too.

    Raises:
        NoRuleError: it is differentiated.
        ArgumentError: the way back of a loop or a checkpoint would have to call it again.
        ShapeError, TreeError: the result isn't what was announced.
    """
    check_function(callback, "io_callback", direct=True)
    return Effectful(callback, result_shape_dtypes)(*args, **kwargs)


def _results(announced: Any) -> Any:
    """What was announced, as shapes and dtypes."""
    return tree.map(lambda y: Aval(tuple(shape_of(y)), np.dtype(aval(y).dtype)), announced)


class Whole(External):
    """A function that takes a batch at once."""

    def __init__(self, fn: Callable[..., Any], announced: Any, method: str) -> None:
        super().__init__(fn, _results(announced), None, None, False)
        self._method = method

    def _primitive(self, call: Call) -> Primitive:
        def batch(
            p: Primitive, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
        ) -> Any:
            fronts = []
            for x, b in zip(xs, batched, strict=True):
                n = 1 if self._method == "expand_dims" else size
                fronts.append(x if b else np.broadcast_to(x, (n, *shape_of(x))))
            wider = tree.map(lambda a: Aval((size, *a.shape), a.dtype), self._result)
            new = Whole(self.f, wider, self._method)
            return tree.leaves(new(*call.custom.joined(call.fixed, call.trees(fronts))))

        return replace(super()._primitive(call), batch=batch)


class Effectful(External):
    """A function with an effect and a result."""

    def __init__(self, fn: Callable[..., Any], announced: Any) -> None:
        super().__init__(fn, _results(announced), None, None, False)

    def _primitive(self, call: Call) -> Primitive:
        p = super()._primitive(call)
        call.out = tree.structure(self._result)

        def impl(*xs: Any) -> Any:
            when = EFFECTS.get()
            if when == "later":
                return tuple(home(*xs).zeros(a.shape, a.dtype) for a in tree.leaves(self._result))
            if when == "never":
                raise ArgumentError(
                    f"io_callback wants to call {self.__name__} once; it stands in a loop or a "
                    "checkpoint, which is computed again on the way back.",
                    "a derivative in reverse mode",
                    "take the call out of the loop, or have no effect and use fgrad.external",
                )
            ys = p.impl(*xs)
            tree.flatten_up_to(
                tree.structure(self._result), call.result(ys),
                what=f"io_callback wants {self.__name__} to return what result_shape_dtypes says.",
                to_do="correct result_shape_dtypes",
            )  # fmt: skip
            return ys

        return replace(p, name="io_callback", impl=impl, effect=True)

    def _loop(
        self, p: Primitive, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
    ) -> Any:
        """One call for each element, in order; for none none."""
        if EFFECTS.get() != "now" or size == 0:
            like = tree.leaves(self._result)
            return [home(*xs).zeros((size, *a.shape), a.dtype) for a in like]
        return super()._loop(p, size, xs, batched, params)
