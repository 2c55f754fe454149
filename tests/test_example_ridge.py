"""The example of a penalty's strength: its models, their gradients, the descent, its output."""

from __future__ import annotations

import numpy as np
import pytest
import ridge
import scipy.optimize
from matplotlib.image import imread

import fgrad


@pytest.fixture(scope="module")
def models():
    return ridge.models(np.random.default_rng(3), quick=True)


def test_the_ridge_loss_is_that_of_the_closed_form():
    data = ridge.simulate(np.random.default_rng(0), 30, 5, labels=False)

    def closed(s):  # the same with more rows of data: sqrt(n strength) I and zeros
        n = len(data.y)
        rows = np.concatenate([data.X, np.sqrt(n * np.exp(s[0])) * np.eye(5)])
        w = np.linalg.lstsq(rows, np.concatenate([data.y, np.zeros(5)]))[0]
        return np.mean((data.X_valid @ w - data.y_valid) ** 2) / 2

    loss, s = ridge.ridge(data), np.array([-1.3])
    assert loss(s) == pytest.approx(closed(s), rel=1e-12)
    for order in (fgrad.grad, fgrad.hessian):
        np.testing.assert_allclose(order(loss)(s), order(closed)(s), rtol=1e-8)


def test_the_logistic_loss_is_that_of_scipys_minimum():
    data = ridge.simulate(np.random.default_rng(0), 60, 6, labels=True)
    s = np.array([-3.0, -2.0])

    def training(w):
        z = data.X @ w
        penalty = np.exp(s[0]) * np.sqrt(w**2 + ridge.SMOOTH**2).sum()
        return np.mean(np.logaddexp(0, z) - data.y * z) + penalty + np.exp(s[1]) / 2 * (w @ w)

    w = scipy.optimize.minimize(training, np.zeros(6), tol=1e-12).x
    z = data.X_valid @ w
    want = np.mean(np.logaddexp(0, z) - data.y_valid * z)
    assert ridge.logistic(data)(s) == pytest.approx(want, rel=1e-6)


def test_gradients_are_differences(models):
    for model in models:
        exact = fgrad.grad(model.loss)(model.start)
        near = ridge.by_differences(model.loss, model.start)
        np.testing.assert_allclose(exact, near, rtol=1e-5, atol=1e-8)


def test_the_descent_finds_the_least_loss_of_a_grid(models):
    model = models[0]
    ticks = []
    found = ridge.descend(model.loss, model.start, 60, lambda: ticks.append(1))
    grid = [model.loss(np.array([s])) for s in np.linspace(*model.limits[0], 50)]
    assert found.losses[-1] <= min(grid)
    assert np.all(np.diff(found.losses) < 0)
    assert np.abs(found.gradient[0]) < 1e-4
    assert len(found.path) == len(found.losses) == len(ticks) + 1


def test_a_descent_at_the_minimum_stays():
    found = ridge.descend(lambda s: np.sum(s**2), np.zeros(2), 5, lambda: None)
    assert found.path.shape == (1, 2)


def test_the_program(tmp_path, capsys):
    out = tmp_path / "pictures"
    assert ridge.main(["--quick", "--out", str(out), "--no-progress"]) == 0
    printed = capsys.readouterr().out
    for text in ("Gradients at the start", "logistic: square", "last gradient", "validation_loss"):
        assert text in printed
    image = imread(out / "validation_loss.png")
    assert image.shape[:2] == (768, 1760)
    assert len(np.unique(image[::7, ::7, 0])) > 10  # it is not empty


def test_help(capsys):
    with pytest.raises(SystemExit) as left:
        ridge.main(["--help"])
    assert left.value.code == 0
    assert "--quick" in capsys.readouterr().out
