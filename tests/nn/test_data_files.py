"""Readers: what is in the file comes out, and what isn't right is refused with its place."""

from __future__ import annotations

import gzip
import pickle
import struct
import zipfile

import numpy as np
import pytest

from fgrad.errors import ArgumentError, FileError
from fgrad_nn.data import read_csv, read_idx, read_npz

TEXT = "a, b ,kind\n1,2.5,0\n\n-3e2,+.5,2\n"


def write(folder, content, name="file"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# ------------------------------------------------------------------ CSV
@pytest.mark.parametrize("pack", [lambda b: b, gzip.compress], ids=["plain", "gzip"])
def test_csv(tmp_path, pack):
    path = write(tmp_path, pack(b"\xef\xbb\xbf" + TEXT.encode()))
    table = read_csv(path)
    assert table.names == ("a", "b", "kind")
    assert table.labels is None
    assert np.array_equal(table.features, [[1, 2.5, 0], [-300, 0.5, 2]])
    for label in ("kind", 2, -1):
        table = read_csv(path, label=label, dtype=np.float32)
        assert table.names == ("a", "b")
        assert table.features.dtype == np.float32
        assert np.array_equal(table.labels, [0, 2])
        assert table.labels.dtype == np.int64
    table = read_csv(path, label="kind", columns=["b", 0], label_dtype=str)
    assert table.names == ("b", "a")
    assert np.array_equal(table.features, [[2.5, 1], [0.5, -300]])
    assert list(table.labels) == ["0", "2"]


def test_csv_without_header_and_with_missing_numbers(tmp_path):
    path = write(tmp_path, '1;"2"\r\n;NA\r\n')
    table = read_csv(path, header=False, delimiter=";", missing=np.nan)
    assert np.array_equal(table.features, [[1, 2], [np.nan, np.nan]], equal_nan=True)
    assert table.names == ()
    whole = read_csv(path, header=False, delimiter=";", missing=-1, dtype=np.int8)
    assert np.array_equal(whole.features, [[1, 2], [-1, -1]])
    assert whole.features.dtype == np.int8


def test_a_written_table_is_read_back(tmp_path):
    x = np.random.default_rng(0).normal(size=(50, 3)) * 10.0 ** np.arange(-30, 60, 30)
    path = write(tmp_path, "\n".join(",".join(map(repr, row)) for row in x.tolist()))
    assert np.array_equal(read_csv(path, header=False).features, x)


@pytest.mark.parametrize(
    ("text", "options", "wanted"),
    [
        ("a,b\n1,2\n\n1\n", {}, "2 fields.*line 4: 1 fields.*delimiter="),
        ("a,b\n1,2\n1,x\n", {}, r"a number in the range.*line 3: 'x' in column 1 \('b'\)"),
        ("a,b\n1,\n", {}, r"line 2: '' in column 1.*missing=np.nan"),
        ("a,b\n1,nan\n", {}, r"line 2: 'nan' in column 1.*missing=np.nan"),
        ("a,b\n1,1_0\n", {}, "line 2: '1_0'"),
        ("a,b\n1,inf\n", {}, "line 2: 'inf'"),
        ("a,b\n1,1e39\n", {"dtype": np.float32}, "range of float32.*line 2: '1e39'"),
        ("a,b\n1,300\n", {"dtype": np.uint8}, "an integer in the range of uint8.*'300'"),
        ("a,b\n1,1.0\n", {"label": "b"}, "an integer in the range of int64.*'1.0'"),
        ("a,b\n1,\n", {"dtype": int, "missing": np.nan}, "an integer for empty fields, not nan"),
        ("1,2\n3,4\n", {}, "wants names.*line 1: numbers only.*header=False"),
        ("a,a\n3,4\n", {}, "different names.*'a' twice"),
        ("a,b\n", {}, "a file with rows.*no lines below the header"),
        ("", {"header": False}, "a file with rows.*no lines"),
        (b"a\n\xff\n", {}, "a text in UTF-8.*UnicodeDecodeError"),
        ('a\n"1\n', {}, "unexpected end of data"),
        (gzip.compress(TEXT.encode(), mtime=0)[:-9], {}, "EOFError"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused_with_its_line(tmp_path, text, options, wanted):
    path = write(tmp_path, text)
    with pytest.raises(FileError, match=f"(?s){wanted}") as info:
        read_csv(path, **options)
    assert str(path) in str(info.value)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"label": "c"}, "a column that the file has, not 'c'.*'a', 'b', 'kind'"),
        ({"label": 3}, "not 3"),
        ({"columns": ["a", "z"]}, "not 'z'"),
        ({"delimiter": ";;"}, "a single character as delimiter.*';;'"),
        ({"delimiter": None}, "a single character as delimiter"),
        ({"dtype": complex}, "real numbers as dtype.*complex"),
        ({"dtype": str}, "real numbers as dtype"),
        ({"label_dtype": bool}, "real numbers as label_dtype"),
        ({"dtype": "nonsense"}, "real numbers as dtype.*nonsense"),
    ],
)
def test_columns_and_dtypes_are_checked(tmp_path, options, wanted):
    with pytest.raises(ArgumentError, match=f"(?s){wanted}"):
        read_csv(write(tmp_path, TEXT), **options)


