"""What the Tab key offers, and what `kdrun options` lists."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from calling import SUPPORT, Kdrun
from click.shell_completion import ShellComplete

from kdrun.cli import cli

EXECUTOR_KEYS = ("name", "max_group", "memory_share", "stack_up_to", "state_every_s")


def _offered(*words: str) -> list[str]:
    completer = ShellComplete(cli, {}, "kdrun", "_KDRUN_COMPLETE")
    return [item.value for item in completer.get_completions(list(words[:-1]), words[-1])]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("dis",), ["distill"]),
        (("distill", "execut"), ["executor=", *(f"executor.{key}=" for key in EXECUTOR_KEYS)]),
        (("distill", "student=resnet5"), ["student=resnet50_cifar", "student=resnet56"]),
        (("distill", "tau=4", "knowledge=response/d"), ["knowledge=response/dist", "knowledge=response/dkd"]),
        (("distill", "train.student.optimizer.l"), ["train.student.optimizer.lr="]),
        (("sweep", "knowledge.kd.t"), ["knowledge.kd.tau="]),
        # bash splits words at =
        (("distill", "student", "=", "vgg1"), ["vgg11", "vgg13", "vgg16", "vgg19"]),
        (("distill", "cache", "="), ["auto", "off", "schedule", "table"]),
        (("distill", "tau", "=", "4", "dev"), ["device="]),
        (("distill", "device", "=", "cuda", ":", "1", "prec"), ["precision="]),
        (("distill", "-e", "contr"), ["controls"]),
        (("distill", "--config-dir", str(SUPPORT / "conf"), "dataset=b"), ["dataset=blobs"]),
        (("options", "kn"), ["knowledge"]),
        (("distill", "--dry"), ["--dry-run"]),
        (("distill", "cache=s"), ["cache=schedule"]),
        (("cache", "cl"), ["clear"]),
        (("distill", "nothing=x"), []),
    ],
)
def test_tab_offers_commands_groups_options_and_keys(words: tuple[str, ...], offered: list[str]) -> None:
    assert _offered(*words) == offered


def test_tab_offers_keys_after_a_value_that_bash_has_split(monkeypatch: pytest.MonkeyPatch, kdrun: Kdrun) -> None:
    monkeypatch.setenv("COMP_WORDS", "kdrun distill tau = 4 dev")
    monkeypatch.setenv("COMP_CWORD", "5")
    monkeypatch.setenv("_KDRUN_COMPLETE", "bash_complete")
    assert kdrun().out == "plain,device=\n"


def test_tab_offers_the_reports_there_are(kdrun: Kdrun, tmp_path: Path) -> None:
    for name in ("distill-a", "distill-b", "sweep-c"):
        (tmp_path / "outputs" / "reports" / name).mkdir(parents=True)
        (tmp_path / "outputs" / "reports" / name / "report.json").touch()
    assert _offered("report", "distill") == ["distill-a", "distill-b"]
    (tmp_path / "outputs").rename(tmp_path / "elsewhere")
    assert _offered("report", "--outputs", "elsewhere", "sw") == ["sweep-c"]


def test_tab_offers_what_the_cache_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("table-a-b-0", "schedule-a-b-0"):
        (tmp_path / "outputs" / "cache" / name).mkdir(parents=True)
    assert _offered("cache", "clear", "tab") == ["table-a-b-0"]
    assert _offered("cache", "clear", "--outputs", "elsewhere", "tab") == []


def _commands(group: click.Group = cli, *before: str) -> dict[str, click.Command]:
    """Every command and subcommand by what is typed for it."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        found[" ".join([*before, name])] = command
        found |= _commands(command, *before, name) if isinstance(command, click.Group) else {}
    return found


def test_options_lists_groups_and_what_is_in_them(kdrun: Kdrun) -> None:
    assert "dataset" in kdrun("options").out
    listed = kdrun("options", "dataset").out.splitlines()
    assert any(line.startswith("mnist5k") and "no download" in line for line in listed)


@pytest.mark.parametrize("command", sorted(_commands()))
def test_every_command_has_help_with_examples(kdrun: Kdrun, command: str) -> None:
    shown = kdrun(*command.split(), "--help")
    assert shown.code == 0
    assert shown.out.count(f"kdrun {command}") >= 3  # the usage line and two examples


def test_every_option_of_every_command_has_help() -> None:
    for command in _commands().values():
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert parameter.help, f"{command.name} {parameter.name}"  # type: ignore[attr-defined]
