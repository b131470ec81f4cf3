from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from rtvfi.core.python_process import PythonProcess

if TYPE_CHECKING:
    from pathlib import Path

FAR = 60.0


def start(folder: Path, *lines: str) -> PythonProcess:
    """A module of these lines, apart."""
    text = "\n".join(
        (
            "import os, signal, sys, threading",
            "from rtvfi.core.python_process import speaker",
            *lines,
        )
    )
    (folder / "a_module.py").write_text(text, encoding="utf-8")
    return PythonProcess("a_module", ("word",), {**os.environ, "PYTHONPATH": str(folder)})


def all_of(apart: PythonProcess) -> tuple[list[object], str]:
    try:
        found: list[object] = list(apart.found(time.monotonic() + FAR))
    finally:
        why = apart.end()
    return found, why


def test_findings_come_in_order(tmp_path: Path) -> None:
    apart = start(tmp_path, "say = speaker()", "say({'a': sys.argv[1]})", "say({'b': 2})")
    assert all_of(apart) == ([{"a": "word"}, {"b": 2}], "")


def test_what_libraries_print_is_no_finding(tmp_path: Path) -> None:
    apart = start(
        tmp_path, "say = speaker()", "print('noise')", "os.write(1, b'more')", "say({'a': 1})"
    )
    assert all_of(apart) == ([{"a": 1}], "")


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "it was ended by SIGSEGV"),
        ("sys.exit('no such thing')", "no such thing"),
        ("sys.exit(3)", "it ended with status 3"),
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named"),
    ],
)
def test_a_bad_end_keeps_what_was_found(tmp_path: Path, end: str, why: str) -> None:
    found, said = all_of(start(tmp_path, "speaker()({'a': 1})", end))
    assert found == [{"a": 1}]
    assert said.startswith(why)


def test_one_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    apart = start(
        tmp_path,
        "import subprocess",
        "child = subprocess.Popen(['sleep', '600'])",
        "speaker()({'child': child.pid})",
        "threading.Event().wait()",
    )
    child = next(apart.found(time.monotonic() + FAR))["child"]
    assert list(apart.found(0)) == []
    assert apart.end() == "it took too long"
    with pytest.raises(ProcessLookupError):
        # Orphans are reaped by the system; one that lives answers.
        _wait_gone(child)


def _wait_gone(pid: int) -> None:
    """Raises ProcessLookupError once it is gone or a zombie."""
    deadline = time.monotonic() + FAR
    while time.monotonic() < deadline:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123
            if stat.read().rpartition(")")[2].split()[0] == "Z":
                raise ProcessLookupError
