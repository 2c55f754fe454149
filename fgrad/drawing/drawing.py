"""`draw`: the picture of a computation, for notebooks, talks and files."""

from __future__ import annotations

import html
import inspect
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import tree
from ..core import check_function
from ..errors import ArgumentError
from ..graph import Var
from ..tracebacks import boundary
from .arranging import Line, arranged
from .backward import add_way_back
from .boxes import COLOURS, LINES, MARGIN, size_of
from .calls import items, recorded
from .contents import joined, shape_of, slopes_of, summary, values_of
from .network import Box, Network, network_of
from .painting import paint

#: Of more boxes than this nobody can read the picture: then calls are boxes,
MANY = 40
#: so that there are at most so many operations and calls, where that can be.
FEW = 24


class Drawing:
    """A picture; notebooks show it, `save` writes it.

    Attributes:
        network: boxes and arrows.
    """

    def __init__(self, network: Network) -> None:
        self.network = network

    def __repr__(self) -> str:
        net = self.network
        back = f", and {len(net.twins)} boxes of the way back" if net.twins else ""
        return f"<drawing of {net.name}: {len(net.boxes)} boxes, {len(net.arrows)} arrows{back}>"

    def _repr_svg_(self) -> str:
        return self.svg()

    # ------------------------------------------------------------------ as text
    def svg(self) -> str:
        """The picture as SVG, by a layered layout of our own."""
        plan = arranged(self.network)
        width, height = plan.width + 2 * MARGIN, plan.height + 2 * MARGIN
        tips = [
            f'<marker id="{style}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            f'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
            for style, colour in LINES.items()
        ]
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="{-MARGIN:.0f} {-MARGIN:.0f} {width:.0f} {height:.0f}" '
            'font-family="Helvetica, Arial, sans-serif">',
            f"<title>{html.escape(self.network.name)}</title>",
            f"<defs>{''.join(tips)}</defs>",
            f'<rect x="{-MARGIN:.0f}" y="{-MARGIN:.0f}" width="{width:.0f}" '
            f'height="{height:.0f}" fill="white"/>',
        ]
        parts += [
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-size="16" fill="#777">'
            f"{text}</text>"
            for text, (x, y) in plan.headings
        ]
        parts += map(_line, plan.lines)
        parts += [_box(*placed) for placed in plan.boxes]
        return "\n".join([*parts, "</svg>"])

    def dot(self) -> str:
        """The picture in the DOT language of graphviz."""
        net = self.network
        lines = [
            "digraph {",
            '  node [shape=box, style="rounded,filled", fontname=Helvetica];',
            f'  edge [color="{LINES["forward"]}", fontname=Helvetica];',
        ]
        every = [*net.boxes, *net.twins.values()]
        number = {box: f"n{k}" for k, box in enumerate(every)}
        for box in every:
            fill, border = COLOURS[box.kind]
            label = _quoted("\n".join([box.title, *box.lines]))
            lines.append(f'  {number[box]} [label={label}, fillcolor="{fill}", color="{border}"];')
        for a, b, label in net.arrows:
            lines.append(f"  {number[a]} -> {number[b]} [label={_quoted(label)}];")
        for a, b in net.back:  # upwards, so that the rows are those of the way forward
            tip = f'dir=back, color="{LINES["back"]}"'
            lines.append(f"  {number[b]} -> {number[a]} [{tip}];")
        for box, twin in net.kept:
            look = f'style=dashed, arrowhead=none, constraint=false, color="{LINES["kept"]}"'
            lines.append(f"  {number[box]} -> {number[twin]} [{look}];")
        for box, twin in net.twins.items():
            lines.append(f"  {{ rank=same; {number[box]}; {number[twin]}; }}")
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
                paint(arranged(self.network), path)
        else:
            raise ArgumentError(
                "save wants a file that ends with .svg, .png, .pdf or .dot.",
                repr(str(path)),
                'write drawing.save("picture.svg")',
            )


@boundary
def draw(
    f: Callable[..., Any], *args: Any, grads: bool = False, backward: bool = False,
    values: bool = True, collapse: bool = True, depth: int | None = None, **kwargs: Any,
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
        backward: whether the way back is a part of the picture: beside each box stands the
            derivative by its value, with the operations that lead back from there; arrows point up,
            and dashed lines show which values of the way forward are kept for it.
        values: whether each box says its value: a number, or the range of an array's entries.
        collapse: whether operations that are repeated three times or more are one box, and what
            repeats a long stretch of them, such as the block of a transformer, a box below it; and
            whether calls of functions are boxes where there would be too many otherwise.
        depth: which calls are one box each: 1 for those that ``f`` makes, 2 for those made in them,
            and so on. Left out, none are, or so many as make the picture readable.

    Returns:
        A `Drawing`: notebooks show it, ``save("picture.svg")`` writes it.

    Raises:
        TracerConversionError: ``f`` asks for a value, as in ``if x > 0``.
    """
    check_function(f, "draw")
    graph = recorded(f, args, kwargs)
    leaves = tree.leaves((args, kwargs))
    names = _names(f, args, kwargs)
    env = values_of(graph, leaves)
    slopes = slopes_of(graph, leaves) if grads or backward else {}

    def lines(*some: Var) -> list[str]:
        out = [shape_of(v) for v in some if len(some) == 1]
        if values:
            out.append(summary(joined([env[v] for v in some])))
        moving = [slopes[v] for v in some if v in slopes]
        if moving and not backward:
            out.append(f"∂ {summary(joined(moving))}")
        return out

    def drawn(most: int | None = None) -> Network:
        return network_of(graph, names, lines, collapse, items(graph, depth, most))

    net = drawn()
    if collapse and depth is None and len(net.boxes) > MANY:
        net = drawn(FEW)
    if backward:
        add_way_back(net, env, slopes, values)
    return Drawing(net)


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
def _line(line: Line) -> str:
    (x, y), (u, v) = line.start, line.end
    path = f"M{x:.1f} {y:.1f}"
    for points in line.curves:
        path += " C" + " ".join(f"{p:.1f} {q:.1f}" for p, q in points)
    colour = LINES[line.style]
    look = 'stroke-dasharray="4 4"' if line.style == "kept" else f'marker-end="url(#{line.style})"'
    out = f'<path d="{path}" fill="none" stroke="{colour}" {look}/>'
    if line.label:
        side = "end" if line.label == "x" else "start"
        at = u - 5 if line.label == "x" else u + 5
        out += (
            f'<text x="{at:.1f}" y="{v - 6:.1f}" text-anchor="{side}" font-size="10" '
            f'fill="#777">{line.label}</text>'
        )
    return out


def _box(box: Box, centre: tuple[float, float], size: tuple[float, float]) -> str:
    (x, y), (w, h) = centre, size
    fill, border = COLOURS[box.kind]
    parts = [
        f'<rect x="{x - w / 2:.1f}" y="{y - h / 2:.1f}" width="{w:.1f}" height="{h:.1f}" rx="6" '
        f'fill="{fill}" stroke="{border}"/>'
    ]
    top = y - size_of(box)[1] / 2 + 17
    for k, line in enumerate([box.title, *box.lines]):
        font = 'font-size="14" font-weight="bold"' if k == 0 else 'font-size="11"'
        colour = "#b0413e" if k and line.startswith("∂") else "#222"
        parts.append(
            f'<text x="{x:.1f}" y="{top + 14 * k:.1f}" text-anchor="middle" {font} '
            f'fill="{colour}">{html.escape(line)}</text>'
        )
    return "".join(parts)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
