"""Each public function of derivatives says its own name when a call of it goes wrong."""

import re

import numpy as np
import pytest

import fgrad
from fgrad.errors import FgradError

X = np.arange(1.0, 4.0)
#: Called as ``name(f)(x)``, and with a direction, as ``name(f, (x,), (t,))``.
MAKERS = [
    "grad", "value_and_grad", "jacfwd", "jacrev", "jacobian", "value_and_jacfwd",
    "value_and_jacrev", "hessian", "value_and_hessian", "hessian_diagonal", "laplacian",
    "elementwise_grad",
]  # fmt: skip
PRODUCTS = ["jvp", "hvp", "value_grad_hvp", "gnvp"]
#: Called as ``name(f, x)``; what they return takes the tangents or cotangents.
MAPS = ["vjp", "linearize", "linear_transpose"]
OF_SCALARS = ["grad", "value_and_grad", "hvp", "value_grad_hvp"]
ALL = [*MAKERS, *PRODUCTS, *MAPS]


def call(name, f, x, t=X, **options):
    """A call of the function with all that it needs."""
    transform = getattr(fgrad, name)
    if name in MAKERS:
        return transform(f, **options)(x)
    if name in PRODUCTS:
        return transform(f, (x,), (t,), **options)
    return transform(f, x, **options)[1](t) if name != "linear_transpose" else transform(f, x)(t)


def function(name):
    """One that the function takes, whose result is like X where it may be."""
    return (lambda x: np.sum(x**3)) if name in OF_SCALARS else (lambda x: 2 * x)


def refused(name, *args, f=None, **options):
    """The message, which begins with the name of the function and speaks of no other."""
    with pytest.raises(FgradError) as caught:
        call(name, f or function(name), *args, **options)
    text = str(caught.value)
    assert re.match(rf"{name} (with|wants)", text), text
    others = [n for n in re.findall(r"\w+(?= wants)", text) if n not in (name, "True")]
    assert not others, text
    assert "fgrad/" not in text.replace("test_names", ""), text  # it names the user's function
    return text


@pytest.mark.parametrize("name", ALL)
def test_arguments_without_derivatives(name):
    text = refused(name, np.arange(3))
    assert ("allow_int" in text) == (name in MAKERS and name != "elementwise_grad")
    if name in ("hvp", "jvp", "value_grad_hvp"):
        assert "None for its tangent" in text


@pytest.mark.parametrize("name", ALL)
def test_results_that_are_no_arrays(name):
    def returns_text(x):
        return "spam"

    assert "returns_text" in refused(name, X, f=returns_text)


@pytest.mark.parametrize("name", ALL)
def test_what_is_no_function(name):
    text = refused(name, X, f=3.0)
    assert (f"{name}(f)(x)" in text) == (name in MAKERS)
    assert (f"{name}(f, ...)" in text) == (name not in MAKERS)


@pytest.mark.parametrize("name", [*MAKERS, "hvp", "value_grad_hvp", "jvp", "vjp", "linearize"])
def test_results_without_aux(name):
    assert "returns a pair (value, aux)" in refused(name, X, has_aux=True)


@pytest.mark.parametrize("name", [*MAKERS, "hvp", "value_grad_hvp"])
def test_argnums_out_of_range(name):
    assert "argnums 4" in refused(name, X, argnums=4)
    assert "argnums=0" in refused(name, X, argnums="spam")


@pytest.mark.parametrize("name", OF_SCALARS)
def test_results_that_are_no_scalars(name):
    assert "(3,)" in refused(name, X, f=lambda x: x)


@pytest.mark.parametrize("name", ["jacrev", "value_and_jacrev", "hessian", "elementwise_grad"])
def test_complex_results_of_real_arguments(name):
    assert "complex128" in refused(name, X, f=lambda x: 1j * x)


def test_a_loss_that_returns_no_scalar():
    with pytest.raises(FgradError, match=r"^gnvp wants a function that returns a real scalar"):
        fgrad.gnvp(lambda x: x, (X,), (X,), lambda y: y)


@pytest.mark.parametrize("name", PRODUCTS)
def test_arguments_and_directions_that_are_no_tuples(name):
    transform, f = getattr(fgrad, name), function(name)
    for primals, tangents, text in (
        (X, X, "primals as a tuple"),
        ((X,), X, "tangents as a tuple"),
        ((X,), (X, X), "a tangent for each primal"),
    ):
        with pytest.raises(FgradError, match=f"^{name} wants {text}"):
            transform(f, primals, tangents)


@pytest.mark.parametrize("name", [*PRODUCTS, *MAPS])
@pytest.mark.parametrize(
    ("t", "came"),
    [(np.ones(4), "(4,)"), (None, "None"), (np.ones(3, np.float32), "float32"),
     ({"a": X}, "a dict of 1")],
)  # fmt: skip
def test_directions_unlike_the_argument_or_the_result(name, t, came):
    if t is None and name in PRODUCTS:
        return  # an argument that doesn't move
    if name in MAPS or name == "gnvp":
        text = refused(name, X, t)
    else:
        text = refused(name, X, t, f=lambda x: np.sum(x**3))
    pulls = name in ("vjp", "linear_transpose")
    if isinstance(t, np.ndarray):
        assert ("that of the result" in text) == pulls
        assert ("that of its primal" in text) == (not pulls)
    assert ("None is no zero" in text) == (t is None)
    assert came in text
