"""Loops of all kinds in compiled functions: what is carried, sliced, stacked, and how."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fgrad import control, fori_loop, grad, jit, scan, tree, value_and_grad, vmap

RNG = np.random.default_rng(0)
U, B = RNG.normal(size=(4, 4)) * 0.3, RNG.normal(size=4) * 0.1


def close(got: Any, want: Any, tolerance: float) -> None:
    for y, z in zip(tree.leaves(got), tree.leaves(want), strict=True):
        np.testing.assert_allclose(y, z, rtol=tolerance, atol=tolerance)


CASES: dict[str, tuple[Any, Any]] = {
    "the number of the step": (
        lambda x: fori_loop(2, 7, lambda i, c: c * x + i * x, x), np.array([0.5, 1.5])),
    "backwards, by number": (
        lambda x: scan(lambda c, i: (c * i + x, c), x, np.arange(4.0), reverse=True), np.ones(3)),
    "integers": (lambda n: fori_loop(0, 5, lambda i, c: c + i * n, n), np.array([2, 3])),
    "truth values": (
        lambda x: scan(lambda c, r: (c & (r > 0), c), np.True_, x)[1], np.array([1.0, -1.0, 2.0])),
    "carries that change places": (
        lambda x: scan(lambda c, _: ((c[1], c[0] + c[1]), c), (x, 2 * x), None, length=5),
        np.array([1.0, 2.0])),
    "a delay": (
        lambda x: scan(lambda c, r: ((r, c[0], c[1]), c[2]), (x[0], x[0], x[0]), x),
        RNG.normal(size=(6, 3))),
    "a delay of what is computed": (
        lambda x: scan(lambda c, r: ((np.sin(r), c[0], c[1] * 2), c[2]), (x[0],) * 3, x),
        RNG.normal(size=(6, 3))),
    "the same twice": (
        lambda x: scan(lambda c, r: ((np.sin(r), np.sin(r)), (c[0], np.sin(r))), (x[0],) * 2, x),
        RNG.normal(size=(6, 3))),
    "a carry that stays": (
        lambda x: scan(lambda c, r: ((c[0], c[1] + c[0]), c[0]), (x[0], x[1]), x),
        RNG.normal(size=(6, 3))),
    "a sum and its steps": (
        lambda x: scan(lambda c, r: (c + r @ U, c), np.zeros(4), x), RNG.normal(size=(6, 4))),
    "a difference": (
        lambda x: scan(lambda c, r: (c - r @ U, None), np.zeros(4), x)[0], RNG.normal(size=(6, 4))),
    "transposed": (
        lambda x: scan(lambda c, r: (np.tanh(c.T @ r).T, c.T), np.eye(4), x),
        RNG.normal(size=(3, 4, 4))),
    "of rows behind": (
        lambda x: scan(lambda c, r: (np.tanh(c + r), c), np.zeros(5), np.moveaxis(x, 1, 0)),
        RNG.normal(size=(5, 6))),
    "what it captures": (lambda x: scan(lambda c, r: (B, c + r), x[0], x), RNG.normal(size=(6, 4))),
    "what doesn't change": (
        lambda x: scan(lambda c, r: (np.zeros(3), (c, 1.0)), x[0], x), RNG.normal(size=(6, 3))),
    "turned round": (
        lambda x: scan(lambda c, r: (c[::-1], c), x[0], x), RNG.normal(size=(6, 3))),
    "one after another": (
        lambda x: scan(
            lambda c, r: (c * r, c + r), x[0],
            scan(lambda c, r: (np.tanh(c + r), c), x[0], x)[1], reverse=True),
        RNG.normal(size=(6, 3))),
    "over all that another gave": (
        lambda x: (lambda hs: scan(lambda c, r: (np.exp(hs @ r) @ hs, hs @ c), x[0], hs))(
            scan(lambda c, r: (np.tanh(c + r), np.tanh(c)), x[0], x)[1]),
        RNG.normal(size=(4, 3)) * 0.3),
    "complex numbers": (
        lambda x: scan(lambda c, r: (np.exp(1j * c) * r, np.abs(c)), x[0] * 1j, x),
        RNG.normal(size=(4, 3))),
    "one in another": (
        lambda x: scan(
            lambda c, r: (scan(lambda d, s: (np.tanh(d + s * c), d), c, r)[0], np.sum(r)),
            np.zeros(3), x),
        RNG.normal(size=(4, 2, 3))),
    "branches": (
        lambda x: scan(
            lambda c, r: (control.cond(np.sum(r) > 0, np.sin, np.cos, c) + r, c), np.zeros(3), x),
        RNG.normal(size=(6, 3))),
    "of numbers": (lambda x: scan(lambda c, r: (c * r, c + r), 1.0, x), RNG.normal(size=6)),
    "large arrays": (
        lambda x: scan(
            lambda c, r: (np.tanh(c * r + 1.0) * r, np.sum(c * c)), np.ones(200_000), x),
        np.broadcast_to(np.array([[0.5], [1.5]]), (2, 200_000))),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_loops_of_all_kinds(case: str) -> None:
    f, x = CASES[case]
    compiled = jit(f)
    kept = []
    for scale in (1, 2, 1):
        args = (x * scale).astype(x.dtype)
        got, want = compiled(args), f(args)
        for y, z in zip(tree.leaves(got), tree.leaves(want), strict=True):
            assert (type(y), np.result_type(y)) == (type(z), np.result_type(z))
            np.testing.assert_allclose(y, z, rtol=1e-12, atol=1e-12)
            if isinstance(y, np.ndarray):
                assert not np.shares_memory(y, args)
                assert not any(np.shares_memory(y, k) for k, _ in kept)
                kept.append((y, y.copy()))
    for y, copy in kept:
        np.testing.assert_array_equal(y, copy)


@pytest.mark.parametrize(
    "case", [k for k in CASES if k not in ("integers", "truth values", "complex numbers")]
)
def test_derivatives_of_loops_of_all_kinds(case: str) -> None:
    f, x = CASES[case]

    def value(x: Any) -> Any:
        return sum(np.sum(np.tanh(y)) for y in tree.leaves(f(x)))

    compiled = jit(value_and_grad(value))
    compiled(x)
    close(compiled(x), value_and_grad(value)(x), 1e-9)
    if x.size < 100:
        close(jit(grad(lambda x: np.sum(grad(value)(x) ** 2)))(x),
              grad(lambda x: np.sum(grad(value)(x) ** 2))(x), 1e-9)  # fmt: skip
        both = np.stack([x, x * 0.5])
        close(jit(vmap(grad(value)))(both), vmap(grad(value))(both), 1e-9)
