"""Pictures of computations: what they say, where things stand, and the files."""

from __future__ import annotations

import re
import shutil
import stat
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fgrad
import fgrad_nn as nn
from fgrad import draw, errors, random
from fgrad.drawing.arranging import arranged
from fgrad.drawing.contents import summary
from fgrad.drawing.layout import layered


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


# ------------------------------------------------------------------ calls
def affine(p, x):
    return x @ p["w"] + p["b"]


class Norm:
    def __call__(self, x):
        centred = x - np.mean(x, axis=-1, keepdims=True)
        return centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + 1e-6)


norm = Norm()


def layer(p, x):
    return x + np.tanh(affine(p, norm(x)))


def model(params, x):
    for p in params:
        x = layer(p, x)
    return np.mean(x**2)


PARAMS = [{"w": np.eye(4), "b": np.zeros(4)} for _ in range(6)]
TITLES = {1: ["layer"], 2: ["Norm", "affine", "tanh", "+"]}


@pytest.mark.parametrize("depth", [1, 2])
def test_calls_are_boxes(depth):
    picture = draw(model, PARAMS[:2], np.ones((3, 4)), depth=depth)
    boxes = [b for b in picture.network.boxes if b.kind in ("operation", "call")]
    assert [b.title for b in boxes][:-2] == TITLES[depth] * 2
    first = boxes[0]
    assert first.lines[0] == f"{11 if depth == 1 else 7} operations"
    (kept,) = (b for b in picture.network.boxes if b.title == "params[0]")
    assert kept.lines == ["['w'] [4, 4]", "['b'] [4]", "0 … 1"]


def test_what_would_be_too_many_boxes_is_drawn_by_calls():
    few = draw(model, PARAMS[:3], np.ones((3, 4)))
    assert not [b for b in few.network.boxes if b.kind == "call"]

    def uneven(params, x):  # so that nothing is repeated
        for k, p in enumerate(params):
            x = layer(p, x) if k % 2 else layer(p, np.sin(x) * (k + 1.0))
            x = x[:, :3] if k == 2 else x
            x = np.concatenate([x, x[:, :1]], axis=1) if k == 2 else x
        return np.mean(x)

    picture = draw(uneven, PARAMS, np.ones((3, 4)))
    calls = [b.title for b in picture.network.boxes if b.kind == "call"]
    assert calls.count("layer") >= 1
    assert len([b for b in picture.network.boxes if b.kind in ("call", "operation")]) <= 24


def test_layers_of_fgrad_nn_are_calls():
    net = nn.serial(nn.dense(3), nn.layer_norm(), nn.dense(2))
    params = net.init(random.key(0), (-1, 4))[1]
    picture = draw(lambda p, x: np.sum(net.apply(p, x)), params, np.ones((5, 4)), depth=1)
    calls = [b.title for b in picture.network.boxes if b.kind == "call"]
    assert calls == ["dense", "layer_norm", "dense"]


def test_comprehensions_are_no_calls():
    picture = draw(lambda x: sum([np.sin(x) * k for k in range(2)]), 1.0, depth=1)
    assert not [b for b in picture.network.boxes if b.kind == "call"]


# ------------------------------------------------------------------ the way back
def test_the_way_back_has_the_derivatives():
    picture = draw(expression, -4.0, 2.0, backward=True)
    net = picture.network
    a, b = net.boxes[:2]
    assert net.twins[a].lines[:2] == ["float64", "∂ 138.83"]
    assert net.twins[b].lines[:3] == ["float64", "∂ 645.58", "sum of 5"]
    assert a.lines == ["float64", "-4"]
    assert repr(picture).endswith(f", and {len(net.twins)} boxes of the way back>")
    forward = [(a, b) for a, b, _ in net.arrows]
    assert sorted(map(id, (p for a, b in forward for p in (net.twins[b], net.twins[a])))) == sorted(
        map(id, (p for pair in net.back for p in pair))
    )
    start = [a for a, _ in net.back if a.title == "1"]
    assert len(start) == 1


