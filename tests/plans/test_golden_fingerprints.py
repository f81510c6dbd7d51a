"""Fingerprints that must stay: a change of one trains people's finished runs anew.

Where that is meant (raise SEMANTICS in kdrun/runs/spec.py, and say so in the changelog), write them again:

    python tests/plans/test_golden_fingerprints.py > tests/plans/golden_fingerprints.txt
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from kdrun.config.compose import Composer
from kdrun.config.grid import one_point
from kdrun.plans.build import comparison_plan

GOLDEN = Path(__file__).with_name("golden_fingerprints.txt")

# How the title of the run begins, and the command that plans it.
CASES = (
    ("teacher mlp300", ""),
    ("baseline mlp64", ""),
    ("control mlp64, teacher_free", ""),
    ("student mlp64 of mlp300", ""),
    ("control mlp64 of mlp300", "controls=[teacher_argmax]"),
    ("control mlp64 of mlp300", "controls=[class_mean]"),
    ("student mlp64 of mlp300", "tau=2 alpha=0.5 tau_schedule=linear alpha_schedule=cosine alpha_schedule.start=0"),
    ("student mlp64 of mlp300", "train_size=400 transfer=both cache.dtype=fp16 precision=bf16 data_seed=7"),
    ("student mlp64 of mlp300, omit 3+7, offset", "dataset.omit=[3,7]"),
    ("teacher mlp300x3", "teacher.members=3"),
    ("teacher mlp300x2_geometric", "teacher.members=2 teacher.mean=geometric"),
    ("teacher mlp300-specialist2of3", "teacher.specialists=3"),
    ("teacher mlp300+3specialists", "teacher.specialists=3"),
    ("teacher mlp64 of mlp300", "mode=assistant mode.path=[mlp64] student=mlp30"),
    ("student mlp64 of mlp64", "mode=born_again mode.generations=2"),
    ("student mlp64+mlp30", "mode=online mode.peers=[mlp30] tau=1"),
    ("teacher mlp300, peer 2", "mode=co_trained"),
    ("student conv_s, byot", "mode=byot student=conv_s"),
    ("student mlp64, ps_kd", "mode=ps_kd dataset=digits"),
    (
        "student resnet8 of resnet20",
        "dataset=cifar10 teacher=resnet20 student=resnet8 knowledge=[response/kd,feature/fitnet]",
    ),
    ("student mlp800 of mlp1200", "dataset=mnist teacher=mlp1200 student=mlp800 train=mnist tau=20 alpha=1"),
    ("student conv_s of conv_m", "dataset=image_folder teacher=conv_m student=conv_s knowledge=feature/simkd alpha=1"),
    (
        "student mlp30 of mlp300",
        "student=mlp30 knowledge.kd.weight=2 student.dropout=0.25 train.student.optimizer.lr=0.004",
    ),
)


def _description(config: Mapping[str, Any], _data_root: Path) -> dict[str, Any]:
    """Of a data set whose files nobody reads."""
    kept = {key: value for key, value in config.items() if key not in ("train_size", "omit")}
    places = {"places": {"folder": None}} if "folder" in config["source"] else {}
    return kept | {"content": {"files_sha256": "0123456789abcdef" * 4}} | places


def _fingerprint(title: str, command: str) -> str:
    composer = Composer()
    config = composer.config(one_point(("seeds=[1]", *command.split()), composer.groups, "distill"))
    with patch("kdrun.plans.build.dataset_description", _description):
        runs = comparison_plan([(config, "")]).runs
    return next(run.fingerprint for run in runs if run.title.startswith(title))


def _line(title: str, command: str) -> str:
    return f"{_fingerprint(title, command)}  {title} | {command}".rstrip(" |")


@pytest.mark.parametrize("case", CASES, ids=" | ".join)
def test_a_fingerprint_stays_from_version_to_version(case: tuple[str, str]) -> None:
    assert _line(*case) in GOLDEN.read_text(encoding="utf-8").splitlines()


def test_each_of_them_is_another_run() -> None:
    fingerprints = [line.partition(" ")[0] for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
    assert len(set(fingerprints)) == len(CASES)


if __name__ == "__main__":
    sys.stdout.writelines(f"{_line(*case)}\n" for case in CASES)
