"""``rtvfi version``: the versions of rtvfi and of what it is built on."""

from __future__ import annotations

import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

SUMMARY: Final = "print versions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The grammar of ``rtvfi version``: nothing."""


def version() -> str:
    """The version of the installed package, or of the checkout."""
    try:
        return metadata.version("rtvfi")
    except metadata.PackageNotFoundError:
        project = Path(__file__).resolve().parents[3] / "pyproject.toml"
        with project.open("rb") as file:
            number: str = tomllib.load(file)["project"]["version"]
        return number


def main(_arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi version``; returns the exit code."""
    print(f"rtvfi {version()}")
    for package in ("torch", "av", "mpv", "numpy"):
        print(f"{package} {metadata.version(package)}")
    print(f"python {sys.version.split()[0]}")
    return 0
