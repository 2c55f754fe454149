"""`profile` of compiled functions of CuPy's arrays: its rows are statements of their code."""

from __future__ import annotations

from typing import Any

import numpy as np

from fgrad import grad, jit, profile


def test_rows(cupy: Any) -> None:
    f = jit(grad(lambda w, x: (np.tanh(x @ w) ** 2).sum()))
    w, x = cupy.ones((3, 2)), cupy.ones((4, 3))
    p = profile(f, w, x, repeats=1)
    assert {r.phase for r in p.rows} == {"compiled"}
    assert all(r.source in f.source(w, x) for r in p.rows)
    products = [r for r in p.rows if r.operation == "dot"]
    assert [r.flops for r in products] == [2 * 4 * 3 * 2] * 2
