"""What the user types to start us: ``rtvfi``, or the launcher of a checkout."""

from __future__ import annotations

import os
import shlex


def program() -> str:
    """The first word of our command lines, as a shell takes it; ``run`` says when it is itself."""
    return shlex.quote(os.environ.get("RTVFI_COMMAND") or "rtvfi")


def command_line(words: str) -> str:
    """One of our command lines, for hints and help.

    Args:
        words: what follows the program.
    """
    return f"{program()} {words}"
