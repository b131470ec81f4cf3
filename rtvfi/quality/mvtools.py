"""MVTools in VapourSynth, as a method to compare with: many viewers without a GPU use it.

It runs in a separate Python, named by ``RTVFI_VAPOURSYNTH``, which needs the packages vapoursynth,
vapoursynth-mvtools and numpy; on one thread, so that its times can be compared.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import DecodeError, UsageError
from rtvfi.quality.triplets import Picture

if TYPE_CHECKING:
    from rtvfi.quality.triplets import Triplet

INTERPRETER: Final = "RTVFI_VAPOURSYNTH"
MODES: Final = {"mvtools": "block", "mvtools-flow": "flow", "mvtools-fast": "fast"}
"""Names of methods and their modes. ``block`` and ``flow`` are BlockFPS and FlowFPS with half-pixel
vectors of blocks of 16 and then 8 pixels; ``fast`` is BlockFPS with whole-pixel vectors of 16.
"""
_REPEATS: Final = 3


class MvTools:
    """A ``Method`` that runs in a child process, which lives as long as this object.

    Args:
        name: a key of ``MODES``.

    Raises:
        UsageError: RTVFI_VAPOURSYNTH is not set, or names a Python without VapourSynth or MVTools.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        python = os.environ.get(INTERPRETER, "")
        if not python:
            raise UsageError(
                f'"{name}" needs VapourSynth, and {INTERPRETER} is not set',
                "set it to a Python that has vapoursynth and vapoursynth-mvtools",
            )
        self.origin = _version(python)
        child = Path(__file__).with_name("mvtools_child.py")
        self._process = subprocess.Popen(
            [python, str(child)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        )

    def __del__(self) -> None:
        process = getattr(self, "_process", None)
        if process is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.wait()
            process.stdout.close()

    def between(self, left: Picture, right: Picture) -> Picture:
        """Compute the picture half way between two."""
        return self._ask(left, right)[0]

    def cost(self, triplet: Triplet) -> tuple[float, float]:
        """Wall and CPU seconds of one picture including its vectors; the minimum of three."""
        times = [self._ask(triplet.left, triplet.right)[1] for _ in range(_REPEATS)]
        return min(wall for wall, _ in times), min(cpu for _, cpu in times)

    def _ask(self, left: Picture, right: Picture) -> tuple[Picture, tuple[float, float]]:
        height, width = left.y.shape
        request = {"width": width, "height": height, "count": 4, "mode": MODES[self.name]}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            for picture in (left, left, right, right):
                self._process.stdin.write(picture.to_bytes())
            self._process.stdin.flush()
            line = self._process.stdout.readline()
            size = width * height * 3 // 2
            data = self._process.stdout.read(size) if line else b""
        except BrokenPipeError:
            line, data, size = b"", b"", 1
        if len(data) < size:
            raise DecodeError("MVTools returned no picture", "it needs pictures with even sides")
        found = json.loads(line)
        return Picture.from_bytes(data, width, height), (found["wall"], found["cpu"])


def _version(python: str) -> str:
    program = "import vapoursynth as vs; vs.core.mv; print(vs.core.core_version.release_major)"
    try:
        done = subprocess.run(
            [python, "-c", program], capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f'{INTERPRETER} is "{python}", which cannot be run: {error}') from error
    if done.returncode:
        errors = done.stderr.strip().splitlines()
        raise UsageError(
            f'{INTERPRETER} is "{python}", which has no VapourSynth with MVTools',
            errors[-1] if errors else "",
        )
    return f"VapourSynth R{done.stdout.strip()}"
