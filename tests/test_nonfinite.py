"""NaN and infinity are traced to the operation, the line and the phase that made them."""

import numpy as np
import pytest

import fgrad
from fgrad import (
    explain_nonfinite,
    grad,
    hessian,
    jit,
    jvp,
    value_and_grad,
    vjp,
    vmap,
)

A = np.array


def line_of(f, marker):
    """The number of the line of a function that has a comment."""
    code = f.__code__
    with open(code.co_filename) as file:
        lines = file.readlines()
    return next(n for n in range(code.co_firstlineno, len(lines) + 1) if marker in lines[n - 1])


# ------------------------------------------------------------------ the classic cases
def masked_log(x):
    y = np.log(x)  # here
    return np.sum(np.where(x > 0, y, 0.0))


def root(x):
    return np.sum(np.sqrt(x))  # here


def softmax(x):
    e = np.exp(x)  # here
    return (e / np.sum(e))[0]


def recurrence(p, x):
    h = x
    for _ in range(40):
        h = p["w"] @ h
        h = h * h + x  # here
    return np.sum(h)


def length(x):
    return np.sqrt(np.sum(x * x))  # here


def batch_norm(x):
    centred = x - np.mean(x, axis=0)
    spread = np.sqrt(np.mean(centred * centred, axis=0))
    return np.sum((centred / spread) ** 2)  # here


def power(x):
    return x**0.3  # here


def exponent(y):
    return np.sum(A([0.0, 1.0]) ** (y - 1.0))  # here


def half(x):
    return np.mean(x * x)  # here


def angle(u, v):
    cosine = u @ v
    return np.arccos(cosine)  # here


def logsumexp(x):
    m = np.max(x)
    return m + np.log(np.sum(np.exp(x - m)))  # here


F16 = np.full(3, 300.0, np.float16)
CASES = {
    "log of 0 behind where": (grad(masked_log), (A([1.0, 0.0]),), "log", "backward", "select"),
    "sqrt at 0": (grad(root), (A([1.0, 0.0]),), "sqrt", "backward", "epsilon"),
    "softmax of 1000": (grad(softmax), (A([1e3, 0.0]),), "exp", "forward", "subtract"),
    "softmax, its value": (softmax, (A([1e3, 0.0]),), "exp", "forward", "subtract"),
    "an exploding recurrence": (
        grad(recurrence), ({"w": 3 * np.eye(2)}, np.ones(2)), "multiply", "forward", "clip"),
    "norm at 0": (grad(length), (np.zeros(2),), "sqrt", "backward", "np.linalg.norm"),
    "batch norm of a constant": (
        grad(batch_norm), (np.ones((3, 2)),), "divide", "forward", "epsilon"),
    "a power at 0": (grad(power), (0.0,), "power", "backward", "epsilon"),
    "a power at 0, of an array": (grad(lambda x: np.sum(power(x))), (A([1.0, 0.0]),), "power",
                                  "backward", "epsilon"),
    "0 to a power below 0": (exponent, (A([0.0, 0.0]),), "power", "forward", "epsilon"),
    "overflow in float16": (half, (F16,), "multiply", "forward", "float32"),
    "arccos beyond 1": (angle, (A([1.0, 1e-3]), A([1.0, 0.0]) + 1e-9), "arccos", "forward", "clip"),
    "arccos at 1": (grad(angle), (A([1.0, 0.0]), A([1.0, 0.0])), "arccos", "backward", "clip"),
    "logsumexp of -inf": (logsumexp, (np.full(2, -np.inf),), "subtract", "forward", "logsumexp"),
    "its gradient": (grad(logsumexp), (np.full(2, -np.inf),), "subtract", "forward", "logsumexp"),
}  # fmt: skip
FUNCTIONS = {f.__name__: f for f in (
    masked_log, root, softmax, recurrence, length, batch_norm, power, exponent, half, angle,
    logsumexp)}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_classic_cases(name):
    f, args, operation, phase, keyword = CASES[name]
    found = explain_nonfinite(f, *args)
    assert found
    assert not found.finite
    assert (found.operation, found.phase) == (operation, phase)
    assert found.file == __file__
    assert found.line == line_of(FUNCTIONS[found.function], "# here")
    assert "# here" in found.source
    assert keyword in found.cure
    assert found.leaves
    for text in (str(found), found._repr_markdown_()):
        assert f"`{operation}`" in text
        assert found.source in text
        assert found.cure in text


