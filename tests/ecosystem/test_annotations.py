"""Annotations that are checked at run time: beartype and jaxtyping, inside transformations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fgrad

beartype = pytest.importorskip("beartype")
jaxtyping = pytest.importorskip("jaxtyping")
Float = jaxtyping.Float


@jaxtyping.jaxtyped(typechecker=beartype.beartype)
def loss(w: Float[Any, "n m"], x: Float[Any, " m"]) -> Float[Any, ""]:
    return np.sum(np.tanh(w @ x))


W, X = np.ones((2, 3)), np.arange(3.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda f: f(W, X),
        lambda f: fgrad.grad(f)(W, X),
        lambda f: fgrad.hessian(f)(W, X),
        lambda f: fgrad.jvp(f, (W, X), (W, X)),
        lambda f: fgrad.vjp(f, W, X)[1](np.float64(1)),
        lambda f: fgrad.vmap(f, (None, 0))(W, np.ones((5, 3))),
        lambda f: fgrad.jit(f)(W, X),
        lambda f: fgrad.jit(fgrad.vmap(fgrad.grad(f), (None, 0)))(W, np.ones((5, 3))),
        lambda f: fgrad.make_graph(f)(W, X)(W, X),
    ],
)
def test_shapes_and_dtypes_are_checked_inside(call: Any) -> None:
    found = call(loss)
    wanted = call(loss.__wrapped__ if hasattr(loss, "__wrapped__") else loss)
    assert str(found) == str(wanted)


@pytest.mark.parametrize("transform", [fgrad.grad, fgrad.jit, fgrad.value_and_grad])
def test_a_wrong_shape_is_found_inside(transform: Any) -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        transform(loss)(W, np.ones(4))


def test_a_wrong_dtype_is_found_inside() -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        fgrad.grad(loss)(W, np.arange(3))