def test_a_missing_file_is_pythons_error(tmp_path):
    for read in (read_csv, read_idx, read_npz):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "nowhere")


# ------------------------------------------------------------------ IDX
CODES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def idx(code, x):
    head = bytes([0, 0, code, x.ndim]) + struct.pack(f">{x.ndim}I", *x.shape)
    return head + x.astype(CODES[code]).tobytes()


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [(7,), (3, 4, 5), (0, 2)])
def test_idx(tmp_path, code, shape):
    x = np.random.default_rng(0).integers(-100, 100, shape).astype(CODES[code])
    plain = write(tmp_path, idx(code, x))
    packed = write(tmp_path, gzip.compress(idx(code, x)), "packed")
    for found in (read_idx(plain), read_idx(packed), read_idx(plain, mmap=True)):
        assert np.array_equal(found, x)
        assert found.dtype.newbyteorder("=") == np.dtype(CODES[code]).newbyteorder("=")
    assert read_idx(packed).dtype.isnative
    assert read_idx(packed).flags.writeable
    assert x.size == 0 or isinstance(read_idx(plain, mmap=True), np.memmap)


GOOD = idx(8, np.arange(12).reshape(3, 4))


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"", "begins with b''"),
        (b"\0\0\x08", "begins with"),
        (b"\x89PNG" + GOOD, "begins with b'.x89PNG'"),
        (b"\0\0\x07\x01" + GOOD, "a type and a number of axes"),
        (b"\0\0\x08\x00" + GOOD, "a type and a number of axes"),
        (b"\0\0\x08\xff" + b"\0" * 1020, "a type and a number of axes"),
        (GOOD[:9], "2 lengths of axes.*ends before"),
        (GOOD[:-1], r"12 octets of numbers.*\(3, 4\).*: 11"),
        (GOOD + b"\0", r"12 octets.*more"),
        (b"\0\0\x08\x03" + b"\xff" * 12, r"octets of numbers.*4294967295.*: 0"),
    ],
)
def test_a_damaged_idx_file_is_refused(tmp_path, content, wanted, mmap):
    with pytest.raises(FileError, match=f"(?s){wanted}"):
        read_idx(write(tmp_path, content), mmap=mmap)


def test_a_damaged_gzip_file_is_refused(tmp_path):
    packed = gzip.compress(GOOD)
    for content in (packed[:-9], packed[:15], packed[:12] + b"\xff\xff" + packed[14:]):
        with pytest.raises(FileError, match=r"(?s)intact file|octets"):
            read_idx(write(tmp_path, content))
    with pytest.raises(ArgumentError, match=r"(?s)maps only.*gunzip"):
        read_idx(write(tmp_path, packed), mmap=True)


# ------------------------------------------------------------------ npz
def test_npz(tmp_path):
    arrays = {"x": np.arange(6).reshape(2, 3), "y": np.array([True, False])}
    for i, save in enumerate((np.savez, np.savez_compressed)):
        save(tmp_path / f"{i}.npz", **arrays)
        found = read_npz(tmp_path / f"{i}.npz")
        assert list(found) == list(arrays)
        assert all(np.array_equal(found[name], arrays[name]) for name in arrays)


def test_a_wrong_npz_file_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.array([print, 1], object))
    with pytest.raises(FileError, match=r"(?s)intact npz file.*without arrays of dtype object"):
        read_npz(path)
    np.savez(path, x=np.arange(100))
    content = path.read_bytes()
    for wrong in (b"", content[:-30], content[:200] + b"\xff" + content[201:], b"\x80\x04."):
        with pytest.raises(FileError, match="intact npz file"):
            read_npz(write(tmp_path, wrong))
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as file:
        file.writestr("x.npy", pickle.dumps(print))
    with pytest.raises(FileError, match=r"(?s)intact npz file.*'x' is no array"):
        read_npz(tmp_path / "c.npz")
    np.save(tmp_path / "b.npy", np.arange(3))
    with pytest.raises(FileError, match=r"(?s)a single array.*mmap_mode"):
        read_npz(tmp_path / "b.npy")
