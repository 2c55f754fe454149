"""What optimizers of both libraries are given, so that their paths can be compared.

The parameters are a tree of a matrix, a vector, a scalar and an array of three axes. The loss of
each step is convex, no quadratic, and has a gradient of its own for each step, as batches have.
Its formulas are made of operators and methods alone: they hold for NumPy and for JAX.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

#: The steps that are made, and those after which parameters are kept.
STEPS, KEPT = 100, (1, 10, 100)
COUNTS = np.arange(STEPS + 1)

#: Name of a leaf -> its shape.
SHAPES = {"w": (4, 3), "b": (3,), "k": (2, 1, 2), "s": ()}
ENDS = tuple(itertools.accumulate(math.prod(shape) for shape in SHAPES.values()))
SIZE = ENDS[-1]

Tree = Mapping[str, Any]


class Recipe(NamedTuple):
    """Where a path begins, the curvature of the loss, what each step adds to the gradient."""

    start: Any
    curve: Any
    noise: Any


def make_recipe() -> Recipe:
    """The numbers of the recipe, complex; of those for real parameters the real parts."""
    draw = np.random.default_rng(0)

    def normal(*shape: int) -> Any:
        return (draw.normal(size=shape) + 1j * draw.normal(size=shape)).astype(np.complex64)

    curve = np.exp(0.7 * draw.normal(size=SIZE)).astype(np.float32)
    return Recipe(normal(SIZE), curve, np.complex64(0.3) * normal(STEPS, SIZE))


def noise_of(kind: str, noise: Any) -> Any:
    """The noise of a kind of recipe.

    Args:
        kind: 'noisy'; 'still' and 'search', without it; 'broken', where steps aren't finite.
    """
    if kind in ("still", "search"):
        return 0 * noise
    if kind == "broken":
        noise = noise.copy()
        noise[[5, 6, 40, 41, 42], [0, 15, 14, 3, 7]] = [np.nan, np.inf, -np.inf, np.nan, np.nan]
    return noise


def of_dtype(recipe: Recipe, kind: str, dtype: Any) -> Recipe:
    """The recipe of a kind, in one dtype."""
    recipe = recipe._replace(noise=noise_of(kind, recipe.noise))
    if np.dtype(dtype).kind == "f":
        recipe = Recipe(*(np.real(x) for x in recipe))
    return Recipe(*(x.astype(dtype) for x in recipe))


def unpack(vector: Any) -> dict[str, Any]:
    """The tree of a vector; other axes come first."""
    before = vector.shape[:-1]
    return {
        name: vector[..., start:end].reshape(before + shape)
        for (name, shape), start, end in zip(SHAPES.items(), (0, *ENDS), ENDS, strict=False)
    }


def pack(leaves: Tree, numpy: Any = np) -> Any:
    """The vector of a tree; `numpy` is the library of its arrays."""
    return numpy.concatenate([numpy.ravel(leaves[name]) for name in SHAPES])


def value(x: Any, curve: Any, noise: Any) -> Any:
    """The loss of a step, of all parameters as a vector."""
    height = (1 + (x * x.conj()).real) ** 0.5 - 1
    return (curve.real * height + (noise.conj() * x).real).sum()


def ascent(x: Any, curve: Any, noise: Any) -> Any:
    """Its gradient: the direction of ascent, dx + i dy, whose conjugate `grad` returns."""
    return curve * x / (1 + (x * x.conj()).real) ** 0.5 + noise


def path_of_ours(lib: Any, case: Any, recipe: Recipe) -> Any:
    """What a case reads after the steps in `KEPT`, as an array (kept, numbers).

    Args:
        lib: a namespace with our functions.
        case: a `Case`.
        recipe: of the kind of the case, in one dtype.
    """
    params, curve, kept = unpack(recipe.start), recipe.curve, []
    opt = case.make(lib)
    state = opt.init(params)
    for i, noise in zip(itertools.count(1), recipe.noise):

        def loss(params: Tree, noise: Any = noise) -> Any:
            return value(pack(params), curve, noise)

        if case.kind == "search":
            height, grads = lib.value_and_grad_from_state(loss)(params, state=state)
        else:
            x = pack(params)
            height, grads = value(x, curve, noise), unpack(ascent(x, curve, noise).conj())
        updates, state = opt.update(grads, state, params, value=height, grad=grads, value_fn=loss)
        params = lib.apply_updates(params, updates)
        assert {x.dtype for x in params.values()} == {recipe.start.dtype}
        if i in KEPT:
            kept.append(pack(case.read(lib, params, state) if case.read else params))
    return np.array(kept).astype(recipe.start.dtype)
