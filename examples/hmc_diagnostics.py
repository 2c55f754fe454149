"""How far chains have mixed, and what their draws are worth: R-hat and effective sample size.

Both are those of A. Vehtari, A. Gelman, D. Simpson, B. Carpenter and P. Buerkner,
Rank-normalization, folding, and localization: an improved R-hat (Bayesian Analysis 16, 2021). All
functions take the draws of one quantity, of shape (chains, draws).
"""

from __future__ import annotations

import numpy as np
import scipy.special
import scipy.stats


def r_hat(x: np.ndarray) -> float:
    """The rank-normalised split R-hat: 1 for chains that agree, above 1.01 for doubtful ones.

    The greater of that of the draws, which compares where chains are, and of their distances from
    the median, which compares how wide they are.
    """
    folded = np.abs(x - np.median(x))
    return max(_ratio(normalised(split(x))), _ratio(normalised(split(folded))))


def effective_size(x: np.ndarray) -> float:
    """How many independent draws would tell the mean as well.

    The autocorrelation is that within the chains and between them; it is summed as far as it can be
    told from noise (C. Geyer, Practical Markov chain Monte Carlo, Statistical Science 7, 1992).
    """
    halves = split(x)
    chains, draws = halves.shape
    within, both = _variances(halves)
    if both == 0:
        return float(halves.size)  # a constant
    covariance = np.mean([autocovariance(chain) for chain in halves], axis=0)
    correlation = 1 - (within - covariance * draws / (draws - 1)) / both
    correlation[0] = 1.0
    pairs = correlation[: draws // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0)
    kept = pairs[: negative[0]] if len(negative) else pairs
    monotone = np.minimum.accumulate(kept)
    tau = max(-1.0 + 2.0 * float(monotone.sum()), 1.0 / np.log10(halves.size))
    return float(chains * draws / tau)


def split(x: np.ndarray) -> np.ndarray:
    """Each chain as two, its first and its second half, so that a chain that drifts is noticed."""
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, -half:]])


def normalised(x: np.ndarray) -> np.ndarray:
    """Normal scores of the ranks among all draws: of any distribution, with finite variance."""
    ranks = scipy.stats.rankdata(x).reshape(x.shape)
    return scipy.special.ndtri((ranks - 0.375) / (x.size + 0.25))


def autocovariance(x: np.ndarray) -> np.ndarray:
    """Autocovariances at all lags, with the divisor n, by Fourier transforms."""
    centred = x - x.mean()
    transform = np.fft.rfft(centred, 2 * len(x))  # twice as long, so that the ends don't meet
    return np.fft.irfft(np.abs(transform) ** 2)[: len(x)] / len(x)


def _ratio(x: np.ndarray) -> float:
    within, both = _variances(x)
    return float(np.sqrt(both / within)) if within > 0 else 1.0


def _variances(x: np.ndarray) -> tuple[float, float]:
    """The variance within chains, and that estimated from all of them together."""
    draws = x.shape[1]
    within = float(np.mean(x.var(axis=1, ddof=1)))
    return within, within * (draws - 1) / draws + float(x.mean(axis=1).var(ddof=1))
