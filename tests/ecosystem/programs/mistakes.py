"""Mistakes that type checkers find; each line with an error says so."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import fgrad


@fgrad.jit
def scaled(x: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float64]:
    return x * n


def loss(x: npt.NDArray[np.float64], scale: float) -> float:
    return float(np.sum(x)) * scale


fgrad.gradient  # error: no such name
scaled(np.ones(2))  # error: an argument is missing
scaled(np.ones(2), "two")  # error: a string for a number
fgrad.grad(loss)(np.ones(2), scale="2")  # error: a string for a number
fgrad.vmap()  # error: a function is missing
