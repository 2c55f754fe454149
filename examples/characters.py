"""Models of characters: a text as numbers, batches of it, a training loop, and samples.

`char_rnn.py` and `transformer.py` bring a `Model` each; here is what they share. A model gives
scores to the characters that may come next; its loss is the mean of -log2 of the probability that
it gave to the one that came, in bits for each character. Knowing nothing but the number of
characters n costs log2(n) bits.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import program

import fgrad
import fgrad_nn as nn

SONNETS = Path(__file__).with_name("sonnets.txt")
SHARE = 0.1  # of the text that is held out: its end
WINDOWS = 64  # of the held-out text at most, on which the loss is measured
CLIP, DECAY = 1.0, 0.1  # the greatest norm of a gradient; weight decay

Params = Any


class TextError(Exception):
    """The text can't be read or used."""


# The text -----------------------------------------------------------------------------------------


class Text(NamedTuple):
    """A text as numbers of its characters, the last part of it held out."""

    characters: str
    """All that occur, in order; the place is the number."""
    train: np.ndarray
    held_out: np.ndarray

    def encode(self, string: str) -> np.ndarray:
        """The numbers of characters.

        Raises:
            TextError: one doesn't occur in the text.
        """
        missing = sorted(set(string) - set(self.characters))
        if missing:
            raise TextError(
                f"The model knows the {len(self.characters)} characters of the text only; "
                f"it got: {''.join(missing)!r}. Begin with others."
            )
        return np.array([self.characters.index(c) for c in string], np.int64)

    def decode(self, ids: Iterable[Any]) -> str:
        """The characters that have these numbers."""
        return "".join(self.characters[i] for i in ids)


def from_string(string: str, length: int) -> Text:
    """Make a text of a string that is long enough for windows of `length` characters.

    Raises:
        TextError: it is too short.
    """
    cut = len(string) - int(SHARE * len(string))
    if len(string) - cut <= length:
        raise TextError(
            f"A text must have more than {round(length / SHARE)} characters, for windows of "
            f"{length}; it got: {len(string)}. Give a longer one."
        )
    characters = "".join(sorted(set(string)))
    places = {c: i for i, c in enumerate(characters)}
    ids = np.array([places[c] for c in string], np.int64)
    return Text(characters, ids[:cut], ids[cut:])


def read(path: Path, length: int) -> Text:
    """Read a text in UTF-8.

    Raises:
        TextError: there is none, or it is too short.
    """
    try:
        string = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TextError(f"{path} must be a text in UTF-8; {error}. Name another file.") from error
    return from_string(string, length)


