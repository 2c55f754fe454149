"""`profile`: time, memory and arithmetic by line and operation, as a table and as flame graphs."""

import io
import json
import time
from types import SimpleNamespace

import numpy as np
import pytest
import rich.console

import fgrad
from fgrad import checkpoint, grad, jit, jvp, scan, value_and_grad, vmap
from fgrad.compiler.native import available
from fgrad.debug import profile, saved_residuals
from fgrad.debug.flops import flops
from fgrad.debug.noted import MARK, noted
from fgrad.errors import ArgumentError

RNG = np.random.default_rng(0)
P = {"w": RNG.normal(size=(30, 20)), "b": np.zeros(20), "v": RNG.normal(size=20)}
X = RNG.normal(size=(40, 30))


def loss(p, x):
    h = np.tanh(x @ p["w"] + p["b"])  # hidden
    y = h @ p["v"]  # out
    return np.mean((y - 1.0) ** 2)


def rows_of(p):
    return {(r.phase, r.operation, r.source.partition("# ")[2]): r for r in p.rows}


def test_rows():
    p = profile(grad(loss), P, X, repeats=2)
    rows = rows_of(p)
    forward = rows["forward", "matmul", "hidden"]
    assert forward.flops == 2 * 40 * 30 * 20
    assert forward.calls == 1
    assert forward.line.file == __file__
    assert rows["forward", "tanh", "hidden"].flops == 40 * 20
    assert rows["forward", "tanh", "hidden"].saved == 8 * 40 * 20
    assert rows["backward", "matmul", "hidden"].flops == 2 * 40 * 30 * 20
    assert rows["backward", "matmul", "out"].flops == 40 * 20 + 2 * 40 * 20
    assert all(r.seconds >= 0 for r in p.rows)
    assert p.repeats == 2
    assert list(p.rows) == sorted(p.rows, key=lambda r: -r.seconds)
    assert sum(r.saved for r in p.rows) == p.saved
    assert sum(r.flops for r in p.rows) == p.flops
    lines = p.by_line()
    assert len(lines) == 3
    assert sum(r.flops for r in lines) == p.flops
    assert sum(r.calls for r in lines) == sum(r.calls for r in p.rows)


def memory(residuals):
    kept = {}
    for r in residuals:
        kept[r.owner] = max(kept.get(r.owner, 0), r.nbytes)
    return sum(kept.values())


def looped(p, x):
    return scan(lambda c, row: (np.tanh(c @ p["w"][:20] + row[:20]), None), p["b"], x[:8])[0].sum()


def long(p, x):
    return scan(lambda c, row: (np.tanh(c @ p["w"][:20] + row[:20]), None), p["b"], x[:8],
                checkpoint_every=3)[0].sum()  # fmt: skip


@pytest.mark.parametrize(
    "f", [loss, looped, long, checkpoint(loss), jit(loss), lambda p, x: np.sum(p["w"])]
)
def test_memory_is_that_of_saved_residuals(f):
    want = memory(saved_residuals(lambda p: f(p, X), P))
    for made in (grad(f), value_and_grad(f), lambda p, x: fgrad.vjp(lambda p: f(p, x), p)[1](1.0)):
        p = profile(made, P, X, repeats=1)
        assert p.saved == want


def test_time_is_found_where_it_is_spent():
    def slow(x):
        time.sleep(0.02)
        return np.sin(x)

    slow_sin = fgrad.external(slow, vjp=lambda g, ans, x: (g * np.cos(x),))
    p = profile(grad(lambda x: np.exp(slow_sin(x))), 1.0, repeats=3)
    assert p.rows[0].seconds > 0.019
    assert p.rows[0].operation == "slow"
    assert p.rows[0].flops is None
    assert p.seconds > 0.019
    assert p.rest < p.seconds / 2

    def sleepy(x):
        time.sleep(0.02)
        return np.sin(x)

    p = profile(grad(sleepy), 1.0, repeats=3)
    assert p.rest > 0.015
    assert all(r.seconds < 0.019 for r in p.rows)


def test_medians():
    """One run in five that is slow doesn't count."""
    runs = iter([0.0] * 4 + [0.05] + [0.0] * 100)

    def f(x):
        time.sleep(next(runs))
        return x * x

    assert profile(f, 2.0, repeats=5).seconds < 0.02


