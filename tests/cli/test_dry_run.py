"""`--dry-run`: what is printed of a pair before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from calling import TOY, Kdrun

CONV = (*TOY[:4], "teacher=conv_m", "student=conv_s", "dataset.source.size=12")


def _rows(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()]


def test_layers_adapters_costs_and_memory_of_the_pair_are_printed(kdrun: Kdrun, tmp_path: Path) -> None:
    printed = kdrun("distill", *CONV, "knowledge=[response/kd,feature/fitnet]", "--dry-run")
    rows = _rows(printed.out)
    assert printed.code == 0
    assert ["kd", "logits", "logits"] in rows
    assert ["fitnet", "stage2", "16x3x3", "stage2", "64x3x3"] in rows
    assert ["fitnet.regressor", "16x3x3", "->", "64x3x3", f"{16 * 64 + 2 * 64:,}"] in rows
    assert ["student", "conv_s", "6,668", "104,512"] in [row[:4] for row in rows]
    assert "memory of a training step (20 examples, fp32): about" in printed.out
    assert not (tmp_path / "outputs").exists()


def test_the_plan_comes_last(kdrun: Kdrun) -> None:
    assert kdrun("distill", *CONV, "seeds=[0]", "--dry-run").out.splitlines()[-1].startswith("plan: 1 teacher new")


def test_a_pair_is_printed_once_however_many_points_share_it(kdrun: Kdrun) -> None:
    same = kdrun("sweep", *CONV, "tau=1,2,4", "alpha=0.5,0.9", "--dry-run").out
    other = kdrun("sweep", *TOY[:4], "teacher=mlp30", "student=mlp30,mlp64", "--dry-run").out
    assert (same.count("memory of a training step"), other.count("memory of a training step")) == (1, 2)


def test_for_a_teacher_only_its_own_part_is_printed(kdrun: Kdrun) -> None:
    printed = kdrun("train-teacher", *CONV, "--dry-run").out
    assert [row for row in _rows(printed) if row[:2] == ["teacher", "conv_m"]]
    assert not [row for row in _rows(printed) if row[:1] in (["student"], ["knowledge"])]


def test_at_alpha_0_the_student_is_described_alone(kdrun: Kdrun) -> None:
    printed = kdrun("distill", *CONV, "alpha=0", "--dry-run")
    assert printed.code == 0
    assert "knowledge  student" not in printed.out


@pytest.mark.parametrize(("has_bf16", "precision"), [(True, "bf16"), (False, "fp32")])
def test_auto_is_shown_and_trained_as_what_it_means_here(
    kdrun: Kdrun, monkeypatch: pytest.MonkeyPatch, has_bf16: bool, precision: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has_bf16}, raising=False)
    asked = ("distill", *TOY, "device=cpu", "seeds=[0]", "--dry-run")
    automatic, named = kdrun(*asked, "precision=auto").out, kdrun(*asked, f"precision={precision}").out
    assert automatic == named
    assert f"precision: {precision}\n" in automatic
