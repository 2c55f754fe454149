"""What ranks agree on before numbers move: the operation, and each array's shape and dtype.

Ranks that disagree would wait for ever, or read each other's numbers as something else. So each
operation begins with a number that stands for all of this, the same on all ranks or else an error
on all of them. The number is computed once for each signature. It is compared at each call: a rank
that has seen a signature before can't know whether the others make the same call this time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import tree
from ..arrays import is_cupy
from ..core import Array
from ..errors import CommunicationError, article
from .transports import Local

Kinds = tuple[tuple[tuple[int, ...], np.dtype[Any], bool], ...]


@dataclass(frozen=True)
class Signature:
    """What an operation is, to all ranks.

    Attributes:
        name: the operation and its options.
        structure: the tree whose leaves the arrays are, or None.
        places: which of its leaves they are.
        kinds: shape, dtype, and whether it is on a GPU, for each array.
    """

    name: str
    structure: Any
    places: tuple[int, ...]
    kinds: Kinds

    @property
    def number(self) -> int:
        """62 bits that stand for it; never 0."""
        digest = hashlib.blake2b(self.text.encode(), digest_size=8).digest()
        return (int.from_bytes(digest, "little") >> 2) | 1

    @property
    def text(self) -> str:
        """A line for the operation, and one for each array."""
        if self.structure is None:
            paths = [""] * len(self.kinds)
        else:
            every = self.structure.accessors()
            paths = [tree.path_str(every[i]) for i in self.places]
        lines = [
            f"{article(dtype.name)} {dtype.name} array of shape {shape}"
            + (" on a GPU" if device else "")
            + (f" at {path}" if path else "")
            for (shape, dtype, device), path in zip(self.kinds, paths, strict=True)
        ]
        return "\n".join([self.name, *lines])


def kinds_of(xs: Sequence[Array]) -> Kinds:
    """Shape, dtype and place of arrays."""
    return tuple((x.shape, x.dtype, is_cupy(x)) for x in xs)


def difference(texts: dict[int, str]) -> str:
    r"""Where the texts of ranks first differ, and what each of them has there.

    >>> difference({0: "psum\na\nb", 1: "psum\na\nc", 2: "psum\na"})
    'b on rank 0; c on rank 1; nothing more on rank 2'
    """
    lines = {rank: text.split("\n") for rank, text in texts.items()}
    for k in range(max(map(len, lines.values()))):
        heres = {r: ls[k] if k < len(ls) else "nothing more" for r, ls in lines.items()}
        if len(set(heres.values())) > 1:
            ranks: dict[str, list[int]] = {}
            for rank, here in heres.items():
                ranks.setdefault(here, []).append(rank)
            return "; ".join(f"{here} on {_ranks(rs)}" for here, rs in ranks.items())
    return "the same on all ranks"


def _ranks(ranks: Sequence[int]) -> str:
    some = ", ".join(map(str, ranks[:4])) + ", ..." * (len(ranks) > 4)
    return f"rank{'s' * (len(ranks) > 1)} {some}"


class Agreement:
    """The signatures that a communicator knows, by their numbers."""

    def __init__(self, local: Local) -> None:
        self._local = local
        self._numbers: dict[Signature, int] = {}

    def number(self, s: Signature) -> int:
        """That of a signature."""
        number = self._numbers.get(s)
        if number is None:
            number = self._numbers[s] = s.number
        return number

    def check(self, s: Signature) -> None:
        """Meet all ranks.

        Raises:
            CommunicationError: they don't do the same, all of them; or some never come.
        """
        number = self.number(s)
        if self._local.extent(number, s.name) != (number, number):
            raise self._disagreement(s)

    def any(self, flag: bool) -> bool:
        """Meet all ranks, and tell whether one has the flag; in one message."""
        s = Signature("any", None, (), ())
        number = self.number(s)
        least, most = self._local.extent(number + flag, s.name)
        if not number <= least <= most <= number + 1:
            raise self._disagreement(s)
        return most > number

    def _disagreement(self, s: Signature) -> CommunicationError:
        texts = dict(enumerate(self._local.texts(s.text)))
        return _disagreement(s.name, difference(texts))

    def check_with(self, peer: int, s: Signature, tag: int, sends: bool) -> None:
        """Meet one rank, of which one is to send and the other to receive."""
        local, number = self._local, self.number(s)
        name = f"{'send to' if sends else 'recv from'} rank {peer}"
        if not local.agree_with(peer, number if sends else -number, tag, name):
            arrays = ", ".join(s.text.split("\n")[1:]) or "no arrays"
            mine = f"rank {local.rank} {'sends' if sends else 'receives'} {arrays}"
            both = sorted([mine, local.text_of(peer, mine, tag)])
            raise _disagreement(name, "; ".join(both))


def _disagreement(name: str, came: str) -> CommunicationError:
    what = name.split("(")[0].split(" ")[0]
    return CommunicationError(
        f"{what} wants arrays of the same structure, shapes and dtypes on all ranks, in the same "
        "order of calls.",
        came,
        "let all ranks make the same calls with arrays of the same shapes; where one has fewer "
        "examples than another, pad them",
    )
