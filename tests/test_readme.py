"""Every command of the README is one that kdrun takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch
from calling import TOY, Kdrun
from PIL import Image

from kdrun.config.files import groups

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [line.partition("  #")[0].strip() for block in BLOCKS for line in block.splitlines()]
TRAINING = ("train-teacher", "distill", "sweep")


@pytest.fixture
def photos(tmp_path: Path) -> None:
    """The folder `data/photos` of an example: two classes of small pictures."""
    generator = torch.Generator().manual_seed(0)
    for name in ("cats", "dogs"):
        (tmp_path / "data" / "photos" / name).mkdir(parents=True)
        for number in range(30):
            pixels = torch.randint(0, 256, (32, 32, 3), dtype=torch.uint8, generator=generator)
            Image.fromarray(pixels.numpy()).save(tmp_path / "data" / "photos" / name / f"{number}.png")


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("kdrun ")])
@pytest.mark.usefixtures("photos")
def test_a_command_of_the_readme_is_taken(kdrun: Kdrun, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = shlex.split(command)[1:]
    if arguments[0] in TRAINING:
        arguments.append("--dry-run")
    elif arguments[0] == "bench":
        arguments += ["--rounds", "1", "--seconds", "0.01"]
    elif arguments[0] in ("report", "explain"):
        assert kdrun("distill", *TOY, "seeds=[0]").code == 0
        arguments += TOY[:2] if arguments[0] == "explain" else ()  # the toy data are a class of the tests' own
    monkeypatch.setattr("webbrowser.open", lambda _address: True)
    ended = kdrun(*arguments)
    assert ended.code == 0, ended.err
    assert ended.out


def test_the_readme_has_commands_at_all() -> None:
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("target", re.findall(r"^make (\w+)", "\n".join(COMMANDS), flags=re.MULTILINE))
def test_a_make_target_of_the_readme_exists(target: str) -> None:
    assert f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("option", groups()["knowledge"])
def test_every_kind_of_knowledge_has_its_row(option: str) -> None:
    assert f"| `{option}` |" in README


@pytest.mark.parametrize("mode", groups()["mode"])
def test_every_mode_has_its_row(mode: str) -> None:
    assert f"| `mode={mode}" in README


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_a_link_leads_to_a_file(link: str) -> None:
    assert (ROOT / link).exists()


def test_no_placeholder_is_left() -> None:
    assert not re.findall(r"^[A-Z]+_?[A-Z]+$", README, flags=re.MULTILINE)
