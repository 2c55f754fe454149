"""All losses, with arguments for them: what the laws of losses go through."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fgrad_nn import losses as ls


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def real(shape: tuple[int, ...] = (4, 3), scale: float = 1.0) -> Callable[[int], Any]:
    return lambda seed: scale * _rng(seed).normal(size=shape)


def simplex(seed: int) -> Any:
    e = np.exp(_rng(seed).normal(size=(4, 3)))
    return e / e.sum(-1, keepdims=True)


def unit(shape: tuple[int, ...] = (4, 3)) -> Callable[[int], Any]:
    return lambda seed: _rng(seed).uniform(0.1, 0.9, shape)


def log_simplex(seed: int) -> Any:
    return np.log(simplex(seed))


def bits(shape: tuple[int, ...] = (4, 3)) -> Callable[[int], Any]:
    return lambda seed: _rng(seed).integers(0, 2, shape).astype(float)


def signs(shape: tuple[int, ...] = (4, 3)) -> Callable[[int], Any]:
    return lambda seed: 2 * _rng(seed).integers(0, 2, shape) - 1


def classes(seed: int) -> Any:
    return _rng(seed).integers(0, 3, 4)


def counts(seed: int) -> Any:
    return _rng(seed).integers(0, 5, (4, 3)).astype(float)


class Case(NamedTuple):
    """A loss, what draws its arguments, and its values by a formula for one value."""

    loss: Any
    draw: tuple[Callable[[int], Any], ...]
    value: Any
    """Of the numbers of one element, or of the vectors of one sample if `vectors`."""
    vectors: bool = False
    options: dict[str, Any] = {}  # noqa: RUF012
    active: tuple[int, ...] = (0,)
    """The arguments that have a derivative."""
    extreme: tuple[float, ...] = (-1e4, 0.0, 1e4)
    """Predictions at which value and gradient are finite."""

    def args(self, seed: int = 0, dtype: Any = np.float64) -> tuple[Any, ...]:
        """Arguments, floating ones in a dtype."""
        drawn = [d(10 * seed + i) for i, d in enumerate(self.draw)]
        return tuple(x.astype(dtype) if x.dtype.kind == "f" else x for x in drawn)

    def __call__(self, *args: Any, **more: Any) -> Any:
        return self.loss(*args, **{**self.options, **more})


def logs(x: Any) -> list[float]:
    total = math.fsum(math.exp(v) for v in x)
    return [v - math.log(total) for v in x]


def sigma(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def entropy(x: Any, p: Any) -> float:
    return -math.fsum(a * b for a, b in zip(p, logs(x), strict=True))


def kl(p: Any, q: Any) -> float:
    return math.fsum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a)


def js(log_q: Any, log_p: Any) -> float:
    q, p = np.exp(log_q), np.exp(log_p)
    return 0.5 * (kl(p, (p + q) / 2) + kl(q, (p + q) / 2))


def smoothed(x: Any, k: int) -> float:
    p = [0.1 / 3 + (0.9 if j == k else 0) for j in range(3)]
    return entropy(x, p)


def cosine(a: Any, b: Any) -> float:
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def gap(a: Any, b: Any) -> float:
    return math.dist(a, b)


def huber(d: float, delta: float) -> float:
    return 0.5 * d * d if abs(d) <= delta else delta * (abs(d) - 0.5 * delta)


def focal(x: float, y: float) -> float:
    p = sigma(x) if y else sigma(-x)
    return -(0.25 if y else 0.75) * (1 - p) ** 2 * math.log(p)


def hinges(s: Any, k: int, power: int) -> float:
    return sum(max(0, 0.5 - s[k] + v) ** power for j, v in enumerate(s) if j != k) / 3


def pairs_of_labels(s: Any, y: Any) -> float:
    right, wrong = s[y == 1], s[y == 0]
    return math.fsum(max(0, 0.5 - (a - b)) for a in right for b in wrong) / len(s)


def sparse(s: Any, k: int) -> float:
    """Martins & Astudillo 2016, equation 17, with the threshold found by bisection."""
    low, high = min(s) - 1, max(s)
    for _ in range(100):
        tau = (low + high) / 2
        low, high = (tau, high) if sum(max(x - tau, 0) for x in s) > 1 else (low, tau)
    return math.fsum((x * x - tau * tau) / 2 for x in s if x > tau) + 0.5 - s[k]


def sparse_binary(x: float, y: float) -> float:
    s = x if y else -x
    return 0 if s >= 1 else -s if s <= -1 else (s - 1) ** 2 / 4


BOTH = (real(), real())
SCORES = (real(), classes)
PAIRS = (real(), real())
CASES = {
    "mean_squared_error": Case(ls.mean_squared_error, BOTH, lambda x, y: (x - y) ** 2),
    "l2_loss": Case(ls.l2_loss, BOTH, lambda x, y: (x - y) ** 2 / 2),
    "mean_absolute_error": Case(ls.mean_absolute_error, BOTH, lambda x, y: abs(x - y)),
    "huber_loss": Case(
        ls.huber_loss, BOTH, lambda x, y: huber(x - y, 0.7), options={"delta": 0.7}
    ),
    "smooth_l1_loss": Case(
        ls.smooth_l1_loss, BOTH, lambda x, y: huber(x - y, 0.7) / 0.7, options={"beta": 0.7}
    ),
    "log_cosh": Case(ls.log_cosh, BOTH, lambda x, y: math.log(math.cosh(x - y))),
    "quantile_loss": Case(
        ls.quantile_loss, BOTH, lambda x, y: (0.3 - (y < x)) * (y - x), options={"quantile": 0.3}
    ),
    "poisson_nll_loss": Case(
        ls.poisson_nll_loss, (real(), counts), lambda x, y: math.exp(x) - y * x, extreme=(-1e4, 9.0)
    ),
    "poisson_nll_loss, rates": Case(
        ls.poisson_nll_loss, (unit(), counts), lambda x, y: x - y * math.log(x + 1e-8),
        options={"log_input": False}, extreme=(0.0, 1e4),
    ),
    "gaussian_nll_loss": Case(
        ls.gaussian_nll_loss, (real(), real(), unit()),
        lambda x, y, v: 0.5 * (math.log(2 * math.pi * v) + (x - y) ** 2 / v),
        options={"full": True}, active=(0, 1, 2),
    ),
    "cross_entropy": Case(ls.cross_entropy, SCORES, lambda x, k: -logs(x)[k], True),
    "cross_entropy, soft": Case(ls.cross_entropy, (real(), simplex), entropy, True, active=(0, 1)),
    "softmax_cross_entropy": Case(
        ls.softmax_cross_entropy, (real(), simplex),
        lambda x, p: 0.8 * entropy(x, p) + 0.2 * entropy(x, [1 / 3] * 3), True,
        options={"label_smoothing": 0.2}, active=(0, 1),
    ),
    "softmax_cross_entropy_with_integer_labels": Case(
        ls.softmax_cross_entropy_with_integer_labels, SCORES, smoothed, True,
        options={"label_smoothing": 0.1},
    ),
    "nll_loss": Case(ls.nll_loss, (log_simplex, classes), lambda x, k: -x[k], True),
    "poly_loss_cross_entropy": Case(
        ls.poly_loss_cross_entropy, (real(), simplex),
        lambda x, p: entropy(x, p) + 2 * (1 - np.exp(logs(x)) @ p), True, active=(0, 1),
    ),
    "kl_divergence": Case(
        ls.kl_divergence, (log_simplex, simplex), lambda x, p: kl(p, np.exp(x)), True,
        active=(0, 1),
    ),
    "kl_divergence_with_log_targets": Case(
        ls.kl_divergence_with_log_targets, (log_simplex, log_simplex),
        lambda x, t: kl(np.exp(t), np.exp(x)), True, active=(0, 1),
    ),
    "generalized_kl_divergence": Case(
        ls.generalized_kl_divergence, (real(), unit()),
        lambda x, p: kl(p, np.exp(x)) + float(np.sum(np.exp(x) - p)), True,
        active=(0, 1), extreme=(-1e4, 9.0),
    ),
    "js_divergence": Case(
        ls.js_divergence, (log_simplex, log_simplex), js, True, active=(0, 1), extreme=(-1e4, 0.0)
    ),
    "multi_margin_loss": Case(
        ls.multi_margin_loss, SCORES, lambda s, k: hinges(s, k, 2), True,
        options={"margin": 0.5, "p": 2},
    ),
    "multiclass_hinge_loss": Case(
        ls.multiclass_hinge_loss, SCORES,
        lambda s, k: max(0, *(1 + v - s[k] for j, v in enumerate(s) if j != k)), True,
    ),
    "sigmoid_binary_cross_entropy": Case(
        ls.sigmoid_binary_cross_entropy, (real(), bits()),
        lambda x, y: -math.log(sigma(x)) * 3 if y else -math.log(sigma(-x)),
        options={"pos_weight": 3.0},
    ),
    "binary_cross_entropy": Case(
        ls.binary_cross_entropy, (unit(), bits()), lambda p, y: -math.log(p if y else 1 - p),
        extreme=(0.0, 1.0),
    ),
    "sigmoid_focal_loss": Case(
        ls.sigmoid_focal_loss, (real(), bits()), focal, options={"alpha": 0.25}
    ),
    "hinge_loss": Case(ls.hinge_loss, (real(), signs()), lambda x, y: max(0, 1 - x * y)),
    "squared_hinge_loss": Case(
        ls.squared_hinge_loss, (real(), signs()), lambda x, y: max(0, 1 - x * y) ** 2
    ),
    "perceptron_loss": Case(ls.perceptron_loss, (real(), signs()), lambda x, y: max(0, -x * y)),
    "soft_margin_loss": Case(
        ls.soft_margin_loss, (real(), signs()), lambda x, y: math.log(1 + math.exp(-x * y))
    ),
    "multilabel_soft_margin_loss": Case(
        ls.multilabel_soft_margin_loss, (real(), bits()),
        lambda x, y: -math.fsum(math.log(sigma(v)) for v in np.where(y, x, -x)) / 3, True,
    ),
    "multilabel_margin_loss": Case(
        ls.multilabel_margin_loss, (real(), bits()), pairs_of_labels, True,
        options={"margin": 0.5},
    ),
    "multiclass_perceptron_loss": Case(
        ls.multiclass_perceptron_loss, SCORES, lambda s, k: max(s) - s[k], True
    ),
    "ranking_softmax_loss": Case(
        ls.ranking_softmax_loss, (real(), unit()), entropy, True, active=(0, 1)
    ),
    "fenchel_young_loss": Case(
        ls.fenchel_young_loss, (real(), simplex), lambda x, p: math.fsum(x**2) / 2 - x @ p, True,
        options={}, active=(0, 1),
    )._replace(
        loss=lambda x, p, **more: ls.fenchel_young_loss(
            lambda s: 0.5 * np.sum(np.square(s), axis=-1), x, p, **more
        )
    ),
    "multiclass_sparsemax_loss": Case(ls.multiclass_sparsemax_loss, SCORES, sparse, True),
    "sparsemax_loss": Case(ls.sparsemax_loss, (real((4, 3), 2.0), bits()), sparse_binary),
    "cosine_distance": Case(
        ls.cosine_distance, PAIRS, lambda a, b: 1 - cosine(a, b), True, active=(0, 1)
    ),
    "cosine_embedding_loss": Case(
        ls.cosine_embedding_loss, (*PAIRS, signs((4,))),
        lambda a, b, y: 1 - cosine(a, b) if y > 0 else max(0, cosine(a, b) - 0.1), True,
        options={"margin": 0.1}, active=(0, 1),
    ),
    "contrastive_loss": Case(
        ls.contrastive_loss, (*PAIRS, bits((4,))),
        lambda a, b, y: gap(a, b) ** 2 / 2 if y else max(0, 3 - gap(a, b)) ** 2 / 2, True,
        options={"margin": 3.0}, active=(0, 1),
    ),
    "triplet_margin_loss": Case(
        ls.triplet_margin_loss, (*PAIRS, real()),
        lambda a, b, c: max(0, gap(a, b) - min(gap(a, c), gap(b, c)) + 1), True,
        options={"swap": True}, active=(0, 1, 2),
    ),
    "hinge_embedding_loss": Case(
        ls.hinge_embedding_loss, (unit(), signs()), lambda d, y: d if y > 0 else max(0, 0.8 - d),
        options={"margin": 0.8},
    ),
    "margin_ranking_loss": Case(
        ls.margin_ranking_loss, (*PAIRS, signs()), lambda a, b, y: max(0, 0.2 - y * (a - b)),
        options={"margin": 0.2}, active=(0, 1),
    ),
}  # fmt: skip
