"""``rtvfi worker``: renders segments of films for another machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.cli.grammar import add_link, link_of
from rtvfi.cluster.worker import work

if TYPE_CHECKING:
    import argparse

SUMMARY: Final = "render for another machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi worker``."""
    parser.add_argument("address", metavar="ADDRESS", help="the scheduler, HOST:PORT")
    parser.add_argument("--name", metavar="NAME", help="this worker's name in the dashboard")
    add_link(parser)


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi worker``; returns the exit code."""
    return work(link_of(arguments, arguments.address), arguments.name)
