"""`save` and `load`: any tree of numbers and arrays."""

from __future__ import annotations

import json
import os
import zlib
from typing import Any

from fgrad import tree
from fgrad.arrays import is_cupy
from fgrad.errors import ArgumentError, DtypeError, FileError, ShapeError, describe
from fgrad.tracebacks import boundary

from .atomic import write_atomically
from .containers import check_description, decode, decode_like, encode, place, place_of
from .tensors import INTACT, as_array, pack, pack_file, read_tensors, unpack

#: The key of the metadata that tells our files, and the version of their form.
MARK, VERSION = "fgrad", "1"


@boundary
def save(path: str | os.PathLike[str], tree: Any, metadata: dict[str, Any] | None = None) -> None:
    """Save a tree of numbers and arrays in a file in the format safetensors.

    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.safetensors"
    >>> save(path, {"w": np.ones((2, 2), np.float32), "rate": 0.1}, {"note": "first"})
    >>> load(path)
    {'w': array([[1., 1.],
           [1., 1.]], dtype=float32), 'rate': 0.1}

    The file has a tensor for each leaf, named by its path written with dots, and the structure of
    the tree as JSON among its metadata. It is written whole or not at all, and replaces what was
    there.

    Args:
        path: the file; ".safetensors" is the usual ending.
        tree: a pytree whose leaves are Python's numbers, NumPy's scalars, and arrays of booleans,
            integers, floating and complex numbers, NumPy's or CuPy's. Static fields of
            dataclasses aren't saved.
        metadata: what else to keep: a dict that JSON can hold; `load_metadata` reads it.

    Raises:
        DtypeError: a leaf, or the key of a dict, can't be saved; the message has its path.
        ArgumentError: the metadata can't be written as JSON.
        OSError: the file can't be written.
        MissingPackageError: the package safetensors isn't installed.
    """
    arrays: dict[str, Any] = {}

    def add(where: tuple[Any, ...], leaf: Any) -> dict[str, Any]:
        x, notes = pack(leaf, where)
        name = _name(where, arrays)
        arrays[name] = x
        return {"leaf": name, **notes}

    structure = json.dumps(encode(tree, add), separators=(",", ":"))
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict) or not _is_json(metadata):
        raise ArgumentError(
            "save wants metadata that JSON can hold: a dict of strings, numbers, lists and dicts.",
            describe(metadata),
            "save arrays in the tree; make tuples lists, and keys strings",
        )
    notes = json.dumps(metadata, separators=(",", ":"))
    marks = {MARK: VERSION, "tree": structure, "metadata": notes}
    marks["crc32"] = _check_sum(marks)
    write_atomically(path, [pack_file(arrays, marks)])


def _is_json(x: Any) -> bool:
    """Whether JSON gives back what it is: neither a tuple nor a NumPy float would be."""
    if type(x) is dict:
        return all(type(key) is str for key in x) and all(map(_is_json, x.values()))
    if type(x) is list:
        return all(map(_is_json, x))
    return x is None or type(x) in (str, bool, int, float)


def _name(path: tuple[Any, ...], taken: dict[str, Any]) -> str:
    """A name for a tensor: {"a.b": x, "a": {"b": y}} would otherwise have one twice."""
    name = base = ".".join(str(getattr(step, "field", step.entry)) for step in path) or "value"
    i = 1
    while name in taken or name == "__metadata__":
        i += 1
        name = f"{base}~{i}"
    return name


def _check_sum(marks: dict[str, str]) -> str:
    return str(zlib.crc32((marks["tree"] + marks.get("metadata", "")).encode()))


