"""What stands for a CuPy array is a tracer to `isinstance`, by which CuPy's operators go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fgrad
from fgrad.tracer import ArrayTracer

TRANSFORMS: dict[str, Any] = {
    "grad": fgrad.grad,
    "jvp": lambda f: lambda x: fgrad.jvp(f, (x,), (x,)),
    "hessian": fgrad.hessian,
    "vmap": lambda f: lambda x: fgrad.vmap(f, axis_size=2)(np.stack([x, x])),
    "make_graph": fgrad.make_graph,
    "jit": fgrad.jit,
    "jit of grad": lambda f: fgrad.jit(fgrad.grad(f)),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_class_is_the_tracers(cupy: Any, name: str) -> None:
    seen: list[Any] = []
    ones = cupy.asarray(np.ones(3))

    def f(x: Any) -> Any:
        for y in (x, np.sin(x), np.sum(x), x[0]):
            seen.append(y)
            assert isinstance(y, ArrayTracer)
            assert not isinstance(y, (cupy.ndarray, np.ndarray, np.generic, float))
        return np.sum(ones * x**2)

    TRANSFORMS[name](f)(ones)
    assert seen
