"""The example of bent planes: flat maps, straight lines, the program."""

from __future__ import annotations

import bending_space
import numpy as np
import pytest
from matplotlib.image import imread

import fgrad


@pytest.mark.parametrize("columns", [2, 3])
def test_flatness_is_that_of_the_singular_values(columns):
    W = np.random.default_rng(0).normal(size=(2, columns))
    s, t = np.linalg.svd(W, compute_uv=False)
    assert bending_space.flatness(W) == pytest.approx((s**2 + t**2) / (2 * s * t) - 1)
    turned = 3 * fgrad.random.orthogonal(fgrad.random.key(0), 3)[:2]
    assert bending_space.flatness(turned) == pytest.approx(0, abs=1e-12)


def test_a_straight_line_parts_what_can_be_parted():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 2))
    signs = np.sign(X @ [1.0, -2.0] + 0.3)
    assert bending_space.best_line(X, signs) == 1.0
    ring, inner = bending_space.rings(40, 0)
    assert bending_space.best_line(ring, inner) < 0.8


def test_the_line_drawn_is_where_the_last_unit_is_zero():
    w, c = np.array([2.0, -1.0]), np.array(0.7)
    ends = bending_space.line_through((w, c))
    np.testing.assert_allclose(ends @ w + c, 0, atol=1e-12)
    assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(8)


def test_places_and_score():
    params = bending_space.start(fgrad.random.key(0), (2, 2, 3))
    X = np.random.default_rng(0).normal(size=(4, 2))
    (W1, b1), (W2, b2), (w, c) = params
    np.testing.assert_allclose(W1 @ W1.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(W2 @ W2.T, np.eye(2), atol=1e-12)
    last = np.tanh(np.tanh(X @ W1 + b1) @ W2 + b2)
    np.testing.assert_allclose(bending_space.places(params, X)[2], last)
    np.testing.assert_allclose(bending_space.score(params, X), last @ w + c)


def test_the_program(tmp_path, capsys):
    assert bending_space.main(["--quick", "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    rows = {line.split("│")[1].strip(): line.split("│")[2:-1] for line in printed.splitlines()
            if line.startswith("│")}  # fmt: skip
    assert float(rows["the plane"][0].strip().rstrip("%")) < 90 < 100
    assert rows["layer 4"][0].strip() == "100.0%"
    assert int(rows["rings, 1 layer of 3 units"][1]) > 0
    for name in ("layers.png", "training.png", "rings.png"):
        assert imread(tmp_path / "new" / name).std() > 0.03
