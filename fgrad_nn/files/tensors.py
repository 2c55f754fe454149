"""Arrays as safetensors has them, and back: bit for bit, in the order they had in memory."""

from __future__ import annotations

import json
import os
import zlib
from typing import Any

import numpy as np

from fgrad import tree
from fgrad.arrays import is_a, is_cupy
from fgrad.errors import DtypeError, FileError, describe

from ..extras import extra
from .containers import kind_of, number, place

#: What safetensors calls the dtypes that we read; BF16, which NumPy lacks, is read as float32.
DTYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
    "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "C64": "<c8",
    "BF16": "<u2",
}  # fmt: skip

INTACT = "fetch or save the file again; a backup may have it intact"


def pack(x: Any, path: tuple[Any, ...]) -> tuple[Any, dict[str, Any]]:
    """A leaf as a contiguous array of a dtype that files have, and notes on how to make it of that.

    Complex numbers become pairs, so that every reader can do with them. An array whose axes lie
    in memory in another order than C's is noted: products of matrices in another order can differ
    in their last bits, and training that goes on from a file must not.

    Raises:
        DtypeError: files have no such numbers.
    """
    wanted = "save wants leaves that are numbers, or arrays of them."
    notes: dict[str, Any] = {"kind": kind_of(x)}
    x = tree.to_host(x) if is_cupy(x) else x
    if type(x) in (bool, int, float, complex):
        if type(x) is int and not -(2**63) <= x < 2**63:
            came, to_do = f"{place(path)}: {x}", "integers have 64 bits; keep larger ones as floats"
            raise DtypeError(wanted, came, to_do)
        x = np.array(x, np.int64 if type(x) is int else None)
    plain = type(x) is np.ndarray or is_a(x, (np.generic, np.memmap))
    if not plain or x.dtype.kind not in "biufc" or x.dtype.itemsize > (16, 8)[x.dtype.kind != "c"]:
        to_do = "leave it out, or convert it: a list by np.array"
        raise DtypeError(wanted, f"{place(path)}: {describe(x)}", to_do)
    x = np.asarray(x)
    order = sorted(range(x.ndim), key=lambda i: -abs(x.strides[i]))
    if x.size and order != list(range(x.ndim)) and not x.flags.c_contiguous:
        notes["order"] = order
    x = np.ascontiguousarray(x.astype(x.dtype.newbyteorder("="), copy=False)).reshape(x.shape)
    if x.dtype.kind == "c":
        notes["complex"] = True
        x = x.reshape(-1).view(x.real.dtype).reshape(*x.shape, 2)
    notes["crc32"] = check_sum(x)
    return x, notes


def check_sum(x: Any) -> int:
    """A check sum of a contiguous array's dtype, shape and numbers."""
    form = zlib.crc32(repr((x.dtype.str, x.shape)).encode())
    return zlib.crc32(x.reshape(-1).view(np.uint8), form)


def unpack(x: Any, notes: dict[str, Any], where: str) -> Any:
    """The leaf that `pack` had.

    Raises:
        FileError: the numbers are not those that were saved, or the notes don't fit.
    """
    if check_sum(x) != notes.get("crc32"):
        raise FileError("load wants an intact file.", f"{where}: numbers that were changed", INTACT)
    try:
        if notes.get("complex"):
            x = x.reshape(-1).view(f"c{2 * x.dtype.itemsize}").reshape(x.shape[:-1])
        if "order" in notes:
            order = notes["order"]
            x = np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))
        return number(notes["kind"], x)
    except (TypeError, ValueError) as error:
        raise FileError("load wants an intact file.", f"{where}: {error}", INTACT) from error


def pack_file(arrays: dict[str, Any], metadata: dict[str, str]) -> bytes:
    """The octets of a file."""
    return extra("safetensors.numpy", "save").save(arrays, metadata)


def read_tensors(
    path: str | os.PathLike[str], who: str
) -> tuple[dict[str, tuple[str, tuple[int, ...], Any]], dict[str, str]]:
    """What a safetensors file holds: (dtype, shape, octets) by name, and its metadata.

    Raises:
        FileError: it is damaged, or of another format.
        OSError: it can't be opened.
    """
    safetensors = extra("safetensors", who)
    with open(path, "rb") as file:
        data = file.read()
    try:
        tensors = safetensors.deserialize(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (safetensors.SafetensorError, ValueError, RecursionError) as error:
        hint = "a pickle, which could execute anything" if data[:1] == b"\x80" else f"{error}"
        hint = "a zip archive, such as torch.save and np.savez write" if data[:2] == b"PK" else hint
        raise FileError(
            f"{who} wants an intact safetensors file.",
            f"{path}, of {len(data)} octets: {hint}",
            "pass what save, or safetensors' save_file, has written",
        ) from error
    found = {
        name: (x["dtype"], tuple(x["shape"]), x["data"])
        for name, x in sorted(tensors, key=lambda t: t[0])
    }
    return found, header.get("__metadata__", {})


def as_array(tensor: tuple[str, tuple[int, ...], Any], where: str) -> Any:
    """A new array of what `read_tensors` has found.

    Raises:
        FileError: NumPy has no such dtype, or no such shape.
    """
    name, shape, data = tensor
    if name not in DTYPES:
        raise FileError(
            f"NumPy has dtypes for {', '.join(DTYPES)}.",
            f"{where}: {name}",
            "convert the tensor in the library that wrote it, for example to float32",
        )
    try:
        x = np.frombuffer(data, DTYPES[name]).reshape(shape)
    except ValueError as error:  # too many axes, or too long ones beside one of length 0
        raise FileError(
            "NumPy has arrays of at most 64 axes, whose lengths are 64-bit numbers.",
            f"{where}: {len(shape)} axes, of lengths {str(shape)[:80]}",
            "reshape the tensor in the library that wrote it",
        ) from error
    if name == "BF16":  # the upper half of a float32
        return (x.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return x.astype(x.dtype.newbyteorder("="))
