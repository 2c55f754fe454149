"""One step of training, as a pure function of the state and a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

import fgrad
from fgrad import random, tree
from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, describe
from fgrad.tracebacks import boundary

from ..optimizers import GradientTransformation, apply_updates
from ..optimizers.records import rule_of
from .parallel import as_floats, as_parallel, averaged, check_same, shared_objective

PyTree = Any


class TrainState(NamedTuple):
    """All that changes while a network is trained; a pytree, made by `TrainState.create`."""

    params: PyTree
    """What is trained."""
    opt_state: PyTree
    """The optimizer's memory."""
    model_state: PyTree = None
    """The state of layers that have one, such as running means."""
    step: Any = 0
    """How many steps were made."""
    key: Any = None
    """A key of `fgrad.random`, from which that of each step is made."""

    @classmethod
    def create(
        cls, params: PyTree, optimizer: GradientTransformation, *, model_state: PyTree = None,
        key: Any = None,
    ) -> TrainState:  # fmt: skip
        """The state before the first step.

        >>> from fgrad_nn import sgd
        >>> TrainState.create([1.0], sgd(0.1)).step
        np.int64(0)
        """
        return cls(params, optimizer.init(params), model_state, np.int64(0), key)


class TrainStep:
    """A step of training; made by `train_step`.

    Attributes:
        compiled: the compiled function, whose ``explain()`` tells what was compiled; None if it
            isn't.
        parallel: how several ranks train together; None for one.
    """

    def __init__(
        self, advance: Callable[..., Any], jit: bool, parallel: Any = None,
        backend: str | None = None,
    ) -> None:  # fmt: skip
        self._advance, self._recordings = advance, 0
        self.parallel, self._begun = parallel, False

        def train_step(*args: Any) -> Any:  # the name in what the compiler tells
            self._recordings += 1
            return advance(*args)

        self.compiled = fgrad.jit(train_step, backend=backend) if jit else None

    @boundary
    def __call__(self, state: TrainState, batch: PyTree, key: Any = None) -> Any:
        """The next state, and a dict of metrics."""
        if not isinstance(state, TrainState):
            raise ArgumentError(
                "A step of training wants a TrainState.",
                describe(state),
                "make one by TrainState.create(params, optimizer)",
            )
        if self.parallel is not None and not self._begun and _is_plain(state):
            self._check(state, "before the first step")
            self._begun = True
        result = self._run(state, batch, key)
        if self.parallel is not None and _is_plain(result):
            every = self.parallel.check_every
            if every is not None and int(result[0].step) % every == 0:
                self._check(result[0], f"after step {int(result[0].step)}")
        return result

    def _run(self, state: TrainState, batch: PyTree, key: Any) -> Any:
        if self.compiled is None:
            return self._advance(state, batch, key)
        before = self._recordings
        result = self.compiled(state, batch, key)
        again = self._recordings != before and _is_plain(result)
        if self.parallel is not None and _is_plain(result):
            again = self.parallel.comm.any(again)  # they take the step together, or not at all
        if again:
            # This result was computed while the program was recorded. The program's own may have
            # other last bits, and a run that is resumed here must have those of one that wasn't.
            result = self.compiled(state, batch, key)
        return result

    def _check(self, state: TrainState, when: str) -> None:
        if self.parallel.check_every is not None:
            check_same(self.parallel, state, when)


def _is_plain(result: PyTree) -> bool:
    kinds = (np.ndarray, np.generic, bool, int, float, complex)
    return all(is_a(x, kinds) for x in tree.leaves(result))


