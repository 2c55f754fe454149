"""Control flow: each function, in each mode, against a plain Python loop."""

import numpy as np
import pytest

from fgrad import checkpoint_policies, grad, hessian, jacfwd, jacrev, jvp, make_graph, tree, vmap
from fgrad.checkpointing import checkpoint
from fgrad.control import associative_scan, cond, fori_loop, scan, switch, while_loop
from fgrad.control import map as map_slices

W = np.array([[0.5, 0.2], [-0.1, 0.7]])
X = np.array([0.3, 0.4])
#: Points that take other branches and numbers of steps than the first one.
XS = np.stack([X, -X, 10 * X, 100 * X])
ROWS = np.array([[0.1, 0.2], [-0.3, 0.4], [0.5, -0.6], [0.7, 0.8], [0.0, 0.3]])


# ------------------------------------------------------------------ pairs: ours and Python's
def branch(w, x):
    return cond(np.sum(x) > 1, lambda x: np.sum(w * np.sqrt(x)), lambda x: np.sum(w @ x) ** 2, x)


def branch_plain(w, x):
    return np.sum(w * np.sqrt(x)) if np.sum(x) > 1 else np.sum(w @ x) ** 2


def switched(w, x):
    k = np.floor(x[0] / 2).astype(int)
    tree_of = [lambda a: {"y": a["x"] ** 2}, lambda a: {"y": np.sin(a["x"]) * w[0, 0]},
               lambda a: {"y": w @ a["x"]}]  # fmt: skip
    return np.sum(switch(k, tree_of, {"x": x})["y"])


def switched_plain(w, x):
    k = min(max(int(np.floor(x[0] / 2)), 0), 2)
    return np.sum([lambda: x**2, lambda: np.sin(x) * w[0, 0], lambda: w @ x][k]())


def grow(w, x):
    return 1.5 * x + np.sin(w @ x)


def whiled(w, x):
    count, y = while_loop(lambda s: np.sum(s[1] ** 2) < 30, lambda s: (s[0] + 1, grow(w, s[1])),
                          (0, x))  # fmt: skip
    return np.sum(y**3) * (1 + count)


def whiled_plain(w, x):
    count = 0
    while np.sum(x**2) < 30:
        count, x = count + 1, grow(w, x)
    return np.sum(x**3) * (1 + count)


def counted(w, x):
    return np.sum(fori_loop(1, 4, lambda i, y: np.tanh(w @ y) * i, x))


def counted_plain(w, x):
    for i in range(1, 4):
        x = np.tanh(w @ x) * i
    return np.sum(x)


def counted_to(w, x):
    n = np.clip(np.floor(np.abs(x[0])), 0, 5).astype(int)
    return np.sum(fori_loop(0, n, lambda i, y: np.tanh(w @ y) + i, x))


def counted_to_plain(w, x):
    n = min(max(int(np.floor(np.abs(x[0]))), 0), 5)
    for i in range(n):
        x = np.tanh(w @ x) + i
    return np.sum(x)


def cell(w, h, x):
    new = np.tanh(w @ h + x)
    return new, np.sum(new * x)


def weighted(h, ys):
    return np.sum(h**2) + np.sum(ys * np.arange(len(ROWS)))


def scanned(**options):
    def f(w, x):
        return weighted(*scan(lambda h, r: cell(w, h, r), x, ROWS, **options))

    return f


def scanned_plain(reverse=False):
    def f(w, x):
        ys = []
        for row in ROWS[::-1] if reverse else ROWS:
            x, y = cell(w, x, row)
            ys.append(y)
        return weighted(x, np.stack(ys[::-1] if reverse else ys))

    return f


def over_slices(w, x):
    xs = {"r": np.stack([x, 2 * x, x * x]), "k": np.arange(3)}
    carry, ys = scan(
        lambda c, s: ({"n": c["n"] + s["k"], "h": w @ c["h"] + s["r"]}, (s["r"] * c["n"], None)),
        {"n": 1, "h": x}, xs,
    )  # fmt: skip
    return np.sum(carry["h"] ** 2) * carry["n"] + np.sum(ys[0] ** 3)


