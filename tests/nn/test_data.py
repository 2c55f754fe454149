"""Batches and prefetching: every example once, an order fixed by the key, exact positions."""

from __future__ import annotations

import gc
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgrad import random, tree
from fgrad.errors import ArgumentError, DomainError, DtypeError, ShapeError
from fgrad_nn.data import (
    Position,
    batches,
    fit_standardizer,
    prefetch,
    train_test_split,
)

KEY = random.key(3)

SIZES = st.tuples(st.integers(1, 12), st.integers(1, 14))
REMAINDERS = st.sampled_from(["keep", "drop", "pad", "wrap"])
KEYS = st.sampled_from([None, KEY])


def data_of(n):
    return {"x": np.arange(2.0 * n).reshape(n, 2), "y": [np.arange(n)]}


def listed(iterator):
    return [tree.map(np.copy, batch) for batch in iterator]


def same(a, b):
    return tree.structure(a) == tree.structure(b) and tree.all(tree.map(np.array_equal, a, b))


@given(SIZES, REMAINDERS, KEYS, st.integers(1, 3))
def test_an_epoch_has_each_example_once(sizes, remainder, key, epochs):
    n, size = sizes
    if remainder == "drop" and size > n:
        return
    found = batches(data_of(n), size, key, remainder, epochs)
    assert len(found) == epochs * found.steps_per_epoch
    out = listed(found)
    assert len(out) == epochs * found.steps_per_epoch
    for i in range(epochs):
        epoch = out[i * found.steps_per_epoch :][: found.steps_per_epoch]
        if remainder == "pad":
            for batch, mask in epoch:
                assert mask.shape == (size,)
                assert np.all(batch["x"][~mask] == 0)
            epoch = [tree.map(lambda a, m=mask: a[m], batch) for batch, mask in epoch]
        else:
            wanted = [size] * (n // size) + [n % size] * (remainder == "keep" and n % size > 0)
            wanted += [size] * (remainder == "wrap" and n % size > 0)
            assert [len(b["x"]) for b in epoch] == wanted
        ys = np.concatenate([b["y"][0] for b in epoch])
        xs = np.concatenate([b["x"] for b in epoch])
        assert np.all(xs[:, 0] == 2 * ys)  # leaves stay together
        if remainder == "wrap":
            assert np.all(ys[n:] == np.resize(ys[:n], len(ys) - n))
        whole = n - n % size if remainder == "drop" else n
        assert len(set(ys[:whole])) == whole
        if key is None:
            assert np.all(ys[:whole] == np.arange(whole))


@given(SIZES, REMAINDERS, KEYS, st.data())
def test_an_iteration_goes_on_from_any_position(sizes, remainder, key, draw):
    n, size = sizes
    if remainder == "drop" and size > n:
        return
    whole = listed(batches(data_of(n), size, key, remainder, 3))
    first = batches(data_of(n), size, key, remainder, 3)
    i = draw.draw(st.integers(0, len(whole)))
    for _ in range(i):
        next(first)
    state = tuple(first.state)
    assert same(listed(first.at(state)), whole[i:])
    again = batches(data_of(n), size, key, remainder, 3, state=state)
    assert same(listed(again), whole[i:])
    with prefetch(batches(data_of(n), size, key, remainder, 3), 3) as ahead:
        for _ in range(i):
            next(ahead)
        assert ahead.state == state  # of what was taken, not of what is ready
        with ahead.at(state) as other:
            assert same(listed(other), whole[i:])


def test_the_key_and_the_epoch_fix_the_order():
    def order(key, epoch):
        return np.concatenate(
            listed(batches(np.arange(50), 7, key, epochs=9).at((epoch, 0), epoch + 1))
        )

    assert np.all(order(KEY, 0) == order(KEY, 0))
    assert not np.all(order(KEY, 0) == order(KEY, 1))
    assert not np.all(order(KEY, 0) == order(random.key(4), 0))


def test_batches_are_new_arrays():
    x = np.arange(6.0)
    for key in (None, KEY):
        for batch in batches(x, 2, key):
            batch[:] = -1
    assert np.all(x == np.arange(6.0))


def test_there_are_batches_without_end():
    found = batches(np.arange(3), 2, KEY, epochs=None)
    for _ in range(11):
        next(found)
    assert found.state == Position(5, 1)
    with pytest.raises(TypeError, match="without end"):
        len(found)


@pytest.mark.parametrize("key", [None, KEY])
def test_of_a_mapped_file_only_the_batches_are_read(tmp_path, key):
    class Watched(np.memmap):
        read = 0

        def __getitem__(self, index):
            out = super().__getitem__(index)
            Watched.read += out.size
            return out

    np.save(tmp_path / "x.npy", np.arange(1000.0).reshape(100, 10))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r").view(Watched)
    found = batches(mapped, 5, key)
    batch = next(found)
    assert type(batch) is np.ndarray
    assert batch.flags.writeable
    assert Watched.read == 50
    assert np.all(batch[:, 1] == batch[:, 0] + 1)


# ------------------------------------------------------------------ errors
@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        ({"x": np.zeros((5, 2)), "y": [np.zeros(4)]}, ShapeError,
         r"as many examples in each leaf.*at \['x'\]: 5, at \['y'\]\[0\]: 4.*to one length"),
        ((np.zeros(3), 1.0), DtypeError, r"a tree of arrays.*at \[1\]: 1.0 \(a float\)"),
        ((np.zeros(3), np.float64(1)), ShapeError, r"at \[1\].*has no axis.*np.full"),
        ({"x": np.ma.zeros(3)}, DtypeError, r"at \['x'\].*MaskedArray.*NumPy array"),
        (np.zeros((0, 2)), ShapeError, r"no examples"),
        ({}, ArgumentError, r"without leaves"),
    ],
)  # fmt: skip
def test_what_is_no_data_is_refused(data, error, text):
    with pytest.raises(error, match=f"(?s){text}"):
        batches(data, 2)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"batch_size": 0}, "a batch size, from 1 on.*0 "),
        ({"batch_size": 2.0}, "a batch size.*2.0"),
        ({"batch_size": True}, "a batch size.*True"),
        ({"remainder": "cut"}, "'keep', 'drop', 'pad', 'wrap'.*'cut'"),
        ({"epochs": 0}, "a number of epochs"),
        ({"key": 3}, "key"),
        ({"state": 3}, r"a position \(epoch, step\).*3"),
        ({"state": (0, -1)}, "a position of integers"),
        ({"state": (0, 2)}, r"a step below 2.*state=\(0, 2\).*same batch size"),
    ],
)
def test_other_arguments_are_checked(options, text):
    with pytest.raises(ArgumentError, match=f"(?s){text}"):
        batches(np.arange(4), **{"batch_size": 2, **options})


