"""Policies of `fgrad.checkpoint`: which values to keep for the way back.

>>> import numpy as np
>>> from fgrad import checkpoint_policies
>>> from fgrad.checkpointing import checkpoint
>>> layer = checkpoint(lambda w, x: np.tanh(w @ x), policy=checkpoint_policies.dots)
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as _field

#: Products of matrices and tensors, whose results cost more than the memory they take.
_DOTS = frozenset({"dot", "einsum", "matmul"})


@dataclass(frozen=True)
class Policy:
    """Which results are kept: those of some operations, or of all, and values with names."""

    operations: frozenset[str] = frozenset()
    names: frozenset[str] = _field(default=frozenset())
    all_operations: bool = False

    def keeps(self, operation: str) -> bool:
        """Whether the result of an operation is kept."""
        return self.all_operations or operation in self.operations


#: Keep the arguments alone; `jax.checkpoint_policies.nothing_saveable`.
nothing = Policy()
#: Keep the results of products (matmul, dot, einsum, ...); JAX's `dots_saveable`.
dots = Policy(_DOTS)
#: Keep the results of all operations; JAX's `everything_saveable`.
everything = Policy(all_operations=True)


def names(*which: str) -> Policy:
    """Keep values that passed through `checkpoint_name`; JAX's `save_only_these_names`.

    >>> sorted(names("hidden", "scores").names)
    ['hidden', 'scores']
    """
    return Policy(names=frozenset(which))
