"""The example of "exclusive or": its two gradients, its training, its pictures."""

from __future__ import annotations

import numpy as np
import pytest
import xor
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread
from PIL import Image

import fgrad


@given(st.integers(0, 10_000))
def test_the_gradient_by_hand_is_fgrads_to_rounding(seed):
    params = xor.start(fgrad.random.key(seed))
    value, gradient = fgrad.value_and_grad(xor.loss)(params)
    expected_value, expected = xor.by_hand(params)
    assert value == pytest.approx(expected_value, rel=1e-14)
    for got, wanted in zip(gradient, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-15)


def test_networks_side_by_side_train_as_each_alone():
    class Bar:
        updates = 0

        def update(self):
            self.updates += 1

    keys, bar = fgrad.random.split(fgrad.random.key(1), 3), Bar()
    path = xor.train(fgrad.vmap(xor.start)(keys), 20, bar)
    assert len(path) == 1 + bar.updates == 21
    params = xor.start(keys[2])
    velocity = fgrad.tree.map(np.zeros_like, params)
    for _ in range(20):
        gradient = xor.by_hand(params)[1]
        velocity = fgrad.tree.map(lambda v, g: xor.MOMENTUM * v + g, velocity, gradient)
        params = fgrad.tree.map(lambda p, v: p - xor.RATE * v, params, velocity)
    for got, wanted in zip(path[-1], params, strict=True):
        np.testing.assert_allclose(got[2], wanted, rtol=1e-9)


def test_what_counts_as_learnt():
    right = xor.Params(
        np.array([[20.0, 20.0], [20.0, 20.0]]), np.array([-10.0, -30.0]), np.array([20.0, -20.0]),
        np.array(-10.0),
    )  # fmt: skip
    wrong = right._replace(c=np.array(10.0))
    both = fgrad.tree.map(lambda *leaves: np.stack(leaves), right, wrong)
    np.testing.assert_array_equal(xor.learnt(both), [True, False])
    assert xor.loss(right) < 1e-6


def test_the_program(tmp_path, capsys):
    assert xor.main(["--quick", "--gif", "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    for text in ("W[1, 0]", "difference", "have learnt it", "8 networks"):
        assert text in printed
    assert float(printed.split("greatest difference is ")[1].split()[0].rstrip(".")) < 1e-15
    assert imread(tmp_path / "new" / "xor.png").std() > 0.05
    with Image.open(tmp_path / "new" / "xor.gif") as film:
        assert film.n_frames > 10
