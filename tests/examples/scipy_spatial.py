"""Rows of `scipy.spatial.transform` and of `scipy.cluster.vq`."""

from __future__ import annotations

import numpy as np
import scipy.cluster.vq as sp_vq
from scipy.spatial import transform as sp

from fgrad.scipy.cluster import vq
from fgrad.scipy.spatial import transform

from .row import P, R, constant, row


def _made(name, *args, to="as_matrix", **keywords):
    """A rotation made in one way, as what it is in another."""
    return lambda x: getattr(getattr(transform.Rotation, name)(x, *args, **keywords), to)()


def _angles(seq, degrees=False):
    """Euler angles of the rotation of a vector."""
    return lambda v: transform.Rotation.from_rotvec(v).as_euler(seq, degrees)


def _rotation(f, *shapes):
    """A function of rotations given by their vectors."""
    return row(
        sp.Rotation, shapes, bits=False,
        call=lambda *vs: f(*(transform.Rotation.from_rotvec(v) for v in vs)),
    )  # fmt: skip


TIMES = np.array([0.0, 1.0, 2.5])

ROWS = [
    row(sp_vq.vq, [(4, 2), (3, 2)], lambda x, c: vq.vq(x, c)[1], bits=False),
    row(sp_vq.vq, [(4,), (2,)], lambda x, c: vq.vq(x, c)[1], bits=False),
    constant(sp_vq.vq, [(4, 2), (3, 2)], lambda x, c: vq.vq(x, c)[0]),
    *(
        row(sp.Rotation, [shape], _made(name, to=to), bits=False)
        for name, shape, to in [
            ("from_quat", (2, 4), "as_rotvec"),
            ("from_rotvec", (2, 3), "as_matrix"), ("from_mrp", (3,), "as_matrix"),
            ("from_rotvec", (3,), "magnitude"), ("from_quat", (4,), "as_mrp"),
        ]
    ),
    row(
        sp.Rotation, [(2, 3, 3)], bits=False,
        call=lambda m: transform.Rotation.from_matrix(m + 5 * np.eye(3)).as_quat(),
    ),
    row(
        sp.Rotation, [(3,)], bits=False,
        call=lambda v: transform.Rotation.from_matrix(
            transform.Rotation.from_rotvec(v).as_matrix(), assume_valid=True).as_rotvec(),
    ),
    row(
        sp.Rotation, [(2, 3)], bits=False,
        call=lambda a: transform.Rotation.from_euler("xyz", a).as_quat(canonical=True),
    ),
    row(
        sp.Rotation, [(2,)], bits=False,
        call=lambda a: transform.Rotation.from_euler("ZX", a, degrees=True).as_matrix(),
    ),
    row(sp.Rotation, [(2, 3)], _angles("xyz"), bits=False),
    row(sp.Rotation, [(3,)], _angles("ZXZ", degrees=True), bits=False),
    row(
        sp.Rotation, [R(3, low=-1e-3, high=1e-3)], bits=False,
        call=lambda v: transform.Rotation.from_rotvec(v, degrees=True).as_rotvec(degrees=True),
    ),
    row(
        sp.Rotation, [(3,), (2, 3)], bits=False,
        call=lambda v, x: transform.Rotation.from_rotvec(v).apply(x, inverse=True),
    ),
    _rotation(lambda r, q: (r * q.inv()).as_quat(), (3,), (2, 3)),
    _rotation(lambda r: (r**0.5 * r[:1] ** -2).as_quat(scalar_first=True), (2, 3)),
    row(
        sp.Rotation, [(2, 3), P(2)], bits=False,
        call=lambda v, w: transform.Rotation.from_rotvec(v).mean(w).as_matrix(),
    ),
    row(
        sp.Rotation, [(3, 3), (3, 3), P(3)], bits=False,
        call=lambda a, b, w: transform.Rotation.align_vectors(a, b, w)[0].as_matrix(),
    ),
    row(
        sp.Rotation, [(3, 3), (3, 3)], bits=False,
        call=lambda a, b: transform.Rotation.align_vectors(a, b)[1],
    ),
    row(
        sp.Slerp, [P(3), (3, 3), R(2, low=0.5, high=0.9)], bits=False,
        call=lambda t, v, z: transform.Slerp(
            np.cumsum(t), transform.Rotation.from_rotvec(v))(z + t[0]).as_matrix(),
    ),
    row(
        sp.Slerp, [(3, 3), R(low=0.1, high=2.4)], bits=False,
        call=lambda v, z: transform.Slerp(TIMES, transform.Rotation.from_rotvec(v))(z).as_quat(),
    ),
]  # fmt: skip
