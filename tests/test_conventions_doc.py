"""Each row of the tables in docs/conventions.md is true."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import scipy.special

import fgrad
import fgrad.scipy.cluster.vq
import fgrad.scipy.spatial.transform

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "conventions.md").read_text()
ROWS = re.findall(r"^\| `(.+?)` \| `(.+?)` \|$", TEXT, re.M)


def mutate_small_then_pull_back():
    x = np.array([1.0, 2.0])
    _, pullback = fgrad.vjp(np.square, x)
    x[:] = 7.0
    return pullback(np.ones(2))[0]


NAMES = {
    "np": np, "a": np.array, "f32": np.float32, "grad": fgrad.grad, "jvp": fgrad.jvp,
    "cond": fgrad.cond, "switch": fgrad.switch, "scan": fgrad.scan, "vmap": fgrad.vmap,
    "fori_loop": fgrad.fori_loop, "select": fgrad.select, "root": fgrad.root,
    "fixed_point": fgrad.fixed_point, "implicit": fgrad.implicit,
    "sp": scipy.special, "special": fgrad.scipy.special,
    "stats": fgrad.scipy.stats, "ndimage": fgrad.scipy.ndimage, "signal": fgrad.scipy.signal,
    "random": fgrad.random, "optimize": fgrad.scipy.optimize, "integrate": fgrad.scipy.integrate,
    "interpolate": fgrad.scipy.interpolate, "vq": fgrad.scipy.cluster.vq.vq,
    "Rotation": fgrad.scipy.spatial.transform.Rotation,
    "jet": fgrad.jet, "jit": fgrad.jit, "eval_shape": fgrad.eval_shape,
    "mutate_small_then_pull_back": mutate_small_then_pull_back,
}  # fmt: skip


def forward_grad(f, argnums=0, holomorphic=False):
    """`grad` by forward mode, number by number; of complex z, df/dx - i df/dy."""

    def one(args, k):
        x = np.asarray(args[k])
        x = x if x.dtype.kind in "fc" else x.astype(float)
        out = np.zeros(x.shape, x.dtype)
        for place in np.ndindex(x.shape):
            for unit in (1, 1j) if x.dtype.kind == "c" and not holomorphic else (1,):
                t = np.zeros(x.shape, x.dtype)
                t[place] = unit
                like = t if isinstance(args[k], np.ndarray) else type(args[k])(t[()])
                slope = fgrad.jvp(lambda y: f(*args[:k], y, *args[k + 1 :]), (args[k],), (like,))[1]
                out[place] += slope * np.conj(unit)
        return out if isinstance(args[k], (np.ndarray, np.generic)) else type(args[k])(out[()])

    def gradient(*args):
        several = isinstance(argnums, tuple)
        found = tuple(one(args, k) for k in (argnums if several else (argnums,)))
        return found if several else found[0]

    return gradient


@pytest.mark.parametrize(
    ("expression", "value"),
    [r for r in ROWS if r[0].startswith("grad(") and not r[0].endswith(".dtype")],
    ids=lambda x: x,
)
def test_row_in_forward_mode(expression, value):
    with np.errstate(all="ignore"):
        got, want = eval(expression, {**NAMES, "grad": forward_grad}), eval(value, NAMES)
    for x, y in zip(
        got if isinstance(got, tuple) else (got,),
        want if isinstance(want, tuple) else (want,),
        strict=True,
    ):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)


def test_there_are_rows():
    assert len(ROWS) == len(re.findall(r"^\| `", TEXT, re.M)) > 25


@pytest.mark.parametrize(("expression", "value"), ROWS, ids=[r[0] for r in ROWS])
def test_row(expression, value):
    with np.errstate(all="ignore"):
        got, want = eval(expression, NAMES), eval(value, NAMES)
    assert type(got) is type(want)
    for x, y in zip(
        got if isinstance(got, tuple) else (got,),
        want if isinstance(want, tuple) else (want,),
        strict=True,
    ):
        np.testing.assert_array_equal(x, y)