def test_other_transformations():
    rows = rows_of(profile(lambda p: jvp(lambda p: loss(p, X), (p,), (p,)), P, repeats=1))
    assert ("tangent", "tanh", "hidden") in rows
    p = profile(vmap(grad(loss), (None, 0)), P, np.stack([X, X]), repeats=1)
    assert rows_of(p)["forward", "matmul", "hidden"].flops == 2 * 2 * 40 * 30 * 20
    p = profile(lambda: grad(loss)(P, X), repeats=1)
    assert rows_of(p)["forward", "matmul", "hidden"].calls == 1
    p = profile(lambda x: x, 1.0, repeats=1)
    assert p.rows == ()


# ------------------------------------------------------------------ compiled functions
def test_rows_of_a_compiled_function_are_the_users_lines():
    f = jit(grad(loss))
    p, eager = profile(f, P, X, repeats=2), profile(grad(loss), P, X, repeats=2)
    assert p.name == eager.name
    rows = rows_of(p)
    for key in (("forward", "matmul", "hidden"), ("backward", "matmul", "hidden"),
                ("forward", "tanh", "hidden"), ("forward", "matmul", "out")):  # fmt: skip
        assert rows[key].flops == rows_of(eager)[key].flops
        assert rows[key].line == rows_of(eager)[key].line
    assert set(rows) <= set(rows_of(eager))
    assert all(r.seconds >= 0 for r in p.rows)
    assert rows["forward", "matmul", "hidden"].calls == 1
    # x, which the derivative of w reads; w isn't differentiated through.
    assert rows["forward", "matmul", "hidden"].saved == X.nbytes
    assert rows["forward", "tanh", "hidden"].saved == 8 * 40 * 20
    leaves = [stack[-1] for stack in p.stacks]
    assert any("x_.dot(" in leaf for leaf in leaves)
    assert all(leaf in f.source(P, X) for leaf in leaves)
    np.testing.assert_allclose(f(P, X)["w"], grad(loss)(P, X)["w"])


def test_the_program_is_the_one_that_runs():
    f = jit(grad(loss))
    f(P, X)
    (spec,) = f._specs
    made = noted(f, spec, (P, X), {})
    marked = made.root.source.splitlines()
    assert [line.partition(MARK)[0] for line in marked] == f.source(P, X).splitlines()
    assert any(MARK in line for line in marked)
    assert f._specs == [spec]


def test_paths_of_compiled_functions():
    f = jit(lambda x: np.sum(np.sin(x)) if np.sum(x) > 0 else np.sum(np.cos(x)))
    x = np.ones(1000)
    f(-x)
    for y, used, unused in ((x, "sin", "cos"), (-x, "cos", "sin")):
        operations = {r.operation for r in profile(f, y, repeats=1).rows}
        assert used in operations
        assert unused not in operations
        assert {"sum", "greater"} <= operations

    def kept(x):
        y = np.exp(x)  # there for both
        return np.sum(y * y) if np.sum(y) > 0 else np.sum(y)

    rows = rows_of(profile(jit(grad(kept)), x, repeats=1))
    assert rows["forward", "exp", "there for both"].saved == x.nbytes


def stepped(x):
    def step(c, x):
        return np.tanh(c * x), None  # step

    return scan(step, np.ones(30), x)[0].sum()


def test_loops_of_compiled_functions():
    x = np.ones((10, 30))
    for f, phases in ((stepped, ["forward"]), (grad(stepped), ["forward", "backward"])):
        rows = rows_of(profile(jit(f), x, repeats=1))
        for name in ("multiply", "tanh"):
            for phase in phases:
                row = rows[phase, name, "step"]
                assert row.flops >= 300  # of all steps
                assert row.calls >= 1
    assert rows["forward", "tanh", "step"].saved >= 9 * 30 * 8


def large(x):
    y = np.sin(x) * x  # a
    y = np.exp(y) - x  # b
    return np.mean(y * y)  # c


