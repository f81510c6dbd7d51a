"""The wheel carries conf/, and works from a folder that is no checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel would put into site-packages."""
    target = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = target.glob("kdrun-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target / "site")
    return target / "site"


def _run(installed: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "kdrun", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def test_the_wheels_kdrun_is_the_one_that_runs(installed: Path, tmp_path: Path) -> None:
    code = "import kdrun; print(kdrun.__file__)"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.startswith(str(installed))


def test_its_options_are_those_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    here = subprocess.run(
        [sys.executable, "-m", "kdrun", "options"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert _run(installed, tmp_path, "options").stdout == here.stdout


def test_it_carries_what_pages_are_made_of(installed: Path) -> None:
    made_of = {path.relative_to(ROOT) for form in ("*.j2", "*.css", "*.js") for path in (ROOT / "kdrun").rglob(form)}
    assert len(made_of) > 4
    assert all((installed / path).is_file() for path in made_of)


def test_it_plans_a_distillation(installed: Path, tmp_path: Path) -> None:
    planned = _run(installed, tmp_path, "distill", "--dry-run", "student=mlp30")
    assert planned.returncode == 0, planned.stderr
    assert "plan: 1 teacher new, 3 baseline new, 3 control new, 3 student new" in planned.stdout
