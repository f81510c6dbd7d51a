"""The runs of a generalist's specialists, and what the committee of them all is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kdrun.runs.spec import RunSpec


def specialists(generalist: RunSpec, count: int) -> list[RunSpec]:
    """Networks that begin as the generalist and go on by its recipe, each on half its own classes, half the others.

    Their classes are found when the generalist is trained; until then they are known by it and their number.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 5.
    """
    return [
        replace(
            generalist,
            model={
                "name": f"{generalist.model['name']}-specialist{number + 1}of{count}",
                "_target_": "kdrun.models.specialist.Specialist",
                "cluster": number,
                "clusters": count,
            },
            mode={"name": "specialist", "_target_": "kdrun.modes.specialising.Specialising"},
            starts_from=generalist,
            examples={"special": {"generalist": generalist.fingerprint, "cluster": number, "of": count}},
        )
        for number in range(count)
    ]


def committee_of(generalist: RunSpec, advisers: Sequence[RunSpec]) -> dict[str, Any]:
    """The model that is made of a generalist's network and its specialists'."""
    return {
        "name": f"{generalist.model['name']}+{len(advisers)}specialists",
        "_target_": "kdrun.models.committee.Committee",
    }
