"""Rotations, as in `scipy.spatial.transform`: an immutable class that is a pytree."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.spatial import transform as sp

from ... import tree
from ...arrays import axes_from_end, ndim_of, shape_of
from ...core import Tracer
from ...doors import has_tracer
from ...errors import NoRuleError, ShapeError
from ...numpy import asarray
from ...ops.casts import stop_gradient_leaf
from ...ops.index import take
from ...tracer import register
from . import quaternions
from .orthogonal import mean_quaternion, next_rotation


def _double(x: Any) -> Any:
    return asarray(x).astype(np.float64)


def _sized(x: Any, n: int, what: str) -> Any:
    x = _double(x)
    if shape_of(x)[-1:] != (n,):
        raise ShapeError(
            f"Rotation wants {what} of shape (..., {n}).",
            f"an array of shape {shape_of(x)}",
            "put the parts of one rotation along the last axis",
        )
    return x


def _checked_zero(q: Any, name: str) -> None:
    """Refuse quaternions of length 0, where their values are known."""
    zero = np.all(np.equal(stop_gradient_leaf(q), 0), axis=-1)
    if not isinstance(zero, Tracer) and np.any(zero):
        raise ValueError(f"Found zero norm {name}.")


def _euler_axes(seq: str) -> tuple[list[int], bool]:
    extrinsic = re.fullmatch("[xyz]{1,3}", seq) is not None
    if not extrinsic and re.fullmatch("[XYZ]{1,3}", seq) is None:
        raise ValueError(
            f"Expected axes from `seq` to be from ['x', 'y', 'z'] or ['X', 'Y', 'Z'], got {seq}"
        )
    if any(a == b for a, b in pairwise(seq)):
        raise ValueError(f"Expected consecutive axes to be different, got {seq}")
    return ["xyz".index(c) for c in seq.lower()], extrinsic


@tree.register_class
class Rotation:
    """`scipy.spatial.transform.Rotation`, differentiable in all that it is made of.

    A pytree whose only leaf holds the unit quaternions, of shape (..., 4), the scalar last. Values
    that traced code makes invalid, such as a quaternion of zeros, are refused where they are known.

    >>> import numpy as np
    >>> import fgrad
    >>> turned = lambda v: Rotation.from_rotvec(v).apply(np.array([1.0, 0.0, 0.0]))
    >>> fgrad.jacfwd(turned)(np.zeros(3)) + 0.0
    array([[ 0.,  0.,  0.],
           [ 0.,  0.,  1.],
           [ 0., -1.,  0.]])
    """

    _quat: Any

    def __init__(
        self, quat: Any, normalize: bool = True, copy: bool = True, scalar_first: bool = False
    ) -> None:
        q = _sized(quat, 4, "quaternions")
        if scalar_first:
            q = np.roll(q, -1, axis=-1)
        if normalize:
            _checked_zero(q, "quaternions in `quat`")
            q = quaternions.unit(q)
        object.__setattr__(self, "_quat", q)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a Rotation can't be changed; make another one")

    def tree_flatten(self) -> tuple[tuple[Any], None]:
        """The quaternions."""
        return (self._quat,), None

    @classmethod
    def tree_unflatten(cls, rest: None, children: Any) -> Rotation:
        """The inverse of `tree_flatten`."""
        (quat,) = children
        return cls._of(quat)

    @classmethod
    def _of(cls, quat: Any) -> Rotation:
        out = object.__new__(cls)
        object.__setattr__(out, "_quat", quat)
        return out

    # -------------------------------------------------------------- from
    @classmethod
    def from_quat(cls, quat: Any, *, scalar_first: bool = False) -> Rotation:
        """Of quaternions (..., 4), which are made unit ones."""
        return cls(quat, scalar_first=scalar_first)

    @classmethod
    def from_matrix(cls, matrix: Any, *, assume_valid: bool = False) -> Rotation:
        """Of matrices (..., 3, 3); the rotation next to each, so that derivatives turn only."""
        m = _double(matrix)
        if shape_of(m)[-2:] != (3, 3):
            raise ValueError(f"Expected `matrix` to have shape (..., 3, 3), got {shape_of(m)}")
        if not assume_valid:
            left = np.linalg.det(stop_gradient_leaf(m)) <= 0
            if not isinstance(left, Tracer) and np.any(left):
                raise ValueError("Non-positive determinant (left-handed or null coordinate frame) "
                                 "in rotation matrix.")  # fmt: skip
            m = next_rotation(m)
        return cls._of(quaternions.from_matrix(m))

    @classmethod
    def from_rotvec(cls, rotvec: Any, degrees: bool = False) -> Rotation:
        """Of vectors (..., 3) along the axis, as long as the angle."""
        v = _sized(rotvec, 3, "rotation vectors")
        return cls._of(quaternions.from_rotvec(np.deg2rad(v) if degrees else v))

    @classmethod
    def from_mrp(cls, mrp: Any) -> Rotation:
        """Of modified Rodrigues parameters (..., 3)."""
        return cls._of(quaternions.from_mrp(_sized(mrp, 3, "modified Rodrigues parameters")))

    @classmethod
    def from_euler(cls, seq: str, angles: Any, degrees: bool = False) -> Rotation:
        """Of angles (..., len(seq)) around the axes of ``seq``; of one axis, also one angle."""
        axes, extrinsic = _euler_axes(seq)
        a = _double(angles)
        if len(axes) == 1 and ndim_of(a) == 0:
            a = np.expand_dims(a, -1)
        if shape_of(a)[-1:] != (len(axes),):
            raise ValueError(
                f"Expected last dimension of `angles` to match number of sequence axes "
                f"specified, got {shape_of(a)}"
            )
        a = np.deg2rad(a) if degrees else a
        turns = [quaternions.elementary(axis, a[..., i]) for i, axis in enumerate(axes)]
        q = turns[0]
        for turn in turns[1:]:
            q = quaternions.product(turn, q) if extrinsic else quaternions.product(q, turn)
        return cls._of(q)

    @classmethod
    def identity(cls, num: int | None = None, *, shape: Any = None) -> Rotation:
        """The rotation by nothing."""
        return cls._of(_plain(sp.Rotation.identity(num, **_given(shape=shape))))

    @classmethod
    def random(cls, *args: Any, **keywords: Any) -> Rotation:
        """Random rotations, as SciPy draws them."""
        return cls._of(_plain(sp.Rotation.random(*args, **keywords)))

    @classmethod
    def create_group(cls, group: str, axis: str = "Z") -> Rotation:
        """A symmetry group of rotations."""
        return cls._of(_plain(sp.Rotation.create_group(group, axis)))

    @classmethod
    def concatenate(cls, rotations: Any) -> Rotation:
        """Several in one, along the first axis."""
        if isinstance(rotations, Rotation):
            return rotations
        parts = [np.atleast_2d(r.as_quat()) for r in rotations]
        return cls._of(np.concatenate(parts))

    # -------------------------------------------------------------- as
    def as_quat(self, canonical: bool = False, *, scalar_first: bool = False) -> Any:
        """Unit quaternions (..., 4); canonical ones have a positive scalar."""
        q = self._quat
        if canonical:
            x, y, z, w = quaternions.parts(stop_gradient_leaf(q))
            sign = np.sign(z)
            for part in (y, x, w):
                sign = np.where(np.equal(part, 0), sign, np.sign(part))
            q = q * np.expand_dims(sign, -1)
        return np.roll(q, 1, axis=-1) if scalar_first else q

    def as_matrix(self) -> Any:
        """Matrices (..., 3, 3)."""
        return quaternions.to_matrix(self._quat)

    def as_rotvec(self, degrees: bool = False) -> Any:
        """Vectors (..., 3) along the axis, as long as the angle."""
        v = quaternions.to_rotvec(self._quat)
        return np.rad2deg(v) if degrees else v

    def as_mrp(self) -> Any:
        """Modified Rodrigues parameters (..., 3)."""
        return quaternions.to_mrp(self._quat)

    def as_euler(self, seq: str, degrees: bool = False, *, suppress_warnings: bool = False) -> Any:
        """Three angles (..., 3) around the axes of ``seq``.

        Where two axes fall together, one angle is 0, and derivatives are those of the other.
        """
        axes, extrinsic = _euler_axes(seq)
        if len(axes) != 3:
            raise ValueError(f"Expected 3 axes, got {seq}.")
        angles, locked = quaternions.to_euler(self._quat, axes, extrinsic)
        if not suppress_warnings and not isinstance(locked, Tracer) and np.any(locked):
            warnings.warn(
                "Gimbal lock detected. Setting third angle to zero since it is not possible to "
                "uniquely determine all angles.",
                stacklevel=2,
            )
        return np.rad2deg(angles) if degrees else angles

    # -------------------------------------------------------------- what rotations do
    def apply(self, vectors: Any, inverse: bool = False) -> Any:
        """Vectors (..., 3) turned; the shapes of rotations and vectors broadcast."""
        v, m = _sized(vectors, 3, "vectors"), self.as_matrix()
        m = np.swapaxes(m, -1, -2) if inverse else m
        return np.matmul(m, np.expand_dims(v, -1))[..., 0]

    def inv(self) -> Rotation:
        """The rotation back."""
        return Rotation._of(quaternions.conjugate(self._quat))

    def __mul__(self, other: Any) -> Rotation:
        """First the other one, then this one."""
        if not isinstance(other, (Rotation, sp.Rotation)):
            return NotImplemented
        return Rotation._of(quaternions.product(self._quat, other.as_quat()))

    def __rmul__(self, other: Any) -> Rotation:
        if not isinstance(other, sp.Rotation):
            return NotImplemented
        return Rotation._of(quaternions.product(other.as_quat(), self._quat))

    def __pow__(self, n: Any, modulus: None = None) -> Rotation:
        """The same axis, n times the angle."""
        if modulus is not None:
            raise NotImplementedError("modulus not supported")
        return Rotation.from_rotvec(np.expand_dims(_double(n), -1) * self.as_rotvec())

    def magnitude(self) -> Any:
        """The angle, from 0 to pi; at the rotation by nothing its derivative is 0."""
        return quaternions.magnitude(self._quat)

    def approx_equal(self, other: Any, atol: Any = None, degrees: bool = False) -> Any:
        """Whether the angle between two rotations is less than ``atol``."""
        limit = 1e-8 if atol is None else np.deg2rad(atol) if degrees else atol
        return (self.inv() * other).magnitude() < limit

    def mean(self, weights: Any = None, axis: Any = None) -> Rotation:
        """The rotation that turns least against these, along some axes or all."""
        n = len(self.shape)
        q = self._quat if n else np.expand_dims(self._quat, 0)
        shape = self.shape or (1,)
        w = np.ones(shape) if weights is None else np.broadcast_to(_double(weights), shape)
        axes = axes_from_end(axis, len(shape))
        rest = [i for i in range(-len(shape), 0) if i not in axes]
        order = [i + len(shape) for i in (*rest, *axes)]
        lead = tuple(shape[i] for i in rest)
        w = np.reshape(np.transpose(w, order), (*lead, -1))
        q = np.reshape(np.transpose(q, [*order, len(shape)]), (*lead, -1, 4))
        return Rotation._of(mean_quaternion(q, w))

    @classmethod
    def align_vectors(
        cls, a: Any, b: Any, weights: Any = None, return_sensitivity: bool = False
    ) -> tuple[Any, ...]:
        """The rotation that brings b, of shape (n, 3), next to a, and how far they stay apart."""
        if not has_tracer((a, b, weights)):
            r, *rest = sp.Rotation.align_vectors(a, b, weights, return_sensitivity)
            return (cls._of(r.as_quat()), *rest)
        a, b = (np.atleast_2d(_sized(v, 3, "vectors")) for v in (a, b))
        w = np.ones(shape_of(a)[0]) if weights is None else _double(weights)
        known = stop_gradient_leaf(w)
        strange = not isinstance(known, Tracer) and not np.all(np.isfinite(known) & (known >= 0))
        if return_sensitivity or strange or shape_of(a)[0] < 2:
            raise NoRuleError(
                "Rotation.align_vectors of traced values wants at least two vectors and weights "
                "that are finite and not negative, and gives no sensitivity.",
                f"{shape_of(a)[0]} vectors, weights={weights!r}, {return_sensitivity=}",
                "give the vector that must fit a large weight; differentiate the rotation in a "
                "and b with fgrad.jacrev",
            )
        m = np.einsum("n,ni,nj->ij", w, a, b)
        r = next_rotation(m)
        apart = np.sum(w * np.sum(np.square(a - np.matmul(b, r.T)), axis=-1))
        return cls._of(quaternions.from_matrix(r)), np.sqrt(apart)

    # -------------------------------------------------------------- as a sequence
    @property
    def shape(self) -> tuple[int, ...]:
        """The shape without the axis of the quaternion."""
        return shape_of(self._quat)[:-1]

    @property
    def single(self) -> bool:
        """Whether this is one rotation, not a sequence of them."""
        return not self.shape

    def __getitem__(self, index: Any) -> Rotation:
        if self.single:
            raise TypeError("Single rotation is not subscriptable.")
        return Rotation._of(self._quat[index])

    def __len__(self) -> int:
        if self.single:
            raise TypeError("Single rotation has no len().")
        return self.shape[0]

    def __iter__(self) -> Iterator[Rotation]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"Rotation of shape {self.shape}: {self._quat!r}"


def _plain(rotation: Any) -> Any:
    return rotation.as_quat()


def _given(**keywords: Any) -> dict[str, Any]:
    return {name: value for name, value in keywords.items() if value is not None}


class Slerp:
    """`scipy.spatial.transform.Slerp`, in the times, the rotations and the points in time.

    Where values are hidden, times outside are answered with the first or the last arc.
    """

    def __init__(self, times: Any, rotations: Any) -> None:
        quat = rotations.as_quat()
        times = _double(times)
        if ndim_of(quat) != 2 or shape_of(quat)[0] < 2:
            raise ValueError("`rotations` must be a sequence of at least 2 rotations.")
        if shape_of(times) != shape_of(quat)[:1]:
            raise ValueError("Expected number of rotations to be equal to number of timestamps "
                             f"given, got {shape_of(quat)[0]} rotations and {shape_of(times)} "
                             "timestamps.")  # fmt: skip
        steps = np.diff(stop_gradient_leaf(times))
        if not isinstance(steps, Tracer) and np.any(steps <= 0):
            raise ValueError("Times must be in strictly increasing order.")
        self.times, self.rotations = times, Rotation._of(quat)
        back = self.rotations[:-1].inv() * self.rotations[1:]
        self.rotvecs = back.as_rotvec()

    def __call__(self, times: Any) -> Rotation:
        """The rotations on the arcs between those given."""
        t = _double(times)
        if ndim_of(t) > 1:
            raise ValueError("`times` must be at most 1-dimensional.")
        start, here = stop_gradient_leaf(self.times), stop_gradient_leaf(t)
        last = shape_of(self.times)[0] - 2
        i = np.clip(np.searchsorted(start, here) - 1, 0, last)
        out = np.logical_or(here < start[0], here > start[-1])
        if not isinstance(out, Tracer) and np.any(out):
            raise ValueError(f"Interpolation times must be within the range [{self.times[0]}, "
                             f"{self.times[-1]}], both inclusive.")  # fmt: skip
        begin, end = take(self.times, i), take(self.times, i + 1)
        share = np.expand_dims((t - begin) / (end - begin), -1)
        first = Rotation._of(take(self.rotations.as_quat(), i, axis=0))
        return first * Rotation.from_rotvec(share * take(self.rotvecs, i, axis=0))


register(sp.Rotation, Rotation)
register(sp.Slerp, Slerp)
