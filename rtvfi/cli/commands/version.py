"""``rtvfi version``: prints the versions of rtvfi and of the libraries it uses."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import TYPE_CHECKING, Final

from rtvfi.core.program import version

if TYPE_CHECKING:
    import argparse

SUMMARY: Final = "print versions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``rtvfi version`` has no options."""


def main(_arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi version``; returns the exit code."""
    print(f"rtvfi {version()}")
    for package in ("torch", "av", "mpv", "numpy"):
        print(f"{package} {metadata.version(package)}")
    print(f"python {sys.version.split()[0]}")
    return 0
