"""What the gates of a step do to the memory of a recurrent cell: one operation each.

Numbers from all gates stand side by side along the last axis. The activated gates are a second
answer, for the derivatives to read; they are functions of the operands like the first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import fgrad


def split(x: Any, parts: int) -> list[Any]:
    """Equal parts along the last axis."""
    n = x.shape[-1] // parts
    return [x[..., i * n : (i + 1) * n] for i in range(parts)]


def _join(*xs: Any) -> Any:
    return np.concatenate(xs, axis=-1)


def _sigmoid(x: Any) -> Any:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def _zero(t: Any, like: Any) -> Any:
    return np.zeros_like(like) if t is None else t


# ------------------------------------------------------------------ LSTM
def _lstm_impl(z: Any, c: Any) -> tuple[Any, Any, Any]:
    n = c.shape[-1]
    # sigmoid(x) = (1 + tanh(x / 2)) / 2, so that one pass makes all four
    scaled = z * 0.5
    scaled[..., 2 * n : 3 * n] += scaled[..., 2 * n : 3 * n]
    a = np.tanh(scaled)
    for part in (a[..., : 2 * n], a[..., 3 * n :]):
        part *= 0.5
        part += 0.5
    new = a[..., n : 2 * n] * c
    new += a[..., :n] * a[..., 2 * n : 3 * n]
    return a[..., 3 * n :] * np.tanh(new), new, a


def _lstm_formula(z: Any, c: Any) -> tuple[Any, Any, Any]:
    i, f, g, o = split(z, 4)
    i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
    new = f * c + i * g
    return o * np.tanh(new), new, _join(i, f, g, o)


def _slopes(a: Any) -> Any:
    """The derivatives of the activated gates by their arguments: of i, f, g and o."""
    n = a.shape[-1] // 4
    s = a * (1 - a)
    g = a[..., 2 * n : 3 * n]
    return _join(s[..., : 2 * n], 1 - g * g, s[..., 3 * n :])


def _lstm_jvp(ts: Any, ans: Any, z: Any, c: Any) -> Any:
    _, new, a = ans
    i, f, g, o = split(a, 4)
    ta = _slopes(a) * _zero(ts[0], z)
    ti, tf, tg, to = split(ta, 4)
    tc = f * _zero(ts[1], c) + tf * c + ti * g + i * tg
    th = np.tanh(new)
    return to * th + o * (1 - th * th) * tc, tc, ta


def _lstm_vjp(g: Any, ans: Any, z: Any, c: Any) -> tuple[Any, Any]:
    i, f, cand, o = split(ans[2], 4)
    th = np.tanh(ans[1])
    gc, go = g.get(1), np.zeros_like(th)
    if 0 in g:  # the hidden state is one of the memory cell, too
        through, go = g[0] * o * (1 - th * th), g[0] * th
        gc = through if gc is None else gc + through
    gc = np.zeros_like(th) if gc is None else gc
    ga = _join(gc * cand, gc * c, gc * i, go)
    return (ga + g[2] if 2 in g else ga) * _slopes(ans[2]), gc * f


_lstm = fgrad.primitive(
    _lstm_impl, name="lstm_gates", jvp=_lstm_jvp, vjp=_lstm_vjp, several=True, formula=_lstm_formula
)(lambda z, c: ((z, c), {}))


def lstm_gates(z: Any, c: Any) -> tuple[Any, Any]:
    """The hidden state and the memory cell after a step: Hochreiter & Schmidhuber 1997.

    c' = sigmoid(f) c + sigmoid(i) tanh(g) and h' = sigmoid(o) tanh(c').

    >>> h, c = lstm_gates(np.array([0.0, 100.0, 0.0, 100.0]), np.array([2.0]))
    >>> bool(np.isclose(h[0], np.tanh(2.0))), c
    (True, array([2.]))

    Args:
        z: the arguments of i, f, g and o, of shape (..., 4 n).
        c: the memory cell, of shape (..., n).
    """
    h, new, _ = _lstm(z, c)
    return h, new


# ------------------------------------------------------------------ GRU
def _gru_impl(x: Any, u: Any, h: Any) -> tuple[Any, Any]:
    n = h.shape[-1]
    a = np.empty_like(x)
    gates = x[..., : 2 * n] + u[..., : 2 * n]
    gates *= 0.5  # sigmoid(x) = (1 + tanh(x / 2)) / 2: the tanh is quick, and off by rounding only
    gates = np.tanh(gates)
    gates *= 0.5
    gates += 0.5
    new = gates[..., :n] * u[..., 2 * n :]
    new += x[..., 2 * n :]
    new = np.tanh(new)
    a[..., : 2 * n], a[..., 2 * n :] = gates, new
    out = h - new
    out *= gates[..., n:]
    out += new
    return out, a


def _gru_formula(x: Any, u: Any, h: Any) -> tuple[Any, Any]:
    (xr, xz, xn), (ur, uz, un) = split(x, 3), split(u, 3)
    r, z = _sigmoid(xr + ur), _sigmoid(xz + uz)
    new = np.tanh(r * un + xn)
    return (h - new) * z + new, _join(r, z, new)


def _gru_jvp(ts: Any, ans: Any, x: Any, u: Any, h: Any) -> Any:
    r, z, new = split(ans[1], 3)
    tx, tu = split(_zero(ts[0], x), 3), split(_zero(ts[1], u), 3)
    tr = r * (1 - r) * (tx[0] + tu[0])
    tz = z * (1 - z) * (tx[1] + tu[1])
    tn = (1 - new * new) * (tx[2] + r * tu[2] + tr * split(u, 3)[2])
    out = tn + z * (_zero(ts[2], h) - tn) + tz * (h - new)
    return out, _join(tr, tz, tn)


def _gru_vjp(g: Any, ans: Any, x: Any, u: Any, h: Any) -> tuple[Any, Any, Any]:
    r, z, new = split(ans[1], 3)
    gh = g[0] if 0 in g else np.zeros_like(h)
    gr, gz, gn = split(g[1], 3) if 1 in g else (0, 0, 0)
    gn = (gn + gh * (1 - z)) * (1 - new * new)
    gz = (gz + gh * (h - new)) * z * (1 - z)
    gr = (gr + gn * split(u, 3)[2]) * r * (1 - r)
    return _join(gr, gz, gn), _join(gr, gz, gn * r), gh * z


_gru = fgrad.primitive(
    _gru_impl, name="gru_gates", jvp=_gru_jvp, vjp=_gru_vjp, several=True, formula=_gru_formula
)(lambda x, u, h: ((x, u, h), {}))  # fmt: skip


def gru_gates(x: Any, u: Any, h: Any) -> Any:
    """The hidden state after a step: Cho et al. 2014, the reset gate after the product.

    r = sigmoid(x_r + u_r), z = sigmoid(x_z + u_z), n = tanh(x_n + r u_n) and
    h' = (1 - z) n + z h.

    >>> gru_gates(np.zeros(3), np.zeros(3), np.array([2.0]))
    array([1.])

    Args:
        x: what the inputs give to r, z and n, of shape (..., 3 n).
        u: what the hidden state gives to them, of the same shape.
        h: the hidden state, of shape (..., n).
    """
    return _gru(x, u, h)[0]
