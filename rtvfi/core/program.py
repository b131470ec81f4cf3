"""The command that starts rtvfi, its version, and how child processes are started."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def program() -> str:
    """The command that starts rtvfi, quoted for a shell: ``rtvfi``, or the path of ``run``, which
    passes it in the environment.
    """
    return shlex.quote(os.environ.get("RTVFI_COMMAND") or "rtvfi")


def command_line(words: str) -> str:
    """A command line of rtvfi, for hints and help.

    Args:
        words: the arguments.
    """
    return f"{program()} {words}"


class Started(NamedTuple):
    """A child process and its pipes."""

    process: subprocess.Popen[bytes]
    out: IO[bytes]
    err: IO[bytes]


def start(
    command: Sequence[str], environ: Mapping[str, str] | None = None, *, has_input: bool = False
) -> Started:
    """Start a child in a process group of its own, with pipes for its output and its messages.

    Ctrl+C in the terminal therefore does not reach it, and killing the group kills everything that
    it started.

    Args:
        command: program and arguments.
        environ: its environment; None = that of this process.
        has_input: its standard input is a pipe, too; else it is empty.

    Raises:
        OSError: the program cannot be started.
    """
    process = subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    return Started(process, process.stdout, process.stderr)


def launch_words() -> list[str]:
    """Program and arguments that start this rtvfi from any folder."""
    launcher = os.environ.get("RTVFI_RUN")
    if launcher:
        return [launcher]
    found = shutil.which("rtvfi")
    return [found] if found else [sys.executable, "-P", "-m", "rtvfi"]


def version() -> str:
    """The version of the installed package, or of the checkout."""
    try:
        return metadata.version("rtvfi")
    except metadata.PackageNotFoundError:
        project = Path(__file__).resolve().parents[2] / "pyproject.toml"
        with project.open("rb") as file:
            number: str = tomllib.load(file)["project"]["version"]
        return number
