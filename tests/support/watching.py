"""What Python itself reports of imports, processes, files that are written and connections, while a test watches."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ALWAYS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.remove", "os.rename", "os.rmdir", "os.mkdir")
_BEGINNINGS = ("subprocess.", "shutil.", "socket.", "urllib.", "ctypes.", "pickle.", "webbrowser.", "marshal.loads")

_seen: list[str] | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is None:
        return
    if event in _ALWAYS or event.startswith(_BEGINNINGS) or event in ("import", "compile", "exec"):
        _seen.append(f"{event} {str(arguments)[:100]}")
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        _seen.append(f"{event} {arguments[0]}")


sys.addaudithook(_hook)  # a hook stays for good; it records only while a test watches


@contextmanager
def watched() -> Iterator[list[str]]:
    """The events so far: imports of modules that were not loaded, compiled code, processes, files, connections."""
    global _seen
    before, _seen = _seen, []
    try:
        yield _seen
    finally:
        _seen = before
