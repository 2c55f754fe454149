"""Sharpness-aware minimization: the gradient where the loss is greatest nearby."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fgrad import stop_gradient, tree, value_and_grad
from fgrad.tracebacks import boundary

from .leaves import add_scaled, choose, conjugate, each, global_norm
from .numbers import POSITIVE, real
from .records import PyTree


@boundary
def sharpness_aware(
    loss: Callable[..., Any], rho: Any = 0.05, *, has_aux: bool = False
) -> Callable[..., Any]:
    """`value_and_grad(loss)` with the gradient at the worst point nearby, to first order.

    The optimizer's steps with it lead to minima that are flat. It takes two gradients.

    >>> step = sharpness_aware(lambda p: p[0] ** 2, rho=0.5)
    >>> step([2.0])
    (4.0, [5.0])

    Args:
        loss: a function of parameters, and of anything else.
        rho: how far away the point is.
        has_aux: as for `fgrad.value_and_grad`.

    Returns:
        A function like `value_and_grad(loss)`: the value is that at the parameters themselves.

    Source: Foret, Kleiner, Mobahi and Neyshabur, Sharpness-aware minimization for efficiently
    improving generalization (2021), algorithm 1. As there, the way to the worst point is taken for
    a constant.
    """
    rho = real("rho", rho, POSITIVE)
    both = value_and_grad(loss, has_aux=has_aux)

    def at_the_worst(params: PyTree, *args: Any, **kwargs: Any) -> Any:
        value, here = both(params, *args, **kwargs)
        size = global_norm(here)
        factor = choose(size > 0, rho / choose(size > 0, size, 1.0), 0.0)
        away = tree.map(stop_gradient, add_scaled(params, factor, each(conjugate, here)))
        return value, both(away, *args, **kwargs)[1]

    return at_the_worst
