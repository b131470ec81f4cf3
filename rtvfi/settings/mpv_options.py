"""Options of mpv in the forms its command line takes: ``no-NAME``, lists that are added to
(``vf-add``), and the short names of such lists (``script``). Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_LISTS: Final = {
    "audio-file": "audio-files",
    "cover-art-file": "cover-art-files",
    "external-file": "external-files",
    "glsl-shader": "glsl-shaders",
    "script": "scripts",
    "sub-file": "sub-files",
}
"""Names that append to a list."""
_OPERATION: Final = re.compile(r"(.+)-(append|add|pre|clr|remove|toggle|set)")
_AT_START: Final = {"scripts": ":", "script-opts": ","}
"""Lists that are read while mpv starts, and what stands between their entries."""


@dataclass(frozen=True, slots=True)
class MpvOptions:
    """Options as a running mpv takes them."""

    values: dict[str, str] = field(default_factory=dict)
    at_start: dict[str, str] = field(default_factory=dict)
    """Those that can only be given before it runs."""
    changes: list[tuple[str, str, str]] = field(default_factory=list)
    """Operations on lists: option, operation, value."""


def repeats(name: str) -> bool:
    """Whether an option adds to what was given before instead of replacing it."""
    return name in _LISTS or _OPERATION.fullmatch(name) is not None


def sort_out(options: Iterable[tuple[str, str]]) -> MpvOptions:
    """Names of the command line to those of a running mpv.

    Args:
        options: in order; an option that repeats holds its values as lines.
    """
    found = MpvOptions()
    for name, text in options:
        operation = _OPERATION.fullmatch(name)
        if name in _LISTS:
            _change(found, _LISTS[name], "append", text)
        elif operation:
            _change(found, operation[1], operation[2], text)
        elif name.startswith("no-") and text == "yes":
            found.values[name.removeprefix("no-")] = "no"
        else:
            found.values[name] = text
    return found


def _change(found: MpvOptions, option: str, operation: str, text: str) -> None:
    for value in text.split("\n"):
        if option in _AT_START:
            before = found.at_start.get(option)
            joined = value if before is None else f"{before}{_AT_START[option]}{value}"
            found.at_start[option] = joined
        if option != "scripts":
            found.changes.append((option, operation, value))