@boundary
def train_step(
    loss: Callable[..., Any], optimizer: GradientTransformation, *, has_aux: bool = False,
    has_state: bool = False, jit: bool = True, comm: Any = None, backend: str | None = None,
) -> TrainStep:  # fmt: skip
    """Make the function of one step: loss, gradient and update, compiled as one program.

    >>> from fgrad_nn import sgd
    >>> def loss(params, batch):
    ...     return np.mean((params["w"] * batch["x"] - batch["y"]) ** 2)
    >>> step = train_step(loss, sgd(0.1))
    >>> state = TrainState.create({"w": 0.0}, sgd(0.1))
    >>> state, metrics = step(state, {"x": np.ones(4), "y": np.full(4, 5.0)})
    >>> float(state.params["w"]), int(state.step), float(metrics["loss"])
    (1.0, 1, 25.0)

    Args:
        loss: ``loss(params, batch) -> value``, a real scalar. It also gets ``state=``, the state
            of the model, if ``has_state``; and ``key=``, if the training state or the call has a
            key.
        optimizer: an optimizer of `fgrad_nn.optimizers`, or any pair (init, update). Its update
            also gets ``value=``, ``grad=`` and ``value_fn=``, for line searches and their like.
        has_aux: whether the loss returns ``(value, aux)``, with a dict of more metrics.
        has_state: whether it returns ``(value, new_state)``; with both ``(value, (new_state,
            aux))``.
        jit: whether the step is compiled by `fgrad.jit`. Where arguments have new shapes, the
            first step is run twice: to record it, and as it is compiled, so that its bits don't
            depend on when that was done.
        comm: a communicator of `fgrad.distributed`, or `DataParallel`, whose ranks each take
            the step with a part of the batch (see `fgrad_nn.data.shard`) and the same state. The
            loss, its gradient, metrics and the state of the model are averaged over the ranks,
            by their numbers of examples. Each rank has its own key.
        backend: what the step is compiled to: "numpy", "native" or "auto", as for `fgrad.jit`.
            With "auto" a step becomes machine code after a while, with other last bits: a run
            that is resumed may then end a rounding error away from one that wasn't interrupted.

    Returns:
        ``step(state, batch, key=None) -> (state, metrics)``, a pure function. ``metrics`` is a
        dict of "loss" and what aux has. The key of a step is ``key``, or else is made of
        ``state.key`` and ``state.step``.

    Raises:
        ArgumentError: the loss is no function, or the optimizer none; there is a backend without
            jit; from the step, aux is no dict of metrics with names of their own.
        CommunicationError: the ranks' states differ.
    """
    if not callable(loss):
        raise ArgumentError(
            "train_step wants a function loss(params, batch).", describe(loss), "pass a function"
        )
    if backend is not None and not jit:
        raise ArgumentError(
            "train_step wants a backend only for a step that is compiled.",
            f"jit=False and backend={backend!r}",
            "leave out one of them",
        )
    update, crew = rule_of(optimizer), as_parallel(comm)

    def advance(state: TrainState, batch: PyTree, key: Any) -> tuple[TrainState, dict[str, Any]]:
        keywords: dict[str, Any] = {"state": state.model_state} if has_state else {}
        if key is None and state.key is not None:
            key = random.fold_in(state.key, state.step)
        if key is not None:
            keywords["key"] = key if crew is None else random.fold_in(key, crew.comm.rank)

        @functools.wraps(loss, updated=())  # errors tell its name and place
        def objective(params: PyTree) -> Any:
            out = loss(params, batch, **keywords)
            return out if has_aux or has_state else (out, None)

        (value, rest), grads = fgrad.value_and_grad(objective, has_aux=True)(state.params)
        new_state, aux = rest if has_state and has_aux else (rest, rest)

        def local_value(params: PyTree) -> Any:
            return objective(params)[0]

        value_fn: Callable[[PyTree], Any] = local_value
        if crew is not None:
            aux = as_floats(aux) if has_aux else None
            mine = value, grads, new_state if has_state else None, aux
            value, grads, new_state, aux = averaged(crew, batch, mine)
            value_fn = shared_objective(crew, batch, local_value)
        updates, opt_state = update(
            grads, state.opt_state, state.params, value=value, grad=grads, value_fn=value_fn,
        )  # fmt: skip
        params = apply_updates(state.params, updates)
        model_state = new_state if has_state else state.model_state
        metrics = {"loss": value, **(_metrics(aux) if has_aux else {})}
        return TrainState(params, opt_state, model_state, state.step + 1, state.key), metrics

    return TrainStep(advance, jit, crew, backend)


def _metrics(aux: Any) -> Mapping[str, Any]:
    names = list(aux) if isinstance(aux, Mapping) else [None]
    if not all(isinstance(name, str) and name != "loss" for name in names):
        raise ArgumentError(
            'train_step wants a dict of metrics as aux, with other names than "loss".',
            f"the names {', '.join(map(repr, names))}" if names != [None] else describe(aux),
            'return (value, {"accuracy": accuracy})',
        )
    return aux


@boundary
def evaluate(
    metrics: Callable[[Any, PyTree], Any], state: Any, data: Iterable[PyTree]
) -> dict[str, float]:
    """Average metrics over data, each batch with as much weight as it has examples.

    >>> from fgrad_nn.data import batches
    >>> evaluate(lambda scale, batch: {"mean": scale * np.mean(batch)}, 2.0,
    ...     batches(np.array([1.0, 2.0, 6.0]), 2))
    {'mean': 6.0}

    For `fit` that is ``validate=lambda state: evaluate(metrics, state, data)``; compile the
    metrics by `fgrad.jit` if they take long.

    Args:
        metrics: ``metrics(state, batch)``, which returns means over the examples of a batch: a
            dict of numbers, or a number, which is called "loss".
        state: what it needs, such as a `TrainState`.
        data: batches, by `fgrad_nn.data.batches` (of which one epoch is used, always the same) or
            in any iterable. The first axis of their first leaf counts the examples, or the mask
            if they are padded.

    Raises:
        ArgumentError: a metric is no number, or there are no batches.
    """
    if hasattr(data, "at"):
        data = data.at((0, 0), epochs=1)
    padded = getattr(data, "remainder", None) == "pad"
    totals: dict[str, float] = {}
    examples = 0
    for batch in data:
        n = int(np.sum(batch[1])) if padded else len(tree.leaves(batch)[0])
        for name, value in numbers(metrics(state, batch)).items():
            totals[name] = totals.get(name, 0.0) + n * value
        examples += n
    if not examples:
        raise ArgumentError(
            "evaluate wants at least one batch.", "none", "pass batches(...), or a list of batches"
        )
    return {name: total / examples for name, total in totals.items()}


def numbers(metrics: Any) -> dict[str, float]:
    """Metrics as Python floats.

    Raises:
        ArgumentError: one is no real number.
    """
    if not isinstance(metrics, Mapping):
        metrics = {"loss": metrics}
    out = {}
    for name, value in metrics.items():
        kind = np.dtype(getattr(value, "dtype", type(value))).kind
        if not is_a(value, float) and (np.shape(value) != () or kind not in "fiub"):
            raise ArgumentError(
                "A metric must be one real number.",
                f"{name!r}: {describe(value)}",
                "average it, for example by np.mean",
            )
        out[str(name)] = float(value)
    return out
