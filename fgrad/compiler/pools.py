"""Pools: code that makes the arrays which a program keeps from call to call."""

from __future__ import annotations

from collections.abc import Sequence

from .buffers import memory
from .printing import Printer
from .scope import Scope


def maker(
    printer: Printer, lines: Sequence[str], scope: Scope, called: str
) -> tuple[list[str], str] | None:
    """The function that makes what these lines keep, and the names of that; None for nothing."""
    if not printer.buffers and not printer.views:
        return None
    text = "\n".join(lines)
    views = printer.views
    names = [*printer.buffers.values(), *views.values()]
    names = [n for n in names if n in text or n in " ".join(views)]
    scope.names["memory"] = memory
    out = [f"def {called}():", f"    arenas = memory({printer.plan.sizes})"]
    for (slot, shape, dtype, fortran, before), name in printer.buffers.items():
        bound = scope.bind(dtype, dtype.name)
        order = ", order='F'" if fortran else ""
        offset = f", {before}" if before or order else ""
        out.append(f"    {name} = ndarray({shape}, {bound}, arenas[{slot}]{offset}{order})")
    out += [f"    {name} = {expression}" for expression, name in views.items()]
    every = f"({', '.join(names)},)"
    out.append(f"    return {every}")
    return out, every
