"""Annotations that are checked at run time, as eager code has them, inside transformations."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

import fgrad
from fgrad.testing import check_grads

beartype = pytest.importorskip("beartype")
jaxtyping = pytest.importorskip("jaxtyping")
Complex, Float, Float32, Float64, Int = (
    jaxtyping.Complex, jaxtyping.Float, jaxtyping.Float32, jaxtyping.Float64, jaxtyping.Int
)  # fmt: skip

checked = jaxtyping.jaxtyped(typechecker=beartype.beartype)


@checked
def loss(w: Float[np.ndarray, "n m"], x: Float[np.ndarray, " m"]) -> float:
    return np.sum(np.tanh(_layer(w, x)))


@checked
def _layer(w: Float[np.ndarray, "n m"], x: Float[np.ndarray, " m"]) -> Float[np.ndarray, " n"]:
    return w @ x


@checked
def any_array(w: Float[Any, "n m"], x: Float[Any, " m"]) -> Float[Any, ""]:
    return np.sum(np.tanh(w @ x))


W, X = np.ones((2, 3)), np.arange(3.0)
BATCH = np.linspace(0.0, 1.0, 15).reshape(5, 3)

CALLS: dict[str, Any] = {
    "as it is": lambda f: f(W, X),
    "grad": lambda f: fgrad.grad(f)(W, X),
    "value_and_grad": lambda f: fgrad.value_and_grad(f, (0, 1))(W, X),
    "hessian": lambda f: fgrad.hessian(f)(W, X),
    "jvp": lambda f: fgrad.jvp(f, (W, X), (W, X)),
    "vjp": lambda f: fgrad.vjp(f, W, X)[1](np.float64(1)),
    "hvp": lambda f: fgrad.hvp(f, (W, X), (W, X)),
    "vmap": lambda f: fgrad.vmap(f, (None, 0))(W, BATCH),
    "grad of vmap": lambda f: fgrad.grad(lambda w: np.sum(fgrad.vmap(f, (None, 0))(w, BATCH)))(W),
    "jit": lambda f: fgrad.jit(f)(W, X),
    "grad of jit": lambda f: fgrad.grad(fgrad.jit(f))(W, X),
    "jit of vmap of grad": lambda f: fgrad.jit(fgrad.vmap(fgrad.grad(f), (None, 0)))(W, BATCH),
    "make_graph": lambda f: fgrad.make_graph(f)(W, X)(W, X),
    "checkpoint": lambda f: fgrad.grad(fgrad.checkpoint(f))(W, X),
}


@pytest.mark.parametrize("f", [loss, any_array], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", CALLS)
def test_shapes_and_dtypes_are_checked_inside(name: str, f: Any) -> None:
    found = CALLS[name](f)
    wanted = CALLS[name](lambda w, x: np.sum(np.tanh(w @ x)))
    assert str(found) == str(wanted)


@pytest.mark.parametrize("f", [loss, any_array], ids=lambda f: f.__name__)
@pytest.mark.parametrize("transform", [fgrad.grad, fgrad.jit, fgrad.value_and_grad])
def test_a_wrong_shape_is_found_inside(transform: Any, f: Any) -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        transform(f)(W, np.ones(4))


@pytest.mark.parametrize("f", [loss, any_array], ids=lambda f: f.__name__)
def test_a_wrong_dtype_is_found_inside(f: Any) -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        fgrad.grad(f)(W, np.arange(3))


def test_the_shape_of_one_example_is_found_inside_of_vmap() -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        fgrad.vmap(loss, (None, 0))(W, np.ones((5, 4)))
    with pytest.raises(jaxtyping.TypeCheckError):
        loss(W, BATCH)


def test_dtypes() -> None:
    @checked
    def single(x: Float32[np.ndarray, " n"], i: Int[np.ndarray, " k"]) -> np.float32:
        return np.sum(np.take(x, i) ** 2)

    x, i = np.ones(3, np.float32), np.array([0, 2])
    for call in (single, fgrad.grad(single), fgrad.jit(fgrad.grad(single))):
        assert call(x, i).dtype == np.float32
    for transform in (fgrad.grad, fgrad.jit):
        with pytest.raises(jaxtyping.TypeCheckError):
            transform(single)(np.ones(3), i)
        with pytest.raises(jaxtyping.TypeCheckError):
            transform(single)(x, np.array([0.0, 2.0]))

    @checked
    def many(x: Float64[np.ndarray, " n"], z: Complex[np.ndarray, " n"]) -> np.floating:
        return np.sum(np.real(x * z))

    np.testing.assert_array_equal(fgrad.grad(many)(np.ones(2), np.array([1j, 2.0])), [0.0, 2.0])


def test_numbers() -> None:
    @beartype.beartype
    def f(x: float, n: int, a: npt.NDArray[np.float64]) -> float:
        y = x**n
        return y * np.sum(a)

    a = np.ones(3)
    assert fgrad.grad(f)(2.0, 2, a) == 12.0
    assert fgrad.jit(fgrad.grad(f))(2.0, 2, a) == 12.0
    np.testing.assert_array_equal(fgrad.vmap(f, (0, None, None))(np.ones(2), 2, a), [3.0, 3.0])
    np.testing.assert_array_equal(fgrad.grad(f, 2)(2.0, 2, a), np.full(3, 4.0))
    for call in (f, fgrad.grad(f), fgrad.jit(f)):
        with pytest.raises(beartype.roar.BeartypeCallHintViolation):
            call(a, 2, a)  # an array for a number
        with pytest.raises(beartype.roar.BeartypeCallHintViolation):
            call(2.0, 2, np.ones(3, np.float32))


class Dense(NamedTuple):
    w: npt.NDArray[np.float64]
    b: npt.NDArray[np.float64]


@fgrad.tree.dataclass
class Network:
    layers: list[Dense]
    scale: float


def test_typed_containers() -> None:
    @beartype.beartype
    def apply(network: Network, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        for layer in network.layers:
            x = dense(layer, x)
        return network.scale * x

    @beartype.beartype
    def dense(layer: Dense, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        w, b = layer
        assert isinstance(w, np.ndarray)
        assert isinstance(b, np.ndarray)
        return np.tanh(x @ w + b)

    @beartype.beartype
    def error(network: Network, x: npt.NDArray[np.float64]) -> float:
        return np.mean(apply(network, x) ** 2)

    network = Network([Dense(np.ones((3, 3)), np.ones(3)) for _ in range(2)], 2.0)
    value, g = fgrad.value_and_grad(error)(network, BATCH)
    assert type(g) is Network
    assert type(g.layers[0]) is Dense
    assert type(g.scale) is float
    assert fgrad.jit(fgrad.grad(error))(network, BATCH).scale == pytest.approx(g.scale)
    assert fgrad.vmap(error, (None, 0))(network, BATCH).shape == (5,)
    assert g.scale == pytest.approx(2 * value / network.scale)


def test_typeguard() -> None:
    typeguard = pytest.importorskip("typeguard")

    @typeguard.typechecked
    def f(x: np.ndarray, scale: float) -> float:
        return scale * np.sum(x**2)

    np.testing.assert_array_equal(fgrad.grad(f)(X, 1.0), 2 * X)
    np.testing.assert_array_equal(fgrad.jit(fgrad.grad(f))(X, 1.0), 2 * X)
    for call in (fgrad.grad(f), fgrad.jit(f)):
        with pytest.raises(typeguard.TypeCheckError):
            call(X, X)


def test_einops() -> None:
    """It finds the library of an array by `isinstance`."""
    einops = pytest.importorskip("einops")

    def f(x: Any) -> Any:
        y = einops.rearrange(x, "b (h w) c -> b h w c", h=2)
        return einops.reduce(y, "b h w c -> b c", "mean")

    x = np.linspace(0.0, 1.0, 24).reshape(2, 4, 3)
    check_grads(f, (x,))
    np.testing.assert_allclose(fgrad.jit(f)(x), x.mean(1))
    np.testing.assert_allclose(fgrad.vmap(lambda y: f(y[None])[0])(x), x.mean(1))
