"""`load_torch`: parameters that PyTorch has trained."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fgrad import tree
from fgrad.errors import ArgumentError, DtypeError, FileError, ShapeError, describe
from fgrad.tracebacks import boundary

from .tensors import as_array, read_tensors

Names = Mapping[str, str | None] | Callable[[str], str | None] | None
Transpose = bool | tuple[int, ...] | Mapping[str, bool | tuple[int, ...]] | None


@boundary
def load_torch(
    path: str | os.PathLike[str], like: Any, names: Names = None, transpose: Transpose = None
) -> Any:
    """Load a `state_dict` of PyTorch, saved by ``safetensors.torch.save_file``, into a model.

    Names are matched by themselves where they agree: "0.weight" of a ``Sequential`` is
    "0_dense.weight", or "0_conv.weight" or whatever is number 0, and the "weight" of a
    normalization is our "scale". A count of batches (``num_batches_tracked``) is left out.

    The axes of weights are brought in our order: (out, in) of ``Linear`` is (in, out) here, and
    (out, in, height, width) of convolutions is (height, width, in, out). Weights of embeddings
    stay. What a weight belongs to is told by the name of our layer ("0_dense", "1_embedding") or
    by its shape; where neither does, it is an error, and ``transpose`` must tell.

    Args:
        path: the file.
        like: the tree to be filled, with leaves of the right shapes and dtypes. For layers with
            state it may be ``{"params": params, "state": state}``.
        names: for names that differ: patterns of names in the file, and what they are in `like`,
            with dots. "*" stands for anything, and is the same on both sides; the first pattern
            that matches counts; None leaves tensors out. Or a function of a name in the file.
        transpose: whether the axes of a weight are those of PyTorch, to be turned round; or a
            tuple of axes as `np.transpose` takes; or a dict of these by patterns of paths in
            `like`. True for all that are no embeddings, such as ``{"tokens.*": False, "*": True}``.

    Returns:
        A tree like `like`, with its dtypes. A dtype that can hold all of the file's numbers is
        converted to.

    Raises:
        FileError: tensors that have no place in `like`, places without a tensor (the message
            lists them), or a file that is damaged or none of safetensors.
        ShapeError, DtypeError: a tensor doesn't fit its place.
        ArgumentError: the order of a weight's axes can't be told, or a pattern is none.
        OSError: the file can't be opened.
        MissingPackageError: the package safetensors isn't installed.
    """
    tensors, _ = read_tensors(path, "load_torch")
    places = {_dotted(where): i for i, (where, _) in enumerate(tree.leaves_with_path(like))}
    wanted, structure = tree.flatten(like)
    rename = _renaming(names)
    aliases = _aliases(places)
    chosen: dict[str, str] = {}
    unmatched: list[str] = []
    for name in tensors:
        new = rename(name)
        if new is None or (new == name and name.endswith("num_batches_tracked")):
            continue
        target = new if new in places else aliases.get(new)
        if target is None:
            unmatched.append(name if new == name else f"{name} (as {new})")
        elif target in chosen:
            raise FileError(
                "load_torch wants one tensor for each place.",
                f"{chosen[target]!r} and {name!r} for {target!r}",
                "tell them apart with names={...}",
            )
        else:
            chosen[target] = name
    missing = [place for place in places if place not in chosen]
    if unmatched or missing:
        raise FileError(
            "load_torch wants a tensor for each leaf of `like`, and a leaf for each tensor.",
            f"{path}: no place for {_some(unmatched)}; no tensor for {_some(missing)}",
            'map them with names={"theirs.*": "ours.*"}; None leaves a tensor out',
        )
    leaves = list(wanted)
    for place, i in places.items():
        x = as_array(tensors[chosen[place]], chosen[place])
        leaves[i] = _fit(x, wanted[i], place, chosen[place], transpose)
    return tree.unflatten(structure, leaves)


def _dotted(path: tuple[Any, ...]) -> str:
    return ".".join(str(getattr(step, "field", step.entry)) for step in path)


def _some(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:8])) or "nothing"
    return shown + (f" and {len(names) - 8} others" if len(names) > 8 else "")


def _renaming(names: Names) -> Callable[[str], str | None]:
    if names is None:
        return lambda name: name
    if not isinstance(names, Mapping):
        return names
    rules = [(_pattern(theirs), ours) for theirs, ours in names.items()]

    def rename(name: str) -> str | None:
        for pattern, ours in rules:
            match = pattern.fullmatch(name)
            if match and ours is None:
                return None
            if match and ours is not None:
                return _filled(ours, match.groups())
        return name

    return rename


def _filled(ours: str, parts: tuple[str, ...]) -> str:
    """A pattern with texts for its stars."""
    between = ours.split("*")
    pairs = itertools.zip_longest(between, parts[: len(between) - 1], fillvalue="")
    return "".join(text + part for text, part in pairs)


def _pattern(text: Any) -> re.Pattern[str]:
    if not isinstance(text, str):
        raise ArgumentError(
            "load_torch wants patterns of names, which are strings.",
            describe(text),
            'write such as {"features.*": "conv.*"}',
        )
    return re.compile("(.*)".join(map(re.escape, text.split("*"))))


def _aliases(places: Mapping[str, int]) -> dict[str, str]:
    """What PyTorch would call our paths, where that names one of them only."""
    found: dict[str, str | None] = {}
    for place in places:
        steps = place.split(".")
        numbered = [re.sub(r"^(\d+)_\w+$", r"\1", step) for step in steps]
        ends = {steps[-1]} | ({"weight"} if steps[-1] == "scale" else set())
        for alias in {".".join([*s[:-1], end]) for s in (steps, numbered) for end in ends}:
            found[alias] = None if alias in found else place
    return {alias: place for alias, place in found.items() if place is not None}


def _fit(x: Any, wanted: Any, place: str, name: str, transpose: Transpose) -> Any:
    shape, dtype = getattr(wanted, "shape", ()), np.dtype(getattr(wanted, "dtype", type(wanted)))
    axes = _axes(x, shape, place, name, transpose)
    new = np.transpose(x, axes)
    if new.shape != shape:
        turned = "" if axes == tuple(range(x.ndim)) else f", turned to {new.shape}"
        raise ShapeError(
            f"load_torch wants a tensor of shape {shape} for {place!r}.",
            f"{name!r}: {describe(x)}{turned}",
            "load into a model of the same sizes; transpose= says how axes are turned",
        )
    if not np.can_cast(x.dtype, dtype):
        raise DtypeError(
            f"load_torch wants numbers that {dtype} can hold for {place!r}.",
            f"{name!r}: {describe(x)}",
            f"make `like` with dtype={x.dtype}",
        )
    return np.ascontiguousarray(new, dtype=dtype).reshape(shape)


def _axes(x: Any, shape: Any, place: str, name: str, transpose: Transpose) -> tuple[int, ...]:
    """How the axes of a tensor are turned."""
    n = x.ndim
    same, turned = tuple(range(n)), (*range(2, n), 1, 0)
    if n < 2:
        return same
    if isinstance(transpose, Mapping):
        rules = ((_pattern(p), rule) for p, rule in transpose.items())
        choice = next((rule for p, rule in rules if p.fullmatch(place)), None)
    else:
        choice = transpose
    if isinstance(choice, tuple):
        if sorted(choice) != list(same):
            raise ArgumentError(
                f"load_torch wants each of {n} axes once.", f"{choice} for {name!r}",
                "write them as np.transpose wants them",
            )  # fmt: skip
        return choice
    if choice is not None:
        return turned if choice else same
    layer = place.split(".")[-2] if "." in place else ""
    kinds = {"embedding": same, "embedding_bag": same, "bilinear": (1, 2, 0)[:n]}
    kind = re.sub(r"^\d+_", "", layer)
    if kind in kinds:
        return kinds[kind]
    if re.fullmatch(r"dense|conv\w*|depthwise_conv|depthwise|pointwise", kind):
        return turned
    candidates = {same, turned} | ({(1, 2, 0)} if n == 3 else set())
    fitting = [a for a in candidates if tuple(x.shape[i] for i in a) == tuple(shape)]
    first, *others = (np.transpose(x, axes) for axes in fitting or [turned])
    if any(not np.array_equal(first, other) for other in others):
        raise ArgumentError(
            f"load_torch can't tell the order of the axes of {name!r} by its shape.",
            f"{describe(x)} for {place!r}",
            f"pass transpose={{{place!r}: True}} for dense layers and convolutions, False for "
            "embeddings",
        )
    return fitting[0] if fitting else turned