def test_blocks_of_compiled_functions():
    x = np.linspace(-1.0, 1.0, 1 << 17)
    p = profile(jit(grad(large), threads=2), x, repeats=1)
    rows = rows_of(p)
    assert rows["forward", "sin", "a"].flops == x.size
    assert rows["forward", "exp", "b"].flops == x.size
    assert rows["backward", "sin", "a"].flops >= x.size
    assert rows["forward", "sin", "a"].calls >= 2  # blocks
    assert rows["forward", "sin", "a"].seconds > 0
    assert p.saved == x.nbytes  # what stays inside of the loop is never an array


def within(x):
    with np.errstate(all="ignore"):
        return np.sum(np.log(x))


def test_compiled_functions_that_set_errstate():
    rows = profile(jit(within), np.ones(100), repeats=1).rows
    assert {r.operation for r in rows} == {"log", "sum"}


@pytest.mark.skipif(available() is not None, reason=str(available()))
@pytest.mark.parametrize(("f", "x"), [(large, np.ones(5000)), (stepped, np.ones((10, 30)))])
def test_machine_code(f, x):
    """One statement's time is that of all its operations; their arithmetic is what it was."""
    made = jit(grad(f), backend="native")
    p = profile(made, x, repeats=1)
    rows = rows_of(p)
    name, line = ("exp", "b") if f is large else ("tanh", "step")
    assert rows["forward", name, line].flops == x.size
    assert rows["backward", name, line].flops >= x.size
    assert rows["forward", name, line].seconds > 0
    assert "# ---- machine code" in made.source(x)


def test_compiled_functions_inside_of_others():
    inner = jit(loss)
    p = profile(lambda p, x: 2 * inner(p, x), P, X, repeats=1)
    rows = rows_of(p)
    assert rows["forward", "tanh", "hidden"].flops == 800
    assert not any(r.operation == "jit" for r in p.rows)
    (stack,) = (s for s in p.stacks if s[-2] == "tanh")
    assert [name.partition(" ")[0] for name in stack[:-1]] == [
        "forward", "<lambda>", "loss", "tanh"]  # fmt: skip

    step = jit(grad(loss))
    p = profile(lambda p, x: [p[k] - 0.1 * g for k, g in step(p, x).items()], P, X, repeats=1)
    rows = rows_of(p)
    assert rows["backward", "matmul", "hidden"].flops == 2 * 40 * 30 * 20
    assert ("forward", "subtract", "") in rows


def test_derivatives_of_compiled_functions():
    inner = jit(loss)
    p = profile(grad(lambda p, x: 2 * inner(p, x)), P, X, repeats=1)
    rows = rows_of(p)
    assert rows["forward", "matmul", "hidden"].flops == 2 * 40 * 30 * 20
    assert rows["backward", "matmul", "hidden"].flops == 2 * 40 * 30 * 20
    assert rows["backward", "tanh", "hidden"].flops == 2400
    # What reverse mode keeps, it keeps of the operation that the function is to it.
    (kept,) = (r for r in p.rows if r.operation == "jit")
    assert (kept.calls, kept.saved > 0) == (0, True)


def test_what_is_not_compiled_is_one_operation():
    def f(x):
        return inner(x) + outside.value

    inner = jit(lambda x: np.sin(x) * outside.value)
    outside = SimpleNamespace(value=2.0)

    def g(y):
        outside.value = y
        return f(np.ones(3)).sum()

    rows = profile(grad(g), 1.0, repeats=1).rows
    assert {r.phase for r in rows} == {"forward", "backward"}


# ------------------------------------------------------------------ what it shows
def test_table(capsys):
    p = profile(grad(loss), P, X, repeats=1)
    text = str(p)
    assert text.startswith("loss (")
    head = text.splitlines()[1].split()
    assert head == ["time", "share", "calls", "saved", "Mflop", "Gflop/s", "phase", "operation",
                    "line", "source"]  # fmt: skip
    assert "Python, and fgrad itself" in text.splitlines()[-1]
    assert 'h = np.tanh(x @ p["w"] + p["b"])  # hidden' in text
    assert repr(p).startswith("<profile of loss")
    assert p._repr_markdown_().count("\n|") >= len(p.cells())
    p.show()
    assert "operation" in capsys.readouterr().out


def test_table_without_rich(capsys, monkeypatch):
    p = profile(grad(loss), P, X, repeats=1)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    p.show()
    assert capsys.readouterr().out == f"{p}\n"


