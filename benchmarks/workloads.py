"""What is measured: each workload with its data, its loss, and its gradient written by hand.

`loss(xp)` gives the function of parameters and data that every library differentiates, written
once in terms of an array namespace (`numpy` for fgrad, `jax.numpy` for JAX, and so on). `hand` is
what a good NumPy user writes who differentiates on paper: no `out=`, no reuse of buffers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

VALUE_AND_GRAD = "value_and_grad"
HVP_FORWARD = "hvp_forward"  # forward over reverse
HVP_REVERSE = "hvp_reverse"  # reverse over reverse


@dataclass(frozen=True)
class Workload:
    """One function to differentiate.

    Attributes:
        name: what `--only` selects by.
        title: what the table says.
        loss: array namespace -> function of ``(params, *data)``.
        hand: the result wanted, in NumPy, of ``(params, *data)`` and the direction, if any.
        params: what is differentiated: an array or a list of arrays.
        data: arrays that are not differentiated.
        want: one of the three constants above.
        direction: the vector that the Hessian is multiplied by.
        tolerance: the relative error that a peer may have.
        aim, jit_aim: the greatest ratio of fgrad's time to that of `hand` that the project wants,
            of eager and of compiled functions.
        memory: whether peak memory is measured too.
        memory_aim: as `aim`, for peak memory.
        slow: names of peers that are left out because one call or compilation takes a minute.
        operations: the number of operations of a chain.
    """

    name: str
    title: str
    loss: Callable[[Any], Callable[..., Any]]
    hand: Callable[..., Any]
    params: Any
    data: tuple[np.ndarray, ...] = ()
    want: str = VALUE_AND_GRAD
    direction: np.ndarray | None = None
    tolerance: float = 1e-7
    aim: float | None = None
    jit_aim: float | None = None
    memory: bool = False
    memory_aim: float | None = None
    slow: tuple[str, ...] = ()
    operations: int = 0


# ---------------------------------------------------------------- tanh networks, samples in columns
def net_loss(xp: Any) -> Callable[..., Any]:
    """Mean squared error of a network of tanh layers on ``[W1, b1, W2, b2, ...]``."""

    def loss(params: Sequence[Any], X: Any, Y: Any) -> Any:
        h = X.T
        for w, b in zip(params[::2], params[1::2], strict=True):
            h = xp.tanh(w @ h + b)
        return xp.mean((h.T - Y) ** 2)

    return loss


def net_hand(params: Sequence[np.ndarray], X: np.ndarray, Y: np.ndarray) -> Any:
    hs = [X.T]
    h = hs[0]
    for i in range(0, len(params), 2):
        h = np.tanh(params[i] @ h + params[i + 1])
        hs.append(h)
    d = h.T - Y
    value = np.mean(d**2)
    g = (2 / d.size) * d.T
    gradient = [g] * len(params)
    for i in range(len(params) - 2, -1, -2):
        h = hs[i // 2 + 1]
        g = g * (1 - h * h)
        gradient[i] = g @ hs[i // 2].T
        gradient[i + 1] = g.sum(1, keepdims=True)
        if i:
            g = params[i].T @ g
    return value, gradient


def net(name: str, sizes: Sequence[int], batch: int, dtype: type = np.float64, **rest: Any) -> Any:
    """A network of tanh layers of these sizes."""
    rng = np.random.default_rng(0)
    params = []
    for m, n in pairwise(sizes):
        scale = 1 / np.sqrt(m + n)
        params += [rng.normal(0, scale, shape).astype(dtype) for shape in ((n, m), (n, 1))]
    X = rng.normal(size=(batch, sizes[0])).astype(dtype)
    Y = rng.normal(size=(batch, sizes[-1])).astype(dtype)
    title = f"{'-'.join(map(str, sizes))} tanh net, batch {batch}, {np.dtype(dtype)}"
    tolerance = 1e-7 if dtype is np.float64 else 1e-3
    return Workload(name, title, net_loss, net_hand, params, (X, Y), tolerance=tolerance, **rest)


# ---------------------------------------------------------------- an unrolled recurrent network
def rnn_loss(xp: Any) -> Callable[..., Any]:
    """Squared error of the last state of ``h = tanh(x @ Wx + h @ Wh + b)``, read out by Wo."""

    def loss(params: Sequence[Any], X: Any, Y: Any) -> Any:
        Wx, Wh, b, Wo = params
        h = xp.tanh(X[0] @ Wx + b)
        for t in range(1, X.shape[0]):
            h = xp.tanh(X[t] @ Wx + b + h @ Wh)
        d = h @ Wo - Y
        return xp.sum(d * d)

    return loss


def rnn_hand(params: Sequence[np.ndarray], X: np.ndarray, Y: np.ndarray) -> Any:
    Wx, Wh, b, Wo = params
    h = np.tanh(X[0] @ Wx + b)
    hs = [h]
    for t in range(1, len(X)):
        h = np.tanh(X[t] @ Wx + b + h @ Wh)
        hs.append(h)
    d = h @ Wo - Y
    value = np.sum(d * d)
    g = 2 * d
    gWo = h.T @ g
    gh = g @ Wo.T
    gWx, gWh, gb = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    for t in range(len(X) - 1, -1, -1):
        gz = gh * (1 - hs[t] * hs[t])
        gWx += X[t].T @ gz
        gb += gz.sum(0)
        if t:
            gWh += hs[t - 1].T @ gz
            gh = gz @ Wh.T
    return value, [gWx, gWh, gb, gWo]


def rnn(
    steps: int = 200, hidden: int = 64, batch: int = 256, inputs: int = 64, name: str = "rnn",
    memory: bool = True, **rest: Any,
) -> Workload:  # fmt: skip
    rng = np.random.default_rng(0)
    shapes = ((inputs, hidden), (hidden, hidden), (hidden,), (hidden, 10))
    params = [rng.normal(0, 0.1, shape) for shape in shapes]
    data = rng.normal(size=(steps, batch, inputs)), rng.normal(size=(batch, 10))
    return Workload(
        name,
        f"tanh RNN, {steps} steps, hidden {hidden}, batch {batch}, float64",
        rnn_loss,
        rnn_hand,
        params,
        data,
        memory=memory,
        memory_aim=1.1 if memory else None,
        slow=("torch.compile",) if memory else (),
        **rest,
    )


# ---------------------------------------------------------------- slices, and elementwise work
def rosenbrock_loss(xp: Any) -> Callable[..., Any]:
    """Rosenbrock's valley in n dimensions."""

    def loss(x: Any) -> Any:
        return xp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    return loss


