"""Data-parallel training: the same as by one process, however many ranks there are."""

from __future__ import annotations

import re

import distributed

from .launching import HERE, ROOT, mpiexec

PROGRAM = HERE / "ranks_training.py"


def test_training_on_ranks_is_that_of_one_process():
    run = mpiexec(2, PROGRAM)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("holds") == 4


def test_a_run_goes_on_with_another_number_of_ranks(tmp_path):
    for ranks, case in ((2, "half"), (3, "rest"), (2, "damaged")):
        run = mpiexec(ranks, PROGRAM, case, tmp_path)
        assert run.returncode == 0, run.stdout + run.stderr
        assert case != "rest" or "went on 3" in run.stdout
    assert {path.suffix for path in tmp_path.iterdir()} == {".safetensors"}


ARGUMENTS = ["--epochs", "7", "--samples", "2000"]


def check_example(output, ranks, apart):
    many, alone = (
        [cell.strip() for cell in line.split("│")[1:-1]]
        for line in output.splitlines() if line.startswith("│")
    )  # fmt: skip
    assert many[0] == ranks
    assert many[3:7] == alone[3:7]  # the loss to nine digits, and the shares
    assert float(many[-1]) <= apart
    assert re.search(r"the same to the last bit on all ranks, after 105 steps", output)


def test_the_example_trains_to_the_same_parameters_on_two_ranks():
    run = mpiexec(2, ROOT / "examples" / "distributed.py", *ARGUMENTS)
    assert run.returncode == 0, run.stdout + run.stderr
    check_example(run.stdout, "2 ranks", 1e-12)


def test_the_example_runs_without_a_launcher(capsys):
    assert distributed.main(ARGUMENTS) == 0
    check_example(capsys.readouterr().out, "1 rank", 0.0)