def test_the_way_back_says_what_it_computes_and_reads():
    def f(w, x):
        return np.sum(np.tanh(w @ x) + w)

    net = draw(f, np.ones((3, 3)), np.ones((3, 3)), backward=True).network
    box = {b.title: b for b in net.boxes}
    reads = {
        title: {a.title for a, twin in net.kept if twin is net.twins.get(b)}
        for title, b in box.items()
    }
    assert reads == {"w": set(), "x": set(), "@": {"w", "x"}, "tanh": {"tanh"}, "+": set(),
                     "sum": set(), "result": set()}  # fmt: skip
    back = {t: net.twins[b].lines[-1] for t, b in box.items() if b.equations}
    assert back["@"].count("@") == 2
    assert "\N{MULTIPLICATION SIGN}" in back["tanh"]
    assert back["+"] == "back: as it is"


def test_what_has_no_derivative_has_no_way_back():
    net = draw(lambda x, i: np.sum(x[i]) * np.sum(i > 0), np.ones(3), np.array([0, 2]),
               backward=True).network  # fmt: skip
    without = {b.title for b in net.boxes if b not in net.twins}
    assert {"i", "greater 0"} <= without
    assert "x" not in without


def test_a_result_without_a_derivative_has_no_way_back():
    for f in (lambda x: x > 0, lambda x: 2.0):
        assert draw(f, 1.0, backward=True).network.twins == {}


def test_rules_that_cant_be_recorded_are_said_to_be_rules():
    def halves(g, ans, x):
        return (g * float(x) / 2,)

    f = fgrad.external(lambda x: np.asarray(x) ** 2 / 4, vjp=halves)
    net = draw(lambda x: f(x) * 3.0, 2.0, backward=True).network
    lines = [t.lines for b, t in net.twins.items() if b.equations]
    assert ["float64", "∂ 3", "back: its rule"] in lines


def test_the_way_back_is_a_mirror():
    net = draw(deep, [np.eye(3)] * 2, np.ones((2, 3)), backward=True, collapse=False).network
    plan = arranged(net)
    at = {box: place for box, place, _ in plan.boxes}
    for box, twin in net.twins.items():
        assert at[box][1] == at[twin][1]
        assert at[box][0] < plan.width / 2 < at[twin][0]
    assert {line.style for line in plan.lines} == {"forward", "back", "kept"}
    for line in plan.lines:
        if line.style == "back":
            assert line.end[1] < line.start[1]
    text = [t for t, _ in plan.headings]
    assert [t.split()[0] for t in text] == ["forward", "backward"]


def test_gathered_inputs_say_the_range_of_all():
    picture = draw(lambda p, x: np.sum(affine(p, x)), PARAMS[0], np.ones((2, 4)), depth=1,
                   backward=True)  # fmt: skip
    (box,) = (b for b in picture.network.boxes if b.gathered)
    assert box.title == "p"
    assert picture.network.twins[box].lines == ["∂ all 2"]


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


ENDINGS = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph"}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("program", [True, False])
def test_files(tmp_path, monkeypatch, ending, program):
    if not program:
        monkeypatch.setattr(shutil, "which", lambda name: None)
    path = tmp_path / f"picture.{ending}"
    draw(lambda a: np.exp(a) / 2 + a**2, 2.0, backward=True).save(path)
    assert path.read_bytes()[:8].startswith(ENDINGS[ending])


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script with #!")
@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_how_the_program_of_graphviz_is_called(tmp_path, monkeypatch, ending):
    """A program that writes down what it was asked for."""
    program = tmp_path / "bin" / "dot"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        "name = sys.argv[sys.argv.index('-o') + 1]\n"
        "open(name, 'w').write('\\n'.join([*sys.argv[1:], sys.stdin.read()]))\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent))
    picture = draw(np.sin, 1.0, backward=True)
    path = tmp_path / f"picture.{ending}"
    picture.save(path)
    form, dpi, flag, name, *text = path.read_text().splitlines()
    assert (form, dpi, flag, name) == (f"-T{ending}", "-Gdpi=144", "-o", str(path))
    assert "\n".join(text) == picture.dot()


def test_dot_has_the_way_back():
    text = draw(np.tanh, 1.0, backward=True).dot()
    assert text.count("dir=back") == 2
    assert text.count("style=dashed") == 1
    assert text.count("rank=same") == 3


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(errors.ArgumentError, match=r"\.svg, \.png, \.pdf or \.dot.*\n.*gif.*\n"):
        draw(np.sin, 1.0).save(tmp_path / "picture.gif")
    assert not list(tmp_path.iterdir())


def test_dot_quotes_what_users_write():
    text = draw(lambda t: t['a"b\\'], {'a"b\\': 1.0}).dot()
    assert re.search(r'label="t\[.a\\"b', text)
