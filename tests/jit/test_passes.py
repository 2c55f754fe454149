"""Each rule of the passes: a function that it takes in, which it leaves what it was."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from fgrad import at, grad
from fgrad import numpy as fnp
from fgrad.compiler.jitted import Jitted
from fgrad.compiler.passes import REASSOCIATING, SAFE, Options, simplify
from fgrad.compiler.paths import Segment
from fgrad.compiler.report import segments
from fgrad.compiler.signature import Signature
from fgrad.compiler.specs import elsewhere, record

RNG = np.random.default_rng(0)
A, B, C = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 5)), RNG.normal(size=(4, 5))
COLUMN, ROW, CUBE = RNG.normal(size=(4, 1)), RNG.normal(size=3), RNG.normal(size=(2, 3, 4))
LONG = RNG.normal(size=(40, 2))
TALL = RNG.normal(size=(512, 256))  # large, and rows of 32 times 16
IMAGES = RNG.normal(size=(2, 3, 150, 150))  # large, and rows of 150 x 150

#: Rule -> a function and its arguments.
CASES = {
    "same_view": (lambda x: np.reshape(x, (4, 3)) * 2, A),
    "same_axes": (lambda x: np.transpose(x, (0, 1)) * 2, A),
    "transposed_twice": (lambda x: np.exp(x).T.transpose(1, 0), A),
    "reshaped_twice": (lambda x: np.reshape(np.reshape(np.exp(x), (12,)), (3, 4)), A),
    "reshaped_number": (lambda x: np.reshape(np.broadcast_to(np.sum(x), (4, 3)), (12,)), A),
    "vector_of_ones": (lambda x: np.exp(x).T * 2, COLUMN),
    "broadcast_twice": (
        lambda x: np.broadcast_to(np.broadcast_to(x * 2, (4, 3)), (2, 4, 3)), ROW),
    "whole": (lambda x: np.exp(x)[:, None, ...], ROW),
    "element_of_one": (lambda x: np.exp(x)[:, 0], COLUMN),
    "spread_out": (lambda x: np.broadcast_to(x * 2, (4, 3)) * np.broadcast_to(x, (4, 3)), ROW),
    "narrowed": (lambda x, y: y * np.broadcast_to(x * 2, (4, 3)), ROW, A),
    "axes_in_front": (lambda x, y: y + np.exp(x)[None, :], ROW, A),
    "times_one": (lambda x: x * 1.0 + x / 1.0 - x * -1.0, A),
    "twice": (lambda x: np.exp(x) + np.exp(x), A),
    "power": (lambda x: np.power(x, 2.0) + np.power(x, 1.0), A),
    "across": (lambda x, y: np.exp(x).T * y - 1.0, LONG.T.copy(), LONG),
    "cast_before": (lambda x: np.broadcast_to(x > 0, (4, 3)).astype(np.float32), ROW),
    "minus_minus": (lambda x, y: np.negative(-(x * 2)) - y, A, A + 1),
    "minus_difference": (lambda x, y: -(np.exp(x) - y), A, A + 1),
    "plus_minus": (
        lambda x, y: x + (-np.exp(y)) + ((-np.sin(x)) + y) + (x - (-np.cos(y))), A, A + 1),
    "times_minus": (lambda x, y: (-np.exp(x)) * y / (-np.cos(y)), A, A + 1),
    "product_minus": (lambda x, y: (-np.exp(x)) @ y, C.T, A),
    "sum_minus": (lambda x: np.sum(-np.exp(x), axis=0), A),
    "over_ones": (lambda x: np.sum(np.exp(x), axis=1), COLUMN),
    "of_one": (lambda x: np.max(np.exp(x), axis=1), COLUMN),
    "by_inverse": (lambda x: x / 3.0, A),
    "by_known_inverse": (lambda x, y: 1.0 / y + x / y, A, np.abs(A) + 1),
    "number_last": (lambda x: 3.0 * x, A),
    "gathered": (lambda x: (x * 3.0) * 5.0, A),
    "to_smaller": (lambda x, y: (x * y) * 3.0, COLUMN, A),
    "outwards": (lambda x, y: (np.exp(x) * 3.0) * y, A, A + 1),
    "out_of_product": (lambda x, y: (np.exp(x) * 3.0) @ y, C.T, A),
    "out_of_sum": (lambda x: np.sum(np.exp(x) * 3.0), A),
    "plus_zero": (lambda x: np.exp(x) + np.zeros((4, 3)), A),
    "cube": (lambda x: np.power(np.abs(x), 3.0) + np.power(np.abs(x), 0.5), A),
    "of_number": (lambda x: np.sum(np.broadcast_to(np.sum(x), (4, 3)), axis=0), A),
    "of_product": (lambda x, y: np.sum(np.exp(x) * y), A, A + 1),
    "of_sum": (lambda x, y: np.sum(np.exp(x) * y + 3.0 * (x * y)), A, A + 1),
    "of_matrix_product": (
        lambda x, y, z: [
            np.sum(x @ y, axis=0) + np.sum(np.sum(np.exp(x) @ y, axis=1)),
            *(np.sum(np.exp(z) @ w, axis=k, keepdims=keep)
              for k in (1, 2) for keep in (True, False) for w in (z[0].T, z.transpose(0, 2, 1)))],
        A, B, CUBE),
    "of_matrix": (lambda x: np.sum(np.exp(x), axis=0) + np.sum(np.exp(x), axis=1)[:3], A),
    "of_stack": (
        lambda x: [np.sum(np.exp(x), axis=k, keepdims=True) for k in (0, 1, 2, (1, 2))], CUBE),
    "by_rows": (lambda x: np.sum(x, axis=(0, 2, 3)), IMAGES),
    "into_sum": (lambda x: at(np.zeros(3))[1:].add(x[1:]) + np.exp(x), ROW),
    "split": (lambda x, y: (np.exp(x) + y).reshape(16, 32, 256) * 2.0, TALL, TALL[0]),
    "over_split": (
        lambda x: np.sum(np.exp(x.reshape(16, 32, 256)).reshape(512, 256), axis=0), TALL),
    "share": (lambda x, y: np.exp(x) * np.exp(x) + x * y + y * x, A, A + 1),
}  # fmt: skip

FAMILIES = {**SAFE, **REASSOCIATING}
RULES = {
    rule.__name__ for family in FAMILIES.values() for rules in family.values() for rule in rules
}


def test_every_rule_has_a_case():
    assert set(CASES) == RULES | {"share"}


def compiled(f, xs, options):
    j = Jitted(f, frozenset(), False, options, 64)
    j(*xs)
    (spec,) = j._specs
    taken = Counter()
    for _, segment in segments(spec.root):
        taken.update(segment.taken)
    return j, taken, spec


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_takes_and_the_result_stays(rule):
    f, *xs = CASES[rule]
    j, taken, _ = compiled(f, xs, Options())
    assert taken[rule], f"{rule} did not take: {dict(taken)}"
    got, want = j(*xs), f(*xs)
    got, want = (y if isinstance(y, list) else [y] for y in (got, want))
    for a, b in zip(got, want, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("rule", CASES)
def test_simplified_programs_have_nothing_left_to_simplify(rule):
    f, *xs = CASES[rule]
    recording, _ = record(f, Signature(f, xs, {}, frozenset(), True))
    program, _ = Segment(recording, 0, [], Options(), elsewhere)._lowered()
    simple, _ = simplify(program, Options())
    _, taken = simplify(simple, Options())
    assert {*taken} <= {"share"}


@pytest.mark.parametrize("rule", CASES)
def test_what_keeps_last_bits_keeps_them(rule):
    f, *xs = CASES[rule]
    j, _, _ = compiled(f, xs, Options(reassociate=False))
    got, want = j(*xs), f(*xs)
    got, want = (y if isinstance(y, list) else [y] for y in (got, want))
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("family", [*FAMILIES, "share"])
def test_a_family_can_be_left_out(family):
    mine = {r.__name__ for rules in FAMILIES.get(family, {}).values() for r in rules} or {"share"}
    mine -= {r.__name__ for name, f in FAMILIES.items() if name != family
             for rules in f.values() for r in rules}  # fmt: skip
    for rule in mine:
        f, *xs = CASES[rule]
        j, taken, _ = compiled(f, xs, Options(without=frozenset([family])))
        assert not any(taken[name] for name in mine)
        got, want = j(*xs), f(*xs)
        got, want = (y if isinstance(y, list) else [y] for y in (got, want))
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)


def test_buffers_are_shared():
    def f(x):
        for _ in range(20):
            x = np.tanh(x @ x)
        return np.sum(x)

    x = RNG.normal(size=(30, 30)) / 5
    _, _, spec = compiled(grad(f), [x], Options())
    assert spec.root.nbytes <= 26 * x.nbytes  # the states, and a few for the way back
    _, _, spec = compiled(f, [x], Options())
    assert spec.root.nbytes <= 2 * x.nbytes + 64


def test_buffers_of_other_orders_and_dtypes():
    def f(x, y):
        z = np.exp(x.T) * y.T
        w = (z > 1).astype(np.float32)
        return np.sum(z.T @ z, axis=0) + np.sum(w), fnp.cumsum(z, axis=0).T * 2

    x, y = A, np.asfortranarray(A + 1)
    j, _, _ = compiled(f, [x, y], Options())
    for a, b in ((x, y), (y, x), (x[::-1], y)):
        for got, want in zip(j(a, b), f(a, b), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12)
