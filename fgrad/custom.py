"""Where the user decides what is differentiated."""

from __future__ import annotations

from typing import Any

from . import tree
from .ops.casts import stop_gradient_leaf


def stop_gradient(x: Any) -> Any:
    """The same values, taken for constants by every derivative.

    >>> import numpy as np
    >>> from fgrad import grad
    >>> grad(lambda x: x * stop_gradient(x))(3.0)
    3.0

    Args:
        x: a pytree of arrays.

    Returns:
        A pytree of the same structure, shapes and dtypes. Under `vmap` and `make_graph` it
        remains part of the computation.
    """
    return tree.map(stop_gradient_leaf, x)
