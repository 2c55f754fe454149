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
    "select": fgrad.select, "sp": scipy.special, "special": fgrad.scipy.special,
    "stats": fgrad.scipy.stats, "ndimage": fgrad.scipy.ndimage, "signal": fgrad.scipy.signal,
    "random": fgrad.random, "optimize": fgrad.scipy.optimize, "integrate": fgrad.scipy.integrate,
    "interpolate": fgrad.scipy.interpolate, "vq": fgrad.scipy.cluster.vq.vq,
    "Rotation": fgrad.scipy.spatial.transform.Rotation,
    "mutate_small_then_pull_back": mutate_small_then_pull_back,
}  # fmt: skip


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
