"""optax's paths, as recorded by `python -m benchmarks.optimizers --write`, and how near we are.

The file has what optax's optimizers made of the recipe, so that the tests want neither optax nor
JAX.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from fgrad_nn import optimizers, schedules

from .optax_cases import OPTIMIZERS
from .optax_recipe import Recipe
from .optax_transformations import TRANSFORMATIONS

FILE = Path(__file__).with_name("optax_paths.npz")
CASES = OPTIMIZERS | TRANSFORMATIONS
OURS = SimpleNamespace(**vars(schedules) | vars(optimizers))

#: Beginning of the names of optimizers that aren't compared with complex parameters -> why.
REAL = {
    "adadelta": "optax squares complex steps",
    "adopt": "optax's clipping wants real numbers",
    "cocob": "has no meaning for complex numbers",
    "dadapt_adamw": "optax's inner product has an imaginary part",
    "madgrad": "optax's cubic root wants real numbers",
    "momo, adapted": "optax's inner product has an imaginary part",
    "prodigy": "optax's inner product has an imaginary part",
    "rprop": "has no meaning for complex numbers",
    "scale_by_lbfgs": "`scale` doesn't take the conjugate of a gradient",
    "sm3": "has no meaning for complex numbers",
}

#: dtype -> the cases that are compared in it: all in the first, optimizers in the second, and of
#: these one of a kind in the third.
COMPARED = {
    "float64": list(CASES),
    "float32": list(OPTIMIZERS),
    "complex128": [
        *(n for n in OPTIMIZERS if "," not in n and not n.startswith(tuple(REAL))),
        *("sgd, momentum", "lars, masks", "radam, Nesterov", "rmsprop, centered"),
        *("MultiSteps", "lookahead", "split_real_and_imaginary"),
    ],
}

#: The greatest difference of numbers of order one, 100 steps after the same beginning: rounding.
ROUNDING = {"float64": 1e-13, "float32": 5e-6, "complex128": 1e-13}

#: Beginning of a name -> the difference that is allowed in double precision, and why it is more.
LOOSE = {
    "adafactor": (3e-7, "optax computes the decay of the mean of squares in float32"),
    "scale_by_factored_rms": (3e-7, "as adafactor"),
}

#: Public functions of ours that optax has, too, and that no case is made of -> why.
NOT_COMPARED = {
    "add_noise": "random bits are JAX's",
    "noisy_sgd": "random bits are JAX's",
    "scale_by_muon": "optax's wants all leaves; `muon` has it",
    "sophia": "as in the paper an estimate counts at once, in optax a step later; random bits",
}


class Reference(NamedTuple):
    """What the file has.

    Attributes:
        version: that of optax.
        defaults: public name of optax's -> parameter -> default, where that is plain.
        recipe: the numbers that all paths were made of.
        paths: dtype -> name of a case -> an array (kept, numbers).
        schedules: name of a schedule -> its values.
        searches: name of a line search -> steps and values (2, searches).
    """

    version: str
    defaults: dict[str, dict[str, Any]]
    recipe: Recipe
    paths: dict[str, dict[str, Any]]
    schedules: dict[str, Any]
    searches: dict[str, Any]


def plain_defaults(f: Callable[..., Any]) -> dict[str, Any]:
    """The defaults of a function that are numbers, words or bools, by the parameters' names."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except ValueError:  # of what isn't made to be called
        return {}
    return {p.name: p.default for p in parameters if isinstance(p.default, (int, float, str))}


def save(reference: Reference) -> None:
    """Write the file; names are stored as one text, for each array of a file costs space."""
    tables = {
        **reference.paths,
        "schedules": reference.schedules,
        "searches": reference.searches,
    }
    texts = {"version": reference.version, "defaults": json.dumps(reference.defaults)}
    texts |= {f"names of {key}": "\n".join(rows) for key, rows in tables.items()}
    arrays = {key: np.frombuffer(text.encode(), np.uint8) for key, text in texts.items()}
    arrays |= {key: np.stack(list(rows.values())) for key, rows in tables.items()}
    arrays |= reference.recipe._asdict()
    np.savez_compressed(FILE, **arrays)


def load() -> Reference:
    """Read the file."""
    with np.load(FILE) as file:
        arrays = dict(file)

    def lines(key: str) -> list[str]:
        return arrays[key].tobytes().decode().split("\n")

    def table(key: str) -> dict[str, Any]:
        return dict(zip(lines(f"names of {key}"), arrays[key], strict=True))

    return Reference(
        lines("version")[0],
        json.loads(lines("defaults")[0]),
        Recipe(*(arrays[name] for name in Recipe._fields)),
        {dtype: table(dtype) for dtype in COMPARED},
        table("schedules"),
        table("searches"),
    )


def tolerance(name: str, dtype: str) -> float:
    """How far a path may be from optax's."""
    loose = [gap for start, (gap, _) in LOOSE.items() if name.startswith(start)]
    return max([ROUNDING[dtype], *loose])


def gap(ours: Any, theirs: Any) -> float:
    """The greatest difference, of numbers above one as a part of them."""
    wide = np.result_type(ours, np.float64)
    ours, theirs = ours.astype(wide), theirs.astype(wide)
    return float(np.max(np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1.0)))
