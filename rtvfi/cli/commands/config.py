"""``rtvfi config``: prints the settings in effect, and where each comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.cli.grammar import add_settings as add_arguments
from rtvfi.cli.grammar import config_of
from rtvfi.settings.config import default_user_file, user_file

if TYPE_CHECKING:
    import argparse

__all__ = ["SUMMARY", "add_arguments", "main"]

SUMMARY: Final = "print the settings and where they come from"


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi config``; returns the exit code."""
    config = config_of(arguments, is_live=True)
    own = user_file()
    print(f"# your own settings: {own or f'{default_user_file()} (does not exist yet)'}")
    print(config.to_toml(), end="")
    return 0
