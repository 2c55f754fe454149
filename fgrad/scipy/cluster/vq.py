"""Assigning observations to the nearest of some codes, as in `scipy.cluster.vq`."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.cluster import vq as sp

from ...arrays import ndim_of, shape_of
from ...doors import offers
from ...errors import ShapeError
from ...numpy import asarray
from ...ops.casts import stop_gradient_leaf
from ...ops.index import take


@offers(sp.vq)
def vq(obs: Any, code_book: Any, check_finite: bool = True) -> tuple[Any, Any]:
    """`scipy.cluster.vq.vq`: which code is nearest, a constant, and how far away it is."""
    x, codes = asarray(obs), asarray(code_book)
    if ndim_of(x) != ndim_of(codes) or ndim_of(x) not in (1, 2):
        raise ShapeError(
            "vq wants observations and codes of shapes (m, n) and (k, n), or (m,) and (k,).",
            f"shapes {shape_of(x)} and {shape_of(codes)}",
            "give both an axis of features",
        )
    if ndim_of(x) == 1:
        x, codes = np.expand_dims(x, -1), np.expand_dims(codes, -1)
    if shape_of(x)[1] != shape_of(codes)[1]:
        raise ShapeError(
            "vq wants observations and codes with the same number of features.",
            f"{shape_of(x)[1]} and {shape_of(codes)[1]}",
            "leave out the features that only one of them has",
        )
    far, near = stop_gradient_leaf(np.expand_dims(x, 1)), stop_gradient_leaf(codes)
    code = np.argmin(np.sum(np.square(far - near), axis=-1), axis=-1)
    distance = np.linalg.norm(x - take(codes, code, axis=0), axis=-1)
    return code.astype(np.int32), distance
