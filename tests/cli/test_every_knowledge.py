"""Every file of conf/knowledge trains a student from the command line, in both precisions."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest
from calling import TOY, Kdrun

CONF = Path(__file__).parents[2] / "conf" / "knowledge"
OPTIONS = sorted(path.relative_to(CONF).with_suffix("").as_posix() for path in CONF.glob("*/*.yaml"))

# Networks of one width, where a term needs them.
PAIRS = {"relation/fsp": ("teacher=resnet14", "student=resnet8")}
UNEQUAL = ("teacher=conv_m", "student=conv_s")


@pytest.mark.parametrize("option", OPTIONS)
def test_a_student_learns_by_it_with_finite_numbers(kdrun: Kdrun, tmp_path: Path, option: str) -> None:
    done = kdrun(
        "distill",
        *TOY[:4],
        *PAIRS.get(option, UNEQUAL),
        f"knowledge={option}",
        f"precision={('fp32', 'bf16')[OPTIONS.index(option) % 2]}",
        "dataset.source.size=12",
        "train.teacher.epochs=1",
        "train.student.epochs=1",
        "seeds=[0]",
        "controls=[]",
    )
    assert done.code == 0, done.err
    (folder,) = tmp_path.glob("outputs/runs/student-*")
    metrics = pd.read_csv(folder / "metrics.csv")
    name = option.partition("/")[2]
    labels = set() if option == "feature/simkd" else {"train_ce"}  # published without
    assert {"train_loss", f"train_{name}", "validation_accuracy"} | labels <= set(metrics.columns)
    measured = [*metrics.to_numpy(dtype=float).flatten(), *_numbers(folder / "result.json")]
    assert all(map(math.isfinite, measured))


def _numbers(path: Path) -> list[float]:
    result = json.loads(path.read_text())
    return [result[name] for name in ("test_accuracy", "test_nll", "test_ece")]