def test_dropping_all_is_an_error():
    with pytest.raises(ShapeError, match=r"(?s)at least one batch.*batches of 5 of 4"):
        batches(np.arange(4), 5, remainder="drop")


# ------------------------------------------------------------------ prefetching
def threads():
    return [t for t in threading.enumerate() if t.name.startswith("fgrad_nn.prefetch")]


def wait_for(condition):
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)
    assert condition()


def test_prefetching_changes_nothing_and_ends():
    assert list(prefetch(iter(range(20)), 3)) == list(range(20))
    assert not threads()
    ahead = prefetch(())
    assert list(ahead) == []
    assert list(ahead) == []
    assert ahead.state is None


def test_no_more_is_made_than_the_size():
    made = []

    def source():
        for i in range(100):
            made.append(i)
            yield i

    with prefetch(source(), 3) as ahead:
        wait_for(lambda: len(made) == 3)
        time.sleep(0.02)
        assert len(made) == 3
        assert next(ahead) == 0
        wait_for(lambda: len(made) == 4)
    assert not threads()
    assert list(ahead) == []


def test_exceptions_come_where_their_item_would_have_come():
    def source():
        yield 1
        raise KeyError("broken")

    ahead = prefetch(source(), 4)
    assert next(ahead) == 1
    with pytest.raises(KeyError, match="broken"):
        next(ahead)
    assert list(ahead) == []
    assert not threads()