def rosenbrock_hand(x: np.ndarray) -> Any:
    a, b = x[1:] - x[:-1] ** 2, 1.0 - x[:-1]
    g = np.zeros_like(x)
    g[1:] = 200.0 * a
    g[:-1] -= 400.0 * a * x[:-1] + 2.0 * b
    return np.sum(100.0 * a**2 + b**2), g


def rosenbrock(n: int = 1000, **rest: Any) -> Workload:
    x = np.random.default_rng(0).normal(size=n)
    title = f"Rosenbrock, n = {n}"
    return Workload("rosenbrock", title, rosenbrock_loss, rosenbrock_hand, x, **rest)


def elementwise_loss(xp: Any) -> Callable[..., Any]:
    """Twelve elementwise operations and a sum."""

    def loss(x: Any) -> Any:
        t = xp.exp(x * 0.5)
        u = xp.log(t + 1.5)
        s = xp.sin(u * x)
        return xp.sum(s * t + xp.exp(s) * 0.3 + u * u)

    return loss


def elementwise_hand(x: np.ndarray) -> Any:
    t = np.exp(x * 0.5)
    w = t + 1.5
    u = np.log(w)
    ux = u * x
    s = np.sin(ux)
    e = np.exp(s)
    gs = (t + e * 0.3) * np.cos(ux)
    gu = 2 * u + gs * x
    gt = s + gu / w
    return np.sum(s * t + e * 0.3 + u * u), gs * u + gt * t * 0.5


