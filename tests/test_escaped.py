"""A tracer that outlived its transformation is refused wherever it turns up."""

import numpy as np
import pytest

from fgrad import grad, jit, jvp, make_graph, vjp, vmap
from fgrad.errors import EscapedTracerError

X = np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize("name", ["grad", "vjp", "jvp", "vmap", "make_graph"])
def test_an_escaped_tracer_says_where_it_was_made(name):
    kept = []

    def leaky(x):
        kept.append(x * 2)
        return x.sum()

    {
        "grad": lambda: grad(leaky)(X),
        "vjp": lambda: vjp(leaky, X),
        "jvp": lambda: jvp(leaky, (X,), (X,)),
        "vmap": lambda: vmap(leaky)(np.ones((2, 3))),
        "make_graph": lambda: make_graph(leaky)(X),
    }[name]()
    (x,) = kept
    line = leaky.__code__.co_firstlineno
    text = (
        rf"wants values of a transformation that is still running\.\n  It got: an escaped tracer "
        rf"<{name} tracer: float64\[3\]>, made by {name} of `leaky` \(.*test_escaped\.py:{line}\), "
        r"which has returned\n  To do: return the value from the function"
    )
    uses = {
        "operator": lambda: x + 1,
        "reflected": lambda: X + x,
        "function": lambda: np.sum(x),
        "method": lambda: x.sum(),
        "index": lambda: x[0],
        "in another function": lambda: grad(lambda y: (y * x).sum())(X),
        "as an argument": lambda: grad(lambda y: y.sum())(x),
        "as the result of grad": lambda: grad(lambda y: x[0])(X),
        "returned to jvp": lambda: jvp(lambda y: (y, x), (X,), (X,)),
        "returned to vjp": lambda: vjp(lambda y: (y, x), X),
        "returned to vmap": lambda: vmap(lambda y: x)(X),
        "returned to make_graph": lambda: make_graph(lambda y: x)(X),
        "in aux of grad": lambda: grad(lambda y: (y.sum(), {"x": x}), has_aux=True)(X),
        "in aux of jvp": lambda: jvp(lambda y: (y, [x]), (X,), (X,), has_aux=True),
        "in aux of vjp": lambda: vjp(lambda y: (y, [x]), X, has_aux=True),
        "as a tangent": lambda: jvp(lambda y: y, (X,), (x,)),
        "as a cotangent": lambda: vjp(lambda y: y, X)[1](x),
        "mapped": lambda: vmap(lambda y: y)(x),
        "staged": lambda: make_graph(lambda y: y)(x),
    }
    for use in uses.values():
        with pytest.raises(EscapedTracerError, match=text):
            use()
    assert repr(x) == f"<{name} tracer: float64[3]>"


CONVERSIONS = {
    "bool": bool, "float": lambda x: float(x[0]), "int": int, "array": np.asarray,
    "list": lambda x: x.tolist(), "item": lambda x: x.item(), "addition": lambda x: x + 1,
}  # fmt: skip


@pytest.mark.parametrize("use", CONVERSIONS)
def test_an_escaped_tracer_of_jit_is_refused_by_conversions_too(use):
    kept = []

    def leaky(x):
        kept.append(x * 2)
        return x.sum()

    jit(leaky)(X)
    text = r"still running\.\n  It got: an escaped tracer <jit tracer: float64"
    with pytest.raises(EscapedTracerError, match=text):
        CONVERSIONS[use](kept[0])
