"""``rtvfi selftest``: tests whether networks compute correctly on the GPU."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import RtvfiError
from rtvfi.core.hardware.verdict import FORMS
from rtvfi.engine import trusted
from rtvfi.settings.keys import SETTINGS, checked

if TYPE_CHECKING:
    from rtvfi.core.hardware.verdict import Verdict

SUMMARY: Final = "test the GPU"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi selftest``."""
    parser.add_argument(
        "--device",
        metavar="NAME",
        default="auto",
        help="the device to test: auto (default), cuda[:N] or rocm[:N]",
    )
    parser.add_argument(
        "--known", action="store_true", help="show the last result instead of testing"
    )
    # for the launcher "run", which compares two environments
    parser.add_argument("--rank", action="store_true", help=argparse.SUPPRESS)
    parser.epilog = (
        "The exit code is 1 if no form computes correctly, so that the CPU must be used.\n"
        "play and render use the result until the GPU, torch, the driver or the kernel change."
    )


def main(arguments: argparse.Namespace) -> int:
    """Test the GPU, store the result and print it; returns the exit code."""
    name = arguments.device
    checked(SETTINGS["device"], name, "--device")
    if not trusted.is_gpu_wanted(name):
        return _report(None, "there is no GPU that this version of torch can use", arguments)
    trust = trusted.Trust(name, "auto" if arguments.known else "again", is_live=True)
    if not arguments.known:
        trust.prove()
    elif trust.is_due:
        return _report(None, "the GPU has not been tested yet", arguments)
    found = trust.verdict
    if found is None:
        return _report(None, "torch finds no GPU", arguments)
    name = found.name or name
    text = found.sentence(is_live=True) or f"{name} computes correctly in half precision"
    return _report(found, f"{text}; tested on {found.date} in {found.seconds:g} s", arguments)


def _report(found: Verdict | None, text: str, arguments: argparse.Namespace) -> int:
    """Print the result; returns the exit code."""
    rank = rank_of(found)
    if arguments.rank:
        sys.stderr.write(f"{text}\n")
        sys.stdout.write(f"{rank}\n")
        return 0
    if found is None:
        raise RtvfiError(text, "rtvfi doctor shows what is available")
    sys.stdout.write(f"{text}\n")
    return 0 if rank else 1


def rank_of(found: Verdict | None) -> int:
    """How well a GPU computes: 4 = correctly in half precision, 1 = only in the slowest form,
    0 = never correctly.
    """
    if found is None or found.form is None or not found.works(is_live=True):
        return 0
    return len(FORMS) - FORMS.index(found.form)
