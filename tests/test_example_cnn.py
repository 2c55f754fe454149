"""The example of a convolutional network: its steps, what it shows, and bad input."""

from __future__ import annotations

import cnn
import digit_images
import numpy as np
import pytest
from matplotlib.image import imread

import fgrad_nn as nn
from fgrad import random, tree


@pytest.fixture(scope="module")
def images():
    return digit_images.small_digits()


@pytest.fixture(scope="module")
def trained(images):
    net = cnn.network(4, 8, 32)
    return net, cnn.train(net, images, epochs=4, key=random.key(0))


def test_training_reads_digits_that_were_held_out(images, trained):
    net, run = trained
    found = cnn.scores(net, run.state, cnn.as_images(images.X_test))
    measured = cnn.held_out(found, images.y_test)
    assert measured["accuracy"] > 0.7
    last = run.history[-1]
    assert (last["val_loss"], last["val_accuracy"]) == (measured["loss"], measured["accuracy"])
    assert last["loss"] < 0.8 * run.history[0]["loss"]
    assert len(run.history) == 4
    assert 0 < run.step_ms < 1000 * run.seconds


def test_the_state_holds_all_that_has_changed(trained):
    _, run = trained
    params, running = run.state.params, run.state.model_state
    assert list(running) == ["1_batch_norm", "5_batch_norm"]
    assert np.all(running["1_batch_norm"]["var"] > 0)
    assert np.any(running["1_batch_norm"]["mean"] != 0)
    assert params[cnn.FILTERS]["weight"].shape == (5, 5, 1, 4)
    leaves = tree.leaves([params, running, run.state.opt_state[0].mu])
    assert {leaf.dtype for leaf in leaves} == {np.dtype(np.float32)}


def test_the_seed_decides_everything(images):
    few = images._replace(X=images.X[:128], y=images.y[:128])
    net = cnn.network(2, 2, 4)
    runs = [cnn.train(net, few, epochs=1, key=random.key(seed)) for seed in (5, 5, 6)]
    weights = [run.state.params[cnn.FILTERS]["weight"] for run in runs]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert np.any(weights[0] != weights[2])


def test_shifted_images_are_moved_by_whole_pixels():
    X = np.random.default_rng(0).random((40, 28, 28, 1), dtype=np.float32)
    moved = cnn.shifted(random.key(1), X)
    assert moved.shape == X.shape
    assert moved.dtype == X.dtype
    ways = set()
    for before, after in zip(X, moved, strict=True):
        around = np.pad(before, ((2, 2), (2, 2), (0, 0)))
        fits = [
            (i, j)
            for i in range(5)
            for j in range(5)
            if np.array_equal(around[i : i + 28, j : j + 28], after)
        ]
        assert len(fits) == 1
        ways.add(fits[0])
    assert {i for i, _ in ways} == {j for _, j in ways} == set(range(5))


def test_scores_use_running_statistics_and_no_dropout(images, trained):
    """An image's scores don't depend on those beside it, nor on how many are read at a time."""
    net, run = trained
    X = cnn.as_images(images.X_test)
    together = cnn.scores(net, run.state, np.concatenate([X, X]))
    np.testing.assert_allclose(
        together[: len(X)], cnn.scores(net, run.state, X), rtol=1e-4, atol=1e-5
    )
    alone, _ = net.apply(run.state.params, X[:1], state=run.state.model_state)
    np.testing.assert_allclose(alone[0], together[0], rtol=1e-4, atol=1e-5)


def test_pooling_before_the_cut_at_zero_gives_the_same():
    x = np.random.default_rng(2).normal(size=(3, 8, 8, 4))
    pool = nn.max_pool2d(2)
    np.testing.assert_array_equal(nn.relu(pool.apply({}, x)), pool.apply({}, nn.relu(x)))


# The program -------------------------------------------------------------------------------------


def test_the_program(tmp_path, capsys):
    assert cnn.main(["--quick", "--epochs", "1", "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    for text in (
        "1438 images for training, 359 held out",
        "filters (conv2d)",
        "read rightly",
        "for a step of",
    ):
        assert text in printed
    for name in ("training.png", "filters.png", "misread.png"):
        picture = imread(tmp_path / "new" / name)
        assert min(picture.shape[:2]) > 300
        assert picture.std() > 0.02


def test_pictures_of_a_network_without_mistakes(tmp_path, images):
    found = np.eye(10, dtype=np.float32)[images.y_test]
    assert cnn.misread(tmp_path / "none.png", images, found).exists()


def test_a_folder_without_the_files(tmp_path, capsys):
    assert cnn.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "train-images-idx3-ubyte" in capsys.readouterr().err