def elementwise(name: str, n: int, **rest: Any) -> Workload:
    title = f"12 elementwise operations on {n:,} numbers"
    x = np.random.default_rng(0).normal(size=n)
    return Workload(name, title, elementwise_loss, elementwise_hand, x, **rest)


# ---------------------------------------------------------------- a mixture of Gaussians
def mixture_loss(xp: Any) -> Callable[..., Any]:
    """Negative log likelihood, with inverse covariances by their triangular factors."""

    def loss(params: Sequence[Any], X: Any, eye: Any, below: Any) -> Any:
        weights, means, logs, lower = params
        k, d = means.shape
        factor = xp.reshape(xp.exp(logs), (k, d, 1)) * eye + lower * below
        centred = xp.reshape(X, (1, -1, d)) - xp.reshape(means, (k, 1, d))
        white = xp.matmul(centred, xp.swapaxes(factor, 1, 2))
        z = xp.reshape(weights + xp.sum(logs, axis=1), (k, 1)) - 0.5 * xp.sum(white**2, axis=2)
        return len(X) * xp.log(xp.sum(xp.exp(weights))) - xp.sum(xp.log(xp.sum(xp.exp(z), axis=0)))

    return loss


def mixture_hand(params: Sequence[np.ndarray], X: Any, eye: Any, below: Any) -> Any:
    weights, means, logs, lower = params
    factor = np.exp(logs)[:, :, None] * eye + lower * below
    centred = X[None] - means[:, None]
    white = centred @ factor.transpose(0, 2, 1)
    e = np.exp((weights + logs.sum(1))[:, None] - 0.5 * (white**2).sum(2))
    s, shares = e.sum(0), np.exp(weights)
    value = len(X) * np.log(shares.sum()) - np.log(s).sum()
    g = e / s
    of_each = g.sum(1)
    pull = white * g[:, :, None]
    of_factor = pull.transpose(0, 2, 1) @ centred
    gradient = [
        len(X) * shares / shares.sum() - of_each,
        -(pull @ factor).sum(1),
        np.diagonal(of_factor, axis1=1, axis2=2) * np.exp(logs) - of_each[:, None],
        of_factor * below,
    ]
    return value, gradient


def mixture(n: int = 1000, d: int = 10, k: int = 25, **rest: Any) -> Workload:
    rng = np.random.default_rng(0)
    shapes = (k,), (k, d), (k, d), (k, d, d)
    params = [rng.normal(0, s, shape) for s, shape in zip((1, 1, 0.1, 0.1), shapes, strict=True)]
    data = rng.normal(size=(n, d)), np.eye(d), np.tril(np.ones((d, d)), -1)
    title = f"mixture of {k} Gaussians in {d} dimensions, n = {n}"
    return Workload("mixture", title, mixture_loss, mixture_hand, params, data, **rest)


# ---------------------------------------------------------------- second derivatives
def logistic_loss(xp: Any) -> Callable[..., Any]:
    """Mean loss of logistic regression; labels are -1 and 1."""

    def loss(w: Any, X: Any, y: Any) -> Any:
        return xp.mean(xp.log(xp.exp(-(y * (X @ w))) + 1.0))

    return loss


def logistic_hand(w: np.ndarray, X: np.ndarray, y: np.ndarray, v: np.ndarray) -> np.ndarray:
    s = 1 / (1 + np.exp(y * (X @ w)))
    return X.T @ (s * (1 - s) * (X @ v)) / len(y)


