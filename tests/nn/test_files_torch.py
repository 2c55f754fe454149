"""Models that PyTorch has trained: a file that it wrote, with what its model makes of an input."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from fgrad import random, tree
from fgrad.errors import ArgumentError, DtypeError, FileError, ShapeError
from fgrad_nn import (
    batch_norm,
    conv,
    conv_transpose,
    dense,
    embedding,
    global_avg_pool,
    layer_norm,
    load_torch,
    relu,
    save,
    serial,
)

#: Sequential(Conv2d(2, 3, (3, 2)), BatchNorm2d(3), ReLU(), ConvTranspose2d(3, 2, 2, stride=2),
#: AdaptiveAvgPool2d(1), Flatten(), Linear(2, 3)), with an input and the output in eval mode.
FILE = Path(__file__).with_name("torch_model.safetensors")
LAYERS = ("0.*", "1.*", "3.*", "6.*")
KEY = random.key(0)


def start(net, shape, dtype=np.float32):
    return net.init(KEY, shape, dtype)[1]


def written(folder, **tensors):
    tensors = {name: np.asarray(x) for name, x in tensors.items()}
    safetensors.numpy.save_file(tensors, folder / "theirs")
    return folder / "theirs"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_model_computes_what_pytorch_computes(dtype):
    net = serial(
        conv(3, (3, 2), padding="VALID"), batch_norm(), relu,
        conv_transpose(2, (2, 2), strides=2, padding="VALID"), global_avg_pool(), dense(3),
    )  # fmt: skip
    shape = (-1, 5, 4, 2)
    like = {"params": start(net, shape, dtype), "state": net.init_state(KEY, shape, dtype)}
    names = {
        "input": None, "output": None, "half": None, "*.num_batches_tracked": None,
        "*.running_mean": "state.*_batch_norm.mean", "*.running_var": "state.*_batch_norm.var",
        "6.*": "params.5_dense.*", "1.weight": "params.1_batch_norm.scale", "*": "params.*",
    }  # fmt: skip
    model = load_torch(FILE, like, names)
    assert {x.dtype for x in tree.leaves(model)} == {np.dtype(dtype)}
    forms = {"input": np.zeros((4, 2, 5, 4), np.float32), "output": np.zeros((4, 3), np.float32)}
    theirs = load_torch(FILE, forms, dict.fromkeys(["half", *LAYERS]), transpose=False)
    x = np.transpose(theirs["input"], (0, 2, 3, 1)).astype(dtype)
    y, _ = net.apply(model["params"], x, state=model["state"])
    np.testing.assert_allclose(y, theirs["output"], rtol=1e-5, atol=1e-6)


def test_names_that_agree_need_no_map(tmp_path):
    net = serial(dense(4), layer_norm(), relu, dense(4))
    like = start(net, (-1, 3))
    draw = np.random.default_rng(0)
    theirs = {
        "0.weight": draw.normal(size=(4, 3)), "0.bias": draw.normal(size=4),
        "1.weight": draw.normal(size=4), "1.bias": draw.normal(size=4),
        "3.weight": draw.normal(size=(4, 4)), "3.bias": draw.normal(size=4),
        "1.num_batches_tracked": np.array(3),
    }  # fmt: skip
    theirs = {name: x.astype(np.float32) if x.ndim else x for name, x in theirs.items()}
    safetensors.numpy.save_file(theirs, tmp_path / "m")
    found = load_torch(tmp_path / "m", like)
    assert list(found) == list(like)
    assert np.array_equal(found["0_dense"]["weight"], theirs["0.weight"].T)
    assert np.array_equal(found["3_dense"]["weight"], theirs["3.weight"].T)
    assert found["3_dense"]["weight"].flags.c_contiguous
    assert np.array_equal(found["1_layer_norm"]["scale"], theirs["1.weight"])
    names = {"*.num_batches_tracked": None, "1.*": "1_layer_norm.*", "3.*": "3_dense.*"}
    again = load_torch(tmp_path / "m", like, names)
    assert tree.all(tree.map(np.array_equal, again, found))


def test_what_a_weight_belongs_to(tmp_path):
    x = np.arange(9, dtype=np.float32).reshape(3, 3)
    net = serial(embedding(3, 3))
    found = load_torch(written(tmp_path, **{"0.weight": x}), start(net, (-1,)))
    assert np.array_equal(found["0_embedding"]["weight"], x)
    like = {"tokens": {"weight": x}}
    theirs = written(tmp_path, **{"tokens.weight": x})
    with pytest.raises(ArgumentError, match=r"(?s)can't tell.*3, 3\).*'tokens.weight': True"):
        load_torch(theirs, like)
    for turned in (True, {"tokens.*": True}, (1, 0), {"*": (1, 0)}):
        assert np.array_equal(load_torch(theirs, like, transpose=turned)["tokens"]["weight"], x.T)
    for same in (False, {"tokens.weight": False, "*": True}):
        assert np.array_equal(load_torch(theirs, like, transpose=same)["tokens"]["weight"], x)
    symmetric = written(tmp_path, **{"tokens.weight": x + x.T})  # then it doesn't matter
    assert np.array_equal(load_torch(symmetric, like)["tokens"]["weight"], x + x.T)
    oblong = written(tmp_path, **{"tokens.weight": x[:2]})
    for shape in ((2, 3), (3, 2)):
        found = load_torch(oblong, {"tokens": {"weight": np.zeros(shape, np.float32)}})
        assert np.array_equal(found["tokens"]["weight"], x[:2] if shape == (2, 3) else x[:2].T)
    kernel = np.arange(120, dtype=np.float32).reshape(5, 4, 3, 2)
    like = {"down": {"weight": np.zeros((3, 2, 4, 5), np.float32)}}
    found = load_torch(written(tmp_path, **{"down.weight": kernel}), like)
    assert np.array_equal(found["down"]["weight"], np.transpose(kernel, (2, 3, 1, 0)))
    form = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    like = {"0_bilinear": {"weight": np.zeros((3, 2, 4), np.float32)}}
    found = load_torch(written(tmp_path, **{"0.weight": form}), like)
    assert np.array_equal(found["0_bilinear"]["weight"], np.transpose(form, (1, 2, 0)))


def test_names_are_mapped_by_patterns_and_functions(tmp_path):
    theirs = written(
        tmp_path, **{"a.0.x": np.float32(1), "a.1.x": np.float32(2), "b": np.float32(3)}
    )
    like = {"left": [np.float32(0), np.float32(0)]}
    wanted = {"left": [1.0, 2.0]}
    assert load_torch(theirs, like, {"b": None, "a.*.x": "left.*"}) == wanted
    assert (
        load_torch(theirs, like, lambda name: f"left.{name[2]}" if name != "b" else None) == wanted
    )
    both = {"x": {"a": [np.float32(0), np.float32(0)]}}
    assert load_torch(theirs, both, {"b": None, "*.*.x": "x.*.*"}) == {"x": {"a": [1.0, 2.0]}}


def test_numbers_of_half_a_float(tmp_path):
    rest = dict.fromkeys(["input", "output", *LAYERS])
    found = load_torch(FILE, {"half": np.zeros(3, np.float32)}, rest)["half"]
    assert np.array_equal(found[:2], [1.0, -2.5])
    assert found[2] == pytest.approx(3.0e38, rel=2**-8)


# ------------------------------------------------------------------ errors
X = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("like", "options", "error", "text"),
    [
        ({"c": X, "d": X}, {}, FileError,
         r"a tensor for each leaf.*no place for 'a', 'b'; no tensor for 'c', 'd'.*names="),
        ({"a": X}, {"names": {"b": "z"}}, FileError, r"'b \(as z\)'; no tensor for nothing"),
        ({"a": X}, {"names": {"b": "a"}}, FileError, r"one tensor for each.*'a' and 'b' for 'a'"),
        ({"a": X[:1], "b": X}, {}, ShapeError, r"shape \(1, 3\) for 'a'.*'a': a float32 array"),
        ({"a": X.astype(np.float16), "b": X}, {}, DtypeError, r"float16 can hold.*dtype=float32"),
        ({"a": X, "b": X}, {"transpose": (0, 2)}, ArgumentError, r"each of 2 axes once.*\(0, 2\)"),
        ({"a": X, "b": X}, {"names": {3: "a"}}, ArgumentError, r"patterns of names.*3 \(an int\)"),
    ],
)  # fmt: skip
def test_what_doesnt_fit_is_refused(tmp_path, like, options, error, text):
    theirs = written(tmp_path, a=X, b=X)
    with pytest.raises(error, match=f"(?s){text}"):
        load_torch(theirs, like, **options)


def test_files_that_pytorch_didnt_write(tmp_path):
    (tmp_path / "m").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(FileError, match=r"(?s)load_torch wants an intact.*torch.save"):
        load_torch(tmp_path / "m", {})
    for shape in ([1] * 100, [0, 2**62, 2**62]):
        octets = 0 if 0 in shape else 8
        tensor = {"dtype": "F64", "shape": shape, "data_offsets": [0, octets]}
        header = json.dumps({"a": tensor}).encode()
        content = struct.pack("<Q", len(header)) + header + bytes(octets)
        (tmp_path / "m").write_bytes(content)
        with pytest.raises(FileError, match=r"(?s)at most 64 axes.*reshape the tensor"):
            load_torch(tmp_path / "m", {"a": X})
    save(tmp_path / "m", {"a": X})
    assert np.array_equal(load_torch(tmp_path / "m", {"a": X})["a"], X)