@pytest.mark.parametrize("f", [grad(loss), jit(grad(loss))])
def test_the_table_of_rich_keeps_its_columns(f):
    p = profile(f, P, X, repeats=1)
    for width in (90, 160):
        out = io.StringIO()
        rich.console.Console(file=out, width=width).print(p)
        head, *rows = out.getvalue().splitlines()
        every, *cells = p.cells()
        shown = [name for k, name in enumerate(every) if any(row[k] for row in cells)]
        assert head.split() == shown
        assert all(len(row.rstrip()) <= width for row in rows)
        assert "share" in shown
        assert any("matmul" in row or "dot" in row for row in rows)


def test_flame_graphs(tmp_path):
    def model(p, x):
        return loss(p, x)

    p = profile(grad(model), P, X, repeats=1)
    path = tmp_path / "x.speedscope.json"
    p.save(path)
    data = json.loads(path.read_text())
    assert data["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    (one,) = data["profiles"]
    names = [frame["name"] for frame in data["shared"]["frames"]]
    assert one["type"] == "sampled"
    assert len(one["samples"]) == len(one["weights"]) == len(p.stacks)
    assert one["endValue"] == pytest.approx(sum(r.seconds for r in p.rows), rel=1e-6)
    stacks = [[names[k] for k in sample] for sample in one["samples"]]
    hidden = [s for s in stacks if s[1] == "forward" and s[-1] == "tanh"]
    assert [name.partition(" ")[0] for name in hidden[0]] == [
        "model", "forward", "model", "loss", "tanh"]  # fmt: skip
    path = tmp_path / "x.folded"
    p.save(str(path))
    lines = path.read_text().splitlines()
    assert len(lines) == len(p.stacks)
    for line in lines:
        stack, _, number = line.rpartition(" ")
        assert int(number) >= 1
        assert stack.split(";")[1] in ("forward", "backward")
    with pytest.raises(ArgumentError, match=r"(?s)ends with the form.*x\.svg.*speedscope\.json"):
        p.save("x.svg")


def test_errors():
    with pytest.raises(ArgumentError, match="profile wants a function"):
        profile(np.ones(2))
    for repeats in (0, True, 1.5):
        with pytest.raises(ArgumentError, match="repeats as a positive integer"):
            profile(np.sin, 1.0, repeats=repeats)
    with pytest.raises(ArgumentError, match="wants plain arguments"):
        grad(lambda x: profile(np.sin, x))(1.0)


@pytest.mark.parametrize(
    ("name", "shapes", "answer", "params", "want"),
    [
        ("matmul", [(5, 3, 2), (2, 4)], (5, 3, 4), {}, 2 * 5 * 3 * 4 * 2),
        ("matmul", [(7,), (7,)], (), {}, 14),
        ("dot", [(3, 2), (2,)], (3,), {}, 12),
        ("dot", [(), (4,)], (4,), {}, 4),
        ("outer", [(3,), (4,)], (3, 4), {}, 12),
        ("einsum", [(3, 2), (2, 4)], (3, 4), {"inputs": ("ij", "jk"), "output": "ik"}, 48),
        ("einsum", [(3, 3)], (), {"inputs": ("ii",), "output": ""}, 3),
        ("einsum", [(3, 3)], (), {"inputs": ("...i",)}, None),
        ("sum", [(3, 4)], (3,), {}, 12),
        ("add.reduce", [(3, 4)], (3,), {}, 12),
        ("logaddexp", [(3, 1), (4,)], (3, 4), {}, 12),
        ("reshape", [(3, 4)], (12,), {}, 0),
        ("linalg.inv", [(2, 3, 3)], (2, 3, 3), {}, 108),
        ("linalg.cholesky", [(3, 3)], (3, 3), {}, 9),
        ("linalg.solve", [(3, 3), (3, 2)], (3, 2), {}, 18 + 36),
        ("fft.fft", [(8,)], (8,), {}, 120),
        ("linalg.svd", [(3, 3)], (3, 3), {}, None),
        ("scan", [()], (), {}, None),
    ],
)
def test_flops(name, shapes, answer, params, want):
    assert flops(name, shapes, answer, params) == want
