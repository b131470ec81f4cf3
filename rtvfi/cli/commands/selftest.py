"""``rtvfi selftest``: whether networks compute right on the GPU, found out now."""

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
    """The grammar of ``rtvfi selftest``."""
    parser.add_argument(
        "--device",
        metavar="NAME",
        default="auto",
        help="what is tested: auto (default), cuda[:N] or rocm[:N]",
    )
    parser.add_argument(
        "--known", action="store_true", help="show the last result instead of testing"
    )
    # for "run", which compares two environments
    parser.add_argument("--rank", action="store_true", help=argparse.SUPPRESS)
    parser.epilog = (
        "The exit code is 1 if no form is right, so that the processor has to compute.\n"
        "The result is kept for play and render until chip, torch, driver or kernel change."
    )


def main(arguments: argparse.Namespace) -> int:
    """Test, print what came of it, and keep it."""
    name = arguments.device
    checked(SETTINGS["device"], name, "--device")
    if not trusted.is_gpu_wanted(name):
        return _tell(None, "there is no GPU that this torch could use", arguments)
    trust = trusted.Trust(name, "auto" if arguments.known else "again", is_live=True)
    if not arguments.known:
        trust.prove()
    elif trust.is_due:
        return _tell(None, "it was not tested yet", arguments)
    found = trust.verdict
    if found is None:
        return _tell(None, "torch sees no GPU", arguments)
    said = found.sentence(is_live=True) or f"{found.name or name} computes right in half precision"
    return _tell(found, f"{said}; found on {found.date} in {found.seconds:g} s", arguments)


def _tell(found: Verdict | None, text: str, arguments: argparse.Namespace) -> int:
    rank = rank_of(found)
    if arguments.rank:
        sys.stderr.write(f"{text}\n")
        sys.stdout.write(f"{rank}\n")
        return 0
    if found is None:
        raise RtvfiError(text, "rtvfi doctor tells what is there")
    sys.stdout.write(f"{text}\n")
    return 0 if rank else 1


def rank_of(found: Verdict | None) -> int:
    """How well a GPU computes: 4 in half precision as it is ... 1, 0 = not at all."""
    if found is None or found.form is None or not found.works(is_live=True):
        return 0
    return len(FORMS) - FORMS.index(found.form)
