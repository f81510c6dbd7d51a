"""Classes as people name them."""

from __future__ import annotations

from collections.abc import Sequence

from kdrun.errors import UserError


def class_indices(classes: Sequence[str], class_names: Sequence[str]) -> list[int]:
    """Indices of classes, rising. classes: names; where none is called so, the index as text.

    Raises UserError for a class that is not there.
    """
    known = {str(index): index for index in range(len(class_names))}
    known |= {name: index for index, name in enumerate(class_names)}
    for name in classes:
        if name not in known:
            raise UserError(f"there is no class {name!r} to omit; the classes are {_some(class_names)}")
    return sorted({known[name] for name in classes})


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
