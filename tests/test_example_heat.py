"""The example of heat in a rod: its physics, its gradients, its search, its output."""

from __future__ import annotations

import heat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread

import fgrad


def rod(seed, cells, steps):
    rng = np.random.default_rng(seed)
    experiment = heat.measure(cells, steps, rng)
    return experiment, rng.uniform(np.log(0.02), np.log(0.45), cells - 1)


def test_a_step_keeps_the_heat_and_follows_the_equation():
    rng = np.random.default_rng(0)
    u, k = rng.random((3, 20)), rng.uniform(0.1, 0.4, 19)
    np.testing.assert_allclose(heat.evolve(u, k).sum(axis=1), u.sum(axis=1), rtol=1e-14)
    np.testing.assert_allclose(heat.evolve(np.ones((1, 20)), k), 1.0)
    inner = u[:, 5] + k[5] * (u[:, 6] - u[:, 5]) - k[4] * (u[:, 5] - u[:, 4])
    np.testing.assert_allclose(heat.evolve(u, k)[:, 5], inner)


def test_an_even_rod_follows_the_exact_solution():
    """A cosine that fits an insulated rod decays by the same factor in each step."""
    cells, k, steps = 40, 0.3, 200
    wave = np.cos(np.pi * 3 * (np.arange(cells) + 0.5) / cells)[None]
    decay = 1 - 4 * k * np.sin(np.pi * 3 / (2 * cells)) ** 2
    found = heat.final_temperatures(np.full(cells - 1, k), wave, steps)
    np.testing.assert_allclose(found, decay**steps * wave, atol=1e-13)
    # and the scheme is one of the heat equation: the decay is exp(-k q^2) for long waves
    assert decay == pytest.approx(np.exp(-k * (3 * np.pi / cells) ** 2), rel=2e-3)


@settings(max_examples=10)
@given(st.integers(0, 1000), st.integers(4, 12), st.integers(1, 40))
def test_all_gradients_are_the_adjoint_written_by_hand(seed, cells, steps):
    experiment, at = rod(seed, cells, steps)
    expected = heat.gradient_by_hand(at, experiment)
    for gradient in heat.ways(experiment).values():
        np.testing.assert_allclose(
            gradient(at), expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max()
        )


def test_the_adjoint_is_the_derivative_of_the_misfit():
    experiment, at = rod(3, 8, 20)
    by_hand = heat.gradient_by_hand(at, experiment)
    for i, h in enumerate(1e-6 * np.eye(7)):
        rise = heat.misfit(at + h, experiment) - heat.misfit(at - h, experiment)
        assert rise / 2e-6 == pytest.approx(by_hand[i], rel=1e-5, abs=1e-4 * np.abs(by_hand).max())
    assert heat.misfit_by_loop(at, experiment) == pytest.approx(heat.misfit(at, experiment))


def test_checkpoints_save_memory():
    experiment, at = rod(0, 64, 150)
    ways = heat.ways(experiment)
    plain, auto, bounded = (
        heat.cost(ways[name], at, repeats=1)
        for name in ("grad of scan", 'checkpoint_every="auto"', "checkpoint_memory=50_000")
    )
    assert auto.bytes < 0.25 * plain.bytes
    assert bounded.bytes < 0.25 * plain.bytes
    np.testing.assert_allclose(auto.gradient, plain.gradient, rtol=1e-9)


def test_the_search_finds_the_conductivity_within_its_errors():
    experiment = heat.measure(24, 150, np.random.default_rng(1))
    found = heat.search(experiment, iterations=40)
    truth = heat.true_conductivity(24)
    away = np.log(found.conductivity / truth)
    assert heat.rms(away) < 0.5 * heat.rms(np.log(heat.START / truth))
    assert heat.rms(away / found.error) < 2.0
    assert np.all(np.diff(found.misfits) <= 0)
    gradient = fgrad.grad(heat.misfit)(np.log(found.conductivity), experiment)
    assert np.linalg.norm(gradient) < 1e-2 * np.linalg.norm(
        fgrad.grad(heat.misfit)(np.full(23, np.log(heat.START)), experiment)
    )


def test_the_standard_error_is_that_of_a_hessian_without_noise():
    """Where the residuals vanish the Gauss-Newton matrix is the Hessian."""
    k = np.full(9, 0.3)
    before = np.random.default_rng(0).random((3, 10))
    experiment = heat.Experiment(before, heat.final_temperatures(k, before, 15), 15)
    hessian = fgrad.hessian(heat.misfit)(np.log(k), experiment)
    expected = np.sqrt(np.diag(np.linalg.inv(hessian)))
    np.testing.assert_allclose(heat.standard_error(np.log(k), experiment), expected, rtol=1e-7)


def test_the_program(tmp_path, capsys):
    assert heat.main(["--quick", "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    for text in ("The gradient through 100 steps", "adjoint by hand", "checkpoint_memory=50_000"):
        assert text in printed
    assert imread(tmp_path / "new" / "heat.png").std() > 0.05
