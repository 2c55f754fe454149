"""Reports: what was compiled, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from ..arrays import is_a, ndarray
from ..errors import describe, name_of
from .native import said
from .paths import Segment
from .signature import Signature
from .specs import Spec


def reason(specs: Sequence[Spec], signature: Signature) -> str:
    """Why a program is made for a call, though there are others."""
    if not specs:
        return "the first call"
    old = specs[-1].signature
    mine, theirs = signature.unpacker.leaves, old.unpacker.leaves
    places = {r.id: r for r in old.places}
    for read in signature.places:
        before = places.get(read.id)
        if before is not None and before.value is not read.value:
            return f"{read.kind} {read.name}, which was rebound to another object"
    inside = {id(x): before for x, before, _ in old.contents}
    for x, now, _ in signature.contents:
        if id(x) in inside and inside[id(x)] != now:
            what = describe(x) if is_a(x, ndarray) else f"a {type(x).__name__}"
            return f"{what} that the function reads, whose contents have changed"
    for (name, x), (other, y) in zip(signature.fixed, old.fixed, strict=False):
        if name == other and (type(x) is not type(y) or (x is not y and x != y)):
            return f"static argument {name}: {x!r}, after {y!r}"
    if [leaf.path for leaf in mine] != [leaf.path for leaf in theirs]:
        return "another structure of the arguments"
    for a, b in zip(mine, theirs, strict=True):
        if a.said != b.said:
            return f"{a.path}: {a.said}, after {b.said}"
    return "another value that is no array"


def source(spec: Spec) -> str:
    """The code of all paths."""
    parts = []
    for number, (path, segment) in enumerate(segments(spec.root)):
        if number:
            parts.append(f"# ---- after the answers {path}")
        parts.append(segment.source)
        if segment.native is not None:
            parts += segment.native.texts()
    return "\n".join(parts)


def segments(segment: Segment, path: str = "") -> Iterator[tuple[str, Segment]]:
    """A segment and those that follow, with the answers that lead to them."""
    yield path.strip(), segment
    for answer, child in segment.children.items():
        yield from segments(child, f"{path} {answer}")


def text(f: Any, specs: Sequence[Spec], misses: Sequence[str]) -> str:
    """All programs of a function."""
    lines = [f"{name_of(f)}: {len(specs)} program{'s' * (len(specs) != 1)}"]
    for k, (spec, why) in enumerate(zip(specs, misses[len(misses) - len(specs) :], strict=True)):
        leaves = ", ".join(f"{x.path}: {x.said}" for x in spec.signature.leaves)
        lines += [f"program {k}, made for {why}", f"  inputs: {leaves or 'none'}"]
        every = [s for _, s in segments(spec.root)]
        before, after = sum(s.before for s in every), sum(s.after for s in every)
        lines.append(f"  operations: {before}, simplified to {after}")
        taken: Counter[str] = Counter()
        for s in every:
            taken.update(s.taken)
        rules = ", ".join(f"{name} {n}" for name, n in taken.most_common())
        lines.append(f"  rules that took: {rules or 'none'}")
        lines.append(f"  buffers: {sum(s.nbytes for s in every)} bytes")
        if spec.paths > 1 or spec.root.guard is not None:
            more = ", and no more will be compiled" if spec.full else ""
            lines.append(f"  paths through truth values: {spec.paths}{more}")
        made = [s.native for s in every if s.native is not None]
        lines += said(made) if made else []
        if spec.auto is not None:
            lines.append(f"  auto: {spec.auto.said}")
        if not spec.options.reassociate:
            lines.append("  last bits are kept")
    return "\n".join(lines)
