"""Names for the parts of a function, which its graph shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .errors import ArgumentError, describe

#: The names of the scopes around the code that is running, from the outermost.
SCOPES: ContextVar[tuple[str, ...]] = ContextVar("SCOPES", default=())

#: Says where an operation that is being recorded was written, ``look(primitive, operands)``; None
#: if nobody has asked. See `debug.explain_nonfinite`.
SOURCE: ContextVar[Any] = ContextVar("SOURCE", default=None)


@contextmanager
def named_scope(name: str) -> Iterator[None]:
    """Give the operations inside a name, which `make_graph` prints beside each of them.

    >>> import numpy as np
    >>> from fgrad import make_graph
    >>> def layer(x):
    ...     with named_scope("layer"):
    ...         y = np.tanh(x)
    ...         with named_scope("scale"):
    ...             return y * 2.0
    >>> print(make_graph(layer)(1.0))
    layer(a:f64[]):
      b:f64[] = tanh(a)  # layer
      c:f64[] = multiply(b, 2)  # layer/scale
      return c

    It decorates functions too: ``@named_scope("layer")``. Names change nothing that is computed.
    The operations of a backward pass, which runs when the scope is over, have none of its names.

    Args:
        name: a string; inside of other scopes it follows theirs, after a slash.

    Raises:
        ArgumentError: it is no string, or empty.
    """
    if not isinstance(name, str) or not name:
        raise ArgumentError(
            "named_scope wants a name.",
            describe(name),
            'write it as a string: with named_scope("encoder"): ...',
        )
    token = SCOPES.set((*SCOPES.get(), name))
    try:
        yield
    finally:
        SCOPES.reset(token)
