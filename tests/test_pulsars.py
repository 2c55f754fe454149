"""The pulsar example: its network and gradient, its data, its output, and bad input."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pulsar_data
import pulsar_plots
import pulsar_ways
import pulsars
import pytest
from matplotlib.image import imread

import fgrad
from fgrad import random

HEADER = "a,b,c,d,e,f,g,h,label\n"
ROWS = "1,2,3,4,5,6,7,8,0\n8,7,6,5,4,3,2,1,1\n"


@pytest.fixture(scope="module")
def candidates():
    return pulsar_data.simulate(1200, np.random.default_rng(0))


@pytest.fixture(scope="module")
def inputs(candidates):
    return pulsar_data.standardise(candidates.features), np.eye(2)[candidates.labels]


# The network ----------------------------------------------------------------------------


def by_hand(params, X, Y):
    """The loss and its gradient as one would write them without fgrad."""
    activations = [X.T]
    for w, b in zip(params[::2], params[1::2], strict=True):
        activations.append(np.tanh(w @ activations[-1] + b))
    difference = activations[-1].T - Y
    gradient = []
    g = (2 / difference.size) * difference.T
    for w, x, y in zip(params[::2][::-1], activations[-2::-1], activations[:0:-1], strict=True):
        g = g * (1 - y * y)
        gradient[:0] = [g @ x.T, g.sum(axis=1, keepdims=True)]
        g = w.T @ g
    return np.mean(difference**2), gradient


def test_the_gradient_is_the_one_written_by_hand(inputs):
    rng = np.random.default_rng(1)
    params = [pulsars.scaled_normal(rng, shape) for shape in pulsars.SHAPES]
    X, Y = (part[:100] for part in inputs)
    value, gradient = fgrad.value_and_grad(pulsars.loss)(params, X, Y)
    expected_value, expected = by_hand(params, X, Y)
    assert value == pytest.approx(expected_value, rel=1e-12)
    assert isinstance(gradient, list)
    for got, wanted, shape in zip(gradient, expected, pulsars.SHAPES, strict=True):
        assert got.shape == shape
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-15)


def test_training_follows_the_steps_written_by_hand(inputs):
    X, Y = inputs
    params, errors = pulsars.train(X, Y, steps=5, rng=np.random.default_rng(3))
    rng = np.random.default_rng(3)
    expected = [rng.normal(0, 1 / np.sqrt(sum(shape)), shape) for shape in pulsars.SHAPES]
    for error in errors:
        batch = rng.integers(len(X), size=100)
        wanted, gradient = by_hand(expected, X[batch], Y[batch])
        assert error == pytest.approx(wanted, rel=1e-12)
        expected = [p - 0.01 * g for p, g in zip(expected, gradient, strict=True)]
    for got, wanted in zip(params, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-15)


def test_training_finds_the_pulsars(candidates, inputs, capsys):
    params, errors = pulsars.train(*inputs, steps=400, rng=np.random.default_rng(0))
    found = pulsars.shares(params, inputs[0], candidates.labels)
    assert np.mean(errors[-50:]) < 0.5 * np.mean(errors[:10])
    assert min(found.values()) > 0.9
    reports = capsys.readouterr().out.splitlines()
    assert [int(line.split()[1]) for line in reports] == list(range(50, 401, 50))


def test_shares_count_what_they_say(monkeypatch):
    scores = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    monkeypatch.setattr(pulsars, "network", lambda params, X: scores)
    found = pulsars.shares([], np.empty((4, 8)), np.array([1, 1, 0, 1]))
    assert list(found.values()) == [pytest.approx(2 / 3), 1.0, 0.75]


# The same with fgrad_nn, and candidates held out -----------------------------------------


def test_a_quarter_of_each_class_is_held_out(candidates):
    few = candidates._replace(features=candidates.features[:200], labels=candidates.labels[:200])
    parts = pulsar_ways.split(few, random.key(0))
    (X, labels), (held_out, held_out_labels) = parts.train, parts.held_out
    for label in (0, 1):
        count = np.sum(few.labels == label)
        assert np.sum(held_out_labels == label) == round(count / 4)
        assert np.sum(labels == label) == count - round(count / 4)
    rows = {tuple(row) for row in np.concatenate([X, held_out])}
    assert len(rows) == 200
    assert rows == {tuple(row) for row in parts.features}
    # the scale is that of the candidates for training alone
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(X.std(axis=0), 1)
    other = pulsar_ways.split(few, random.key(1))
    assert {tuple(row) for row in other.held_out[0]} != {tuple(row) for row in held_out}


def by_layers(candidates, *, steps, jit, reports=None):
    parts = pulsar_ways.split(candidates, random.key(0))
    trained = pulsar_ways.train(
        parts.train, steps=steps, batch=100, key=random.key(1), jit=jit,
        report=lambda *now: reports.append(now) if reports is not None else None,
    )  # fmt: skip
    return parts, trained


def test_the_compiled_way_is_the_same_training(candidates):
    reports = []
    parts, plain = by_layers(candidates, steps=20, jit=False)
    _, compiled = by_layers(candidates, steps=20, jit=True, reports=reports)
    np.testing.assert_allclose(plain.errors, compiled.errors, rtol=1e-6)
    X = parts.held_out[0]
    np.testing.assert_allclose(plain.scores(X), compiled.scores(X), rtol=1e-4, atol=1e-5)
    assert reports == list(zip(range(1, 21), compiled.errors, strict=True))


def test_the_network_finds_pulsars_that_were_held_out(candidates):
    parts, trained = by_layers(candidates, steps=200, jit=True)
    X, labels = parts.held_out
    assert min(pulsar_ways.shares(trained.scores(X), labels).values()) > 0.93
    # running statistics: what a candidate gets doesn't depend on those beside it
    np.testing.assert_allclose(trained.scores(X[:1])[0], trained.scores(X)[0], rtol=1e-10)


def test_the_table_has_medians():
    found = {
        way: [(seconds, {"a": 0.5, "b": 0.6, "c": share}) for seconds, share in runs]
        for way, runs in {"lists": [(1, 0.1), (5, 0.8), (2, 0.9)], "jit": [(1, 1.0)] * 3}.items()
    }
    table = pulsar_ways.comparison(found, 300)
    assert table.title == "On 300 held-out candidates, medians of 3 seeds"
    cells = [list(column.cells) for column in table.columns]
    assert cells[0] == [pulsar_ways.WAYS["lists"], pulsar_ways.WAYS["jit"]]
    assert cells[1:] == [["2.00", "1.00"], ["50.0%"] * 2, ["60.0%"] * 2, ["80.0%", "100.0%"]]


# The program ----------------------------------------------------------------------------


def run(out, *arguments):
    return pulsars.main(["--samples", "120", "--steps", "60", "--out", str(out), *arguments])


def test_the_program_as_the_readme_starts_it(tmp_path):
    script = Path(pulsars.__file__)
    done = subprocess.run(
        [sys.executable, script, "--samples", "60", "--steps", "3"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(script.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "all samples right" in done.stdout
    assert len(list((tmp_path / "pulsar_plots").glob("*.png"))) == 2


def test_output_and_pictures(tmp_path, capsys):
    assert run(tmp_path / "new" / "folder") == 0
    printed = capsys.readouterr().out
    for text in ("120 candidates (simulated), 60 of them", "step    50   batch error 0."):
        assert text in printed
    for text in ("pulsars found", "non-pulsars found", "all samples right", "%"):
        assert text in printed
    for name in ("loss_curve.png", "decision_boundary.png"):
        picture = imread(tmp_path / "new" / "folder" / name)
        assert min(picture.shape[:2]) > 500
        assert picture.std() > 0.05


def test_all_ways(tmp_path, capsys):
    assert run(tmp_path, "--way", "all", "--seeds", "2") == 0
    printed = capsys.readouterr().out
    assert "On 30 held-out candidates, medians of 2 seeds" in printed
    assert "step" not in printed
    for way, name in pulsar_ways.WAYS.items():
        assert name in printed
        for picture in ("loss_curve", "decision_boundary"):
            assert imread(tmp_path / f"{picture}_{way}.png").std() > 0.05


@pytest.mark.parametrize("way", ["nn", "jit"])
def test_one_way(tmp_path, capsys, way):
    assert run(tmp_path, "--way", way) == 0
    printed = capsys.readouterr().out
    assert "step    50   batch error 0." in printed
    assert pulsar_ways.WAYS[way] in printed
    assert pulsar_ways.WAYS["lists"] not in printed
    assert len(list(tmp_path.glob("*.png"))) == 2


def test_too_few_candidates_to_hold_some_out(tmp_path, capsys):
    path = tmp_path / "tiny.csv"
    path.write_text(HEADER + ROWS)
    assert run(tmp_path, "--data", str(path), "--way", "nn") == 2
    assert "two of each class are wanted" in capsys.readouterr().err


def test_the_seed_decides_everything(tmp_path, capsys):
    printed = []
    for seed in ("7", "7", "8"):
        assert run(tmp_path, "--seed", seed) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != printed[2]


def test_a_file_with_its_columns_in_any_order(tmp_path, capsys, candidates):
    table = np.column_stack([candidates.labels, candidates.features])[:200]
    path = tmp_path / "candidates.csv"
    names = ["label", *candidates.names]
    np.savetxt(path, table, delimiter=",", header=", ".join(names), comments="", fmt="%.6f")
    read = pulsar_data.read_csv(path)
    assert read.names == candidates.names
    np.testing.assert_allclose(read.features, candidates.features[:200], atol=1e-6)
    np.testing.assert_array_equal(read.labels, candidates.labels[:200])
    assert run(tmp_path, "--data", str(path)) == 0
    assert "200 candidates" in capsys.readouterr().out


def test_names_that_the_moments_contradict_are_exchanged(tmp_path, candidates):
    wrong = [n.replace("kurt", "x").replace("skew", "kurt") for n in candidates.names]
    wrong = [n.replace("xosis", "skewness").replace("kurtness", "kurtosis") for n in wrong]
    path = tmp_path / "exchanged.csv"
    table = np.column_stack([candidates.features, candidates.labels])
    np.savetxt(path, table, delimiter=",", header=",".join([*wrong, "label"]), comments="")
    assert pulsar_data.read_csv(path).names == candidates.names


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "No such file"),
        ("", r"the columns \(none\)"),
        ("a,b,c,d,e,f,g,h\n" + ROWS, "a column `label`"),
        ("a,b,c,d,e,f,g,label\n1,2,3,4,5,6,7,0\n", "eight feature columns"),
        (HEADER, "0 pulsars and 0 others"),
        (HEADER + ROWS + "1,2,3,4,5,6,7,0\n", "8 cells in line 4"),
        (HEADER + ROWS + "1,2,many,4,5,6,7,8,0\n", "'many' in line 4, column c"),
        (HEADER + ROWS + "1,2,,4,5,6,7,8,0\n", "'' in line 4, column c"),
        (HEADER + ROWS + "1,2,3,4,5,nan,7,8,0\n", "'nan' in line 4, column f"),
        (HEADER + "\n" + ROWS + "1,2,3,4,5,6,7,8,2\n", "2 in line 5"),
        (HEADER + "1,2,3,4,5,6,7,8,0\n", "both classes"),
        (b"\xff\xfe\x00label", "could not be read"),
    ],
)
def test_bad_files_get_an_error_that_names_the_place(tmp_path, capsys, content, text):
    path = tmp_path / "bad.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(pulsar_data.DataError, match=text) as caught:
        pulsar_data.read_csv(path)
    assert run(tmp_path, "--data", str(path)) == 2
    assert capsys.readouterr().err == f"{caught.value}\n"


def test_an_output_folder_that_is_a_file(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert run(tmp_path / "file") == 2
    assert "File exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--steps", "0"], ["--samples", "9"], ["--seed", "x"], ["--seeds", "0"]]
)
def test_bad_options(tmp_path, capsys, options):
    with pytest.raises(SystemExit):
        run(tmp_path, *options)
    assert "wanted an integer >=" in capsys.readouterr().err


def test_few_and_constant_values_are_no_obstacle(tmp_path):
    path = tmp_path / "tiny.csv"
    path.write_text(HEADER + "1,2,3,4,5,6,7,8,0\n1,7,6,5,4,3,2,1,1\n")
    assert run(tmp_path, "--data", str(path), "--steps", "1") == 0


# The data ----------------------------------------------------------------------------


def test_moments_of_known_curves():
    square = np.tile([0.0, 2.0], 50)
    spike = np.eye(100)[0]
    got = pulsar_data.moments(np.stack([square, spike, np.full(100, 3.0)]))
    np.testing.assert_allclose(got[0], [1.0, 1.0, -2.0, 0.0], atol=1e-12)
    p = 0.01  # a Bernoulli variable
    skewness, kurtosis = (1 - 2 * p) / math.sqrt(p * (1 - p)), (1 - 6 * p * (1 - p)) / (p * (1 - p))
    np.testing.assert_allclose(got[1], [p, math.sqrt(p * (1 - p)), kurtosis, skewness])
    np.testing.assert_array_equal(got[2], [3.0, 0.0, 0.0, 0.0])


def test_the_response_to_a_wrong_dispersion_measure():
    offset = np.linspace(-200.0, 200.0, 401)
    response = pulsar_data.dispersed_response(offset, np.array(20.0))
    assert response[200] == pytest.approx(1.0)
    np.testing.assert_allclose(response, response[::-1])
    assert np.all(np.diff(response[200:]) < 0)
    # zeta = 1 at this offset, for a pulse of 20 ms
    at_one = 20.0 * 1.352**3 / (6.91e-3 * 340.0)
    expected = math.sqrt(math.pi) / 2 * math.erf(1.0)
    got = pulsar_data.dispersed_response(np.array(at_one), np.array(20.0))
    assert float(got) == pytest.approx(expected)


def test_simulated_candidates_look_like_a_survey(candidates):
    features, labels = candidates.features, candidates.labels
    column = dict(zip(candidates.names, features.T, strict=True))
    assert features.shape == (1200, 8)
    assert labels.sum() == 600
    assert np.isfinite(features).all()
    for curve in ("profile", "dmsnr"):
        floor = column[f"{curve}_skewness"] ** 2 - 2
        assert np.all(column[f"{curve}_kurtosis"] >= floor - 1e-9)
        assert np.all((column[f"{curve}_mean"] >= 0) & (column[f"{curve}_mean"] <= 255))
    pulsar, other = (
        {name: np.median(values[labels == label]) for name, values in column.items()}
        for label in (1, 0)
    )
    # a narrow pulse on a low baseline, and a broad hump over the dispersion measures
    assert pulsar["profile_skewness"] > 1 > abs(other["profile_skewness"])
    assert pulsar["profile_mean"] < 90 < other["profile_mean"] < 140
    assert pulsar["dmsnr_mean"] > 3 * other["dmsnr_mean"]
    assert pulsar["dmsnr_kurtosis"] < other["dmsnr_kurtosis"]


def test_standardised_features(inputs):
    np.testing.assert_allclose(inputs[0].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(inputs[0].std(axis=0), 1)
    np.testing.assert_array_equal(pulsar_data.standardise(np.ones((3, 2))), np.zeros((3, 2)))


def test_the_most_telling_pair():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 200)
    X = rng.normal(size=(400, 8))
    X[:, 2] += 3 * labels
    X[:, 5] += 2 * labels
    X[:, 6] = X[:, 2]  # as telling as column 2, but tells the same
    assert pulsar_plots.telling_pair(X, labels) in {(2, 5), (5, 6)}


def test_axis_labels():
    assert pulsar_plots.readable("ip_kurtosis") == "pulse profile: excess kurtosis"
    assert pulsar_plots.readable("dmsnr_mean") == "DM-SNR curve: mean (8-bit counts)"
    assert pulsar_plots.readable("flux") == "flux"
