"""exp, log, sin and their like as machine code of our own, one number or a vector at a time.

A program calls the function of one number, `symbol`; `declarations` tells LLVM which functions of
2, 4, 8 or 16 numbers it may call instead, where it vectorises a loop. `library` has their text;
the engine compiles each once for a process, when a program first needs it, and they aren't inlined,
so programs stay small.
"""

from __future__ import annotations

from collections.abc import Iterable

from .circular import REDUCE, REDUCTION
from .functions import ARITY, FORMULAS
from .text import LLVM_TYPES, Body, Value

#: Lanes of the vectors, for each kind of number; as many as 128 to 512 bits hold.
LANES = {"f64": (2, 4, 8), "f32": (4, 8, 16)}
#: Bytes of a number.
SIZES = {"f64": 8, "f32": 4}


def symbol(name: str, kind: str, lanes: int = 1) -> str:
    """The name of a function in LLVM's language.

    Args:
        name: NumPy's name, such as ``"exp"`` or ``"power"``; SciPy's for ``"erf"``, ``"expit"``.
        kind: ``"f64"`` or ``"f32"``.
        lanes: the numbers that it takes at once.

    >>> symbol("exp", "f64"), symbol("exp", "f32", 16)
    ('fgrad_exp_f64', 'fgrad_exp_f32_v16')
    """
    return f"fgrad_{name}_{kind}" + (f"_v{lanes}" if lanes > 1 else "")


def is_symbol(text: str) -> bool:
    """Whether `library` defines a function of this name."""
    return text == REDUCE or any(
        text == symbol(name, kind, n)
        for name, kind in FORMULAS
        if text.startswith(symbol(name, kind))
        for n in (1, *LANES[kind])
    )


def declarations(used: Iterable[tuple[str, str]], width: int = 0) -> str:
    """The text that a module needs, once, for the pairs of name and kind that it calls.

    Args:
        used: the pairs.
        width: of the vectors, in bytes, whose functions are defined in the module, to be merged
            with its loops; 0 for none.
    """
    lines, kept, declared = [], [], set[str]()
    for name, kind in sorted(set(used)):
        variants = ",".join(
            f"_ZGV_LLVM_N{n}{'v' * ARITY[name]}_{symbol(name, kind)}({symbol(name, kind, n)})"
            for n in LANES[kind]
        )
        lines.append(
            f"{_head('declare', name, kind, 1)} nounwind willreturn speculatable memory(none) "
            f'"vector-function-abi-variant"="{variants}"'
        )
        for n in LANES[kind]:
            kept.append(f"ptr @{symbol(name, kind, n)}")
            if n * SIZES[kind] != width:
                lines.append(_head("declare", name, kind, n))
                continue
            text, more = _body(name, kind, n)
            declared |= more
            head = _head("define internal", name, kind, n, " %x{}")
            lines.append(f"{head} alwaysinline nounwind willreturn memory(none) {text}")
    if kept:
        lines.append(
            f"@llvm.compiler.used = appending global [{len(kept)} x ptr] [{', '.join(kept)}], "
            'section "llvm.metadata"'
        )
    return "\n".join([*sorted(declared), *lines]) + "\n"


def library(symbols: Iterable[str]) -> str:
    """A module that defines the functions of these names, for one number or for vectors."""
    wanted_all = set(symbols)
    declared: set[str] = set()
    texts = []
    for wanted in sorted(wanted_all - {REDUCE}):
        _, name, kind, *lanes = wanted.split("_")
        n = int(lanes[0][1:]) if lanes else 1
        text, more = _body(name, kind, n)
        declared |= more
        texts.append(f"{_head('define', name, kind, n, ' %x{}')} noinline {text}")
    if REDUCE in wanted_all:  # a module says once what a function is, by declaring or defining it
        lines = REDUCTION.splitlines()
        declared = {line for line in declared if REDUCE not in line}
        declared |= {line for line in lines if line.startswith("declare")}
        texts.append("\n".join(line for line in lines if line not in declared))
    return "\n".join([*sorted(declared), *texts]) + "\n"


def _body(name: str, kind: str, lanes: int) -> tuple[str, set[str]]:
    """What a function does, in braces, and the declarations that this needs."""
    body = Body(lanes)
    arguments = [Value(body, kind, f"%x{i}") for i in range(ARITY[name])]
    result = FORMULAS[name, kind](*arguments)
    lines = "\n  ".join([*body.first, *body.lines, f"ret {body.type(kind)} {result.text}"])
    return f"{{\n  {lines}\n}}", body.declared


def _head(verb: str, name: str, kind: str, lanes: int, argument: str = "") -> str:
    """The line that declares a function, or begins to define it."""
    scalar = LLVM_TYPES[kind]
    t = scalar if lanes == 1 else f"<{lanes} x {scalar}>"
    arguments = ", ".join(t + argument.format(i) for i in range(ARITY[name]))
    return f"{verb} {t} @{symbol(name, kind, lanes)}({arguments})"
