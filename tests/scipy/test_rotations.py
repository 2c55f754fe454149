"""Rotations: derivatives where formulas have poles, pytrees, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import transform as sp

import fgrad
from fgrad.scipy.spatial.transform import Rotation, Slerp

ZERO = np.zeros(3)
#: The matrix of the cross product with each coordinate axis.
CROSS = np.array([np.cross(axis, np.eye(3)).T for axis in np.eye(3)])


def test_the_exponential_map_has_the_cross_product_as_its_derivative_at_zero():
    jacobian = fgrad.jacfwd(lambda v: Rotation.from_rotvec(v).as_matrix())(ZERO)
    np.testing.assert_array_equal(np.moveaxis(jacobian, -1, 0), CROSS)


def test_the_second_derivative_of_the_exponential_map_at_zero():
    hessian = fgrad.hessian(lambda v: Rotation.from_rotvec(v).as_matrix())(ZERO)
    e = np.eye(3)
    # exp(V) = I + V + V V / 2 + ..., and V V = v v' - |v|^2 I.
    want = (np.einsum("ik,jl->ijkl", e, e) + np.einsum("il,jk->ijkl", e, e)) / 2
    want = want - np.einsum("ij,kl->ijkl", e, e)
    np.testing.assert_allclose(hessian, want, atol=1e-15)


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e-160, 1e-8, 1e-3, 0.49, 0.51, 3.0])
def test_rotation_vectors_come_back_with_the_identity_as_their_derivative(size):
    v = size * np.array([0.6, 0.0, 0.8])
    there_and_back = lambda v: Rotation.from_rotvec(v).as_rotvec()  # noqa: E731
    for jacobian in (fgrad.jacfwd, fgrad.jacrev):
        np.testing.assert_allclose(jacobian(there_and_back)(v), np.eye(3), atol=1e-14)
    assert np.max(np.abs(fgrad.hessian(there_and_back)(v))) < 1e-13


def test_the_angle_of_no_rotation_has_the_derivative_zero():
    gradient = fgrad.grad(lambda v: Rotation.from_rotvec(v).magnitude())(ZERO)
    np.testing.assert_array_equal(gradient, ZERO)


def test_a_matrix_that_is_a_rotation_moves_to_the_next_rotation():
    """As SciPy does with matrices that aren't quite orthogonal."""
    m = Rotation.from_rotvec([0.3, -0.2, 0.9]).as_matrix()
    t = np.random.default_rng(0).normal(size=(3, 3))
    got = fgrad.jvp(lambda m: Rotation.from_matrix(m).as_matrix(), (m,), (t,))[1]
    far, near = (sp.Rotation.from_matrix(m + s * 1e-5 * t).as_matrix() for s in (1, -1))
    np.testing.assert_allclose(got, (far - near) / 2e-5, atol=1e-9)


def test_a_rotation_is_a_pytree():
    r = Rotation.from_rotvec(np.random.default_rng(0).normal(size=(4, 3)))
    x = np.array([1.0, 2.0, 3.0])
    mapped = fgrad.vmap(lambda r: r.apply(x))(r)
    np.testing.assert_allclose(mapped, r.apply(x), rtol=1e-14)
    gradient = fgrad.grad(lambda r: np.sum(r.apply(x)))(r)
    assert isinstance(gradient, Rotation)
    assert gradient.as_quat().shape == (4, 4)
    assert len(fgrad.tree.leaves(r)) == 1


def test_scipys_rotations_multiply_ours():
    v, w = np.array([0.1, 0.2, 0.3]), np.array([0.3, -0.2, 0.1])
    ours, theirs = Rotation.from_rotvec(v), sp.Rotation.from_rotvec(w)
    want = sp.Rotation.from_rotvec(v).as_matrix() @ theirs.as_matrix()
    np.testing.assert_allclose((ours * theirs).as_matrix(), want, rtol=1e-14)
    np.testing.assert_allclose((theirs * ours).inv().as_matrix(), (
        theirs.as_matrix() @ ours.as_matrix()).T, atol=1e-15)  # fmt: skip


def test_the_rotations_that_need_no_arguments_are_scipys():
    assert Rotation.identity().single
    assert Rotation.identity(2).shape == (2,)
    assert len(Rotation.create_group("O")) == 24
    np.testing.assert_array_equal(
        Rotation.random(3, rng=1).as_quat(), sp.Rotation.random(3, rng=1).as_quat()
    )
    both = Rotation.concatenate([Rotation.identity(), *Rotation.identity(2)])
    assert both.shape == (3,)
    assert np.all(both.approx_equal(Rotation.identity()))


def test_gimbal_lock_warns_as_scipy_does():
    r = Rotation.from_euler("xyz", [0.3, np.pi / 2, 0.1])
    with pytest.warns(UserWarning, match="Gimbal lock detected"):
        r.as_euler("xyz")
    locked = r.as_euler("xyz", suppress_warnings=True)
    with pytest.warns(UserWarning, match="Gimbal lock"):
        want = sp.Rotation.from_quat(r.as_quat()).as_euler("xyz")
    np.testing.assert_allclose(locked, want, atol=1e-7)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Rotation.from_quat(np.zeros(4)), "zero norm"),
        (lambda: Rotation.from_matrix(-np.eye(3)), "Non-positive determinant"),
        (lambda: Rotation.from_euler("xxz", ZERO), "consecutive axes"),
        (lambda: Rotation.from_euler("xyZ", ZERO), "axes from `seq`"),
        (lambda: Rotation.from_rotvec(np.zeros(4)), r"shape \(\.\.\., 3\)"),
        (lambda: Slerp([1.0, 0.0], Rotation.identity(2)), "increasing"),
        (lambda: Slerp([0.0, 1.0], Rotation.identity(2))(1.5), "within the range"),
    ],
)
def test_what_is_no_rotation_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_a_rotation_can_not_be_changed():
    with pytest.raises(AttributeError, match="can't be changed"):
        Rotation.identity()._quat = np.ones(4)
    with pytest.raises(TypeError, match="not subscriptable"):
        Rotation.identity()[0]


def test_a_mean_along_an_axis_is_the_means_of_its_lines():
    v = np.random.default_rng(0).normal(size=(3, 2, 3)) / 2
    rotations = Rotation.from_rotvec(v)
    columns = [Rotation.from_rotvec(v[:, i]).mean().as_matrix() for i in range(2)]
    np.testing.assert_allclose(rotations.mean(axis=0).as_matrix(), columns, atol=1e-14)
    with pytest.raises(ValueError, match="broadcast"):
        rotations.mean(np.ones(3))
