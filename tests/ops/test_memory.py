"""Arrays of every kind of memory: the laws don't depend on how an array lies there."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad

from .. import laws
from ..examples.row import linear, multilinear, row

X = np.arange(12.0).reshape(3, 4) / 7 + 0.1


def _read_only(x):
    y = x.copy()
    y.flags.writeable = False
    return y


LAYOUTS = {
    "empty": X[:0],
    "empty columns": X[:, :0],
    "0-d": X[1, 1].reshape(()),
    "broadcast": np.broadcast_to(X[0], (3, 4)),
    "read-only": _read_only(X),
    "Fortran": np.asfortranarray(X),
    "strided": np.repeat(X, 2, axis=1)[:, ::2],
    "reversed": X[::-1, ::-1],
    "big-endian": X.astype(">f8"),
    "little-endian float32": X.astype("<f4"),
    "big-endian float32": X.astype(">f4"),
    "unaligned": np.frombuffer(b"\0" + X.tobytes(), np.float64, 12, 1).reshape(3, 4),
}

ROWS = [
    row(np.tanh, [(3, 4)]),
    row(np.multiply, [(3, 4)], lambda x: x * x + 2 * x),
    row(np.power, [(3, 4)], lambda x: x**2 + x**1.5),
    linear(np.sum, [(3, 4)]),
    linear(np.sum, [(3, 4)], lambda x: np.sum(x, axis=-1)),
    linear(np.mean, [(3, 4)], lambda x: np.mean(x, axis=0)),
    row(np.prod, [(3, 4)], np.prod),
    row(np.matmul, [(3, 4)], lambda x: x @ x.T),
    row(np.dot, [(3, 4)], lambda x: np.dot(x, x.T)),
    multilinear(np.einsum, [(3, 4)], lambda x: np.einsum("ij->ji", x)),
    row(fgrad.at, [(3, 4)], lambda x: x[..., 1:] * x[..., :-1]),
    linear(fgrad.at, [(3, 4)], lambda x: x[[0, 1, 1]]),
    linear(fgrad.at, [(3, 4)], lambda x: fgrad.at(x)[..., 0].set(1.0)),
    linear(np.concatenate, [(3, 4)], lambda x: np.concatenate([x, x], axis=-1)),
    linear(np.reshape, [(3, 4)], lambda x: np.reshape(x, -1)),
    linear(np.cumsum, [(3, 4)], np.cumsum),
    row(np.linalg.norm, [(3, 4)], np.linalg.norm),
]  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("r", ROWS, ids=str)
def test_laws_hold_in_every_layout(r, layout):
    x = LAYOUTS[layout]
    rng = np.random.default_rng(0)
    with laws.quiet():
        try:
            want = r.call(x)
        except (IndexError, TypeError, ValueError):  # NumPy refuses an array of this rank
            return
        with laws.unchanged([x]):
            laws.same_bits(fgrad.vjp(r.call, x)[0], want, f"{r}: value under vjp = NumPy's")
            laws.same_bits(
                fgrad.jvp(r.call, (x,), (x,))[0], want, f"{r}: value under jvp = NumPy's"
            )
            if x.dtype.itemsize == 8 and np.all(np.isfinite(want)):
                laws.adjoint(r, r.call, [x], rng)
            (ct,) = fgrad.vjp(r.call, x)[1](np.ones_like(want))
            laws.same_like(x, ct, f"{r}: a cotangent is like its primal")
            if x.ndim:
                got = fgrad.vmap(r.call)(np.stack([x, x]))
                laws.close(got, np.stack([want, want]), f"{r}: vmap")
