"""What growing work costs: sizes and ratios."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kdrun.bench import scaling
from kdrun.bench.scaling import Size, bench_scaling


def test_each_axis_grows_alone_and_ratios_are_of_medians(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def swept(arguments: Sequence[str]) -> tuple[float, float, float]:
        asked.append(tuple(arguments))
        taus, examples, epochs = (argument.partition("=")[2] for argument in arguments[1:])
        work = len(taus.split(",")) * int(examples) * int(epochs) / 1000
        first = len(asked) <= 12
        return (9 * work if first else work), 5.0, 100.0

    monkeypatch.setattr(scaling, "_swept", swept)
    measured = bench_scaling(["dataset=blobs"], Size(2, 50, 10), rounds=3, told=lambda _: None)
    assert len(asked) == 3 * 12
    assert asked[1] == ("dataset=blobs", "tau=1,2,3,4", "train_size=50", "train.student.epochs=10")
    assert [(run["axis"], run["factor"]) for run in measured["runs"][:5]] == [
        *(("points", factor) for factor in (1, 2, 4, 8)),
        ("examples", 1),
    ]
    assert [run["students_ratio"] for run in measured["runs"]] == pytest.approx([1, 2, 4, 8] * 3)
    assert [run["students_s"] for run in measured["runs"][:2]] == pytest.approx([1.0, 2.0])
