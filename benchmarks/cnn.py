"""A training step of the network of `examples/cnn.py`: fgrad compiled, and PyTorch in eager mode.

    python -m benchmarks.cnn              # CPU time on one thread, medians of interleaved rounds
    python -m benchmarks.cnn --profile    # and where the time of the compiled step goes

Both do the same: the same layers, weights, batch of 64 digits in float32, mean cross entropy and
Adam. That they do is checked before: two steps without dropout, whose random numbers differ, must
have the same losses. PyTorch gets images as it likes them, channels first.
"""

from __future__ import annotations

import argparse
import collections
import importlib.util
import itertools
import time

from benchmarks import one_thread  # isort: skip  # before NumPy is loaded

import numpy as np

import fgrad_nn as nn
from benchmarks import measure
from fgrad import random

assert one_thread.DONE

BATCH, RATE = 64, 3e-3
SHAPE = (-1, 28, 28, 1)


def network(rate: float):
    """The layers of `examples/cnn.py`, with a share of dropout."""
    return nn.serial(
        ("conv1", nn.conv2d(16, 5, use_bias=False)),
        nn.batch_norm(),
        nn.max_pool2d(2),
        nn.relu,
        ("conv2", nn.conv2d(32, 3, use_bias=False)),
        nn.batch_norm(),
        nn.max_pool2d(2),
        nn.relu,
        nn.flatten(),
        ("dense1", nn.dense(128)),
        nn.relu,
        nn.dropout(rate),
        ("dense2", nn.dense(10)),
    )


def data():
    draw = np.random.default_rng(0)
    images = draw.random((BATCH, 28, 28, 1), dtype=np.float32)
    return images, draw.integers(10, size=BATCH)


class Ours:
    """The step as `fgrad_nn.train_step` compiles it."""

    def __init__(self, rate, jit=True, backend=None):
        net, (images, labels) = network(rate), data()
        _, params = net.init(random.key(0), SHAPE, np.float32)
        running = net.init_state(random.key(0), SHAPE, np.float32)

        def loss(params, batch, *, state, key):
            scores, state = net.apply(params, batch[0], state=state, key=key, train=True)
            return nn.cross_entropy(scores, batch[1]), state

        optimizer = nn.adam(RATE)
        self.batch = images, labels
        self.step = nn.train_step(loss, optimizer, has_state=True, jit=jit, backend=backend)
        self.state = nn.TrainState.create(params, optimizer, model_state=running, key=random.key(1))

    def __call__(self):
        self.state, metrics = self.step(self.state, self.batch)
        return float(metrics["loss"])


class Torch:
    """The same step in PyTorch, from the same weights."""

    def __init__(self, rate, params):
        import torch

        torch.set_num_threads(1)
        layer = torch.nn
        self.net = layer.Sequential(
            layer.Conv2d(1, 16, 5, padding=2, bias=False),
            layer.BatchNorm2d(16),
            layer.MaxPool2d(2),
            layer.ReLU(),
            layer.Conv2d(16, 32, 3, padding=1, bias=False),
            layer.BatchNorm2d(32),
            layer.MaxPool2d(2),
            layer.ReLU(),
            layer.Flatten(),
            layer.Linear(7 * 7 * 32, 128),
            layer.ReLU(),
            layer.Dropout(rate),
            layer.Linear(128, 10),
        )
        first, second = (params[name]["weight"] for name in ("dense1", "dense2"))
        # flattened, our places come before channels, and theirs behind them
        first = first.reshape(7, 7, 32, 128).transpose(3, 2, 0, 1).reshape(128, -1)
        ours = {
            "0.weight": params["conv1"]["weight"].transpose(3, 2, 0, 1),
            "4.weight": params["conv2"]["weight"].transpose(3, 2, 0, 1),
            "9.weight": first,
            "9.bias": params["dense1"]["bias"],
            "12.weight": second.T,
            "12.bias": params["dense2"]["bias"],
        }
        weights = {name: torch.tensor(np.ascontiguousarray(x)) for name, x in ours.items()}
        self.net.load_state_dict({**self.net.state_dict(), **weights})
        images, labels = data()
        self.images = torch.tensor(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
        self.labels = torch.tensor(labels)
        self.loss = layer.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(self.net.parameters(), RATE)

    def __call__(self):
        self.optimizer.zero_grad()
        loss = self.loss(self.net(self.images), self.labels)
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())


