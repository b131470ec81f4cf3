"""Options of mpv in the forms of its command line: ``no-NAME``, operations on lists (``vf-add``),
and the short names of lists (``script``). Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

Given = dict[str, tuple[str, ...]]
"""Values by option name as given: several for options that repeat, otherwise one."""

_LISTS: Final = {
    "audio-file": "audio-files",
    "cover-art-file": "cover-art-files",
    "external-file": "external-files",
    "glsl-shader": "glsl-shaders",
    "script": "scripts",
    "sub-file": "sub-files",
}
"""Options that append to a list, and that list's name."""
_OPERATION: Final = re.compile(r"(.+)-(append|add|pre|clr|remove|toggle|set)")
_AT_START: Final = {"scripts": ":", "script-opts": ","}
"""Lists that mpv reads only while it starts, and the separator of their entries."""


@dataclass(frozen=True, slots=True)
class MpvOptions:
    """Options in the form that libmpv accepts."""

    values: dict[str, str] = field(default_factory=dict)
    """Ordinary options."""
    at_start: dict[str, str] = field(default_factory=dict)
    """Options that can only be set before mpv is initialised."""
    changes: list[tuple[str, str, str]] = field(default_factory=list)
    """Operations on lists: option, operation, value."""


def of_command_line(texts: Iterable[str]) -> Given:
    """Parse the values of ``--mpv``, each ``NAME=VALUE``, or ``NAME`` for yes.

    Raises:
        UsageError: a name cannot be that of an option.
    """
    given: Given = {}
    for text in texts:
        name, has_value, value = text.partition("=")
        _check_name(name, "--mpv")
        before = given.get(name, ()) if _repeats(name) else ()
        given[name] = (*before, value if has_value else "yes")
    return given


def of_table(table: object, where: str) -> Given:
    """Parse the table ``[mpv]`` of a file, in which options that repeat may have a list.

    Args:
        table: the parsed TOML value.
        where: how error messages name the file.

    Raises:
        UsageError: it is not a table, a name cannot be that of an option, or an option that does
            not repeat has a list.
    """
    if not isinstance(table, dict):
        raise UsageError(
            f"{where}: mpv must be a table of options: [mpv], then lines like fs = true"
        )
    given: Given = {}
    for name, value in table.items():
        _check_name(name, f"{where}: [mpv]")
        if isinstance(value, list) and not _repeats(name):
            raise UsageError(f"{where}: [mpv] {name} takes one value, got {value!r}")
        values = value if isinstance(value, list) else [value]
        if _repeats(name) and isinstance(value, str):
            values = value.split("\n")  # as "rtvfi config" printed them before 2027
        given[name] = tuple(map(_as_text, values))
    return given


def _as_text(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _check_name(name: str, where: str) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise UsageError(
            f'{where}: expected NAME=VALUE with the name of an mpv option, got "{name}"'
        )


def _repeats(name: str) -> bool:
    """Whether an option adds to earlier values instead of replacing them."""
    return name in _LISTS or _OPERATION.fullmatch(name) is not None


def sort_out(options: Iterable[tuple[str, str]]) -> MpvOptions:
    """Convert options from the forms of mpv's command line to those of libmpv.

    Args:
        options: names and values in order; a name may occur several times.
    """
    found = MpvOptions()
    for name, value in options:
        operation = _OPERATION.fullmatch(name)
        if name in _LISTS:
            _change(found, _LISTS[name], "append", value)
        elif operation:
            _change(found, operation[1], operation[2], value)
        elif name.startswith("no-") and value == "yes":
            found.values[name.removeprefix("no-")] = "no"
        else:
            found.values[name] = value
    return found


def _change(found: MpvOptions, option: str, operation: str, value: str) -> None:
    if option in _AT_START:
        before = found.at_start.get(option)
        joined = value if before is None else f"{before}{_AT_START[option]}{value}"
        found.at_start[option] = joined
    if option != "scripts":
        found.changes.append((option, operation, value))
