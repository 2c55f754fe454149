"""Random programs: compiled they give what they give, whatever they are composed of and with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fgrad
from fgrad import grad, hessian, jit, jvp, tree, vjp, vmap

UNARY: dict[str, Any] = {
    "minus": lambda x: -x,
    "tanh": np.tanh,
    "exp": lambda x: np.exp(-np.abs(x)),
    "root": lambda x: np.sqrt(np.abs(x) + 0.5),
    "square": lambda x: x**2,
    "cube": lambda x: np.power(np.abs(x) + 1, 3.0),
    "third": lambda x: x / 3,
    "scaled": lambda x: (3 * x) * 0.25,
    "from one": lambda x: 1 - x,
    "over": lambda x: 2.0 / (np.abs(x) + 1),
    "zero": lambda x: 0.0 * x + x,
    "transposed": np.transpose,
    "flat": lambda x: np.reshape(x, (-1,)),
    "reversed": lambda x: x[::-1],
    "rest": lambda x: x[1:],
    "first": lambda x: x[0],
    "wider": lambda x: np.broadcast_to(x, (2, *np.shape(x))),
    "axis": lambda x: x[None],
    "sum": np.sum,
    "sum 0": lambda x: np.sum(x, axis=0),
    "sum -1": lambda x: np.sum(x, axis=-1, keepdims=True),
    "mean": lambda x: np.mean(x, axis=-1),
    "largest": lambda x: np.max(x, axis=0),
    "cumsum": lambda x: np.cumsum(x, axis=0) if np.ndim(x) else x,
    "sorted": lambda x: np.sort(x, axis=-1),
    "where": lambda x: np.where(np.real(x) > 0, x, 0),
    "float32": lambda x: np.real(x).astype(np.float32),
    "put": lambda x: fgrad.at(x)[0].add(x[-1]),
    "normed": lambda x: x / (np.sum(np.abs(x)) + 1),
    "imaginary": lambda x: x * 1j,
    "real": np.real,
}
BINARY: dict[str, Any] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: -(x - y),
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / (np.abs(y) + 1),
    "@": lambda x, y: x @ y,
    "max": np.maximum,
    "larger": lambda x, y: np.where(x > y, x, y),
    "less": lambda x, y: x < y,
    "joined": lambda x, y: np.concatenate([x, y]),
    "products": lambda x, y: np.multiply(x[..., None], y),
    "fused": lambda x, y: x * y + x,
}
SHAPES = [(), (3,), (4, 3), (3, 4), (4, 1), (1, 3), (2, 4, 3), (0, 3), (1,), (3, 3)]
DTYPES = ["f8", "f8", "f8", "f4", "i8", "?", "c16"]
LAYOUTS: dict[str, Any] = {
    "C": lambda x: x,
    "F": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=0)[::2] if x.ndim else x,
    "backwards": lambda x: x[::-1] if x.ndim else x,
    "scalar": lambda x: x[()],
}

inputs = st.lists(
    st.tuples(st.sampled_from(SHAPES), st.sampled_from(DTYPES), st.sampled_from([*LAYOUTS])),
    min_size=1,
    max_size=3,
)
places = st.integers(0, 9)
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([*UNARY]), places),
        st.tuples(st.sampled_from([*BINARY]), places, places),
    ),
    min_size=2,
    max_size=12,
)


class Composed:
    """A program of some steps, without those that don't fit."""

    def __init__(self, specs: Any, steps: Any, outputs: Any) -> None:
        self.specs, self.outputs = specs, outputs
        self.steps: list[Any] = []
        values = list(self.data(0))
        for name, *where in steps:
            try:
                out = self.one(name, values, where)
            except (ValueError, TypeError, IndexError):
                continue
            if np.size(out) <= 200 and np.all(np.isfinite(out)):
                self.steps.append((name, where))
                values.append(out)
        self.single = any(np.asarray(x).dtype.char in "fF" for x in values)

    def one(self, name: str, values: list[Any], where: Any) -> Any:
        f = UNARY.get(name) or BINARY[name]
        return f(*(values[-1 - k % len(values)] for k in where))

    def __call__(self, *xs: Any) -> Any:
        values = list(xs)
        for name, where in self.steps:
            values.append(self.one(name, values, where))
        return [values[-1 - k % len(values)] for k in self.outputs]

    def loss(self, *xs: Any) -> Any:
        return sum(np.sum(np.abs(y * 1.0) ** 2 * 0.5) for y in self(*xs))

    def data(self, seed: int) -> tuple[Any, ...]:
        rng = np.random.default_rng(seed)
        out = []
        for shape, dtype, layout in self.specs:
            x = rng.normal(size=shape) * 1.5
            if dtype == "c16":
                x = x + 1j * rng.normal(size=shape)
            out.append(LAYOUTS[layout](np.asarray(x > 0 if dtype == "?" else x).astype(dtype)))
        return tuple(out)

    def close(self, got: Any, want: Any) -> None:
        ys, structure = tree.flatten(got)
        zs, other = tree.flatten(want)
        assert structure == other
        for y, z in zip(ys, zs, strict=True):
            assert (np.shape(y), np.result_type(y)) == (np.shape(z), np.result_type(z))
            tolerance = 1e-3 if self.single else 1e-9
            scale = np.max(np.abs(z), initial=1.0)
            np.testing.assert_allclose(y, z, rtol=tolerance, atol=tolerance * scale)