def over_slices_plain(w, x):
    n, h, total = 1, x, 0.0
    for k, r in enumerate([x, 2 * x, x * x]):
        total = total + np.sum((r * n) ** 3)
        n, h = n + k, w @ h + r
    return np.sum(h**2) * n + total


def no_slices(w, x):
    return np.sum(scan(lambda h, _: (np.tanh(w @ h), None), x, length=3)[0])


def no_slices_plain(w, x):
    return np.sum(np.tanh(w @ np.tanh(w @ np.tanh(w @ x))))


def mapped(batch_size):
    def f(w, x):
        rows = ROWS * x
        return np.sum(map_slices(lambda r: np.sin(w @ r), rows, batch_size=batch_size) ** 2)

    return f


def mapped_plain(w, x):
    return sum(np.sum(np.sin(w @ (r * x)) ** 2) for r in ROWS)


def associated(reverse):
    def f(w, x):
        ms = w * (1 + ROWS @ x)[:, None, None] / 10
        out = associative_scan(lambda a, b: {"m": a["m"] @ b["m"]}, {"m": ms}, reverse)
        return np.sum(out["m"] * np.arange(1, 6)[:, None, None])

    return f


def associated_plain(reverse):
    def f(w, x):
        ms = [w * (1 + r @ x) / 10 for r in ROWS]
        total, product = 0.0, None
        order = range(5)[::-1] if reverse else range(5)
        for i in order:
            product = ms[i] if product is None else product @ ms[i]
            total = total + np.sum(product) * (i + 1)
        return total

    return f


def branch_in_scan(w, x):
    def step(h, r):
        h = cond(h[0] > r[0], lambda h: np.tanh(w @ h), lambda h: h * h + r, h)
        return h, np.sum(h)

    return weighted(*scan(step, x, ROWS))


def branch_in_scan_plain(w, x):
    ys = []
    for r in ROWS:
        x = np.tanh(w @ x) if x[0] > r[0] else x * x + r
        ys.append(np.sum(x))
    return weighted(x, np.stack(ys))


def loops_in_loops(w, x):
    def step(h, r):
        small = while_loop(lambda y: np.sum(y * y) > 0.3, lambda y: 0.5 * np.sin(w @ y), h)
        return fori_loop(0, 2, lambda i, y: y + r * i, small), small[0]

    once = checkpoint(step, policy=checkpoint_policies.dots)
    return weighted(*scan(once, x, ROWS, checkpoint_every=2))


def loops_in_loops_plain(w, x):
    ys = []
    for r in ROWS:
        while np.sum(x * x) > 0.3:
            x = 0.5 * np.sin(w @ x)
        ys.append(x[0])
        x = x + r
    return weighted(x, np.stack(ys))


def scan_in_while(w, x):
    def body(s):
        return scan(lambda h, r: (grow(w, h) + r, None), s, ROWS[:2])[0]

    return np.sum(while_loop(lambda s: np.sum(s**2) < 50, body, x))


def scan_in_while_plain(w, x):
    while np.sum(x**2) < 50:
        for r in ROWS[:2]:
            x = grow(w, x) + r
    return np.sum(x)


def scan_in_branch(w, x):
    return cond(x[0] > 1, lambda x: scanned()(w, x), lambda x: scanned(reverse=True)(w, x), x)


def scan_in_branch_plain(w, x):
    return scanned_plain(reverse=not x[0] > 1)(w, x)


PAIRS = {
    "cond": (branch, branch_plain),
    "switch": (switched, switched_plain),
    "while": (whiled, whiled_plain),
    "fori": (counted, counted_plain),
    "fori_to": (counted_to, counted_to_plain),
    "scan": (scanned(), scanned_plain()),
    "scan_reverse": (scanned(reverse=True), scanned_plain(reverse=True)),
    "scan_every": (scanned(checkpoint_every=2), scanned_plain()),
    "scan_auto": (scanned(checkpoint_every="auto", reverse=True), scanned_plain(reverse=True)),
    "scan_memory": (scanned(checkpoint_memory=64), scanned_plain()),
    "scan_slices": (over_slices, over_slices_plain),
    "scan_length": (no_slices, no_slices_plain),
    "map": (mapped(None), mapped_plain),
    "map_batches": (mapped(2), mapped_plain),
    "associative": (associated(False), associated_plain(False)),
    "associative_reverse": (associated(True), associated_plain(True)),
    "branch_in_scan": (branch_in_scan, branch_in_scan_plain),
    "loops_in_loops": (loops_in_loops, loops_in_loops_plain),
    "scan_in_while": (scan_in_while, scan_in_while_plain),
    "scan_in_branch": (scan_in_branch, scan_in_branch_plain),
}


