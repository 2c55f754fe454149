"""Parameters named by patterns of their paths: `"*.bias"`, `"layers.0.*"`.

The path of a leaf is written with dots: keys, indices and fields, from the root on. Patterns are
those of a shell (`*`, `?`, `[abc]`); `*` also matches dots, and a pattern that begins with `*.`
matches at the root, too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from fgrad import tree
from fgrad.errors import ArgumentError, describe
from fgrad.tracebacks import boundary

from .records import PyTree


def dotted(path: Any) -> str:
    """The path of a leaf as patterns see it."""
    return ".".join(str(getattr(step, "entry", step)) for step in path)


def _matches(pattern: str, path: str) -> bool:
    return fnmatchcase(path, pattern) or fnmatchcase(f".{path}", pattern)


@functools.lru_cache(maxsize=256)
def first_match(patterns: tuple[str, ...], structure: Any) -> tuple[int, ...]:
    """The number of the first pattern that each leaf of a structure matches; -1 for none.

    Raises:
        ArgumentError: a pattern matches no leaf, which is most likely a typing error.
    """
    paths = [dotted(path) for path in structure.accessors()]
    for pattern in patterns:
        if pattern != "*" and not any(_matches(pattern, path) for path in paths):
            raise ArgumentError(
                "Each pattern must match the path of a parameter.",
                f"{pattern!r}, where the paths are {', '.join(map(repr, paths[:8]))}"
                + (f" and {len(paths) - 8} others" if len(paths) > 8 else ""),
                "correct the pattern, or leave it out",
            )
    return tuple(
        next((i for i, pattern in enumerate(patterns) if _matches(pattern, path)), -1)
        for path in paths
    )


def check_patterns(patterns: Sequence[Any]) -> tuple[str, ...]:
    """Refuse what is no pattern.

    Raises:
        ArgumentError: there are none, or one is no string.
    """
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise ArgumentError(
                "A pattern of paths must be a string.", describe(pattern), "write such as '*.bias'"
            )
    if not patterns:
        raise ArgumentError("Patterns of paths are wanted.", "none", "pass at least one")
    return tuple(patterns)


@boundary
def match_paths(*patterns: str) -> Callable[[PyTree], PyTree]:
    """Make a mask: a function that says for each leaf of a tree whether its path matches.

    >>> mask = match_paths("*.bias", "norm.*")
    >>> mask({"dense": {"w": 1.0, "bias": 2.0}, "norm": {"scale": 3.0}})
    {'dense': {'w': False, 'bias': True}, 'norm': {'scale': True}}

    Args:
        *patterns: those of a shell, for paths with dots.

    Returns:
        A function of a tree, for the arguments `mask` of :func:`masked`, :func:`freeze`,
        :func:`adamw` and their like.

    Raises:
        ArgumentError: a pattern is no string; from the mask, a pattern matches nothing.
    """
    checked = check_patterns(patterns)

    def mask(params: PyTree) -> PyTree:
        structure = tree.structure(params)
        return structure.unflatten([i >= 0 for i in first_match(checked, structure)])

    return mask


@boundary
def label_paths(labels: Mapping[str, Any]) -> Callable[[PyTree], PyTree]:
    """Make labels for :func:`partition`: each leaf gets that of the first pattern it matches.

    >>> labels = label_paths({"*.bias": "slow", "*": "fast"})
    >>> labels({"w": 1.0, "bias": 2.0})
    {'w': 'fast', 'bias': 'slow'}

    Args:
        labels: a label for each pattern; the order counts.

    Raises:
        ArgumentError: a pattern is no string; from the function, a pattern matches nothing, or a
            leaf matches no pattern.
    """
    patterns, names = check_patterns(tuple(labels)), tuple(labels.values())

    def label(params: PyTree) -> PyTree:
        structure = tree.structure(params)
        return structure.unflatten([names[i] for i in match_all(patterns, structure)])

    return label


def match_all(patterns: tuple[str, ...], structure: Any) -> tuple[int, ...]:
    """Like `first_match`, where every leaf must match.

    Raises:
        ArgumentError: a leaf matches no pattern.
    """
    found = first_match(patterns, structure)
    if -1 in found:
        path = dotted(structure.accessors()[found.index(-1)])
        raise ArgumentError(
            "Each parameter must match a pattern.",
            f"the path {path!r}, where the patterns are {', '.join(map(repr, patterns))}",
            "add '*' as the last pattern, for all that are left",
        )
    return found