def agree(program: Composed, compiled: Any, plain: Any, calls: Any) -> None:
    """Equal results, fresh ones; arguments stay."""
    results: list[Any] = []
    for xs in calls:
        before = [np.copy(x) for x in xs]
        for x in xs:
            if isinstance(x, np.ndarray):
                x.flags.writeable = False
        got = compiled(*xs)
        program.close(got, plain(*xs))
        for x, b in zip(xs, before, strict=True):
            np.testing.assert_array_equal(x, b)
        for y in tree.leaves(got):
            if isinstance(y, np.ndarray):
                others = [*xs, *(z for z, _ in results)]
                assert not any(np.shares_memory(y, z) for z in others if isinstance(z, np.ndarray))
                assert y.flags.writeable
                results.append((y, y.copy()))
    for y, kept in results:
        np.testing.assert_array_equal(y, kept, "a later call has changed an earlier result")


composed = st.builds(Composed, inputs, steps, st.lists(places, min_size=1, max_size=3))


@given(composed)
@settings(deadline=None, max_examples=80)
def test_a_program(program: Composed) -> None:
    calls = [program.data(seed) for seed in (0, 1, 0)]
    for reassociate in (True, False):
        agree(program, jit(program, reassociate=reassociate), program, calls)


def moving(program: Composed) -> tuple[int, ...]:
    return tuple(i for i, (_, dtype, _) in enumerate(program.specs) if dtype in ("f8", "f4"))


def of_moving(f: Any, where: Any, xs: Any) -> Any:
    """The function of the arguments that can be differentiated, and these."""

    def g(*ms: Any) -> Any:
        new = list(xs)
        for i, m in zip(where, ms, strict=True):
            new[i] = m
        return f(*new)

    return g, [xs[i] for i in where]


def pushed(f: Any, where: Any) -> Any:
    def push(*xs: Any) -> Any:
        g, ms = of_moving(f, where, xs)
        return jvp(g, ms, ms)

    return push


def pulled(f: Any, where: Any) -> Any:
    def pull(*xs: Any) -> Any:
        g, ms = of_moving(f, where, xs)
        value, back = vjp(g, *ms)
        return value, back(value * 0.5)

    return pull


WAYS: dict[str, Any] = {
    "grad": lambda f, where: grad(f, where),
    "jvp": pushed,
    "vjp": pulled,
    "vmap": lambda f, where: lambda *xs: vmap(f)(*[np.stack([x, x]) for x in xs]),
    "vmap of grad": lambda f, where: (
        lambda *xs: vmap(grad(f, where))(*[np.stack([x, x]) for x in xs])
    ),
    "hessian": lambda f, where: hessian(f, where[0]),
}


@pytest.mark.parametrize("way", WAYS)
@given(program=composed)
@settings(deadline=None, max_examples=8)
def test_a_program_and_a_transformation(way: str, program: Composed) -> None:
    where = moving(program)
    if not where or not all(np.size(x) for x in program.data(0)):
        return
    calls = [program.data(seed) for seed in (0, 1, 0)]
    made = WAYS[way]
    plain = made(program.loss, where)
    inside = jit(program.loss)
    for compiled in (jit(plain), made(inside, where), jit(made(inside, where))):
        agree(program, compiled, plain, calls)