def logistic_hvp(name: str, want: str, n: int = 1000, d: int = 50, **rest: Any) -> Workload:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, d)), np.sign(rng.normal(size=n))
    how = "forward over reverse" if want == HVP_FORWARD else "reverse over reverse"
    return Workload(
        name,
        f"Hessian-vector product of logistic regression, n = {n}, d = {d}, {how}",
        logistic_loss,
        logistic_hand,
        rng.normal(0, 0.1, d),
        (X, y),
        want=want,
        direction=rng.normal(size=d),
        slow=("torch.compile",),
        **rest,
    )


# ---------------------------------------------------------------- long chains
def chain_loss(steps: int) -> Callable[[Any], Callable[..., Any]]:
    """Three operations a step, with a derivative that neither grows nor vanishes."""

    def of_namespace(xp: Any) -> Callable[..., Any]:
        def loss(x: Any) -> Any:
            for _ in range(steps):
                x = 1.0 - xp.log(xp.exp(x))
            return xp.sum(x)

        return loss

    return of_namespace


def chain_hand(steps: int) -> Callable[..., Any]:
    def hand(x: np.ndarray) -> Any:
        es = []
        for _ in range(steps):
            e = np.exp(x)
            es.append(e)
            x = 1.0 - np.log(e)
        g = np.ones_like(x)
        for e in reversed(es):
            g = -g
            g = g / e
            g = g * e
        return np.sum(x), g

    return hand


def chain(operations: int, size: int = 10) -> Workload:
    steps = operations // 3
    slow = [
        "fgrad.jit",
        "torch.compile",
        "mygrad",
        "torch.func",
        "jax eager",
        "jax.jit",
        "jax.jit, NumPy in and out",
    ]
    if operations > 10**5:
        slow += ["autograd", "torch eager"]
    return Workload(
        f"chain{operations}",
        f"chain of {operations:,} operations on {size} numbers",
        chain_loss(steps),
        chain_hand(steps),
        np.random.default_rng(0).uniform(0.2, 0.8, size),
        slow=tuple(slow),
        operations=3 * steps,
    )


# ---------------------------------------------------------------- the lists
def workloads() -> list[Workload]:
    """What the first table has rows for."""
    return [
        net("pulsar", (8, 25, 10, 2), 100, aim=1.35, jit_aim=0.60),
        net("small", (2, 4, 4, 1), 1, aim=1.55, jit_aim=0.58),
        net("wide", (784, 512, 512, 10), 64, np.float32, aim=1.05, jit_aim=0.97, memory=True),
        rnn(),
        rnn(50, 64, 32, 64, "rnn50", memory=False, jit_aim=0.70),
        rosenbrock(aim=1.8, jit_aim=0.57),
        elementwise("elementwise1e4", 10**4),
        elementwise("elementwise1e6", 10**6, memory=True, aim=1.1, jit_aim=0.60),
        mixture(aim=1.25, jit_aim=0.57),
        logistic_hvp("hvp-forward", HVP_FORWARD, aim=2.0, jit_aim=0.95),
        logistic_hvp("hvp-reverse", HVP_REVERSE, aim=2.0, jit_aim=0.95),
    ]


def chains() -> list[Workload]:
    """Chains whose time per operation should not depend on their length."""
    return [chain(10**k) for k in (3, 4, 5, 6)]


def tiny() -> list[Workload]:
    """The same functions on little data, for the tests."""
    return [
        net("pulsar", (8, 5, 4, 2), 10),
        net("small", (2, 4, 4, 1), 1),
        net("wide", (20, 10, 10, 5), 6, np.float32, memory=True),
        rnn(4, 5, 3, 2),
        rnn(3, 4, 3, 2, "rnn50", memory=False),
        rosenbrock(10),
        elementwise("elementwise1e4", 20),
        elementwise("elementwise1e6", 50, memory=True),
        mixture(20, 3, 4),
        logistic_hvp("hvp-forward", HVP_FORWARD, 20, 3),
        logistic_hvp("hvp-reverse", HVP_REVERSE, 20, 3),
    ]


def tiny_chains() -> list[Workload]:
    """Short chains, for the tests."""
    return [chain(30), chain(300)]
