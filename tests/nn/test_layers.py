"""The laws that every layer keeps, whatever it computes."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import fgrad
import fgrad_nn as nn
from fgrad import random, tree
from fgrad.testing import check_grads
from fgrad_nn import Layer, StatefulLayer

from .layer_cases import CASES

KEY = random.key(0)
CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def start(case, dtype=np.float64):
    """A function of parameters and inputs, these two, and the output shape of a layer."""
    shape, params = case.layer.init(KEY, case.shape, dtype)
    if isinstance(case.layer, StatefulLayer):
        state = case.layer.init_state(random.key(1), case.shape, dtype)
        return lambda p, x: case.layer.apply(p, x, state=state)[0], params, shape
    return case.layer.apply, params, shape


def shapes(x):
    return tuple(map(shapes, x)) if isinstance(x, tuple) else x.shape


def fits(shape, found):
    if shape and isinstance(shape[0], tuple):
        return len(shape) == len(found) and all(map(fits, shape, found))
    return len(shape) == len(found) and all(a in (b, -1) for a, b in zip(shape, found, strict=True))


@CASE
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes_and_dtypes_are_those_that_init_tells(case, dtype):
    f, params, shape = start(case, dtype)
    for n in (1, 3):
        out = f(params, case.inputs(dtype, n))
        assert fits(shape, shapes(out)), (shape, shapes(out))
        assert {y.dtype for y in tree.leaves(out)} == {np.dtype(dtype)}
    assert all(p.dtype == dtype for p in tree.leaves(params))


@CASE
def test_init_depends_on_the_key_alone(case):
    _, first = case.layer.init(KEY, case.shape)
    _, again = case.layer.init(KEY, list(case.shape))
    assert tree.all(tree.map(np.array_equal, first, again))


@CASE
def test_derivatives(case):
    f, params, _ = start(case)
    x = case.inputs()
    if case.integers:
        check_grads(lambda p: f(p, x), (params,), order=1)
    elif case.fixed:
        check_grads(lambda x: f(params, x), (x,), order=1)
    else:
        check_grads(f, (params, x), order=1)


@CASE
def test_mapped_over_a_batch_it_is_the_stack(case):
    f, params, _ = start(case)
    xs = [case.inputs(n=2, seed=seed) for seed in range(3)]
    stacked = tree.map(lambda *v: np.stack(v), *xs)
    got = fgrad.vmap(f, in_axes=(None, 0))(params, stacked)
    want = tree.map(lambda *v: np.stack(v), *[f(params, x) for x in xs])
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12), got, want)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.batch])
def test_a_batch_is_as_many_samples(name):
    case = CASES[name]
    f, params, _ = start(case)
    x = case.inputs(n=3)
    whole = f(params, x)
    for i in range(3):
        one = f(params, tree.map(lambda v, i=i: v[i : i + 1], x))
        tree.map(
            lambda a, b, i=i: np.testing.assert_allclose(a[i : i + 1], b, atol=1e-12), whole, one
        )


@CASE
def test_a_graph_gives_the_same_for_other_numbers(case):
    f, params, _ = start(case)
    x, other = case.inputs(), case.inputs(seed=5)
    graph = fgrad.make_graph(f)(params, x)
    tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-12),
        graph(params, other), f(params, other),
    )  # fmt: skip


@CASE
def test_in_training_it_takes_a_key_and_keeps_the_dtype(case):
    params = case.layer.init(KEY, case.shape, np.float32)[1]
    x = case.inputs(np.float32)
    if isinstance(case.layer, StatefulLayer):
        state = case.layer.init_state(KEY, case.shape, np.float32)
        out, new = case.layer.apply(params, x, state=state, key=random.key(3), train=True)
        same = tree.map(lambda a, b: a.shape == b.shape and a.dtype == b.dtype, state, new)
        assert tree.all(same)
    else:
        out = case.layer.apply(params, x, key=random.key(3), train=True)
    assert {y.dtype for y in tree.leaves(out)} == {np.dtype(np.float32)}


@CASE
def test_what_it_is_not_given(case):
    """Other parameters, other inputs and unknown keywords are errors that name the layer."""
    _, params, _ = start(case)
    x = case.inputs()
    more = {"state": case.layer.init_state(KEY, case.shape)} if len(case.layer) == 3 else {}
    with pytest.raises((fgrad.errors.ArgumentError, TypeError)):
        case.layer.apply(params, x, trian=True, **more)
    if params:
        with pytest.raises(fgrad.errors.FgradError, match=r"(?s)wants.*It got.*To do"):
            case.layer.apply({"wieght": np.ones(2)}, x, **more)


def test_every_layer_is_among_the_cases():
    made = {name.split(",")[0] for name in CASES}
    covered = {
        "conv", "conv_transpose", "max_pool1d", "max_pool3d", "avg_pool1d", "adaptive_pool",
        "constant_pad", "zero_pad", "reflection_pad", "replication_pad", "circular_pad",
        "max_pool2d", "avg_pool2d", "layer", "stateful_layer", "normalize", "standardize",
        "rnn_cell", "lstm_cell", "gru_cell", "mgu_cell", "conv_lstm_cell", "stacked_cell",
        "scaled_dot_product_attention", "causal_mask", "padding_mask", "rotary", "alibi_bias",
        "sinusoidal_encoding",
    }  # fmt: skip
    files = {
        "activating", "conv", "dense", "dropout", "embedding", "fans", "function", "norms",
        "pooling", "reparametrized", "shaping", "unfolding", "wrappers",
    }  # fmt: skip
    public = {
        name for name, f in vars(nn.layers).items()
        if inspect.isfunction(f) and f.__module__.rpartition(".")[2] in files
    }  # fmt: skip
    assert public - made - covered == set()


def test_a_layer_may_be_a_plain_pair():
    double = Layer(lambda key, shape: (shape, {}), lambda params, x: 2 * x)
    net = nn.serial(nn.dense(2), double, (lambda key, s: (s, {}), lambda p, x: x + 1))
    shape, params = net.init(KEY, (-1, 3))
    x = np.ones((1, 3))
    np.testing.assert_allclose(
        net.apply(params, x, train=True), 2 * x @ params["0_dense"]["weight"] + 1
    )
    assert shape == (-1, 2)


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (5, "5 \\(an int"),
        ((None, 3), "None, 3"),
        ((-2, 3), "-2, 3"),
        (("a",), "'a'"),
        (None, "None"),
    ],
)
def test_input_shapes_that_are_none(shape, text):
    with pytest.raises(fgrad.errors.ShapeError, match=f"(?s)wants an input shape.*{text}"):
        nn.dense(3).init(KEY, shape)


@pytest.mark.parametrize("dtype", [int, complex, "spam"])
def test_dtypes_of_parameters_are_real(dtype):
    for layer in (nn.dense(3), nn.serial(nn.dense(3))):
        with pytest.raises(fgrad.errors.DtypeError, match="real floating dtype"):
            layer.init(KEY, (-1, 2), dtype)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.dense(0), lambda: nn.dense(True), lambda: nn.dense("3"), lambda: nn.conv(3, 3),
        lambda: nn.conv2d(3, 3, padding="same?"), lambda: nn.conv2d(3, 3, padding=(-1, 0)),
        lambda: nn.conv2d(3, 3, strides=(1, 2, 3)), lambda: nn.conv2d(3, 3, groups=2),
        lambda: nn.conv2d(3, 3, data_format="NHWC"), lambda: nn.dropout(1.0),
        lambda: nn.dropout(-0.1), lambda: nn.dropout("x"), lambda: nn.dropout(0.5, broadcast="a"),
        lambda: nn.gaussian_noise(-1), lambda: nn.layer_norm(0), lambda: nn.layer_norm((-1, -3)),
        lambda: nn.group_norm(0), lambda: nn.batch_norm(momentum=2), lambda: nn.lp_pool(0.5, (2,)),
        lambda: nn.embedding_bag(3, 2, "median"), lambda: nn.reshape((2, -1, -1)),
        lambda: nn.permute(0, 1), lambda: nn.pad(((1, 1),), "mirror"), lambda: nn.zero_pad(1),
        lambda: nn.resize((3,), "lanczos"), lambda: nn.fan_in_concat(0), lambda: nn.fan_out(0),
        lambda: nn.einsum("ab,bc", (2, 3)), lambda: nn.dense_general(3, axis=1),
        lambda: nn.rrelu(0.5, 0.1), lambda: nn.activation("spam"),
        lambda: nn.conv_transpose2d(3, 3, padding="CAUSAL"),
        lambda: nn.conv_transpose2d(3, 3, padding="SAME", output_padding=1),
    ],
)  # fmt: skip
def test_arguments_that_are_refused(make):
    with pytest.raises(fgrad.errors.ArgumentError, match=r"(?s)wants.*It got.*To do"):
        make()


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (nn.dense(2), (3, -1), "a known length"),
        (nn.dense(2), (), "the input shape \\(\\)"),
        (nn.conv2d(2, 3), (-1, 3), "H, W, C"),
        (nn.conv2d(2, 3), (-1, 4, 4, -1), "known number of channels"),
        (nn.conv2d(2, 3, groups=2), (-1, 4, 4, 3), "multiple of its 2 groups"),
        (nn.conv2d(2, 5, padding="VALID"), (-1, 4, 4, 3), "as long as its window"),
        (nn.max_pool2d(5), (-1, 4, 4, 3), "as long as its window"),
        (nn.group_norm(2), (-1, 3), "divided into 2 groups"),
        (nn.reshape((2, 2)), (-1, 5), "as many entries"),
        (nn.pixel_shuffle(2), (-1, 2, 2, 3), "divided by 4"),
        (nn.reflection_pad(3, dims=1), (-1, 3, 1), "at least 4"),
        (nn.fan_in_sum(), ((-1, 2), (-1, 3)), "of one shape"),
        (nn.fan_in_sum(), (-1, 2), "a tuple of several inputs"),
        (nn.fan_in_concat(), ((-1, 2), (3, 2)), "alike in all axes"),
        (nn.bilinear(2), (-1, 2), "two inputs"),
        (nn.einsum("...b,bc->...c", (3, 2)), (-1, 4), "inputs that fit"),
        (nn.dense_general(2, (-2, -1)), (-1, -1, 4), "a known length"),
        (nn.permute(-1, -2), (4,), "at least 2 axes"),
        (nn.batch_apply(nn.flatten()), (4,), "2 batch axes"),
        (nn.layer_stack(nn.dense(3), 2), (-1, 4), "shape of its inputs"),
    ],
)
def test_input_shapes_that_do_not_fit(layer, shape, text):
    with pytest.raises(fgrad.errors.ShapeError, match=f"(?s){text}.*To do"):
        layer.init(KEY, shape)


@pytest.mark.parametrize(
    ("layer", "inputs", "text"),
    [
        (nn.dense(2), np.ones((5, 4)), r"\(\.\.\., 3\).*\(5, 4\)"),
        (nn.dense(2), [1.0, 2.0, 3.0], "an array as its input"),
        (nn.bias(), np.ones((5, 1)), "\\(5, 1\\)"),
        (nn.layer_norm(), np.ones((5, 1)), "\\(5, 1\\)"),
        (nn.conv1d(2, 2), np.ones((5, 4, 2)), "inputs of 3 channels"),
        (nn.dropout(0.5), "x", "an array as its input"),
        (nn.dense(2), np.full((5, 3), "1.0"), "an array of numbers"),
        (nn.dense(2), np.ones((5, 3), object), "an array of numbers"),
    ],
)
def test_inputs_that_do_not_fit(layer, inputs, text):
    _, params = layer.init(KEY, (-1, 4, 3))
    with pytest.raises(fgrad.errors.FgradError, match=f"(?s){text}.*To do"):
        layer.apply(params, inputs)


@CASE
def test_parameters_of_other_shapes_are_refused(case):
    """A bias of length one would be broadcast: each shape is compared with those of the others."""
    f, params, _ = start(case)
    leaves, structure = tree.flatten(params)
    for i, leaf in enumerate(leaves):
        for shape in (tuple(n + 1 for n in leaf.shape), (*leaf.shape, 1), (1,) * leaf.ndim):
            if shape != leaf.shape:
                others = [np.ones(shape) if i == k else p for k, p in enumerate(leaves)]
                with pytest.raises(fgrad.errors.FgradError, match=r"(?s)wants.*It got.*To do"):
                    f(tree.unflatten(structure, others), case.inputs())


OF_USERS = ("function", "shape_dependent")  # their functions see any inputs


@pytest.mark.parametrize("name", [n for n in CASES if n not in OF_USERS])
def test_inputs_of_other_shapes_are_taken_or_named(name):
    """One feature more, axes made one, none left: no error of NumPy's comes through."""
    case = CASES[name]
    _, params = case.layer.init(KEY, case.shape)
    stateful = isinstance(case.layer, nn.StatefulLayer)
    state = {"state": case.layer.init_state(KEY, case.shape)} if stateful else {}
    for change in (
        lambda x: np.concatenate([x, x[..., :1]], -1), np.ravel, lambda x: x.reshape(-1)[0].copy()
    ):  # fmt: skip
        inputs = tree.map(lambda x, change=change: np.asarray(change(x)), case.inputs())
        came = [str(x.shape) for x in tree.leaves(inputs)]
        says = came[0]
        try:
            case.layer.apply(params, inputs, **state)
        except fgrad.errors.FgradError as error:
            says = str(error)
        assert any(shape in says for shape in came), says


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (nn.depthwise_conv((2, 2)), (2, 4, 4, 5), "of 3 channels, for which its weight was made"),
        (nn.conv_local(2, (2, 2)), (2, 4, 4, 5), r"3 channels.*\(4, 4\) places.*\(2, 4, 4, 5\)"),
        (nn.pixel_shuffle(2), (2, 4, 4, 5), r"channels that can be divided.*5, in the shape"),
        (nn.einsum("...b,bc->...c", (3, 2)), (2, 4, 4, 5), r"fit '...b,bc->...c'.*\(2, 4, 4, 5\)"),
        (nn.spatial_dropout(0.5), (5,), r"any length, any length.*\(5,\)"),
    ],
)
def test_images_that_do_not_fit(layer, shape, text):
    init = (-1, 4, 4, 12) if layer.name == "pixel_shuffle" else (-1, 4, 4, 3)
    _, params = layer.init(KEY, init)
    with pytest.raises(fgrad.errors.ShapeError, match=f"(?s){layer.name}.*{text}.*To do"):
        layer.apply(params, np.ones(shape))


def test_sequences_that_do_not_fit_have_the_shape_that_was_given():
    net = nn.gru(4)
    _, params = net.init(KEY, (-1, 7, 3))
    with pytest.raises(fgrad.errors.ShapeError, match=r"(?s)gru_cell.*\(5, 7, 2\)"):
        net.apply(params, np.ones((5, 7, 2)))


def test_embedding_sees_numbers_that_are_not_in_its_table():
    net = nn.embedding(5, 2)
    _, params = net.init(KEY, (-1,))
    for bad in ([5], [-1]):
        with pytest.raises(fgrad.errors.DomainError, match="from 0 to 4"):
            net.apply(params, np.array(bad))
        for traced in (fgrad.jit(net.apply), fgrad.vmap(net.apply, (None, 0))):
            with pytest.raises(IndexError, match="out of bounds"):
                traced(params, np.array([bad]))
    with pytest.raises(fgrad.errors.DtypeError, match="wants integers"):
        net.apply(params, np.array([1.0]))
    g = fgrad.grad(lambda p: np.sum(net.apply(p, np.array([1, 1, 3]))))(params)["weight"]
    np.testing.assert_array_equal(g[:, 0], [0, 2, 0, 1, 0])
