"""Digests of files, so that damage is noticed when a file is read.

A digest is stored in the file itself or in result.json, which is written last. Every file is replaced by one rename, so
a file and its digest never come apart, whenever the process is killed.

*.json           the last member, `sha256`, is the SHA-256 of all bytes before that digest
state.pt, *.npy  a footer of 20 bytes: magic, length and CRC-32 of everything before it; torch and numpy ignore it. The
                 CRC-32 begins with the file's place (folder and name), so that the file of another run does not fit
weights and CSV  their SHA-256 is in result.json

Why two kinds. zlib.crc32 reads 2.2 GB/s, hashlib.sha256 1.1 GB/s and hashlib.blake2b 1.0 GB/s (one core of a Xeon with
SHA instructions, Python 3.11, medians of 5 over 200 MB); without such instructions SHA-256 is several times slower.
States and arrays are written and read while runs train, so they have the CRC-32: it detects every flipped bit and
every burst of up to 32 bits, and misses other damage once in 2**32. It costs less than the CRC-32s that torch.save
makes and torch.load never checks, which are left out (see `kdrun.runs.tensors`). The other files are small or written
once; they have the SHA-256 that `weights_sha256` has always been, which `sha256sum` computes too.

Both are against accidents. Whoever changes a file on purpose can change its digest as well.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

DIGEST = "sha256"  # the last member of a JSON file
LAST_WITHOUT_DIGESTS = 3  # `semantics` (see `kdrun.runs.spec`) of kdrun 0.1, whose files have no digests

_MAGIC = b"kdruncrc"
_FOOTER = struct.Struct("<8sQI")  # magic, length and CRC-32 of what stands before
FOOTER_BYTES = _FOOTER.size

_HEX_DIGITS = 64
_END = '"\n}\n'
_CHUNK = 1 << 20


class DigestMismatchError(ValueError):
    """The bytes of a file are not those that its digest was made of."""


def sha256(content: bytes) -> str:
    """The SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(file: BufferedReader) -> str:
    """The SHA-256 of a file, read in parts."""
    return hashlib.file_digest(file, "sha256").hexdigest()


def json_with_digest(content: Mapping[str, Any]) -> bytes:
    """A JSON object as a file's bytes; its last member is the digest of the bytes before it.

    Raises ValueError for a number that is not finite, which JSON cannot hold.
    """
    text = json.dumps({**content, DIGEST: "0" * _HEX_DIGITS}, indent=2, allow_nan=False)
    before = text[: -len("0" * _HEX_DIGITS + '"\n}')]
    return f"{before}{sha256(before.encode())}{_END}".encode()


def checked_json(content: bytes) -> dict[str, Any]:
    """The object that `json_with_digest` wrote, without the digest. Raises DigestMismatchError for any other bytes."""
    before = content[: -(_HEX_DIGITS + len(_END))]
    if content[len(before) :] != f"{sha256(before)}{_END}".encode() or not before.endswith(f'"{DIGEST}": "'.encode()):
        raise DigestMismatchError("the JSON's bytes do not match its digest")
    members: dict[str, Any] = json.loads(content)
    members.pop(DIGEST)
    return members


def json_without_digest(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file that has no digest, as kdrun 0.1 wrote them; None for any other file."""
    try:
        members = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return members if isinstance(members, dict) and DIGEST not in members else None


def footer(content: bytes | memoryview, place: str = "") -> bytes:
    """What is appended to a binary file with this content. place: where it belongs, as `place_of` gives it."""
    return _FOOTER.pack(_MAGIC, len(content), zlib.crc32(content, zlib.crc32(place.encode())))


def place_of(path: Path) -> str:
    """The folder's name and the file's own, wherever the folder lies."""
    return f"{path.parent.name}/{path.name}"


class WithFooter:
    """Writes a binary file part by part, and its footer at the end."""

    def __init__(self, file: BinaryIO, place: str = "") -> None:
        self._file = file
        self._length, self._crc = 0, zlib.crc32(place.encode())

    def write(self, part: bytes) -> int:
        self._crc = zlib.crc32(part, self._crc)
        self._length += len(part)
        return self._file.write(part)

    def end(self) -> None:
        """Writes the footer, and brings the file to the disk."""
        self._file.write(_FOOTER.pack(_MAGIC, self._length, self._crc))
        self._file.flush()
        os.fsync(self._file.fileno())


def check_footer(file: BinaryIO, place: str = "") -> None:
    """Reads a binary file from its beginning, in parts.

    Raises DigestMismatchError where it is not what was written, or was written for another place.
    """
    length = file.seek(0, os.SEEK_END) - FOOTER_BYTES
    file.seek(0)
    left, crc = max(length, 0), zlib.crc32(place.encode())
    while left and (part := file.read(min(_CHUNK, left))):
        crc = zlib.crc32(part, crc)
        left -= len(part)
    if file.read() != _FOOTER.pack(_MAGIC, max(length, 0), crc):
        raise DigestMismatchError("the file's bytes do not match its footer")
