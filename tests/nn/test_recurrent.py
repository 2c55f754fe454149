"""Recurrent cells and layers: against their formulas, step by step, and with padding."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
import fgrad_nn as nn
from fgrad import random, tree
from fgrad.testing import check_grads, check_vmap
from fgrad_nn.layers.gates import gru_gates, lstm_gates

KEY = random.key(0)
T, N, F = 5, 3, 2
CELLS = {
    "rnn": nn.rnn_cell(F),
    "relu": nn.rnn_cell(F, nn.relu),
    "lstm": nn.lstm_cell(F),
    "peephole": nn.lstm_cell(F, peephole=True),
    "gru": nn.gru_cell(F),
    "mgu": nn.mgu_cell(F),
    "stacked": nn.stacked_cell(nn.gru_cell(4), nn.lstm_cell(F)),
}
CELL = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)


def start(cell, seed=0, dtype=np.float64):
    """Parameters that are nowhere zero, and inputs of shape (2, T, N)."""
    rng = np.random.default_rng(seed)
    _, params = cell.init(KEY, (-1, N), dtype)
    params = tree.map(lambda p: (p + 0.3 * rng.normal(size=p.shape)).astype(dtype), params)
    return params, rng.normal(size=(2, T, N)).astype(dtype)


def sigma(x):
    return 1 / (1 + np.exp(-x))


def by_formula(name, p, x):
    """What a cell makes of a sequence, of shape (T, N), by the formulas of its docstring."""
    h = c = np.zeros(F)
    for row in x:
        z = row @ p["weight"] + p["bias"]
        u = h @ p["recurrent_weight"]
        if name in ("rnn", "relu"):
            h = np.tanh(z + u) if name == "rnn" else np.maximum(z + u, 0)
        elif name in ("lstm", "peephole"):
            i, f, g, o = np.split(z + u, 4)
            w = p.get("peephole", np.zeros((3, F)))
            c = sigma(f + w[1] * c) * c + sigma(i + w[0] * c) * np.tanh(g)
            h = sigma(o + w[2] * c) * np.tanh(c)
        elif name == "gru":
            (zr, zz, zn), (ur, uz, un) = np.split(z, 3), np.split(u, 3)
            update = sigma(zz + uz)
            n = np.tanh(zn + sigma(zr + ur) * (un + p["recurrent_bias"]))
            h = (1 - update) * n + update * h
        else:
            (zf, zn), (uf, un) = np.split(z, 2), np.split(u, 2)
            f = sigma(zf + uf)
            h = (1 - f) * h + f * np.tanh(zn + f * un)
        yield h


@pytest.mark.parametrize("name", ["rnn", "relu", "lstm", "peephole", "gru", "mgu"])
def test_a_layer_computes_the_formula_of_its_cell(name):
    params, x = start(CELLS[name])
    want = [list(by_formula(name, params, row)) for row in x]
    np.testing.assert_allclose(nn.recurrent(CELLS[name]).apply(params, x), want, atol=1e-12)


@CELL
def test_a_layer_is_its_cell_step_by_step(cell):
    params, x = start(cell)
    carry, outs = cell.initial_carry((2, N)), []
    for t in range(T):
        carry, out = cell.apply(params, carry, x[:, t])
        outs.append(out)
    net = nn.recurrent(cell, return_carry=True)
    got, last = net.apply(params, x)
    np.testing.assert_allclose(got, np.stack(outs, 1), atol=1e-12)
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), last, carry)
    # ... and in two parts, the second one with the carry of the first
    first, middle = net.apply(params, x[:, :2])
    second, _ = net.apply(params, x[:, 2:], carry=middle)
    np.testing.assert_allclose(np.concatenate([first, second], 1), got, atol=1e-12)
    # ... and backwards
    turned = nn.recurrent(cell, reverse=True).apply(params, x[:, ::-1])
    np.testing.assert_allclose(turned[:, ::-1], got, atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
@CELL
def test_padding_makes_no_difference(cell, reverse):
    params, x = start(cell)
    net = nn.recurrent(cell, reverse=reverse)
    last = nn.recurrent(cell, reverse=reverse, return_sequences=False)
    lengths = np.array([2, 4])
    padded = np.where(np.arange(T)[:, None] < lengths[:, None, None], x, np.nan)
    got = net.apply(params, padded, lengths=lengths)
    for i, n in enumerate(lengths):
        np.testing.assert_allclose(got[i, :n], net.apply(params, x[i, :n]), atol=1e-12)
        assert np.all(got[i, n:] == 0)
        ends = last.apply(params, padded, lengths=lengths)[i]
        np.testing.assert_allclose(ends, last.apply(params, x[i, :n]), atol=1e-12)
    grads = fgrad.grad(lambda p, x: np.sum(net.apply(p, x, lengths=lengths) ** 2), (0, 1))
    for g in tree.leaves(grads(params, padded)):
        assert np.all(np.isfinite(g))


def test_a_mask_may_have_holes():
    params, x = start(CELLS["gru"])
    net = nn.recurrent(CELLS["gru"])
    mask = np.array([[True, False, True, True, False], [False, True, True, False, True]])
    got = net.apply(params, x, mask=mask)
    for i in range(2):
        np.testing.assert_allclose(got[i, mask[i]], net.apply(params, x[i, mask[i]]), atol=1e-12)
        assert np.all(got[i, ~mask[i]] == 0)


def test_both_directions():
    cell = CELLS["lstm"]
    net = nn.bidirectional(cell)
    _, params = net.init(KEY, (-1, T, N))
    x = start(cell)[1]
    lengths = np.array([3, 5])
    there = nn.recurrent(cell).apply(params["forward"], x, lengths=lengths)
    back = nn.recurrent(cell, reverse=True).apply(params["backward"], x, lengths=lengths)
    want = np.concatenate([there, back], -1)
    np.testing.assert_allclose(net.apply(params, x, lengths=lengths), want)
    for merge, f in {"sum": np.add, "mul": np.multiply, "mean": lambda a, b: (a + b) / 2}.items():
        got = nn.bidirectional(cell, merge=merge).apply(params, x, lengths=lengths)
        np.testing.assert_allclose(got, f(there, back))
    assert not np.allclose(params["forward"]["weight"], params["backward"]["weight"])


def test_a_learned_carry_is_where_it_begins():
    net, plain = nn.gru(F, learned_carry=True), nn.gru(F)
    _, params = net.init(KEY, (-1, T, N))
    params["carry"] = np.array([0.3, -0.2])
    x = start(CELLS["gru"])[1]
    own = {k: v for k, v in params.items() if k != "carry"}
    want = plain.apply(own, x, carry=np.tile(params["carry"], (2, 1)))
    np.testing.assert_allclose(net.apply(params, x), want)
    assert np.any(fgrad.grad(lambda p: np.sum(net.apply(p, x)))(params)["carry"] != 0)


@pytest.mark.parametrize("options", [{}, {"lengths": np.array([2, 4])}], ids=["all", "lengths"])
@CELL
def test_derivatives(cell, options):
    if cell is CELLS["relu"]:
        return  # it has kinks
    net = nn.recurrent(cell, return_carry=True)
    check_grads(lambda p, x: net.apply(p, x, **options), start(cell), order=1)


def test_gates_have_all_derivatives():
    rng = np.random.default_rng(1)
    z, c = rng.normal(size=(2, 8)), rng.normal(size=(2, 2))
    check_grads(lstm_gates, (z, c), order=2)
    check_vmap(lstm_gates, (z, c))
    x, u = rng.normal(size=(2, 2, 6))
    check_grads(gru_gates, (x, u, c), order=2)
    check_vmap(gru_gates, (x, u, c))


@CELL
def test_dtypes(cell):
    params, x = start(cell, dtype=np.float32)
    net = nn.recurrent(cell, return_carry=True)
    value = net.apply(params, x, lengths=np.array([2, 4]))
    grads = fgrad.grad(lambda p: np.sum(net.apply(p, x)[0]))(params)
    assert {a.dtype for a in tree.leaves((value, grads))} == {np.dtype(np.float32)}


def test_a_step_has_one_product():
    """What the inputs give to the gates is computed before the loop."""
    params, x = start(CELLS["lstm"])
    text = str(fgrad.make_graph(nn.recurrent(CELLS["lstm"]).apply)(params, x))
    before, loop = text.split("scan", 1)
    assert (before.count("matmul"), loop.count("matmul")) == (1, 1)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_compiled_it_is_the_same(name):
    net = nn.recurrent(CELLS[name])
    f = fgrad.value_and_grad(lambda p, x, n: np.sum(net.apply(p, x, lengths=n) ** 2))
    compiled = fgrad.jit(f)
    for seed in (0, 1):
        args = (*start(CELLS[name], seed), np.array([2 + seed, 4]))
        tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=1e-10), compiled(*args), f(*args)
        )


def test_checkpoints_change_nothing():
    params, x = start(CELLS["lstm"])
    kept, again = (nn.lstm(F, checkpoint_every=k) for k in (None, 2))
    grads = [fgrad.grad(lambda p, n=n: np.sum(n.apply(p, x) ** 2))(params) for n in (kept, again)]
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), *grads)


def test_parameters_of_stacked_cells_may_stand_in_any_order():
    params, x = start(CELLS["stacked"])
    net = nn.recurrent(CELLS["stacked"])
    again = net.apply(dict(reversed(params.items())), x)
    np.testing.assert_array_equal(again, net.apply(params, x))


def test_the_forget_gate_begins_open():
    _, params = nn.lstm_cell(2, forget_bias=1.5).init(KEY, (-1, 3))
    np.testing.assert_array_equal(params["bias"], [0, 0, 1.5, 1.5, 0, 0, 0, 0])
    u = params["recurrent_weight"]
    for gate in np.split(u, 4, axis=1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(2), atol=1e-12)


X = np.ones((2, T, N))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda n, p: n.apply(p, X[0, 0]), "a time axis.*shape \\(3,\\)"),
        (lambda n, p: n.apply(p, X[..., :2]), "ends so: \\(\\.\\.\\., 3\\)"),
        (lambda n, p: n.apply(p, X, lengths=np.array([2])), "a length for each.*\\(2,\\)"),
        (lambda n, p: n.apply(p, X, lengths=np.array([2, 6])), "from 0 to 5.*from 2 to 6"),
        (lambda n, p: n.apply(p, X, lengths=[2, 3]), "lengths as an array of integers"),
        (lambda n, p: n.apply(p, X, lengths=np.array([2.0, 3.0])), "array of integers"),
        (lambda n, p: n.apply(p, X, mask=np.ones((2, T))), "mask of booleans of shape \\(2, 5\\)"),
        (lambda n, p: n.apply(p, X, mask=np.ones((T, 2), bool)), "\\(5, 2\\)"),
        (lambda n, p: n.apply(p, X, mask=np.ones((2, T), bool), lengths=np.array([1, 1])), "both"),
        (lambda n, p: n.apply(p, X, carry=np.ones((2, F))), "a carry like the one of its cell"),
        (lambda n, p: n.apply(p, X, carry=(np.ones(F), np.ones(F))), "wants a carry"),
        (lambda n, p: n.apply({"weight": X}, X), "'recurrent_weight'"),
        (lambda n, p: n.init(KEY, (3,)), "a time axis"),
        (lambda n, p: nn.lstm(0), "a number of features"),
        (lambda n, p: nn.recurrent(nn.lstm(3)), "wants a cell"),
        (lambda n, p: nn.stacked_cell(), "wants cells"),
        (
            lambda n, p: nn.gru_cell(F).apply(
                nn.gru_cell(F).init(KEY, (-1, N))[1], np.ones((2, F + 1)), X[:, 0]
            ),
            "gru_cell wants a carry of shape",
        ),
        (lambda n, p: nn.bidirectional(nn.gru_cell(2), merge="max"), "a way to merge"),
        (
            lambda n, p: nn.bidirectional(nn.gru_cell(2), nn.gru_cell(3), merge="sum").init(
                KEY, (-1, T, N)
            ),
            "can be merged by 'sum'",
        ),
        (lambda n, p: nn.conv_lstm_cell(2, 3, dims=1, padding="VALID"), "keeps the number"),
    ],
)
def test_what_is_refused(call, text):
    net = nn.lstm(F)
    _, params = net.init(KEY, (-1, T, N))
    with pytest.raises(fgrad.errors.FgradError, match=f"(?s){text}.*To do"):
        call(net, params)
