"""The example of Hamiltonian Monte Carlo: its moves, its step sizes, its targets, its output."""

from __future__ import annotations

import hmc
import hmc_diagnostics as diagnostics
import hmc_targets
import numpy as np
import pytest
import scipy.stats
from matplotlib.image import imread

import fgrad
from fgrad import random

# Moves ----------------------------------------------------------------------------------


def test_the_record_of_all_chains_is_each_chain_by_itself():
    target = hmc_targets.eight_schools()
    keys = random.split(random.key(3), 4)
    x = random.normal(random.key(4), (4, target.dimension))
    together = hmc.all_chains(target, 4)(keys, x, 0.3, 7)
    for i in range(4):
        alone = hmc.transition(target.log_density, keys[i], x[i], 0.3, 7)
        for got, wanted in zip(together, alone, strict=True):
            np.testing.assert_allclose(got[i], wanted, rtol=1e-9)


def test_the_error_of_energy_is_of_second_order():
    target = hmc_targets.correlated_gaussian()
    keys, x = random.split(random.key(0), 50), random.normal(random.key(1), (50, 10))
    move = hmc.all_chains(target, 50)
    coarse, fine = (move(keys, x, 0.1 / f, 10 * f).energy_error for f in (1, 2))
    ratio = np.linalg.norm(coarse) / np.linalg.norm(fine)
    assert ratio == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize(("size", "steps"), [(1.7, 1), (1.2, 4), (0.4, 5)])
def test_a_move_leaves_the_distribution_as_it_is(size, steps):
    """For exact draws moved once, also by steps so large that many moves are refused."""
    width, bend, n = 2.0, 0.1, 20_000
    rng = np.random.default_rng(0)
    x1, rest = width * rng.normal(size=n), rng.normal(size=n)
    x = np.stack([x1, rest + bend * (x1**2 - width**2)], axis=1)
    target = hmc_targets.banana(width, bend)
    moved = hmc.all_chains(target, n)(random.split(random.key(2), n), x, size, steps)
    if size > 1:
        assert np.mean(moved.acceptance) < 0.9
    straight = moved.x[:, 1] - bend * (moved.x[:, 0] ** 2 - width**2)
    assert np.mean(moved.x != x) > 0.3
    for sample in (moved.x[:, 0] / width, straight):
        assert scipy.stats.kstest(sample, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(moved.x[:, 0], straight)[0, 1]) < 4 / np.sqrt(n)


def test_a_path_that_runs_away_is_refused():
    x = np.array([[2.0, 0.0], [0.0, -3.0]])
    keys = random.split(random.key(0), 2)
    moved = hmc.all_chains(hmc_targets.banana(), 2)(keys, x, 50.0, 30)
    np.testing.assert_array_equal(moved.x, x)
    np.testing.assert_array_equal(moved.acceptance, 0.0)
    assert np.all(moved.energy_error > hmc.DIVERGENT)


# Step sizes -----------------------------------------------------------------------------


@pytest.mark.parametrize("aim", [0.6, 0.8, 0.95])
def test_dual_averaging_finds_the_size_of_an_acceptance(aim):
    rng = np.random.default_rng(0)
    seen = [hmc.DualAveraging.starting(5.0, aim)]
    for _ in range(2000):
        noise = 0.1 * rng.normal()
        seen.append(seen[-1].updated(float(np.exp(-np.exp(seen[-1].log_size))) + noise))
    assert np.exp(-np.exp(seen[-1].log_average)) == pytest.approx(aim, abs=0.02)
    averages, sizes = np.transpose([(a.log_average, a.log_size) for a in seen[-500:]])
    assert np.diff(averages).std() < 0.2 * np.diff(sizes).std()
    # the first step by hand: t0 = 10, gamma = 0.05, and the average takes all of it
    first = seen[0].updated(0.3)
    assert first.log_size == pytest.approx(np.log(50.0) - (aim - 0.3) / 11 / 0.05)
    assert first.log_average == first.log_size


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_first_size_fits_the_scale(scale):
    target = hmc_targets.Target(
        "", lambda x: -0.5 * x @ x / scale**2, 3, 1.0, (), np.zeros(3), np.ones(3)
    )
    keys, x = random.split(random.key(0), 30), scale * random.normal(random.key(1), (30, 3))
    move = hmc.all_chains(target, 30)
    size = hmc.reasonable_size(move, keys, x)
    assert 0.3 * scale < size < 4 * scale


# Sampling -------------------------------------------------------------------------------


