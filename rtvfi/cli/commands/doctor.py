"""``rtvfi doctor``: runs the checks and prints their findings.

Every check is a process with a time limit. One that crashes, hangs or cannot import a package
becomes a line of the output, and the others continue. Printing needs only Python itself, since
any package may be missing.
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
"""Checks that run in parallel, in the order in which they are shown."""
ALONE: Final = "speed"
"""The check that runs after the others, because it measures time."""
LIMIT_SECONDS: Final = 45.0
ALONE_SECONDS: Final = 120.0
"""Longer, because on a new GPU MIOpen first compiles the kernels to be measured."""
_TOPIC_WIDTH: Final = 9
_MOST_COLUMNS: Final = 100
_COLOURS: Final = {"ok": "32", "warn": "33", "fail": "31"}
_MODULE: Final = "rtvfi.doctor.child"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi doctor``."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = "The exit code is 1 when a check fails. Nothing is changed or downloaded."


def main(arguments: argparse.Namespace) -> int:
    """Run all checks and print their findings; returns 1 if one fails, else 0."""
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
        limit: seconds allowed for the checks that run in parallel.
        limit_alone: seconds allowed for the check that runs alone.

    Yields:
        Findings in the form of ``Finding.as_dict``.
    """
    # The launcher's variable, with which tests simulate a machine.
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
    """A finding as lines of text, wrapped to the width of the terminal."""
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
        return f"{failed} failed, {_warnings(warned)}."
    if warned:
        return f"Everything that playback needs is available; {_warnings(warned)}."
    return "All good."


def _warnings(num: int) -> str:
    return f"{num} warning{'' if num == 1 else 's'}"


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
