"""Rules that look at the shape of a leaf: Adafactor's factors, SM3's covers, Muon's matrices."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from fgrad import tree
from fgrad.core import home
from fgrad.errors import DtypeError, ShapeError, describe
from fgrad.tracebacks import boundary

from .leaves import (
    abs2,
    choose,
    conjugate,
    correction,
    each,
    each_many,
    moment,
    norm,
    real_zeros,
    root,
    zeros,
)
from .numbers import COUNT, DECAY, NOT_NEGATIVE, POSITIVE, cast, real, weak, whole, with_numbers
from .records import (
    GradientTransformation,
    PyTree,
    dtype_of,
    empty_state,
    shape_of,
    transformation,
)


class FactoredState(NamedTuple):
    """Steps made; means of squares over columns, over rows; and whole ones of small leaves."""

    count: Any
    v_row: PyTree
    v_col: PyTree
    v: PyTree


class ScaleBySM3State(NamedTuple):
    """For each leaf its accumulators, a vector for each axis; and the momentum."""

    mu: PyTree
    nu: PyTree


class ScaleByNovogradState(NamedTuple):
    """Steps made, first moments, a second moment for each leaf."""

    count: Any
    mu: PyTree
    nu: PyTree


class MuonState(NamedTuple):
    """Steps made, first moments."""

    count: Any
    mu: PyTree


def no_complex(who: str, params: PyTree) -> None:
    """Refuse complex parameters, where a rule has no meaning for them.

    Raises:
        DtypeError: a leaf is complex.
    """
    for path, leaf in tree.leaves_with_path(params):
        if dtype_of(leaf).kind == "c":
            raise DtypeError(
                f"{who} is defined for real parameters.",
                f"at {tree.path_str(path) or 'the root'}: {describe(leaf)}",
                f"wrap it: split_real_and_imaginary({who}(...))",
            )


@boundary
def scale_by_factored_rms(
    factored: bool = True,
    decay_rate: Any = 0.8,
    step_offset: int = 0,
    min_dim_size_to_factor: int = 128,
    epsilon: Any = 1e-30,
) -> GradientTransformation:
    """Divide by the root of the mean square of gradients, which is kept as row and column means.

    >>> opt = scale_by_factored_rms(min_dim_size_to_factor=2)
    >>> params = [np.ones((2, 3))]
    >>> state = opt.init(params)
    >>> state.v_row[0].shape, state.v_col[0].shape
    ((2,), (3,))
    >>> opt.update([np.full((2, 3), 5.0)], state, params)[0][0].round(6)
    array([[1., 1., 1.],
           [1., 1., 1.]])

    Args:
        factored: without it, the whole mean square is kept for every leaf.
        decay_rate: the decay at step t is 1 - t**-decay_rate.
        step_offset: the count of steps at which t is 1.
        min_dim_size_to_factor: leaves whose second largest axis is shorter are not factored.
        epsilon: added to the squares.

    Source: Shazeer and Stern, Adafactor: adaptive learning rates with sublinear memory cost
    (2018), algorithm 4.
    """
    rate = real("decay_rate", decay_rate, NOT_NEGATIVE)
    epsilon = real("epsilon", epsilon, NOT_NEGATIVE)
    offset = whole("step_offset", step_offset, 0)
    least = whole("min_dim_size_to_factor", min_dim_size_to_factor, 1)

    def axes(shape: tuple[int, ...]) -> tuple[int, int] | None:
        """The two longest axes, the longest last."""
        if not factored or len(shape) < 2:
            return None
        *_, second, first = np.argsort(shape, kind="stable")
        return None if shape[second] < least else (int(second), int(first))

    def start(p: Any) -> tuple[Any, Any, Any]:
        found, none = axes(shape_of(p)), home(p).zeros(0, np.float32)
        squares = real_zeros(p)
        if found is None:
            return none, none, squares
        return np.sum(squares, axis=found[1]), np.sum(squares, axis=found[0]), none

    def init(params: PyTree) -> FactoredState:
        return FactoredState(COUNT, *each_many(3, start, params))

    def leaf(decay: Any, eps: Any, g: Any, row: Any, col: Any, v: Any) -> tuple[Any, Any, Any, Any]:
        squares, found = abs2(g) + eps, axes(shape_of(g))
        if found is None:
            v = decay * v + (1 - decay) * squares
            return g / root(v), row, col, v
        second, first = found
        row = decay * row + (1 - decay) * np.mean(squares, axis=first)
        col = decay * col + (1 - decay) * np.mean(squares, axis=second)
        axis = second - 1 if second > first else second
        rows = root(row / np.mean(row, axis=axis, keepdims=True))
        g = g / np.expand_dims(rows, first) / np.expand_dims(root(col), second)
        return g, row, col, v

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        t = np.maximum(state.count - offset + 1, 1)
        f = with_numbers(leaf, 1 - 1.0 / t**rate, epsilon)
        updates, row, col, v = each_many(4, f, updates, state.v_row, state.v_col, state.v)
        return updates, FactoredState(state.count + 1, row, col, v)

    return transformation(init, rule)


@boundary
def scale_by_sm3(b1: Any = 0.9, b2: Any = 1.0, eps: Any = 1e-8) -> GradientTransformation:
    """Adagrad with an accumulator for each row and column in place of each element.

    >>> opt = scale_by_sm3(0.0, eps=0.0)
    >>> params = [np.ones((2, 3))]
    >>> opt.update([np.full((2, 3), 5.0)], opt.init(params), params)[0]
    [array([[1., 1., 1.],
           [1., 1., 1.]])]

    Args:
        b1: the decay of the momentum.
        b2: the decay of the accumulators; 1 adds squares up, as in the paper.
        eps: added under the root.

    Source: Anil, Gupta, Koren and Singer, Memory-efficient adaptive optimization (2019),
    algorithm SM3-II.
    """
    b1 = real("b1", b1, DECAY)
    b2, eps = real("b2", b2, POSITIVE), real("eps", eps, NOT_NEGATIVE)
    new = 1.0 if b2 == 1.0 else 1.0 - b2

    def spread(v: Any, axis: int, ndim: int) -> Any:
        return np.reshape(v, (1,) * axis + (-1,) + (1,) * (ndim - axis - 1))

    def leaf(b1: Any, b2: Any, eps: Any, g: Any, mu: list[Any], nu: Any) -> Any:
        ndim = np.ndim(g)
        covers = [spread(v, i, ndim) for i, v in enumerate(mu)] if ndim else mu
        total = b2 * functools.reduce(np.minimum, covers) + new * (g * g)
        step = g / root(choose(total > 0, total + eps, 1.0))  # where the total is 0, so is g
        nu = b1 * nu + (1 - b1) * step
        if ndim < 2 or not np.size(g):
            return nu, [total] if ndim < 2 else mu, nu
        others = (tuple(j for j in range(ndim) if j != i) for i in range(ndim))
        return nu, [np.max(total, axis=axes) for axes in others], nu

    def start(p: Any) -> list[Any]:
        z = zeros(p)
        if np.ndim(p) < 2:
            return [z]
        return [home(p).zeros(n, dtype_of(p)) for n in np.shape(p)]

    def init(params: PyTree) -> ScaleBySM3State:
        no_complex("sm3", params)
        return ScaleBySM3State(tree.map(start, params), zeros(params))

    f = with_numbers(leaf, b1, b2, eps)

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        updates, mu, nu = each_many(3, f, updates, state.mu, state.nu)
        return updates, ScaleBySM3State(mu, nu)

    return transformation(init, rule)


@boundary
def scale_by_novograd(
    b1: Any = 0.9,
    b2: Any = 0.25,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.0,
) -> GradientTransformation:
    """Divide the gradient of each leaf by a mean of its norms, and add up with momentum.

    >>> opt = scale_by_novograd(eps=0.0)
    >>> params = [np.array([1.0, 1.0])]
    >>> opt.update([np.array([3.0, 4.0])], opt.init(params), params)[0]
    [array([0.6, 0.8])]

    Args:
        b1: the decay of the momentum.
        b2: the decay of the mean of squares of norms, which begins with the first one.
        eps: added to the root.
        eps_root: added under the root.
        weight_decay: added, times the parameters, to the divided gradient.

    Source: Ginsburg et al., Stochastic gradient methods with layer-wise adaptive moments (2019),
    algorithm 1.
    """
    b1, b2 = real("b1", b1, DECAY), real("b2", b2, DECAY)
    eps, eps_root = real("eps", eps, NOT_NEGATIVE), real("eps_root", eps_root, NOT_NEGATIVE)
    decay = real("weight_decay", weight_decay)

    def leaf(
        b1: Any, b2: Any, later: Any, eps: Any, eps_root: Any, decay: Any,
        g: Any, p: Any, mu: Any, nu: Any,
    ) -> tuple[Any, Any, Any]:  # fmt: skip
        keep = later * b2  # the first mean is the first square
        nu = keep * nu + (1 - keep) * norm(g) ** 2
        mu = b1 * mu + (g / (root(nu + eps_root) + eps) + decay * conjugate(p))
        return mu, mu, nu

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        later = choose(state.count > 0, 1.0, 0.0)
        f = with_numbers(leaf, b1, b2, later, eps, eps_root, decay)
        updates, mu, nu = each_many(3, f, updates, params, state.mu, state.nu)
        return updates, ScaleByNovogradState(state.count + 1, mu, nu)

    def init(params: PyTree) -> ScaleByNovogradState:
        nu = tree.map(lambda p: np.real(p).dtype.type(0) if hasattr(p, "dtype") else 0.0, params)
        return ScaleByNovogradState(COUNT, zeros(params), nu)

    return transformation(init, rule)


@boundary
def scale_by_muon(
    ns_coeffs: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
    ns_steps: int = 5,
    beta: Any = 0.95,
    eps: Any = 1e-8,
    *,
    nesterov: bool = True,
) -> GradientTransformation:
    """Replace the momentum of a matrix by about the nearest orthogonal (or unitary) one.

    >>> opt = scale_by_muon()
    >>> params = [np.eye(2)]
    >>> updates, state = opt.update([np.diag([5.0, 0.2])], opt.init(params), params)
    >>> bool(np.all(np.abs(np.diag(updates[0]) - 1.0) < 0.5))
    True

    Args:
        ns_coeffs: the odd polynomial a x + b x**3 + c x**5 of the Newton-Schulz iteration.
        ns_steps: how often it is applied.
        beta: the decay of the momentum.
        eps: added to the norm by which the momentum is divided first.
        nesterov: look one step ahead, as in :func:`nadam`.

    Raises:
        ShapeError: from `init`, a parameter is no matrix; :func:`muon` gives others to Adam.

    Source: Jordan et al., Muon: an optimizer for hidden layers in neural networks (2024).
    """
    a, b, c = (real("each of ns_coeffs", x) for x in ns_coeffs)
    steps, beta = whole("ns_steps", ns_steps, 0), real("beta", beta, DECAY)
    eps = real("eps", eps, NOT_NEGATIVE)

    def orthogonal(eps: Any, x: Any) -> Any:
        tall = x.shape[0] > x.shape[1]
        x = x.T if tall else x
        x = x / (norm(x) + eps)
        for _ in range(steps):
            gram = x @ conjugate(x).T
            x = a * x + (b * gram + c * (gram @ gram)) @ x
        return x.T if tall else x

    f = with_numbers(orthogonal, eps)

    def init(params: PyTree) -> MuonState:
        for path, leaf in tree.leaves_with_path(params):
            if np.ndim(leaf) != 2:
                raise ShapeError(
                    "scale_by_muon wants parameters that are matrices.",
                    f"at {tree.path_str(path) or 'the root'}: {describe(leaf)}",
                    "use muon(...), or partition, to give other parameters to Adam",
                )
        return MuonState(COUNT, zeros(params))

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        count = state.count + 1
        mu = moment(beta, state.mu, updates)
        if nesterov:
            weights = (
                weak(beta) / correction(beta, count + 1),
                (1 - weak(beta)) / correction(beta, count),
            )
        else:
            weights = 1 / correction(beta, count), 0.0
        mixed = each(with_numbers(lambda m1, g1, g, m: m1 * m + g1 * g, *weights), updates, mu)
        return each(f, mixed), MuonState(count, mu)

    return transformation(init, rule)


@boundary
def scale_by_shape(consistent_rms: Any = None) -> GradientTransformation:
    """Multiply the update of an (m, n) matrix by sqrt(max(1, n / m)), or to a chosen size.

    >>> opt = scale_by_shape()
    >>> opt.update([np.ones((1, 4))], opt.init([np.ones((1, 4))]), [np.ones((1, 4))])[0]
    [array([[2., 2., 2., 2.]])]

    Args:
        consistent_rms: multiply by this number times sqrt(max(m, n)) instead, which makes it the
            root mean square of an orthogonal matrix.

    Source: Liu et al., Muon is scalable for LLM training (2025), equation 4.
    """
    size = None if consistent_rms is None else real("consistent_rms", consistent_rms, POSITIVE)

    def factor(x: Any) -> Any:
        rows, cols = shape_of(x)
        if size is None:
            return max(1.0, cols / max(rows, 1)) ** 0.5
        return cast(size, x) * max(rows, cols) ** 0.5

    def rule(updates: PyTree, state: PyTree, params: PyTree, **extra: Any) -> Any:
        return each(lambda x: factor(x) * x, updates), state

    return transformation(empty_state, rule)
