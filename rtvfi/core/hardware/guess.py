"""Guesses which device will compute, without importing torch."""

from __future__ import annotations

import shutil
from importlib import metadata
from typing import TYPE_CHECKING, Literal

from rtvfi.core.hardware import machine, verdict

if TYPE_CHECKING:
    from pathlib import Path

Hardware = Literal["rocm", "cuda", "cpu"]


def hardware_guess(root: Path = machine.ROOT) -> Hardware:
    """Which hardware torch will find, judged by the drivers present and the build of torch; "cpu"
    where the GPU is known to fail its self-test.

    torch is not imported here, because that takes seconds. ``run`` chooses the build of torch by
    the same rule: change both.
    """
    try:
        build = metadata.version("torch").partition("+")[2]
    except metadata.PackageNotFoundError:
        build = ""
    if build == "cpu":
        return "cpu"
    known = verdict.kept("auto", root)
    if known is not None and not known.works(is_live=True):
        return "cpu"
    nvidia = (root / "proc/driver/nvidia/version", root / "usr/lib/wsl/lib/nvidia-smi")
    if any(path.exists() for path in nvidia) or (
        root == machine.ROOT and shutil.which("nvidia-smi")
    ):
        return "cuda"
    return "rocm" if (root / "dev/kfd").exists() else "cpu"
