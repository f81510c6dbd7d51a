"""Runs that train side by side share tensors, whatever a user's code does to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from carrying import Watching, assert_same_runs, carry_out, lockstep, plan


@pytest.mark.parametrize(
    "typed", [("student=changes,conv_s",), ("student=conv_s", "knowledge=mine/writes,response/kd")]
)
def test_what_one_run_changes_in_place_no_other_sees(tmp_path: Path, typed: tuple[str, ...]) -> None:
    specs = plan("controls=[]", "dataset.source.size=12", *typed)
    assert carry_out(specs, tmp_path / "together") == []
    assert carry_out(specs, tmp_path / "alone", lockstep(max_group=1, stack_up_to=0)) == []
    assert_same_runs(tmp_path / "together", tmp_path / "alone")


def test_a_network_that_exits_is_a_run_that_fails(tmp_path: Path) -> None:
    specs, watching = plan("controls=[]", "student=changes", "student.exits=false,true"), Watching()
    lines = carry_out(specs, tmp_path, observer=watching)
    assert [spec.model.get("exits") for spec in watching.lost] == [True, True]
    assert all("SystemExit: 0 (" in line for line in lines)
    assert len(watching.ended) == 3