def close(a, b):
    for x, y in zip(tree.leaves(a), tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)


pairs = pytest.mark.parametrize(("ours", "plain"), PAIRS.values(), ids=list(PAIRS))


@pairs
def test_values_and_first_derivatives(ours, plain):
    for x in XS:
        close(ours(W, x), plain(W, x))
        close(grad(ours, (0, 1))(W, x), grad(plain, (0, 1))(W, x))
        close(jvp(ours, (W, x), (W, x)), jvp(plain, (W, x), (W, x)))


@pairs
def test_second_derivatives(ours, plain):
    for x in XS[:3]:
        expected = hessian(plain, 1)(W, x)
        close(hessian(ours, 1)(W, x), expected)
        close(jacrev(grad(ours, 1), 1)(W, x), expected)
        close(jacrev(jacfwd(ours, 1), 1)(W, x), expected)


@pairs
def test_vmap(ours, plain):
    axes = (None, 0)
    close(vmap(ours, axes)(W, XS), np.stack([plain(W, x) for x in XS]))
    each = [grad(plain, (0, 1))(W, x) for x in XS]
    got = vmap(grad(ours, (0, 1)), axes)(W, XS)
    close(got, tree.map(lambda *gs: np.stack(gs), *each))
    close(grad(lambda w: np.sum(vmap(ours, axes)(w, XS)))(W), sum(g[0] for g in each))
    tangents = vmap(lambda x: jvp(ours, (W, x), (W, x))[1])(XS)
    close(tangents, np.stack([jvp(plain, (W, x), (W, x))[1] for x in XS]))
    close(vmap(ours, (0, None))(np.stack([W, 2 * W]), X), np.stack([plain(W, X), plain(2 * W, X)]))
    nested = vmap(vmap(grad(ours, 1), axes), axes)(W, XS.reshape(2, 2, 2))
    close(nested, np.stack([g[1] for g in each]).reshape(2, 2, 2))


@pairs
def test_vmap_of_second_derivatives(ours, plain):
    expected = np.stack([hessian(plain, 1)(W, x) for x in XS])
    close(vmap(hessian(ours, 1), (None, 0))(W, XS), expected)


@pairs
def test_graphs_on_other_data(ours, plain):
    graph = make_graph(ours)(W, X)
    graph.check()
    for x in XS:
        close(graph(2 * W, x), plain(2 * W, x))
        close(grad(graph, (0, 1))(W, x), grad(plain, (0, 1))(W, x))
        close(jvp(graph, (W, x), (W, x)), jvp(plain, (W, x), (W, x)))
    close(hessian(graph, 1)(W, XS[2]), hessian(plain, 1)(W, XS[2]))
    expected = np.stack([grad(plain, 1)(W, x) for x in XS])
    close(vmap(grad(graph, 1), (None, 0))(W, XS), expected)


@pairs
def test_graphs_of_derivatives_on_other_data(ours, plain):
    for first in (X, XS[3]):
        gradient = make_graph(grad(ours, (0, 1)))(W, first)
        push = make_graph(lambda w, x: jvp(ours, (w, x), (w, x)))(W, first)
        for x in XS:
            close(gradient(W, x), grad(plain, (0, 1))(W, x))
            close(push(W, x), jvp(plain, (W, x), (W, x)))
    second = make_graph(hessian(ours, 1))(W, X)
    close(second(W, XS[2]), hessian(plain, 1)(W, XS[2]))
    mapped = make_graph(vmap(grad(ours, 1), (None, 0)))(W, XS)
    close(mapped(W, XS[::-1]), np.stack([grad(plain, 1)(W, x) for x in XS[::-1]]))
