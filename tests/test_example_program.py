"""What all example programs share: their options and what they say to bad ones."""

from __future__ import annotations

import adversarial
import bending_space
import curve_fit
import fashion
import heat
import hmc
import laplace
import newton_cg
import pytest
import scalar_engine
import xor

EXAMPLES = {
    module.__name__: module
    for module in (
        adversarial, bending_space, curve_fit, fashion, heat, hmc, laplace, newton_cg,
        scalar_engine, xor,
    )
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_help_lists_the_options(name, capsys):
    with pytest.raises(SystemExit) as left:
        EXAMPLES[name].main(["--help"])
    assert left.value.code == 0
    printed = capsys.readouterr().out
    for text in ("--quick", "--out", "--no-progress"):
        assert text in printed


@pytest.mark.parametrize("name", sorted({*EXAMPLES} - {"laplace"}))
def test_bad_seeds(name, capsys):
    for seed in ("-1", "one"):
        with pytest.raises(SystemExit):
            EXAMPLES[name].main(["--seed", seed])
        assert f"wanted an integer >= 0, got '{seed}'" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "option"), [("fashion", "--rate"), ("adversarial", "--size")])
def test_numbers_above_zero(name, option, capsys):
    for text in ("0", "-1", "nan", "inf", "much"):
        with pytest.raises(SystemExit):
            EXAMPLES[name].main([f"{option}={text}"])
        assert f"wanted a number above 0, got '{text}'" in capsys.readouterr().err


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_folder_that_is_a_file(name, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert EXAMPLES[name].main(["--quick", "--out", str(tmp_path / "file")]) == 2
    assert "File exists" in capsys.readouterr().err
