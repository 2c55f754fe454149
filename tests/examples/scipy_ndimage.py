"""Rows of `scipy.ndimage`: orders, modes, complex images, points inside and outside."""

from __future__ import annotations

import numpy as np
import scipy.ndimage as sp

from fgrad.scipy import ndimage

from .row import R, linear, row

#: Coordinates of three points that leave an image of 3 pixels on both sides, off the grid.
OUT = np.array([-2.8, 0.7, 4.4])


def _at(points, **keywords):
    """The image at fixed points."""
    return lambda x: ndimage.map_coordinates(x, points, **keywords)


def _of(**keywords):
    """Image and points; both are near the values that they have in the rows."""
    return lambda x, p: ndimage.map_coordinates(x, p, **keywords)


def _out(**keywords):
    """Points around three outside of the image."""
    return lambda x, p: ndimage.map_coordinates(x, [OUT + 0.02 * p], **keywords)


MODES = ("mirror", "wrap", "reflect", "grid-wrap", "nearest", "constant", "grid-constant")
IN = R(2, 2, low=0.1, high=1.9)

ROWS = [
    *(
        row(sp.map_coordinates, [(3,), (3,)], _out(order=3, mode=m, cval=0.5), bits=False)
        for m in MODES
    ),
    row(sp.map_coordinates, [(3,), (3,)], _out(order=1, mode="nearest"), bits=False),
    row(sp.map_coordinates, [(3,), (3,)], _out(order=1, mode="mirror"), bits=False),
    row(sp.map_coordinates, [(3, 2), IN], _of(order=1), bits=False),
    row(sp.map_coordinates, [(3, 4), IN], _of(order=2, mode="reflect"), bits=False),
    row(sp.map_coordinates, [(3, 3), IN], _of(order=4, prefilter=False), bits=False),
    row(sp.map_coordinates, [(2, 3, 2), R(3, 1, low=0.1, high=0.9)], _of(order=1), bits=False),
    linear(
        sp.map_coordinates, [(4,)], _at([[1.2, 2.8, -0.7]], order=5, mode="reflect"), bits=False
    ),
    linear(sp.map_coordinates, [(3,)], _at([[1.2, -0.7]], order=0, mode="reflect"), bits=False),
    linear(
        sp.map_coordinates, [(3,), ()], bits=False, complex=False,
        call=lambda x, c: ndimage.map_coordinates(x, [OUT], mode="grid-constant", cval=c),
    ),
    linear(
        sp.map_coordinates, [(3,), ()], bits=False, complex=False,
        call=lambda x, c: ndimage.map_coordinates(x, [OUT], order=1, cval=c),
    ),
    # Of complex images SciPy warns that its default output is real.
    *(
        row(sp.spline_filter1d, [(2, 5)], lambda x, m=m: ndimage.spline_filter1d(x, 3, mode=m),
            "linear")
        for m in ("mirror", "reflect", "grid-wrap")
    ),
    row(sp.spline_filter1d, [(3, 2)], lambda x: ndimage.spline_filter1d(x, 5, 0), "linear"),
    row(sp.spline_filter, [(3, 4)], lambda x: ndimage.spline_filter(x, 2), "linear", bits=False),
]  # fmt: skip
