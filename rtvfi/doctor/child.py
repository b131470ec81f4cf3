"""Runs one check in a process of its own: ``python -m rtvfi.doctor.child NAME``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.python_process import speaker
from rtvfi.doctor import compute, files, probe, screen, system, video
from rtvfi.doctor.finding import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rtvfi.doctor.finding import Finding

CHECKS: Final[dict[str, Callable[[Place], Iterator[Finding]]]] = {
    "python": system.check_python,
    "machine": system.check_machine,
    "torch": compute.check_torch,
    "video": video.check_software,
    "vaapi": video.check_vaapi,
    "mpv": screen.check_mpv,
    "screen": screen.check_display,
    "weights": files.check_weights,
    "disk": files.check_disk,
    "settings": files.check_settings,
    "model": files.check_model,
    "speed": probe.check_speed,
}
"""All checks, in the order in which they are shown. The last measures time, so it runs alone."""


def main(name: str, root: str) -> None:
    """Run a check and report each finding at once."""
    say = speaker()
    for finding in CHECKS[name](Place(os.environ, Path(root))):
        say(finding.as_dict())


if __name__ == "__main__":
    main(*sys.argv[1:])
