"""The example of adversarial images: the loss grows, the table counts, the program runs."""

from __future__ import annotations

import adversarial
import digit_images
import numpy as np
import pytest
from matplotlib.image import imread

import fgrad


class Bar:
    def update(self):
        pass


@pytest.fixture(scope="module")
def images():
    return digit_images.small_digits()


@pytest.fixture(scope="module")
def trained(images):
    key = fgrad.random.key(0)
    return adversarial.train(images, epochs=3, key=key, noisy=False, bar=Bar())


def test_training_learns_and_noise_differs(images, trained):
    params, losses = trained
    assert len(losses) == 3 * 23
    assert np.mean(losses[-10:]) < 0.3 * np.mean(losses[:5])
    right = np.mean(adversarial.classes(params, images.X_test) == images.y_test)
    assert right > 0.9
    few = images._replace(X=images.X[:64], y=images.y[:64])
    key = fgrad.random.key(0)
    first = [
        adversarial.train(few, epochs=1, key=key, noisy=noisy, bar=Bar())[1][0]
        for noisy in (False, True)
    ]
    assert first[0] != first[1]


def test_changes_are_the_signs_of_each_images_own_gradient(images, trained):
    params, X, y = trained[0], images.X_test[:20], images.y_test[:20]
    signs = adversarial.perturbations(params, X, y)
    assert set(np.unique(signs)) <= {-1.0, 0.0, 1.0}
    for i in (0, 7):
        own = fgrad.grad(adversarial.loss, argnums=1)(params, X[i], y[i])
        np.testing.assert_array_equal(signs[i], np.sign(own))
    changed = adversarial.adversarial(params, X, y, 0.1)
    assert changed.dtype == np.float32
    assert changed.min() >= 0 and changed.max() <= 1  # noqa: PT018
    assert np.abs(changed - X).max() <= 0.1 + 1e-6
    assert adversarial.loss(params, changed, y) > 2 * adversarial.loss(params, X, y)


def test_the_report_counts(images, trained, capsys):
    params = trained[0]
    fooled = adversarial.report([params] * 3, images, 0.1)
    assert 0 < fooled.sum() < len(images.y_test)
    rows = [line.split("│")[2:-1] for line in capsys.readouterr().out.splitlines()
            if line.startswith("│")]  # fmt: skip
    right = np.sum(adversarial.classes(params, images.X_test) == images.y_test)
    for row in rows:
        assert [int(cell) for cell in row[:2]] == [right, 0]


def test_the_program(tmp_path, capsys):
    assert adversarial.main(["--quick", "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    for text in ("images that fool the first", "second, with noise", "third, without"):
        assert text in printed
    for name in ("images.png", "shares.png"):
        assert imread(tmp_path / "new" / name).std() > 0.05
    assert adversarial.main(["--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "which has neither" in capsys.readouterr().err
