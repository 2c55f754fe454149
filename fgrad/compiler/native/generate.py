"""Generating: a program with its kernels compiled, or the reasons why it has none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..passes import Options
from ..program import Program
from ..threads import allowed
from . import c, engine
from .engine import NativeRefused
from .kernels import Kernel
from .regions import Again, divided, reasons_in_words


@dataclass
class Generated:
    """What came of a program.

    Attributes:
        program: with kernels in it; as it was, if there are none.
        kernels: that were compiled.
        reasons: why operations were left to NumPy, and how many.
    """

    program: Program
    kernels: list[Kernel] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)

    def texts(self) -> list[str]:
        """The loops of each kernel, for reading, in C."""
        return [
            f"# ---- machine code {k}, as it would be in C\n{c.readable(kernel.loops)}"
            for k, kernel in enumerate(self.kernels)
        ]


def said(made: Sequence[Generated]) -> list[str]:
    """What a report says of the parts of a program: what is machine code, and why not more."""
    kernels = [k for g in made for k in g.kernels]
    reasons: Counter[str] = Counter()
    for g in made:
        reasons.update(g.reasons)
    count = sum(k.operations for k in kernels)
    lines = ["  machine code: none"]
    if kernels:
        took = 1e3 * sum(k.seconds for k in kernels)
        how = "read from the disk" if all(k.cached for k in kernels) else "compiled"
        lines = [
            f"  machine code: {count} operation{'s' * (count != 1)} in {len(kernels)} "
            f"kernel{'s' * (len(kernels) != 1)}, {how} in {took:.0f} ms, with "
            f"{sum(k.nbytes for k in kernels)} bytes of workspace"
        ]
    if reasons:
        lines.append(
            "  left to NumPy: " + "; ".join(f"{n} for {why}" for why, n in reasons.most_common())
        )
    return lines


def generate(program: Program, options: Options, again: Again) -> Generated:
    """Compile what can be compiled.

    Args:
        program: simplified with `native_options`.
        options: those; without ``reassociate``, only what gives NumPy's bits.
        again: makes the bodies of loops and branches anew, where these stay with NumPy.
    """
    why = engine.available()
    if why is not None:
        return Generated(program, reasons={why: len(program.nodes)})
    regions = divided(program, not options.reassociate, numpy_options(options), again)
    reasons = reasons_in_words(regions.reasons)
    try:
        for kernel in regions.kernels:
            kernel.compile(allowed(options.threads))
    except NativeRefused as error:
        return Generated(program, reasons={str(error): len(program.nodes)})
    return Generated(regions.program, [*regions.kernels, *regions.made], reasons)


def available() -> str | None:
    """Why there can be no machine code here; None if there can."""
    return engine.available()


def native_options(options: Options) -> Options:
    """Options for a program that is to be machine code: sums stay sums, no products with ones."""
    return replace(options, backend="native", without=options.without | {"sums"})


def numpy_options(options: Options) -> Options:
    """The same options without machine code."""
    if options.backend != "native":
        return options
    return replace(options, backend="numpy", without=options.without - {"sums"})
