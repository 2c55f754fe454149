"""The example of the classifier of clothes: both gradients, its files, its output."""

from __future__ import annotations

import gzip
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import digit_images
import fashion
import numpy as np
import pytest
from matplotlib.image import imread

import fgrad


def write_idx(path, array):
    header = struct.pack(f">2xBB{array.ndim}I", 8, array.ndim, *array.shape)
    data = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture
def folder(tmp_path):
    """As Fashion-MNIST is published, with few images; some files compressed."""
    rng, folder = np.random.default_rng(0), tmp_path / "fashion-mnist"
    folder.mkdir()
    for part, n, end in (("train", 150, ".gz"), ("t10k", 30, "")):
        y = rng.integers(10, size=n)
        X = rng.integers(0, 60, size=(n, 28, 28))
        X[np.arange(n), 2 * y] += 190  # a bright row for each class
        write_idx(folder / f"{part}-images-idx3-ubyte{end}", X)
        write_idx(folder / f"{part}-labels-idx1-ubyte{end}", y)
    return folder


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-6), (np.float64, 1e-14)])
def test_the_gradient_by_hand_is_fgrads_to_rounding(dtype, tolerance):
    rng = np.random.default_rng(0)
    params = [p.astype(dtype) for p in fashion.start(fgrad.random.key(0))]
    X = rng.random((64, 784), dtype)
    Y = fashion.ONE_HOT[rng.integers(10, size=64)].astype(dtype)
    expected_value, expected = fashion.by_hand(params, X, Y)
    eager = fgrad.value_and_grad(fashion.loss)
    for run in (eager, fgrad.jit(eager)):
        value, gradient = run(params, X, Y)
        assert abs(value - expected_value) <= tolerance * expected_value
        for got, wanted in zip(gradient, expected, strict=True):
            assert got.dtype == wanted.dtype == dtype
            assert np.abs(got - wanted).max() <= tolerance * np.abs(wanted).max()


def test_a_compiled_step_is_the_step():
    rng = np.random.default_rng(0)
    params = fashion.start(fgrad.random.key(1), (6, 5, 4, 10))
    X, Y = rng.random((7, 6), np.float32), fashion.ONE_HOT[rng.integers(10, size=7)]
    step = fgrad.jit(fashion.step_of(fgrad.value_and_grad(fashion.loss), 0.1))
    value, new = step(params, X, Y)
    expected, gradient = fashion.by_hand(params, X, Y)
    assert value == pytest.approx(expected, rel=1e-6)
    for p, g, q in zip(params, gradient, new, strict=True):
        np.testing.assert_allclose(q, p - 0.1 * g, rtol=1e-5, atol=1e-7)
        assert q.dtype == np.float32


def test_published_files_are_read(folder):
    images = digit_images.from_idx(folder)
    assert images.X.shape == (150, 784)
    assert images.X_test.shape == (30, 784)
    assert images.X.dtype == np.float32
    assert 0 <= images.X.min() < 0.01 < 0.7 < images.X.max() <= 1
    np.testing.assert_array_equal(images.X.reshape(-1, 28, 28).mean(2).argmax(1) / 2, images.y)
    assert images.names[9] == "ankle boot"


def test_training_on_files(folder, tmp_path, capsys):
    out = tmp_path / "new"
    options = ["--quick", "--data", str(folder), "--epochs", "2", "--rate", "0.2", "--check"]
    assert fashion.main([*options, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    reports = re.findall(r"^loss: (\d\.\d{6}) \[ {3}64/ {2}150\]$", printed, re.MULTILINE)
    assert len(reports) == 2
    assert 2 < float(reports[0]) < 3
    assert len(re.findall(r"^Test: accuracy \d+\.\d%, average loss \d\.\d{6}$", printed, re.M)) == 2
    rows = [
        line.split("│") for line in printed.splitlines() if re.match("│ (fgrad|by hand) ", line)
    ]
    ours, by_hand = ([float(cell.strip().rstrip("%")) for cell in row[2:6]] for row in rows)
    np.testing.assert_allclose(ours, by_hand, rtol=1e-4)
    for name in ("training.png", "images.png"):
        assert imread(out / name).std() > 0.05


def test_the_program(tmp_path, capsys):
    assert fashion.main(["--quick", "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    for text in ("1,797 digits", "[   64/ 1438]", "float32", "float64"):
        assert text in printed


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda f: (f / "t10k-labels-idx1-ubyte").unlink(), "which has neither"),
        (lambda f: (f / "t10k-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01"), "To do"),
        (lambda f: (f / "t10k-labels-idx1-ubyte").write_text("labels"), "To do"),
        (lambda f: write_idx(f / "t10k-labels-idx1-ubyte", np.zeros(31)), r"shape \(31,\)"),
        (lambda f: write_idx(f / "t10k-labels-idx1-ubyte", np.full(30, 10)), "from 10 to 10"),
        (lambda f: write_idx(f / "t10k-images-idx3-ubyte", np.zeros((30, 8, 8))), r"\(30, 8, 8\)"),
    ],
)  # fmt: skip
def test_bad_files_get_an_error_that_says_what_to_do(folder, tmp_path, capsys, spoil, text):
    spoil(folder)
    with pytest.raises(digit_images.DataError, match=text) as caught:
        digit_images.from_idx(folder)
    assert fashion.main(["--data", str(folder), "--out", str(tmp_path / "new")]) == 2
    assert capsys.readouterr().err == f"{caught.value}\n"


def test_the_benchmark_has_a_row_for_each_way_to_make_a_step():
    root = Path(fashion.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, root / "benchmarks" / "classifier.py", "--peers", "hand,fgrad,jit",
         "--seconds", "0.001"],
        env=os.environ | {"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1].strip() for line in done.stdout.splitlines()]
    assert rows[2:] == ["hand", "fgrad", "jit"]
