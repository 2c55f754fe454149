"""Primitives that write their answers into memory that a compiled function keeps."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad import grad, jit, vmap


def cubed(x, out=None):
    """Writes early and reads its operand late, as an implementation may."""
    return np.multiply(np.multiply(x, x, out=out), x, out=out)


def turn(x, out=None):
    out = np.empty_like(x) if out is None else out
    out[...] = x[..., ::-1]
    return out


cube = fgrad.elementwise(cubed, lambda t, ans, x: t * 3 * x * x, name="cube", writes=True)
turned = fgrad.linear(turn, lambda g, x: turned(g), name="turned", writes=True)(
    lambda x: ((x,), {})
)

PROGRAMS = {
    "the answer leaves": cube,
    "a view of it leaves": lambda x: cube(x)[1:],
    "it leaves twice": lambda x: [y := cube(x), y + 1, y],
    "it is used late": lambda x: [y := cube(x), np.exp(x) * 2, np.sin(x) + 3, y * 2][1:],
    "one after the other": lambda x: cube(cube(cube(x * 0.5) + 1) - 1),
    "of an argument turned round": lambda x: cube(x.T).T if x.ndim > 1 else cube(x[::-1]),
    "of its own answer": lambda x: turned(turned(cube(x)) * 2) + x,
    "of a row": lambda x: cube(x[0] * 2),
    "of a number": lambda x: cube(np.sum(x)),
    "its slope": lambda x: grad(lambda x: np.sum(np.sin(cube(x))))(x),
    "its second slope": lambda x: grad(lambda x: np.sum(grad(lambda x: np.sum(cube(x)))(x) * x))(x),
    "mapped": lambda x: vmap(cube)(x + 1),
    "in a loop": lambda x: fgrad.scan(lambda c, y: (cube(c * 0.1 + y), cube(c)), x[0], x),
    "in a branch": lambda x: fgrad.cond(np.sum(x) > 0, lambda x: cube(x) * 2, cube, x),
}


@pytest.mark.parametrize("shape", [(3,), (4, 5)], ids=str)
@pytest.mark.parametrize("f", PROGRAMS.values(), ids=PROGRAMS)
def test_results_are_the_users_own(f, shape):
    rng = np.random.default_rng(0)
    compiled = jit(f)
    calls = [rng.normal(size=shape) for _ in range(4)]
    want = [fgrad.tree.map(np.array, f(x)) for x in calls]
    got = [compiled(x) for x in calls]  # all kept, while the memory is used again
    for a, b in zip(got, want, strict=True):
        fgrad.tree.map(lambda p, q: np.testing.assert_allclose(p, q, rtol=1e-12), a, b)
    first = compiled(calls[0])
    for leaf in fgrad.tree.leaves(first):
        if isinstance(leaf, np.ndarray):
            leaf[...] = 7  # what is returned may be written into
    again = compiled(calls[0])
    fgrad.tree.map(lambda p, q: np.testing.assert_allclose(p, q, rtol=1e-12), again, want[0])


def test_the_memory_is_kept():
    f = jit(lambda x: cube(x) + cube(x * 2))
    x = np.ones(1000)
    f(x)
    lines = [line for line in f.source(x).splitlines() if "out=" in line]
    assert len(lines) == 2
    np.testing.assert_array_equal(f(x.reshape(1000)), 9 * x)
