"""`kdrun compare`: how reports and runs are named, and what comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from calling import TOY, Kdrun
from click.shell_completion import ShellComplete

from kdrun.cli import cli


@pytest.fixture
def made(kdrun: Kdrun, tmp_path: Path) -> Kdrun:
    """Two comparable reports under outputs, and one with less data under elsewhere."""
    for given in (["tau=4"], ["tau=8"], ["train_size=60", "outputs=elsewhere"]):
        assert kdrun("distill", *TOY, "seeds=[0,1]", "controls=[]", *given).code == 0
    return kdrun


def _reports(outputs: Path) -> list[str]:
    return sorted(path.parent.name for path in outputs.glob("reports/*/report.json"))


def test_reports_and_runs_are_named_by_id_beginning_or_folder(made: Kdrun, tmp_path: Path) -> None:
    first, second = _reports(tmp_path / "outputs")
    (other,) = _reports(tmp_path / "elsewhere")
    shown = made("compare", first, second[:-3], f"elsewhere/reports/{other}")
    assert shown.code == 0, shown.err
    assert "is not paired with A kd tau=" in shown.out
    assert "training examples 60 against 100" in " ".join(shown.out.split())
    folder = shown.out.splitlines()[-1]
    assert folder.startswith("outputs/reports/compare-")
    assert {path.name for path in (tmp_path / folder).iterdir()} == {"side_by_side.csv", "side_by_side.md"}
    assert made("report").code == 0  # the new folder is no report

    seed_0 = [path.name for path in sorted(tmp_path.glob("outputs/runs/student-*")) if '"seed": 0' in _spec(path)]
    shown = made("compare", *seed_0, "--to", "mine")
    assert (shown.code, shown.out.splitlines()[-1]) == (0, "mine/")
    assert "one seed" in shown.out


def _spec(run: Path) -> str:
    return (run / "spec.json").read_text()


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], "takes 2 to 26 reports or runs, got 0"),
        (["distill"], "takes 2 to 26 reports or runs, got 1"),
        (["distill", "student"], "'distill' is the beginning of 2 reports"),
        (["student", "x"], "'student' is the beginning of 4 runs"),
        (["tracher", "x"], "no run 'tracher' under outputs/runs"),
        (["elsewhere/reports", "x"], "elsewhere/reports holds neither a report.json nor a result.json"),
        (["teacher", "teacher-mlp30"], "teacher-mlp30 is named twice"),
    ],
)
def test_a_name_that_is_not_one_report_or_run_is_answered_in_one_line(
    kdrun: Kdrun, tmp_path: Path, names: list[str], told: str
) -> None:
    for number in range(2):
        (tmp_path / "outputs" / "reports" / f"distill-{number}").mkdir(parents=True)
        (tmp_path / "outputs" / "reports" / f"distill-{number}" / "report.json").write_text("{}")
    for run in ("teacher-mlp30-0", *(f"student-mlp30-{number}" for number in range(4))):
        (tmp_path / "outputs" / "runs" / run).mkdir(parents=True)
        (tmp_path / "outputs" / "runs" / run / "result.json").write_text("{}")
    refused = kdrun("compare", *names)
    assert refused.code == 2
    assert refused.out == ""
    assert len(refused.err.splitlines()) == 1
    assert told in refused.err


def test_tab_offers_reports_and_runs_that_are_not_named_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("reports/distill-a/report.json", "reports/distill-b/report.json", "runs/student-c/result.json"):
        (tmp_path / "outputs" / path).parent.mkdir(parents=True)
        (tmp_path / "outputs" / path).touch()
    completer = ShellComplete(cli, {}, "kdrun", "_KDRUN_COMPLETE")
    offered = [item.value for item in completer.get_completions(["compare", "distill-a"], "")]
    assert offered == ["distill-b", "student-c"]
