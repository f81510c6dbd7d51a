"""Digests in files."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import pytest

from kdrun.runs.integrity import (
    DigestMismatchError,
    WithFooter,
    check_footer,
    checked_json,
    footer,
    json_with_digest,
    json_without_digest,
)

CONTENT = {"name": "größe", "values": [1, None, 0.5], "nested": {"sha256": "inside"}}


def test_json_with_a_digest_is_plain_json_and_comes_back_without_it(tmp_path: Path) -> None:
    content = json_with_digest(CONTENT)
    plain = json.loads(content)
    assert list(plain) == [*CONTENT, "sha256"]
    assert checked_json(content) == CONTENT
    assert checked_json(json_with_digest({})) == {}
    (tmp_path / "x.json").write_bytes(content)
    assert json_without_digest(tmp_path / "x.json") is None


def test_every_flipped_bit_of_json_is_noticed() -> None:
    content = json_with_digest(CONTENT)
    for place in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(DigestMismatchError):
            checked_json(bytes(flipped))


@pytest.mark.parametrize("other", [b"", b"{}", b'{\n  "a": 1\n}\n', json_with_digest({"a": 1}) + b"\n"])
def test_json_that_was_written_otherwise_is_noticed(other: bytes) -> None:
    with pytest.raises(DigestMismatchError):
        checked_json(other)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_holds_finite_numbers_only(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_with_digest({"a": [number]})


def test_every_flipped_bit_before_and_in_a_footer_is_noticed() -> None:
    content = random.Random(0).randbytes(50)
    whole = content + footer(content)
    check_footer(io.BytesIO(whole))
    for place in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(DigestMismatchError):
            check_footer(io.BytesIO(flipped))


@pytest.mark.parametrize("length", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_parts_have_the_footer_of_the_whole(tmp_path: Path, length: int) -> None:
    content = random.Random(length).randbytes(length)
    with (tmp_path / "x").open("wb") as file:
        written = WithFooter(file)
        written.write(content[:7])
        written.write(content[7:])
        written.end()
    assert (tmp_path / "x").read_bytes() == content + footer(content)
    with (tmp_path / "x").open("rb") as again:
        check_footer(again)
