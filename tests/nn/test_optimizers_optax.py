"""Over 100 steps our optimizers go the way of optax's, whose paths `optax_paths.npz` has.

`python -m benchmarks.optimizers --write` writes that file; both sides are made by one table.
"""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from fgrad import vmap
from fgrad_nn import optimizers as opts
from fgrad_nn import schedules

from .optax_cases import RATE, Case
from .optax_recipe import COUNTS, KEPT, STEPS, of_dtype, path_of_ours
from .optax_reference import (
    CASES,
    COMPARED,
    LOOSE,
    NOT_COMPARED,
    OURS,
    REAL,
    gap,
    load,
    plain_defaults,
    tolerance,
)
from .optax_schedules import SCHEDULES
from .optax_searches import SEARCHES, results

REFERENCE = load()


def path(case, dtype):
    with np.errstate(invalid="ignore"):  # of recipes that aren't finite
        return path_of_ours(OURS, case, of_dtype(REFERENCE.recipe, case.kind, dtype))


@pytest.mark.parametrize(
    ("name", "dtype"), [(name, dtype) for dtype, names in COMPARED.items() for name in names]
)
def test_the_path_is_optaxs(name, dtype):
    ours, theirs = path(CASES[name], dtype), REFERENCE.paths[dtype][name]
    assert ours.dtype == theirs.dtype == dtype
    assert gap(ours, theirs) <= tolerance(name, dtype)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_has_optaxs_values(name):
    ours, theirs = SCHEDULES[name](OURS)(COUNTS), REFERENCE.schedules[name]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_line_search_finds_optaxs_step(name):
    found = results(OURS, SEARCHES[name], np, vmap)
    np.testing.assert_allclose(found, REFERENCE.searches[name], rtol=1e-11, atol=1e-11)


#: The name of a case -> another way to make it, which optax doesn't have.
ALSO = {
    "adam": Case(lambda o: o.adam({"*": RATE})),
    "multi_transform": Case(
        lambda o: o.chain(o.adam({"b": 10 * RATE, "*": RATE}), o.freeze(o.match_paths("s")))
    ),
    "freeze": Case(lambda o: o.chain(o.adam(RATE), o.freeze(o.match_paths("w", "k")))),
    "partition": Case(
        lambda o: o.partition(
            {0: o.lion(RATE), 1: o.adagrad(0.1), 2: o.sgd(RATE)},
            o.label_paths({"b": 1, "s": 2, "*": 0}),
        )
    ),
}


@pytest.mark.parametrize("name", ALSO)
def test_patterns_of_paths_are_optaxs_groups(name):
    assert gap(path(ALSO[name], "float64"), REFERENCE.paths["float64"][name]) <= 1e-13


def test_the_file_and_the_tables_have_the_same_names():
    assert {dtype: list(rows) for dtype, rows in REFERENCE.paths.items()} == COMPARED
    assert list(REFERENCE.schedules) == list(SCHEDULES)
    assert list(REFERENCE.searches) == list(SEARCHES)
    for beginning in (*REAL, *LOOSE):
        assert any(name.startswith(beginning) for name in CASES), beginning
    assert KEPT[-1] == STEPS == len(REFERENCE.recipe.noise) == 100


def test_paths_go_somewhere():
    start = of_dtype(REFERENCE.recipe, "still", "float64").start
    for name, rows in REFERENCE.paths["float64"].items():
        assert np.all(np.isfinite(rows)), name
        assert not np.array_equal(rows[-1], start), name


class Used:
    """Our functions, and a list of the names by which they were asked for."""

    def __init__(self):
        self.names = set()

    def __getattr__(self, name):
        self.names.add(name)
        return getattr(OURS, name)


def shared():
    """Our functions that have the name of one of optax's."""
    public = vars(opts) | vars(schedules)
    names = REFERENCE.defaults.keys() & {n for n, f in public.items() if inspect.isfunction(f)}
    return {name: public[name] for name in sorted(names)}


def test_whatever_optax_has_too_is_compared():
    used = Used()
    for case in CASES.values():
        recipe = of_dtype(REFERENCE.recipe, case.kind, "float64")
        path_of_ours(used, case, recipe._replace(noise=recipe.noise[:1]))
    for make in SCHEDULES.values():
        make(used)
    assert shared().keys() - used.names == set(NOT_COMPARED)
    assert len(shared()) > 100


def test_parameters_have_optaxs_order_and_defaults():
    for name, f in shared().items():
        ours, theirs = plain_defaults(f), REFERENCE.defaults[name]
        assert [(name, k, ours[k]) for k in ours if k in theirs] == [
            (name, k, theirs[k]) for k in theirs if k in ours
        ]
