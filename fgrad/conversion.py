"""`closure_convert`: what a function closes over becomes its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import tree
from .checks import say
from .closures import example
from .control.bodies import Recorded
from .core import check_function, is_traceable, refuse_finished
from .errors import DtypeError
from .tracebacks import boundary


@boundary
def closure_convert(
    f: Callable[..., Any], *example_args: Any
) -> tuple[Callable[..., Any], list[Any]]:
    """Make the traced values that ``f`` closes over explicit arguments.

    Rules of `custom_jvp` and `custom_vjp` know the arguments of their function alone. One that
    takes a function, such as a solver, converts it outside, and passes on what it read:

    >>> import numpy as np
    >>> from fgrad import grad
    >>> def loss(a):
    ...     f, hoisted = closure_convert(lambda x: a * x, 1.0)
    ...     return f(3.0, *hoisted)
    >>> grad(loss)(2.0)
    3.0

    Args:
        f: a function of arrays in pytrees that returns a pytree of arrays.
        example_args: its arguments, or others of the same structure, shapes and dtypes; ``f`` is
            recorded on them, once, as by `make_graph`.

    Returns:
        ``(converted, hoisted)``: a function of the arguments of ``f`` followed by ``*hoisted``,
        and the list of the traced values that ``f`` read of what it closes over. As in JAX,
        values that no transformation is tracing remain in the function.

    Raises:
        TracerConversionError: ``f`` asks for values of its arguments, as in ``if x > 0``.
        DtypeError: an argument, or a result, is no array.
        TreeError, GraphError: the converted function is called with other arguments.
    """
    check_function(f, "closure_convert", direct=True)
    leaves, structure = tree.flatten(example_args)
    for path, x in tree.leaves_with_path(example_args):
        refuse_finished(x, "closure_convert")
        if not is_traceable(x):
            raise DtypeError(
                "closure_convert wants pytrees of arrays as example_args.",
                f"{say(x)} at {tree.path_str(path)}",
                "bind it beforehand: closure_convert(lambda x: f(x, option), x)",
            )

    def flat(*xs: Any) -> Any:
        return f(*tree.unflatten(structure, xs))

    flat.__wrapped__ = f  # type: ignore[attr-defined]
    flat.__name__ = getattr(f, "__name__", type(f).__name__)
    recorded = Recorded("closure_convert", [flat], [[example(x) for x in leaves]])
    graph, hoisted = recorded.graphs[0], list[Any](recorded.captured)
    count = len(example_args)

    @boundary
    def converted(*args: Any) -> Any:
        xs = tree.flatten_up_to(
            tree.structure((example_args, tuple(hoisted))), (args[:count], tuple(args[count:])),
            what="A function made by closure_convert wants the arguments of its examples, "
            "followed by the hoisted values.",
            to_do="call it as converted(*args, *hoisted)",
        )  # fmt: skip
        return graph(*xs)

    converted.__name__ = flat.__name__
    return converted, hoisted