def check():
    """The two do the same: their losses agree, the second one after a step of each.

    Adam's first step is nearly the gradient's sign, and where that is 0 but for rounding, the two
    may go different ways: hence the greater tolerance.
    """
    ours = Ours(0.0)
    theirs = Torch(0.0, ours.state.params)
    for step, tolerance in enumerate((1e-5, 2e-3)):
        a, b = ours(), theirs()
        if not abs(a - b) <= tolerance * abs(b):
            raise measure.Mismatch(f"step {step}: a loss of {a}, and {b} by PyTorch")


#: What a line of the program calls, by its name, and the row of the profile it belongs to.
KINDS = {
    "convolve": "convolutions, forward",
    "convolve_back": "convolutions, to inputs",
    "correlate_windows": "convolutions, to weights",
    "window_max": "pools, forward",
    "window_pick_back": "pools, backward",
}


def profile(ours, calls):
    """The CPU time of each line of the compiled program in ms, the least of some calls."""
    ours()
    call = ours.state, ours.batch, None
    text = ours.step.compiled.source(*call)
    scope = dict(ours.step.compiled._spec_for(call, {}).code.__globals__)
    lines, timed, inside = [], [], False
    for line in text.split("\n"):
        # before each statement, loops as a whole; the time to the next one is its own. Parts of a
        # long program are functions of their own, whose statements are timed there.
        begins = line[:4] == "    " and line[4:5] not in ("", " ")
        if inside and begins and line.split()[0] not in ("except", "else:"):
            lines.append(f"    stamp_(({len(timed)}, clock_()))")
            timed.append(line.strip())
        if line.startswith("def "):
            inside = line.startswith(("def run(", "def chunk"))
        lines.append(line)
    stamps = []
    scope |= {"stamp_": stamps.append, "clock_": time.thread_time}
    exec(compile("\n".join(lines), "profile", "exec"), scope)
    laps = np.full((calls, len(timed)), np.nan)
    for lap in laps:
        stamps.clear()
        scope["run"](*call)
        for (number, begin), (_, end) in itertools.pairwise(stamps):
            lap[number] = end - begin
    ran = np.flatnonzero(~np.isnan(laps[0]))
    return [(timed[i], 1e3 * np.min(laps[:, i])) for i in ran]


def kind(line):
    """Which row a line belongs to."""
    name = line.partition("call_")[2].partition("(")[0]
    if name in KINDS:
        return KINDS[name]
    if name.startswith("random"):
        return "random numbers"
    if "dot(" in line or "matmul(" in line:
        return "matrix products and sums"
    return "elementwise, also Adam's"


def show_profile(ours, calls=30):
    totals = collections.Counter()
    for line, ms in profile(ours, calls):
        totals[kind(line)] += ms
    whole = sum(totals.values())
    for name, ms in totals.most_common():
        print(f"{name:28} {ms:6.2f} ms {ms / whole:6.0%}")
    print(f"{'sum of the least times':28} {whole:6.2f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--profile", action="store_true", help="tell where the time goes")
    options = parser.parse_args()
    check()
    ours = Ours(0.2)
    calls = {"torch eager": Torch(0.2, ours.state.params), "fgrad.jit": ours}
    if importlib.util.find_spec("llvmlite"):
        calls["fgrad, native"] = Ours(0.2, backend="native")
    calls["fgrad without jit"] = Ours(0.2, jit=False)
    print(f"{'a training step':20} {'CPU ms':>8} {'times torch':>12}")
    for name, timing in measure.interleave(calls, options.seconds).items():
        print(f"{name:20} {1e3 * timing.cpu:8.1f} {timing.cpu_ratio:12.2f}")
    if options.profile:
        show_profile(ours)


if __name__ == "__main__":
    main()
