"""The benchmarks run, and what they compare is the same derivative."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import measure, peers, workloads

ROOT = Path(__file__).parent.parent
TINY = [*workloads.tiny(), *workloads.tiny_chains()]


@pytest.mark.parametrize("work", TINY, ids=lambda work: work.name)
def test_fgrad_has_the_derivative_written_by_hand(work):
    by_hand, _ = peers.hand(work)
    for peer in (peers.fgrad, peers.fgrad_jit):
        by_fgrad, _ = peer(work)
        measure.check(by_fgrad(), by_hand(), work.tolerance)
        measure.check(by_fgrad(), by_hand(), work.tolerance)


def test_all_workloads_have_a_tiny_twin():
    assert {w.name for w in workloads.tiny()} == {w.name for w in workloads.workloads()}


def test_a_wrong_gradient_is_noticed():
    call, _ = peers.hand(TINY[0])
    value, gradient = call()
    with pytest.raises(measure.Mismatch, match="array 1 is off"):
        measure.check((value, [gradient[0] * 1.001, *gradient[1:]]), call(), 1e-7)
    with pytest.raises(measure.Mismatch, match="6 arrays instead of 7"):
        measure.check((value, gradient[1:]), call(), 1e-7)


def script(name, *args):
    """What a script prints, run as users run it."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(ROOT / "benchmarks" / name), *args]
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert "wrong" not in done.stdout
    return done.stdout


def test_run_prints_a_row_for_each_workload():
    out = script("run.py", "--tiny", "--peers", "hand,fgrad,fgrad.jit", "--seconds", "0.001")
    for work in TINY:
        assert work.title in out


def test_native_prints_a_row_for_each_workload():
    out = script("native.py", "--tiny", "--only", "kepler", "--seconds", "0.001")
    assert "| Kepler orbit, 3 Runge-Kutta steps |" in out


def test_profile_ops_prints_a_row_for_each_operation():
    out = script("profile_ops.py", "--only", "tanh,matmul", "--seconds", "0.001")
    assert out.count("tanh") == out.count("matmul") == 2


def test_per_example_prints_a_row_for_a_library():
    out = script("per_example.py", "--only", "fgrad", "--batch", "8", "--seconds", "0.001")
    assert out.splitlines()[-1].startswith("| fgrad |")
    assert out.splitlines()[-1].count("|") == 6
