"""Files: what was saved comes back bit for bit, or not at all."""

from __future__ import annotations

import collections
import json
import os
import pickle
import struct
import zlib
from typing import Any, NamedTuple

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fgrad
from fgrad import random, tree
from fgrad.errors import ArgumentError, DtypeError, FileError, ShapeError, TreeError
from fgrad_nn import dense, load, load_metadata, mlp, save
from fgrad_nn.files import write_atomically

DTYPES = st.sampled_from(
    [*"?bhilBHILefdFD", ">f8", ">i4"],  # all that numbers have, and two in the other order
).map(np.dtype)
ARRAYS = DTYPES.flatmap(
    lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
)
NUMBERS = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.complex_numbers(),
    ARRAYS.filter(lambda x: x.size and x.dtype.isnative).map(lambda x: x.reshape(-1)[0]),
)  # fmt: skip
KEYS = st.one_of(st.text(max_size=3), st.integers(-9, 9))
TREES = st.recursive(
    st.one_of(ARRAYS, NUMBERS, st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(KEYS, inner, max_size=3),
        st.dictionaries(KEYS, inner, max_size=2).map(tree.FrozenDict),
        st.dictionaries(KEYS, inner, max_size=2).map(collections.OrderedDict),
        st.lists(inner, max_size=3).map(lambda x: collections.deque(x, 5)),
    ),
    max_leaves=6,
)


class Pair(NamedTuple):
    a: Any
    b: Any


@tree.dataclass
class Model:
    w: Any
    inner: Any
    name: str = tree.field(static=True, default="model")


def bits(x):
    native = np.asarray(x).astype(np.asarray(x).dtype.newbyteorder("="))
    return native.dtype, native.shape, native.tobytes()


def check_same(a, b):
    assert tree.structure(a) == tree.structure(b)
    for x, y in zip(tree.leaves(a), tree.leaves(b), strict=True):
        assert bits(x) == bits(y)
        assert type(x) is type(y)


@given(TREES)
def test_any_tree_comes_back(tmp_path_factory, t):
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    save(path, t)
    check_same(load(path), t)
    check_same(load(path, like=t), t)
    for x in tree.leaves(load(path)):
        assert not isinstance(x, np.ndarray) or x.flags.writeable


def test_named_tuples_and_dataclasses_come_back_by_like(tmp_path):
    t = Model(Pair(np.ones(2), [1.5]), {"x": Pair(None, np.float32(2))})
    save(tmp_path / "m", t)
    like = Model(Pair(np.zeros(2), [0.0]), {"x": Pair(None, np.float32(0))}, name="other")
    found = load(tmp_path / "m", like=like)
    assert found.name == "other"
    check_same(tree.leaves(found), tree.leaves(t))
    with pytest.raises(TreeError, match=r"(?s)without `like`.*at the root: a .*Model.*like="):
        load(tmp_path / "m")


def test_like_may_have_shapes_only_and_another_order_of_keys(tmp_path):
    net = mlp([4, 2])
    _, params = net.init(random.key(0), (-1, 3))
    save(tmp_path / "m", params)
    shapes = fgrad.eval_shape(lambda: net.init(random.key(0), (-1, 3))[1])
    check_same(load(tmp_path / "m", like=shapes), params)
    turned = dict(reversed(params.items()))
    assert list(load(tmp_path / "m", like=turned)) == list(turned)


def test_arrays_keep_their_order_in_memory(tmp_path):
    x = np.arange(24.0).reshape(2, 3, 4)
    t = [x, x.T, np.asfortranarray(x[0]), x.transpose(1, 2, 0), x[:, ::2], 1j * x.T]
    save(tmp_path / "m", t)
    for found, was in zip(load(tmp_path / "m"), t, strict=True):
        assert np.array_equal(found, was)
        for axes in ((0, 1), (-2, -1)):
            a, b = (y.strides[axes[0]] > y.strides[axes[1]] for y in (found, was))
            assert a == b


def test_other_readers_find_the_tensors_by_name(tmp_path):
    save(tmp_path / "m", {"dense": {"w": np.ones(2)}, "x.y": 1, "x": {"y": 2}})
    found = safetensors.numpy.load_file(tmp_path / "m")
    assert np.array_equal(found["dense.w"], np.ones(2))
    assert sorted(found) == ["dense.w", "x.y", "x.y~2"]


def test_metadata(tmp_path):
    notes = {"loss": float("inf"), "names": ["a", None, True], "nested": {"ö": 1}}
    save(tmp_path / "m", 1.0, notes)
    assert load_metadata(tmp_path / "m") == notes
    save(tmp_path / "m", 1.0)
    assert load_metadata(tmp_path / "m") == {}
    for wrong in ({1: 2}, {"a": (1, 2)}, {"a": np.float64(1)}, [1]):
        with pytest.raises(ArgumentError, match=r"(?s)metadata that JSON can hold.*tuples lists"):
            save(tmp_path / "m", 1.0, wrong)


# ------------------------------------------------------------------ errors
@pytest.mark.parametrize(
    ("leaf", "text"),
    [
        ("spam", r"at \['a'\]\[1\]: 'spam' \(a str\)"),
        (np.array([None]), r"at \['a'\]\[1\]: an object array"),
        (np.array(["x"]), r"at \['a'\]\[1\]"),
        (np.longdouble(1), r"at \['a'\]\[1\]"),
        (np.ma.ones(2), r"MaskedArray"),
        (2**63, r"at \['a'\]\[1\]: 9223372036854775808.*64 bits"),
        ({(1, 2): 3.0}, r"keys are strings or integers.*\(1, 2\).*at \['a'\]\[1\]"),
        ({True: 3.0}, r"keys are strings or integers.*True"),
    ],
)
def test_what_cant_be_saved_is_refused_and_nothing_is_written(tmp_path, leaf, text):
    with pytest.raises(DtypeError, match=f"(?s){text}"):
        save(tmp_path / "m", {"a": [1.0, leaf]})
    assert os.listdir(tmp_path) == []