def _read(path: str | os.PathLike[str], who: str) -> tuple[Any, Any, dict[str, Any]]:
    """The tensors, the description of the tree and the user's metadata."""
    tensors, marks = read_tensors(path, who)
    if marks.get(MARK) != VERSION or "tree" not in marks:
        version = f"of version {marks[MARK]!r}" if MARK in marks else "without a tree"
        raise FileError(
            f"{who} wants a file that fgrad_nn.save has written.",
            f"{path}: a safetensors file {version}",
            "load_torch(path, like) reads those of other libraries; a newer fgrad newer ones",
        )
    try:
        if marks.get("crc32") != _check_sum(marks):
            raise ValueError("its description was changed")
        found, notes = json.loads(marks["tree"]), json.loads(marks["metadata"])
        check_description(found, set(tensors))
    except (ValueError, RecursionError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{who} wants an intact file.", f"{path}: {error}", INTACT) from error
    return tensors, found, notes


@boundary
def load(path: str | os.PathLike[str], like: Any = None) -> Any:
    """Load a tree that `save` has written.

    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.safetensors"
    >>> save(path, {"w": np.ones((2, 3))})
    >>> load(path, like={"w": np.zeros((3, 2))})
    Traceback (most recent call last):
    ...
    fgrad.errors.ShapeError: load wants leaves with the shapes and dtypes of those of `like`.
      It got: at ['w']: a float64 array of shape (2, 3) in the file, ... (3, 2) in like
      To do: load into the model that was saved, or leave like out

    Nothing in a file is executed. Each leaf comes back as what it was: a Python number, a NumPy
    scalar or a new array, with its dtype and its order in memory, and is compared with a check
    sum.

    Args:
        path: the file.
        like: a tree of the structure that was saved, whose leaves have the shapes and dtypes that
            are expected; `fgrad.eval_shape` makes one without numbers. It is needed for named
            tuples and registered classes, and gives dataclasses their static fields. Dicts are
            matched by key and take the order of `like`. A leaf goes to the device that its leaf
            of `like` is on.

    Raises:
        TreeError, ShapeError, DtypeError: the file doesn't fit `like`; the message has the path.
        FileError: the file is damaged, or `save` hasn't written it.
        OSError: it can't be opened.
        MissingPackageError: the package safetensors isn't installed.
    """
    tensors, found, _ = _read(path, "load")

    def leaf(notes: dict[str, Any], where: str) -> Any:
        where = f"{path}, {place_of(where)}"
        return unpack(as_array(tensors[notes["leaf"]], where), notes, where)

    def leaf_like(notes: dict[str, Any], where: tuple[Any, ...], wanted: Any) -> Any:
        x = leaf(notes, tree.path_str(where))
        check_leaf(
            x, wanted, where, "load", "load into the model that was saved, or leave like out"
        )
        return tree.to_device(x, wanted) if is_cupy(wanted) else x

    return decode(found, leaf) if like is None else decode_like(found, like, leaf_like)


def check_leaf(x: Any, wanted: Any, path: tuple[Any, ...], who: str, to_do: str) -> None:
    """Raise an error that names the place, unless shape and dtype are those of a leaf of `like`."""
    (shape, dtype), (s, d) = _form(x), _form(wanted)
    if shape != s or dtype != d:
        error: type[ShapeError | DtypeError] = ShapeError if shape != s else DtypeError
        raise error(
            f"{who} wants leaves with the shapes and dtypes of those of `like`.",
            f"{place(path)}: {describe(x)} in the file, {describe(wanted)} in like",
            to_do,
        )


def _form(x: Any) -> tuple[Any, Any]:
    """Shape and dtype; those that save gives to Python's numbers."""
    kinds = {bool: "bool", int: "int64", float: "float64", complex: "complex128"}
    dtype: Any = kinds.get(type(x)) or getattr(x, "dtype", None)
    dtype = dtype.newbyteorder("=") if hasattr(dtype, "newbyteorder") else dtype
    return tuple(getattr(x, "shape", ())), dtype


@boundary
def load_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the metadata that `save` was given; an empty dict if none.

    Raises:
        FileError: the file is damaged, or `save` hasn't written it.
    """
    notes: dict[str, Any] = _read(path, "load_metadata")[2]
    return notes
