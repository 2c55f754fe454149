"""Tables of numbers in text files."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, FileError, describe
from fgrad.tracebacks import boundary

#: Fields, in small letters, that stand for a missing number.
MISSING = ("", "na", "nan")


class Table(NamedTuple):
    """What `read_csv` returns."""

    features: Any
    """An array of shape (rows, columns)."""
    labels: Any
    """An array of shape (rows,), or None."""
    names: tuple[str, ...]
    """The names of the columns of `features`; empty if the file has none."""


@boundary
def read_csv(
    path: str | PathLike[str], *, label: str | int | None = None, header: bool = True,
    columns: Sequence[str | int] | None = None, dtype: Any = np.float64,
    label_dtype: Any = np.int64, delimiter: str = ",", missing: float | None = None,
) -> Table:  # fmt: skip
    r"""Read a table of numbers.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "iris.csv"
    >>> _ = path.write_text("length,width,kind\n5.1,3.5,0\n6.2,2.9,1\n")
    >>> read_csv(path, label="kind")
    Table(features=array([[5.1, 3.5],
           [6.2, 2.9]]), labels=array([0, 1]), names=('length', 'width'))

    Args:
        path: a file in UTF-8, compressed by gzip or not. Empty lines are skipped.
        label: the name or number of the column of labels, from 0, from the end if negative; it is
            not among the features.
        header: whether the first line has the names of the columns.
        columns: the names or numbers of the features, in their order; all if it isn't given.
        dtype: that of the features, a floating or integer one.
        label_dtype: that of the labels; ``str`` for words.
        delimiter: what stands between two fields.
        missing: the number for a field that is empty, "nan" or "NA", for example ``np.nan``;
            without it these are errors.

    Raises:
        FileError: a line has too few or too many fields, or one that isn't a number of the dtype,
            or the file isn't text, or has no rows; with the number of the line.
        ArgumentError: there is no such column, or a dtype is none that numbers have.
        OSError: the file can't be opened.
    """
    parse, parse_label = _parser(dtype, "dtype"), _parser(label_dtype, "label_dtype")
    with _text(path) as text:
        names, width, lines = _head(path, _rows(path, text, delimiter), header)
        at = None if label is None else _column(label, names, width)
        chosen = [i for i in range(width) if i != at]
        if columns is not None:
            chosen = [_column(which, names, width) for which in columns]
        features: list[list[Any]] = []
        labels: list[Any] = []
        for number, row in lines:
            if len(row) != width:
                raise _error(path, number, f"{width} fields", f"{len(row)} fields")
            read = _Line(path, number, row, names, missing)
            features.append([read(i, parse) for i in chosen])
            if at is not None:
                labels.append(read(at, parse_label))
    if not features:
        raise FileError(
            "read_csv wants a file with rows.",
            f"{path}: no lines" + (" below the header" if header else ""),
            "check the file; header=False if its first line has numbers",
        )
    return Table(
        np.array(features, dtype).reshape(len(features), len(chosen)),
        None if at is None else np.array(labels, label_dtype),
        tuple(names[i] for i in chosen) if names else (),
    )


Lines = Iterator[tuple[int, list[str]]]
Parse = Callable[[str, float | None], Any]


class _Line(NamedTuple):
    """A line of the file: call it with a column and how to read it."""

    path: Any
    number: int
    row: list[str]
    names: tuple[str, ...]
    missing: float | None

    def __call__(self, column: int, parse: Parse) -> Any:
        text = self.row[column].strip()
        try:
            return parse(text, self.missing)
        except ValueError as error:
            name = f" ({self.names[column]!r})" if self.names else ""
            came = f"{text!r} in column {column}{name}"
            to_do = "correct the line, or leave the column out with columns=[...]"
            if text.lower() in MISSING:
                to_do = "fill the field in, or pass missing=np.nan"
            raise _error(self.path, self.number, str(error), came, to_do) from None


def _error(path: Any, line: int, wanted: str, came: str, to_do: str = "") -> FileError:
    return FileError(
        f"read_csv wants {wanted}.",
        f"{path}, line {line}: {came}",
        to_do or "correct the line; delimiter= says what separates fields",
    )


def _parser(dtype: Any, name: str) -> Parse:
    """How a field becomes a number of a dtype; it raises ValueError, saying what it wants."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found.kind not in ("fiuU" if name == "label_dtype" else "fiu"):
        raise ArgumentError(
            f"read_csv wants a dtype of real numbers as {name}.",
            f"{dtype!r}",
            "pass np.float64, or np.int64; label_dtype=str for words",
        )
    if found.kind == "U":
        return lambda text, missing: text
    whole = found.kind in "iu"
    wanted = f"{'an integer' if whole else 'a number'} in the range of {found}"
    greatest = np.iinfo(found).max if whole else float(np.finfo(found).max)
    least = np.iinfo(found).min if whole else -greatest

    def parse(text: str, missing: float | None) -> Any:
        if missing is not None and text.lower() in MISSING:
            if whole and not float(missing).is_integer():
                raise ValueError(f"an integer for empty fields, not {missing}")
            return int(missing) if whole else missing
        if "_" not in text:  # which Python reads in numbers, and tables don't have
            with contextlib.suppress(ValueError):
                value = int(text) if whole else float(text)
                if least <= value <= greatest:
                    return value
        raise ValueError(wanted)

    return parse


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _text(path: Any) -> io.TextIOWrapper:
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    raw: Any = gzip.open(path, "rb") if packed else open(path, "rb")  # noqa: SIM115 - see below
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")  # closes the file in it


def _rows(path: Any, text: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that aren't empty, with their numbers."""
    try:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            "read_csv wants a single character as delimiter.", describe(delimiter),
            'pass ";" or "\\t", for example',
        ) from error  # fmt: skip
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except (csv.Error, UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
            came = f"{type(error).__name__}: {error}"
            raise _error(path, reader.line_num + 1, "a text in UTF-8", came) from error
        if any(item.strip() for item in row):
            yield reader.line_num, row


def _head(path: Any, lines: Lines, header: bool) -> tuple[tuple[str, ...], int, Lines]:
    """The names of the columns, their number, and the lines with data."""
    number, first = next(lines, (1, []))
    if not header:
        return (), len(first), itertools.chain([(number, first)] if first else [], lines)
    names = tuple(name.strip() for name in first)
    if names and all(map(_is_number, names)):
        raise _error(path, number, "names", "numbers only", "pass header=False")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise _error(path, number, "different names", f"{twice!r} twice", "rename a column")
    return names, len(names), lines


def _column(which: str | int, names: tuple[str, ...], width: int) -> int:
    if isinstance(which, str):
        if which in names:
            return names.index(which)
    elif is_a(which, int) and not is_a(which, bool) and -width <= which < width:
        return which % width
    there = ", ".join(map(repr, names)) if names else f"{width} columns without names"
    raise ArgumentError(
        f"read_csv wants a column that the file has, not {which!r}.",
        there or "a file without columns",
        "pass the name of a column, or its number from 0",
    )
