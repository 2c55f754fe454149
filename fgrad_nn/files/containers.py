"""The structure of a tree as JSON: what containers there are, and which tensor each leaf is."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

import numpy as np

from fgrad import tree
from fgrad.arrays import is_a
from fgrad.errors import DtypeError, FileError, TreeError, describe

#: Nodes that are built again without the help of `like`.
MAPPINGS: dict[str, Any] = {
    "dict": dict,
    "OrderedDict": OrderedDict,
    "FrozenDict": tree.FrozenDict,
}
SEQUENCES: dict[str, Any] = {"list": list, "tuple": tuple, "deque": deque}

#: Python's numbers; a file has them as arrays without axes.
NUMBERS: dict[str, Any] = {"bool": bool, "int": int, "float": float, "complex": complex}


def children(node: Any) -> tuple[list[Any], Any]:
    """The direct children of a node, and its own level of structure; a leaf is its only child."""
    level = tree.structure(node, is_leaf=lambda x: x is not node)
    return tree.leaves(node, is_leaf=lambda x: x is not node), level


def encode(node: Any, add: Any, path: tuple[Any, ...] = ()) -> Any:
    """Describe a tree as JSON.

    Args:
        node: the tree.
        add: called as ``add(path, leaf)``; it returns what describes a leaf.
        path: where the node is.

    Raises:
        DtypeError: the key of a dict is neither a string nor an integer.
    """
    parts, level = children(node)
    if level.is_leaf():
        return add(path, node)
    kind = level.type or type(None)
    steps = [accessor[0] for accessor in level.accessors()]
    inside = [encode(x, add, (*path, step)) for x, step in zip(parts, steps, strict=True)]
    if kind is type(None):
        return None
    out: dict[str, Any] = {"node": kind.__name__}
    if kind in SEQUENCES.values():
        if kind is deque and node.maxlen is not None:
            out["maxlen"] = node.maxlen
        return {**out, "items": inside}
    keys = list(level.entries())
    for key in keys:
        if type(key) not in (str, int):
            raise DtypeError(
                "save wants dicts whose keys are strings or integers.",
                f"the key {describe(key)} {place(path)}",
                "rename the keys, for example by str",
            )
    if kind not in MAPPINGS.values():
        out["class"] = f"{kind.__module__}.{kind.__qualname__}"
        keys = [getattr(step, "field", step.entry) for step in steps]
    return {**out, "keys": keys, "items": inside}


def decode(found: Any, leaf: Any, path: str = "") -> Any:
    """Build a tree of its description, without `like`.

    Raises:
        TreeError: it has a node that only `like` can make.
    """
    if found is None:
        return None
    if "leaf" in found:
        return leaf(found, path)
    kind, items = found["node"], found["items"]
    if "class" in found or kind not in (*MAPPINGS, *SEQUENCES):
        raise TreeError(
            "load without `like` makes lists, tuples, dicts and deques.",
            f"{place_of(path)}: a {found.get('class', kind)}",
            "pass like=, a tree of this structure, such as the one that init returns",
        )
    if kind in SEQUENCES:
        parts = [decode(x, leaf, f"{path}[{i}]") for i, x in enumerate(items)]
        return deque(parts, found.get("maxlen")) if kind == "deque" else SEQUENCES[kind](parts)
    pairs = zip(found["keys"], items, strict=True)
    return MAPPINGS[kind]((k, decode(x, leaf, f"{path}[{k!r}]")) for k, x in pairs)


def decode_like(found: Any, like: Any, leaf: Any, path: tuple[Any, ...] = ()) -> Any:
    """Build a tree of its description with the containers of `like`.

    Args:
        found: the description.
        like: a tree of the same structure.
        leaf: called as ``leaf(description, path, leaf of like)``.
        path: where it is.

    Raises:
        TreeError: the structures differ; it names the place.
    """
    parts, level = children(like)
    is_leaf = isinstance(found, dict) and "leaf" in found
    kind = level.type or type(None)
    if level.is_leaf() or is_leaf or found is None:
        if is_leaf and level.is_leaf():
            return leaf(found, path, like)
        if found is None and kind is type(None) and not level.is_leaf():
            return None
        raise different(
            path, say(found), describe(like) if level.is_leaf() else f"a {kind.__name__}"
        )
    if kind.__name__ != found["node"]:
        raise different(path, say(found), f"a {kind.__name__}")
    steps = [accessor[0] for accessor in level.accessors()]
    items = found["items"]
    if "keys" in found:
        named = kind not in MAPPINGS.values()
        keys = [getattr(s, "field", s.entry) if named else s.entry for s in steps]
        if set(keys) != set(found["keys"]) or len(keys) != len(found["keys"]):
            here = ", ".join(map(repr, found["keys"]))
            raise different(path, f"the keys {here}", f"the keys {', '.join(map(repr, keys))}")
        by_key = dict(zip(found["keys"], items, strict=True))
        items = [by_key[key] for key in keys]
    if len(items) != len(parts):
        raise different(path, say(found), f"a {kind.__name__} of {len(parts)} items")
    new = [
        decode_like(item, part, leaf, (*path, step))
        for item, part, step in zip(items, parts, steps, strict=True)
    ]
    return tree.unflatten(level, new)


def different(path: tuple[Any, ...], found: str, wanted: str) -> TreeError:
    """The error for a file of another structure."""
    return TreeError(
        "load wants a file with the structure of `like`.",
        f"{place(path)}: {found} in the file, {wanted} in like",
        "pass like= as what was saved, or leave it out to see what there is",
    )


def say(found: Any) -> str:
    """A part of a description in words."""
    if found is None:
        return "None"
    if "leaf" in found:
        return "an array or a number"
    n = len(found["items"])
    return f"a {found['node']} of {n} item{'s' * (n != 1)}"


def place(path: tuple[Any, ...]) -> str:
    """Where something is, in a message."""
    return place_of(tree.path_str(path))


def place_of(text: str) -> str:
    """The same, of a path that is a string."""
    return f"at {text}" if text else "at the root"


def check_description(found: Any, names: set[str]) -> None:
    """Refuse what `encode` can't have made.

    Raises:
        FileError: the description is malformed, or names a tensor that isn't there.
    """
    if found is None:
        return
    ok = isinstance(found, dict)
    if ok and "leaf" in found:
        ok = found["leaf"] in names and isinstance(found.get("kind"), str)
    elif ok:
        items, keys = found.get("items"), found.get("keys")
        ok = isinstance(items, list) and isinstance(found.get("node"), str)
        sequence = found.get("node") in SEQUENCES
        ok = ok and (sequence or (isinstance(keys, list) and len(keys) == len(items)))
        ok = ok and (keys is None or all(type(k) in (str, int) for k in keys))
        for item in items if ok else ():
            check_description(item, names)
    if not ok:
        raise FileError(
            "load wants the description of a tree in the file's metadata.",
            f"{str(found)[:80]!r}",
            "save the tree again; the file was changed",
        )


def number(kind: str, x: Any) -> Any:
    """A leaf as it was before it was saved: a Python number, a NumPy scalar, or an array."""
    if kind in NUMBERS:
        return NUMBERS[kind](x[()])
    return x[()] if kind == "scalar" else x


def kind_of(x: Any) -> str:
    """What `number` needs to know."""
    if type(x) in NUMBERS.values():
        return type(x).__name__
    return "scalar" if is_a(x, np.generic) else "array"
