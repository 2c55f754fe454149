"""The model of costs in the benchmark: what it says of messages whose costs are known."""

from __future__ import annotations

import pytest

from benchmarks import network_costs


def test_latency_and_bandwidth_are_found():
    sizes = [8, 1000, 10**6]
    alpha, beta = network_costs.fit(sizes, [2e-6 + n * 3e-10 for n in sizes])
    assert alpha == pytest.approx(2e-6)
    assert beta == pytest.approx(3e-10)


def test_short_messages_cost_latency_and_long_ones_bandwidth():
    network, gamma = network_costs.Network("a", 1e-6, 1e-9), 1e-10
    for ranks, steps in ((2, 1), (3, 2), (4, 2), (16, 4)):
        short = network_costs.allreduce(network, gamma, ranks, 8)
        assert short == pytest.approx(steps * 1e-6, rel=0.02)
        share = (ranks - 1) / ranks
        long = network_costs.allreduce(network, gamma, ranks, 10**9)
        assert long == pytest.approx(min(1.1 * steps, 2.1 * share), rel=1e-4)
    one, many = (network_costs.allreduce(network, gamma, p, 10**9) for p in (4, 1024))
    assert many < 1.4 * one  # the long way hardly depends on the ranks
