"""ffmpeg's ``minterpolate`` filter, as a method to compare with."""

from __future__ import annotations

import re
import resource
import subprocess
import time
from typing import TYPE_CHECKING

from rtvfi.core.errors import DecodeError
from rtvfi.quality.triplets import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence

FILTER = "minterpolate=fps=50:mi_mode=mci:me_mode=bidir:mc_mode=aobmc:scd=none"
"""Its best quality, without scene-cut detection, which would turn difficult pairs into copies."""
REPEATS = 3
"""How often each input frame is repeated, because the filter looks at four frames."""


def middle(left: Picture, right: Picture) -> Picture:
    """The filter's picture half way between two.

    Raises:
        DecodeError: ffmpeg failed.
    """
    frames = _run([left] * REPEATS + [right] * REPEATS, FILTER)
    # 25 to 50 fps: input i is output 2 i, and the middle follows the last repeat of the left frame
    return frames[2 * REPEATS - 1]


def version() -> str:
    """The version of ffmpeg, such as "ffmpeg 5.1.8"; empty if it is unknown."""
    done = subprocess.run(["ffmpeg", "-version"], capture_output=True, check=False, text=True)
    found = re.match(r"ffmpeg version (\d[\d.]*)", done.stdout)
    return f"ffmpeg {found[1]}" if found else ""


def cost(pictures: Sequence[Picture]) -> tuple[float, float]:
    """Wall and CPU seconds of one interpolated picture, without starting ffmpeg and piping.

    Args:
        pictures: consecutive frames, at least 4.
    """
    clip = list(pictures)
    began = _clocks()
    _run(clip, "null")
    piped = _clocks()
    num_made = max(1, len(_run(clip, FILTER)) // 2)
    wall, cpu = (
        max(0.0, (filtered - copied) - (copied - start)) / num_made
        for start, copied, filtered in zip(began, piped, _clocks(), strict=True)
    )
    return wall, cpu


def _clocks() -> tuple[float, float]:
    """Wall clock, and CPU time of finished child processes, seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter(), used.ru_utime + used.ru_stime


def _run(pictures: Sequence[Picture], chain: str) -> list[Picture]:
    height, width = pictures[0].y.shape
    command = ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p"]
    command += ["-s", f"{width}x{height}", "-r", "25", "-i", "-", "-vf", chain]
    command += ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    data = b"".join(picture.to_bytes() for picture in pictures)
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    size = width * height * 3 // 2
    if done.returncode or len(done.stdout) < size:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        raise DecodeError(
            "ffmpeg returned no picture", reason[-1] if reason else "is ffmpeg installed?"
        )
    return [
        Picture.from_bytes(done.stdout[start : start + size], width, height)
        for start in range(0, len(done.stdout), size)
    ]
