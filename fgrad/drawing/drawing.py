"""`draw`: the picture of a computation, for notebooks, talks and files."""

from __future__ import annotations

import html
import inspect
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import tree
from ..core import check_function
from ..errors import ArgumentError
from ..stage import make_graph
from ..tracebacks import boundary
from .boxes import COLOURS, MARGIN, size_of
from .layout import Layout, layered
from .network import Box, Network, network_of
from .painting import paint


class Drawing:
    """A picture; notebooks show it, `save` writes it.

    Attributes:
        network: boxes and arrows.
    """

    def __init__(self, network: Network) -> None:
        self.network = network

    def __repr__(self) -> str:
        return (
            f"<drawing of {self.network.name}: {len(self.network.boxes)} boxes, "
            f"{len(self.network.arrows)} arrows>"
        )

    def _repr_svg_(self) -> str:
        return self.svg()

    def layout(self) -> Layout:
        """Where boxes and arrows are, in points: rows of boxes, arrows that point down."""
        net = self.network
        number = {id(box): k for k, box in enumerate(net.boxes)}
        arrows = [(number[id(a)], number[id(b)]) for a, b, _ in net.arrows]
        read = {b for _, b in arrows}
        # Constants are met late, when they are read, and come first here.
        order = sorted(range(len(net.boxes)), key=lambda k: k if k in read else -1)
        rank = {k: i for i, k in enumerate(order)}
        sizes = [size_of(net.boxes[k]) for k in order]
        ports = [{"x": -1, "y": 1}.get(label, 0) for _, _, label in net.arrows]
        plan = layered(sizes, [(rank[a], rank[b]) for a, b in arrows], ports)
        return replace(plan, centre=[plan.centre[rank[k]] for k in range(len(net.boxes))])

    # ------------------------------------------------------------------ as text
    def svg(self) -> str:
        """The picture as SVG, by a layered layout of our own."""
        net, plan = self.network, self.layout()
        width, height = plan.width + 2 * MARGIN, plan.height + 2 * MARGIN
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="{-MARGIN:.0f} {-MARGIN:.0f} {width:.0f} {height:.0f}" '
            'font-family="Helvetica, Arial, sans-serif">',
            f"<title>{html.escape(net.name)}</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#777"/></marker></defs>',
            f'<rect x="{-MARGIN:.0f}" y="{-MARGIN:.0f}" width="{width:.0f}" '
            f'height="{height:.0f}" fill="white"/>',
        ]
        for route, (_, _, label) in zip(plan.routes, net.arrows, strict=True):
            parts.append(_arrow(route, label))
        parts += [_box(b, c) for b, c in zip(net.boxes, plan.centre, strict=True)]
        return "\n".join([*parts, "</svg>"])

    def dot(self) -> str:
        """The picture in the DOT language of graphviz."""
        net = self.network
        lines = ["digraph {", '  node [shape=box, style="rounded,filled", fontname=Helvetica];']
        number = {id(box): f"n{k}" for k, box in enumerate(net.boxes)}
        for box in net.boxes:
            fill, border = COLOURS[box.kind]
            label = _quoted("\n".join([box.title, *box.lines]))
            lines.append(
                f'  {number[id(box)]} [label={label}, fillcolor="{fill}", color="{border}"];'
            )
        for a, b, label in net.arrows:
            lines.append(f"  {number[id(a)]} -> {number[id(b)]} [label={_quoted(label)}];")
        return "\n".join([*lines, "}"])

    # ------------------------------------------------------------------ as a file
    def save(self, path: str | Path) -> None:
        """Write the picture: .svg, .dot, or .png and .pdf.

        graphviz lays out .png and .pdf where its program ``dot`` is installed; else matplotlib
        draws the layout of `svg`.

        Args:
            path: the file, whose ending says the format.

        Raises:
            ArgumentError: another ending, or matplotlib is needed and not installed.
        """
        path = Path(path)
        kind = path.suffix.lower()
        if kind == ".svg":
            path.write_text(self.svg(), encoding="utf-8")
        elif kind == ".dot":
            path.write_text(self.dot(), encoding="utf-8")
        elif kind in (".png", ".pdf"):
            program = shutil.which("dot")
            if program is not None:
                subprocess.run(
                    [program, f"-T{kind[1:]}", "-Gdpi=144", "-o", str(path)],
                    input=self.dot().encode(), check=True,
                )  # fmt: skip
            else:
                paint(self.network, self.layout(), path)
        else:
            raise ArgumentError(
                "save wants a file that ends with .svg, .png, .pdf or .dot.",
                repr(str(path)),
                'write drawing.save("picture.svg")',
            )


