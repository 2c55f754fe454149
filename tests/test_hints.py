"""What to type instead: hints that depend on the function that was called."""

import numpy as np
import pytest

from fgrad import grad
from fgrad.errors import TracerConversionError

RNG, STATE = np.random.default_rng(0), np.random.RandomState(0)


class Model:
    """A user's object with a generator."""

    def __init__(self):
        self.rng = np.random.default_rng(0)


M = Model()
RANDOM = r"fgrad\.random\.normal\(key, shape\)"
CALLS = {
    "np.random.normal": (lambda a: np.random.normal(a), RANDOM),
    "shape": (lambda a: np.sum(np.random.uniform(0.0, a, size=(2, 3))), RANDOM),
    "generator": (lambda a: 2.0 * RNG.gamma(a), RANDOM),
    "of an object": (lambda a: M.rng.normal(scale=a), RANDOM),
    "state": (lambda a: STATE.exponential(a), RANDOM),
    "choice": (lambda a: RNG.choice(2, p=np.stack([a, 1 - a])), RANDOM),
    "arange": (lambda a: np.sum(np.arange(0, a, 0.1)), r"start \+ step \* np\.arange\(n\)"),
    "range": (lambda a: next(a for _ in range(a)), r"fgrad\.fori_loop\(0, n, body, start\)"),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_error_says_what_to_type(name):
    f, hint = CALLS[name]
    with pytest.raises(TracerConversionError, match=hint):
        grad(f)(0.5)


def test_properties_are_not_read_again():
    reads = []

    class Sneaky:
        @property
        def draw(self):
            reads.append(1)
            return RNG.normal

    sneaky = Sneaky()
    with pytest.raises(TracerConversionError, match="NumPy's functions on the traced value itself"):
        grad(lambda a: sneaky.draw(a))(0.5)
    assert len(reads) == 1
