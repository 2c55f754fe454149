"""Loops in compiled functions: random bodies give what they give as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fgrad import grad, hessian, jit, jvp, scan, tree, value_and_grad, vmap

W, U = (np.random.default_rng(k).normal(size=(3, 3)) * 0.4 for k in (1, 2))
ROW, COLUMN = np.linspace(-1.0, 1.0, 3), np.linspace(0.5, 1.0, 4)[:, None]


def summed(x: Any) -> Any:
    """A loop in a step: over the last axis."""
    step = lambda c, r: (np.tanh(c * 0.5 + r), c)  # noqa: E731
    last, before = scan(step, x[..., 0], np.moveaxis(x, -1, 0))
    return last + np.sum(before, axis=0)


#: What a step may do with some of its values, which are matrices, (4, 3), or vectors, (3,).
UNARY: dict[str, Any] = {
    "minus": lambda x: -x,
    "tanh": np.tanh,
    "square": lambda x: 0.3 * x**2,
    "from one": lambda x: 1 - x,
    "product": lambda x: x @ W,
    "product behind": lambda x: U @ x if np.ndim(x) == 1 else x @ U.T,
    "sum": lambda x: np.sum(x, axis=-1, keepdims=True) * ROW,
    "first": lambda x: x[..., :1] + x,
    "reversed": lambda x: x[..., ::-1],
    "stretched": lambda x: np.broadcast_to(np.mean(x, axis=0), np.shape(x)),
    "where": lambda x: np.where(x > 0.1, x, 0.2),
    "sorted": lambda x: np.sort(x, axis=-1),
    "joined": lambda x: np.concatenate([x[..., 1:], x[..., :1]], axis=-1),
    "loop": lambda x: summed(x)[..., None] * ROW,
    "same": lambda x: x,
    "number": lambda x: x * 0 + 0.5,
}
BINARY: dict[str, Any] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "greater": lambda x, y: np.maximum(x, y),
    "outer": lambda x, y: np.tanh(x[..., :, None] * y[..., None, :]).sum(-1),
    "by": lambda x, y: np.tanh(x @ y) if np.ndim(x) == 1 else np.tanh(x @ (y.T @ y)),
}
places = st.integers(0, 11)
parts = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([*UNARY]), places),
        st.tuples(st.sampled_from([*BINARY]), places, places),
    ),
    min_size=1,
    max_size=6,
)


class Body:
    """A loop over some steps of random operations, and the sum of what it gives."""

    def __init__(
        self, parts: Any, carries: Any, stacks: Any, rows: int, steps: int, reverse: bool,
        every: Any,
    ) -> None:  # fmt: skip
        self.parts, self.carries, self.stacks = [], carries, stacks
        self.rows, self.steps, self.reverse, self.every = rows, steps, reverse, every
        weights, start, xs = self.data(0)
        for part in parts:
            self.parts.append(part)
            try:
                np.broadcast_to(self.values(weights, start, xs[0])[-1], np.shape(start[0]))
            except (ValueError, IndexError, TypeError):
                self.parts.pop()  # it doesn't fit

    def __repr__(self) -> str:
        return f"Body({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"

    def values(self, weights: Any, carry: Any, x: Any) -> list[Any]:
        values = [*weights, x, *carry]
        for name, *where in self.parts:
            f = UNARY.get(name) or BINARY[name]
            values.append(f(*(values[-1 - k % len(values)] for k in where)))
        return values

    def step(self, weights: Any, carry: Any, x: Any) -> Any:
        values = self.values(weights, carry, x)
        shape = np.shape(carry[0])
        new = [np.broadcast_to(np.tanh(values[-1 - k % len(values)]), shape) for k in self.carries]
        return tuple(new), [values[-1 - k % len(values)] for k in self.stacks]

    def __call__(self, weights: Any, start: Any, xs: Any) -> Any:
        return scan(
            lambda carry, x: self.step(weights, carry, x), start, xs, reverse=self.reverse,
            checkpoint_every=self.every,
        )  # fmt: skip

    def loss(self, weights: Any, start: Any, xs: Any) -> Any:
        last, stacks = self(weights, start, xs)
        return sum(np.sum(y * y * 0.5 + y) for y in [*last, *stacks])

    def data(self, seed: int) -> Any:
        rng = np.random.default_rng(seed)
        shape = (self.rows, 3) if self.rows else (3,)
        start = tuple(rng.normal(size=shape) for _ in self.carries)
        return [rng.normal(size=(3,))], start, rng.normal(size=(self.steps, *shape))


bodies = st.builds(
    Body, parts, st.lists(places, min_size=1, max_size=3), st.lists(places, max_size=2),
    st.sampled_from([0, 4]), st.sampled_from([1, 2, 5]), st.booleans(),
    st.sampled_from([None, None, 2]),
)  # fmt: skip


def agree(compiled: Any, plain: Any, calls: Any, tolerance: float = 1e-9) -> None:
    """Equal results at each call; arguments and earlier results stay as they are."""
    kept = []
    for xs in calls:
        before = tree.map(np.copy, xs)
        got, want = tree.leaves(compiled(*xs)), tree.leaves(plain(*xs))
        for y, z in zip(got, want, strict=True):
            assert (np.shape(y), np.result_type(y)) == (np.shape(z), np.result_type(z))
            scale = np.max(np.abs(z), initial=1.0)
            np.testing.assert_allclose(y, z, rtol=tolerance, atol=tolerance * scale)
        for x, b in zip(tree.leaves(xs), tree.leaves(before), strict=True):
            np.testing.assert_array_equal(x, b)
        kept += [(y, np.copy(y)) for y in got]
    for y, copy in kept:
        np.testing.assert_array_equal(y, copy, "a later call has changed an earlier result")


def pushed(f: Any) -> Any:
    return lambda w, s, xs: jvp(f, (w, s, xs), (w, s, xs))


WAYS: dict[str, Any] = {
    "value": lambda body: body,
    "grad": lambda body: value_and_grad(body.loss, (0, 1, 2)),
    "jvp": lambda body: pushed(body.loss),
    "vmap of grad": lambda body: (
        lambda w, s, xs: vmap(lambda a: grad(body.loss, (0, 1))(w, s, xs * a))(
            np.array([1.0, -0.5])
        )
    ),
    "grad of vmap": lambda body: grad(
        lambda w, s, xs: np.sum(vmap(lambda a: body.loss(w, s, xs * a))(np.array([1.0, -0.5])))
    ),
    "grad of grad": lambda body: grad(
        lambda w, s, xs: sum(
            np.sum(np.tanh(y)) for y in tree.leaves(grad(body.loss, (0, 1))(w, s, xs))
        ),
        (0, 1, 2),
    ),
    "hessian": lambda body: lambda w, s, xs: hessian(lambda v: body.loss([v], s, xs))(w[0]),
}


@pytest.mark.parametrize("way", WAYS)
@given(body=bodies)
@settings(deadline=None, max_examples=4)
def test_a_loop_and_a_transformation(way: str, body: Body) -> None:
    plain = WAYS[way](body)
    calls = [body.data(seed) for seed in (0, 1, 0)]
    for reassociate in (True, False):
        agree(jit(plain, reassociate=reassociate), plain, calls)
