"""The distributions that `hmc.py` draws from, each with moments that are known without drawing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

EFFECTS = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])  # of coaching, in eight schools
ERRORS = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])  # their standard errors


class Target(NamedTuple):
    """A distribution to draw from."""

    name: str
    log_density: Callable[[Any], Any]  # of one point (dimension,), up to a constant
    dimension: int
    trajectory: float  # how far a step of the sampler goes, in time units
    names: tuple[str, ...]  # of the first coordinates, whose moments are known
    mean: np.ndarray
    deviation: np.ndarray


def correlated_gaussian(dimension: int = 10, correlation: float = 0.9) -> Target:
    """A normal distribution whose neighbouring coordinates have a correlation of 0.9."""
    index = np.arange(dimension)
    precision = np.linalg.inv(correlation ** np.abs(index[:, None] - index))
    names = tuple(f"x{i + 1}" for i in index)
    return Target(
        "correlated Gaussian", lambda x: -0.5 * x @ precision @ x, dimension, 4.0, names,
        np.zeros(dimension), np.ones(dimension),
    )  # fmt: skip


def banana(width: float = 2.0, bend: float = 0.3) -> Target:
    """A bent normal distribution: x2 is normal around bend (x1**2 - width**2).

    (H. Haario, E. Saksman, J. Tamminen, Computational Statistics 14, 1999.) The variance of x1**2
    is 2 width**4, which gives that of x2.
    """

    def log_density(x: Any) -> Any:
        return -0.5 * (x[0] / width) ** 2 - 0.5 * (x[1] - bend * (x[0] ** 2 - width**2)) ** 2

    deviation = np.array([width, np.sqrt(1.0 + 2.0 * bend**2 * width**4)])
    return Target("banana", log_density, 2, 5.0, ("x1", "x2"), np.zeros(2), deviation)


def eight_schools() -> Target:
    """The posterior of a hierarchical model: the effects of coaching in eight schools differ.

    School j's true effect is mu + tau z_j, with z_j standard normal; mu ~ normal(0, 5) and
    tau ~ half-Cauchy(5) (D. Rubin, J. Educational Statistics 6, 1981; A. Gelman et al., Bayesian
    Data Analysis, 2013, section 5.5). The unknowns are mu, log(tau) and z.
    """

    def log_density(x: Any) -> Any:
        mu, log_tau, z = x[0], x[1], x[2:]
        tau = np.exp(log_tau)
        # + log_tau: the density of log(tau) is tau times that of tau
        prior = -0.5 * (mu / 5) ** 2 - np.log1p((tau / 5) ** 2) + log_tau - 0.5 * np.sum(z**2)
        return prior - 0.5 * np.sum(((EFFECTS - mu - tau * z) / ERRORS) ** 2)

    mu, log_tau, probabilities = eight_schools_grid()
    moments = []
    for axis, points in enumerate((mu, log_tau)):
        marginal = probabilities.sum(axis=1 - axis)
        mean = marginal @ points
        moments.append((mean, np.sqrt(marginal @ (points - mean) ** 2)))
    mean, deviation = np.transpose(moments)
    return Target("eight schools", log_density, 10, 5.0, ("mu", "log tau"), mean, deviation)


def eight_schools_grid(n: int = 601) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of mu, points of log(tau), and probabilities (n, n) of both.

    Given mu and tau the measured effects are independent and normal, with variance
    tau**2 + error**2, so that only two unknowns are left to integrate over.
    """
    mu, log_tau = np.linspace(-25.0, 35.0, n), np.linspace(-16.0, 7.0, n)
    tau = np.exp(log_tau)
    variance = tau[:, None] ** 2 + ERRORS**2
    squares = (EFFECTS - mu[:, None, None]) ** 2 / variance
    logs = -0.5 * np.sum(squares + np.log(variance), axis=-1)
    logs = logs - 0.5 * (mu[:, None] / 5) ** 2 - np.log1p((tau / 5) ** 2) + log_tau
    probabilities = np.exp(logs - logs.max())
    return mu, log_tau, probabilities / probabilities.sum()
