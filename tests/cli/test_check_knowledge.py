"""`kdrun check-knowledge`: which terms it checks, what it prints, how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from calling import SUPPORT, Kdrun
from click.shell_completion import ShellComplete

from kdrun.cli import cli

OWN = ("--config-dir", str(SUPPORT / "conf"))
MISTAKES = {"minimum at equality", "no gradient to the teacher", "mean over the batch"}


def _states(out: str) -> dict[str, str]:
    """State by property, from the printed table."""
    known = ("pass", "FAIL", "does not apply")
    rows = ([cell.strip() for cell in line.split("  ") if cell.strip()] for line in out.splitlines())
    return {row[0]: row[1] for row in rows if len(row) > 1 and row[1] in known}


def test_a_term_of_kdruns_passes_every_property_that_applies(kdrun: Kdrun) -> None:
    ended = kdrun("check-knowledge", "response/logit_mse")
    states = _states(ended.out)
    assert ended.code == 0
    assert len(states) == 13
    assert [name for name, state in states.items() if state != "pass"] == ["gradient scale constant in tau"]
    assert ended.out.splitlines()[-1] == "logit_mse: every property that applies holds"


def test_a_users_wrong_loss_fails_the_properties_that_it_lacks(kdrun: Kdrun) -> None:
    ended = kdrun("check-knowledge", "mine/wrong", *OWN)
    states = _states(ended.out)
    assert (ended.code, ended.err) == (1, "")
    assert {name for name, state in states.items() if state == "FAIL"} == MISTAKES
    assert "the teacher's signals receive a gradient" in ended.out
    assert ended.out.splitlines()[-1] == "not to be trusted yet: wrong"


def test_a_users_right_loss_passes(kdrun: Kdrun) -> None:
    ended = kdrun("check-knowledge", "mine/right", *OWN)
    assert ended.code == 0
    assert "FAIL" not in ended.out


def test_without_a_name_every_term_has_its_line_and_the_wrong_one_its_table(kdrun: Kdrun) -> None:
    ended = kdrun("check-knowledge", *OWN)
    lines = [line.split()[0] for line in ended.out.splitlines() if " pass" in line and line[0] != " "]
    conf = Path(__file__).parents[2] / "conf" / "knowledge"
    assert set(lines) == {path.stem for path in conf.glob("*/*.yaml")} | {"right", "writes", "wrong"}
    assert set(_states(ended.out)) >= MISTAKES
    assert (ended.code, ended.out.splitlines()[-1]) == (1, "not to be trusted yet: failing, writes, wrong")


def test_overrides_reach_the_term(kdrun: Kdrun) -> None:
    assert kdrun("check-knowledge", "mine/right", "knowledge.right.power=3", *OWN).code == 0
    refused = kdrun("check-knowledge", "mine/right", "knowledge.right.power=0.5", *OWN)
    assert (refused.code, refused.err) == (2, "Error: power must be >= 1, got 0.5\n")


def test_the_name_may_be_typed_as_for_the_other_commands(kdrun: Kdrun) -> None:
    assert "kd: every property" in kdrun("check-knowledge", "knowledge=response/kd", "tau=8").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("kd",), "unknown knowledge 'kd'; did you mean knowledge=response/kd?"),
        (("response/kd", "knowledge.kd.tua=8"), "unknown key 'knowledge.kd.tua'; did you mean knowledge.kd.tau?"),
        (("response/kd", "knowledge.kd.tau=-1"), "tau must be > 0, got -1"),
        (("response/kd", "tau=1,2"), "use `kdrun sweep`"),
        (
            ("feature/fitnet", "knowledge.fitnet.teacher_layer=stage9"),
            "the teacher has no layer 'stage9'; choose one of",
        ),
        (("response/kd", "knowledge.kd._target_=my_loss.Absent"), "my_loss.Absent"),
    ],
    ids=lambda value: " ".join(value)[:40],
)
def test_bad_input_is_told_in_one_line(kdrun: Kdrun, arguments: tuple[str, ...], message: str) -> None:
    ended = kdrun("check-knowledge", *arguments)
    assert ended.code == 2
    assert message in ended.err
    assert len(ended.err.splitlines()) == 1
    assert ended.out == ""


def test_a_file_that_does_not_say_its_package_is_told_what_to_begin_with(kdrun: Kdrun, tmp_path: Path) -> None:
    own = tmp_path / "conf" / "knowledge"
    own.mkdir(parents=True)
    (own / "plain.yaml").write_text("_target_: my_loss.Right\nweight: 1.0\nwarmup_epochs: 0\npower: 2.0\n")
    ended = kdrun("check-knowledge", "plain", "--config-dir", str(tmp_path / "conf"))
    assert ended.code == 2
    assert "begin its file with `# @package knowledge.NAME`" in ended.err


def test_names_are_completed_with_a_users_own_among_them() -> None:
    def offered(arguments: list[str], begun: str) -> list[str]:
        complete = ShellComplete(cli, {}, "kdrun", "_KDRUN_COMPLETE")
        return [item.value for item in complete.get_completions(["check-knowledge", *arguments], begun)]

    assert offered([], "response/k") == ["response/kd"]
    assert offered(list(OWN), "mine/") == ["mine/failing", "mine/right", "mine/writes", "mine/wrong"]


def test_a_class_in_the_working_folder_is_found_by_the_installed_command(tmp_path: Path) -> None:
    own = tmp_path / "conf" / "knowledge" / "mine"
    own.mkdir(parents=True)
    (tmp_path / "lying_here.py").write_text((SUPPORT / "my_loss.py").read_text())
    (own / "here.yaml").write_text("# @package knowledge.here\n_target_: lying_here.Right\npower: 2.0\n")
    command = [str(Path(sys.executable).parent / "kdrun"), "check-knowledge", "mine/here", "--config-dir", "conf"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
