"""`kdrun explain`."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from calling import TOY, Kdrun
from click.shell_completion import ShellComplete

from kdrun.cli import cli

OWN = TOY[:2]  # the toy data are of a class that is not kdrun's
CONTROLS = "controls=[class_mean,label_smoothing]"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An outputs folder with the runs of `kdrun distill` on the toy data."""
    from kdrun.cli import main

    outputs = tmp_path_factory.mktemp("trained") / "outputs"
    with pytest.raises(SystemExit) as ended:
        main(["distill", *TOY, "seeds=[0,1]", "tau=3", "alpha=0.6", CONTROLS, f"outputs={outputs}", "-q"])
    assert not ended.value.code
    return outputs


@pytest.fixture
def outputs(trained: Path, tmp_path: Path) -> Path:
    """A copy of it, where commands without outputs= look for it."""
    return Path(shutil.copytree(trained, tmp_path / "outputs"))


def _run(outputs: Path, kind: str) -> str:
    return sorted(path.name for path in (outputs / "runs").glob(f"{kind}-*"))[0]


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_writes_a_page_and_csv_beside_the_runs_and_leaves_the_runs_alone(kdrun: Kdrun, outputs: Path) -> None:
    before = _files(outputs / "runs")
    run = _run(outputs, "student")
    ended = kdrun("explain", *OWN, run)
    assert ended.code == 0, ended.err
    assert ended.out == f"outputs/explain/{run}/explain.html\n"
    assert _files(outputs / "runs") == before
    folder = outputs / "explain" / run
    assert {path.name for path in folder.iterdir()} == {
        "explain.html",
        "examples.csv",
        "classes.csv",
        "similarity.csv",
    }
    page = (folder / "explain.html").read_text(encoding="utf-8")
    assert f"kdrun explain --config-dir {OWN[1]} {run}" in page
    assert "://" not in page


def test_its_numbers_are_those_of_the_runs(kdrun: Kdrun, outputs: Path) -> None:
    run = _run(outputs, "student")
    assert kdrun("explain", *OWN, run, "tau=1").code == 0
    with (outputs / "runs" / run / "predictions.csv").open() as file:
        said = {row["id"]: float(row["confidence"]) for row in csv.DictReader(file)}
    with (outputs / "explain" / run / "examples.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["network"] == "student"]
    assert len(rows) > 40
    for row in rows:
        assert float(row["confidence"]) == pytest.approx(said[row["example"]], abs=2e-6)


def test_text_prints_tables_and_writes_nothing(kdrun: Kdrun, outputs: Path) -> None:
    before = _files(outputs)
    run = _run(outputs, "student")
    shown = kdrun("explain", *OWN, run, "--text")
    assert shown.code == 0, shown.err
    assert "tau 3, alpha 0.6" in shown.out
    baseline = re.search(r"baseline-\S+", shown.out)
    assert baseline
    assert (outputs / "runs" / baseline[0]).is_dir()
    seed = re.search(r"seed (\d)", shown.out.split("student mlp30", 1)[1])
    assert seed
    assert f"baseline mlp30, seed {seed[1]}" in shown.out
    assert _files(outputs) == before


def test_tau_alpha_and_the_example_can_be_chosen(kdrun: Kdrun, outputs: Path) -> None:
    first = kdrun("explain", *OWN, "--text", "tau=7", "alpha=0.2", _run(outputs, "student"))
    assert "tau 7, alpha 0.2" in first.out
    (example,) = re.findall(r"--example ID\): (\d+)", first.out)
    assert f"Test example {example}, labelled" in kdrun("explain", *OWN, "--text", "--example", example).out


def test_without_a_name_it_takes_the_run_that_was_finished_last(kdrun: Kdrun, outputs: Path) -> None:
    teacher = _run(outputs, "teacher")
    for path in (outputs / "runs").glob("student-*/result.json"):
        path.unlink()
    assert kdrun("explain", *OWN).out == f"outputs/explain/{teacher}/explain.html\n"
    shown = kdrun("explain", *OWN, "--text")
    assert "baseline" not in shown.out


def test_a_missing_baseline_is_said(kdrun: Kdrun, outputs: Path) -> None:
    for path in (outputs / "runs").glob("baseline-*"):
        shutil.rmtree(path)
    shown = kdrun("explain", *OWN, "--text")
    assert "The store has no baseline for this run" in shown.out


def test_a_control_is_shown_with_its_teacher(kdrun: Kdrun, outputs: Path) -> None:
    shown = kdrun("explain", *OWN, "--text", _control(outputs, has_teacher=True))
    assert shown.code == 0, shown.err
    assert "pull on" in shown.out
    assert "another loss than response/kd" in shown.out


def test_the_page_is_opened_on_request(kdrun: Kdrun, outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: not opened.append(address))
    assert kdrun("explain", *OWN, "--open").code == 0
    assert opened[0].startswith("file:///")
    assert opened[0].endswith("/explain.html")
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    refused = kdrun("explain", *OWN, "--open")
    assert refused.code == 2
    assert "open outputs/explain/" in refused.err


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (("taau=4",), "`kdrun explain` does not take 'taau'; did you mean tau?"),
        (("student=mlp30",), "does not take 'student'; it takes tau, alpha, device, data_root, outputs"),
        (("tau=0",), "tau must be > 0, got 0"),
        (("tau=1,2",), "tau has several values; give one"),
        (("alpha=1.5",), "alpha must be between 0"),
        (
            ("outputs=nowhere",),
            "no finished student or teacher to show under nowhere/runs; train one with `kdrun distill`",
        ),
        (("studnet",), "did you mean student-"),
        (("a", "b"), "shows one run, got 2: a, b"),
        (("student",), "'student' is the beginning of 2 runs"),
        (("--example", "99999"), "no test example has the id 99999; there are 80"),
    ],
)
@pytest.mark.usefixtures("outputs")
def test_a_mistake_is_answered_in_one_line(kdrun: Kdrun, arguments: tuple[str, ...], answer: str) -> None:
    ended = kdrun("explain", *OWN, *arguments)
    assert ended.code == 2
    assert answer in ended.err
    assert ended.err.count("\n") == 1


def test_a_run_without_a_teacher_is_not_explained(kdrun: Kdrun, outputs: Path) -> None:
    for run in (_run(outputs, "baseline"), _control(outputs, has_teacher=False)):
        ended = kdrun("explain", *OWN, run)
        assert ended.code == 2
        assert f"{run} has no teacher; name a distilled run or a teacher" in ended.err


def _control(outputs: Path, *, has_teacher: bool) -> str:
    described = {path.parent.name: json.loads(path.read_text()) for path in outputs.glob("runs/control-*/spec.json")}
    return next(run for run, spec in sorted(described.items()) if bool(spec["teacher"]) is has_teacher)


def test_tab_offers_runs_that_can_be_explained_and_keys(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    completer = ShellComplete(cli, {}, "kdrun", "_KDRUN_COMPLETE")

    def offered(*words: str) -> list[str]:
        return [item.value for item in completer.get_completions(list(words[:-1]), words[-1])]

    monkeypatch.chdir(outputs.parent)
    kinds = {name.partition("-")[0] for name in offered("explain", "") if "=" not in name}
    assert kinds == {"teacher", "student"}
    assert offered("explain", "al") == ["alpha="]
    assert offered("explain", "teach") == [_run(outputs, "teacher")]
    monkeypatch.chdir("/")
    assert offered("explain", "teach") == []
    assert offered("explain", f"outputs={outputs}", "teach") == [_run(outputs, "teacher")]
    assert offered("explain", "outputs", "=", str(outputs), "teach") == [_run(outputs, "teacher")]
