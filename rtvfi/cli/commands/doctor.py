"""The front end of ``rtvfi doctor``: runs the checks and prints what they say.

Every check is a process with a time limit: one that crashes, hangs or lacks what it imports is a
line of its own, and the others go on. Printing needs nothing but Python, since anything may lack.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Final

from rtvfi.core.python_process import PythonProcess
from rtvfi.doctor.finding import fail

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from rtvfi.core.files import Json

SUMMARY: Final = "check what is missing or slow"

TOGETHER: Final = (
    "python",
    "machine",
    "torch",
    "video",
    "vaapi",
    "mpv",
    "screen",
    "weights",
    "disk",
    "settings",
    "model",
)
"""Checks that run side by side, in the order they are shown."""
ALONE: Final = "speed"
"""It measures time."""
LIMIT_SECONDS: Final = 45.0
ALONE_SECONDS: Final = 120.0
"""On a new GPU, MIOpen first compiles what is to be measured."""
_TOPIC_WIDTH: Final = 9
_MOST_COLUMNS: Final = 100
_COLOURS: Final = {"ok": "32", "warn": "33", "fail": "31"}
_MODULE: Final = "rtvfi.doctor.child"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The grammar of ``rtvfi doctor``."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = "The exit code is 1 when a check fails. Nothing is changed or downloaded."


def main(arguments: argparse.Namespace) -> int:
    """Check everything; returns 1 when something fails."""
    findings = []
    for finding in examine(LIMIT_SECONDS, ALONE_SECONDS):
        findings.append(finding)
        if not arguments.json:
            _print(_lines(finding))
    failed, warned = (sum(f["level"] == level for f in findings) for level in ("fail", "warn"))
    if arguments.json:
        _print([json.dumps({"findings": findings, "failed": failed, "warned": warned}, indent=2)])
    else:
        _print(["", _verdict(failed, warned)])
    return 1 if failed else 0


def examine(limit: float, limit_alone: float) -> Iterator[Json]:
    """Run all checks.

    Args:
        limit: seconds for those that run together.
        limit_alone: seconds for the one that runs alone.

    Yields:
        Findings as ``Finding.as_dict`` gives them.
    """
    # The launcher's variable, by which tests fake a machine.
    root = os.environ.get("RTVFI_ROOT") or "/"
    deadline = time.monotonic() + limit
    started = [(name, PythonProcess(_MODULE, (name, root), os.environ)) for name in TOGETHER]
    for name, apart in started:
        yield from _findings(name, apart, deadline)
    apart = PythonProcess(_MODULE, (ALONE, root), os.environ)
    yield from _findings(ALONE, apart, time.monotonic() + limit_alone)


def _findings(name: str, apart: PythonProcess, deadline: float) -> Iterator[Json]:
    try:
        yield from apart.found(deadline)
    finally:
        why = apart.end()
    if why:
        text = f"this check could not be finished: {why}"
        yield fail(name, text, "the lines above and below still hold").as_dict()


def _lines(finding: Json) -> list[str]:
    """A finding as lines of text, at most as wide as the terminal."""
    columns = min(shutil.get_terminal_size().columns, _MOST_COLUMNS)
    level = f"{finding['level']:<4}"
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        level = f"\x1b[{_COLOURS[finding['level']]}m{level}\x1b[0m"
    indent = " " * (4 + 2 + _TOPIC_WIDTH + 1)
    # Words longer than a line, such as paths, stay whole so that they can be copied.
    wrap = textwrap.TextWrapper(
        max(20, columns - len(indent)), break_long_words=False, break_on_hyphens=False
    )
    lines = wrap.wrap(finding["text"])
    if finding["hint"]:
        wrap.subsequent_indent = "   "
        lines += wrap.wrap(f"-> {finding['hint']}")
    first = f"{level}  {finding['topic']:<{_TOPIC_WIDTH}} {lines[0]}"
    return [first, *(indent + line for line in lines[1:])]


def _verdict(failed: int, warned: int) -> str:
    if failed:
        return f"{failed} failed, {warned} to look at."
    return f"Everything that playing needs is here; {warned} to look at." if warned else "All good."


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
