"""A user's program under type checkers: every transformation, on functions of all kinds."""

from __future__ import annotations

from typing import assert_type

import numpy as np
import numpy.typing as npt

import fgrad

Array = npt.NDArray[np.float64]


def energy(x: Array) -> float:
    return np.sum(x**2) / 2.0


@fgrad.jit
def double(x: Array) -> Array:
    return 2.0 * x


@fgrad.jit(static_argnums=1)
def power(x: Array, n: int) -> Array:
    return x**n


class Model:
    """A method can be compiled, too."""

    @fgrad.jit
    def step(self, x: Array) -> Array:
        return x + 1.0


x = np.arange(3.0)
assert_type(double(x), Array)
assert_type(power(x, 2), Array)
assert_type(power(x, n=2), Array)
print(Model().step(x), double.explain()[:6])

value, gradient = fgrad.value_and_grad(energy)(x)
assert_type(value, float)
out, tangent = fgrad.jvp(double, (x,), (x,))
assert_type(tangent, Array)
result, pullback = fgrad.vjp(double, x)
assert_type(result, Array)
print(pullback(result)[0], fgrad.grad(energy)(x), fgrad.hessian(energy)(x))

print(fgrad.vmap(fgrad.grad(np.sin))(x), fgrad.jit(np.tanh)(x), fgrad.grad(np.tanh)(0.5))
print(fgrad.vmap(energy)(np.ones((2, 3))), fgrad.vmap(np.dot, (None, 0))(x, np.ones((2, 3))))
print(fgrad.jacobian(np.cumsum)(x), fgrad.jit(np.sum)(x), fgrad.value_and_grad(np.sum)(x))
print(fgrad.grad(lambda a, b: np.sum(a * b), argnums=(0, 1))(x, x))
print(fgrad.scan(lambda c, a: (c + a, c * a), np.zeros(()), x))
print(fgrad.random.normal(fgrad.random.key(0), (2,)), fgrad.make_graph(energy)(x))
