"""A training step of `examples/fashion.py`: by hand, by fgrad, compiled, and by torch.

    python benchmarks/classifier.py
    python benchmarks/classifier.py --seconds 60 --peers hand,jit

The network is 784-512-512-10 with rectifiers, cross entropy, and gradient descent on a batch of 64
in float32. A step is the loss, its gradient, and new parameters; torch writes into its parameters,
as its users do, the others return new arrays. All peers run in one process on one thread, in turns.
"""

from __future__ import annotations

import one_thread

assert one_thread.DONE  # its import comes before NumPy's

import argparse  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from measure import check, interleave  # noqa: E402

import fgrad  # noqa: E402

sys.path.append(str(Path(__file__).resolve().parents[1] / "examples"))
import fashion  # noqa: E402

RATE = 1e-3


def carried(step: Callable[..., Any], params: Any, X: Any, Y: Any) -> Callable[[], Any]:
    """A call that makes one step from where the last one ended, as training does."""
    at = [params]

    def call() -> Any:
        value, at[0] = step(at[0], X, Y)
        return value, at[0]

    return call


def torch_eager(params: list[np.ndarray], X: np.ndarray, Y: np.ndarray) -> Callable[[], Any]:
    """The same in torch's usual way."""
    import torch

    torch.set_num_threads(1)
    layers: list[Any] = []
    for W, b in zip(params[::2], params[1::2], strict=True):
        layer = torch.nn.Linear(*W.shape)
        layer.weight.data, layer.bias.data = torch.tensor(W.T.copy()), torch.tensor(b)
        layers += [layer, torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    loss_of = torch.nn.CrossEntropyLoss()
    images, classes = torch.tensor(X), torch.tensor(Y.argmax(axis=1))

    def call() -> Any:
        loss = loss_of(model(images), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        new = [p.detach() for p in model.parameters()]
        return loss.detach(), [p.T if p.ndim == 2 else p for p in new]

    return call


def calls(params: Any, X: Any, Y: Any) -> dict[str, Callable[[], Callable[[], Any]]]:
    """Each peer, to be made ready when it is wanted."""
    step = fashion.step_of(fgrad.value_and_grad(fashion.loss), RATE)
    return {
        "hand": lambda: carried(fashion.step_of(fashion.by_hand, RATE), params, X, Y),
        "fgrad": lambda: carried(step, params, X, Y),
        "jit": lambda: carried(fgrad.jit(step), params, X, Y),
        "native": lambda: carried(fgrad.jit(step, backend="native"), params, X, Y),
        "torch": lambda: torch_eager(params, X, Y),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=20.0, help="how long to measure")
    options.add_argument(
        "--peers", default="hand,fgrad,jit,native,torch", help="which, the first is 1"
    )
    chosen = options.parse_args()
    rng = np.random.default_rng(0)
    params = fashion.start(fgrad.random.key(0))
    X = rng.random((fashion.BATCH, 784), np.float32)
    Y = fashion.ONE_HOT[rng.integers(10, size=fashion.BATCH)]
    ready = calls(params, X, Y)
    peers = {name: ready[name]() for name in chosen.peers.split(",")}
    wanted = carried(fashion.step_of(fashion.by_hand, RATE), params, X, Y)
    for _ in range(3):
        expected = arrays(wanted())
        for call in peers.values():
            check(arrays(call()), expected, 1e-5)
    print("| step of training by | ms, CPU | ratio, CPU | ratio, wall |\n|---|---:|---:|---:|")
    for name, t in interleave(peers, chosen.seconds).items():
        print(f"| {name} | {t.cpu * 1e3:.2f} | {t.cpu_ratio:.2f} | {t.wall_ratio:.2f} |")


def arrays(result: Any) -> list[np.ndarray]:
    value, params = result
    return [np.asarray(value), *map(np.asarray, params)]


if __name__ == "__main__":
    main()
