"""Networks of layers: each combinator makes one layer of many.

The parameters of a combination are a dict of those of its members, by name; members without
parameters are not in it. A member's name is its number and what it is, "0_dense", unless it is
given: `serial(("hidden", dense(8)), relu)`, `serial({"hidden": dense(8)})` or
`serial(hidden=dense(8))`. One name for the same layer in two places shares its parameters.
Members are layers, or functions of arrays such as `np.tanh`.

`key=` is split for the members that use it, `train=` and other keywords go to those that take
them. With a member that has state the combination is a `StatefulLayer`, else a `Layer`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fgrad.errors import ArgumentError, ShapeError, describe
from fgrad.tracebacks import boundary

from .activations import relu
from .initializers import Initializer
from .layers.conv import conv, depthwise_conv
from .layers.dense import dense
from .layers.dropout import dropout
from .layers.fans import several
from .layers.function import shapes_of, zeros
from .layers.making import count, is_shape, layer, shape_of
from .layers.members import Member, as_layer, combine, members_of, twice
from .types import AnyLayer, Layer, PyTree


@boundary
def serial(*layers: Any, **named: Any) -> AnyLayer:
    """Apply layers one after the other.

    >>> from fgrad import random
    >>> from fgrad_nn import dense
    >>> net = serial(dense(4), np.tanh, ("out", dense(1)))
    >>> shape, params = net.init(random.key(0), (-1, 3))
    >>> shape, list(params)
    ((-1, 1), ['0_dense', 'out'])
    >>> net.apply(params, np.ones((5, 3))).shape
    (5, 1)

    Args:
        *layers: layers or functions, pairs ("name", layer), or one dict of them.
        **named: more of them, by name.

    Returns:
        A `Layer`, or a `StatefulLayer` if one of them is one.

    Raises:
        ArgumentError: one is no layer, or two different ones have the same name.
    """
    members = members_of("serial", layers, named)
    return _chain("serial", members)


def _chain(name: str, members: list[Member]) -> AnyLayer:
    names = [m.name for m in members]

    def flow(run: Any, x: Any) -> Any:
        for which in names:
            x = run(which, x)
        return x

    return combine(name, members, flow)


@boundary
def parallel(*layers: Any, **named: Any) -> AnyLayer:
    """Apply each layer to an input of its own: a tuple comes in, a tuple goes out.

    >>> from fgrad_nn import fan_out, identity
    >>> net = serial(fan_out(2), parallel(identity(), np.negative))
    >>> net.apply({}, np.ones(2))
    (array([1., 1.]), array([-1., -1.]))

    Args, Returns, Raises: see `serial`.
    """
    members = members_of("parallel", layers, named)

    def shapes(run: Any, x: Any) -> Any:
        several(x, "parallel", len(members), shapes=True)
        return tuple(run(m.name, s) for m, s in zip(members, x, strict=True))

    def flow(run: Any, x: Any) -> Any:
        several(x, "parallel", len(members))
        return tuple(run(m.name, v) for m, v in zip(members, x, strict=True))

    return combine("parallel", members, flow, shapes)


@boundary
def branch(*layers: Any, **named: Any) -> AnyLayer:
    """Apply each layer to the same input; a tuple goes out.

    >>> branch(np.abs, np.negative).apply({}, np.ones(2))
    (array([1., 1.]), array([-1., -1.]))

    `fan_in_sum`, `fan_in_concat` and their like make one value of it.

    Args, Returns, Raises: see `serial`.
    """
    members = members_of("branch", layers, named)

    def flow(run: Any, x: Any) -> Any:
        return tuple(run(m.name, x) for m in members)

    return combine("branch", members, flow)


@boundary
def residual(*layers: Any, shortcut: Any = None, **named: Any) -> AnyLayer:
    """Add to the inputs what layers, one after the other, make of them: x + f(x).

    >>> residual(np.negative).apply({}, np.ones(2))
    array([0., 0.])

    Args:
        *layers: as for `serial`.
        shortcut: what is done with the inputs on the other way, for example `dense(n)` where f
            changes the shape; its parameters have the name "shortcut".
        **named: as for `serial`.

    Raises:
        ShapeError: the two to be added have different shapes.
    """
    members = members_of("residual", layers, named)
    names = [m.name for m in members]
    if shortcut is not None:
        extra = members_of("residual", [("shortcut", shortcut)], {})[0]
        if "shortcut" in names:
            raise ArgumentError(
                "residual wants a name for each of its layers.",
                "the name 'shortcut' twice",
                "call the layer on the longer way by another name",
            )
        members.append(extra._replace(number=len(members)))

    def both(run: Any, x: Any) -> tuple[Any, Any]:
        y = x
        for which in names:
            y = run(which, y)
        return (x if shortcut is None else run("shortcut", x)), y

    def shapes(run: Any, x: Any) -> Any:
        a, b = both(run, x)
        return _check_sum(a, b)

    def flow(run: Any, x: Any) -> Any:
        a, b = both(run, x)
        _check_sum(shape_of(a), shape_of(b))
        return a + b

    return combine("residual", members, flow, shapes)


def _check_sum(a: Any, b: Any) -> Any:
    if a != b or not is_shape(a):
        raise ShapeError(
            "residual adds two values of one shape.",
            f"the shape {a} by the short way, {b} through the layers",
            "let the layers keep the shape, or pass a shortcut=dense(...) that changes it too",
        )
    return a


@boundary
def repeat(item: Any, n: int, *, shared: bool = False) -> AnyLayer:
    """Apply a layer n times, each time with parameters of its own, or with shared ones.

    >>> from fgrad import random
    >>> from fgrad_nn import dense
    >>> _, params = repeat(dense(3), 2).init(random.key(0), (-1, 3))
    >>> list(params)
    ['0_dense', '1_dense']

    Args:
        item: a layer, or a function.
        n: how often. `layer_stack` keeps the parameters of all n in one array each.
        shared: whether all use the same parameters, which then have one name.
    """
    n = count(n, "repeat", "a number of times", 0)
    one = as_layer(item, "repeat")
    members = [(one.name, one)] * n if shared else [one] * n
    return _chain("repeat", members_of("repeat", members, {}))


@boundary
def mlp(
    features: Sequence[int],
    activation: Any = relu,
    *,
    final_activation: Any = None,
    use_bias: bool = True,
    dropout_rate: float = 0.0,
    weight_init: Initializer | None = None,
) -> AnyLayer:
    """Make a multilayer perceptron: dense layers with an activation after all but the last.

    >>> from fgrad import random
    >>> shape, params = mlp([16, 16, 2]).init(random.key(0), (-1, 8))
    >>> shape, list(params)
    ((-1, 2), ['0_dense', '2_dense', '4_dense'])

    Args:
        features: the number of features of each layer, the last one's included.
        activation: a function of an array, or a layer.
        final_activation: the same for the last layer; none if it isn't given.
        use_bias, weight_init: as for `dense`.
        dropout_rate: that of a `dropout` after each activation but the final one; none if 0.
    """
    parts: list[Any] = []
    for i, n in enumerate(features):
        parts.append(dense(n, use_bias=use_bias, weight_init=weight_init))
        if i < len(features) - 1:
            parts.append(activation)
            parts += [dropout(dropout_rate)] if dropout_rate else []
    if final_activation is not None:
        parts.append(final_activation)
    return _chain("mlp", members_of("mlp", parts, {}))


@boundary
def separable_conv(
    features: int, window: int | Sequence[int], *, multiplier: int = 1, dims: int | None = None,
    use_bias: bool = True, **options: Any,
) -> AnyLayer:  # fmt: skip
    """Convolve each channel by itself, then mix channels place by place: Chollet 2017.

    >>> from fgrad import random
    >>> _, params = separable_conv(16, (3, 3)).init(random.key(0), (-1, 8, 8, 4))
    >>> {name: p["weight"].shape for name, p in params.items()}
    {'depthwise': (3, 3, 1, 4), 'pointwise': (1, 1, 4, 16)}

    Args:
        features: the number of output channels.
        window, multiplier, dims: as for `depthwise_conv`.
        use_bias: whether the second step adds a bias.
        **options: strides, padding, dilation of the first step, and data_format, as for `conv`.
    """
    n = dims or (len(window) if isinstance(window, Sequence) else 0)
    first = depthwise_conv(window, multiplier=multiplier, dims=dims, use_bias=False, **options)
    form = options.get("data_format", "channels_last")
    second = conv(features, (1,) * n, use_bias=use_bias, data_format=form)
    named = {"depthwise": first, "pointwise": second}
    return _chain("separable_conv", members_of("separable_conv", [named], {}))


@boundary
def network(flow: Callable[..., Any], *layers: Any, **named: Any) -> AnyLayer:
    """Make a layer whose values take any way through its members.

    >>> from fgrad import random
    >>> from fgrad_nn import dense
    >>> def flow(run, x):
    ...     h = np.tanh(run("down", x))
    ...     return np.concatenate([run("up", h), x], axis=-1)
    >>> net = network(flow, down=dense(2), up=dense(3))
    >>> shape, params = net.init(random.key(0), (-1, 4))
    >>> shape, list(params)
    ((-1, 7), ['down', 'up'])

    Args:
        flow: `flow(run, inputs) -> outputs`, in which `run("name", x)` is what a member makes of
            x. At `init` it is called with zeros, twice, with batches of two sizes.
        *layers: as for `serial`; the names of those without one are "0_dense" and so on.
        **named: members by name.
    """
    if not callable(flow) or isinstance(flow, tuple):
        raise ArgumentError(
            "network wants a function flow(run, inputs) first.",
            describe(flow),
            "write one that calls run('name', x) for its members; for a chain there is serial",
        )
    members = members_of("network", layers, named)

    def checked(run: Any, x: Any) -> Any:
        def known(which: str, value: Any) -> Any:
            if which not in names:
                raise ArgumentError(
                    "network has only the members that it was made with.",
                    f"run({which!r}, ...)",
                    f"ask for one of {', '.join(map(repr, names))}",
                )
            return run(which, value)

        return flow(known, x)

    names = [m.name for m in members]

    def shapes(run: Any, input_shape: Any) -> Any:
        def run_zeros(which: str, x: Any) -> Any:
            return zeros(run(which, shapes_of(x)), np.float64)

        def once(shape: Any) -> Any:
            return shapes_of(checked(run_zeros, zeros(shape, np.float64)))

        return twice(once, input_shape, "network")

    return combine("network", members, checked, shapes)


@boundary
def shape_dependent(make: Callable[[Any], Any]) -> Layer:
    """Make a layer that depends on the shape of its inputs.

    >>> from fgrad_nn import identity
    >>> flatten_all = shape_dependent(lambda shape: lambda x: x.reshape(x.shape[0], -1))
    >>> flatten_all.init(None, (-1, 2, 3))
    ((-1, 6), {})

    Args:
        make: a function of the input shape to a layer without state, or to a function of arrays.
            The lengths of batch axes are -1 at `init` and known at `apply`; it must not depend on
            them.
    """

    def made(shape: Any) -> Layer:
        new = as_layer(make(shape), "shape_dependent")
        if not isinstance(new, Layer):
            raise ArgumentError(
                "shape_dependent wants a layer without state.",
                f"a StatefulLayer, {new.name}",
                "choose the layer before the network is made",
            )
        return new

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        return made(input_shape).init(key, input_shape, dtype)

    def apply(params: PyTree, inputs: Any, **kwargs: Any) -> Any:
        return made(shapes_of(inputs)).apply(params, inputs, **kwargs)

    return layer(init, apply)
