"""Errors leave fgrad with the user's lines in their tracebacks, and without fgrad's."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fgrad
import fgrad.scipy.integrate
import fgrad.scipy.optimize
import fgrad.sparse
import fgrad.testing
from fgrad import tracebacks
from fgrad.errors import FgradError

X = np.ones(3)


class Mine(Exception):
    pass


def raises(*args: Any) -> Any:
    raise Mine("in the user's function")


def _custom(kind: Any) -> Any:
    f = kind(raises)
    if kind is fgrad.custom_jvp:
        f.defjvp(lambda primals, tangents: (primals[0], tangents[0]))
    elif kind is fgrad.custom_vjp:
        f.defvjp(raises, raises)
    elif kind is fgrad.custom_vmap:
        f.def_vmap(lambda size, flags, x: (x, True))
    return lambda: f(X)


#: Each public function that calls the user's, in a call during which that raises.
CALLS: dict[str, Callable[[], Any]] = {
    "grad": lambda: fgrad.grad(raises)(X),
    "value_and_grad": lambda: fgrad.value_and_grad(raises)(X),
    "vjp": lambda: fgrad.vjp(raises, X),
    "jvp": lambda: fgrad.jvp(raises, (X,), (X,)),
    "vmap": lambda: fgrad.vmap(raises)(X),
    "jit": lambda: fgrad.jit(raises)(X),
    "hvp": lambda: fgrad.hvp(raises, (X,), (X,)),
    "value_grad_hvp": lambda: fgrad.value_grad_hvp(raises, (X,), (X,)),
    "hessian": lambda: fgrad.hessian(raises)(X),
    "value_and_hessian": lambda: fgrad.value_and_hessian(raises)(X),
    "hessian_diagonal": lambda: fgrad.hessian_diagonal(raises)(X),
    "laplacian": lambda: fgrad.laplacian(raises)(X),
    "elementwise_grad": lambda: fgrad.elementwise_grad(raises)(X),
    "gnvp": lambda: fgrad.gnvp(raises, (X,), (X,), raises),
    "jacfwd": lambda: fgrad.jacfwd(raises)(X),
    "jacrev": lambda: fgrad.jacrev(raises)(X),
    "jacobian": lambda: fgrad.jacobian(raises)(X),
    "value_and_jacfwd": lambda: fgrad.value_and_jacfwd(raises)(X),
    "value_and_jacrev": lambda: fgrad.value_and_jacrev(raises)(X),
    "linearize": lambda: fgrad.linearize(raises, X),
    "linear_transpose": lambda: fgrad.linear_transpose(raises, X)(X),
    "make_graph": lambda: fgrad.make_graph(raises)(X),
    "eval_shape": lambda: fgrad.eval_shape(raises, X),
    "select": lambda: fgrad.select(X > 0, raises, raises, X),
    "tree.map": lambda: fgrad.tree.map(raises, [X]),
    "tree.map_with_path": lambda: fgrad.tree.map_with_path(raises, [X]),
    "tree.reduce": lambda: fgrad.tree.reduce(raises, [X, X]),
    "jet": lambda: fgrad.jet(raises, (X,), ([X],)),
    "checkpoint": lambda: fgrad.checkpoint(raises)(X),
    "closure_convert": lambda: fgrad.closure_convert(raises, X),
    "custom_jvp": lambda: _custom(fgrad.custom_jvp)(),
    "custom_vjp": lambda: _custom(fgrad.custom_vjp)(),
    "custom_vmap": lambda: _custom(fgrad.custom_vmap)(),
    "sequential_vmap": lambda: fgrad.sequential_vmap(raises)(X),
    "custom_gradient": lambda: fgrad.custom_gradient(raises)(X),
    "external": lambda: fgrad.external(raises, X, numeric=True)(X),
    "pure_callback": lambda: fgrad.pure_callback(raises, X, X),
    "io_callback": lambda: fgrad.io_callback(raises, None, X),
    "scan": lambda: fgrad.scan(raises, X, X),
    "while_loop": lambda: fgrad.while_loop(raises, raises, X),
    "fori_loop": lambda: fgrad.fori_loop(0, 3, raises, X),
    "cond": lambda: fgrad.cond(True, raises, raises, X),
    "switch": lambda: fgrad.switch(0, [raises, raises], X),
    "map": lambda: fgrad.map(raises, X),
    "associative_scan": lambda: fgrad.associative_scan(raises, X),
    "root": lambda: fgrad.root(raises, X),
    "fixed_point": lambda: fgrad.fixed_point(raises, X),
    "argmin": lambda: fgrad.argmin(raises, X),
    "implicit": lambda: fgrad.implicit(raises, raises)(X),
    "custom_root": lambda: fgrad.custom_root(raises, X, raises),
    "custom_linear_solve": lambda: fgrad.custom_linear_solve(raises, X, raises),
    "draw": lambda: fgrad.draw(raises, X),
    "explain_nonfinite": lambda: fgrad.explain_nonfinite(raises, X),
    "profile": lambda: fgrad.profile(raises, X),
    "debug.saved_residuals": lambda: fgrad.debug.saved_residuals(raises, X),
    "debug.print_saved_residuals": lambda: fgrad.debug.print_saved_residuals(raises, X),
    "sparse.jacobian": lambda: fgrad.sparse.jacobian(raises)(X),
    "sparse.hessian": lambda: fgrad.sparse.hessian(raises)(X),
    "sparse.sparsity": lambda: fgrad.sparse.sparsity(raises)(X),
    "sparse.hessian_sparsity": lambda: fgrad.sparse.hessian_sparsity(raises)(X),
    "testing.check_grads": lambda: fgrad.testing.check_grads(raises, (X,)),
    "testing.check_vmap": lambda: fgrad.testing.check_vmap(raises, (X,)),
    "scipy.optimize.minimize": lambda: fgrad.scipy.optimize.minimize(raises, X),
    "scipy.optimize.least_squares": lambda: fgrad.scipy.optimize.least_squares(raises, X),
    "scipy.optimize.root": lambda: fgrad.scipy.optimize.root(raises, X),
    "scipy.integrate.quad": lambda: fgrad.scipy.integrate.quad(raises, 0.0, 1.0),
    "scipy.integrate.solve_ivp": lambda: fgrad.scipy.integrate.solve_ivp(raises, (0.0, 1.0), X),
}

#: Public names that no function of the user's goes through, or that are in the table otherwise.
WITHOUT = {
    "ShapeDtypeStruct", "Graph", "all_gather", "at", "axis_index", "checkpoint_name", "constant",
    "debug_nans", "elementwise", "jit_backend", "linear", "multilinear", "named_scope", "pmax",
    "pmean", "pmin", "primitive", "psum", "stop_gradient",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FGRAD_TRACEBACK", raising=False)


def error_of(call: Callable[[], Any]) -> BaseException:
    try:
        call()
    except BaseException as e:
        return e
    pytest.fail("nothing was raised")


def lines(e: BaseException | None) -> list[str]:
    """The frames of a traceback below this file's: the folder and name of each one's file."""
    tb = traceback.extract_tb(e.__traceback__) if e is not None else []
    return [f"{os.path.basename(os.path.dirname(f.filename))}/{f.name}" for f in tb]


def ours(e: BaseException | None) -> list[str]:
    tb = traceback.extract_tb(e.__traceback__) if e is not None else []
    return [f.filename for f in tb if f.filename.startswith(tracebacks.OURS)]


@pytest.mark.parametrize("name", CALLS)
def test_an_error_of_the_users_function_shows_only_their_frames(name: str) -> None:
    e = error_of(CALLS[name])
    assert isinstance(e, Mine)
    assert ours(e) == []
    assert lines(e)[-1] == "tests/raises"


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"closure_convert"}))
def test_full_tracebacks_keep_fgrads_frames(name: str) -> None:
    with fgrad.debug.full_tracebacks():
        e = error_of(CALLS[name])
    assert ours(e) != []


def test_every_public_function_is_in_the_table() -> None:
    public = {
        n for n in dir(fgrad)
        if n[0] != "_" and callable(x := getattr(fgrad, n)) and x.__module__.startswith("fgrad")
    }  # fmt: skip
    assert public - WITHOUT == {n for n in CALLS if "." not in n}


def test_the_environment_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FGRAD_TRACEBACK", "full")
    assert ours(error_of(CALLS["grad"])) != []


def test_an_error_of_ours_points_at_the_users_line() -> None:
    def loss(x: Any) -> Any:
        return np.sin(x)

    e = error_of(lambda: fgrad.grad(loss)(X))
    assert isinstance(e, FgradError)
    assert lines(e) == ["tests/error_of", "tests/<lambda>"]


def test_an_error_inside_an_operation_points_at_the_users_line() -> None:
    def loss(x: Any) -> Any:
        return np.sum(x @ np.ones(7))

    e = error_of(lambda: fgrad.vmap(fgrad.grad(loss))(np.ones((2, 3))))
    assert lines(e) == ["tests/error_of", "tests/<lambda>", "tests/loss"]
    assert not hasattr(e, "__notes__")  # the line says it all


@pytest.mark.parametrize(
    "call",
    [
        lambda: fgrad.tree.map(np.add, [X], {"a": X}),
        lambda: fgrad.at(X)[10].set(3.0),
        lambda: fgrad.random.normal(0, (2,)),
    ],
)
def test_an_error_of_a_plain_call_points_at_the_users_line(call: Callable[[], Any]) -> None:
    e = error_of(call)
    assert ours(e) == []
    assert lines(e)[:2] == ["tests/error_of", "tests/<lambda>"]


def test_errors_that_led_to_it_lose_our_frames_too() -> None:
    def loss(x: Any) -> Any:
        try:
            fgrad.grad(np.sin)(x)
        except FgradError as e:
            raise Mine from e

    e = error_of(lambda: fgrad.grad(loss)(X))
    assert isinstance(e.__cause__, FgradError)
    assert ours(e.__cause__) == []
    assert lines(e.__cause__) == ["tests/loss"]


def test_a_group_of_errors_loses_our_frames() -> None:
    def loss(x: Any) -> Any:
        raise ExceptionGroup("two", [error_of(lambda: fgrad.grad(np.sin)(X)), Mine()])

    e = error_of(lambda: fgrad.jit(loss)(X))
    assert isinstance(e, ExceptionGroup)
    assert ours(e) == []
    assert [ours(x) for x in e.exceptions] == [[], []]


def test_a_ring_of_causes_ends() -> None:
    a, b = Mine(), Mine()
    a.__cause__, b.__cause__ = b, a

    def loss(x: Any) -> Any:
        raise a

    assert error_of(lambda: fgrad.grad(loss)(X)) is a


def test_an_error_that_can_only_be_ours_says_how_to_see_more() -> None:
    # as if raised by a line of fgrad's own
    code = compile("def own(e): raise e", os.path.join(tracebacks.PACKAGE, "made.py"), "exec")
    names: dict[str, Any] = {}
    exec(code, names)
    found = error_of(lambda: fgrad.grad(lambda x: names["own"](AttributeError("broken")))(X))
    assert found.__notes__ == [tracebacks.NOTE]
    nested = error_of(
        lambda: fgrad.grad(lambda x: fgrad.grad(lambda y: names["own"](KeyError("y")))(x))(X)
    )
    assert nested.__notes__ == [tracebacks.NOTE]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_error_passes_through(kind: type[BaseException]) -> None:
    def loss(x: Any) -> Any:
        raise kind

    e = error_of(lambda: fgrad.grad(loss)(X))
    assert type(e) is kind
    assert ours(e) == []


def test_other_threads_and_tasks_have_their_own_setting() -> None:
    found = {}

    def work() -> None:
        found["thread"] = ours(error_of(CALLS["grad"]))

    with fgrad.debug.full_tracebacks():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert found["thread"] == []

    async def task() -> list[str]:
        return ours(error_of(CALLS["grad"]))

    assert asyncio.run(task()) == []


def test_the_program_prints_no_frame_of_ours() -> None:
    program = (
        "import numpy as np, fgrad\n"
        "def loss(x):\n    return np.sum(x @ np.ones(7))\n"
        "fgrad.grad(loss)(np.ones(3))\n"
    )
    env = {k: v for k, v in os.environ.items() if k != "FGRAD_TRACEBACK"}
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=env, check=False
    ).stderr
    assert "mismatch" in out
    assert [line.split(",")[0].strip() for line in out.splitlines() if "File" in line] == [
        'File "<string>"', 'File "<string>"',
    ]  # fmt: skip
