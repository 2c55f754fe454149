"""The chain rule, one number at a time: an expression of scalars, its graph, and a small network.

    python examples/scalar_engine.py
    python examples/scalar_engine.py --seed 3 --out pictures

The first part takes an expression of two numbers apart. `fgrad.make_graph` lists its operations,
and for each intermediate value the program computes how fast the result changes with it: it makes
that value an input of the graph and asks `fgrad.grad` for the derivative. `fgrad.draw` makes a
picture of the same. It shows what reverse mode does in one go: each red number is the sum, over the
arrows that leave the box, of the red number at the arrow's end times the slope of the operation
there.

The second part is a network of two hidden layers of 16 rectified linear units, trained on two
half-moons until all are told apart: the same chain rule, for 337 parameters.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import program
from sklearn.datasets import make_moons

import fgrad
import fgrad_nn as nn

A, B = -4.0, 2.0
SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}
PENALTY = 1e-4  # of the squares of all parameters
NOISE = 0.1  # of the moons

# An expression ------------------------------------------------------------------------------------


def expression(a: Any, b: Any) -> Any:
    """A number out of two, by all kinds of operations; some values are used more than once."""
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c - a
    d += 2 * d + nn.relu(b + a)
    d += 3 * d + nn.relu(b - a)
    e = c - d
    f = e**2
    return f / 2 + 10 / f


def labels(graph: fgrad.Graph) -> dict[Any, str]:
    """The variables of a graph, and how each is made, by the letters with which it is printed."""
    found = {variable: variable.name for variable in graph.inputs}
    for equation in graph.equations:
        name, variable = equation.primitive.name, equation.outputs[0]
        operands: tuple[Any, ...] = equation.operands  # variables and constants
        shown = [x.name if x in found else f"{x.value:g}" for x in operands]
        made = f" {SIGNS[name]} ".join(shown) if name in SIGNS else f"{name}({', '.join(shown)})"
        found[variable] = f"{variable.name} = {made}"
    return found


def all_values(graph: fgrad.Graph, *args: float) -> dict[Any, float]:
    """The value of each variable of a graph: the graph that returns them all, called."""
    variables = list(labels(graph))
    everything = fgrad.Graph(
        graph.name, graph.inputs, graph.equations, variables, graph.in_structure,
        fgrad.tree.structure(variables),
    )  # fmt: skip
    return dict(zip(variables, map(float, everything(*args)), strict=True))


def all_slopes(graph: fgrad.Graph, *args: float) -> dict[Any, float]:
    """The derivative of the result by each variable of a graph.

    For a variable in the middle, the equation that makes it is left out and the variable becomes
    one more input, by which the rest of the graph can be differentiated like any function.
    """
    slopes = dict(zip(graph.inputs, fgrad.grad(graph, tuple(range(len(args))))(*args), strict=True))
    for variable, value in all_values(graph, *args).items():
        if variable not in slopes:
            rest = fgrad.Graph(
                graph.name, (*graph.inputs, variable),
                [e for e in graph.equations if variable not in e.outputs],
                graph.outputs, fgrad.tree.structure(((*args, value), {})), graph.out_structure,
            )  # fmt: skip
            slopes[variable] = fgrad.grad(rest, len(args))(*args, value)
    return {variable: float(slope) for variable, slope in slopes.items()}


# A network ----------------------------------------------------------------------------------------

network: Any = nn.mlp([16, 16, 1], nn.relu, weight_init=nn.initializers.he_normal())


def loss(params: Any, X: np.ndarray, signs: np.ndarray) -> Any:
    """The mean of max(0, 1 - sign * score), and a penalty for large parameters.

    A sample costs nothing once its score has the right sign and is beyond 1: the margin.
    """
    scores = network.apply(params, X)[:, 0]
    squares = sum(np.sum(p**2) for p in fgrad.tree.leaves(params))
    return np.mean(nn.relu(1 - signs * scores)) + PENALTY * squares


def share_right(params: Any, X: np.ndarray, signs: np.ndarray) -> float:
    """The share of samples whose score has the right sign."""
    return float(np.mean(np.sign(network.apply(params, X)[:, 0]) == signs))


def train(X: np.ndarray, signs: np.ndarray, *, steps: int, key: Any, bar: Any) -> tuple[Any, Any]:
    """Gradient descent on all samples, with smaller and smaller steps.

    Returns the parameters, and for each step the loss and the share of samples that were right.
    """
    _, params = network.init(key, X.shape)
    optimizer = nn.sgd(nn.schedules.linear_schedule(1.0, 0.1, steps))
    state = optimizer.init(params)
    loss_and_gradient = fgrad.jit(fgrad.value_and_grad(loss))
    record = []
    for _ in range(steps):
        value, gradient = loss_and_gradient(params, X, signs)
        record.append((float(value), share_right(params, X, signs)))
        updates, state = optimizer.update(gradient, state, params)
        params = nn.apply_updates(params, updates)
        bar.update()
    return params, np.array(record)


# The program --------------------------------------------------------------------------------------


def tell(graph: fgrad.Graph, values: dict[Any, float], slopes: dict[Any, float]) -> None:
    """Print all operations with their values and derivatives, and these beside differences."""
    shown = labels(graph)
    rows = [[shown[v], f"{values[v]:.4f}", f"{slopes[v]:.4f}"] for v in shown]
    program.table("The expression", ["operation", "value", "derivative of the result"], rows)
    h = 1e-6
    differences = [
        (expression(A + h, B) - expression(A - h, B)) / (2 * h),
        (expression(A, B + h) - expression(A, B - h)) / (2 * h),
    ]
    print(f"The result is {expression(A, B):.4f}.")
    for name, variable, difference in zip("ab", graph.inputs, differences, strict=True):
        print(f"By {name}: {slopes[variable]:.4f}; by central differences: {difference:.4f}")
    print()


def boundary(path: Path, params: Any, X: np.ndarray, signs: np.ndarray, record: Any) -> Path:
    """The samples, the scores around them with the margin; and how the training went."""
    figure, (plane, course) = program.canvas(1, 2, size=(12.0, 5.0))
    low, high = X.min(axis=0) - 0.5, X.max(axis=0) + 0.5
    x, y = np.meshgrid(np.linspace(low[0], high[0], 240), np.linspace(low[1], high[1], 240))
    scores = network.apply(params, np.stack([x, y], axis=-1))[..., 0]
    plane.contourf(
        x, y, np.clip(scores, -3, 3), levels=np.linspace(-3, 3, 13), cmap="RdBu", alpha=0.45
    )
    plane.contour(
        x, y, scores, levels=[-1, 0, 1], colors=program.INK, linewidths=[0.8, 1.8, 0.8],
        linestyles=["--", "-", "--"],
    )  # fmt: skip
    for sign, color in ((-1, program.RED), (1, program.BLUE)):
        x1, x2 = X[signs == sign].T
        plane.scatter(x1, x2, s=28, color=color, edgecolor="white", linewidth=0.6, zorder=3)
    plane.set_title("Where the score is 0, and -1 and 1 (dashed)", loc="left", fontsize=13)
    plane.set_aspect("equal")
    losses, shares = record.T
    course.semilogy(losses, color=program.RED, linewidth=1.8)
    course.set_xlabel("step")
    course.set_ylabel("loss", color=program.RED)
    right = course.twinx()
    right.spines["top"].set_visible(False)
    right.plot(100 * shares, color=program.BLUE, linewidth=1.8)
    right.set_ylabel("% right", color=program.BLUE, fontsize=12)
    course.set_title("Training", loc="left", fontsize=13)
    return program.save(figure, path)


def work(chosen: argparse.Namespace) -> list[Path]:
    """Take the expression apart, train the network, show both."""
    graph = fgrad.make_graph(expression)(A, B)
    values, slopes = all_values(graph, A, B), all_slopes(graph, A, B)
    tell(graph, values, slopes)
    drawing = chosen.out / "expression.png"
    fgrad.draw(expression, A, B, grads=True, collapse=False).save(drawing)

    samples, steps = (40, 100) if chosen.quick else (100, 200)
    X, labels = make_moons(samples, noise=NOISE, random_state=chosen.seed)
    signs = 2.0 * labels - 1.0
    with program.bar(chosen, steps, "step") as bar:
        params, record = train(X, signs, steps=steps, key=fgrad.random.key(chosen.seed), bar=bar)
    every = max(steps // 10, 1)
    rows = [[f"{i}", f"{a:.4f}", f"{b:.1%}"] for i, (a, b) in enumerate(record) if i % every == 0]
    rows.append(
        ["the end", f"{loss(params, X, signs):.4f}", f"{share_right(params, X, signs):.1%}"]
    )
    program.table(
        f"Two moons, {nn.count_parameters(params)} parameters", ["step", "loss", "right"], rows
    )
    return [drawing, boundary(chosen.out / "moons.png", params, X, signs, record)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; 0 on success, 2 when the output folder is not usable."""
    options = program.parser(
        "An expression of scalars with all its derivatives, and a network for two moons.",
        "scalar_engine_plots",
    )
    return program.run(options, arguments, work)


if __name__ == "__main__":
    sys.exit(main())
