"""The pictures of `pulsars.py`: the loss curve, and the classes with the decision boundary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pulsar_data import Candidates

PULSAR, OTHER, INK = "#c8553d", "#5b7f95", "#333333"


def loss_curve(
    path: Path, errors: Sequence[float], reach: int = 10, error: str = "mean squared error"
) -> Path:
    """Save the batch error, and its mean over `reach` steps to each side, as a PNG."""
    figure, axes = _canvas()
    steps = np.arange(1, len(errors) + 1)
    axes.plot(steps, errors, color=OTHER, alpha=0.5, linewidth=0.9, label="one batch of 100")
    ones = np.ones(min(2 * reach + 1, len(errors)))
    # dividing by how many steps there are leaves the ends, where some are missing, unbiased
    mean = np.convolve(errors, ones, "same") / np.convolve(np.ones(len(errors)), ones, "same")
    axes.plot(steps, mean, color=PULSAR, linewidth=2.2, label=f"mean over {len(ones)} steps")
    axes.set(xlabel="step", ylabel=error, ylim=(0, None))
    axes.set_title("Training error of the pulsar network", loc="left")
    axes.legend(frameon=False, fontsize=11.5)
    figure.savefig(path)
    return path


def decision_boundary(
    path: Path,
    candidates: Candidates,
    network: Callable[[np.ndarray], np.ndarray],
    X: np.ndarray,
) -> Path:
    """Save the two classes in the two most telling features, with the network's boundary, as a PNG.

    The plane shows two of eight features, so the other six need values: each point of the plane
    takes their means over the candidates nearest to it. With fixed values, such as the medians,
    most of the plane would be combinations that no candidate has.

    Args:
        path: where to save.
        candidates: features in their own units, for the axes, and labels.
        network: standardised features (samples, 8) to scores (samples, 2).
        X: the standardised features.
    """
    figure, axes = _canvas()
    pair = telling_pair(X, candidates.labels)
    first, second = (candidates.features[:, i] for i in pair)
    # shuffled and in one call: drawn class by class, the second class would cover the first
    order = np.random.default_rng(0).permutation(len(first))
    colors = [PULSAR if label else OTHER for label in candidates.labels[order]]
    axes.scatter(first[order], second[order], s=9, c=colors, alpha=0.55, linewidths=0)
    limits = [_limits(values) for values in (first, second)]
    grids = np.meshgrid(*(np.linspace(*limit, 120) for limit in limits))
    margin = _local_margin(np.stack(grids, axis=-1).reshape(-1, 2), candidates, network, X, pair)
    axes.contour(*grids, margin.reshape(grids[0].shape), levels=[0.0], colors=INK, linewidths=1.8)
    axes.set(xlim=limits[0], ylim=limits[1])
    axes.set_xlabel(readable(candidates.names[pair[0]]))
    axes.set_ylabel(readable(candidates.names[pair[1]]))
    axes.set_title("Candidates and the network's decision", loc="left", pad=20)
    note = "other six features at the mean of the nearest 50 candidates"
    axes.text(0, 1.015, note, transform=axes.transAxes, fontsize=9.5, color=INK)
    handles = [
        Line2D([], [], color=PULSAR, label="pulsar", linestyle="", marker="o"),
        Line2D([], [], color=OTHER, label="not a pulsar", linestyle="", marker="o"),
        Line2D([], [], color=INK, linewidth=1.8, label="network's boundary"),
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=11.5
    )
    figure.savefig(path)
    return path


def telling_pair(X: np.ndarray, labels: np.ndarray) -> tuple[int, int]:
    """The two features that together separate the classes best.

    Best is the largest Mahalanobis distance between the class means, with the classes' mean
    covariance: Fisher's criterion for two features at once, so that a second feature that repeats
    the first is no help. It is taken on ranks, because the moments have a few very large values.
    """
    ranks = X.argsort(axis=0).argsort(axis=0) / len(X)
    pulsars, others = ranks[labels == 1], ranks[labels == 0]
    gap = pulsars.mean(axis=0) - others.mean(axis=0)
    spread = (np.cov(pulsars.T, bias=True) + np.cov(others.T, bias=True)) / 2

    def distance(pair: tuple[int, int]) -> float:
        # pinv: a feature and its copy, or a class of one sample, have a singular covariance
        chosen = list(pair)
        return float(gap[chosen] @ np.linalg.pinv(spread[np.ix_(chosen, chosen)]) @ gap[chosen])

    return max(combinations(range(X.shape[1]), 2), key=distance)


def readable(name: str) -> str:
    """A column's name as an axis label, where it is one of HTRU2's or of the simulation's."""
    curve, _, moment = name.rpartition("_")
    curves = {"ip": "pulse profile", "profile": "pulse profile", "dmsnr": "DM-SNR curve"}
    moments = {
        "mean": "mean (8-bit counts)",
        "std": "std. deviation (8-bit counts)",
        "kurtosis": "excess kurtosis",
        "skewness": "skewness",
    }
    if curve not in curves or moment not in moments:
        return name
    return f"{curves[curve]}: {moments[moment]}"


def _local_margin(
    points: np.ndarray,
    candidates: Candidates,
    network: Callable[[np.ndarray], np.ndarray],
    X: np.ndarray,
    pair: tuple[int, int],
    neighbours: int = 50,
) -> np.ndarray:
    """Score for "pulsar" minus that for "no pulsar" at points (n, 2) of the features' plane."""
    shown = candidates.features[:, pair]
    mean, spread = shown.mean(axis=0), shown.std(axis=0)
    at = (points - mean) / np.where(spread > 0, spread, 1.0)
    neighbours = min(neighbours, len(X))
    inputs = np.empty((len(points), X.shape[1]))
    for row, point in enumerate(at):  # one by one: all distances at once would take 400 MB
        squared = np.sum((X[:, pair] - point) ** 2, axis=1)
        inputs[row] = X[np.argpartition(squared, neighbours - 1)[:neighbours]].mean(axis=0)
    inputs[:, pair] = at
    scores = network(inputs)
    return scores[:, 1] - scores[:, 0]


def _limits(values: np.ndarray) -> tuple[float, float]:
    """The range of nearly all values: one far outlier would squeeze the rest into a corner."""
    low, high = np.percentile(values, [0.2, 99.5])
    edge = 0.04 * (high - low) or 1.0
    return low - edge, high + edge


def _canvas() -> tuple[Figure, Axes]:
    """An empty figure; without pyplot, so without a display and without global state."""
    figure = Figure(figsize=(7.5, 5.0), dpi=160, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=11)
    axes.xaxis.label.set_fontsize(13)
    axes.yaxis.label.set_fontsize(13)
    axes.title.set_fontsize(15)
    return figure, axes