@pytest.mark.parametrize("name", CASES)
def test_the_same_inside_of_others(name):
    f, args, operation, phase, _ = CASES[name]
    for made in (
        jit(f),
        lambda *args: f(*args),
        lambda *xs: fgrad.tree.map(np.add, f(*xs), f(*xs)),
    ):
        found = explain_nonfinite(made, *args)
        assert (found.operation, found.phase) == (operation, phase)
    batch = fgrad.tree.map(lambda x: np.stack([x, x]), args)
    if not isinstance(args[0], float):  # power of a batch of numbers is that of arrays
        found = explain_nonfinite(vmap(f), *batch)
        assert (found.operation, found.phase) == (operation, phase)
        assert found.element == (0,)


def test_what_is_fine():
    found = explain_nonfinite(value_and_grad(masked_log), A([1.0, 2.0]))
    assert not found
    assert found.finite
    assert str(found) == found.headline() == "all finite"
    assert found.line is found.file is found.function is found.leaf is None
    # An infinity that is left away on the way is no fault.
    assert not explain_nonfinite(masked_log, A([1.0, 0.0]))
    assert not explain_nonfinite(lambda x: np.exp(np.log(x)), 0.0)


def test_what_it_tells():
    found = explain_nonfinite(grad(masked_log), A([1.0, 0.0, 0.0]))
    assert np.isnan(found.value)
    assert found.operands[0].shape == (3,)
    assert found.operands[0].dtype == float
    assert found.operands[0].value == 0
    assert found.cotangent == 0
    assert found.index == (1,)
    assert found.primitive == "divide"
    assert [o.value for o in found.computed] == [0.0, 0.0]
    assert found.masked_by.line == line_of(masked_log, "np.where")
    (leaf,) = found.leaves
    assert (leaf.path, leaf.count, leaf.size, leaf.index) == ("", 2, 3, (1,))
    at, masked = (line_of(masked_log, text) for text in ("# here", "np.where"))
    assert str(found) == (
        f"NaN was made by the way back of `log` at test_nonfinite.py:{at} in masked_log.\n"
        "    y = np.log(x)  # here\n"
        "  operands: 0.0 of float64[3]\n"
        "  cotangent: 0.0\n"
        "  its rule: divide(0.0 of float64[3], 0.0 of float64[3]) is nan\n"
        "  element: [1] of float64[3]\n"
        f"  masked: a where at test_nonfinite.py:{masked} leaves this element away, and not its "
        "derivative: 0 times infinity is NaN\n"
        "  result: the result, 2 of 3 elements, the first [1]\n"
        "  cure: choose the operand, not the answer: fgrad.select(mask, np.log, other, x) calls "
        "the function where the mask is true only; or np.where(mask, np.log(np.where(mask, x, "
        "1.0)), other)"
    )


def test_a_root_masked_behind():
    """sqrt(0) is finite, so that the value tells nothing of the mask; the cotangent does."""
    f = lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0))  # noqa: E731
    found = explain_nonfinite(grad(f), A([0.0, 4.0]))
    assert (found.operation, found.phase, found.cotangent) == ("sqrt", "backward", 0.0)
    assert found.masked_by is not None
    assert not explain_nonfinite(grad(root), A([4.0])).masked_by