def test_draws_have_the_moments_of_the_target():
    target = hmc_targets.correlated_gaussian(4, 0.7)
    samples = hmc.sample(target, random.key(1), chains=16, warmup=150, draws=200)
    assert samples.kept.shape == (16, 200, 4)
    assert samples.acceptance == pytest.approx(hmc.AIM, abs=0.07)
    assert not samples.divergent.any()
    for i in range(4):
        x = samples.kept[..., i]
        assert diagnostics.r_hat(x) < 1.02
        error = 1 / np.sqrt(diagnostics.effective_size(x))
        assert abs(x.mean()) < 4 * error
        assert x.std() == pytest.approx(1.0, abs=4 * error)
    again = hmc.sample(target, random.key(1), chains=16, warmup=5, draws=2)
    np.testing.assert_array_equal(again.draws[:, :5], samples.draws[:, :5])


# Targets --------------------------------------------------------------------------------


def test_the_moments_of_the_banana():
    target = hmc_targets.banana()
    x1, x2 = np.meshgrid(np.linspace(-16, 16, 401), np.linspace(-10, 80, 901), indexing="ij")
    points = np.stack([x1.ravel(), x2.ravel()], axis=1)
    weights = np.exp(fgrad.vmap(target.log_density)(points))
    mean = weights @ points / weights.sum()
    np.testing.assert_allclose(mean, target.mean, atol=1e-5)
    deviation = np.sqrt(weights @ (points - mean) ** 2 / weights.sum())
    np.testing.assert_allclose(deviation, target.deviation, rtol=1e-5)


def test_the_gaussian_has_the_covariance_that_it_says():
    target = hmc_targets.correlated_gaussian(5, 0.9)
    covariance = np.linalg.inv(-fgrad.hessian(target.log_density)(np.zeros(5)))
    index = np.arange(5)
    np.testing.assert_allclose(covariance, 0.9 ** np.abs(index[:, None] - index), rtol=1e-10)


def test_the_grid_is_the_integral_of_the_eight_schools():
    """The log density is quadratic in z, so a Hessian gives its integral over z exactly."""
    target = hmc_targets.eight_schools()
    mu, log_tau, probabilities = hmc_targets.eight_schools_grid()
    offsets = []
    for i, j in ((260, 400), (300, 460), (340, 300), (290, 490)):

        def density(z, i=i, j=j):
            return target.log_density(np.concatenate([[mu[i], log_tau[j]], z]))

        H = fgrad.hessian(density)(np.zeros(8))
        top = -np.linalg.solve(H, fgrad.grad(density)(np.zeros(8)))
        integral = density(top) - 0.5 * np.linalg.slogdet(-H)[1]
        offsets.append(integral - np.log(probabilities[i, j]))
    np.testing.assert_allclose(offsets, offsets[0], rtol=1e-10)
    # as long runs of other programs have them
    assert target.mean[0] == pytest.approx(4.4, abs=0.05)
    assert np.sum(probabilities @ np.exp(log_tau)) == pytest.approx(3.6, abs=0.05)


# Diagnostics ----------------------------------------------------------------------------


def autoregressive(correlation, chains, draws):
    rng = np.random.default_rng(0)
    x = np.empty((chains, draws))
    x[:, 0] = rng.normal(size=chains)
    for i in range(1, draws):
        x[:, i] = correlation * x[:, i - 1]
        x[:, i] += np.sqrt(1 - correlation**2) * rng.normal(size=chains)
    return x


@pytest.mark.parametrize("correlation", [-0.4, 0.0, 0.5, 0.9])
def test_the_effective_size_of_an_autoregression(correlation):
    size = diagnostics.effective_size(autoregressive(correlation, 8, 4000))
    assert size == pytest.approx(32_000 * (1 - correlation) / (1 + correlation), rel=0.1)


def test_r_hat_tells_chains_that_differ():
    x = autoregressive(0.3, 4, 1000)
    assert diagnostics.r_hat(x) < 1.01
    assert diagnostics.r_hat(np.exp(5 * x)) == pytest.approx(diagnostics.r_hat(x), abs=5e-3)
    moved, wider, drifting = x.copy(), x.copy(), x + np.linspace(0, 2, 1000)
    moved[0] += 1.0
    wider[0] *= 3.0
    for bad in (moved, wider, drifting):
        assert diagnostics.r_hat(bad) > 1.05
    assert diagnostics.effective_size(moved) < 0.05 * x.size
    assert diagnostics.r_hat(np.ones((4, 10))) == 1.0
    assert diagnostics.effective_size(np.ones((4, 10))) == 40


def test_autocovariances():
    x = np.random.default_rng(0).normal(size=25)
    c = x - x.mean()
    expected = [np.sum(c[: 25 - lag] * c[lag:]) / 25 for lag in range(25)]
    np.testing.assert_allclose(diagnostics.autocovariance(x), expected, atol=1e-14)


# The program ----------------------------------------------------------------------------


def test_the_program(tmp_path, capsys):
    assert hmc.main(["--quick", "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    for text in ("8 chains of 30 draws", "worst R-hat", "banana, 0.98: x2", "eight schools, 0.8"):
        assert text in printed
    assert imread(tmp_path / "new" / "hmc.png").std() > 0.05
