"""Optimizers that ask for more than gradients: values, curvature along steps, the Hessian."""

from __future__ import annotations

import numpy as np

import fgrad_nn.optimizers as opts


def test_polyak_steps_reach_the_minimum_of_a_cone_at_once():
    x = np.array([3.0, 4.0])
    opt = opts.polyak_sgd(max_learning_rate=10.0, f_min=1.0)
    grads, value = x / 5.0, 6.0  # of 1 + |x|
    updates, _ = opt.update(grads, opt.init(x), x, value=value)
    np.testing.assert_allclose(x + updates, 0.0, atol=1e-15)
    plus = opts.polyak_sgd(f_min=7.0, variant="sps+")
    np.testing.assert_array_equal(plus.update(grads, plus.init(x), x, value=value)[0], [0.0, 0.0])


def test_lbfgs_ends_on_a_quadratic_after_as_many_steps_as_it_has_dimensions():
    draw = np.random.default_rng(0)
    half = draw.normal(size=(6, 6))
    a, b = half @ half.T + np.eye(6), draw.normal(size=6)
    opt, x = opts.scale_by_lbfgs(memory_size=10), np.zeros(6)
    state = opt.init(x)
    for _ in range(7):  # with exact line searches, as for conjugate gradients
        direction, state = opt.update(a @ x - b, state, x)
        x = x - (direction @ (a @ x - b)) / (direction @ a @ direction) * direction
    np.testing.assert_allclose(a @ x, b, atol=1e-8)


def test_lbfgs_is_bfgs_while_its_memory_lasts():
    """Against the inverse Hessian that BFGS keeps as a matrix (Nocedal and Wright, 6.17)."""
    draw = np.random.default_rng(1)

    def field(x):  # the gradient of a convex function
        return np.sinh(x) + 0.3 * x[::-1]

    x, last = draw.normal(size=4), None
    opt = opts.scale_by_lbfgs(memory_size=8)
    state, pairs = opt.init(x), []
    for _ in range(7):
        g = field(x)
        direction, state = opt.update(g, state, x)
        if last is not None:
            pairs.append((x - last[0], g - last[1]))
            s, y = pairs[-1]
            h = s @ y / (y @ y) * np.eye(4)
            for s, y in pairs:
                v = np.eye(4) - np.outer(y, s) / (s @ y)
                h = v.T @ h @ v + np.outer(s, s) / (s @ y)
            np.testing.assert_allclose(direction, h @ g, rtol=1e-8)
        last = x, g
        x = x - 0.5 * direction


def test_sophia_divides_by_the_curvature_where_it_is_diagonal():
    curvature = np.array([1.0, 10.0, -5.0])
    f = lambda x: 0.5 * np.sum(curvature * x**2)  # noqa: E731
    x = np.array([0.01, 0.02, 0.03])
    opt = opts.sophia(1.0, b1=0.5, b2=0.8, gamma=0.1, weight_decay=0.0, update_interval=3)
    state, m, h = opt.init(x), 0.0, 0.0
    for step in range(7):
        g = curvature * x
        updates, state = opt.update(g, state, x, value_fn=f)
        m = 0.5 * m + 0.5 * g
        h = 0.8 * h + 0.2 * curvature if step % 3 == 0 else h
        want = -np.clip(m / np.maximum(0.1 * h, 1e-8), -1.0, 1.0)
        np.testing.assert_allclose(updates, want, rtol=1e-9)
        x = x + updates


def test_lbfgs_leads_down_where_the_function_is_concave():
    x, opt = np.array([1.0, 1.0]), opts.scale_by_lbfgs()
    curvature = np.array([1.0, -3.0])
    state = opt.init(x)
    for _ in range(4):
        g = curvature * x
        direction, state = opt.update(g, state, x)
        assert g @ direction > 0
        x = x - 0.1 * direction
    assert np.all(state.weights_memory >= 0)