def test_the_thread_ends_when_nobody_asks_any_more():
    ahead = prefetch(batches(np.arange(10), 2, epochs=None))
    next(ahead)
    assert threads()
    del ahead
    gc.collect()
    wait_for(lambda: not threads())


def test_errors_are_handled_as_where_it_was_made():
    with np.errstate(divide="ignore"):
        ahead = prefetch(1 / np.zeros(1) for _ in range(2))
    assert [float(x[0]) for x in ahead] == [np.inf, np.inf]


def test_what_cant_be_prefetched():
    with pytest.raises(ArgumentError, match=r"(?s)a size from 1 on.*0 "):
        prefetch([1], 0)
    with pytest.raises(ArgumentError, match=r"(?s)wants an iterator.*3"):
        prefetch(3)
    with pytest.raises(ArgumentError, match=r"(?s)positions for `at`.*batches"):
        prefetch([1]).at((0, 0))


# ------------------------------------------------------------------ preparation
@given(st.integers(2, 40), st.floats(0.05, 0.95), KEYS)
def test_a_split_has_each_example_once(n, fraction, key):
    tests = max(1, round(n * fraction))
    if tests == n:
        with pytest.raises(ShapeError, match="both parts"):
            train_test_split(data_of(n), fraction, key)
        return
    train, test = train_test_split(data_of(n), fraction, key)
    assert len(test["x"]) == tests
    ys = np.concatenate([train["y"][0], test["y"][0]])
    assert sorted(ys) == list(range(n))
    for part in (train, test):
        assert np.all(np.diff(part["y"][0]) > 0)
        assert np.all(part["x"][:, 0] == 2 * part["y"][0])
    if key is None:
        assert np.all(ys == np.arange(n))


@pytest.mark.parametrize("fraction", [0, 1, 1.5, -0.1, True, "0.2", np.nan])
def test_a_share_is_between_0_and_1(fraction):
    with pytest.raises(ArgumentError, match=r"(?s)share of examples.*for a fifth"):
        train_test_split(np.arange(4), fraction)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32, np.uint8])
def test_standardizing(dtype):
    rng = np.random.default_rng(0)
    train = {
        "x": (10 * rng.normal(size=(200, 3)) + 60).astype(dtype),
        "c": np.full((200, 1), 7, dtype),
    }
    scale = fit_standardizer(train)
    out = scale.apply(train)
    floating = np.dtype(dtype).kind == "f"
    assert out["x"].dtype == (dtype if floating else np.float64)
    tolerance = {"float16": 0.02, "float32": 1e-4}.get(np.dtype(dtype).name, 1e-12)
    wide = train["x"].astype(float)
    np.testing.assert_allclose(scale.mean["x"][0], wide.mean(0), rtol=tolerance)
    np.testing.assert_allclose(scale.std["x"][0], wide.std(0), rtol=tolerance)
    assert np.all(out["c"] == 0)
    np.testing.assert_allclose(scale.invert(out)["x"], train["x"], rtol=10 * tolerance)


def test_standardizing_in_blocks_and_channels(monkeypatch):
    monkeypatch.setattr("fgrad_nn.data.preparing.BLOCK", 7)
    x = np.random.default_rng(0).normal(1e6, 1.0, size=(20, 4, 3))
    scale = fit_standardizer(x, (0, 1))
    np.testing.assert_allclose(scale.mean, x.mean((0, 1), keepdims=True), rtol=1e-14)
    np.testing.assert_allclose(scale.std, x.std((0, 1), keepdims=True), rtol=1e-9)
    with pytest.raises(ShapeError, match=r"(?s)shape \(any, any, 3\).*\(20, 4, 2\)"):
        scale.apply(x[..., :2])


def test_what_cant_be_standardized():
    with pytest.raises(DtypeError, match=r"(?s)real numbers.*at \['x'\].*complex128"):
        fit_standardizer({"x": np.zeros(3, complex)})
    with pytest.raises(DomainError, match=r"(?s)finite numbers.*in 1 of 2 features"):
        fit_standardizer(np.array([[1.0, np.nan], [2.0, 3.0]]))
    with pytest.raises(ArgumentError, match=r"(?s)that of the examples included.*axis=1"):
        fit_standardizer(np.zeros((3, 2)), 1)