def windows(ids: np.ndarray, starts: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Pieces of a text (n, length), and the characters that come after each of theirs."""
    pieces = ids[starts[:, None] + np.arange(length + 1)]
    return pieces[:, :-1], pieces[:, 1:]


def batch(key: Any, ids: np.ndarray, size: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows at random places: inputs and targets, both (size, length)."""
    starts = fgrad.random.randint(key, (size,), 0, len(ids) - length)
    return windows(ids, starts, length)


def held_out(text: Text, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of the held-out text, one after the other, or evenly spread if there are many."""
    last = len(text.held_out) - 1 - length
    count = min(1 + last // length, WINDOWS)
    return windows(text.held_out, np.linspace(0, last, count).astype(int), length)


def by_frequency(text: Text) -> float:
    """Bits for a held-out character when only the characters' frequencies are known.

    One is added to each count, so that a character that is new costs something finite.
    """
    counts = 1 + np.bincount(text.train, minlength=len(text.characters))
    return float(-np.mean(np.log2(counts / counts.sum())[text.held_out]))


# Samples ------------------------------------------------------------------------------------------


class Model(NamedTuple):
    """A network, and how it writes one character after the other."""

    name: str
    net: Any
    """A layer: from numbers (batch, time) to scores (batch, time, characters)."""
    begin: Callable[[], Any]
    """The memory before the first character, a tree of arrays."""
    advance: Callable[[Params, Any, Any], tuple[Any, Any]]
    """`advance(params, memory, character) -> (memory, scores)` of what may come next."""


def draw(key: Any, scores: Any, temperature: Any) -> Any:
    """A character by its score: the lower the temperature, the likelier are the likely ones."""
    return fgrad.random.categorical(key, scores / temperature)


Writer = Callable[[Params, Any, np.ndarray, int, float], np.ndarray]


def writer(model: Model) -> Writer:
    """The function `write(params, key, prompt, count, temperature)`: numbers of new characters."""

    @fgrad.jit
    def advance(params: Params, memory: Any, character: Any, key: Any, temperature: Any) -> Any:
        memory, scores = model.advance(params, memory, character)
        return memory, draw(key, scores, temperature)

    def write(
        params: Params, key: Any, prompt: np.ndarray, count: int, temperature: float
    ) -> np.ndarray:
        memory, written = model.begin(), list(prompt)
        for i, k in enumerate(fgrad.random.split(key, len(prompt) + count - 1)):
            memory, drawn = advance(params, memory, written[i], k, temperature)
            if i + 1 == len(written):
                written.append(drawn)
        return np.array(written[len(prompt) :], np.int64)

    return write


# Learning -----------------------------------------------------------------------------------------


class Plan(NamedTuple):
    """How a model is trained."""

    steps: int
    batch: int  # windows
    length: int  # of each
    every: int  # steps between two reports
    rate: float  # the greatest learning rate
    sample: int  # characters that each report shows


class Report(NamedTuple):
    """What is known after some steps."""

    step: int
    train: float  # bits, over the steps since the report before
    held_out: float  # bits
    seconds: float  # for a step
    speed: float  # characters sampled in a second


class Course(NamedTuple):
    """What happened in training."""

    bits: list[float]  # of each batch
    reports: list[Report]
    best: Params  # those with the lowest held-out loss


def loss_of(net: Any) -> Callable[..., Any]:
    """The loss in bits for each character; with a key that of training, with dropout."""

    def loss(params: Params, x: Any, y: Any, key: Any = None) -> Any:
        scores = net.apply(params, x, key=key, train=key is not None)
        return nn.cross_entropy(scores, y) * float(1 / np.log(2.0))

    return loss


def training(net: Any, plan: Plan) -> tuple[Any, Callable[..., Any]]:
    """The optimizer and a compiled step: loss, gradient, and Adam's update with decayed weights.

    The rate rises over a tenth of the steps and falls to zero along a cosine. The optimizer sees
    all parameters as one vector: that takes fewer operations.
    """
    rate = nn.schedules.warmup_cosine_decay_schedule(
        0.0, plan.rate, max(1, plan.steps // 10), plan.steps
    )
    adam = nn.adamw(rate, b2=0.99, weight_decay=DECAY)
    optimizer = nn.optimizers.flatten(nn.chain(nn.clip_by_global_norm(CLIP), adam))
    loss = loss_of(net)

    @fgrad.jit
    def step(params: Params, state: Any, x: Any, y: Any, key: Any) -> Any:
        bits, gradient = fgrad.value_and_grad(loss)(params, x, y, key)
        updates, state = optimizer.update(gradient, state, params)
        return nn.apply_updates(params, updates), state, bits

    return optimizer, step


def learn(
    model: Model, text: Text, plan: Plan, key: Any, *, temperature: float = 0.8,
    prompt: np.ndarray, say: Callable[[str], None], bar: Any,
) -> Course:  # fmt: skip
    """Train a model, and report now and then: the losses, how long it took, a sample."""
    first, batches, dropout, samples = fgrad.random.split(key, 4)
    _, params = model.net.init(first, (-1, plan.length), np.float32)
    optimizer, step = training(model.net, plan)
    measure, write = fgrad.jit(loss_of(model.net)), writer(model)
    state, test = optimizer.init(params), held_out(text, plan.length)
    write(params, samples, prompt, 3, temperature)  # compiled here, so that it isn't timed
    course = Course([], [], params)
    least, seconds, timed = np.inf, 0.0, 0
    for i in range(plan.steps):
        x, y = batch(fgrad.random.fold_in(batches, i), text.train, plan.batch, plan.length)
        begin = time.perf_counter()
        params, state, bits = step(params, state, x, y, fgrad.random.fold_in(dropout, i))
        if i:  # the first compiles
            seconds, timed = seconds + time.perf_counter() - begin, timed + 1
        course.bits.append(float(bits))
        bar.set_postfix_str(f"{bits:.2f} bits", refresh=False)
        bar.update()
        if (i + 1) % plan.every and i + 1 < plan.steps:
            continue
        begin = time.perf_counter()
        k = fgrad.random.fold_in(samples, i)
        sample = write(params, k, prompt, plan.sample, temperature)
        speed = plan.sample / (time.perf_counter() - begin)
        recent = course.bits[course.reports[-1].step if course.reports else 0 :]
        report = Report(
            i + 1, float(np.mean(recent)), float(measure(params, *test)),
            seconds / max(1, timed), speed,
        )  # fmt: skip
        course.reports.append(report)
        seconds, timed = 0.0, 0
        if report.held_out < least:
            least, course = report.held_out, course._replace(best=params)
        say(
            f"step {report.step}: {report.train:.2f} bits for a character, "
            f"{report.held_out:.2f} held out\n{indented(text.decode(sample))}\n"
        )
    return course


def indented(sample: str) -> str:
    """A sample as it is shown."""
    return "\n".join(f"    {line}" for line in sample.strip("\n").split("\n"))


# What is shown ------------------------------------------------------------------------------------


def show_table(model: Model, course: Course, text: Text) -> None:
    """Print a row for each report."""
    rows = [
        [
            f"{r.step}", f"{r.train:.3f}", f"{r.held_out:.3f}", f"{r.seconds * 1e3:.1f}",
            f"{r.speed:.0f}",
        ]
        for r in course.reports
    ]  # fmt: skip
    rows.append(["by frequency", "", f"{by_frequency(text):.3f}", "", ""])
    rows.append(["all alike", "", f"{np.log2(len(text.characters)):.3f}", "", ""])
    columns = ["step", "bits, train", "bits, held out", "ms a step", "sampled, characters/s"]
    program.table(model.name, columns, rows)


def picture(path: Path, model: Model, course: Course, text: Text) -> Path:
    """The loss of each batch, and that of the held-out text."""
    figure, (axes,) = program.canvas()
    steps = np.arange(1, len(course.bits) + 1)
    axes.plot(steps, course.bits, color=program.BLUE, linewidth=0.9, alpha=0.8, label="batches")
    reports = course.reports
    axes.plot(
        [r.step for r in reports], [r.held_out for r in reports], "o-", color=program.RED,
        label="held out",
    )  # fmt: skip
    axes.axhline(by_frequency(text), color=program.INK, linewidth=0.8, linestyle="--")
    axes.annotate(
        "by frequency alone", (1.0, by_frequency(text)), xycoords=("axes fraction", "data"),
        xytext=(0, 4), textcoords="offset points", ha="right", color=program.INK,
    )  # fmt: skip
    axes.set_ylim(0)
    axes.set_xlabel("step")
    axes.set_ylabel("bits for each character")
    axes.set_title(model.name, loc="left", fontsize=13)
    axes.legend(frameon=False)
    return program.save(figure, path)


# The program --------------------------------------------------------------------------------------


def positive(text: str) -> float:
    """A parser of numbers above zero."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < np.inf:
        raise argparse.ArgumentTypeError(f"wanted a number > 0, got {text!r}")
    return number


def parser(description: str, folder: str) -> argparse.ArgumentParser:
    """The options of a program that learns characters."""
    options = program.parser(description, folder)
    options.add_argument("--data", type=Path, default=SONNETS, help="a text; default: sonnets")
    options.add_argument("--steps", type=program.at_least(1), help="how many batches to learn from")
    options.add_argument("--temperature", type=positive, default=0.8, help="of the samples")
    options.add_argument("--prompt", help="what samples go on from; default: the start of a line")
    return options


class Done(NamedTuple):
    """What a program has made."""

    text: Text
    model: Model
    params: Params  # the best
    picture: Path


def work(
    chosen: argparse.Namespace, plan: Plan, make: Callable[[int], Model], picture_name: str
) -> Done:
    """Read the text, train, show how it went, write a last sample."""
    if chosen.steps:
        plan = plan._replace(steps=chosen.steps)
    text = read(chosen.data, plan.length)
    start = "\n" if "\n" in text.characters else text.decode(text.train[:1])
    prompt = text.encode(chosen.prompt or start)
    model = make(len(text.characters))
    learnt, last = fgrad.random.split(fgrad.random.key(chosen.seed))
    print(
        f"{chosen.data.name}: {len(text.train)} characters to learn from, {len(text.held_out)} "
        f"held out, {len(text.characters)} different ones\n"
    )
    with program.bar(chosen, plan.steps, "step") as bar:
        course = learn(
            model, text, plan, learnt, temperature=chosen.temperature, prompt=prompt, bar=bar,
            say=lambda words: bar.write(words, file=sys.stdout),
        )  # fmt: skip
    show_table(model, course, text)
    best = min(course.reports, key=lambda r: r.held_out)
    count = nn.count_parameters(course.best)
    print(f"\n{count} parameters; at their best, after {best.step} steps, they write:\n")
    write = writer(model)
    sample = write(course.best, last, prompt, 2 * plan.sample, chosen.temperature)
    print(indented(text.decode(sample)) + "\n")
    return Done(text, model, course.best, picture(chosen.out / picture_name, model, course, text))


def run(
    options: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    work: Callable[[argparse.Namespace], Sequence[Path]],
) -> int:
    """`program.run`, with 2 for a text that can't be used."""
    try:
        return program.run(options, arguments, work)
    except TextError as error:
        print(error, file=sys.stderr)
        return 2
