"""Loops to differentiate, each written once for any array namespace and its scan.

`Loop.make(xp, scan)` gives a function of the parameters; ``scan`` takes a step, a carry and what is
sliced, or a length. NumPy and fgrad's scan, JAX's `numpy` and `lax.scan` fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from workloads import rnn_hand

Make = Callable[[Any, Callable[..., Any]], Callable[..., Any]]


@dataclass(frozen=True)
class Loop:
    """A loop.

    Attributes:
        name, title: what `--only` selects by; what the table says.
        make: the function.
        params: what is differentiated.
        data: what is not.
        aim: the greatest ratio of machine code's time to that of jax.jit, or of the derivative by
            hand if there is one, that is wanted.
        hand: that derivative with the value, in NumPy.
    """

    name: str
    title: str
    make: Make
    params: tuple[Any, ...]
    data: tuple[np.ndarray, ...]
    aim: float
    hand: Callable[..., Any] | None = None


def kepler(steps: int = 200, h: float = 0.02) -> Loop:
    """An orbit by the classical method of Runge and Kutta; derivatives in where it begins."""

    def make(xp: Any, scan: Any) -> Any:
        def field(q: Any, p: Any) -> Any:
            r2 = xp.sum(q * q)
            return p, -q / (r2 * xp.sqrt(r2))

        def step(c: Any, _: Any) -> Any:
            q, p = c
            k1, l1 = field(q, p)
            k2, l2 = field(q + k1 * (h / 2), p + l1 * (h / 2))
            k3, l3 = field(q + k2 * (h / 2), p + l2 * (h / 2))
            k4, l4 = field(q + k3 * h, p + l3 * h)
            sixth = h / 6
            return (
                q + (k1 + 2.0 * k2 + 2.0 * k3 + k4) * sixth,
                p + (l1 + 2.0 * l2 + 2.0 * l3 + l4) * sixth,
            ), None

        def loss(params: Any) -> Any:
            (q, _), _ = scan(step, tuple(params), None, length=steps)
            return xp.sum(q * q * 0.5 + q)

        return loss

    start = np.array([1.0, 0.0]), np.array([0.0, 1.1])
    return Loop("kepler", f"Kepler orbit, {steps} Runge-Kutta steps", make, start, (), 0.02)


def heat(cells: int = 100, steps: int = 100) -> Loop:
    """The heat equation on a line, explicit; derivatives in the first state and the rate."""

    def make(xp: Any, scan: Any) -> Any:
        def loss(params: Any) -> Any:
            u, a = params

            def step(w: Any, _: Any) -> Any:
                d = w[2:] - 2.0 * w[1:-1] + w[:-2]
                return xp.concatenate([w[:1], w[1:-1] + a * d, w[-1:]]), None

            u, _ = scan(step, u, None, length=steps)
            return xp.sum(u * u)

        return loss

    params = np.random.default_rng(0).normal(size=cells), np.array(0.2)
    return Loop("heat", f"heat equation, {cells} cells x {steps} steps", make, params, (), 0.15)


def lstm(units: int = 14, steps: int = 1024) -> Loop:
    """A long short-term memory over one sequence; derivatives in its weights."""

    def make(xp: Any, scan: Any) -> Any:
        def sigmoid(x: Any) -> Any:
            return 1.0 / (1.0 + xp.exp(-x))

        def loss(params: Any, xs: Any) -> Any:
            w, u, b = params

            def step(carry: Any, x: Any) -> Any:
                h, c = carry
                z = x @ w + h @ u + b
                i, f, o = (sigmoid(z[k * units : (k + 1) * units]) for k in range(3))
                c = f * c + i * xp.tanh(z[3 * units :])
                h = o * xp.tanh(c)
                return (h, c), h

            zeros = xp.zeros(units)
            _, hs = scan(step, (zeros, zeros), xs)
            return xp.sum(hs * hs)

        return loss

    rng = np.random.default_rng(0)
    w, u = (rng.normal(0, 0.2, (units, 4 * units)) for _ in range(2))
    params = w, u, rng.normal(0, 0.2, 4 * units)
    xs = rng.normal(0, 0.2, (steps, units))
    return Loop("lstm", f"LSTM of {units} units, {steps} steps", make, params, (xs,), 0.2)


def rnn(steps: int = 50, units: int = 64, batch: int = 32) -> Loop:
    """A tanh network over sequences; derivatives in its weights."""

    def make(xp: Any, scan: Any) -> Any:
        def loss(params: Any, xs: Any, y: Any) -> Any:
            w, u, b, out = params
            h, _ = scan(lambda h, x: (xp.tanh(x @ w + h @ u + b), None),
                        xp.zeros((batch, units)), xs)  # fmt: skip
            return xp.sum((h @ out - y) ** 2)

        return loss

    rng = np.random.default_rng(0)
    params = tuple(
        rng.normal(0, 0.1, shape) for shape in ((units, units), (units, units), units, (units, 10))
    )
    data = rng.normal(size=(steps, batch, units)), rng.normal(size=(batch, 10))
    title = f"tanh RNN by scan, {steps} steps, {units} units, batch {batch}"
    return Loop("rnn", title, make, params, data, 0.6, rnn_hand)


def loops() -> list[Loop]:
    """Those of the table."""
    return [kepler(), heat(), lstm(), rnn()]


def tiny() -> list[Loop]:
    """The same with next to nothing to compute."""
    return [kepler(3), heat(12, 3), lstm(3, 4), rnn(3, 4, 2)]
