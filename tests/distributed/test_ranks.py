"""Operations between ranks, on several of them; the programs are in `ranks_*.py`."""

from __future__ import annotations

import re
import time

import pytest

from .launching import HERE, mpiexec

ERRORS = HERE / "ranks_errors.py"


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_the_laws_hold(ranks):
    run = mpiexec(ranks, HERE / "ranks_laws.py")
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("holds") == 12


def test_ranks_that_disagree_all_get_the_same_error_and_go_on():
    run = mpiexec(2, ERRORS, "differ")
    assert run.returncode == 0, run.stdout + run.stderr
    three, two = "a float64 array of shape (3,)", "a float64 array of shape (2,)"
    assert dict(line.split(": ", 1) for line in run.stdout.splitlines()) == {
        "shape": f"{three} at ['b'] on rank 0; {two} at ['b'] on rank 1",
        "dtype": f"{three} at [1] on rank 0; a float32 array of shape (3,) at [1] on rank 1",
        "structure": f"{three} at ['a'] on rank 0; {three} at ['b'] on rank 1",
        "count": f"nothing more on rank 0; {three} at [1] on rank 1",
        "operation": "psum on rank 0; pmax on rank 1",
        "root": "broadcast on rank 0; broadcast(root=1) on rank 1",
        "perm": "ppermute(perm=[(0, 1)]) on rank 0; ppermute(perm=[(1, 0)]) on rank 1",
        "gather": f"{three} on rank 0; a float64 array of shape (4,) on rank 1",
        "scatter": "a float64 array of shape (2, 2) on rank 0; "
        "a float64 array of shape (2, 3) on rank 1",
        "transfer": f"rank 0 sends {three}; rank 1 receives a float64 array of shape (4,)",
        "both send": f"rank 0 sends {three}; rank 1 sends {three}",
    }


@pytest.mark.parametrize(
    ("case", "code", "said"),
    [
        ("absent", 1, r"psum wants all ranks that take part in it\.\n"
         r"  It got: rank 0 of 2, which has waited 0\.5 s for others\n"
         r"  To do: look at what they do instead"),
        ("forgetting", 1, r"wants arrays of the same structure.*\n"
         r"  It got: psum on rank 0; barrier on rank 1"),
        ("careless", 1, r"ValueError: the disk of this rank is full\nRank 1 of 2 has failed"),
        ("raises", 1, r"ValueError: the disk of this rank is full\nRank 1 of 2 has failed"),
        ("leaves", 7, r"Rank 1 of 2 has failed; all are ended\."),
        ("killed", 9, r"Killed \(signal 9\)"),
    ],
)  # fmt: skip
def test_a_rank_that_fails_ends_all_with_a_message(case, code, said):
    begin = time.monotonic()
    run = mpiexec(2, ERRORS, case)
    assert time.monotonic() - begin < 60  # the others would have waited for half an hour
    # mpiexec ends the other ranks by signal 9, and may tell that
    assert run.returncode in (code, 9), run.stdout + run.stderr
    assert re.search(said, run.stderr + run.stdout), run.stdout + run.stderr
