"""Arrays in files of other programs: IDX, the format of MNIST, and NumPy's npz."""

from __future__ import annotations

import gzip
import math
import struct
import zipfile
import zlib
from os import PathLike
from typing import Any

import numpy as np

from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, FileError
from fgrad.tracebacks import boundary

#: The third octet of an IDX file: http://yann.lecun.com/exdb/mnist, "the IDX file format".
IDX_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

#: NumPy's arrays have no more.
MOST_AXES = 64

#: So many octets are read at a time.
CHUNK = 1 << 24

_AGAIN = "fetch the file again"


@boundary
def read_idx(path: str | PathLike[str], *, mmap: bool = False) -> Any:
    r"""Read an array in the format of MNIST, compressed by gzip or not.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "labels-idx1-ubyte"
    >>> _ = path.write_bytes(b"\0\0\x08\x01" + b"\0\0\0\x03" + bytes([5, 0, 4]))
    >>> read_idx(path)
    array([5, 0, 4], dtype=uint8)

    Args:
        path: the file.
        mmap: whether to map a file that isn't compressed into memory, read-only, instead of
            reading it; its numbers then keep the file's order of octets.

    Returns:
        An array of the file's shape; its dtype is uint8, int8, int16, int32, float32 or float64.

    Raises:
        FileError: the file is none of that format, or shorter or longer than its header says.
        OSError: it can't be opened.
    """
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if packed and mmap:
        raise ArgumentError(
            "read_idx maps only files that aren't compressed.",
            f"{path}, compressed by gzip",
            "unpack it with gunzip, or leave mmap out",
        )
    with gzip.open(path, "rb") if packed else open(path, "rb") as file:
        try:
            dtype, shape, start = _idx_header(path, file)
            size = math.prod(shape) * dtype.itemsize
            if not mmap:
                # What is too long is seen and read no further; what a damaged header asks for is
                # not made room for.
                parts, left = [], size + 1
                while left and (part := file.read(min(left, CHUNK))):
                    parts.append(part)
                    left -= len(part)
                data = b"".join(parts)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise FileError("read_idx wants an intact file.", f"{path}: {error}", _AGAIN) from error
        if mmap:
            file.seek(0, 2)
            there = file.tell() - start
        else:
            there = len(data)
    if there != size:
        more = "more" if there > size else f"{there}"
        raise FileError(
            f"read_idx wants {size} octets of numbers behind the header, which says {shape}.",
            f"{path}: {more}",
            _AGAIN,
        )
    if mmap:
        return np.memmap(path, dtype, "r", start, shape) if size else np.zeros(shape, dtype)
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _idx_header(path: Any, file: Any) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    magic = file.read(4)
    known = len(magic) == 4 and magic[:2] == b"\0\0" and magic[2] in IDX_DTYPES
    if not known or not 1 <= magic[3] <= MOST_AXES:
        raise FileError(
            "read_idx wants a file that begins with 0, 0, a type and a number of axes.",
            f"{path}, which begins with {magic!r}",
            "pass a file in the IDX format, such as train-images-idx3-ubyte.gz",
        )
    lengths = file.read(4 * magic[3])
    if len(lengths) < 4 * magic[3]:
        raise FileError(
            f"read_idx wants {magic[3]} lengths of axes.", f"{path}, which ends before", _AGAIN
        )
    shape = struct.unpack(f">{magic[3]}I", lengths)
    return np.dtype(IDX_DTYPES[magic[2]]), shape, 4 + len(lengths)


@boundary
def read_npz(path: str | PathLike[str]) -> dict[str, Any]:
    """Read the arrays that `np.savez` has written.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "data.npz"
    >>> np.savez(path, x=np.zeros(2), y=np.ones(2))
    >>> read_npz(path)
    {'x': array([0., 0.]), 'y': array([1., 1.])}

    Nothing in the file is executed: arrays of objects, which would be, are refused.

    Returns:
        A dict of arrays by name.

    Raises:
        FileError: the file is damaged or of another format, or has arrays of objects.
        OSError: it can't be opened.
    """
    try:
        with open(path, "rb") as file:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.lib.npyio.NpzFile):
                arrays = {name: found[name] for name in found.files}
                for name, x in arrays.items():
                    if not is_a(x, np.ndarray):  # what isn't an array comes as octets
                        raise ValueError(f"{name!r} is no array")
                return arrays
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise FileError(
            "read_npz wants an intact npz file of arrays of numbers.",
            f"{path}: {error}",
            "write it with np.savez, without arrays of dtype object",
        ) from error
    raise FileError(
        "read_npz wants an npz file.",
        f"{path}, which holds a single array",
        'np.load(path, mmap_mode="r") reads that',
    )
