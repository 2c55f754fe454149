"""`debug_nans`: a result that isn't finite raises, where it was made."""

import threading
import traceback

import numpy as np
import pytest

import fgrad
from fgrad import debug_nans, grad, jit, jvp, vjp, vmap
from fgrad.errors import FgradError, NonFiniteError

X = np.zeros(2)


def loss(x):
    return np.sum(np.log(x))  # here


def root(x):
    return np.sqrt(x)  # here


WAYS = {
    "value": lambda: jit(loss)(X),
    "grad": lambda: grad(loss)(X),
    "value_and_grad": lambda: fgrad.value_and_grad(loss)(X),
    "grad of jit": lambda: grad(jit(loss))(X),
    "jit of grad": lambda: jit(grad(loss))(X),
    "jvp": lambda: jvp(loss, (X,), (X,)),
    "vjp": lambda: vjp(loss, X),
    "pullback": lambda: vjp(root, X)[1](X + 1),
    "vmap": lambda: vmap(loss)(np.ones((2, 2)) * X),
    "jacfwd": lambda: fgrad.jacfwd(root)(X),
    "jacrev": lambda: fgrad.jacrev(root)(X),
    "hessian": lambda: fgrad.hessian(loss)(X),
    "hvp": lambda: fgrad.hvp(loss, (X,), (X,)),
    "linearize": lambda: fgrad.linearize(loss, X),
}


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_raises(name):
    WAYS[name]()  # outside of it nothing is looked at
    with debug_nans(), pytest.raises(NonFiniteError) as caught:
        WAYS[name]()
    error = caught.value
    assert isinstance(error, FloatingPointError)
    assert isinstance(error, FgradError)
    assert error.explanation.operation in ("log", "sqrt")
    assert "# here" in error.explanation.source
    assert "# here" in error.came
    assert error.to_do == error.explanation.cure


def test_the_text():
    with debug_nans(), pytest.raises(FloatingPointError) as caught:
        grad(root)(0.0)
    line = root.__code__.co_firstlineno
    assert str(caught.value) == (
        f"debug_nans wants finite results of `root` ({__file__}:{line}) and its derivatives.\n"
        f"  It got: Infinity was made by the way back of `sqrt` at {__file__.split('/')[-1]}:"
        f"{line + 1} in root.\n"
        "        return np.sqrt(x)  # here\n"
        "      operands: 0.0\n"
        "      cotangent: 1.0\n"
        "      its rule: divide(0.5, 0.0) is inf\n"
        "      result: [0]... \n".replace("[0]... ", "[1]")
        + f"  To do: {caught.value.to_do}"
    )


def test_the_traceback_goes_through_the_users_line():
    with debug_nans(), pytest.raises(NonFiniteError) as caught:
        grad(loss)(X)
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert any(f.name == "loss" and "# here" in f.line for f in frames)


def test_finite_results_are_untouched():
    def masked(x):
        return np.sum(np.where(x > 0, np.sqrt(np.where(x > 0, x, 1.0)), 0.0))

    x = np.array([0.0, 4.0])
    with debug_nans():
        inside = grad(masked)(x), fgrad.value_and_grad(masked)(x), vjp(masked, x)[1](1.0)
    outside = grad(masked)(x), fgrad.value_and_grad(masked)(x), vjp(masked, x)[1](1.0)
    for a, b in zip(fgrad.tree.leaves(inside), fgrad.tree.leaves(outside), strict=True):
        assert type(a) is type(b)
        np.testing.assert_array_equal(a, b)


def test_it_ends_with_the_block_and_the_thread():
    seen = []

    def work():
        with np.errstate(all="ignore"):
            seen.append(grad(root)(0.0))

    with debug_nans():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        with pytest.raises(NonFiniteError):
            grad(root)(0.0)
        assert grad(root)(1.0) == 0.5
    with np.errstate(all="ignore"):
        assert np.isinf(grad(root)(0.0))
    assert np.isinf(seen[0])


def test_effects_happen_once():
    seen = []

    def f(x):
        fgrad.debug.callback(seen.append, x)
        return np.sqrt(x)

    with debug_nans(), pytest.raises(NonFiniteError):
        grad(f)(0.0)
    assert len(seen) == 1


def test_a_function_that_changes():
    values = iter([0.0, 1.0])
    with debug_nans(), pytest.raises(NonFiniteError, match=r"(?s)second run.*as an argument"):
        grad(lambda x: x / next(values))(1.0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_pullback_from_before():
    """It was made outside, so the lines of its function aren't known."""
    _, pullback = vjp(root, X)
    with debug_nans(), pytest.raises(NonFiniteError):
        pullback(X + 1)
    with debug_nans():
        _, pullback = vjp(root, X + 1)
    assert pullback(X + 1)[0].shape == (2,)
    with debug_nans():
        _, pullback = vjp(root, X + 0)
    assert np.isinf(pullback(X + 1)[0]).all()  # nobody looks any more