@boundary
def draw(
    f: Callable[..., Any], *args: Any, grads: bool = False, values: bool = True,
    collapse: bool = True, **kwargs: Any,
) -> Drawing:  # fmt: skip
    """Draw what a function does with some arguments.

    >>> import numpy as np
    >>> picture = draw(lambda a, b: (a + b) ** 2 / b, -4.0, 2.0, grads=True)
    >>> picture
    <drawing of <lambda>: 6 boxes, 6 arrows>
    >>> picture.network.boxes[2].lines  # a + b: its dtype, its value, the derivative by it
    ['float64', '-2', '∂ -2']

    Args:
        f: a function of pytrees of arrays, as for `make_graph`.
        args, kwargs: what it is called with.
        grads: whether each box says the derivative of the first result by its value (of the sum
            of its entries, if it is an array).
        values: whether each box says its value: a number, or the range of an array's entries.
        collapse: whether operations that are repeated three times or more are one box, and what
            repeats a long stretch of them, such as the block of a transformer, a box below it.

    Returns:
        A `Drawing`: notebooks show it, ``save("picture.svg")`` writes it.

    Raises:
        TracerConversionError: ``f`` asks for a value, as in ``if x > 0``.
    """
    check_function(f, "draw")
    graph = make_graph(f)(*args, **kwargs)
    leaves = tree.leaves((args, kwargs))
    names = _names(f, args, kwargs)
    return Drawing(network_of(graph, names, leaves, values, grads, collapse))


def _names(f: Callable[..., Any], args: Any, kwargs: Any) -> list[str]:
    """What the user calls each leaf of the arguments."""
    try:
        parameters = list(inspect.signature(f).parameters)
    except (TypeError, ValueError):  # some functions of C have none
        parameters = []
    out = []
    for i, x in enumerate(args):
        stem = parameters[i] if i < len(parameters) else f"argument {i}"
        out += [stem + tree.path_str(path) for path, _ in tree.leaves_with_path(x)]
    for key, x in kwargs.items():
        out += [key + tree.path_str(path) for path, _ in tree.leaves_with_path(x)]
    return out


# ------------------------------------------------------------------ drawing
def _arrow(route: list[tuple[float, float]], label: str) -> str:
    (x, y), *rest = route
    path = f"M{x:.1f} {y:.1f}"
    for u, v in rest:
        middle = (y + v) / 2
        path += f" C{x:.1f} {middle:.1f} {u:.1f} {middle:.1f} {u:.1f} {v:.1f}"
        x, y = u, v
    line = f'<path d="{path}" fill="none" stroke="#777" marker-end="url(#tip)"/>'
    if label:
        side = "end" if label == "x" else "start"
        at = x - 5 if label == "x" else x + 5
        line += (
            f'<text x="{at:.1f}" y="{y - 6:.1f}" text-anchor="{side}" font-size="10" '
            f'fill="#777">{label}</text>'
        )
    return line


def _box(box: Box, centre: tuple[float, float]) -> str:
    (x, y), (w, h) = centre, size_of(box)
    fill, border = COLOURS[box.kind]
    parts = [
        f'<rect x="{x - w / 2:.1f}" y="{y - h / 2:.1f}" width="{w:.1f}" height="{h:.1f}" rx="6" '
        f'fill="{fill}" stroke="{border}"/>'
    ]
    top = y - h / 2 + 17
    for k, line in enumerate([box.title, *box.lines]):
        font = 'font-size="14" font-weight="bold"' if k == 0 else 'font-size="11"'
        colour = "#b0413e" if line.startswith("∂") else "#222"
        parts.append(
            f'<text x="{x:.1f}" y="{top + 14 * k:.1f}" text-anchor="middle" {font} '
            f'fill="{colour}">{html.escape(line)}</text>'
        )
    return "".join(parts)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
