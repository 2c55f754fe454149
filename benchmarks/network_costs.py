"""What messages between ranks cost, reckoned: latency, bandwidth, and the sum over many ranks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Network(NamedTuple):
    """A way between machines."""

    name: str
    alpha: float
    """Seconds a message takes, however short."""
    beta: float
    """Seconds for each further octet."""


def allreduce(network: Network, gamma: float, ranks: int, octets: int) -> float:
    """Seconds of a sum over ranks.

    Thakur, Rabenseifner & Gropp 2005, "Optimization of collective communication operations in
    MPICH", section 4.5: recursive doubling for short messages, a reduce-scatter and an all-gather
    for long ones, whichever is quicker.

    Args:
        network: between any two ranks.
        gamma: seconds to add an octet to another.
        ranks: how many there are.
        octets: the length of the message.
    """
    steps, share = math.ceil(math.log2(ranks)), (ranks - 1) / ranks
    short = steps * (network.alpha + octets * (network.beta + gamma))
    long = 2 * steps * network.alpha + share * octets * (2 * network.beta + gamma)
    return min(short, long)


def fit(sizes: Sequence[int], seconds: Sequence[float]) -> tuple[float, float]:
    """The latency and the time of an octet: of least relative squares, none below zero."""
    weights = 1 / np.asarray(seconds)
    a = np.stack([np.ones(len(sizes)), np.asarray(sizes, float)], axis=1) * weights[:, None]
    alpha, beta = np.linalg.lstsq(a, np.ones(len(sizes)))[0]
    return max(float(alpha), 0.0), max(float(beta), 0.0)
