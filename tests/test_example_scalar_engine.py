"""The example of the scalar expression: its numbers, its drawing, the moons."""

from __future__ import annotations

import numpy as np
import pytest
import scalar_engine
from matplotlib.image import imread

import fgrad

A, B = scalar_engine.A, scalar_engine.B


@pytest.fixture(scope="module")
def graph():
    return fgrad.make_graph(scalar_engine.expression)(A, B)


def test_the_value_and_the_derivatives_are_those_known():
    assert f"{scalar_engine.expression(A, B):.4f}" == "24.7041"
    slopes = fgrad.grad(scalar_engine.expression, (0, 1))(A, B)
    assert [f"{slope:.4f}" for slope in slopes] == ["138.8338", "645.5773"]


def test_each_derivative_is_the_sum_over_the_ways_on(graph):
    """The chain rule: what a node passes on times the slope there, summed; also the inputs."""
    values = scalar_engine.all_values(graph, A, B)
    slopes = scalar_engine.all_slopes(graph, A, B)
    assert list(values) == [*graph.inputs, *(e.outputs[0] for e in graph.equations)]
    sums = dict.fromkeys(values, 0.0) | {graph.outputs[0]: 1.0}
    for equation in reversed(graph.equations):
        name, out = equation.primitive.name, equation.outputs[0]
        operands = [values.get(x, getattr(x, "value", None)) for x in equation.operands]
        partials = {
            "add": lambda x, y: (1.0, 1.0),
            "subtract": lambda x, y: (1.0, -1.0),
            "multiply": lambda x, y: (y, x),
            "divide": lambda x, y: (1 / y, -x / y**2),
            "power": lambda x, y: (y * x ** (y - 1), None),
            "relu": lambda x: (float(x > 0),),
        }[name](*operands)
        for x, partial in zip(equation.operands, partials, strict=True):
            if x in sums:
                sums[x] += sums[out] * partial
    for variable in values:
        assert slopes[variable] == pytest.approx(sums[variable], rel=1e-12)


def test_labels_are_the_graph_as_it_is_printed(graph):
    labels = scalar_engine.labels(graph)
    assert len(labels) == 2 + len(graph.equations)
    for text in ("a", "c = a + b", "e = b ** 3", "n = relu(m)", "y = 10 / w"):
        assert text in labels.values()


def test_the_loss_of_the_moons():
    _, params = scalar_engine.network.init(fgrad.random.key(0), (-1, 2))
    X, signs = np.random.default_rng(0).normal(size=(5, 2)), np.array([1.0, -1, -1, 1, 1])
    (W1, b1), (W2, b2), (W3, b3) = ((p["weight"], p["bias"]) for p in params.values())
    scores = (np.maximum(np.maximum(X @ W1 + b1, 0) @ W2 + b2, 0) @ W3 + b3)[:, 0]
    expected = np.mean(np.maximum(0, 1 - signs * scores))
    expected += 1e-4 * sum(np.sum(p**2) for p in (W1, b1, W2, b2, W3, b3))
    assert scalar_engine.loss(params, X, signs) == pytest.approx(expected, rel=1e-12)


def test_the_program(tmp_path, capsys):
    assert scalar_engine.main(["--quick", "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    for text in ("24.7041", "138.8338", "645.5773", "337 parameters"):
        assert text in printed
    assert printed.split("the end")[1].split()[3] == "100.0%"
    for name in ("expression.png", "moons.png"):
        assert imread(tmp_path / "new" / name).std() > 0.05
