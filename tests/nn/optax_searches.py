"""Line searches along many lines, that are made by the same calls of our library and of optax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

#: Where searches begin, and how long their directions are, in units of the slope.
POINTS = np.linspace(-8.0, 8.0, 150)
SIZES = np.tile([0.01, 0.1, 0.3, 1.0, 10.0], 30)

#: Name -> called with a namespace that has the functions of a library, returns the search.
SEARCHES: dict[str, Callable[[Any], Any]] = {
    "zoom": lambda o: o.scale_by_zoom_linesearch(30, stepsize_precision=0.0),
    "zoom, small slopes": lambda o: o.scale_by_zoom_linesearch(
        40, curv_rtol=0.01, approx_dec_rtol=None, stepsize_precision=0.0
    ),
    "zoom, few points": lambda o: o.scale_by_zoom_linesearch(
        6, curv_rtol=1e-4, stepsize_precision=0.0
    ),
    "zoom, tolerance": lambda o: o.scale_by_zoom_linesearch(
        30, tol=0.3, curv_rtol=0.05, stepsize_precision=0.0
    ),
    "zoom, longest step": lambda o: o.scale_by_zoom_linesearch(
        30, 0.7, 0.0, 1.5, 0.3, 0.5, stepsize_precision=0.0
    ),
    "zoom, rises forgiven": lambda o: o.scale_by_zoom_linesearch(
        30, slope_rtol=0.4, curv_rtol=0.7, approx_dec_rtol=1.0, stepsize_precision=0.0
    ),
    "backtracking": lambda o: o.scale_by_backtracking_linesearch(40),
    "backtracking, tolerance": lambda o: o.scale_by_backtracking_linesearch(
        12, 0.4, 0.6, max_learning_rate=3.0, atol=0.1, rtol=0.2
    ),
}


def results(lib: Any, make: Callable[[Any], Any], numpy: Any, vmap: Any) -> Any:
    """The steps of all searches, and the values at their ends, as an array (2, searches)."""
    opt = lib.chain(lib.scale(-1.0), make(lib))

    def wavy(x: Any) -> Any:
        return (0.1 * x * x + numpy.cos(3 * x + 1)).sum()

    def search(x: Any, size: Any) -> Any:
        slope = 0.2 * x - 3 * numpy.sin(3 * x + 1)
        _, state = opt.update(
            size * slope, opt.init(x), x, value=wavy(x), grad=slope, value_fn=wavy
        )
        return state[-1].learning_rate, state[-1].value

    return np.array(vmap(search)(POINTS[:, None], SIZES))