SAVED = {"w": np.ones((2, 3), np.float32), "layers": [1, 2.0], "n": None}


@pytest.mark.parametrize(
    ("like", "error", "text"),
    [
        ({**SAVED, "w": np.ones((3, 2), np.float32)}, ShapeError,
         r"at \['w'\]: a float32 array of shape \(2, 3\) in the file, .*\(3, 2\) in like"),
        ({**SAVED, "w": np.ones((2, 3))}, DtypeError, r"at \['w'\].*float32.*float64"),
        ({**SAVED, "layers": [1.0, 2.0]}, DtypeError, r"at \['layers'\]\[0\]: 1 \(an int\)"),
        ({**SAVED, "layers": [1]}, TreeError, r"at \['layers'\]: a list of 2 items.*of 1 item"),
        ({**SAVED, "layers": (1, 2.0)}, TreeError, r"at \['layers'\]: a list.*a tuple in like"),
        ({**SAVED, "layers": 1.0}, TreeError, r"at \['layers'\]: a list of 2 items"),
        ({**SAVED, "layers": None}, TreeError, r"at \['layers'\]: a list.*a NoneType"),
        ({**SAVED, "w": [1]}, TreeError, r"at \['w'\]: an array or a number in the file, a list"),
        ({**SAVED, "n": 1.0}, TreeError, r"at \['n'\]: None in the file, 1.0"),
        ({**SAVED, "b": 1}, TreeError, r"at the root: the keys 'w', 'layers', 'n' in the file"),
    ],
)  # fmt: skip
def test_a_file_that_doesnt_fit_like_is_refused(tmp_path, like, error, text):
    save(tmp_path / "m", SAVED)
    with pytest.raises(error, match=f"(?s){text}"):
        load(tmp_path / "m", like=like)


def made_up(description, tensors=None):
    """The octets of a file with any description, and right check sums."""
    marks = {"fgrad": "1", "tree": description, "metadata": "{}"}
    marks["crc32"] = str(zlib.crc32((description + "{}").encode()))
    return safetensors.numpy.save(tensors or {}, marks)


def refused(path, content, text="intact|fgrad_nn.save|description"):
    path.write_bytes(content)
    with pytest.raises(FileError, match=f"(?s){text}"):
        load(path)


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "m"
    refused(path, b"", "intact safetensors file.*of 0 octets")
    refused(path, b"hello" * 100)
    refused(path, pickle.dumps(SAVED), "a pickle, which could execute anything")
    np.savez(tmp_path / "a.npz", x=1)
    refused(path, (tmp_path / "a.npz").read_bytes(), "a zip archive, such as torch.save")
    refused(path, struct.pack("<Q", 2**60) + b"{}")
    refused(path, struct.pack("<Q", 2) + b"{}", "without a tree.*load_torch")
    refused(
        path, safetensors.numpy.save({"x": np.ones(2)}, {"fgrad": "9", "tree": "{}"}), "version '9'"
    )
    refused(path, made_up("[" * 100_000))
    refused(path, made_up("{"))
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "found",
    [
        3, [], {}, {"leaf": "y", "kind": "array"}, {"leaf": "x"}, {"node": "list"},
        {"node": "dict", "items": [None], "keys": []}, {"node": "dict", "items": [None]},
        {"node": "dict", "items": [None], "keys": [[1]]}, {"node": "list", "items": [7]},
        {"leaf": "x", "kind": "int", "crc32": 1},
    ],
)  # fmt: skip
def test_a_made_up_description_is_refused(tmp_path, found):
    refused(tmp_path / "m", made_up(json.dumps(found), {"x": np.ones(2)}))


def test_every_changed_octet_is_noticed(tmp_path):
    path = tmp_path / "m"
    save(path, SAVED, {"note": "x"})
    content = path.read_bytes()
    for i in range(len(content)):
        refused(path, content[:i] + bytes([content[i] ^ 16]) + content[i + 1 :])
    for i in range(0, len(content), 7):
        refused(path, content[:i])


# ------------------------------------------------------------------ writing
def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "m"
    save(path, 1.0)
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, lambda *args: (_ for _ in ()).throw(OSError("disk full")))
            with pytest.raises(OSError, match="disk full"):
                save(path, 2.0)
        assert load(path) == 1.0
        assert os.listdir(tmp_path) == ["m"]
    with pytest.raises(FileNotFoundError):
        save(tmp_path / "nowhere" / "m", 1.0)


def test_a_file_is_replaced_with_its_mode_and_behind_a_link(tmp_path):
    path, link = tmp_path / "m", tmp_path / "link"
    write_atomically(path, [b"1"])
    os.chmod(path, 0o640)
    link.symlink_to(path)
    write_atomically(link, [b"2"])
    assert link.is_symlink()
    assert path.read_bytes() == b"2"
    assert path.stat().st_mode & 0o777 == 0o640


def test_layers_and_their_state_come_back(tmp_path):
    _, params = dense(3).init(random.key(0), (-1, 2), np.float16)
    save(tmp_path / "m", params)
    check_same(load(tmp_path / "m", like=params), params)
