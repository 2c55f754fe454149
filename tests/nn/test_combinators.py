"""Combinators and wrappers: names, keys, keywords, state, errors that say where, and summaries."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import fgrad
import fgrad_nn as nn
from fgrad import random, tree
from fgrad.errors import ArgumentError, FgradError, ShapeError, TreeError
from fgrad_nn import Layer, StatefulLayer

KEY = random.key(0)
X = random.normal(random.key(9), (5, 4))


def noise():
    def init(key, input_shape, dtype):
        return input_shape, {}

    def apply(params, inputs, *, key=None):
        return inputs + random.normal(key, inputs.shape)

    return nn.layer(init, apply)


def masked():
    def init(key, input_shape, dtype):
        return input_shape, {}

    def apply(params, inputs, *, mask=None, train=False):
        return inputs if mask is None or train else np.where(mask, inputs, 0)

    return nn.layer(init, apply)


def counter():
    def init(key, input_shape, dtype):
        return input_shape, {}

    def init_state(key, input_shape, dtype):
        return {"calls": 0}

    def apply(params, inputs, *, state):
        return inputs + state["calls"], {"calls": state["calls"] + 1}

    return nn.stateful_layer(init, apply, init_state)


# ------------------------------------------------------------------ names
def test_names_of_members():
    inner = nn.dense(2)
    for net, names in (
        (nn.serial(inner, np.tanh, ("out", nn.dense(1))), ["0_dense", "out"]),
        (nn.serial({"a": inner, "b": nn.dense(1)}), ["a", "b"]),
        (nn.serial(inner, last=nn.dense(1)), ["0_dense", "last"]),
        (nn.serial(nn.serial(inner), nn.remat(inner)), ["0_serial", "1_dense"]),
        (nn.serial(lambda x: x, nn.prelu()), ["1_prelu"]),
    ):
        _, params = net.init(KEY, (-1, 4))
        assert list(params) == names
        net.apply(params, X)


def test_one_name_for_two_layers_is_refused_and_for_one_layer_shares():
    with pytest.raises(ArgumentError, match="two different layers of the name 'a'"):
        nn.serial(("a", nn.dense(2)), ("a", nn.dense(2)))
    one = nn.dense(4)
    net = nn.serial(("a", one), np.tanh, ("a", one))
    _, params = net.init(KEY, (-1, 4))
    assert list(params) == ["a"]
    w, b = params["a"]["weight"], params["a"]["bias"]
    np.testing.assert_allclose(net.apply(params, X), np.tanh(X @ w + b) @ w + b)
    with pytest.raises(ShapeError, match=r"at \['a'\]: parameters of the shapes"):
        nn.serial(("a", one), lambda x: x[..., :2], ("a", one)).init(KEY, (-1, 4))


def test_what_is_no_layer():
    for bad in (3, "dense", (1, 2), dict, [nn.dense(2)]):
        with pytest.raises(ArgumentError, match="wants layers: pairs"):
            nn.serial(nn.dense(2), bad)


def test_parameters_of_members_do_not_depend_on_what_follows():
    first = nn.serial(nn.dense(3), nn.dense(2)).init(KEY, (-1, 4))[1]
    longer = nn.serial(nn.dense(3), nn.dense(2), nn.dense(1)).init(KEY, (-1, 4))[1]
    assert tree.all(tree.map(np.array_equal, first, {k: longer[k] for k in first}))
    assert not np.array_equal(*(v["weight"].ravel()[:6] for v in first.values()))


# ------------------------------------------------------------------ values
def test_what_the_combinators_compute():
    f, g = np.tanh, np.square
    assert nn.parallel(f, g).init(None, ((-1, 2), (-1, 3))) == (((-1, 2), (-1, 3)), {})
    for net, want in (
        (nn.serial(f, g), g(f(X))),
        (nn.residual(f, g), X + g(f(X))),
        (nn.residual(f, shortcut=g), g(X) + f(X)),
        (nn.repeat(f, 3), f(f(f(X)))),
        (nn.repeat(f, 0), X),
        (nn.serial(nn.branch(f, g), nn.fan_in_sum()), f(X) + g(X)),
        (nn.serial(nn.fan_out(2), nn.parallel(f, g), nn.fan_in_mul()), f(X) * g(X)),
        (nn.network(lambda run, x: run("f", run("g", x)) + x, f=f, g=g), f(g(X)) + X),
    ):
        np.testing.assert_allclose(net.apply({}, X), want)
        assert net.init(None, (-1, 4))[0] == (-1, 4)


def test_a_network_of_any_flow():
    def flow(run, x):
        a, b = x
        return run("head", np.concatenate([run("same", a), run("same", b)], -1))

    net = nn.network(flow, same=nn.dense(3), head=nn.dense(2))
    shape, params = net.init(KEY, ((-1, 4), (-1, 4)))
    assert shape == (-1, 2)
    assert tree.map(np.shape, params)["head"]["weight"] == (6, 2)
    assert net.apply(params, (X, X)).shape == (5, 2)
    with pytest.raises(ArgumentError, match=r"run\('tail'(.|\n)*'same', 'head'"):
        nn.network(lambda run, x: run("tail", x), same=nn.dense(3), head=nn.dense(2)).init(
            KEY, (1, 2)
        )
    with pytest.raises(ArgumentError, match="wants a function flow"):
        nn.network(nn.dense(3))


def test_inputs_of_another_number():
    with pytest.raises(ShapeError, match="tuple of 2 inputs"):
        nn.parallel(np.tanh, np.tanh).init(None, (-1, 4))
    with pytest.raises(ShapeError, match=r"tuple of 2 inputs(.|\n)*float64 array"):
        nn.parallel(np.tanh, np.tanh).apply({}, X)
    with pytest.raises(ShapeError, match="adds two values of one shape"):
        nn.residual(nn.dense(3)).init(KEY, (-1, 4))


# ------------------------------------------------------------------ keys and keywords
def test_each_layer_has_a_key_of_its_own():
    net = nn.serial(("a", noise()), ("b", nn.serial(noise(), noise())))
    with random.check_reuse():
        y = net.apply({}, X, key=KEY)
    one = noise().apply({}, X, key=random.fold_in(KEY, 0))
    assert not np.allclose(y, one)
    again = nn.serial(noise()).apply({}, X, key=KEY)
    np.testing.assert_array_equal(again, one)


def test_a_shared_layer_has_another_key_each_time():
    one = noise()
    for net in (nn.serial(("n", one), ("n", one)), nn.repeat(one, 2, shared=True)):
        with random.check_reuse():
            net.apply({}, X, key=KEY)


def test_keywords_go_to_those_that_take_them():
    net = nn.serial(nn.dense(4), masked(), nn.serial(noise(), masked()))
    _, params = net.init(KEY, (-1, 4))
    assert set(inspect.signature(net.apply).parameters) == {
        "params", "inputs", "key", "mask", "train"
    }  # fmt: skip
    assert np.all(net.apply(params, X, key=KEY, mask=False) == 0)
    assert np.any(net.apply(params, X, key=KEY, mask=False, train=True) != 0)
    with pytest.raises(ArgumentError, match=r"msk=(.|\n)*key=, mask=, train="):
        net.apply(params, X, key=KEY, msk=False)
    with pytest.raises(ArgumentError, match="no layer in it has state"):
        nn.serial(nn.dense(2)).apply(params, X, state={})
    fixed = nn.with_keywords(net, mask=False)
    assert np.all(fixed.apply(params, X, key=KEY) == 0)
    with pytest.raises(ArgumentError, match="takes key=, mask=, train="):
        nn.with_keywords(net, mxsk=False)


def test_init_and_init_state_use_each_key_once():
    shared = nn.dense(4)
    net = nn.serial(
        nn.dense(4), nn.network(lambda run, x: run("u", run("u", x)), u=nn.dense(4)),
        ("s", shared), ("s", shared), nn.spectral_norm(nn.dense(4)), nn.repeat(nn.dense(4), 2),
        nn.ensemble(nn.dense(4), 2),
    )  # fmt: skip
    with random.check_reuse():
        net.init(KEY, (-1, 4))
        net.init_state(KEY, (-1, 4))


# ------------------------------------------------------------------ state
def test_state_goes_in_and_comes_out():
    net = nn.serial(counter(), nn.serial(np.negative, ("n", counter())), nn.dense(1))
    assert isinstance(net, StatefulLayer)
    state = net.init_state(None, (-1, 4))
    assert state == {"0_counter": {"calls": 0}, "1_serial": {"n": {"calls": 0}}}
    _, params = net.init(KEY, (-1, 4))
    assert list(params) == ["2_dense"]
    _, new = net.apply(params, X, state=state)
    assert tree.leaves(new) == [1, 1]
    assert tree.leaves(state) == [0, 0]
    with pytest.raises(ArgumentError, match=r"serial has state(.|\n)*init_state"):
        net.apply(params, X)
    with pytest.raises(TreeError, match=r"wants its state as a dict of '0_counter', '1_serial'"):
        net.apply(params, X, state={"0_counter": {"calls": 0}})


def test_state_of_shared_layers_and_of_all_combinators():
    one = counter()
    net = nn.serial(("c", one), ("c", one))
    y, state = net.apply({}, np.zeros(2), state=net.init_state(None, (2,)))
    assert state == {"c": {"calls": 2}}
    np.testing.assert_array_equal(y, 1)
    for make in (nn.branch, nn.residual, nn.repeat, nn.remat, nn.ensemble, nn.layer_stack):
        extra = (3,) if make in (nn.repeat, nn.ensemble, nn.layer_stack) else ()
        net = make(nn.batch_norm(), *extra)
        assert isinstance(net, StatefulLayer)
        _, params = net.init(KEY, (-1, 4))
        state = net.init_state(KEY, (-1, 4))
        _, new = net.apply(params, X, state=state, train=True)
        assert tree.map(np.shape, new) == tree.map(np.shape, state)
    assert isinstance(nn.serial(nn.dense(1), np.tanh), Layer)


def test_state_has_no_gradient_and_is_an_auxiliary_output():
    net = nn.serial(nn.dense(3), nn.batch_norm())
    _, params = net.init(KEY, (-1, 4))
    state = net.init_state(KEY, (-1, 4))

    def loss(params, state):
        y, state = net.apply(params, X, state=state, train=True)
        return np.mean(y**4), state

    grads, new = fgrad.grad(loss, has_aux=True)(params, state)
    assert tree.structure(grads) == tree.structure(params)
    assert type(new["1_batch_norm"]["mean"]) is np.ndarray


# ------------------------------------------------------------------ errors that say where
def test_errors_name_the_layer_by_its_path():
    net = nn.serial(("body", nn.serial(nn.dense(3), nn.residual(("d", nn.dense(3))))), nn.dense(1))
    _, params = net.init(KEY, (-1, 4))
    path = r"at \['body'\]\['1_residual'\]\['d'\]\['weight'\]: a float64 array of shape \(2, 2\)"
    bad = tree.map(lambda p: p, params)
    bad["body"]["1_residual"]["d"]["weight"] = np.ones((2, 2))
    with pytest.raises(ShapeError, match=f"dense wants the parameter 'weight'(.|\n)*{path}"):
        net.apply(bad, X)
    with pytest.raises(
        ShapeError, match=r"at \['body'\]\['0_dense'\]: a float64 array of shape \(5, 3\)"
    ):
        net.apply(params, X[:, :3])
    with pytest.raises(TreeError, match=r"at \['body'\]: a dict of 'weight', 'bias'"):
        net.apply({**params, "body": params["1_dense"]}, X)
    with pytest.raises(TreeError, match="a dict of 'nobody'"):
        net.apply({"nobody": params}, X)
    with pytest.raises(TreeError, match=r"at \['1_dense'\]: a dict of nothing"):
        net.apply({"body": params["body"]}, X)
    with pytest.raises(ArgumentError, match=r"at \['body'\]\['0_dense'\]: None"):
        net.init(None, (-1, 4))


def test_errors_of_numpy_get_a_note():
    net = nn.serial(("a", nn.serial(lambda x: x @ np.ones((7, 2)))))
    with pytest.raises(ValueError, match="matmul") as caught:
        net.apply({}, X)
    assert caught.value.__notes__ == ["in the layer at ['a']['0_function']"]


# ------------------------------------------------------------------ wrappers
def test_remat_gives_the_same_with_a_key():
    block = nn.serial(nn.dense(8), np.tanh, nn.dropout(0.5), nn.dense(4))
    _, params = block.init(KEY, (-1, 4))
    f, g = (
        fgrad.grad(lambda p, net=net: np.sum(net.apply(p, X, key=KEY, train=True) ** 2))(params)
        for net in (block, nn.remat(block))
    )
    tree.map(np.testing.assert_allclose, f, g)


def test_an_ensemble_is_the_stack_of_its_members():
    one = nn.serial(nn.dense(3), nn.dropout(0.5))
    net = nn.ensemble(one, 4)
    shape, params = net.init(KEY, (-1, 4))
    assert shape == (4, -1, 3)
    y = net.apply(params, X, key=KEY, train=True)
    for i, k in enumerate(random.split(KEY, 4)):
        mine = tree.map(lambda p, i=i: p[i], params)
        np.testing.assert_allclose(y[i], one.apply(mine, X, key=k, train=True))


def test_init_maps_over_keys():
    net = nn.serial(nn.conv1d(4, 3), nn.layer_norm(), nn.flatten(), nn.dense(2))
    keys = random.split(KEY, 3)
    params = fgrad.vmap(lambda k: net.init(k, (-1, 5, 2))[1])(keys)
    one = net.init(keys[1], (-1, 5, 2))[1]
    tree.map(lambda p, q: np.testing.assert_allclose(p[1], q, atol=1e-12), params, one)


def test_a_stack_of_layers_is_one_after_the_other():
    one = nn.serial(nn.dense(4), np.tanh)
    net = nn.layer_stack(one, 3)
    _, params = net.init(KEY, (-1, 4))
    want = X
    for i in range(3):
        want = one.apply(tree.map(lambda p, i=i: p[i], params), want)
    np.testing.assert_allclose(net.apply(params, X), want)


def test_with_dtype_computes_in_another_one():
    seen = []
    net = nn.with_dtype(nn.serial(nn.dense(3), lambda x: seen.append(x.dtype) or x), np.float32)
    _, params = net.init(KEY, (-1, 4))
    assert net.apply(params, X).dtype == np.float64
    assert seen[-1] == np.float32
    assert (
        fgrad.grad(lambda p: np.sum(net.apply(p, X)))(params)["0_dense"]["bias"].dtype == np.float64
    )


def test_weight_norm_starts_as_the_layer_and_spectral_norm_ends_at_norm_1():
    plain = nn.conv1d(3, 2)
    _, before = plain.init(KEY, (-1, 6, 2))
    net = nn.weight_norm(plain)
    _, params = net.init(KEY, (-1, 6, 2))
    x = random.normal(KEY, (2, 6, 2))
    np.testing.assert_allclose(net.apply(params, x), plain.apply(before, x))
    twice = {
        **params,
        "weight": {**params["weight"], "direction": 2 * params["weight"]["direction"]},
    }
    np.testing.assert_allclose(net.apply(twice, x), plain.apply(before, x))
    net = nn.spectral_norm(nn.dense(3, use_bias=False), steps=3)
    _, params = net.init(KEY, (-1, 4))
    state = net.init_state(KEY, (-1, 4))
    for _ in range(30):
        y, state = net.apply(params, np.eye(4), state=state, train=True)
    assert np.linalg.norm(y, 2) == pytest.approx(1)
    np.testing.assert_array_equal(net.apply(params, np.eye(4), state=state)[1]["u"], state["u"])
    for wrap in (nn.weight_norm, nn.spectral_norm, lambda net: nn.lora(net, 1)):
        net = wrap(nn.serial(nn.dense(2)))
        with pytest.raises(TreeError, match="wrap the single layer"):
            (net.init_state if len(net) == 3 else net.init)(KEY, (-1, 4))


def test_lora_starts_as_the_layer_and_trains_the_thin_matrices():
    plain, net = nn.dense(3), nn.lora(nn.dense(3), 2, alpha=4.0)
    _, params = net.init(KEY, (-1, 4))
    fixed = {**params, "weight": params["weight"]["fixed"]}
    np.testing.assert_allclose(net.apply(params, X), plain.apply(fixed, X))
    g = fgrad.grad(lambda p: np.sum(net.apply(p, X) ** 2))(params)
    assert not np.any(g["weight"]["fixed"])
    assert not np.any(g["bias"])
    assert np.any(g["weight"]["up"])


# ------------------------------------------------------------------ summary
def test_summary():
    shared = nn.dense(8)
    net = nn.serial(
        nn.conv2d(8, 3), nn.batch_norm(), nn.relu, nn.max_pool2d(2), nn.flatten(),
        ("head", nn.network(lambda run, x: run("u", x) + 1, u=nn.dense(8))),
        ("s", shared), ("s", shared), nn.dropout(0.1),
    )  # fmt: skip
    table = nn.summary(net, (-1, 8, 8, 1), np.float32)
    _, params = net.init(KEY, (-1, 8, 8, 1))
    assert table.parameters == nn.count_parameters(params) == table.rows[0].parameters
    assert table.bytes == 4 * table.parameters
    assert table.state_bytes == 2 * 8 * 4
    by_name = {row.name: row for row in table.rows}
    assert by_name["0_conv2d"].parameters == 9 * 8 + 8
    assert by_name["u (dense)"].output_shape == (-1, 8)
    assert by_name["s (dense), shared"].parameters == 0
    top = [r for r in table.rows if r.depth == 1]
    assert sum(r.parameters for r in top) == table.parameters
    text = str(table).splitlines()
    assert len({len(line) for line in text[:-1] if line.startswith("-")}) == 1
    assert text[0].split() == ["layer", "output", "shape", "parameters", "bytes"]
    assert text[-1] == "state  64"
    assert nn.summary(np.tanh, (-1, 3)).rows[0].output_shape == (-1, 3)
    with pytest.raises(fgrad.errors.ArgumentError, match="summary wants layers"):
        nn.summary({"weight": 1}, (-1, 3))
    single = nn.summary(nn.dense(2), (-1, 3))
    assert [r.name for r in single.rows] == ["dense"]


def test_errors_in_a_summary_leave_nothing_behind():
    with pytest.raises(FgradError):
        nn.summary(nn.serial(nn.serial(nn.dense(2)), nn.dense(2)), (3, -1))
    assert len(nn.summary(nn.serial(nn.dense(2)), (-1, 2)).rows) == 2