def test_a_product_masked_behind():
    """p log p at 0: the log's own infinity meets a 0 on the way back, behind the mask."""

    def relative(p, q):
        return np.sum(np.where(p > 0, p * np.log(p / q), 0.0))  # mask

    p, q = A([0.5, 0.0]), A([0.5, 0.5])
    for f, args in ((grad(relative), (p, q)), (vmap(grad(relative)), (p[None], q[None])),
                    (grad(relative), (0.0, 0.5)), (jit(grad(relative)), (p, q))):  # fmt: skip
        found = explain_nonfinite(f, *args)
        assert (found.operation, found.phase) == ("log", "forward")
        assert found.masked_by.line == line_of(relative, "# mask")
        assert "select" in found.cure
    # another element than that which the mask leaves away
    found = explain_nonfinite(grad(relative), A([0.0, 0.5]), A([0.5, 0.0]))
    assert found.masked_by is not None
    found = explain_nonfinite(grad(relative, 1), A([0.5, 0.0]), A([0.0, 0.5]))
    assert (found.operation, found.masked_by) == ("divide", None)


def test_logarithms_of_one_plus_x():
    for x, word in ((-1.0, "pole"), (-0.5, ""), (-1.5, "negative number")):
        found = explain_nonfinite(np.log1p, x)
        assert bool(found) == bool(word)
        assert word in found.cure


def test_the_way_to_the_result():
    found = explain_nonfinite(grad(length), np.zeros(2))
    assert np.isinf(found.value)
    assert [step.split(" at ")[0] for step in found.path] == [
        "the way back of sqrt", "the way back of sum", "the way back of multiply"]  # fmt: skip
    found = explain_nonfinite(recurrence, {"w": 3 * np.eye(2)}, np.ones(2))
    assert found.calls == 40
    assert found.call < 12


def test_leaves_of_trees():
    def loss(p, x):
        h = np.tanh(p["layers"][0]["w"] @ x) * p["scale"]
        return np.sum(np.sqrt(h)) + np.sum(p["fine"])

    f32 = np.float32
    params = {"layers": [{"w": np.zeros((2, 3), f32)}], "scale": np.ones(2, f32),
              "fine": np.ones(2, f32)}  # fmt: skip
    found = explain_nonfinite(grad(loss), params, np.ones(3, f32))
    assert [leaf.path for leaf in found.leaves] == ["['layers'][0]['w']", "['scale']"]
    assert found.leaf == "['layers'][0]['w']"
    assert found.dtype == f32
    assert (found.operation, found.phase) == ("sqrt", "backward")


def test_what_was_there_before():
    found = explain_nonfinite(lambda p, x: np.sum(p["w"] * x), {"w": A([1.0, np.nan])}, 2.0)
    assert (found.phase, found.argument) == ("argument", "[0]['w']")
    assert found.headline() == "NaN was in the argument [0]['w'] already."
    assert explain_nonfinite(lambda x, y: x, np.nan, y=2.0).argument == "[0]"
    assert explain_nonfinite(lambda x, y: y + x, 1.0, y=np.nan).argument == "['y']"
    c = A([np.nan, 1.0])
    found = explain_nonfinite(lambda x: np.sum(x * c), np.ones(2))
    assert (found.phase, found.operation) == ("captured", "multiply")
    assert "captured" in found.headline()
    found = explain_nonfinite(lambda x: (x, c), np.ones(2))
    assert (found.phase, found.operation, found.leaf) == ("captured", None, "[1]")
    assert "no followed value" in str(found)


def test_captured_parameters():
    """A function without arguments, whose transformations have some."""
    params = np.zeros(2)
    found = explain_nonfinite(lambda: grad(length)(params))
    assert (found.operation, found.line) == ("sqrt", line_of(length, "# here"))
    assert "call" in explain_nonfinite(lambda: vmap(np.sin)(A([np.nan]))).argument


def test_directions():
    for f in (lambda x: jvp(length, (x,), (np.ones(2),)), hessian(length)):
        found = explain_nonfinite(f, np.zeros(2))
        assert found.operation == "sqrt"
        assert found.line == line_of(length, "# here")
    assert explain_nonfinite(lambda x: jvp(length, (x,), (np.ones(2),)), np.zeros(2)).phase == (
        "tangent"
    )
    found = explain_nonfinite(lambda x: vjp(length, x)[1](1.0), np.zeros(2))
    assert (found.phase, found.cotangent) == ("backward", 1.0)
