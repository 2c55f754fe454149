"""The history of the benchmarks: what is a regression, and what is noise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import history


@pytest.mark.parametrize(
    ("old", "new", "worse"),
    [
        ([1.0, 1.01, 1.02], [1.2, 1.21, 1.25], True),
        ([1.0, 1.01, 1.3], [1.2, 1.21, 1.25], False),  # the ranges meet
        ([1.0, 1.01, 1.02], [1.03, 1.04, 1.05], False),  # apart, but by little
        ([1.2, 1.21, 1.25], [1.0, 1.01, 1.02], False),  # better
        ([1.0], [1.0], False),
    ],
)
def test_a_clear_regression_is_apart_and_large(old: Any, new: Any, worse: bool) -> None:
    (found,) = history.compared({"small/fgrad": old}, {"small/fgrad": new})
    assert found.clear(0.1) == worse
    assert ("worse" in history.table([found], 0.1)) == worse


def test_only_what_both_have_is_compared_the_worst_first() -> None:
    old = {"a": [1.0], "b": [1.0], "gone": [1.0]}
    new = {"a": [1.1], "b": [1.5], "made": [1.0]}
    assert [r.name for r in history.compared(old, new)] == ["b", "a"]


def test_turns_change_their_order() -> None:
    seen = []

    def measure(place: Path, options: Any) -> dict[str, Any]:
        seen.append(place.name)
        return {"about": "here", "ratios": {"a": float(len(seen))}}

    found = history.rounds({"x": Path("x"), "y": Path("y")}, 3, [], measure)
    assert seen == ["x", "y", "y", "x", "x", "y"]
    assert found["x"]["ratios"]["a"] == [1.0, 4.0, 5.0]


def test_records_of_other_machines_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    assert history.records(file) == []
    for k, about in enumerate(["here", "there"]):
        history.append(file, {"about": about, "commit": str(k), "ratios": {}})
    known = history.records(file)
    here = history.last_like(known, "here")
    assert here is not None
    assert here["commit"] == "0"
    assert history.last_like(known, "elsewhere") is None


@pytest.fixture
def measures(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Ratios that are measured, one for each call."""
    values: list[float] = []

    def measured(place: Path, options: Any) -> dict[str, Any]:
        return {"about": "here", "ratios": {"small/fgrad": values.pop(0)}}

    monkeypatch.setattr(history, "git", lambda *args: "0123456789abcdef")
    monkeypatch.setattr(
        history, "rounds", lambda places, times, options, f=history.rounds: f(
            places, times, options, measured
        )
    )  # fmt: skip
    return values


def test_the_command_fails_on_a_regression_and_records(
    measures: list[float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "history.jsonl"
    command = ["--history", str(file), "--times", "2", "--record"]
    measures += [1.0, 1.1, 1.05, 1.08, 1.5, 1.6]
    assert [history.main(command) for _ in range(3)] == [0, 0, 1]
    assert "+45.5%  worse" in capsys.readouterr().out  # 1.55 after 1.065
    commits = [json.loads(line)["commit"] for line in file.read_text().splitlines()]
    assert commits == ["0123456789abcdef"] * 3


def test_it_measures_this_checkout() -> None:
    found = history.measured(history.ROOT, ["--tiny", "--only", "small", "--seconds", "0.001"])
    assert set(found["ratios"]) == {"small/fgrad", "small/fgrad.jit"}
    assert all(0 < ratio < 100 for ratio in found["ratios"].values())
    assert "NumPy" in found["about"]
