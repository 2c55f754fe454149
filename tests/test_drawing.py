"""Pictures of computations: what they say, where things stand, and the files."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fgrad
from fgrad import draw, errors
from fgrad.drawing.layout import layered
from fgrad.drawing.network import summary


def expression(a, b):
    """A scalar expression whose value and derivatives are known."""
    c, d = a + b, a * b + b**3
    c = c + (c + 1)
    c = c + (1 + c - a)
    d = d + (d * 2 + np.maximum(b + a, 0))
    d = d + (3 * d + np.maximum(b - a, 0))
    e = c - d
    f = e**2
    return f / 2 + 10 / f


def deep(params, x):
    for w in params:
        x = np.tanh(x @ w + 0.1)
    return np.sum(x)


def test_values_and_derivatives_stand_at_each_box():
    picture = draw(expression, -4.0, 2.0, grads=True)
    a, b = picture.network.boxes[:2]
    assert (a.title, a.lines) == ("a", ["float64", "-4", "∂ 138.83"])
    assert (b.title, b.lines) == ("b", ["float64", "2", "∂ 645.58"])
    top, result = picture.network.boxes[-2:]
    assert (top.title, top.lines) == ("+", ["float64", "24.704", "∂ 1"])
    assert result.title == "result"


def test_an_array_of_one_value_is_said_once():
    assert summary(np.ones((3, 3))) == "all 1"
    assert summary(np.full(9, -0.0)) == "all 0"
    assert summary(np.array([-0.0, 1, 2, 3, 4])) == "0 \N{HORIZONTAL ELLIPSIS} 4"


def test_derivatives_inside_are_those_of_the_rest_of_the_function():
    x = np.array([0.3, -1.2])
    picture = draw(lambda x: np.sum(np.exp(np.sin(x)) * 2.0), x, grads=True)
    sine = next(box for box in picture.network.boxes if box.title == "sin")
    slope = fgrad.grad(lambda s: np.sum(np.exp(s) * 2.0))(np.sin(x))
    assert sine.lines[-1] == f"∂ {summary(slope)}"


def test_numbers_stand_in_the_operation():
    picture = draw(lambda x: (10 / (x - 1.5)) ** 3 + np.maximum(2.0 * x, 0.0), 1.0)
    titles = [box.title for box in picture.network.boxes]
    assert titles == ["x", "\N{MINUS SIGN} 1.5", "10 ÷", "x^3", "2 \N{MULTIPLICATION SIGN}",
                      "maximum 0", "+", "result"]  # fmt: skip


def test_names_are_those_of_the_arguments():
    picture = draw(lambda params, x, *, scale: params["w"] @ x * scale,
                   {"w": np.ones((2, 3)), "b": 1.0}, np.ones(3), scale=2.0)  # fmt: skip
    titles = [box.title for box in picture.network.boxes if box.kind == "input"]
    assert titles == ["params['w']", "params['b']", "x", "scale"]


def test_repetitions_are_one_box():
    params = [np.eye(4)] * 12
    picture = draw(lambda x: deep(params, x), np.ones((3, 4)))
    titles = [box.title for box in picture.network.boxes]
    assert titles == ["x", "12 \N{MULTIPLICATION SIGN}", "sum", "result"]
    assert picture.network.boxes[1].lines[0] == "@ → + 0.1 → tanh"
    whole = draw(lambda x: deep(params, x), np.ones((3, 4)), collapse=False)
    assert sum(b.title == "tanh" for b in whole.network.boxes) == 12


def block(params, x):
    """A stretch of 13 operations."""
    y = np.tanh(x @ params["in"]) * np.cos(x) + np.exp(-x * x)
    y = y - np.mean(y, axis=-1, keepdims=True)
    y = np.sqrt(y * y + 1.0) / 2.0
    return x + y @ params["out"]


@pytest.mark.parametrize("times", [2, 4])
def test_a_long_repetition_is_a_box_below_its_first_time(times):
    params = {f"block_{k}": {"in": np.eye(4), "out": np.eye(4)} for k in range(times)}

    def net(params, x):
        for p in params.values():
            x = block(p, x)
        return np.sum(np.log(np.cosh(x)))

    x = np.ones((3, 4))
    picture = draw(net, params, x, grads=True)
    (again,) = [box for box in picture.network.boxes if box.kind == "repeated"]
    whole = draw(net, params, x, grads=True, collapse=False)
    length = sum(b.kind == "operation" for b in whole.network.boxes[:-4]) // times
    often = f"{times - 1} \N{MULTIPLICATION SIGN} " if times > 2 else ""
    assert again.title == f"{often}the same again"
    assert again.lines[0] == f"the {length} operations above"
    # its value and derivative are those of the last operation that it stands for
    last = [box for box in whole.network.boxes if box.kind == "operation"][-4]
    assert again.lines[1:] == last.lines
    assert [b.title for b in picture.network.boxes].count("cos") == 1
    inputs = [box.title for box in picture.network.boxes if box.kind == "input"]
    if times == 4:
        assert inputs == ["params['block_0']['in']", "params['block_0']['out']", "6 inputs", "x"]
    into = {a.title for a, b, _ in picture.network.arrows if b is again}
    assert ("6 inputs" in into) == (times == 4)


def test_what_only_looks_alike_is_not_collapsed():
    def net(x, w):
        for k in range(2):
            for _ in range(4):
                y = np.tanh(x) * np.cos(x)
                x = y @ w if k == 0 else w @ y
        return np.sum(x)

    picture = draw(net, np.eye(3), np.eye(3))
    assert not [b for b in picture.network.boxes if b.title == "the same again"]


@given(st.data())
def test_layouts_have_no_overlaps_and_point_down(data):
    n = data.draw(st.integers(1, 12))
    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
    arrows = [(min(p), max(p)) for p in data.draw(st.lists(pairs, max_size=20)) if p[0] != p[1]]
    sizes = [(data.draw(st.floats(5, 200)), data.draw(st.floats(5, 80))) for _ in range(n)]
    plan = layered(sizes, arrows, [0] * len(arrows))
    boxes = [(x, y, w, h) for (x, y), (w, h) in zip(plan.centre, sizes, strict=True)]
    for i, (x, y, w, h) in enumerate(boxes):
        assert x - w / 2 >= -1e-9
        assert x + w / 2 <= plan.width + 1e-9
        assert y + h / 2 <= plan.height + 1e-9
        for u, v, p, q in boxes[:i]:
            assert abs(x - u) >= (w + p) / 2 - 1e-6 or abs(y - v) >= (h + q) / 2 - 1e-6
    for (a, b), route in zip(arrows, plan.routes, strict=True):
        assert boxes[a][1] < boxes[b][1]
        heights = [y for _, y in route]
        assert heights == sorted(heights)


def test_svg_is_well_formed_and_notebooks_show_it():
    picture = draw(lambda x: x < 1, np.ones(3))
    root = ET.fromstring(picture._repr_svg_())
    text = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "less 1" in text
    assert "0 of 3 true" in text


@pytest.mark.parametrize("ending", ["svg", "png", "pdf", "dot"])
@pytest.mark.parametrize("program", [True, False])
def test_files(tmp_path, monkeypatch, ending, program):
    if not program:
        monkeypatch.setattr(shutil, "which", lambda name: None)
    path = tmp_path / f"picture.{ending}"
    draw(expression, -4.0, 2.0, grads=True).save(path)
    start = path.read_bytes()[:8]
    wanted = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph"}
    assert start.startswith(wanted[ending])


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(errors.ArgumentError, match=r"\.svg, \.png, \.pdf or \.dot.*\n.*gif.*\n"):
        draw(np.sin, 1.0).save(tmp_path / "picture.gif")
    assert not list(tmp_path.iterdir())


def test_dot_quotes_what_users_write():
    text = draw(lambda t: t['a"b\\'], {'a"b\\': 1.0}).dot()
    assert re.search(r'label="t\[.a\\"b', text)
