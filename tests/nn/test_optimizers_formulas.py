"""Each optimizer takes the path that its paper's formulas, written straight in NumPy, give.

`formula(x, gradient)` yields the parameter after each step; it asks for `gradient(x)` once a step.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import fgrad_nn.optimizers as opts

RATE, STEPS = 0.03, 25


def norm(x):
    return np.sqrt(np.sum(x**2))


def sgd(x, gradient, momentum=0.0, nesterov=False):
    buffer = 0.0
    while True:
        g = gradient(x)
        buffer = momentum * buffer + g
        x = x - RATE * (g + momentum * buffer if nesterov else buffer)
        yield x


def adam(x, gradient, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, decay=0.0, nesterov=False):
    m = v = 0.0
    for t in itertools.count(1):
        g = gradient(x)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        if nesterov:
            m_hat = b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
        x = x - RATE * (m_hat / (np.sqrt(v_hat + eps_root) + eps) + decay * x)
        yield x


def amsgrad(x, gradient, b1=0.9, b2=0.99, eps=1e-8):
    m = v = top = 0.0
    for t in itertools.count(1):
        g = gradient(x)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        top = np.maximum(top, v / (1 - b2**t))
        x = x - RATE * m / (1 - b1**t) / (np.sqrt(top) + eps)
        yield x


def adamax(x, gradient, decay=0.0, b1=0.9, b2=0.999, eps=1e-8):
    m = u = 0.0
    for t in itertools.count(1):
        g = gradient(x)
        m, u = b1 * m + (1 - b1) * g, np.maximum(b2 * u, np.abs(g) + eps)
        x = x - RATE * (m / (1 - b1**t) / u + decay * x)
        yield x


def radam(x, gradient, b1=0.9, b2=0.9, eps=1e-8):
    m = v = 0.0
    longest = 2 / (1 - b2) - 1
    for t in itertools.count(1):
        g = gradient(x)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        m_hat, length = m / (1 - b1**t), longest - 2 * t * b2**t / (1 - b2**t)
        if length >= 5:
            r = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            m_hat = np.sqrt(r) * m_hat / (np.sqrt(v / (1 - b2**t)) + eps)
        x = x - RATE * m_hat
        yield x


def adabelief(x, gradient, b1=0.9, b2=0.999, eps=1e-16):
    m = s = 0.0
    for t in itertools.count(1):
        g = gradient(x)
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * (g - m) ** 2 + eps
        x = x - RATE * m / (1 - b1**t) / (np.sqrt(s / (1 - b2**t)) + eps)
        yield x


def yogi(x, gradient, b1=0.9, b2=0.999, eps=1e-3):
    m = v = 1e-6 + 0 * x
    for t in itertools.count(1):
        g = gradient(x)
        m, v = b1 * m + (1 - b1) * g, v - (1 - b2) * np.sign(v - g**2) * g**2
        x = x - RATE * m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
        yield x


def adan(x, gradient, b1=0.98, b2=0.92, b3=0.99, eps=1e-8):
    m = v = n = last = 0.0
    for t in itertools.count(1):
        g = gradient(x)
        last = g if t == 1 else last
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * (g - last)
        n = b3 * n + (1 - b3) * (g + (1 - b2) * (g - last)) ** 2
        m_hat, v_hat, n_hat = m / (1 - b1**t), v / (1 - b2**t), n / (1 - b3**t)
        x = x - RATE * (m_hat + (1 - b2) * v_hat) / (np.sqrt(n_hat + eps) + eps)
        last = g
        yield x


def ademamix(x, gradient, b1=0.9, b2=0.999, b3=0.99, alpha=4.0, eps=1e-8):
    m1 = m2 = v = 0.0
    for t in itertools.count(1):
        g = gradient(x)
        m1, m2, v = b1 * m1 + (1 - b1) * g, b3 * m2 + (1 - b3) * g, b2 * v + (1 - b2) * g**2
        x = x - RATE * (m1 / (1 - b1**t) + alpha * m2) / (np.sqrt(v / (1 - b2**t)) + eps)
        yield x


def adopt(x, gradient, b1=0.9, b2=0.9, eps=1e-6, clip=np.inf):
    m, v = 0.0, gradient(x) ** 2
    yield x
    for t in itertools.count(1):
        g = gradient(x)
        u = g / np.maximum(np.sqrt(v), eps)
        m = b1 * m + (1 - b1) * np.clip(u, -clip * t**0.25, clip * t**0.25)
        x = x - RATE * m
        v = b2 * v + (1 - b2) * g**2
        yield x


def lamb(x, gradient, decay=0.1, eps=1e-6):
    m = v = 0.0
    for t in itertools.count(1):
        g = gradient(x)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        r = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + eps) + decay * x
        x = x - RATE * norm(x) / norm(r) * r
        yield x


def lars(x, gradient, decay=0.01, trust=0.5, momentum=0.9):
    step = 0.0
    while True:
        g = gradient(x) + decay * x
        step = momentum * step + RATE * trust * norm(x) / norm(g) * g
        x = x - step
        yield x


def fromage(x, gradient):
    while True:
        g = gradient(x)
        x = (x - RATE * norm(x) / norm(g) * g) / np.sqrt(1 + RATE**2)
        yield x


def lion(x, gradient, b1=0.9, b2=0.99, decay=1e-3):
    m = 0.0
    while True:
        g = gradient(x)
        x = x - RATE * (np.sign(b1 * m + (1 - b1) * g) + decay * x)
        m = b2 * m + (1 - b2) * g
        yield x


def signum(x, gradient, beta=0.9):
    m = 0.0
    while True:
        m = beta * m + (1 - beta) * gradient(x)
        x = x - RATE * np.sign(m)
        yield x


def novograd(x, gradient, b1=0.9, b2=0.25, eps=1e-6, decay=0.01):
    m, v = 0.0, None
    while True:
        g = gradient(x)
        v = norm(g) ** 2 if v is None else b2 * v + (1 - b2) * norm(g) ** 2
        m = b1 * m + g / (np.sqrt(v) + eps) + decay * x
        x = x - RATE * m
        yield x


def sm3(x, gradient, momentum=0.9, eps=1e-8):
    covers, m = [np.zeros(n) for n in x.shape], 0.0
    while True:
        g = gradient(x)
        nu = np.empty_like(x)
        for place in np.ndindex(x.shape):
            nu[place] = min(c[i] for c, i in zip(covers, place, strict=True)) + g[place] ** 2
        for axis, cover in enumerate(covers):
            for i in range(len(cover)):
                cover[i] = np.max(np.take(nu, i, axis))
        m = momentum * m + (1 - momentum) * g / np.sqrt(nu + eps)
        x = x - RATE * m
        yield x


def rprop(x, gradient):
    size, last = np.full(x.shape, RATE), np.zeros(x.shape)
    while True:
        g = gradient(x)
        for i in np.ndindex(x.shape):
            turn = g[i] * last[i]
            if turn > 0:
                size[i] = min(size[i] * 1.2, 50.0)
            elif turn < 0:
                size[i], g[i] = max(size[i] * 0.5, 1e-6), 0.0
        x = x - size * np.sign(g)
        last = g
        yield x


def optimistic(x, gradient, alpha=0.7, beta=0.4):
    last = None
    while True:
        g = gradient(x)
        x = x - RATE * (alpha * g + beta * (g - (g if last is None else last)))
        last = g
        yield x


def adagrad(x, gradient, start=0.1, eps=1e-7):
    total = start
    while True:
        g = gradient(x)
        total = total + g**2
        x = x - RATE * g / np.sqrt(total + eps)
        yield x


def adadelta(x, gradient, rho=0.9, eps=1e-6):
    squares = steps = 0.0
    while True:
        g = gradient(x)
        squares = rho * squares + (1 - rho) * g**2
        step = -np.sqrt(steps + eps) / np.sqrt(squares + eps) * g
        steps = rho * steps + (1 - rho) * step**2
        x = x + step
        yield x


def rmsprop(x, gradient, decay=0.9, eps=1e-8, inside=True, centered=False, momentum=0.0):
    mean = square = step = 0.0
    while True:
        g = gradient(x)
        mean, square = decay * mean + (1 - decay) * g, decay * square + (1 - decay) * g**2
        variance = square - mean**2 if centered else square
        step = momentum * step
        step = step - RATE * g / (np.sqrt(variance + eps) if inside else np.sqrt(variance) + eps)
        x = x + step
        yield x


def adafactor(x, gradient, eps=1e-30, clipping=1.0):
    rows, cols, whole = np.zeros(x.shape[:1]), np.zeros(x.shape[-1:]), np.zeros(x.shape)
    for t in itertools.count(1):
        decay = 1 - t**-0.8
        g = gradient(x)
        squares = g**2 + eps
        if x.ndim == 2:
            rows = decay * rows + (1 - decay) * np.sum(squares, 1)
            cols = decay * cols + (1 - decay) * np.sum(squares, 0)
            u = g / np.sqrt(np.outer(rows, cols) / np.sum(rows))
        else:
            whole = decay * whole + (1 - decay) * squares
            u = g / np.sqrt(whole)
        u = u / max(1.0, norm(u) / np.sqrt(u.size) / clipping)
        x = x - RATE * max(1e-3, norm(x) / np.sqrt(x.size)) * u
        yield x


def muon(x, gradient, beta=0.95):
    if x.ndim < 2:
        yield from adam(x, gradient, nesterov=True)
    m = 0.0
    for t in itertools.count(1):
        g = gradient(x)
        m = beta * m + (1 - beta) * g
        u = beta * m / (1 - beta ** (t + 1)) + (1 - beta) * g / (1 - beta**t)
        # the polynomial acts on singular values
        left, s, right = np.linalg.svd(u, full_matrices=False)
        s = s / (norm(s) + 1e-8)
        for _ in range(5):
            s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
        x = x - RATE * np.sqrt(max(1, x.shape[1] / x.shape[0])) * (left * s) @ right
        yield x


def schedule_free_sgd(x, gradient, b=0.9):
    z = y = x
    for t in itertools.count(1):
        z = z - RATE * gradient(y)
        x = (1 - 1 / t) * x + z / t
        y = (1 - b) * z + b * x
        yield y


FORMULAS = [
    ("sgd", opts.sgd(RATE), sgd, {}),
    ("momentum", opts.sgd(RATE, 0.9), sgd, {"momentum": 0.9}),
    ("Nesterov", opts.sgd(RATE, 0.9, True), sgd, {"momentum": 0.9, "nesterov": True}),
    ("sign_sgd", opts.sign_sgd(RATE), signum, {"beta": 0.0}),
    ("signum", opts.signum(RATE), signum, {}),
    ("lion", opts.lion(RATE), lion, {}),
    ("lars", opts.lars(RATE, 0.01, trust_coefficient=0.5), lars, {}),
    ("fromage", opts.fromage(RATE), fromage, {}),
    ("fromage, schedule", opts.fromage(lambda count: RATE + 0 * count), fromage, {}),
    ("novograd", opts.novograd(RATE, weight_decay=0.01), novograd, {}),
    ("sm3", opts.sm3(RATE), sm3, {}),
    ("rprop", opts.rprop(RATE), rprop, {}),
    ("optimistic", opts.optimistic_gradient_descent(RATE, 0.7, 0.4), optimistic, {}),
    ("adam", opts.adam(RATE), adam, {}),
    ("adam, eps_root", opts.adam(RATE, eps_root=0.1), adam, {"eps_root": 0.1}),
    ("adam, decays", opts.adam(RATE, 0.5, 0.6), adam, {"b1": 0.5, "b2": 0.6}),
    ("nadam", opts.nadam(RATE), adam, {"nesterov": True}),
    ("adamw", opts.adamw(RATE, weight_decay=0.1), adam, {"decay": 0.1}),
    ("nadamw", opts.nadamw(RATE), adam, {"decay": 1e-4, "nesterov": True}),
    ("amsgrad", opts.amsgrad(RATE, b2=0.99), amsgrad, {}),
    ("adamax", opts.adamax(RATE), adamax, {}),
    ("adamaxw", opts.adamaxw(RATE), adamax, {"decay": 1e-4}),
    ("radam", opts.radam(RATE, b2=0.9), radam, {}),
    ("adabelief", opts.adabelief(RATE), adabelief, {}),
    ("yogi", opts.yogi(RATE), yogi, {}),
    ("adan", opts.adan(RATE), adan, {}),
    ("ademamix", opts.ademamix(RATE, b3=0.99, alpha=lambda count: 4.0), ademamix, {}),
    ("adopt", opts.adopt(RATE, b2=0.9), adopt, {"clip": 1.0}),
    ("adopt, not clipped", opts.adopt(RATE, b2=0.9, use_clipping=False), adopt, {}),
    ("lamb", opts.lamb(RATE, weight_decay=0.1), lamb, {}),
    ("adagrad", opts.adagrad(RATE), adagrad, {}),
    ("adadelta", opts.adadelta(), adadelta, {}),
    ("rmsprop", opts.rmsprop(RATE), rmsprop, {}),
    ("rmsprop, eps", opts.rmsprop(RATE, eps=0.1, eps_in_sqrt=False), rmsprop,
     {"eps": 0.1, "inside": False}),
    ("rmsprop, centered", opts.rmsprop(RATE, eps=0.1, centered=True, momentum=0.5), rmsprop,
     {"eps": 0.1, "centered": True, "momentum": 0.5}),
    ("adafactor", opts.adafactor(RATE, min_dim_size_to_factor=1), adafactor, {}),
    ("muon", opts.muon(RATE), muon, {}),
    ("muon, two rates", opts.muon(RATE, adam_learning_rate=RATE), muon, {}),
    ("schedule_free_sgd", opts.schedule_free_sgd(RATE), schedule_free_sgd, {}),
]  # fmt: skip


def gradients(shape, seed):
    """A gradient that is a function of the parameter and, by its noise, of the step."""
    draw = np.random.default_rng(seed)
    curvature = np.exp(draw.normal(size=shape))
    return lambda x: curvature * x + 0.3 * draw.normal(size=shape)


@pytest.mark.parametrize(("opt", "formula", "options"), [row[1:] for row in FORMULAS],
                         ids=[row[0] for row in FORMULAS])  # fmt: skip
def test_the_path_is_that_of_the_formulas(opt, formula, options):
    shapes = {"w": (4, 3), "b": (5,)}
    draw = np.random.default_rng(1)
    params = {name: draw.normal(size=shape) for name, shape in shapes.items()}
    paths = {
        name: formula(params[name], gradients(shape, i), **options)
        for i, (name, shape) in enumerate(shapes.items())
    }
    fields = {name: gradients(shape, i) for i, (name, shape) in enumerate(shapes.items())}
    state = opt.init(params)
    for _ in range(STEPS):
        grads = {name: field(params[name]) for name, field in fields.items()}
        updates, state = opt.update(grads, state, params)
        params = opts.apply_updates(params, updates)
        for name, path in paths.items():
            np.testing.assert_allclose(params[name], next(path), rtol=1e-9, atol=1e-11)
