"""`kdrun bench startup`: what commands cost in processes of their own, and where the time of a short distill goes."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kdrun.bench.processes import KDRUN, timed
from kdrun.bench.spread import spread
from kdrun.bench.stages import STAGES

SMOKE = ("train=smoke", "seeds=[0]", "--quiet")

# What any script that trains with torch pays: torch itself, and what its optimisers import when one is made.
TORCH_ALONE = "import torch; torch.optim.AdamW([torch.zeros(1, requires_grad=True)]).step()"

_MISTAKEN = 2  # the exit code


def bench_startup(settings: Sequence[str], *, rounds: int, told: Callable[[str], None]) -> dict[str, Any]:
    """Times each command in turns, `rounds` times; a distill begins with an empty outputs folder.

    settings: overrides and options of the distill, beside those of a single epoch with one seed.
    The stages of the distill are from as many more runs of it, whose stacks are looked at.
    """
    rows, stages = [], []
    for number in range(rounds):
        with TemporaryDirectory(prefix="kdrun-bench-") as folder:
            distill = ("distill", *SMOKE, *settings, f"outputs={folder}/outputs")
            rows.append({name: timed(words, expected=code) for name, words, code in _commands(distill)})
            stages.append(_stages(distill, Path(folder)))
        told(f"round {number + 1} of {rounds}")
    return {
        "bench": "startup",
        "rounds": rounds,
        "commands": {
            name: {
                "seconds": asdict(spread([row[name].seconds for row in rows])),
                "cpu_seconds": asdict(spread([row[name].cpu_seconds for row in rows])),
            }
            for name in rows[0]
        },
        "stages_s": {name: statistics.median(one[name] for one in stages) for name in STAGES},
    }


def _commands(distill: Sequence[str]) -> Sequence[tuple[str, Sequence[str], int]]:
    """Name, what Python is given, and the exit code."""
    return (
        ("torch alone", ("-c", TORCH_ALONE), 0),
        ("--help", (*KDRUN, "--help"), 0),
        ("a mistyped key", (*KDRUN, "distill", "taau=4"), _MISTAKEN),
        ("--dry-run", (*KDRUN, *distill, "--dry-run"), 0),
        ("one-epoch distill", (*KDRUN, *distill), 0),
        ("the same again", (*KDRUN, *distill), 0),
    )


def _stages(distill: Sequence[str], folder: Path) -> dict[str, float]:
    file = folder / "stages.json"
    timed(("-m", "kdrun.bench.stages", str(file), "kdrun", *distill[:-1], f"outputs={folder}/stages"))
    stages: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
    return stages
